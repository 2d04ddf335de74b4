//! Changes of nodes under transactions.

use ese_log::record::{
    Commit, Delete, Delta, Delta64, DiffForm, FlagInsert, FlagInsertAndReplaceData, Insert, Record,
    SplitOperation, VersionId,
};

use super::core::{Core, Result};
use super::records::{NodeFacts, replace_record};
use super::search::Leaf;
use super::version_store::{Change, NONE as NO_VERSION, NewVersion, Version};
use super::{LiveError, LiveTrees, TransactionState, Tree};
use crate::page_edit::{NewNode, PageEditError, PageImage, node_flags, usable_prefix};
use crate::tree_write::{NodeChange, TreeWriteError};

impl LiveTrees {
    /// Inserts a node.
    ///
    /// # Errors
    /// [`LiveError::KeyDuplicate`], also when another transaction that did not finish, or that this one does not see, has
    /// inserted or deleted the node; errors of the transaction, of pages, of the log.
    #[doc(alias = "ErrDIRInsert")]
    pub fn insert(&self, t: &mut TransactionState, tree: &Tree, key: &[u8], data: &[u8]) -> Result<()> {
        self.core.lock().insert(t, tree, key, data, InsertKind::Versioned).map(|_| ())
    }

    /// Inserts a node without a version: everybody sees it at once, and rolling back does not take it back. For filling
    /// trees that nobody else knows yet, and that go as a whole when the transaction is rolled back.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    #[doc(alias = "fDIRNoVersion")]
    pub fn insert_unversioned(
        &self,
        t: &mut TransactionState,
        tree: &Tree,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        t.unversioned = true;
        self.core.lock().insert(t, tree, key, data, InsertKind::Unversioned).map(|_| ())
    }

    /// Inserts a node in a transaction level of its own: as [`begin`](Self::begin), [`insert`](Self::insert) and
    /// [`commit`](Self::commit), or [`rollback`](Self::rollback) when that fails. There must be a transaction.
    ///
    /// # Errors
    /// As these.
    pub fn insert_in_level(
        &self,
        t: &mut TransactionState,
        tree: &Tree,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        self.core.lock().insert_in_level(t, tree, key, data)
    }

    /// Replaces the data of a node, in a tree with unique keys.
    ///
    /// # Errors
    /// [`LiveError::KeyMissing`], [`LiveError::WriteConflict`]; errors of the transaction, of pages, of the log.
    #[doc(alias = "ErrDIRReplace")]
    pub fn replace(&self, t: &mut TransactionState, tree: &Tree, key: &[u8], data: &[u8]) -> Result<()> {
        self.core.lock().replace(t, tree, key, data)
    }

    /// Deletes a node. `data` is the second part of its bookmark in trees with non-unique keys.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    #[doc(alias = "ErrDIRDelete")]
    pub fn delete(&self, t: &mut TransactionState, tree: &Tree, key: &[u8], data: &[u8]) -> Result<()> {
        self.core.lock().delete(t, tree, key, data)
    }

    /// Adds to the little-endian 32-bit counter at `offset` of a node's data. Transactions that do this to the same node do
    /// not disturb one another. Returns what was there before, with what others have added and not committed.
    ///
    /// # Errors
    /// As [`replace`](Self::replace), and [`LiveError::NoCounter`].
    #[doc(alias = "ErrDIRDelta")]
    pub fn add_i32(
        &self,
        t: &mut TransactionState,
        tree: &Tree,
        key: &[u8],
        offset: usize,
        delta: i32,
    ) -> Result<i32> {
        // Four bytes were read.
        Ok(self.core.lock().add(t, tree, key, offset, delta.into(), false, true)? as i32)
    }

    /// As [`add_i32`](Self::add_i32), with 64 bits.
    ///
    /// # Errors
    /// As [`add_i32`](Self::add_i32).
    pub fn add_i64(
        &self,
        t: &mut TransactionState,
        tree: &Tree,
        key: &[u8],
        offset: usize,
        delta: i64,
    ) -> Result<i64> {
        self.core.lock().add(t, tree, key, offset, delta, true, true)
    }

