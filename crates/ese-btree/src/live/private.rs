//! Trees that one caller alone knows: what is done here takes part in no transaction. For the temporary database, where
//! whoever makes a tree gives it up.

use ese_format::PageNumber;
use ese_log::record::{DatabaseSlot, FreedTreeKind};

use super::core::{Cleanup, Core, Result};
use super::store::LiveStore;
use super::{LiveTrees, TransactionState, Tree};
use crate::tree_write::{TreeRoot, TreeWriter};

impl LiveTrees {
    /// Makes the first three pages of a database that owns pages 1 to `pages`.
    ///
    /// # Errors
    /// Errors of pages.
    pub fn create_private_root(&self, slot: DatabaseSlot, pages: u32) -> Result<()> {
        let core = &mut *self.core.lock();
        let mut t = core.private_state();
        Ok(TreeWriter::new(LiveStore::new(core, &mut t, slot)).create_database_root(pages)?)
    }

    /// Makes an empty tree, as [`create_tree`](Self::create_tree), that stays until it is [dropped](Self::drop_private_trees).
    ///
    /// # Errors
    /// Errors of pages.
    #[doc(alias = "fSPUnversionedExtent")]
    pub fn create_private_tree(
        &self,
        slot: DatabaseSlot,
        parent_root: PageNumber,
        flags: u32,
        pages: u32,
        multiple: bool,
    ) -> Result<Tree> {
        let object = self.new_object_id(slot)?;
        let core = &mut *self.core.lock();
        let mut t = core.private_state();
        let mut writer = TreeWriter::new(LiveStore::new(core, &mut t, slot));
        let root = writer.create_tree(parent_root, object, flags, pages, multiple, None)?;
        Ok(Tree { slot, root })
    }

    /// Inserts a node.
    ///
    /// # Errors
    /// As [`insert_unversioned`](Self::insert_unversioned).
    pub fn insert_private(&self, tree: &Tree, key: &[u8], data: &[u8]) -> Result<()> {
        let core = &mut *self.core.lock();
        let mut t = core.private_state();
        core.insert(&mut t, tree, key, data, super::change::InsertKind::Unversioned)?;
        Ok(())
    }

    /// The data of the node with this key, as [`get`](Self::get).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_private(&self, tree: &Tree, key: &[u8], out: &mut Vec<u8>) -> Result<bool> {
        let state = self.core.lock().detached_state();
        self.get(&state, tree, key, out)
    }

    /// Gives trees up. Of each but the first the pages belong to the first, so that they go with it. What `t` would take
    /// back in them is forgotten.
    ///
    /// # Errors
    /// Errors of pages; what was not given back then is lost until the database goes.
    #[doc(alias = "VERNullifyAllVersionsOnFCB")]
    pub fn drop_private_trees(&self, t: Option<&mut TransactionState>, trees: &[Tree]) -> Result<()> {
        let Some(first) = trees.first() else { return Ok(()) };
        let core = &mut *self.core.lock();
        if let Some(t) = t {
            core.forget_own_versions(t, trees);
        }
        core.forget_cleanup(trees);
        let (mut private, time) = (core.private_state(), core.newest);
        core.free_tree(&mut private, first.slot, &first.root, FreedTreeKind::TABLE, time)
    }
}

impl Core {
    /// A transaction of nobody, for changes that are neither logged nor versioned: it does not count, and need not end.
    fn private_state(&self) -> TransactionState {
        let mut state = self.detached_state();
        state.read_only = false;
        state.marks.push(0);
        state
    }

    /// Forgets what a transaction did in trees.
    fn forget_own_versions(&mut self, t: &mut TransactionState, trees: &[Tree]) {
        let mut marks = t.marks.iter_mut().peekable();
        for (place, index) in std::mem::take(&mut t.versions).into_iter().enumerate() {
            while let Some(mark) = marks.next_if(|mark| **mark <= place) {
                *mark = t.versions.len();
            }
            let version = self.versions.get(index);
            if version.is_some_and(|v| is_one_of(trees, v.slot, &v.tree)) {
                self.versions.remove(index);
            } else {
                t.versions.push(index);
            }
        }
        for mark in marks {
            *mark = t.versions.len();
        }
    }

    /// Forgets the clean-up that waits for trees.
    pub(super) fn forget_cleanup(&mut self, trees: &[Tree]) {
        let mut cleanup = std::mem::take(&mut self.cleanup);
        cleanup.retain(|(_, work)| {
            let (index, gone) = match work {
                Cleanup::Node { slot, tree, .. } => (None, is_one_of(trees, *slot, tree)),
                Cleanup::Version(index) => {
                    let version = self.versions.get(*index);
                    (Some(*index), version.is_some_and(|v| is_one_of(trees, v.slot, &v.tree)))
                }
            };
            if let Some(index) = index.filter(|_| gone) {
                self.versions.remove(index);
            }
            !gone
        });
        self.cleanup = cleanup;
    }
}

fn is_one_of(trees: &[Tree], slot: DatabaseSlot, root: &TreeRoot) -> bool {
    trees.iter().any(|tree| tree.slot == slot && tree.root.root == root.root)
}
