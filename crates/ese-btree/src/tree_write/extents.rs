//! Where new pages come from: owned and available extents, split buffers, growth.

use ese_format::{
    Extent, ExtentPool, KeyParts, ObjectId, OwnedSpace, PageFlags, PageNumber, RootFields, SpaceHeaderFlags,
    SplitBuffer,
};

use super::{ExtentGrowth, PageChange, PageStore, TreeRoot, TreeWriteError, TreeWriter};
use crate::page_edit::page_flags;

type Result<T> = std::result::Result<T, TreeWriteError>;

/// Root page of the database itself, whose space trees are on the two pages behind it.
const DATABASE_ROOT: PageNumber = PageNumber::DATABASE_ROOT;
/// Object id of the database root.
const DATABASE_OBJECT: ObjectId = ObjectId(1);
/// Pages by which the file grows, at least.
const EXTENSION: u32 = 256;
/// Pages of the first secondary extent that a tree asks for without need.
#[doc(alias = "cpgSmallGrow")]
const FIRST_GROWTH: u32 = 4;
/// Pages of later ones, at least.
#[doc(alias = "cpageSEDefault")]
const LATER_GROWTH: u32 = 16;
/// Largest secondary extent that a tree asks for without need.
const MOST_GROWTH: u32 = 1024;

impl<S: PageStore> TreeWriter<S> {
    /// Makes the first three pages of a database that owns pages 1 to `pages` (at least 3).
    ///
    /// # Errors
    /// When pages cannot be had.
    pub fn create_database_root(&mut self, pages: u32) -> Result<()> {
        let pages = pages.max(3);
        self.store.begin();
        self.store.extend(PageNumber(pages))?;
        let tree = TreeRoot::new(DATABASE_ROOT, DATABASE_OBJECT, 0);
        self.create_multiple(&tree, PageNumber::NONE, pages)
    }

    /// Makes an empty tree of `pages` consecutive pages taken from the tree with root page `parent`: with space trees of
    /// its own when `multiple` (then at least 3 pages), else with a bitmap. `auto_increment` adds that field to the root.
    ///
    /// # Errors
    /// When pages cannot be had.
    #[doc(alias = "ErrSPGetExt")]
    pub fn create_tree(
        &mut self,
        parent: PageNumber,
        object: ObjectId,
        flags: u32,
        pages: u32,
        multiple: bool,
        auto_increment: Option<u64>,
    ) -> Result<TreeRoot> {
        let pages = if multiple { pages.max(3) } else { pages.clamp(1, 33) };
        let root = self.take_extent(parent, pages, pages)?.first();
        let tree = TreeRoot::new(root, object, flags);
        self.store.begin();
        if multiple {
            self.create_multiple(&tree, parent, pages)?;
        } else {
            self.change(&tree, &PageChange::NewPage { page: root })?;
            self.change(&tree, &PageChange::CreateSingle { parent, pages })?;
        }
        if auto_increment.is_some() {
            let mut fields = self.root_fields(root)?;
            fields.auto_increment = auto_increment;
            self.set_root_fields(root, &fields)?;
        }
        Ok(tree)
    }

    fn create_multiple(&mut self, tree: &TreeRoot, parent: PageNumber, pages: u32) -> Result<()> {
        // The engine's counter rises three times for each of the three pages.
        self.pass_times(8);
        self.change(tree, &PageChange::CreateMultiple { parent, pages })
    }

    /// The tree whose root is page `root`.
    ///
    /// # Errors
    /// When the page cannot be read or is no root.
    pub fn open_tree(&mut self, root: PageNumber) -> Result<TreeRoot> {
        let image = self.store.page(root)?;
        if !image.has(page_flags::ROOT) || image.has(page_flags::SPACE_TREE) {
            return Err(TreeWriteError::Corrupt { page: root, what: "not the root of a tree" });
        }
        let kind = (PageFlags::from_bits_retain(image.flags()) & PageFlags::TREE_MASK).bits();
        Ok(TreeRoot::new(root, image.object(), kind))
    }

