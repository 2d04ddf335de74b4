//! How much space trees have, and space that is asked for before it is needed.

use ese_format::{Extent, ExtentPool, KeyParts, OwnedSpace, PageNumber};

use super::{PageStore, TreeRoot, TreeWriteError, TreeWriter};

type Result<T> = std::result::Result<T, TreeWriteError>;

/// Pages of a tree. What trees below it own counts as in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TreeSpace {
    /// Pages that it owns.
    #[doc(alias = "JET_DbInfoSpaceOwned")]
    pub owned: u32,
    /// Pages of these that are free.
    #[doc(alias = "JET_DbInfoSpaceAvailable")]
    pub available: u32,
    /// Free pages that its space trees keep for their own splits.
    #[doc(alias = "JET_DbInfoSplitBuffers")]
    pub split_buffers: u32,
}

impl<S: PageStore> TreeWriter<S> {
    /// The space of the tree with root page `root`.
    ///
    /// # Errors
    /// When pages cannot be read or make no sense.
    #[doc(alias = "ErrSPGetInfo")]
    pub fn space_of(&mut self, root: PageNumber) -> Result<TreeSpace> {
        self.store.begin();
        let fields = self.root_fields(root)?;
        if let OwnedSpace::SingleExtent { available } = fields.space.space {
            return Ok(TreeSpace {
                owned: fields.space.page_count,
                available: available.count_ones(),
                split_buffers: 0,
            });
        }
        let (owned, available) = self.space_trees(root)?;
        let mut space = TreeSpace {
            owned: self.count_pages(&owned, |_| true)?,
            available: self.count_pages(&available, |pool| pool != ExtentPool::SHELVED)?,
            split_buffers: 0,
        };
        for tree in [owned, available] {
            let buffer = self.split_buffer(tree.root)?;
            let pages = buffer.reserves.iter().map(|reserve| reserve.page_count);
            space.split_buffers = pages.fold(space.split_buffers, u32::saturating_add);
        }
        Ok(space)
    }

    fn count_pages(&mut self, tree: &TreeRoot, counts: impl Fn(ExtentPool) -> bool) -> Result<u32> {
        let mut pages = 0_u32;
        let mut broken = None;
        self.visit(tree, |key, data| {
            match Extent::decode(KeyParts::whole(key), data) {
                Ok(extent) if counts(extent.pool) => pages = pages.saturating_add(extent.page_count),
                Ok(_) => {}
                Err(source) => broken = Some(TreeWriteError::Extent { page: tree.root, source }),
            }
            broken.is_none()
        })?;
        broken.map_or(Ok(pages), Err)
    }

    /// Makes the database `pages` longer; they are free.
    ///
    /// # Errors
    /// `Full` beyond the largest size; when the file cannot grow.
    #[doc(alias = "ErrSPExtendDB")]
    pub fn extend_database(&mut self, pages: u32) -> Result<()> {
        self.store.begin();
        self.fill_split_buffers(PageNumber::DATABASE_ROOT)?;
        self.grow_by(PageNumber::DATABASE_ROOT, pages, true)
    }
}
