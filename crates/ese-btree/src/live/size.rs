//! Size and space of attached databases.

use ese_format::PageNumber;
use ese_log::record::DatabaseSlot;

use super::core::{Core, Result};
use super::search::Leaf;
use super::store::LiveStore;
use super::{LiveError, LiveTrees, TransactionState, Tree};
use crate::tree_write::{LeafMark, TidyWay, TreeSpace, TreeWriter};

impl LiveTrees {
    /// The space of the tree with root page `root`, as it is now, whoever has changed it.
    ///
    /// # Errors
    /// When pages cannot be read or make no sense.
    #[doc(alias = "ErrSPGetInfo")]
    pub fn space_of(&self, slot: DatabaseSlot, root: PageNumber) -> Result<TreeSpace> {
        let mut core = self.core.lock();
        core.slot(slot)?;
        core.with_reader(slot, |writer| Ok(writer.space_of(root)?))
    }

    /// Makes a database `pages` longer; they are free. Rolling back does not make it shorter.
    ///
    /// # Errors
    /// Errors of the transaction, of pages, of the log; `Full` beyond the largest size.
    #[doc(alias = "ErrSPExtendDB")]
    pub fn extend_database(&self, t: &mut TransactionState, slot: DatabaseSlot, pages: u32) -> Result<()> {
        let mut core = self.core.lock();
        core.may_change(t, slot)?;
        let store = LiveStore::new(&mut core, t, slot);
        Ok(TreeWriter::new(store).extend_database(pages)?)
    }

    /// Where [`tidy_leaf`](Self::tidy_leaf) begins; `None` in a tree that is one page.
    ///
    /// # Errors
    /// Errors of pages.
    pub fn first_to_tidy(&self, tree: &Tree, way: TidyWay) -> Result<Option<LeafMark>> {
        let mut core = self.core.lock();
        core.slot(tree.slot)?;
        core.with_reader(tree.slot, |writer| Ok(writer.first_to_tidy(&tree.root, way)?))
    }

    /// Makes one leaf of a tree smaller, or moves its nodes to a neighbour, when that can be: see
    /// [`TreeWriter::tidy_leaf`]. Returns where to go on. The tree must not be given up meanwhile.
    ///
    /// # Errors
    /// Errors of pages and of the log.
    #[doc(alias = "ErrOLDDefragOneTable")]
    pub fn tidy_leaf(&self, tree: &Tree, at: &LeafMark, way: TidyWay) -> Result<Option<LeafMark>> {
        let mut core = self.core.lock();
        if core.slot(tree.slot)?.read_only {
            return Err(LiveError::DatabaseReadOnly(tree.slot));
        }
        core.as_system(|core, system| {
            core.release_reserves(tree, at)?;
            core.system_transaction(system)?;
            let store = LiveStore::new(core, system, tree.slot);
            Ok(TreeWriter::new(store).tidy_leaf(&tree.root, at, way)?)
        })
    }

    /// Sets the last page that a database may grow to; `None`: no limit.
    ///
    /// # Errors
    /// [`LiveError::Slot`].
    #[doc(alias = "cpgDatabaseSizeMax")]
    pub fn set_largest_page(&self, slot: DatabaseSlot, largest: Option<PageNumber>) -> Result<()> {
        self.core.lock().slot_mut(slot)?.largest_page = largest;
        Ok(())
    }
}

impl Core {
    /// Pages keep space free for rollbacks until somebody needs it: a leaf and its neighbours keep only what is needed now.
    fn release_reserves(&mut self, tree: &Tree, at: &LeafMark) -> Result<()> {
        self.cache.begin_operation();
        let leaf = self.descend(tree, &at.0, &at.1)?;
        let image = self.cache.page(leaf.frame);
        for page in [leaf.page, image.previous(), image.next()] {
            if page.is_none() {
                continue;
            }
            self.cache.begin_operation();
            let frame = self.fetch(tree.slot, page)?;
            if self.cache.page(frame).uncommitted_free() != 0 {
                let reserved = self.reserved_on(tree, &Leaf { frame, page, line: 0, exact: false })?;
                self.cache.page_mut_quietly(frame).set_uncommitted_free(reserved);
            }
        }
        Ok(())
    }
}