    /// As [`add_i32`](Self::add_i32), or `wide` as [`add_i64`](Self::add_i64), for good: it is not taken back with the
    /// transaction, others see it at once, and it goes beside any change of theirs.
    ///
    /// # Errors
    /// As [`add_i32`](Self::add_i32), without conflicts.
    #[doc(alias = "fDIRNoVersion")]
    pub fn add_unversioned(
        &self,
        t: &mut TransactionState,
        tree: &Tree,
        key: &[u8],
        offset: usize,
        delta: i64,
        wide: bool,
    ) -> Result<i64> {
        t.unversioned = true;
        self.core.lock().add(t, tree, key, offset, delta, wide, false)
    }

    /// Reserves the right to change a node until the transaction ends. Nothing is logged.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    #[doc(alias = "ErrDIRGetLock")]
    #[doc(alias = "JetGetLock")]
    pub fn write_lock(&self, t: &mut TransactionState, tree: &Tree, key: &[u8]) -> Result<()> {
        self.core.lock().write_lock(t, tree, key)
    }

    /// Makes sure that no open transaction of another session has changed a node, or has reserved the right to.
    ///
    /// # Errors
    /// [`LiveError::WriteConflict`].
    #[doc(alias = "VsVERCheck")]
    pub fn check_not_being_changed(&self, t: &TransactionState, tree: &Tree, key: &[u8]) -> Result<()> {
        let core = self.core.lock();
        let root = tree.root.root;
        let newest = core.versions.newest(tree.slot, root, key, &[]);
        match core.versions.chain(newest).next() {
            Some(version) if !version.is_committed() && version.owner != t.token => {
                Err(LiveError::WriteConflict { root })
            }
            _ => Ok(()),
        }
    }

    /// Keeps others from changing a node until the transaction ends; others may do the same. Nothing is logged.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    #[doc(alias = "JET_bitReadLock")]
    pub fn read_lock(&self, t: &mut TransactionState, tree: &Tree, key: &[u8]) -> Result<()> {
        self.core.lock().read_lock(t, tree, key)
    }
}

/// What an insert does beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InsertKind {
    /// Makes a version.
    Versioned,
    /// Makes none.
    Unversioned,
    /// Makes a version and, where nothing stands in the way, logs the commit of the level, too.
    ClosingLevel,
}

impl Core {
    /// The node of a bookmark that the transaction may change.
    fn own(
        &mut self,
        t: &TransactionState,
        tree: &Tree,
        key: &[u8],
        data: &[u8],
        beside: Option<Change>,
    ) -> Result<(Leaf, Option<u32>)> {
        self.may_change(t, tree.slot)?;
        let reader = self.reader(t);
        let root = tree.root.root;
        let leaf = self.descend(tree, key, data)?;
        if !leaf.exact {
            return Err(LiveError::KeyMissing { root });
        }
        let newest = self.versions.newest(tree.slot, root, key, data);
        if self.versions.conflicts(newest, reader, beside) {
            self.counters.conflicts += 1;
            return Err(LiveError::WriteConflict { root });
        }
        let image = self.cache.page(leaf.frame);
        if image.node(leaf.line).map_err(LiveError::edit(leaf.page))?.is_deleted() {
            return Err(LiveError::KeyMissing { root });
        }
        Ok((leaf, newest))
    }

    /// The node of a key that the transaction sees, whoever else is changing it.
    fn seen(&mut self, t: &TransactionState, tree: &Tree, key: &[u8]) -> Result<Leaf> {
        self.may_change(t, tree.slot)?;
        let reader = self.reader(t);
        let root = tree.root.root;
        let leaf = self.descend(tree, key, &[])?;
        if !leaf.exact {
            return Err(LiveError::KeyMissing { root });
        }
        let newest = self.versions.newest(tree.slot, root, key, &[]);
        let image = self.cache.page(leaf.frame);
        let node = image.node(leaf.line).map_err(LiveError::edit(leaf.page))?;
        let mut data = std::mem::take(&mut self.scratch);
        let deleted = node.is_deleted();
        let exists = newest
            .map_or(!deleted, |newest| self.versions.resolve(newest, reader, node.data, deleted, &mut data));
        self.scratch = data;
        if exists { Ok(leaf) } else { Err(LiveError::KeyMissing { root }) }
    }

