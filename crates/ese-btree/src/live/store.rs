//! The pages of one database for changes of trees that need more than one page: splits, space, merges.

use ese_format::{DbTime, LogPosition, PageNumber, PageSize};
use ese_log::record::{DatabaseSlot, PageRecordFlags};

use super::core::Core;
use super::{LiveError, TransactionState};
use crate::page_edit::{PageImage, page_flags};
use crate::tree_write::{
    PageChange, PageStore, RecordContext, SpaceNote, TreeRoot, TreeWriteError, record_extension,
};

type Result<T> = std::result::Result<T, TreeWriteError>;

/// Pages of one database in a transaction. Each change is appended to the log before it is applied.
pub(super) struct LiveStore<'a> {
    pub(super) core: &'a mut Core,
    pub(super) t: &'a mut TransactionState,
    pub(super) slot: DatabaseSlot,
    /// Position of the change at hand.
    pub(super) position: LogPosition,
}

impl<'a> LiveStore<'a> {
    pub(super) fn new(core: &'a mut Core, t: &'a mut TransactionState, slot: DatabaseSlot) -> Self {
        Self { core, t, slot, position: LogPosition::NONE }
    }
}

impl PageStore for LiveStore<'_> {
    fn page_size(&self) -> PageSize {
        self.core.settings.page_size
    }

    fn begin(&mut self) {
        self.core.cache.begin_operation();
    }

    fn page(&mut self, number: PageNumber) -> Result<PageImage<&[u8]>> {
        let frame = self.core.fetch(self.slot, number)?;
        Ok(self.core.cache.page(frame))
    }

    fn page_mut(&mut self, number: PageNumber) -> Result<PageImage<&mut [u8]>> {
        let frame = self.core.fetch(self.slot, number)?;
        Ok(self.core.cache.page_mut(frame, self.position))
    }

    fn new_page(&mut self, number: PageNumber) -> Result<PageImage<&mut [u8]>> {
        let frame = self.core.cache.create(self.slot, number)?;
        Ok(self.core.cache.page_mut(frame, self.position))
    }

    fn extend(&mut self, last: PageNumber) -> Result<()> {
        let slot = self.core.slot(self.slot)?;
        if slot.largest_page.is_some_and(|largest| last > largest) {
            return Err(TreeWriteError::Full { last: self.core.cache.last_page(self.slot)? });
        }
        if self.core.is_logged(self.slot)? {
            self.core.begin_batch(self.t)?;
            record_extension(self.slot, last, &mut self.core.batch).map_err(LiveError::Encode)?;
            let position = self.core.append(self.t)?;
            // Whoever recovers must know of pages that the file has.
            if self.core.cache.grow_later(self.slot, last, position)? {
                return Ok(());
            }
            if let Some(log) = &self.core.log {
                log.flush_to(position)?;
            }
        }
        Ok(self.core.cache.resize(self.slot, last)?)
    }

    fn splits_here_again(&mut self, tree: &TreeRoot, key: &[u8]) -> bool {
        let (slot, root, last) = &mut self.core.last_split;
        if (*slot, *root) == (self.slot, tree.root) && last == key {
            return true;
        }
        (*slot, *root) = (self.slot, tree.root);
        last.clear();
        last.extend_from_slice(key);
        false
    }

    fn next_time(&mut self) -> DbTime {
        self.core.next_time(self.slot).unwrap_or(DbTime::INVALID)
    }

    fn record(&mut self, tree: &TreeRoot, change: &PageChange<'_>, time: DbTime) -> Result<()> {
        self.position = LogPosition::NONE;
        if let PageChange::Split(plan) = change {
            self.core.counters.splits += 1;
            for level in &plan.levels {
                self.log_waiting(level.page)?;
            }
        }
        if let PageChange::Merge(plan) = change {
            self.core.counters.merges += 1;
            if let Some(leaf) = plan.levels.last() {
                self.log_waiting(leaf.page)?;
            }
        }
        // Older logs do not know the record that allocates a page; what uses the page says enough.
        let known = !matches!(change, PageChange::NewPage { .. }) || self.log_knows(NEW_PAGE);
        if !known || !self.core.is_logged(self.slot)? {
            return Ok(());
        }
        self.core.begin_batch(self.t)?;
        let context = RecordContext {
            session: self.t.id,
            slot: self.slot,
            transaction: self.t.begin,
            level: self.t.level(),
            flags: PageRecordFlags::empty(),
        };
        let mut batch = std::mem::take(&mut self.core.batch);
        let outcome = change.record(self, tree, time, &context, &mut batch);
        self.core.batch = batch;
        outcome?;
        self.position = self.core.append(self.t)?;
        Ok(())
    }

    fn note(&mut self, note: &SpaceNote) -> Result<()> {
        let known = match note {
            SpaceNote::TreeFreed { .. } => self.log_knows(TREE_FREED),
            _ => self.log_knows(EXTENT_FREED_2),
        };
        if !known || !self.core.is_logged(self.slot)? {
            return Ok(());
        }
        let time = self.core.slot(self.slot)?.db_time;
        self.core.begin_batch(self.t)?;
        note.record(self.slot, time, &mut self.core.batch).map_err(LiveError::Encode)?;
        self.core.append(self.t)?;
        Ok(())
    }

    fn has_version(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> bool {
        let data = if tree.flags & page_flags::NON_UNIQUE_KEYS == 0 { &[] } else { data };
        self.core.versions.newest(self.slot, tree.root, key, data).is_some()
    }

    fn largest_data(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> usize {
        let data = if tree.flags & page_flags::NON_UNIQUE_KEYS == 0 { &[] } else { data };
        let newest = self.core.versions.newest(self.slot, tree.root, key, data);
        self.core.versions.largest_before(newest)
    }
}

/// Update minors of the log versions that brought records.
const TREE_FREED: u32 = 16;
const NEW_PAGE: u32 = 100;
const EXTENT_FREED_2: u32 = 260;

impl LiveStore<'_> {
    fn log_knows(&self, update_minor: u32) -> bool {
        self.core.settings.log_version.update_minor >= update_minor
    }

    /// Nodes are about to move to another page: their before-images are logged now, because what waits is tied to a page.
    fn log_waiting(&mut self, page: PageNumber) -> Result<()> {
        let frame = self.core.fetch(self.slot, page)?;
        Ok(self.core.log_undo_info(frame)?)
    }
}
