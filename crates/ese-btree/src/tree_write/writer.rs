//! Finding and changing the nodes of a tree.

use ese_format::{PageNumber, PageSize};
use ese_log::record::{SplitOperation, VersionId};

use super::{ExtentGrowth, LeafChange, PageChange, PageStore, TreeRoot, TreeWriteError};
use crate::page_edit::{NewNode, PageEditError, PageImage, page_flags, usable_prefix};

type Result<T> = std::result::Result<T, TreeWriteError>;

/// No tree is deeper.
const MAX_DEPTH: usize = 40;
/// Most splits that one node can need: a root's, and on each side of a node that needs a page of its own.
const MAX_ATTEMPTS: usize = 3 * MAX_DEPTH;

/// Changes trees on the pages of a store.
pub struct TreeWriter<S> {
    pub(super) store: S,
    /// How the tree grows that the next extent is for.
    pub(super) growth: ExtentGrowth,
}

/// A page on the way from the root to a leaf, and the line that leads on.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The page.
    pub page: PageNumber,
    /// The line.
    pub line: usize,
}

/// A change of one node.
#[derive(Clone, Copy, Debug)]
pub struct NodeChange<'a> {
    /// Insert, replace, or flag-insert: bring a flag-deleted node back to life, in trees with unique keys with new data.
    pub operation: SplitOperation,
    /// Whole key.
    pub key: &'a [u8],
    /// Data.
    pub data: &'a [u8],
    /// Version that it makes.
    pub version: VersionId,
    /// Version of the replace, of a flag-insert with new data.
    pub replace_version: VersionId,
    /// Bytes of the page's uncommitted free space that are kept for this very node.
    pub reserved: usize,
}

impl Default for NodeChange<'_> {
    fn default() -> Self {
        Self {
            operation: SplitOperation::INSERT,
            key: &[],
            data: &[],
            version: VersionId::NONE,
            replace_version: VersionId::NONE,
            reserved: 0,
        }
    }
}

/// Where a bookmark is, or belongs.
#[derive(Clone, Debug)]
pub struct Place {
    /// From the root to the leaf; the leaf's line is the bookmark's.
    pub path: Vec<Step>,
    /// The leaf and the line.
    pub leaf: Step,
    /// A node with this bookmark is there.
    pub exact: bool,
    /// … and is flag-deleted.
    pub deleted: bool,
}

