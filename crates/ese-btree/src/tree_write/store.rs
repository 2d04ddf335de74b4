//! Where the pages of a tree are.

use ese_format::{DbTime, PageNumber, PageSize};

use super::{PageChange, SpaceNote, TreeRoot, TreeWriteError};
use crate::page_edit::PageImage;

/// Pages of one database that can be changed.
pub trait PageStore {
    /// Size of every page.
    fn page_size(&self) -> PageSize;

    /// Begins an operation: pages looked at before may leave memory from now on, changed ones included.
    fn begin(&mut self);

    /// An existing page.
    ///
    /// # Errors
    /// When it cannot be read, is damaged or was never written.
    fn page(&mut self, number: PageNumber) -> Result<PageImage<&[u8]>, TreeWriteError>;

    /// An existing page, to be changed.
    ///
    /// # Errors
    /// As [`page`](Self::page).
    fn page_mut(&mut self, number: PageNumber) -> Result<PageImage<&mut [u8]>, TreeWriteError>;

    /// A buffer for a page whose former content does not matter. What is in the buffer is undefined.
    ///
    /// # Errors
    /// When there is no room for it.
    fn new_page(&mut self, number: PageNumber) -> Result<PageImage<&mut [u8]>, TreeWriteError>;

    /// Makes the database end with page `last`.
    ///
    /// # Errors
    /// When the file cannot grow.
    fn extend(&mut self, last: PageNumber) -> Result<(), TreeWriteError>;

    /// The next value of the update counter.
    fn next_time(&mut self) -> DbTime;

    /// Told of the key in front of which a leaf of a tree is split. Whether that of the split before was the same: then keys
    /// arrive in order there. The default remembers nothing.
    fn splits_here_again(&mut self, tree: &TreeRoot, key: &[u8]) -> bool {
        let _ = (tree, key);
        false
    }

    /// Told of each change of a tree before it is applied; the following calls of [`page_mut`](Self::page_mut) and
    /// [`new_page`](Self::new_page) belong to it. The default keeps no record.
    ///
    /// A store that logs makes the records with [`PageChange::record`].
    ///
    /// # Errors
    /// When the change cannot be recorded; it is not applied then.
    fn record(
        &mut self,
        tree: &TreeRoot,
        change: &PageChange<'_>,
        time: DbTime,
    ) -> Result<(), TreeWriteError> {
        let _ = (tree, change, time);
        Ok(())
    }

    /// Told of what happens to space beside the changes of pages; a store that logs appends
    /// [`SpaceNote::record`]. The default does nothing.
    ///
    /// # Errors
    /// When it cannot be recorded.
    fn note(&mut self, note: &SpaceNote) -> Result<(), TreeWriteError> {
        let _ = note;
        Ok(())
    }

    /// Bytes of data that a node with this bookmark may have again when open transactions roll back; 0 when it will not
    /// change. Asked for when nodes move between pages that keep free space for rollbacks.
    #[doc(alias = "CbVERGetNodeReserve")]
    fn largest_data(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> usize {
        let _ = (tree, key, data);
        0
    }

    /// Whether somebody may still need the node with this bookmark: a version of it is not cleaned up yet. Asked for when
    /// flag-deleted nodes are removed. `data` is empty in trees with unique keys.
    #[doc(alias = "FVERActive")]
    fn has_version(&mut self, tree: &TreeRoot, key: &[u8], data: &[u8]) -> bool {
        let _ = (tree, key, data);
        false
    }
}
