//! The identity of a tree.

use ese_format::{ObjectId, PageNumber, PageSize};

use crate::page_edit::{PageImage, page_flags};

/// How the extents that a tree takes grow; all zeros: nothing was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtentGrowth {
    /// Size of an extent in percent of the one before.
    #[doc(alias = "ulGrowth")]
    pub percent: u32,
    /// Bytes of the smallest one.
    #[doc(alias = "cbMinExtent")]
    pub least_bytes: u32,
    /// Bytes of the largest one.
    #[doc(alias = "cbMaxExtent")]
    pub most_bytes: u32,
}

impl ExtentGrowth {
    /// Whether nothing was said.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.percent == 0 && self.least_bytes == 0 && self.most_bytes == 0
    }

    /// Pages of the extent after one of `last` pages.
    #[must_use]
    #[doc(alias = "CpgSPIGetNextAlloc")]
    pub fn next_pages(self, size: PageSize, last: u32) -> u32 {
        let (least, most) = (self.least_bytes / size.bytes(), self.most_bytes / size.bytes());
        if most != 0 && least == most {
            return most;
        }
        let mut next = last;
        if self.percent != 0 {
            let grown = u64::from(last) * u64::from(self.percent) / 100;
            next = u32::try_from(grown).unwrap_or(u32::MAX).max(last.saturating_add(1));
        }
        if most != 0 { next.max(least).min(most) } else { next.max(least) }
    }
}

/// A tree that is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeRoot {
    /// Root page.
    pub root: PageNumber,
    /// Object id of every page.
    pub object: ObjectId,
    /// The [`page_flags`] that every page shares: kind of tree, uniqueness.
    pub flags: u32,
    /// For a space tree: the root of the tree whose space it describes. Else the root itself.
    pub owner: PageNumber,
    /// How full leaves are made when nodes come behind all others, and by merges, in percent.
    #[doc(alias = "ulInitialDensity")]
    pub density: u8,
    /// How its extents grow.
    pub growth: ExtentGrowth,
}

const NO_GROWTH: ExtentGrowth = ExtentGrowth { percent: 0, least_bytes: 0, most_bytes: 0 };

impl TreeRoot {
    /// A data tree. `flags` are those of its kind: none for a table with unique keys.
    #[must_use]
    pub const fn new(root: PageNumber, object: ObjectId, flags: u32) -> Self {
        Self { root, object, flags, owner: root, density: 100, growth: NO_GROWTH }
    }

    /// The same tree with another density; what is no density stands for 100.
    #[must_use]
    pub const fn with_density(self, percent: u32) -> Self {
        let density = if percent >= 20 && percent < 100 { percent as u8 } else { 100 };
        Self { density, ..self }
    }

    /// The same tree, whose extents grow otherwise.
    #[must_use]
    pub const fn with_growth(self, growth: ExtentGrowth) -> Self {
        Self { growth, ..self }
    }

    /// Bytes that a new node at a line leaves free: none unless it is behind all others of the tree.
    #[doc(alias = "FBTIAppend")]
    pub(crate) fn spare_at<B: AsRef<[u8]>>(&self, image: &PageImage<B>, line: usize) -> usize {
        if self.density >= 100
            || line == 0
            || line != image.line_count()
            || !image.next().is_none()
            || !image.has(page_flags::LEAF)
            || self.is_space_tree()
        {
            return 0;
        }
        (100 - usize::from(self.density)) * image.bytes().len() / 100
    }

    /// Bytes that stay free on a leaf to which a merge moves nodes.
    #[doc(alias = "CbBTIFreeDensity")]
    pub(super) const fn kept_free(&self, size: PageSize) -> usize {
        (100 - self.density as usize) * size.len() / 100
    }

    /// A space tree of this tree.
    pub(super) const fn space_tree(&self, root: PageNumber) -> Self {
        Self {
            root,
            object: self.object,
            flags: self.flags | page_flags::SPACE_TREE,
            owner: self.root,
            density: 100,
            growth: NO_GROWTH,
        }
    }

    pub(super) const fn is_space_tree(&self) -> bool {
        self.flags & page_flags::SPACE_TREE != 0
    }

    /// Whether bookmarks are keys alone. Space trees of any tree have unique keys in fact, and say otherwise when their
    /// owner does.
    pub(super) const fn has_unique_keys(&self) -> bool {
        self.flags & page_flags::NON_UNIQUE_KEYS == 0
    }
}
