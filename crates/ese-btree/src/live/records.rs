//! Records of changes of one page.

use ese_format::{DbTime, PageNumber};
use ese_log::record::{
    DatabaseSlot, DiffForm, NodePrefix, PagePrefix, PageRecordFlags, Record, Replace, VersionId, make_diff,
};

use super::TransactionState;
use crate::tree_write::TreeRoot;

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
