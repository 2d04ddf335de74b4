//! Redo of the records that create trees and pages.

use ese_log::record::{ConvertFdp2, CreateMultipleExtentFdp, CreateSingleExtentFdp, NewPage};

use super::Redo;
use super::change::change_new_page;
use super::error::RedoErrorKind;
use super::parallel::Task;
use crate::page_operation::{convert_root, create_multiple_extent, create_single_extent};

type Result<T> = std::result::Result<T, RedoErrorKind>;

impl Redo {
    pub(super) fn create_single_extent(&mut self, record: &CreateSingleExtentFdp) -> Result<()> {
        let prefix = &record.page;
        let slot = prefix.database;
        if !self.takes_part(prefix.session, slot, prefix.db_time, record.object, None) {
            return Ok(());
        }
        let root = self.new_target(slot, prefix.page_number, prefix.db_time)?;
        create_single_extent(&mut self.changed_pages(slot, &[root]), record)
    }

    pub(super) fn create_multiple_extent(&mut self, record: &CreateMultipleExtentFdp) -> Result<()> {
        let prefix = &record.page;
        let slot = prefix.database;
        if !self.takes_part(prefix.session, slot, prefix.db_time, record.object, None) {
            return Ok(());
        }
        let root = self.new_target(slot, prefix.page_number, prefix.db_time)?;
        let owned = self.new_target(slot, record.owned_extents_root, prefix.db_time)?;
        let available = self.new_target(slot, record.available_extents_root, prefix.db_time)?;
        create_multiple_extent(&mut self.changed_pages(slot, &[root, owned, available]), record)
    }

    pub(super) fn convert(&mut self, record: &ConvertFdp2) -> Result<()> {
        let convert = &record.convert;
        let prefix = &convert.page;
        let slot = prefix.database;
        if !self.takes_part(prefix.session, slot, prefix.db_time, convert.object, None) {
            return Ok(());
        }
        let root = self.target(slot, prefix.page_number, prefix.db_time_before, prefix.db_time)?;
        let owned = self.new_target(slot, convert.owned_extents_root, prefix.db_time)?;
        let available = self.new_target(slot, convert.available_extents_root, prefix.db_time)?;
        convert_root(&mut self.changed_pages(slot, &[root, owned, available]), record)
    }

    pub(super) fn new_page(&mut self, record: &NewPage) -> Result<()> {
        let slot = record.database;
        if !self.takes_part(record.session, slot, record.db_time, record.object, None) {
            return Ok(());
        }
        let target = self.new_target(slot, record.page_number, record.db_time)?;
        let Some(frame) = target.changing() else { return Ok(()) };
        self.statistics.changes_applied += 1;
        if self.hands_over() {
            self.hand_over(frame, target.page, record.db_time, |frame, record| Task::NewPage {
                frame,
                record,
            });
        } else {
            let mut page = self.cache.page_mut(frame, self.position);
            change_new_page(&mut page, record.page_number, record.object, record.db_time);
        }
        Ok(())
    }
}
