//! Redo of the records that change one node.

use ese_format::{ObjectId, PageNumber};
use ese_log::record::{
    Delete, EmptyTree, FlagInsert, FlagInsertAndReplaceData, Insert, NodePrefix, PageRecordFlags, Replace,
    SessionId, SetExternalHeader, Undo, UndoInfo, VersionId, VersionOperation, apply_diff,
};

use super::Redo;
use super::access::Target;
use super::error::RedoErrorKind;
use super::version::{NewVersion, Version, VersionBytes};
use crate::page_cache::FrameId;
use crate::page_edit::{NewNode, node_flags};
use crate::page_operation::{empty_tree_page, empty_tree_root, undo_node};

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

impl Redo {
    /// The common beginning: `None` when the record does not take part.
    fn open(&mut self, node: &NodePrefix, record: &[u8]) -> Result<Option<Target>> {
        let page = &node.page;
        if !self.takes_part(page.session, page.database, page.db_time, node.object, Some(record)) {
            return Ok(None);
        }
        self.target(page.database, page.page_number, page.db_time_before, page.db_time).map(Some)
    }

    fn finish(&mut self, node: &NodePrefix, frame: FrameId) {
        self.cache.page_mut(frame, self.position).set_db_time(node.page.db_time);
        self.statistics.changes_applied += 1;
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
    /// not be written.
    pub(super) fn add_image_version(
        &mut self,
        node: &NodePrefix,
        id: VersionId,
        operation: VersionOperation,
        bytes: VersionBytes<'_>,
        frame: FrameId,
    ) {
        let page = self.cache.page_number(frame);
        let Some(version) = self.add_version(node, id, operation, bytes) else { return };
        version.pinned = Some((frame, page));
        self.cache.pin(frame);
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

    pub(super) fn insert(&mut self, record: &Insert<'_>, raw: &[u8]) -> Result<()> {
        let Some(target) = self.open(&record.node, raw)? else { return Ok(()) };
        let node = &record.node;
        let unique = node.page.flags.contains(PageRecordFlags::UNIQUE);
        let key = [record.key_prefix, record.key_suffix];
        let data = if unique { &[][..] } else { record.data };
        let bytes = VersionBytes { key, data, before: &[] };
        self.add_version(node, node.version, VersionOperation::INSERT, bytes);
        let Some(frame) = target.changing() else { return Ok(()) };
        let error = Self::edit_error(node.page.database, target.page);
        let mut page = self.cache.page_mut(frame, self.position);
        if !page.key_prefix().starts_with(record.key_prefix) {
            return Err(RedoErrorKind::Field { field: "key_prefix", found: record.key_prefix.len() as u64 });
        }
        let new = NewNode {
            flags: version_flag(node),
            prefix_len: record.key_prefix.len(),
            suffix: [record.key_suffix, &[]],
            data: record.data,
        };
        page.insert(node.page.line.into(), &new).map_err(error)?;
        self.finish(node, frame);
        Ok(())
    }

    pub(super) fn flag_insert(&mut self, record: &FlagInsert<'_>, raw: &[u8]) -> Result<()> {
        let Some(target) = self.open(&record.node, raw)? else { return Ok(()) };
        let node = &record.node;
        let unique = node.page.flags.contains(PageRecordFlags::UNIQUE);
        let data = if unique { &[][..] } else { record.data };
        let bytes = VersionBytes { key: [record.key, &[]], data, before: &[] };
        self.add_version(node, node.version, VersionOperation::INSERT, bytes);
        let Some(frame) = target.changing() else { return Ok(()) };
        let error = Self::edit_error(node.page.database, target.page);
        self.cache
            .page_mut(frame, self.position)
            .change_node_flags(node.page.line.into(), version_flag(node), node_flags::DELETED)
            .map_err(error)?;
        self.finish(node, frame);
        Ok(())
    }

    pub(super) fn flag_insert_and_replace(
        &mut self,
        record: &FlagInsertAndReplaceData<'_>,
        raw: &[u8],
    ) -> Result<()> {
        let Some(target) = self.open(&record.node, raw)? else { return Ok(()) };
        let node = &record.node;
        let unique = node.page.flags.contains(PageRecordFlags::UNIQUE);
        let data = if unique { &[][..] } else { record.data };
        let bytes = VersionBytes { key: [record.key, &[]], data, before: &[] };
        self.add_version(node, node.version, VersionOperation::INSERT, bytes);
        let Some(frame) = target.changing() else {
            self.defer(node, record.replace_version);
            return Ok(());
        };
        self.replace_at(node, frame, record.replace_version, record.data, node_flags::DELETED)?;
        self.finish(node, frame);
        Ok(())
    }

    /// Puts new data into a node and keeps the old as a version.
    fn replace_at(
        &mut self,
        node: &NodePrefix,
        frame: FrameId,
        version: VersionId,
        data: &[u8],
        clear: u8,
    ) -> Result<()> {
        let error = Self::edit_error(node.page.database, node.page.page_number);
        let line = usize::from(node.page.line);
        if node.page.flags.contains(PageRecordFlags::VERSIONED) && node.page.level != 0 {
            let mut scratch = std::mem::take(&mut self.scratch.key);
            let mut before = std::mem::take(&mut self.scratch.old);
            scratch.clear();
            before.clear();
            let page = self.cache.page(frame);
            let old = page.node(line).map_err(&error)?;
            old.push_key(&mut scratch);
            before.extend_from_slice(old.data);
            let bytes = VersionBytes { key: [&scratch, &[]], data: &[], before: &before };
            self.add_image_version(node, version, VersionOperation::REPLACE, bytes, frame);
            self.scratch.key = scratch;
            self.scratch.old = before;
        }
        let mut page = self.cache.page_mut(frame, self.position);
        page.replace_data(line, data).map_err(&error)?;
        page.change_node_flags(line, version_flag(node), clear).map_err(&error)
    }

    pub(super) fn replace(&mut self, record: &Replace<'_>, difference: bool, raw: &[u8]) -> Result<()> {
        let Some(target) = self.open(&record.node, raw)? else { return Ok(()) };
        let node = &record.node;
        let Some(frame) = target.changing() else {
            self.defer(node, node.version);
            return Ok(());
        };
        let expected = usize::from(record.new_size);
        let limit = self.cache.page_size().len();
        let mut new = std::mem::take(&mut self.scratch.new);
        let outcome = (|| {
            let data = if difference {
                let error = Self::edit_error(node.page.database, target.page);
                let page = self.cache.page(frame);
                let old = page.node(node.page.line.into()).map_err(error)?.data;
                apply_diff(old, record.data, record.diff_form(), limit, &mut new)?;
                &new[..]
            } else {
                record.data
            };
            if data.len() != expected || data.len() >= limit {
                return Err(RedoErrorKind::DataSize { expected, found: data.len() });
            }
            self.replace_at(node, frame, node.version, data, 0)
        })();
        self.scratch.new = new;
        outcome?;
        self.finish(node, frame);
        Ok(())
    }

    pub(super) fn flag_delete(&mut self, record: &Delete, raw: &[u8]) -> Result<()> {
        let Some(target) = self.open(&record.node, raw)? else { return Ok(()) };
        let node = &record.node;
        let Some(frame) = target.changing() else {
            self.defer(node, node.version);
            return Ok(());
        };
        let error = Self::edit_error(node.page.database, target.page);
        let line = usize::from(node.page.line);
        let unique = node.page.flags.contains(PageRecordFlags::UNIQUE);
        let mut key = std::mem::take(&mut self.scratch.key);
        let mut data = std::mem::take(&mut self.scratch.old);
        key.clear();
        data.clear();
        let page = self.cache.page(frame);
        let old = page.node(line).map_err(&error)?;
        old.push_key(&mut key);
        if !unique {
            data.extend_from_slice(old.data);
        }
        let bytes = VersionBytes { key: [&key, &[]], data: &data, before: &[] };
        self.add_image_version(node, node.version, VersionOperation::FLAG_DELETE, bytes, frame);
        self.scratch.key = key;
        self.scratch.old = data;
        self.cache
            .page_mut(frame, self.position)
            .change_node_flags(line, version_flag(node) | node_flags::DELETED, 0)
            .map_err(&error)?;
        self.finish(node, frame);
        Ok(())
    }

    pub(super) fn delete(&mut self, record: &Delete, raw: &[u8]) -> Result<()> {
        let Some(target) = self.open(&record.node, raw)? else { return Ok(()) };
        let node = &record.node;
        let Some(frame) = target.changing() else { return Ok(()) };
        let error = Self::edit_error(node.page.database, target.page);
        self.cache.page_mut(frame, self.position).delete(node.page.line.into()).map_err(error)?;
        self.finish(node, frame);
        Ok(())
    }

    pub(super) fn delta(&mut self, record: &DeltaParts<'_>, raw: &[u8]) -> Result<()> {
        let Some(target) = self.open(&record.node, raw)? else { return Ok(()) };
        let node = &record.node;
        let operation = if record.wide { VersionOperation::DELTA64 } else { VersionOperation::DELTA };
        let bytes = VersionBytes { key: [record.key, &[]], data: record.data, before: &[] };
        if let Some(version) = self.add_version(node, node.version, operation, bytes) {
            version.delta = record.delta;
            version.delta_offset = record.offset;
        }
        let Some(frame) = target.changing() else { return Ok(()) };
        let error = Self::edit_error(node.page.database, target.page);
        let line = usize::from(node.page.line);
        let mut page = self.cache.page_mut(frame, self.position);
        page.add_to_counter(line, record.offset.into(), record.delta, record.wide).map_err(&error)?;
        page.change_node_flags(line, version_flag(node), 0).map_err(&error)?;
        self.finish(node, frame);
        Ok(())
    }

    pub(super) fn set_external_header(&mut self, record: &SetExternalHeader<'_>, raw: &[u8]) -> Result<()> {
        let Some(target) = self.open(&record.node, raw)? else { return Ok(()) };
        let Some(frame) = target.changing() else { return Ok(()) };
        let error = Self::edit_error(record.node.page.database, target.page);
        self.cache.page_mut(frame, self.position).set_external_header(record.data).map_err(error)?;
        self.finish(&record.node, frame);
        Ok(())
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
        let session = self.sessions.get(node.page.session);
        if session.level > 0 {
            session.deferred.retain(|id| *id != node.version);
            let version = session.versions.remove(node.version);
            if let Some((frame, page)) = version.and_then(|v| v.pinned) {
                self.cache.unpin(frame, node.page.database, page);
            }
            if let (Some(version), Some(frame)) = (version, target.changing()) {
                let before = session.versions.before(&version);
                let error = Self::edit_error(node.page.database, target.page);
                let mut page = self.cache.page_mut(frame, self.position);
                undo_node(&mut page, node.page.line.into(), &version.undone(), before).map_err(error)?;
            }
        }
        if let Some(frame) = target.changing() {
            self.finish(node, frame);
        }
        Ok(())
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

/// The version bit of a node that the record makes a version of.
fn version_flag(node: &NodePrefix) -> u8 {
    if node.page.flags.contains(PageRecordFlags::VERSIONED) { node_flags::VERSIONED } else { 0 }
}

/// Object id that no tree has, for records without one.
pub(super) const NO_OBJECT: ObjectId = ObjectId(0);
