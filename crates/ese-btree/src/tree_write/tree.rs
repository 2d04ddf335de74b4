//! The identity of a tree.

use ese_format::{ObjectId, PageNumber};

use crate::page_edit::page_flags;

/// A tree that is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeRoot {
    /// Root page.
    pub root: PageNumber,
    /// Object id of every page.
    pub object: ObjectId,
    /// The [`page_flags`] that every page shares: kind of tree, uniqueness.
    pub flags: u32,
    /// For a space tree: the root of the tree whose space it describes. Else the root itself.
    pub owner: PageNumber,
}

impl TreeRoot {
    /// A data tree. `flags` are those of its kind: none for a table with unique keys.
    #[must_use]
    pub const fn new(root: PageNumber, object: ObjectId, flags: u32) -> Self {
        Self { root, object, flags, owner: root }
    }

    /// A space tree of this tree.
    pub(super) const fn space_tree(&self, root: PageNumber) -> Self {
        Self { root, object: self.object, flags: self.flags | page_flags::SPACE_TREE, owner: self.root }
    }

    pub(super) const fn is_space_tree(&self) -> bool {
        self.flags & page_flags::SPACE_TREE != 0
    }

    /// Whether bookmarks are keys alone. Space trees of any tree have unique keys in fact, and say otherwise when their
    /// owner does.
    pub(super) const fn has_unique_keys(&self) -> bool {
        self.flags & page_flags::NON_UNIQUE_KEYS == 0
    }
}
