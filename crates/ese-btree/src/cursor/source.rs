//! Where pages come from.

use std::ops::Deref;

use ese_format::{PageNumber, PageSize};

use super::TreeError;

/// Pages by number, verified: what a tree is read from. Implemented by a file and by a page cache.
pub trait PageSource {
    /// A page that stays readable while it is held.
    type Page: Deref<Target = [u8]>;

    /// Size of every page.
    fn page_size(&self) -> PageSize;

    /// Last page that may be asked for. Bounds every walk.
    fn last_page(&self) -> PageNumber;

    /// The page `number`, exactly [`page_size`](Self::page_size) bytes, with a right checksum.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, was never written, or lies beyond the last page.
    fn page(&self, number: PageNumber) -> Result<Self::Page, TreeError>;
}

impl<S: PageSource + ?Sized> PageSource for &S {
    type Page = S::Page;

    fn page_size(&self) -> PageSize {
        (**self).page_size()
    }

    fn last_page(&self) -> PageNumber {
        (**self).last_page()
    }

    fn page(&self, number: PageNumber) -> Result<Self::Page, TreeError> {
        (**self).page(number)
    }
}
