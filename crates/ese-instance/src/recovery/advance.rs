//! Moving the checkpoint during a long recovery, so that one that is interrupted does not begin from the start again.

use ese_format::{AttachmentEntry, LogGeneration, LogPosition};

use super::database::{SlotState, raise_counters};
use super::error::RecoveryError;
use super::replay::Replay;
use super::request::RecoveryMode;

impl Replay<'_> {
    /// A generation was replayed: when enough of the log was since the last time, writes the pages that were changed
    /// before then and moves the checkpoint.
    ///
    /// A page thus leaves when it has been changed for one interval at least; the checkpoint is two behind at most.
    pub(super) fn advance_checkpoint(&mut self) -> Result<(), RecoveryError> {
        let interval = self.request.checkpoint_bytes;
        if interval == 0 || self.log_bytes.saturating_sub(self.advanced_at) < interval {
            return Ok(());
        }
        self.advanced_at = self.log_bytes;
        let older_than = std::mem::replace(&mut self.written_up_to, self.position);
        self.redo.settle()?;
        self.redo.cache().write_back(older_than)?;
        self.move_checkpoint()
    }

    /// Makes durable what was written, and moves the checkpoint as far as that allows: to the oldest change that is not in a
    /// database file, and to the begin of the oldest open transaction.
    pub(super) fn move_checkpoint(&mut self) -> Result<(), RecoveryError> {
        // A restore begins with its set's first log in any case.
        if self.request.mode != RecoveryMode::Soft || self.attached().next().is_none() {
            return Ok(());
        }
        // What is unexplained must be met again.
        if self.redo.databases().any(|(_, d)| !d.maps.is_empty() || d.is_patched()) {
            return Ok(());
        }
        let oldest = [self.redo.cache().oldest_change(), self.redo.oldest_open_transaction()];
        let position = oldest.into_iter().flatten().fold(self.position, LogPosition::min);
        if position <= self.checkpoint {
            return Ok(());
        }
        let generation = LogGeneration(position.generation);
        let attached: Vec<_> = self.attached().map(|(s, h)| (s.slot, h.clone())).collect();
        for (slot, header) in attached {
            self.redo.cache().sync(slot)?;
            let Some(database) = self.redo.database_mut(slot) else { continue };
            let mut state = header.state.lock();
            state.count_resizes(database, &*self.environment.clock);
            (database.extend_count, database.shrink_count, database.trim_count) = (0, 0, 0);
            raise_counters(&mut state.header, database.db_time, database.last_object);
            if state.header.version().supports_last_resize() {
                state.header.set_last_resize_position(database.last_resize);
            }
            // Replay must not begin behind what the header requires: the header is first.
            if state.header.min_required() < generation {
                state.header.set_min_required(generation);
                state.header.set_min_consistent(generation);
            }
            drop(state);
            header.write()?;
        }
        let attachments = self.attachments_before(position);
        self.write_checkpoint(position, &attachments)?;
        tracing::debug!(%position, "checkpoint moved during recovery");
        self.checkpoint = position;
        Ok(())
    }

    /// The databases that are attached, or should be, at an earlier position.
    fn attachments_before(&self, position: LogPosition) -> Vec<AttachmentEntry> {
        let mut entries = self.attachment_list();
        for slot in self.slots.values().filter(|s| matches!(s.state, SlotState::Deferred(_))) {
            let mut entry = AttachmentEntry::new(slot.slot.0, &slot.logged);
            let counters = self.redo.database(slot.slot);
            let fixed = &mut entry.fixed;
            fixed.set_db_time(counters.map_or(slot.expected.db_time, |d| d.db_time));
            fixed.set_last_object_id(counters.map_or(slot.expected.last_object, |d| d.last_object));
            fixed.set_max_pages(slot.expected.largest_pages);
            fixed.set_attach_position(slot.expected.attach_position);
            fixed.set_consistent_position(slot.expected.consistent_position);
            fixed.set_signature(slot.expected.signature);
            entries.push(entry);
        }
        entries.retain(|entry| entry.fixed.attach_position() < position);
        entries.sort_by_key(|entry| entry.fixed.database_id());
        entries
    }
}