    /// What a record about the node at a place begins with, with the next value of the update counter.
    fn node_facts(&mut self, tree: &Tree, leaf: &Leaf, version: VersionId) -> Result<NodeFacts> {
        let time_before = self.cache.page(leaf.frame).db_time();
        let time = self.next_time(tree.slot)?;
        Ok(NodeFacts {
            slot: tree.slot,
            tree: tree.root,
            page: leaf.page,
            line: leaf.line,
            time,
            time_before,
            version,
        })
    }

    /// Appends one record, when the database is logged, and changes the page.
    fn carry_out(
        &mut self,
        t: &mut TransactionState,
        facts: &NodeFacts,
        leaf: &Leaf,
        record: &Record<'_>,
        change: impl FnOnce(&mut PageImage<&mut [u8]>) -> std::result::Result<(), PageEditError>,
    ) -> Result<()> {
        self.carry_out_and(t, facts, leaf, [Some(record), None], change)
    }

    /// As [`carry_out`](Self::carry_out), with another record behind the first one.
    fn carry_out_and(
        &mut self,
        t: &mut TransactionState,
        facts: &NodeFacts,
        leaf: &Leaf,
        records: [Option<&Record<'_>>; 2],
        change: impl FnOnce(&mut PageImage<&mut [u8]>) -> std::result::Result<(), PageEditError>,
    ) -> Result<()> {
        let mut position = ese_format::LogPosition::NONE;
        if self.is_logged(facts.slot)? {
            self.begin_batch(t)?;
            for record in records.into_iter().flatten() {
                self.push(record)?;
            }
            position = self.append(t)?;
        }
        let mut image = self.cache.page_mut(leaf.frame, position);
        change(&mut image).map_err(LiveError::edit(leaf.page))?;
        image.set_db_time(facts.time);
        Ok(())
    }

    /// Remembers what was done to a node that was there before, where changes can be rolled back.
    fn remember(
        &mut self,
        t: &mut TransactionState,
        tree: &Tree,
        leaf: &Leaf,
        id: VersionId,
        change: Change,
        bytes: [&[u8]; 3],
    ) -> Result<u32> {
        self.remember_node(t, tree, leaf, id, change, bytes, false)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a fact about the version")]
    fn remember_node(
        &mut self,
        t: &mut TransactionState,
        tree: &Tree,
        leaf: &Leaf,
        id: VersionId,
        change: Change,
        bytes: [&[u8]; 3],
        is_new_node: bool,
    ) -> Result<u32> {
        if !self.slot(tree.slot)?.versioned {
            return Ok(NO_VERSION);
        }
        let new = NewVersion {
            id,
            change,
            level: t.level(),
            slot: tree.slot,
            tree: tree.root,
            owner: t.token,
            begin: t.begin,
            page: leaf.page,
            is_new_node,
        };
        let [key, data, before] = bytes;
        let index = self.versions.add(&new, key, data, before);
        t.versions.push(index);
        if matches!(change, Change::Replace | Change::FlagDelete) && self.is_logged(tree.slot)? {
            let first = self.cache.waiting(leaf.frame);
            let first = self.versions.wait(index, leaf.frame, first);
            self.cache.set_waiting(leaf.frame, Some(first));
        }
        Ok(index)
    }

    /// The before-image of a version is in the log, or is not needed any more.
    pub(super) fn stop_waiting(&mut self, index: u32) {
        if let Some(frame) = self.versions.get(index).and_then(|v| v.waits) {
            let first = self.versions.stop_waiting(index, self.cache.waiting(frame));
            self.cache.set_waiting(frame, first);
        }
    }

    fn insert_in_level(
        &mut self,
        t: &mut TransactionState,
        tree: &Tree,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        self.begin(t, false)?;
        match self.insert(t, tree, key, data, InsertKind::ClosingLevel) {
            Ok(true) => {
                self.close_level(t);
                Ok(())
            }
            Ok(false) => self.commit(t).map(|_| ()),
            Err(error) => {
                self.rollback(t)?;
                Err(error)
            }
        }
    }

    /// Inserts a node; whether the commit of the level was logged with it.
    pub(super) fn insert(
        &mut self,
        t: &mut TransactionState,
        tree: &Tree,
        key: &[u8],
        data: &[u8],
        kind: InsertKind,
    ) -> Result<bool> {
        let versioned = kind != InsertKind::Unversioned;
        self.may_change(t, tree.slot)?;
        let bookmark_data = tree.bookmark_data(data);
        let known = match self.place_at_end(tree, key, bookmark_data) {
            None => self.place_in_order(tree, key, bookmark_data),
            end => end,
        };
        let leaf = match known {
            Some(leaf) => leaf,
            None => {
                let leaf = self.descend(tree, key, bookmark_data)?;
                self.note_last_leaf(tree, &leaf);
                self.note_order(tree, &leaf);
                leaf
            }
        };
        if leaf.exact {
            return self.insert_over(t, tree, &leaf, key, data, versioned).map(|()| false);
        }
        let image = self.cache.page(leaf.frame);
        let prefix_len = usable_prefix(image.key_prefix(), key);
        let needed = NewNode::compressed(key, prefix_len, data, 0).body_len() + 4;
        check_length(&image, key, data)?;
        let spare = tree.root.spare_at(&image, leaf.line);
        let id = self.new_version(versioned);
        let mut closed = false;
        let leaf = if self.has_room(tree, &leaf, needed + spare)? {
            let facts = self.node_facts(tree, &leaf, id)?;
            let (key_prefix, key_suffix) = key.split_at_checked(prefix_len).unwrap_or((&[], key));
            let record = Record::Insert(Insert { node: facts.prefix(t), key_prefix, key_suffix, data });
            let flags = if versioned { node_flags::VERSIONED } else { 0 };
            closed = kind == InsertKind::ClosingLevel && t.level() > 1 && self.is_logged(tree.slot)?;
            let commit = Record::Commit(Commit { session: t.id, level_after: t.level().saturating_sub(1) });
            self.carry_out_and(t, &facts, &leaf, [Some(&record), closed.then_some(&commit)], |image| {
                image.insert(leaf.line, &NewNode::compressed(key, prefix_len, data, flags))
            })?;
            leaf
        } else {
            let change = NodeChange { key, data, version: id, ..NodeChange::default() };
            self.put_with_split(t, tree, &change)?
        };
        if versioned {
            let bytes = [key, bookmark_data, &[]];
            self.remember_node(t, tree, &leaf, id, Change::Insert, bytes, true)?;
        }
        self.counters.inserts += 1;
        Ok(closed)
    }

    fn new_version(&mut self, versioned: bool) -> VersionId {
        if versioned { self.versions.next_id() } else { VersionId::NONE }
    }

    /// Inserts where a node with the bookmark is, which must be deleted for good as the transaction sees it.
    fn insert_over(
        &mut self,
        t: &mut TransactionState,
        tree: &Tree,
        leaf: &Leaf,
        key: &[u8],
        data: &[u8],
        versioned: bool,
    ) -> Result<()> {
        let root = tree.root.root;
        let reader = self.reader(t);
        let bookmark_data = tree.bookmark_data(data);
        let image = self.cache.page(leaf.frame);
        check_length(&image, key, data)?;
        let node = image.node(leaf.line).map_err(LiveError::edit(leaf.page))?;
        let newest = self.versions.newest(tree.slot, root, key, bookmark_data);
        // An insert never answers with a write conflict.
        if !node.is_deleted() || self.versions.conflicts(newest, reader, None) {
            return Err(LiveError::KeyDuplicate { root });
        }
        let before = node.data.to_vec();
        let set = if versioned { node_flags::VERSIONED } else { 0 };
        let id = self.new_version(versioned);
        self.counters.inserts += 1;
        if !tree.is_unique() {
            let facts = self.node_facts(tree, leaf, id)?;
            let record = Record::FlagInsert(FlagInsert { node: facts.prefix(t), key, data });
            self.carry_out(t, &facts, leaf, &record, |image| {
                image.change_node_flags(leaf.line, set, node_flags::DELETED)
            })?;
            if versioned {
                self.remember(t, tree, leaf, id, Change::Insert, [key, data, &[]])?;
            }
            return Ok(());
        }
        let replace_version = self.new_version(versioned);
        let mut leaf = *leaf;
        let mut kept = None;
        if self.has_room_for_data(tree, &leaf, newest, before.len(), data.len())? {
            kept = Some(self.cache.page(leaf.frame).uncommitted_free());
            let facts = self.node_facts(tree, &leaf, id)?;
            let node = facts.prefix(t);
            let record = FlagInsertAndReplaceData { node, replace_version, key, data };
            let record = Record::FlagInsertAndReplaceData(record);
            self.carry_out(t, &facts, &leaf, &record, |image| {
                image.replace_data(leaf.line, data)?;
                image.change_node_flags(leaf.line, set, node_flags::DELETED)
            })?;
        } else {
            let operation = SplitOperation::FLAG_INSERT_AND_REPLACE_DATA;
            let reserved = self.versions.largest_before(newest).saturating_sub(before.len());
            let change = NodeChange { operation, key, data, version: id, replace_version, reserved };
            leaf = self.put_with_split(t, tree, &change)?;
        }
        if versioned {
            self.remember(t, tree, &leaf, id, Change::Insert, [key, &[], &[]])?;
            self.remember(t, tree, &leaf, replace_version, Change::Replace, [key, &[], &before])?;
            match kept {
                Some(kept) => self.reserve(&leaf, kept, newest, &before, data.len()),
                None => self.reserve_anew(tree, &leaf)?,
            }
        }
        Ok(())
    }

    pub(super) fn replace(
        &mut self,
        t: &mut TransactionState,
        tree: &Tree,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        let (mut leaf, newest) = self.own(t, tree, key, &[], None)?;
        let image = self.cache.page(leaf.frame);
        check_length(&image, key, data)?;
        let before = image.node(leaf.line).map_err(LiveError::edit(leaf.page))?.data.to_vec();
        let id = self.versions.next_id();
        self.counters.replaces += 1;
        if before == data {
            // Nothing to log; for others it counts as a change all the same.
            self.remember(t, tree, &leaf, id, Change::Touch, [key, &[], &[]])?;
            self.mark_versioned(&leaf)?;
            return Ok(());
        }
        let mut kept = None;
        if self.has_room_for_data(tree, &leaf, newest, before.len(), data.len())? {
            kept = Some(self.cache.page(leaf.frame).uncommitted_free());
            let facts = self.node_facts(tree, &leaf, id)?;
            let form = DiffForm::of_page_size(self.settings.page_size);
            let mut scratch = std::mem::take(&mut self.scratch);
            let record = replace_record(facts.prefix(t), &before, data, form, &mut scratch);
            let outcome = self.carry_out(t, &facts, &leaf, &record, |image| {
                image.replace_data(leaf.line, data)?;
                image.change_node_flags(leaf.line, node_flags::VERSIONED, 0)
            });
            self.scratch = scratch;
            outcome?;
        } else {
            let operation = SplitOperation::REPLACE;
            let reserved = self.versions.largest_before(newest).saturating_sub(before.len());
            let change = NodeChange { operation, key, data, version: id, reserved, ..NodeChange::default() };
            leaf = self.put_with_split(t, tree, &change)?;
        }
        self.remember(t, tree, &leaf, id, Change::Replace, [key, &[], &before])?;
        match kept {
            Some(kept) => self.reserve(&leaf, kept, newest, &before, data.len()),
            None => self.reserve_anew(tree, &leaf)?,
        }
        Ok(())
    }

    pub(super) fn mark_versioned(&mut self, leaf: &Leaf) -> Result<()> {
        self.cache
            .page_mut_quietly(leaf.frame)
            .change_node_flags(leaf.line, node_flags::VERSIONED, 0)
            .map_err(LiveError::edit(leaf.page))
    }

    pub(super) fn delete(
        &mut self,
        t: &mut TransactionState,
        tree: &Tree,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        let data = tree.bookmark_data(data);
        let (leaf, _) = self.own(t, tree, key, data, None)?;
        let id = self.versions.next_id();
        let facts = self.node_facts(tree, &leaf, id)?;
        let record = Record::FlagDelete(Delete { node: facts.prefix(t) });
        self.carry_out(t, &facts, &leaf, &record, |image| {
            image.change_node_flags(leaf.line, node_flags::VERSIONED | node_flags::DELETED, 0)
        })?;
        let version = self.remember(t, tree, &leaf, id, Change::FlagDelete, [key, data, &[]])?;
        self.counters.deletes += 1;
        if version == NO_VERSION {
            self.clean_at_once(tree, key, data)?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one counter, and how it is changed")]
    fn add(
        &mut self,
        t: &mut TransactionState,
        tree: &Tree,
        key: &[u8],
        offset: usize,
        delta: i64,
        wide: bool,
        versioned: bool,
    ) -> Result<i64> {
        let leaf = if versioned {
            self.own(t, tree, key, &[], Some(Change::Delta { wide }))?.0
        } else {
            self.seen(t, tree, key)?
        };
        let image = self.cache.page(leaf.frame);
        let node = image.node(leaf.line).map_err(LiveError::edit(leaf.page))?;
        let length = node.data.len();
        let none = LiveError::NoCounter { offset, length };
        let stored_offset = u16::try_from(offset).map_err(|_| none.clone())?;
        // What is there, whoever added it.
        let bytes = node.data.get(offset..).unwrap_or(&[]);
        let old = if wide {
            bytes.first_chunk().map(|b| i64::from_le_bytes(*b))
        } else {
            bytes.first_chunk().map(|b| i32::from_le_bytes(*b).into())
        };
        let old = old.ok_or(none)?;
        let id = self.new_version(versioned);
        let facts = self.node_facts(tree, &leaf, id)?;
        let node = facts.prefix(t);
        let record = if wide {
            Record::Delta64(Delta64 {
                node,
                delta,
                offset: stored_offset,
                bookmark_key: key,
                bookmark_data: &[],
            })
        } else {
            // The caller has a delta of 32 bits.
            let delta = delta as i32;
            Record::Delta(Delta { node, delta, offset: stored_offset, bookmark_key: key, bookmark_data: &[] })
        };
        self.carry_out(t, &facts, &leaf, &record, |image| {
            image.add_to_counter(leaf.line, offset, delta, wide)?;
            image.change_node_flags(leaf.line, if versioned { node_flags::VERSIONED } else { 0 }, 0)
        })?;
        self.counters.deltas += 1;
        if !versioned {
            return Ok(old);
        }
        let index = self.remember(t, tree, &leaf, id, Change::Delta { wide }, [key, &[], &[]])?;
        if let Some(version) = self.versions.get_mut(index) {
            version.delta = delta;
            version.delta_offset = stored_offset;
        }
        Ok(old)
    }

    fn write_lock(&mut self, t: &mut TransactionState, tree: &Tree, key: &[u8]) -> Result<()> {
        let (leaf, newest) = self.own(t, tree, key, &[], None)?;
        // A change of its own that is there already holds the right, unless others may do the same beside it.
        let owner = t.token;
        let holds = |v: &Version| !v.is_committed() && v.owner == owner && !v.change.is_shared();
        if self.versions.chain(newest).any(holds) {
            return Ok(());
        }
        let id = self.versions.next_id();
        self.remember(t, tree, &leaf, id, Change::Lock, [key, &[], &[]])?;
        self.mark_versioned(&leaf)
    }

    fn read_lock(&mut self, t: &mut TransactionState, tree: &Tree, key: &[u8]) -> Result<()> {
        let (leaf, newest) = self.own(t, tree, key, &[], Some(Change::ReadLock))?;
        let owner = t.token;
        let holds =
            |v: &Version| !v.is_committed() && v.owner == owner && !matches!(v.change, Change::Delta { .. });
        if self.versions.chain(newest).any(holds) {
            return Ok(());
        }
        let id = self.versions.next_id();
        self.remember(t, tree, &leaf, id, Change::ReadLock, [key, &[], &[]])?;
        self.mark_versioned(&leaf)
    }
}

fn check_length(image: &PageImage<&[u8]>, key: &[u8], data: &[u8]) -> Result<()> {
    let (length, limit) = (2 + key.len() + data.len(), image.largest_body());
    if length > limit {
        return Err(TreeWriteError::NodeTooLong { length, limit }.into());
    }
    Ok(())
}