    /// The fields of a root's external header.
    ///
    /// # Errors
    /// When the page cannot be read, or its external header is no root's.
    pub fn root_fields(&mut self, root: PageNumber) -> Result<RootFields> {
        let image = self.store.page(root)?;
        RootFields::decode(image.external_header())
            .map_err(|source| TreeWriteError::RootFields { page: root, source })
    }

    /// Replaces the fields of a root's external header.
    ///
    /// # Errors
    /// When the page cannot be had or has no room for more fields than before.
    pub fn set_root_fields(&mut self, root: PageNumber, fields: &RootFields) -> Result<()> {
        let tree = self.open_tree(root)?;
        self.change(&tree, &PageChange::Header { page: root, header: &fields.encode() })
    }

    /// One page for `tree`: of a space tree from its split buffer, else from the tree's available space.
    pub(super) fn allocate_page(&mut self, tree: &TreeRoot) -> Result<PageNumber> {
        let page = if tree.is_space_tree() {
            self.take_split_buffer(tree)?
        } else {
            // What a tree below asks for goes through as it is.
            self.growth = tree.growth;
            let taken = self.take_extent(tree.root, 1, 1);
            self.growth = ExtentGrowth::default();
            taken?.first()
        };
        self.store.begin();
        self.change(tree, &PageChange::NewPage { page })?;
        Ok(page)
    }

    fn take_split_buffer(&mut self, tree: &TreeRoot) -> Result<PageNumber> {
        let mut buffer = self.split_buffer(tree.root)?;
        let smaller = buffer.reserves.iter_mut().filter(|r| r.page_count != 0).min_by_key(|r| r.page_count);
        let Some(reserve) = smaller else {
            return Err(TreeWriteError::Corrupt { page: tree.root, what: "the split buffer is empty" });
        };
        let page = reserve.first();
        reserve.page_count -= 1;
        self.change(tree, &PageChange::Header { page: tree.root, header: &buffer.to_bytes() })?;
        Ok(page)
    }

    pub(super) fn split_buffer(&mut self, root: PageNumber) -> Result<SplitBuffer> {
        let image = self.store.page(root)?;
        SplitBuffer::decode(image.external_header())
            .map_err(|source| TreeWriteError::Extent { page: root, source })
    }

    /// Takes `least` to `wanted` consecutive pages out of what is available to the tree with root page `owner`, which
    /// grows when it must. The pages stay owned by it.
    ///
    /// # Errors
    /// [`TreeWriteError::Full`], or when pages cannot be had.
    pub fn take_extent(&mut self, owner: PageNumber, least: u32, wanted: u32) -> Result<Extent> {
        let least = least.max(1);
        // A conversion and a growth at most.
        for _ in 0..4 {
            self.store.begin();
            let mut fields = self.root_fields(owner)?;
            match fields.space.space {
                OwnedSpace::SingleExtent { available } => {
                    if let Some(run) = lowest_run(available, fields.space.page_count, least) {
                        let mask = 1_u32.checked_shl(least).map_or(u32::MAX, |bit| bit - 1) << run;
                        fields.space.space = OwnedSpace::SingleExtent { available: available & !mask };
                        self.set_root_fields(owner, &fields)?;
                        return Ok(Extent::new(PageNumber(owner.0 + run + least), least));
                    }
                    self.convert(owner, least)?;
                }
                OwnedSpace::MultipleExtents { .. } => {
                    self.fill_split_buffers(owner)?;
                    if let Some(extent) = self.take_available(owner, least, wanted)? {
                        return Ok(extent);
                    }
                    self.grow(owner, least.max(wanted))?;
                }
            }
        }
        Err(TreeWriteError::Corrupt { page: owner, what: "growing yields no space" })
    }

    pub(super) fn space_trees(&mut self, owner: PageNumber) -> Result<(TreeRoot, TreeRoot)> {
        let tree = self.open_tree(owner)?;
        let fields = self.root_fields(owner)?;
        let none = TreeWriteError::Corrupt { page: owner, what: "a tree without space trees" };
        let (owned, available) = fields.space.space_trees().ok_or(none)?;
        Ok((tree.space_tree(owned), tree.space_tree(available)))
    }

