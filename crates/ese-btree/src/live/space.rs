//! Trees that come and go.

use ese_format::{ObjectId, PageNumber, RootFields};
use ese_log::record::{DatabaseSlot, FreedTreeKind, TransactionTime, VersionId};

use super::core::{Cleanup, Core, Result};
use super::store::LiveStore;
use super::version_store::{Change, NewVersion};
use super::{LiveTrees, TransactionState, Tree};
use crate::tree_write::{TreeRoot, TreeWriter};

impl LiveTrees {
    /// Makes an empty tree on `pages` consecutive pages of the tree with root page `parent_root`: with space trees of its
    /// own when `multiple`, else with a bitmap. Rolling back the level gives the pages back.
    ///
    /// # Errors
    /// Errors of the transaction, of pages, of the log.
    #[doc(alias = "ErrDIRCreateDirectory")]
    #[expect(clippy::too_many_arguments, reason = "each is a fact about the new tree")]
    pub fn create_tree(
        &self,
        t: &mut TransactionState,
        slot: DatabaseSlot,
        parent_root: PageNumber,
        object: ObjectId,
        flags: u32,
        pages: u32,
        multiple: bool,
    ) -> Result<Tree> {
        let mut core = self.core.lock();
        core.may_change(t, slot)?;
        let store = LiveStore::new(&mut core, t, slot);
        let root = TreeWriter::new(store).create_tree(parent_root, object, flags, pages, multiple, None)?;
        core.remember_tree(t, slot, root, Change::CreateTree);
        Ok(Tree { slot, root })
    }

    /// Gives a tree up, whose space came from the tree with root page `parent_root`. Its pages go back there when the
    /// transaction has committed and nobody can see the tree any more.
    ///
    /// # Errors
    /// Errors of the transaction.
    #[doc(alias = "JetDeleteTable")]
    pub fn delete_tree(&self, t: &mut TransactionState, tree: &Tree, parent_root: PageNumber) -> Result<()> {
        let mut core = self.core.lock();
        core.may_change(t, tree.slot)?;
        core.remember_tree(t, tree.slot, tree.root, Change::DeleteTree { parent: parent_root });
        Ok(())
    }

    /// The next object id of a database.
    ///
    /// # Errors
    /// [`LiveError::Slot`](super::LiveError::Slot).
    #[doc(alias = "ErrIncrementMaxObjectId")]
    pub fn new_object_id(&self, slot: DatabaseSlot) -> Result<ObjectId> {
        let mut core = self.core.lock();
        let slot = core.slot_mut(slot)?;
        slot.last_object = ObjectId(slot.last_object.0.saturating_add(1));
        Ok(slot.last_object)
    }

    /// Makes the first three pages of a database that owns pages 1 to `pages`.
    ///
    /// # Errors
    /// Errors of the transaction, of pages, of the log.
    pub fn create_database_root(
        &self,
        t: &mut TransactionState,
        slot: DatabaseSlot,
        pages: u32,
    ) -> Result<()> {
        let mut core = self.core.lock();
        core.may_change(t, slot)?;
        let store = LiveStore::new(&mut core, t, slot);
        Ok(TreeWriter::new(store).create_database_root(pages)?)
    }

    /// The tree with this root page, as the page says.
    ///
    /// # Errors
    /// When the page cannot be read or is no root.
    pub fn open_tree(&self, slot: DatabaseSlot, root: PageNumber) -> Result<Tree> {
        let mut core = self.core.lock();
        core.with_reader(slot, |writer| Ok(Tree { slot, root: writer.open_tree(root)? }))
    }

    /// The fields of a root's external header.
    ///
    /// # Errors
    /// When the page cannot be read, or its external header is no root's.
    pub fn root_fields(&self, tree: &Tree) -> Result<RootFields> {
        let mut core = self.core.lock();
        core.with_reader(tree.slot, |writer| Ok(writer.root_fields(tree.root.root)?))
    }

    /// Replaces the fields of a root's external header. Rolling back does not bring the old ones back.
    ///
    /// # Errors
    /// Errors of the transaction, of pages, of the log.
    pub fn set_root_fields(&self, t: &mut TransactionState, tree: &Tree, fields: &RootFields) -> Result<()> {
        let mut core = self.core.lock();
        core.may_change(t, tree.slot)?;
        core.cache.begin_operation();
        let store = LiveStore::new(&mut core, t, tree.slot);
        Ok(TreeWriter::new(store).set_root_fields(tree.root.root, fields)?)
    }
}

impl Core {
    pub(super) fn with_reader<T>(
        &mut self,
        slot: DatabaseSlot,
        read: impl FnOnce(&mut TreeWriter<LiveStore<'_>>) -> Result<T>,
    ) -> Result<T> {
        self.cache.begin_operation();
        let mut t = self.detached_state();
        read(&mut TreeWriter::new(LiveStore::new(self, &mut t, slot)))
    }

    fn remember_tree(
        &mut self,
        t: &mut TransactionState,
        slot: DatabaseSlot,
        tree: TreeRoot,
        change: Change,
    ) {
        let new = NewVersion {
            id: VersionId::NONE,
            change,
            level: t.level(),
            slot,
            tree,
            owner: t.token,
            begin: t.begin,
            page: tree.root,
            is_new_node: false,
        };
        let index = self.versions.add(&new, &[], &[], &[]);
        t.versions.push(index);
    }

    /// Gives the pages of a tree that nobody uses back to its parent. `time` is when that was decided.
    pub(super) fn free_tree(
        &mut self,
        t: &mut TransactionState,
        slot: DatabaseSlot,
        tree: &TreeRoot,
        kind: FreedTreeKind,
        time: TransactionTime,
    ) -> Result<()> {
        // What is left to clean up in the tree goes with it.
        self.cleanup.retain(|(_, work)| match work {
            Cleanup::Node { slot: of, tree: owner, .. } => *of != slot || owner.root != tree.root,
            Cleanup::Version(_) => true,
        });
        Ok(TreeWriter::new(LiveStore::new(self, t, slot)).free_tree(tree.root, kind, time)?)
    }
}
