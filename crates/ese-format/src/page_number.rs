//! Logical page numbers.

use std::fmt;

use crate::PageSize;

/// Logical number of a database page, 1-based; 0 means "none".
///
/// Page *n* lives at byte `(n + 1) * page_size` of the file, because two header pages stand in front of page 1.
#[doc(alias = "PGNO")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageNumber(pub u32);

impl PageNumber {
    /// "No page": the value of an absent sibling link.
    #[doc(alias = "pgnoNull")]
    pub const NONE: Self = Self(0);
    /// Root of the database's own space trees.
    #[doc(alias = "pgnoSystemRoot")]
    pub const DATABASE_ROOT: Self = Self(1);
    /// Highest page number that the engine uses.
    #[doc(alias = "pgnoSysMax")]
    pub const MAX: Self = Self(0x7FEF_FFFF);

    /// Byte offset of this page in the file. Meaningful for page numbers from 1 on.
    #[must_use]
    pub fn file_offset(self, page_size: PageSize) -> u64 {
        (u64::from(self.0) + 1) * u64::from(page_size.bytes())
    }

    /// The page stored at file offset `offset`, or `None` when the offset lies in the two header pages or is not a
    /// page boundary.
    #[must_use]
    pub fn at_file_offset(offset: u64, page_size: PageSize) -> Option<Self> {
        let size = u64::from(page_size.bytes());
        if !offset.is_multiple_of(size) {
            return None;
        }
        let index = offset / size;
        u32::try_from(index.checked_sub(1)?).ok().filter(|&n| n != 0).map(Self)
    }

    /// Whether a database may have a page of this number: 1 to [`MAX`](Self::MAX).
    #[must_use]
    pub fn is_legal(self) -> bool {
        (Self(1)..=Self::MAX).contains(&self)
    }

    /// Whether this is 0, "no page".
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for PageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_follow_the_two_header_pages() {
        let size = PageSize::new(8192).unwrap();
        assert_eq!(PageNumber(1).file_offset(size), 16384);
        assert_eq!(PageNumber::at_file_offset(16384, size), Some(PageNumber(1)));
        assert_eq!(PageNumber::at_file_offset(8192, size), None);
        assert_eq!(PageNumber::at_file_offset(16385, size), None);
    }
}
