//! Redo of the records that change the size of a file, give pages back, or only look at pages.

use ese_format::{DbTime, PageNumber};
use ese_log::record::{DatabaseSlot, ExtendDatabase, ExtentFreed, Scrub, ShrinkDatabase, TrimDatabase};

use super::Redo;
use super::error::RedoErrorKind;
use crate::page_cache::Fetched;
use crate::page_edit::node_flags;

type Result<T> = std::result::Result<T, RedoErrorKind>;

/// What scrubbing writes over the data of a deleted node.
#[doc(alias = "chSCRUBDBMaintDeletedDataFill")]
const DELETED_DATA: u8 = b'D';
/// What scrubbing writes over the data of an abandoned long value.
#[doc(alias = "chSCRUBDBMaintLVChunkFill")]
const LONG_VALUE_DATA: u8 = b'L';
/// What scrubbing writes over the free space of a page in use.
#[doc(alias = "chSCRUBDBMaintUsedPageFreeFill")]
const USED_PAGE_FREE: u8 = b'Z';
/// What scrubbing writes over the free space of an unused page.
#[doc(alias = "chSCRUBDBMaintUnusedPageFill")]
const UNUSED_PAGE: u8 = b'U';

impl Redo {
    pub(super) fn extend(&mut self, record: &ExtendDatabase<'_>) -> Result<()> {
        let (slot, position) = (record.database, self.position);
        if self.database(slot).is_none_or(|d| d.deferred) {
            return Ok(());
        }
        if record.last_page > self.cache.last_page(slot)? {
            self.recall()?;
            self.cache.resize(slot, record.last_page)?;
        }
        if let Some(database) = self.database_mut(slot) {
            database.extend_count += 1;
            database.last_resize = position;
        }
        Ok(())
    }

    pub(super) fn shrink(&mut self, record: &ShrinkDatabase, time: Option<DbTime>) -> Result<()> {
        let (slot, position) = (record.database, self.position);
        if !self.condition(slot, time.unwrap_or(DbTime(0)), super::node::NO_OBJECT, false) {
            return Ok(());
        }
        let first = PageNumber(record.last_page.0.saturating_add(1));
        let shrunk_last = PageNumber(record.last_page.0.saturating_add(record.page_count));
        let file_last = self.cache.last_page(slot)?;
        let Some(database) = self.database_mut(slot) else { return Ok(()) };
        database.maps.clear_range(first, shrunk_last.max(file_last));
        let resize = database.last_resize;
        if resize.is_none() && database.future_data {
            return Ok(());
        }
        if resize > position {
            // The file has been this short before; what was put behind it later must not look like pages of now.
            let Some(time) = time else { return Ok(()) };
            for page in first.0..=shrunk_last.min(file_last).0 {
                self.reset_shrunk(slot, PageNumber(page), time)?;
            }
            return Ok(());
        }
        database.shrink_count += 1;
        database.last_resize = position;
        if record.last_page < file_last {
            self.cache.resize(slot, record.last_page)?;
        }
        Ok(())
    }

    fn reset_shrunk(&mut self, slot: DatabaseSlot, page: PageNumber, time: DbTime) -> Result<()> {
        self.cache.begin_operation();
        let Fetched::Page(frame) = self.cache.fetch(slot, page)? else { return Ok(()) };
        let found = self.cache.page(frame).db_time();
        if found != DbTime::SHRUNK && found.0 > 0 && found < time {
            self.cache.page_mut(frame, self.position).initialize_shrunk(page);
        }
        Ok(())
    }

    pub(super) fn trim(&mut self, record: &TrimDatabase) -> Result<()> {
        let slot = record.database;
        let (first, count) = (record.first_page, record.page_count);
        let last = PageNumber(first.0.saturating_add(count).saturating_sub(1));
        let Some(database) = self.database_mut(slot).filter(|d| !d.deferred) else { return Ok(()) };
        database.maps.clear_range(first, last);
        if database.future_data || last > self.cache.last_page(slot)? {
            return Ok(());
        }
        if let Some(database) = self.database_mut(slot) {
            database.trim_count += 1;
        }
        self.cache.zero(slot, first, last)?;
        Ok(())
    }

    pub(super) fn extent_freed(&mut self, record: &ExtentFreed, time: Option<DbTime>) {
        let slot = record.database;
        if !self.condition(slot, time.unwrap_or(DbTime(0)), super::node::NO_OBJECT, false) {
            return;
        }
        let first = record.first_page;
        let last = PageNumber(first.0.saturating_add(record.page_count).saturating_sub(1));
        if let Some(database) = self.database_mut(slot) {
            database.maps.reverted.retain(|page, _| *page < first || *page > last);
        }
    }

    pub(super) fn scrub(&mut self, record: &Scrub<'_>, raw: &[u8]) -> Result<()> {
        let node = &record.node;
        let slot = node.page.database;
        if !self.takes_part(node.page.session, slot, node.page.db_time, node.object, Some(raw)) {
            return Ok(());
        }
        let unused = record.scrub_flags.contains(ese_log::record::ScrubFlags::UNUSED_PAGE);
        if unused
            && let Ok(Fetched::Page(frame)) = self.cache.fetch(slot, node.page.page_number)
            && self.cache.page(frame).db_time() == DbTime::REVERTED
        {
            return Ok(());
        }
        let target = self.target(slot, node.page.page_number, node.page.db_time_before, node.page.db_time)?;
        let Some(frame) = target.changing() else { return Ok(()) };
        let error = Self::edit_error(slot, target.page);
        let mut page = self.cache.page_mut(frame, self.position);
        if unused {
            page.remove_all_nodes().map_err(&error)?;
            page.fill_free_space(UNUSED_PAGE).map_err(&error)?;
        } else {
            let operations = record.operations().unwrap_or(&[]);
            if operations.len() != page.line_count() {
                return Err(RedoErrorKind::Field { field: "cscrubOper", found: operations.len() as u64 });
            }
            for (line, &operation) in operations.iter().enumerate() {
                match operation {
                    0 => {}
                    1 => page.fill_data(line, 0, DELETED_DATA).map_err(&error)?,
                    2 => page.fill_data(line, 0, LONG_VALUE_DATA).map_err(&error)?,
                    other => {
                        return Err(RedoErrorKind::Field { field: "scrub operation", found: other.into() });
                    }
                }
                if operation != 0 {
                    page.change_node_flags(line, 0, node_flags::VERSIONED).map_err(&error)?;
                }
            }
            page.fill_free_space(USED_PAGE_FREE).map_err(&error)?;
        }
        let flags = page.flags() | crate::page_edit::page_flags::SCRUBBED;
        page.set_flags(flags);
        page.set_db_time(node.page.db_time);
        self.statistics.changes_applied += 1;
        Ok(())
    }
}
