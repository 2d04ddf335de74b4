//! Changes of pages as values.

use ese_format::{ObjectId, PageNumber};

/// One change of one page, or of the pages that a split touches together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageChange<'a> {
    /// A page gets a new content: an empty page of a tree, or one with first nodes.
    Create {
        /// The page.
        page: PageNumber,
        /// Object id of its tree.
        object: ObjectId,
        /// [`page_flags`](crate::page_flags), without those of the format.
        flags: u32,
        /// External header.
        header: &'a [u8],
        /// Nodes in order: key and data.
        nodes: &'a [(Vec<u8>, Vec<u8>)],
    },
    /// A node is inserted and becomes line `line`.
    Insert {
        /// The page.
        page: PageNumber,
        /// Line.
        line: usize,
        /// Whole key.
        key: &'a [u8],
        /// Data.
        data: &'a [u8],
    },
    /// The data of a node is replaced; a flag-deleted node comes back to life.
    Replace {
        /// The page.
        page: PageNumber,
        /// Line.
        line: usize,
        /// New data.
        data: &'a [u8],
    },
    /// A node is marked deleted.
    FlagDelete {
        /// The page.
        page: PageNumber,
        /// Line.
        line: usize,
    },
    /// A node is removed.
    Delete {
        /// The page.
        page: PageNumber,
        /// Line.
        line: usize,
    },
    /// The external header is replaced.
    Header {
        /// The page.
        page: PageNumber,
        /// New external header.
        header: &'a [u8],
    },
    /// Every node of a root moves to a new page below it.
    VerticalSplit {
        /// The root.
        root: PageNumber,
        /// The new page.
        new_page: PageNumber,
        /// Key prefix of the new page.
        prefix: &'a [u8],
        /// The node that the split makes room for, when it is put on the new page at once.
        change: Option<LeafChange>,
    },
    /// Pages are split to the right, level by level.
    Split {
        /// The pages that are split, from the leaf up.
        levels: &'a [SplitLevel],
        /// What the page above the last of them gets.
        pointer: &'a Pointer,
    },
}

/// A change of the nodes of a page that is being split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafChange {
    /// Line of the node, counted before the split.
    pub line: usize,
    /// Whole key.
    pub key: Vec<u8>,
    /// Data.
    pub data: Vec<u8>,
    /// Replaces the data of the node that is there, instead of inserting a new one.
    pub replace: bool,
}

/// A separator and the two pages beside it, for a branch page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// The branch page.
    pub page: PageNumber,
    /// Line of the node that points to the page that was split; the separator goes in front of it.
    pub line: usize,
    /// Separator: above every bookmark of the left page, not above any of the right one.
    pub key: Vec<u8>,
    /// The page that was split.
    pub left: PageNumber,
    /// The new page to its right.
    pub right: PageNumber,
}

/// One page that is split to the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitLevel {
    /// The page.
    pub page: PageNumber,
    /// The new page to its right.
    pub new_page: PageNumber,
    /// The right sibling of a leaf, whose link changes; none at the end and on branch pages.
    pub right_page: PageNumber,
    /// First line that moves, counted with the change made.
    pub split_line: usize,
    /// The change of a leaf's nodes.
    pub change: Option<LeafChange>,
    /// The change of a branch page's nodes: the separator of the level below.
    pub pointer: Option<Pointer>,
    /// Key prefix of the page; `None` leaves page and prefix as they are, because nothing but moved nodes changes.
    pub prefix: Option<Vec<u8>>,
    /// Key prefix of the new page.
    pub new_prefix: Vec<u8>,
}
