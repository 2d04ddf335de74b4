//! Finding and changing the nodes of a tree.

use ese_format::{PageNumber, PageSize};

use super::{LeafChange, PageChange, PageStore, TreeRoot, TreeWriteError};
use crate::page_edit::{NewNode, PageEditError, PageImage, page_flags, usable_prefix};

type Result<T> = std::result::Result<T, TreeWriteError>;

/// No tree is deeper.
const MAX_DEPTH: usize = 40;
/// Most splits that one node can need: a root's, and on each side of a node that needs a page of its own.
const MAX_ATTEMPTS: usize = 3 * MAX_DEPTH;

/// Changes trees on the pages of a store.
pub struct TreeWriter<S> {
    pub(super) store: S,
}

/// A page on the way from the root to a leaf, and the line that leads on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) page: PageNumber,
    pub(super) line: usize,
}

/// Where a bookmark is, or belongs.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// From the root to the leaf; the leaf's line is the bookmark's.
    pub(super) path: Vec<Step>,
    pub(super) leaf: Step,
    /// A node with this bookmark is there.
    pub(super) exact: bool,
    /// … and is flag-deleted.
    pub(super) deleted: bool,
}

impl<S: PageStore> TreeWriter<S> {
    /// A writer on `store`.
    pub const fn new(store: S) -> Self {
        Self { store }
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// The store, to be changed beside the trees.
    pub const fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Size of every page.
    pub fn page_size(&self) -> PageSize {
        self.store.page_size()
    }

    pub(super) fn change(&mut self, change: &PageChange<'_>) -> Result<()> {
        let time = self.store.next_time();
        self.store.record(change, time)?;
        change.apply(&mut self.store, time)
    }

    /// A page that must belong to `tree`.
    pub(super) fn tree_page(&mut self, tree: &TreeRoot, page: PageNumber) -> Result<PageImage<&[u8]>> {
        let image = self.store.page(page)?;
        let corrupt = |what| Err(TreeWriteError::Corrupt { page, what });
        if image.object() != tree.object {
            return corrupt("the page belongs to another tree");
        }
        let kind = page_flags::SPACE_TREE | page_flags::NON_UNIQUE_KEYS;
        if (image.flags() ^ tree.flags) & kind != 0 {
            return corrupt("the page is of another kind than its tree");
        }
        if image.has(page_flags::ROOT) != (page == tree.root) {
            return corrupt("a root in a tree, or none at its top");
        }
        Ok(image)
    }

    /// Goes from the root to the leaf where the bookmark is, or belongs.
    pub(super) fn place(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> Result<Place> {
        let data = if tree.has_unique_keys() || tree.is_space_tree() { &[] } else { data };
        let mut path = Vec::with_capacity(4);
        let mut page = tree.root;
        while path.len() < MAX_DEPTH {
            let image = self.tree_page(tree, page)?;
            let edit = |source| TreeWriteError::Edit { page, source };
            if image.has(page_flags::LEAF) {
                let (line, mut exact) = image.seek(key, data).map_err(edit)?;
                let mut deleted = false;
                if line < image.line_count() {
                    let node = image.node(line).map_err(edit)?;
                    // The nodes of a space tree are told apart by their keys, whatever its flags say.
                    exact |= tree.is_space_tree() && node.compare_key(key).is_eq();
                    deleted = exact && node.is_deleted();
                }
                let leaf = Step { page, line };
                path.push(leaf);
                return Ok(Place { path, leaf, exact, deleted });
            }
            let line = image.seek_child(key, data).map_err(edit)?;
            let child = image.node(line).map_err(edit)?.child();
            let child =
                child.ok_or(TreeWriteError::Corrupt { page, what: "a branch node names no child" })?;
            path.push(Step { page, line });
            page = child;
        }
        Err(TreeWriteError::Corrupt { page: tree.root, what: "the tree is deeper than any can be" })
    }

    /// Whether a live node has this bookmark: the key, and in trees with non-unique keys the data too.
    ///
    /// # Errors
    /// When a page cannot be read or does not belong to the tree.
    pub fn contains(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> Result<bool> {
        self.store.begin();
        let place = self.place(tree, key, data)?;
        Ok(place.exact && !place.deleted)
    }

    /// Data of the live node with this key, in a tree with unique keys.
    ///
    /// # Errors
    /// As [`contains`](Self::contains).
    pub fn get(&mut self, tree: &TreeRoot, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.store.begin();
        let place = self.place(tree, key, &[])?;
        if !place.exact || place.deleted {
            return Ok(None);
        }
        let page = place.leaf.page;
        let node = self.store.page(page)?;
        let node = node.node(place.leaf.line).map_err(|source| TreeWriteError::Edit { page, source })?;
        Ok(Some(node.data.to_vec()))
    }

    /// Inserts a node. In a tree with unique keys a flag-deleted node with this key comes back to life.
    ///
    /// # Errors
    /// [`TreeWriteError::KeyDuplicate`], [`TreeWriteError::NodeTooLong`], and when pages cannot be had.
    #[doc(alias = "ErrBTInsert")]
    pub fn insert(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> Result<()> {
        self.put(tree, key, data, false)
    }

    /// Replaces the data of the live node with this key, in a tree with unique keys.
    ///
    /// # Errors
    /// [`TreeWriteError::KeyMissing`], [`TreeWriteError::NodeTooLong`], and when pages cannot be had.
    #[doc(alias = "ErrBTReplace")]
    pub fn replace(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> Result<()> {
        self.put(tree, key, data, true)
    }

    fn put(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8], replace: bool) -> Result<()> {
        for _ in 0..MAX_ATTEMPTS {
            self.store.begin();
            let place = self.place(tree, key, data)?;
            let live = place.exact && !place.deleted;
            if replace && !live {
                return Err(TreeWriteError::KeyMissing { root: tree.root });
            }
            if !replace && live {
                return Err(TreeWriteError::KeyDuplicate { root: tree.root });
            }
            let Step { page, line } = place.leaf;
            let image = self.store.page(page)?;
            let prefix_len = usable_prefix(image.key_prefix(), key);
            let body = NewNode::compressed(key, prefix_len, data, 0).body_len();
            let limit = image.largest_body();
            if 2 + key.len() + data.len() > limit {
                return Err(TreeWriteError::NodeTooLong { length: 2 + key.len() + data.len(), limit });
            }
            if place.exact {
                let old = image.node(line).map_err(|source| TreeWriteError::Edit { page, source })?;
                if data.len() <= old.data.len() + image.free() {
                    return self.change(&PageChange::Replace { page, line, data });
                }
            } else if body + 4 <= image.free() {
                return self.change(&PageChange::Insert { page, line, key, data });
            }
            let change = LeafChange { line, key: key.to_vec(), data: data.to_vec(), replace: place.exact };
            if self.split(tree, &place.path, change)? {
                return Ok(());
            }
        }
        Err(TreeWriteError::Corrupt { page: tree.root, what: "splits make no room" })
    }

    /// Removes the live node with this bookmark. The last node of a page that is no root is only marked deleted: pages
    /// below the root never become empty.
    ///
    /// # Errors
    /// [`TreeWriteError::KeyMissing`], and when a page cannot be had.
    #[doc(alias = "ErrBTFlagDelete")]
    pub fn delete(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> Result<()> {
        self.store.begin();
        let place = self.place(tree, key, data)?;
        if !place.exact || place.deleted {
            return Err(TreeWriteError::KeyMissing { root: tree.root });
        }
        let Step { page, line } = place.leaf;
        let image = self.store.page(page)?;
        let change = if image.line_count() == 1 && page != tree.root {
            PageChange::FlagDelete { page, line }
        } else {
            PageChange::Delete { page, line }
        };
        self.change(&change)
    }

    /// Visits the live nodes in order until `visit` returns `false`.
    ///
    /// # Errors
    /// When a page cannot be read or does not belong to the tree, or the links run in a circle.
    pub fn visit(&mut self, tree: &TreeRoot, mut visit: impl FnMut(&[u8], &[u8]) -> bool) -> Result<()> {
        self.store.begin();
        let mut page = self.place(tree, &[], &[])?.leaf.page;
        let mut key = Vec::new();
        // No tree has more pages than there are page numbers.
        for _ in 0..PageNumber::MAX.0 {
            self.store.begin();
            let image = self.tree_page(tree, page)?;
            let edit = |source: PageEditError| TreeWriteError::Edit { page, source };
            for line in 0..image.line_count() {
                let node = image.node(line).map_err(edit)?;
                if node.is_deleted() {
                    continue;
                }
                key.clear();
                node.push_key(&mut key);
                if !visit(&key, node.data) {
                    return Ok(());
                }
            }
            page = image.next();
            if page.is_none() {
                return Ok(());
            }
        }
        Err(TreeWriteError::Corrupt { page, what: "the leaves are linked in a circle" })
    }
}
