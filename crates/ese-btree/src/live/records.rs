//! Records of changes of one page.

use ese_format::{DbTime, PageNumber};
use ese_log::record::{
    DatabaseSlot, Delete, DiffForm, FlagInsertAndReplaceData, Insert, NodePrefix, PagePrefix,
    PageRecordFlags, Record, Replace, SetExternalHeader, VersionId, make_diff,
};

use super::TransactionState;
use super::core::{Core, Result};
use super::store::LiveStore;
use crate::page_edit::usable_prefix;
use crate::tree_write::{PageChange, PageStore, TreeRoot, TreeWriteError};

/// The common beginning of a record about a node.
pub(super) struct NodeFacts {
    pub(super) slot: DatabaseSlot,
    pub(super) tree: TreeRoot,
    pub(super) page: PageNumber,
    pub(super) line: usize,
    pub(super) time: DbTime,
    pub(super) time_before: DbTime,
    pub(super) version: VersionId,
}

impl NodeFacts {
    pub(super) fn prefix(&self, t: &TransactionState) -> NodePrefix {
        let mut flags = PageRecordFlags::empty();
        if self.tree.flags & crate::page_flags::NON_UNIQUE_KEYS == 0 {
            flags |= PageRecordFlags::UNIQUE;
        }
        if self.tree.flags & crate::page_flags::SPACE_TREE != 0 {
            flags |= PageRecordFlags::SPACE;
        }
        if self.version != VersionId::NONE {
            flags |= PageRecordFlags::VERSIONED;
        }
        NodePrefix {
            page: PagePrefix {
                session: t.id,
                database: self.slot,
                page_number: self.page,
                db_time: self.time,
                db_time_before: self.time_before,
                transaction: t.begin,
                level: t.level(),
                // A page has fewer lines than 4096.
                line: self.line as u16,
                flags,
            },
            version: self.version,
            root: self.tree.owner,
            object: self.tree.object,
        }
    }
}

/// The record of a replace: the difference where that is shorter.
pub(super) fn replace_record<'a>(
    node: NodePrefix,
    old: &[u8],
    new: &'a [u8],
    form: DiffForm,
    scratch: &'a mut Vec<u8>,
) -> Record<'a> {
    let smaller = make_diff(old, new, form, scratch);
    let replace = Replace {
        node,
        old_size: old.len() as u16,
        new_size: new.len() as u16,
        long_entries: smaller && form == DiffForm::Long,
        data: if smaller { scratch } else { new },
    };
    if smaller { Record::ReplaceDiff(replace) } else { Record::Replace(replace) }
}

/// An encoded record of a change that the tree writer makes.
pub(super) struct Operation {
    bytes: Vec<u8>,
}

impl Operation {
    pub(super) fn of_change(
        store: &mut LiveStore<'_>,
        change: &PageChange<'_>,
        time: DbTime,
    ) -> std::result::Result<Self, TreeWriteError> {
        let mut bytes = Vec::new();
        let refused = |e: ese_log::record::EncodeError| TreeWriteError::from(super::LiveError::Encode(e));
        let (page, line) = match *change {
            PageChange::Insert { page, line, .. }
            | PageChange::Replace { page, line, .. }
            | PageChange::FlagDelete { page, line }
            | PageChange::Delete { page, line } => (page, line),
            PageChange::Header { page, .. } => (page, 0),
            _ => return Ok(Self { bytes }),
        };
        let versioned = store.versioned;
        let slot = store.slot;
        let image = store.page(page)?;
        let (flags, object) = (image.flags(), image.object());
        let is_space = flags & crate::page_flags::SPACE_TREE != 0;
        let kind = crate::page_flags::SPACE_TREE | crate::page_flags::NON_UNIQUE_KEYS;
        let header = matches!(change, PageChange::Header { .. });
        let versioned = versioned.filter(|v| v.tree.object == object && !is_space && !header);
        let tree =
            versioned.map_or(TreeRoot { flags: flags & kind, ..TreeRoot::new(page, object, 0) }, |v| v.tree);
        let version = versioned.map_or(VersionId::NONE, |v| v.version);
        let time_before = image.db_time();
        let facts = NodeFacts { slot, tree, page, line, time, time_before, version };
        let node = facts.prefix(store.t);
        let form = DiffForm::of_page_size(store.page_size());
        let image = store.page(page)?;
        let edit = |source| TreeWriteError::Edit { page, source };
        let old = |line| image.node(line).map_err(edit);

        let mut scratch = Vec::new();
        match *change {
            PageChange::Insert { key, data, .. } => {
                let (key_prefix, key_suffix) =
                    key.split_at_checked(usable_prefix(image.key_prefix(), key)).unwrap_or((&[], key));
                Record::Insert(Insert { node, key_prefix, key_suffix, data })
                    .encode(&mut bytes)
                    .map_err(refused)?;
            }
            PageChange::Replace { data, .. } => {
                let old = old(line)?;
                if let Some(versioned) = versioned.filter(|_| old.is_deleted()) {
                    let record = FlagInsertAndReplaceData {
                        node,
                        replace_version: versioned.replace_version,
                        key: &old.key(),
                        data,
                    };
                    Record::FlagInsertAndReplaceData(record).encode(&mut bytes).map_err(refused)?;
                } else {
                    replace_record(node, old.data, data, form, &mut scratch)
                        .encode(&mut bytes)
                        .map_err(refused)?;
                }
            }
            PageChange::FlagDelete { .. } => {
                Record::FlagDelete(Delete { node }).encode(&mut bytes).map_err(refused)?;
            }
            PageChange::Delete { .. } => {
                Record::Delete(Delete { node }).encode(&mut bytes).map_err(refused)?
            }
            PageChange::Header { header, .. } => {
                Record::SetExternalHeader(SetExternalHeader { node, data: header })
                    .encode(&mut bytes)
                    .map_err(refused)?;
            }
            _ => {}
        }
        Ok(Self { bytes })
    }

    pub(super) fn push(&self, core: &mut Core) -> Result<()> {
        if !self.bytes.is_empty() {
            core.batch.push_bytes(&self.bytes);
        }
        Ok(())
    }
}
