//! Taking back one operation while the engine runs.

use ese_format::LogPosition;
use ese_log::record::{
    FreedTreeKind, NodePrefix, PagePrefix, PageRecordFlags, Record, Undo, UndoInfo, VersionOperation,
};

use super::core::{Cleanup, Core, Result};
use super::search::Way;
use super::store::LiveStore;
use super::version_store::{Change, Version};
use super::{LiveError, TransactionState};
use crate::page_cache::FrameId;
use crate::page_operation::{UndoneOperation, undo_node};
use crate::tree_write::TreeWriter;

/// What the log calls an operation; none for what is not logged.
fn operation_of(change: Change) -> Option<VersionOperation> {
    match change {
        Change::Insert => Some(VersionOperation::INSERT),
        Change::Replace => Some(VersionOperation::REPLACE),
        Change::FlagDelete => Some(VersionOperation::FLAG_DELETE),
        Change::Delta { wide: false } => Some(VersionOperation::DELTA),
        Change::Delta { wide: true } => Some(VersionOperation::DELTA64),
        Change::Touch | Change::Lock | Change::ReadLock | Change::CreateTree | Change::DeleteTree { .. } => {
            None
        }
    }
}

/// The common beginning of the records about a version; page part to be completed.
fn version_prefix(version: &Version, session: ese_log::record::SessionId) -> NodePrefix {
    let unique = version.tree.flags & crate::page_flags::NON_UNIQUE_KEYS == 0;
    NodePrefix {
        page: PagePrefix {
            session,
            database: version.slot,
            page_number: version.page,
            db_time: ese_format::DbTime::NIL,
            db_time_before: ese_format::DbTime::NIL,
            transaction: version.begin,
            level: version.level,
            line: 0,
            flags: if unique { PageRecordFlags::UNIQUE } else { PageRecordFlags::empty() },
        },
        version: version.id,
        root: version.tree.root,
        object: version.tree.object,
    }
}

fn undo_info<'a>(version: &'a Version, session: ese_log::record::SessionId) -> Option<Record<'a>> {
    let before = version.before();
    Some(Record::UndoInfo(UndoInfo {
        node: version_prefix(version, session),
        operation: operation_of(version.change)?,
        largest_size: before.len() as u16,
        size_change: 0,
        bookmark_key: version.key(),
        bookmark_data: version.data(),
        before_image: before,
    }))
}

impl Core {
    /// Logs the before-images of all open operations on a page, so that it may be written, or its nodes move.
    pub(super) fn log_undo_info(&mut self, frame: FrameId) -> Result<()> {
        let first = self.cache.waiting(frame);
        if first.is_none() {
            return Ok(());
        }
        let waiting = self.versions.waiting(first);
        self.batch.clear();
        for &index in &waiting {
            let Some(version) = self.versions.get(index) else { continue };
            let session = self.sessions.get(version.owner as usize).and_then(Option::as_ref);
            let Some(session) = session.map(|s| s.id) else { continue };
            if let Some(record) = undo_info(version, session) {
                self.batch.push(&record).map_err(LiveError::Encode)?;
            }
        }
        let mut position = LogPosition::NONE;
        if let Some(log) = &self.log
            && !self.batch.is_empty()
        {
            position = log.append(&mut self.batch, None, &mut |_, _| {})?.last;
            crate::thread_counters::records_appended(self.batch.len(), self.batch.byte_len());
            self.counters.records += self.batch.len() as u64;
            self.counters.record_bytes += self.batch.byte_len() as u64;
        }
        self.cache.raise_last_change(frame, position);
        self.cache.set_waiting(frame, None);
        for index in waiting {
            if let Some(version) = self.versions.get_mut(index) {
                version.has_undo_info = true;
                version.waits = None;
            }
        }
        Ok(())
    }

