//! Giving pages back: to the available extents of a tree, wholly free extents to the tree above, whole trees.

use ese_format::{Extent, ExtentPool, KeyParts, OwnedSpace, PageNumber};
use ese_log::RecordBatch;
use ese_log::record::{
    DatabaseSlot, EncodeError, ExtentFreed, ExtentFreed2, ExtentFreedFlags, FreeFdp, FreedTreeKind, Record,
    TransactionTime,
};

use super::{PageStore, TreeRoot, TreeWriteError, TreeWriter};

type Result<T> = std::result::Result<T, TreeWriteError>;

/// No tree takes its space from one that is deeper below the database root.
const MAX_DEPTH: usize = 8;

/// What the log is told beside the changes of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpaceNote {
    /// A tree is given up. Record FreeFDP.
    TreeFreed {
        /// Its root page.
        root: PageNumber,
        /// What kind of tree it was.
        kind: FreedTreeKind,
        /// When the transaction that gave it up committed.
        commit_time: TransactionTime,
    },
    /// An extent of such a tree goes back. Record ExtentFreed2.
    ExtentFreed(Extent),
}

impl SpaceNote {
    /// Appends the record to `batch`. `db_time` is the highest update counter in use.
    ///
    /// # Errors
    /// Never in fact: neither record holds a byte string.
    pub fn record(
        &self,
        slot: DatabaseSlot,
        db_time: ese_format::DbTime,
        batch: &mut RecordBatch,
    ) -> std::result::Result<(), EncodeError> {
        match *self {
            Self::TreeFreed { root, kind, commit_time } => {
                batch.push(&Record::FreeFdp(FreeFdp { database: slot, root, commit_time, kind, more: &[] }))
            }
            Self::ExtentFreed(extent) => {
                let freed = ExtentFreed {
                    database: slot,
                    first_page: extent.first(),
                    page_count: extent.page_count,
                    flags: ExtentFreedFlags::empty(),
                };
                batch.push(&Record::ExtentFreed2(ExtentFreed2 { freed, db_time }))
            }
        }
    }
}

impl<S: PageStore> TreeWriter<S> {
    /// Gives every page of a tree back to the tree that its space came from. Nobody may use the tree any more; its pages
    /// are not touched.
    ///
    /// # Errors
    /// When pages cannot be had. What was not given back until then is lost to the database.
    #[doc(alias = "ErrSPFreeFDP")]
    pub fn free_tree(
        &mut self,
        root: PageNumber,
        kind: FreedTreeKind,
        commit_time: TransactionTime,
    ) -> Result<()> {
        self.store.begin();
        let tree = self.open_tree(root)?;
        let fields = self.root_fields(root)?;
        let parent = fields.space.parent;
        if parent.is_none() {
            return Err(TreeWriteError::Corrupt { page: root, what: "the database root cannot be given up" });
        }
        let mut extents = Vec::new();
        match fields.space.space {
            OwnedSpace::SingleExtent { .. } => {
                let pages = fields.space.page_count;
                extents.push(Extent::new(PageNumber(root.0.saturating_add(pages).saturating_sub(1)), pages));
            }
            OwnedSpace::MultipleExtents { owned } => {
                let owned = tree.space_tree(owned);
                let mut broken = None;
                self.visit(&owned, |key, data| {
                    match Extent::decode(KeyParts::whole(key), data) {
                        Ok(extent) => extents.push(extent),
                        Err(source) => broken = Some(TreeWriteError::Extent { page: owned.root, source }),
                    }
                    broken.is_none()
                })?;
                if let Some(error) = broken {
                    return Err(error);
                }
            }
        }
        self.store.note(&SpaceNote::TreeFreed { root, kind, commit_time })?;
        for extent in extents {
            self.store.note(&SpaceNote::ExtentFreed(extent))?;
            self.free_extent(parent, extent)?;
        }
        Ok(())
    }

    /// Makes pages of the tree with root page `owner` available to it again, together with available neighbours inside
    /// the same owned extent. An owned extent that is wholly available then goes back to the tree that it came from.
    ///
    /// # Errors
    /// When the tree does not own them, or pages cannot be had.
    #[doc(alias = "ErrSPFreeExt")]
    pub fn free_extent(&mut self, owner: PageNumber, extent: Extent) -> Result<()> {
        let (mut owner, mut extent) = (owner, extent);
        for _ in 0..MAX_DEPTH {
            match self.free_to(owner, extent)? {
                None => return Ok(()),
                Some((parent, whole)) => (owner, extent) = (parent, whole),
            }
        }
        Err(TreeWriteError::Corrupt { page: owner, what: "trees that take space from one another" })
    }

    /// One step of [`free_extent`](Self::free_extent); what goes on to the parent.
    fn free_to(&mut self, owner: PageNumber, extent: Extent) -> Result<Option<(PageNumber, Extent)>> {
        self.store.begin();
        let mut fields = self.root_fields(owner)?;
        if let OwnedSpace::SingleExtent { available } = fields.space.space {
            let outside = TreeWriteError::Corrupt { page: owner, what: "pages outside the tree's extent" };
            let first = extent.first().0.checked_sub(owner.0 + 1).ok_or(outside.clone())?;
            if u64::from(first) + u64::from(extent.page_count) >= u64::from(fields.space.page_count) {
                return Err(outside);
            }
            let mask = 1_u32.checked_shl(extent.page_count).map_or(u32::MAX, |bit| bit - 1);
            let mask = mask.checked_shl(first).unwrap_or(0);
            fields.space.space = OwnedSpace::SingleExtent { available: available | mask };
            return self.set_root_fields(owner, &fields).map(|()| None);
        }
        self.fill_split_buffers(owner)?;
        let (owned, available) = self.space_trees(owner)?;
        let foreign = TreeWriteError::Corrupt { page: owner, what: "pages that the tree does not own" };
        let holder = self.extent_from(&owned, extent.last)?;
        let holder = holder.filter(|o| o.first() <= extent.first()).ok_or(foreign)?;
        let mut merged = extent;
        let inside = |e: &Extent| {
            let within = e.first() >= holder.first() && e.last <= holder.last;
            e.pool == ExtentPool::GENERAL && within && e.page_count != 0
        };
        let before = PageNumber(extent.first().0.saturating_sub(1));
        let left = self.extent_from(&available, before)?.filter(|e| e.last == before && inside(e));
        let right = self
            .extent_from(&available, PageNumber(extent.last.0.saturating_add(1)))?
            .filter(|e| e.first().0 == extent.last.0 + 1 && inside(e));
        for found in [left, right].into_iter().flatten() {
            self.delete(&available, &found.key(), &[])?;
            merged = Extent::new(merged.last.max(found.last), merged.page_count + found.page_count);
        }
        self.insert(&available, &merged.key(), &merged.data())?;
        let parent = fields.space.parent;
        if parent.is_none() || merged.page_count != holder.page_count {
            return Ok(None);
        }
        self.delete(&available, &merged.key(), &[])?;
        self.delete(&owned, &holder.key(), &[])?;
        Ok(Some((parent, Extent::new(holder.last, holder.page_count))))
    }

    /// The first live extent of the general pool that ends at page `last` or behind it.
    fn extent_from(&mut self, tree: &TreeRoot, last: PageNumber) -> Result<Option<Extent>> {
        let mut found = Ok(None);
        self.visit_from(tree, &Extent::new(last, 0).key(), |key, data| {
            found = Extent::decode(KeyParts::whole(key), data).map(Some);
            false
        })?;
        found.map_err(|source| TreeWriteError::Extent { page: tree.root, source })
    }
}
