//! Going through a tree leaf by leaf to make it smaller.

use ese_format::PageNumber;
use ese_log::record::MergeKind;

use super::merge::Wanted;
use super::{PageStore, TreeRoot, TreeWriteError, TreeWriter};
use crate::page_edit::PageEditError;

type Result<T> = std::result::Result<T, TreeWriteError>;

/// Where a walk through leaves goes on: key and data of the first node of a leaf.
pub type LeafMark = (Vec<u8>, Vec<u8>);

/// Which way a walk goes through the leaves, and where the nodes go that it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TidyWay {
    /// From the last leaf to the first; nodes go to the right.
    FromTheEnd {
        /// When a sibling has no room for all nodes of a leaf, as many as there is room for go.
        partial: bool,
    },
    /// From the first leaf to the last; nodes go to the left, as many as there is room for.
    FromTheBegin,
}

impl TidyWay {
    const fn wanted(self) -> Wanted {
        match self {
            Self::FromTheEnd { partial } => {
                Wanted { kinds: &[MergeKind::FULL_RIGHT], partial, only_sparse: false }
            }
            Self::FromTheBegin => {
                Wanted { kinds: &[MergeKind::FULL_LEFT], partial: true, only_sparse: false }
            }
        }
    }
}

impl<S: PageStore> TreeWriter<S> {
    /// Where a walk begins; `None` in a tree that is one page.
    ///
    /// # Errors
    /// When a page cannot be had.
    pub fn first_to_tidy(&mut self, tree: &TreeRoot, way: TidyWay) -> Result<Option<LeafMark>> {
        self.store.begin();
        let leaf = self.leaf_at_an_end(tree, matches!(way, TidyWay::FromTheEnd { .. }))?;
        if leaf == tree.root { Ok(None) } else { self.mark_of(tree, leaf) }
    }

    /// Removes what nobody can see any more from the leaf where a bookmark belongs, and merges the leaf with the neighbour
    /// on the side of `way`, as far as that has room. Returns where the next leaf begins; `None` behind the last one.
    ///
    /// # Errors
    /// When a page cannot be had.
    #[doc(alias = "ErrBTIMultipageCleanup")]
    pub fn tidy_leaf(&mut self, tree: &TreeRoot, at: &LeafMark, way: TidyWay) -> Result<Option<LeafMark>> {
        self.store.begin();
        let place = self.place(tree, &at.0, &at.1)?;
        let image = self.tree_page(tree, place.leaf.page)?;
        let from_the_end = matches!(way, TidyWay::FromTheEnd { .. });
        let next = if from_the_end { image.previous() } else { image.next() };
        let mark = if next.is_none() { None } else { self.mark_of(tree, next)? };
        self.clean_leaf(tree, &place, way.wanted())?;
        // A walk that does not get on would not end.
        Ok(mark.filter(|mark| if from_the_end { mark < at } else { mark > at }))
    }

    /// The bookmark of the first node of a leaf.
    fn mark_of(&mut self, tree: &TreeRoot, leaf: PageNumber) -> Result<Option<LeafMark>> {
        let image = self.tree_page(tree, leaf)?;
        let node =
            image.node(0).map_err(|source: PageEditError| TreeWriteError::Edit { page: leaf, source })?;
        let data = if tree.has_unique_keys() { Vec::new() } else { node.data.to_vec() };
        Ok(Some((node.key(), data)))
    }
}
