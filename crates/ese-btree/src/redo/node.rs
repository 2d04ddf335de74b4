//! Redo of the records that change one node.

use ese_format::{ObjectId, PageNumber};
use ese_log::record::{
    EmptyTree, NodePrefix, PageRecordFlags, Record, SessionId, Undo, UndoInfo, VersionId, VersionOperation,
};

use super::Redo;
use super::access::Target;
use super::change::{ChangeTools, TakenBack, change_node, change_undo};
use super::error::RedoErrorKind;
use super::parallel::Task;
use super::version::{NewVersion, Version, VersionBytes};
use crate::page_cache::FrameId;
use crate::page_operation::{empty_tree_page, empty_tree_root};

type Result<T> = std::result::Result<T, RedoErrorKind>;

/// A counter change of either width.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeltaParts<'a> {
    pub(super) node: NodePrefix,
    pub(super) delta: i64,
    pub(super) wide: bool,
    pub(super) offset: u16,
    pub(super) key: &'a [u8],
    pub(super) data: &'a [u8],
}

impl<'a> DeltaParts<'a> {
    /// The parts of a Delta or Delta64 record.
    pub(super) fn of(record: &Record<'a>) -> Option<Self> {
        Some(match record {
            Record::Delta(r) => Self {
                node: r.node,
                delta: r.delta.into(),
                wide: false,
                offset: r.offset,
                key: r.bookmark_key,
                data: r.bookmark_data,
            },
            Record::Delta64(r) => Self {
                node: r.node,
                delta: r.delta,
                wide: true,
                offset: r.offset,
                key: r.bookmark_key,
                data: r.bookmark_data,
            },
            _ => return None,
        })
    }
}

/// What the three records of an insert have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inserted<'r> {
    pub(super) node: &'r NodePrefix,
    /// The key, in up to two pieces.
    pub(super) key: [&'r [u8]; 2],
    pub(super) data: &'r [u8],
    /// Version of the data that it overwrites.
    pub(super) replaced: Option<VersionId>,
}

impl Redo {
    /// The common beginning: `None` when the record does not take part.
    fn open(&mut self, node: &NodePrefix, record: &[u8]) -> Result<Option<Target>> {
        let page = &node.page;
        if !self.takes_part(page.session, page.database, page.db_time, node.object, Some(record)) {
            return Ok(None);
        }
        self.target(page.database, page.page_number, page.db_time_before, page.db_time).map(Some)
    }

    /// Adds a version of the record's session, if the record makes one.
    pub(super) fn add_version(
        &mut self,
        node: &NodePrefix,
        id: VersionId,
        operation: VersionOperation,
        bytes: VersionBytes<'_>,
    ) -> Option<&mut Version> {
        let flags = node.page.flags;
        // Level 0: logged on behalf of a transaction that has committed.
        if !flags.contains(PageRecordFlags::VERSIONED) || node.page.level == 0 {
            return None;
        }
        let new = NewVersion {
            id,
            level: node.page.level,
            slot: node.page.database,
            page: node.page.page_number,
            root: node.root,
            object: node.object,
            operation,
            unique: flags.contains(PageRecordFlags::UNIQUE),
            space: flags.contains(PageRecordFlags::SPACE),
            transaction: node.page.transaction,
        };
        self.sessions.get(node.page.session).versions.add(&new, bytes)
    }

    /// Adds a version whose before-image is in memory only: until it is logged, or not needed any more, the page must
    /// not be written. `awaits`: the before-image comes later. Whether the version was added.
    pub(super) fn add_image_version(
        &mut self,
        node: &NodePrefix,
        id: VersionId,
        operation: VersionOperation,
        bytes: VersionBytes<'_>,
        frame: Option<FrameId>,
        awaits: bool,
    ) -> bool {
        let pinned = frame.map(|frame| (frame, self.cache.page_number(frame)));
        let Some(version) = self.add_version(node, id, operation, bytes) else { return false };
        version.pinned = pinned;
        version.awaits = awaits;
        if let Some(frame) = frame {
            self.cache.pin(frame);
        }
        true
    }

    /// Lets the pages go that versions of a session at `level` and above kept from being written.
    pub(super) fn unpin_from(&mut self, session: SessionId, level: u8) {
        let session = self.sessions.get(session);
        for (slot, frame, page) in session.versions.pins_from(level) {
            self.cache.unpin(frame, slot, page);
        }
    }