    /// Takes from the first available extent that is large enough, as far as wanted.
    fn take_available(&mut self, owner: PageNumber, least: u32, wanted: u32) -> Result<Option<Extent>> {
        let (_, tree) = self.space_trees(owner)?;
        let mut found = None;
        // One that holds all that is wanted, before a smaller one.
        for pages in [wanted.max(least), least] {
            if found.is_none() {
                let fits = |e: &Extent| e.pool == ExtentPool::GENERAL && e.page_count >= pages;
                found = self.first_extent(&tree, fits)?;
            }
        }
        let Some(extent) = found else { return Ok(None) };
        let taken = extent.page_count.min(wanted.max(least));
        let rest = Extent::new(extent.last, extent.page_count - taken);
        if rest.page_count == 0 {
            self.delete(&tree, &rest.key(), &[])?;
        } else {
            self.replace(&tree, &rest.key(), &rest.data())?;
        }
        Ok(Some(Extent::new(PageNumber(extent.first().0 + taken - 1), taken)))
    }

    fn first_extent(&mut self, tree: &TreeRoot, wanted: impl Fn(&Extent) -> bool) -> Result<Option<Extent>> {
        let mut found = Ok(None);
        self.visit(tree, |key, data| {
            match Extent::decode(KeyParts::whole(key), data) {
                Ok(extent) if wanted(&extent) => found = Ok(Some(extent)),
                Ok(_) => return true,
                Err(source) => found = Err(TreeWriteError::Extent { page: tree.root, source }),
            }
            false
        })?;
        found
    }

    /// Keeps enough pages in the split buffers of both space trees for the splits of the next changes, from the time on
    /// when their roots are half full.
    pub(super) fn fill_split_buffers(&mut self, owner: PageNumber) -> Result<()> {
        let (owned, available) = self.space_trees(owner)?;
        for tree in [owned, available] {
            let image = self.store.page(tree.root)?;
            if image.has(page_flags::LEAF) && image.free() > image.data_len() / 2 {
                continue;
            }
            let depth = self.place(&tree, &[0xFF; 5], &[])?.path.len() as u32;
            // A change may split every level and the root; a refill makes two changes of each tree.
            let needed = 2 * (depth + 2);
            let buffer = self.split_buffer(tree.root)?;
            if buffer.reserves.iter().map(|r| r.page_count).sum::<u32>() >= needed {
                continue;
            }
            let extent = match self.take_available(owner, needed, 2 * needed)? {
                Some(extent) => extent,
                None => {
                    self.grow(owner, 2 * needed)?;
                    let taken = self.take_available(owner, needed, 2 * needed)?;
                    let none = TreeWriteError::Corrupt { page: owner, what: "growing yields no space" };
                    taken.ok_or(none)?
                }
            };
            // Read again: growing may have used the buffer.
            let mut buffer = self.split_buffer(tree.root)?;
            let smallest = buffer.reserves.iter_mut().min_by_key(|r| r.page_count);
            let left = smallest.map(|reserve| std::mem::replace(reserve, extent));
            self.change(&tree, &PageChange::Header { page: tree.root, header: &buffer.to_bytes() })?;
            if let Some(left) = left.filter(|l| l.page_count != 0) {
                self.free_extent(owner, left)?;
            }
        }
        Ok(())
    }

    /// Gives a tree with a bitmap space trees of its own, on the first pages of a secondary extent.
    #[doc(alias = "ErrSPIConvertToMultipleExtent")]
    fn convert(&mut self, owner: PageNumber, least: u32) -> Result<()> {
        let tree = self.open_tree(owner)?;
        let fields = self.root_fields(owner)?;
        let OwnedSpace::SingleExtent { available } = fields.space.space else { return Ok(()) };
        let needed = least + 2;
        let parent = fields.space.parent;
        let pages = fields.space.page_count;
        let growth = std::mem::take(&mut self.growth);
        let hinted = if growth.is_none() { 0 } else { growth.next_pages(self.page_size(), pages) };
        let secondary = self.take_extent(parent, needed, needed.max(4).max(hinted))?;
        self.store.begin();
        for page in [secondary.first(), PageNumber(secondary.first().0 + 1)] {
            self.change(&tree, &PageChange::NewPage { page })?;
        }
        // As for a split: two pages are made.
        self.pass_times(4);
        self.change(&tree, &PageChange::Convert { parent, pages, available, secondary })
    }

