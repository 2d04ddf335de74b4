//! Going through a tree leaf by leaf to make it smaller.

use super::{PageStore, TreeRoot, TreeWriteError, TreeWriter};
use crate::page_edit::PageEditError;

type Result<T> = std::result::Result<T, TreeWriteError>;

/// Where a walk through leaves goes on: key and data of the first node of a leaf.
pub type LeafMark = (Vec<u8>, Vec<u8>);

impl<S: PageStore> TreeWriter<S> {
    /// Removes what nobody can see any more from the leaf where a bookmark belongs, and merges the leaf with a neighbour when
    /// it is at most half full. Returns where the next leaf begins; `None` behind the last one.
    ///
    /// # Errors
    /// When a page cannot be had.
    #[doc(alias = "ErrBTIMultipageCleanup")]
    pub fn tidy_leaf(&mut self, tree: &TreeRoot, at: &LeafMark) -> Result<Option<LeafMark>> {
        self.store.begin();
        let place = self.place(tree, &at.0, &at.1)?;
        let next = self.tree_page(tree, place.leaf.page)?.next();
        let mark = if next.is_none() {
            None
        } else {
            let image = self.tree_page(tree, next)?;
            let edit = |source: PageEditError| TreeWriteError::Edit { page: next, source };
            let node = image.node(0).map_err(edit)?;
            let data = if tree.has_unique_keys() { Vec::new() } else { node.data.to_vec() };
            Some((node.key(), data))
        };
        self.clean_leaf(tree, &place)?;
        // A walk that does not get on would not end.
        Ok(mark.filter(|mark| mark > at))
    }
}
