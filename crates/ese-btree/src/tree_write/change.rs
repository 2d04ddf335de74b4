//! Changes of pages as values.

use ese_format::{DbTime, Extent, PageNumber};
use ese_log::record::{
    ConvertFdp, ConvertFdp2, CreateMultipleExtentFdp, CreateSingleExtentFdp, Merge, MergeFields, MergeKind,
    PagePrefix, PageRecordFlags, Split, SplitFields, SplitKind, SplitOperation, VersionId,
};

use super::TreeRoot;
use crate::page_edit::page_flags;

/// One change of the pages of a tree: one log record, or the records of one macro.
///
/// A change of a node names the version that it makes; [`VersionId::NONE`] makes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageChange<'a> {
    /// A page is allocated: empty, and not part of the tree yet. Record NewPage.
    NewPage {
        /// The page.
        page: PageNumber,
    },
    /// The root of the tree is made, with a bitmap of free pages. Record CreateSingleExtentFDP.
    CreateSingle {
        /// Root of the tree that its pages come from.
        parent: PageNumber,
        /// Pages of the extent, the root being the first.
        pages: u32,
    },
    /// The root of the tree is made, with space trees on the two pages behind it. Record CreateMultipleExtentFDP.
    CreateMultiple {
        /// Root of the tree that its pages come from.
        parent: PageNumber,
        /// Pages of the extent, the root being the first.
        pages: u32,
    },
    /// The bitmap of the tree becomes space trees, on the first two pages of `secondary`. Record ConvertFDP2.
    Convert {
        /// Root of the tree that its pages come from.
        parent: PageNumber,
        /// Pages of the extent that begins with the root.
        pages: u32,
        /// The bitmap.
        available: u32,
        /// The new extent.
        secondary: Extent,
    },
    /// A node is inserted and becomes line `line`. Record Insert.
    Insert {
        /// The page.
        page: PageNumber,
        /// Line.
        line: usize,
        /// Whole key.
        key: &'a [u8],
        /// Data.
        data: &'a [u8],
        /// Version that it makes.
        version: VersionId,
    },
    /// A flag-deleted node comes back to life as it is: in trees with non-unique keys. Record FlagInsert.
    FlagInsert {
        /// The page.
        page: PageNumber,
        /// Line.
        line: usize,
        /// Version that it makes.
        version: VersionId,
    },
    /// A flag-deleted node comes back to life with new data. Record FlagInsertAndReplaceData.
    FlagInsertAndReplace {
        /// The page.
        page: PageNumber,
        /// Line.
        line: usize,
        /// New data.
        data: &'a [u8],
        /// Version of the insert.
        version: VersionId,
        /// Version of the replace.
        replace_version: VersionId,
    },
    /// The data of a node is replaced. Record Replace or ReplaceD.
    Replace {
        /// The page.
        page: PageNumber,
        /// Line.
        line: usize,
        /// New data.
        data: &'a [u8],
        /// Version that it makes.
        version: VersionId,
    },
    /// A node is marked deleted. Record FlagDelete.
    FlagDelete {
        /// The page.
        page: PageNumber,
        /// Line.
        line: usize,
        /// Version that it makes.
        version: VersionId,
    },
    /// A node is removed. Record Delete.
    Delete {
        /// The page.
        page: PageNumber,
        /// Line.
        line: usize,
    },
    /// The external header is replaced. Record SetExternalHeader.
    Header {
        /// The page.
        page: PageNumber,
        /// New external header.
        header: &'a [u8],
    },
    /// Pages are split, level by level. Macro of Split2 records and the operation on the leaf.
    Split(&'a SplitPlan),
    /// A leaf gives its nodes to a sibling, or leaves the tree because it is empty. Macro of Merge2 records.
    Merge(&'a MergePlan),
    /// The tree becomes empty: every page below its root. Record EmptyTree.
    EmptyTree {
        /// The pages below the root, from the top down.
        pages: &'a [PageNumber],
    },
}

/// All levels of a merge, from the top down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergePlan {
    /// The levels; the last one is the leaf.
    pub levels: Vec<MergeLevel>,
    /// New separator for the pages above.
    pub separator: Vec<u8>,
}

/// What a merge does to one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MergeLevel {
    /// The page.
    pub page: PageNumber,
    /// On a branch page: line of the pointer to the page below.
    pub line: u16,
    /// What happens to it.
    pub fields: MergeFields,
}

impl MergeLevel {
    /// A page of a merge to which nothing happens yet.
    pub(super) fn new(tree: &TreeRoot, page: PageNumber) -> Self {
        let fields = MergeFields {
            root: tree.owner,
            object: tree.object,
            left_db_time_before: DbTime::NIL,
            right_db_time_before: DbTime::NIL,
            parent_db_time_before: DbTime::NIL,
            ..MergeFields::default()
        };
        Self { page, line: 0, fields }
    }
}

impl MergePlan {
    /// The record of a level, without what only a log needs.
    pub(super) fn record<'a>(&'a self, level: &MergeLevel, prefix: PagePrefix) -> Merge<'a> {
        let is_leaf = level.fields.kind != MergeKind::NONE;
        Merge {
            page: PagePrefix { page_number: level.page, line: level.line, ..prefix },
            fields: level.fields,
            parent_separator: if is_leaf { &self.separator } else { &[] },
            image: None,
        }
    }
}