    /// Adds an extent of at least `least` pages to a tree: from its parent, or from the end of the file.
    #[doc(alias = "ErrSPIGetSe")]
    fn grow(&mut self, owner: PageNumber, least: u32) -> Result<()> {
        self.grow_by(owner, least, false)
    }

    /// As [`grow`](Self::grow); `exactly`: the file becomes that much longer and no more.
    pub(super) fn grow_by(&mut self, owner: PageNumber, least: u32, exactly: bool) -> Result<()> {
        let fields = self.root_fields(owner)?;
        let extent = if fields.space.parent.is_none() {
            self.extend_file(least, exactly)?
        } else {
            let remembered = fields.space.page_count;
            let growth = std::mem::take(&mut self.growth);
            let later = fields.space.flags.contains(SpaceHeaderFlags::GROWTH_MEMORY);
            // The first extent is small; later ones grow with the tree, so that about a fifth of it is spare.
            let usual = match (later, growth.is_none()) {
                (false, _) => FIRST_GROWTH,
                (true, true) => remembered.saturating_add(remembered / 4).clamp(LATER_GROWTH, MOST_GROWTH),
                (true, false) => remembered.max(LATER_GROWTH),
            };
            let hinted = if growth.is_none() { 0 } else { growth.next_pages(self.page_size(), remembered) };
            let wanted = least.max(usual).max(hinted);
            // Crumbs are left to trees that need no more.
            let extent = self.take_extent(fields.space.parent, least.max(FIRST_GROWTH), wanted)?;
            // Where sizes were asked for they count, whatever there was.
            let grown = if growth.is_none() { extent.page_count } else { wanted };
            if grown != remembered {
                let mut fields = self.root_fields(owner)?;
                fields.space.page_count = grown;
                fields.space.flags.insert(SpaceHeaderFlags::GROWTH_MEMORY);
                self.set_root_fields(owner, &fields)?;
            }
            extent
        };
        let (owned, available) = self.space_trees(owner)?;
        self.insert(&owned, &extent.key(), &extent.data())?;
        self.put_available(&available, extent)
    }

    fn extend_file(&mut self, least: u32, exactly: bool) -> Result<Extent> {
        let (owned, _) = self.space_trees(DATABASE_ROOT)?;
        let mut last = PageNumber::NONE;
        let mut broken = None;
        self.visit(&owned, |key, data| {
            match Extent::decode(KeyParts::whole(key), data) {
                Ok(extent) => last = last.max(extent.last),
                Err(source) => broken = Some(TreeWriteError::Extent { page: owned.root, source }),
            }
            true
        })?;
        if let Some(error) = broken {
            return Err(error);
        }
        // A file that has grown large grows in larger steps.
        let usual = EXTENSION.max((last.0 / 16).min(16 * EXTENSION));
        let pages = if exactly { least } else { least.max(usual) };
        let new_last = last.0.checked_add(pages).map(PageNumber).filter(|&p| p <= PageNumber::MAX);
        let new_last = new_last.ok_or(TreeWriteError::Full { last })?;
        self.store.extend(new_last)?;
        Ok(Extent::new(new_last, pages))
    }

    /// Adds to the available extents; a flag-deleted node with the same last page comes back to life.
    fn put_available(&mut self, available: &TreeRoot, extent: Extent) -> Result<()> {
        self.insert(available, &extent.key(), &extent.data())
    }
}

/// Number of the lowest bit at which `least` bits in a row are set, of the pages that an extent of `pages` has.
fn lowest_run(bits: u32, pages: u32, least: u32) -> Option<u32> {
    let limit = pages.saturating_sub(1).min(32);
    (0..limit.checked_sub(least)? + 1).find(|&start| (start..start + least).all(|bit| bits >> bit & 1 != 0))
}