    /// Takes back one operation of a transaction, its newest.
    pub(super) fn undo(&mut self, t: &mut TransactionState, index: u32) -> Result<()> {
        let Some(version) = self.versions.get(index) else { return Ok(()) };
        let (slot, tree, change) = (version.slot, version.tree, version.change);
        match change {
            Change::Touch | Change::Lock | Change::ReadLock | Change::DeleteTree { .. } => {
                self.versions.remove(index);
                return Ok(());
            }
            Change::CreateTree => {
                let begin = version.begin;
                // Others may have put entries into a new index, and committed.
                self.forget_cleanup(&[super::Tree { slot, root: tree }]);
                self.free_tree(t, slot, &tree, FreedTreeKind::UNKNOWN, begin)?;
                self.versions.remove(index);
                return Ok(());
            }
            _ => {}
        }
        let key = version.key().to_vec();
        let data = version.data().to_vec();
        let before = version.before().to_vec();
        self.cache.begin_operation();
        let mut leaf = self.descend_in(slot, &tree, Way::Bookmark(&key, &data))?;
        if !leaf.exact {
            return Err(LiveError::UndoFailed { slot, root: tree.root });
        }
        if change == Change::Replace {
            let image = self.cache.page(leaf.frame);
            let now = image.node(leaf.line).map_err(LiveError::edit(leaf.page))?.data.len();
            if before.len() > now + image.free() {
                // A split has taken the room that was kept for this. The old data come back by an ordinary replace, which
                // makes room; what follows has no effect on the page then.
                TreeWriter::new(LiveStore::new(self, t, slot)).replace(&tree, &key, &before)?;
                self.cache.begin_operation();
                leaf = self.descend_in(slot, &tree, Way::Bookmark(&key, &data))?;
            }
        }
        let Some(version) = self.versions.get(index) else { return Ok(()) };
        let Some(operation) = operation_of(change) else { return Ok(()) };
        let undone = UndoneOperation { operation, delta: version.delta, delta_offset: version.delta_offset };
        let mut position = LogPosition::NONE;
        let time_before = self.cache.page(leaf.frame).db_time();
        let (level, needs_info) = (version.level, version.needs_undo_info());
        let mut node = version_prefix(version, t.id);
        let time = self.next_time(slot)?;
        if self.is_logged(slot)? {
            self.begin_batch(t)?;
            if needs_info
                && let Some(version) = self.versions.get(index)
                && let Some(record) = undo_info(version, t.id)
            {
                self.batch.push(&record).map_err(LiveError::Encode)?;
            }
            node.page.page_number = leaf.page;
            node.page.db_time = time;
            node.page.db_time_before = time_before;
            node.page.level = t.level();
            node.page.line = leaf.line as u16;
            self.push(&Record::Undo(Undo {
                node,
                operation,
                version_level: level,
                bookmark_key: &key,
                bookmark_data: &data,
            }))?;
            position = self.append(t)?;
        }
        self.stop_waiting(index);
        let mut image = self.cache.page_mut(leaf.frame, position);
        let edit = LiveError::edit(leaf.page);
        let now = image.node(leaf.line).map_err(&edit)?.data.len();
        let kept = image.uncommitted_free();
        undo_node(&mut image, leaf.line, &undone, &before).map_err(&edit)?;
        image.set_db_time(time);
        let largest =
            |core: &Self| core.versions.largest_before(core.versions.newest(slot, tree.root, &key, &data));
        let was = largest(self);
        self.versions.remove(index);
        if change == Change::Replace {
            // What older versions of the node may claim back is kept free again.
            let is = largest(self).saturating_sub(before.len());
            let mut image = self.cache.page_mut_quietly(leaf.frame);
            image.set_uncommitted_free((kept + is).saturating_sub(was.saturating_sub(now)));
        }
        if change == Change::Insert {
            let node = Cleanup::Node { slot, tree, key, data };
            self.cleanup.push_back((self.newest, node));
        }
        self.counters.undos += 1;
        Ok(())
    }
}