/// What a split makes room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafChange {
    /// Insert, replace, or flag-insert with new data.
    pub operation: SplitOperation,
    /// Line of the node, counted before the split.
    pub line: usize,
    /// Whole key.
    pub key: Vec<u8>,
    /// Data.
    pub data: Vec<u8>,
    /// Version that it makes.
    pub version: VersionId,
    /// Version of the replace, of a flag-insert with new data.
    pub replace_version: VersionId,
}

/// All levels of a split, from the top down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SplitPlan {
    /// The levels. Unless the first one is a vertical split it only gets a pointer; the last one is the lowest page that
    /// is split.
    pub levels: Vec<SplitLevel>,
    /// The node that room is made for; `None` when the split is made for its own sake.
    pub change: Option<LeafChange>,
}

/// One page that is split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitLevel {
    /// The page.
    pub page: PageNumber,
    /// What happens to it.
    pub fields: SplitFields,
    /// Separator from the new page, for the page above.
    pub parent_key: Vec<u8>,
    /// Key prefix of the page before.
    pub old_prefix: Vec<u8>,
    /// Key prefix of the page afterwards.
    pub new_prefix: Vec<u8>,
}

impl SplitLevel {
    /// The page gets the pointer to a new page below it, and nothing else.
    pub(super) fn pointer_only(tree: &TreeRoot, page: PageNumber) -> Self {
        let fields = SplitFields {
            root: tree.owner,
            object: tree.object,
            right_db_time_before: DbTime::NIL,
            parent_db_time_before: DbTime::NIL,
            ..SplitFields::default()
        };
        let empty = Vec::new;
        Self { page, fields, parent_key: empty(), old_prefix: empty(), new_prefix: empty() }
    }

    /// The page is split to the right.
    pub(super) fn right(tree: &TreeRoot, page: PageNumber, flags: u32) -> Self {
        let flags = flags & !page_flags::FLUSH_TYPE;
        let mut level = Self::pointer_only(tree, page);
        level.fields.kind = SplitKind::RIGHT;
        level.fields.new_page_flags = flags;
        level.fields.split_page_flags = flags;
        level.fields.split_prefix_line = -1;
        level.fields.new_prefix_line = -1;
        level
    }

    /// Every node of the root goes to a page below it.
    pub(super) fn vertical(tree: &TreeRoot, flags: u32) -> Self {
        let mut level = Self::right(tree, tree.root, flags);
        let fields = &mut level.fields;
        let parent = if flags & page_flags::LEAF != 0 { page_flags::PARENT_OF_LEAF } else { 0 };
        fields.kind = SplitKind::VERTICAL;
        fields.new_page_flags &= !page_flags::ROOT;
        fields.split_page_flags =
            fields.split_page_flags & !(page_flags::LEAF | page_flags::PARENT_OF_LEAF) | parent;
        level
    }

    /// The record of the level, without what only a log needs.
    pub(super) fn record(&self, prefix: PagePrefix) -> Split<'_> {
        Split {
            page: PagePrefix { page_number: self.page, ..prefix },
            fields: self.fields,
            parent_key: &self.parent_key,
            old_prefix: &self.old_prefix,
            new_prefix: &self.new_prefix,
            image: None,
        }
    }
}

/// The part of a record of `tree` that does not depend on the session.
pub(super) fn page_prefix(tree: &TreeRoot, page: PageNumber, time: DbTime) -> PagePrefix {
    let mut flags = PageRecordFlags::empty();
    // Space trees say what their owner does.
    flags.set(PageRecordFlags::UNIQUE, tree.has_unique_keys());
    flags.set(PageRecordFlags::SPACE, tree.is_space_tree());
    PagePrefix { page_number: page, db_time: time, flags, ..PagePrefix::default() }
}

pub(super) fn single_extent(
    prefix: PagePrefix,
    tree: &TreeRoot,
    parent: PageNumber,
    pages: u32,
) -> CreateSingleExtentFdp {
    CreateSingleExtentFdp {
        page: prefix,
        object: tree.object,
        parent_root: parent,
        primary_page_count: pages,
        page_flags: tree.flags,
    }
}

pub(super) fn multiple_extent(
    prefix: PagePrefix,
    tree: &TreeRoot,
    parent: PageNumber,
    pages: u32,
) -> CreateMultipleExtentFdp {
    CreateMultipleExtentFdp {
        page: prefix,
        object: tree.object,
        owned_extents_root: PageNumber(tree.root.0 + 1),
        available_extents_root: PageNumber(tree.root.0 + 2),
        parent_root: parent,
        primary_page_count: pages,
        page_flags: tree.flags,
    }
}

pub(super) fn convert(
    prefix: PagePrefix,
    tree: &TreeRoot,
    parent: PageNumber,
    pages: u32,
    available: u32,
    secondary: Extent,
) -> ConvertFdp2 {
    let first = secondary.first();
    ConvertFdp2 {
        convert: ConvertFdp {
            page: prefix,
            object: tree.object,
            owned_extents_root: first,
            available_extents_root: PageNumber(first.0 + 1),
            parent_root: parent,
            secondary_first: first,
            primary_page_count: pages,
            secondary_page_count: secondary.page_count,
        },
        available,
        page_flags: tree.flags,
    }
}
