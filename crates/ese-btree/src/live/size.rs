//! Size and space of attached databases.

use ese_format::PageNumber;
use ese_log::record::DatabaseSlot;

use super::core::Result;
use super::store::LiveStore;
use super::{LiveTrees, TransactionState};
use crate::tree_write::{TreeSpace, TreeWriter};

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

    /// Sets the last page that a database may grow to; `None`: no limit.
    ///
    /// # Errors
    /// [`LiveError::Slot`](super::LiveError::Slot).
    #[doc(alias = "cpgDatabaseSizeMax")]
    pub fn set_largest_page(&self, slot: DatabaseSlot, largest: Option<PageNumber>) -> Result<()> {
        self.core.lock().slot_mut(slot)?.largest_page = largest;
        Ok(())
    }
}