    fn defer(&mut self, node: &NodePrefix, id: VersionId) {
        if node.page.flags.contains(PageRecordFlags::VERSIONED) {
            self.sessions.get(node.page.session).defer(id);
        }
    }

    /// Adds a version whose before-image is in memory only, and is taken from the page in front of the change. Whether
    /// there is one to be filled.
    fn reserve_version(
        &mut self,
        node: &NodePrefix,
        id: VersionId,
        operation: VersionOperation,
        frame: FrameId,
    ) -> bool {
        self.add_image_version(node, id, operation, VersionBytes::default(), Some(frame), true)
    }

    /// Changes the page of `target` as the record says.
    fn edit(&mut self, record: &Record<'_>, node: &NodePrefix, frame: FrameId, keep: bool) -> Result<()> {
        self.statistics.changes_applied += 1;
        if self.hands_over() {
            self.hand_over(frame, node.page.page_number, node.page.db_time, |frame, record| Task::Node {
                frame,
                record,
                keep,
            });
            return Ok(());
        }
        let tools = ChangeTools {
            size: self.cache.page_size(),
            scratch: &mut self.scratch,
            kept: keep.then_some(&mut self.kept),
        };
        change_node(&mut self.cache.page_mut(frame, self.position), record, tools)?;
        if keep {
            let mut kept = std::mem::take(&mut self.kept);
            self.fill_versions(&mut kept);
            self.kept = kept;
        }
        Ok(())
    }

    /// A record of an insert, which makes a version also where the page has the node already. `replaced` is the version of
    /// the data that it overwrites, if it does.
    pub(super) fn insert(&mut self, record: &Record<'_>, inserted: &Inserted<'_>, raw: &[u8]) -> Result<()> {
        let node = inserted.node;
        let Some(target) = self.open(node, raw)? else { return Ok(()) };
        let unique = node.page.flags.contains(PageRecordFlags::UNIQUE);
        let data = if unique { &[][..] } else { inserted.data };
        let bytes = VersionBytes { key: inserted.key, data, before: &[] };
        self.add_version(node, node.version, VersionOperation::INSERT, bytes);
        let Some(frame) = target.changing() else {
            if let Some(replaced) = inserted.replaced {
                self.defer(node, replaced);
            }
            return Ok(());
        };
        let keep = inserted
            .replaced
            .is_some_and(|id| self.reserve_version(node, id, VersionOperation::REPLACE, frame));
        self.edit(record, node, frame, keep)
    }

    /// A record whose change needs the before-image to be undone.
    pub(super) fn overwrite(
        &mut self,
        record: &Record<'_>,
        node: &NodePrefix,
        operation: VersionOperation,
        raw: &[u8],
    ) -> Result<()> {
        let Some(target) = self.open(node, raw)? else { return Ok(()) };
        let Some(frame) = target.changing() else {
            self.defer(node, node.version);
            return Ok(());
        };
        let keep = self.reserve_version(node, node.version, operation, frame);
        self.edit(record, node, frame, keep)
    }

    /// A record that makes no version.
    pub(super) fn change(&mut self, record: &Record<'_>, node: &NodePrefix, raw: &[u8]) -> Result<()> {
        let Some(target) = self.open(node, raw)? else { return Ok(()) };
        let Some(frame) = target.changing() else { return Ok(()) };
        self.edit(record, node, frame, false)
    }

    pub(super) fn delta(&mut self, record: &Record<'_>, raw: &[u8]) -> Result<()> {
        let Some(delta) = DeltaParts::of(record) else { return Ok(()) };
        let node = &delta.node;
        let Some(target) = self.open(node, raw)? else { return Ok(()) };
        let operation = if delta.wide { VersionOperation::DELTA64 } else { VersionOperation::DELTA };
        let bytes = VersionBytes { key: [delta.key, &[]], data: delta.data, before: &[] };
        if let Some(version) = self.add_version(node, node.version, operation, bytes) {
            version.delta = delta.delta;
            version.delta_offset = delta.offset;
        }
        let Some(frame) = target.changing() else { return Ok(()) };
        self.edit(record, node, frame, false)
    }