impl<S: PageStore> TreeWriter<S> {
    /// A writer on `store`.
    pub const fn new(store: S) -> Self {
        let growth = ExtentGrowth { percent: 0, least_bytes: 0, most_bytes: 0 };
        Self { store, growth }
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

    /// Makes one change: the store records it, then it is applied.
    pub fn change(&mut self, tree: &TreeRoot, change: &PageChange<'_>) -> Result<()> {
        let time = self.store.next_time();
        self.store.record(tree, change, time)?;
        change.apply(&mut self.store, tree, time)
    }

    /// Leaves out values of the update counter.
    pub(super) fn pass_times(&mut self, count: usize) {
        for _ in 0..count {
            self.store.next_time();
        }
    }

    /// A page that must belong to `tree`.
    pub fn tree_page(&mut self, tree: &TreeRoot, page: PageNumber) -> Result<PageImage<&[u8]>> {
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
    pub fn place(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> Result<Place> {
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

    /// The first or the last leaf of a tree.
    pub(super) fn leaf_at_an_end(&mut self, tree: &TreeRoot, last: bool) -> Result<PageNumber> {
        let mut page = tree.root;
        for _ in 0..MAX_DEPTH {
            let image = self.tree_page(tree, page)?;
            if image.has(page_flags::LEAF) {
                return Ok(page);
            }
            let line = if last { image.line_count().saturating_sub(1) } else { 0 };
            let child = image.node(line).map_err(|source| TreeWriteError::Edit { page, source })?.child();
            page = child.ok_or(TreeWriteError::Corrupt { page, what: "a branch node names no child" })?;
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
            let operation = match (replace, place.exact) {
                (true, _) => SplitOperation::REPLACE,
                (false, true) => SplitOperation::FLAG_INSERT_AND_REPLACE_DATA,
                (false, false) => SplitOperation::INSERT,
            };
            if self.put_at(tree, &place, &NodeChange { operation, key, data, ..NodeChange::default() })? {
                return Ok(());
            }
        }
        Err(TreeWriteError::Corrupt { page: tree.root, what: "splits make no room" })
    }

    /// Makes a change of a node at the place where its bookmark is, or belongs; splits pages when there is no room.
    /// Returns whether the change was made: if not, a split changed the tree, and the place has to be looked up again.
    ///
    /// A flag-deleted node of a tree with non-unique keys comes back to life with the data it has.
    ///
    /// # Errors
    /// [`TreeWriteError::NodeTooLong`], and when pages cannot be had.
    pub fn put_at(&mut self, tree: &TreeRoot, place: &Place, change: &NodeChange<'_>) -> Result<bool> {
        let NodeChange { operation, key, data, version, replace_version, reserved } = *change;
        let Step { page, line } = place.leaf;
        let flag_insert = operation == SplitOperation::FLAG_INSERT_AND_REPLACE_DATA;
        if flag_insert && !tree.has_unique_keys() && !tree.is_space_tree() {
            return self.change(tree, &PageChange::FlagInsert { page, line, version }).map(|()| true);
        }
        let image = self.store.page(page)?;
        let prefix_len = usable_prefix(image.key_prefix(), key);
        let limit = image.largest_body();
        let length = 2 + key.len() + data.len();
        if length > limit {
            return Err(TreeWriteError::NodeTooLong { length, limit });
        }
        // Rollbacks of others may need what they freed.
        let free = (image.free() + reserved).saturating_sub(image.uncommitted_free()).min(image.free());
        let fits = if operation == SplitOperation::INSERT {
            NewNode::compressed(key, prefix_len, data, 0).body_len() + 4 + tree.spare_at(&image, line) <= free
        } else {
            let old = image.node(line).map_err(|source| TreeWriteError::Edit { page, source })?;
            data.len() <= old.data.len() + free
        };
        if !fits {
            let (key, data) = (key.to_vec(), data.to_vec());
            let change = LeafChange { operation, line, key, data, version, replace_version };
            return self.split(tree, &place.path, change);
        }
        let change = match operation {
            SplitOperation::INSERT => PageChange::Insert { page, line, key, data, version },
            SplitOperation::REPLACE => PageChange::Replace { page, line, data, version },
            _ => PageChange::FlagInsertAndReplace { page, line, data, version, replace_version },
        };
        self.change(tree, &change).map(|()| true)
    }

    /// Removes the live node with this bookmark; a page that has become empty or nearly so is merged with a neighbour.
    /// The last node of a page of a space tree is only marked deleted.
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
        let alone = self.store.page(page)?.line_count() == 1 && page != tree.root;
        if tree.is_space_tree() && !alone {
            return self.change(tree, &PageChange::Delete { page, line });
        }
        self.change(tree, &PageChange::FlagDelete { page, line, version: VersionId::NONE })?;
        if tree.is_space_tree() {
            return Ok(());
        }
        self.clean_after_delete(tree, &place)
    }

    /// Visits the live nodes in order until `visit` returns `false`.
    ///
    /// # Errors
    /// When a page cannot be read or does not belong to the tree, or the links run in a circle.
    pub fn visit(&mut self, tree: &TreeRoot, visit: impl FnMut(&[u8], &[u8]) -> bool) -> Result<()> {
        self.visit_from(tree, &[], visit)
    }

    /// As [`visit`](Self::visit), from the first node on whose key is not below `from`.
    ///
    /// # Errors
    /// As [`visit`](Self::visit).
    pub fn visit_from(
        &mut self,
        tree: &TreeRoot,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<()> {
        self.store.begin();
        let Step { mut page, line: mut first } = self.place(tree, from, &[])?.leaf;
        let mut key = Vec::new();
        // No tree has more pages than there are page numbers.
        for _ in 0..PageNumber::MAX.0 {
            self.store.begin();
            let image = self.tree_page(tree, page)?;
            let edit = |source: PageEditError| TreeWriteError::Edit { page, source };
            for line in std::mem::take(&mut first)..image.line_count() {
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