    pub(super) fn undo_info(&mut self, record: &UndoInfo<'_>) -> Result<()> {
        let node = &record.node;
        let page = &node.page;
        // Its times are "none": it is never kept for a macro, and no counter follows it.
        if !self.takes_part(page.session, page.database, page.db_time, node.object, None) {
            return Ok(());
        }
        // The page is not changed; that it cannot be read is noticed here all the same.
        self.access(page.database, page.page_number)?;
        let session = self.sessions.get(page.session);
        if session.level == 0 {
            return Ok(());
        }
        session.deferred.retain(|id| *id != node.version);
        let flags = page.flags;
        let new = NewVersion {
            id: node.version,
            level: page.level.min(session.level),
            slot: page.database,
            page: page.page_number,
            root: node.root,
            object: node.object,
            operation: record.operation,
            unique: flags.contains(PageRecordFlags::UNIQUE),
            space: flags.contains(PageRecordFlags::SPACE),
            transaction: page.transaction,
        };
        let bytes = VersionBytes {
            key: [record.bookmark_key, &[]],
            data: record.bookmark_data,
            before: record.before_image,
        };
        if let Some(version) = session.versions.add(&new, bytes) {
            version.largest_size = record.largest_size;
        }
        if let Some((slot, frame, page)) = session.versions.set_undo_info(node.version) {
            self.cache.unpin(frame, slot, page);
        }
        Ok(())
    }

    pub(super) fn undo(&mut self, record: &Undo<'_>, raw: &[u8]) -> Result<()> {
        let Some(target) = self.open(&record.node, raw)? else { return Ok(()) };
        let node = &record.node;
        if self.sessions.get(node.page.session).versions.awaits(node.version) {
            // What it overwrote is still on its way.
            self.recall()?;
        }
        let session = self.sessions.get(node.page.session);
        let mut taken = None;
        if session.level > 0 {
            session.deferred.retain(|id| *id != node.version);
            let version = session.versions.remove(node.version);
            if let Some((frame, page)) = version.and_then(|v| v.pinned) {
                self.cache.unpin(frame, node.page.database, page);
            }
            taken = version.map(|version| TakenBack {
                undone: version.undone(),
                before: session.versions.before(&version).to_vec(),
            });
        }
        let Some(frame) = target.changing() else { return Ok(()) };
        self.statistics.changes_applied += 1;
        if self.hands_over() {
            let mut taken = taken.map(Box::new);
            self.hand_over(frame, node.page.page_number, node.page.db_time, |frame, record| Task::Undo {
                frame,
                record,
                taken: taken.take(),
            });
            return Ok(());
        }
        change_undo(&mut self.cache.page_mut(frame, self.position), node, taken.as_ref())
    }

    pub(super) fn empty_tree(&mut self, record: &EmptyTree<'_>, raw: &[u8]) -> Result<()> {
        let node = &record.node;
        let slot = node.page.database;
        let Some(_) = self.open(node, raw)? else { return Ok(()) };
        for empty in record.pages() {
            self.cache.begin_operation();
            let target = self.target(slot, empty.page_number, empty.db_time_before, node.page.db_time)?;
            if let Some(frame) = target.changing() {
                let mut page = self.cache.page_mut(frame, self.position);
                empty_tree_page(&mut page, node.page.db_time).map_err(Self::edit_error(slot, target.page))?;
            }
            self.freed(slot, empty.page_number);
        }
        let target = self.target(slot, node.page.page_number, node.page.db_time_before, node.page.db_time)?;
        let Some(frame) = target.changing() else { return Ok(()) };
        let mut page = self.cache.page_mut(frame, self.position);
        empty_tree_root(&mut page, node.page.db_time).map_err(Self::edit_error(slot, target.page))?;
        self.statistics.changes_applied += 1;
        Ok(())
    }

    /// A page left its tree: if it was reverted to new, that is explained now.
    pub(super) fn freed(&mut self, slot: ese_log::record::DatabaseSlot, page: PageNumber) {
        if let Some(database) = self.database_mut(slot) {
            database.maps.clear_reverted(page);
        }
    }
}

/// Object id that no tree has, for records without one.
pub(super) const NO_OBJECT: ObjectId = ObjectId(0);
