//! The pages that one change touches, seen from the change.

use ese_format::PageNumber;

use crate::page_edit::{PageEditError, PageImage};

/// The pages of one change: those of the running engine, all of which change, or those of replay, of which only those
/// change that lack it.
pub(crate) trait ChangedPages {
    /// What a page that cannot be had or changed is reported as.
    type Error;

    /// Changes an existing page, unless it has the change already or is none.
    fn change(
        &mut self,
        page: PageNumber,
        change: impl FnOnce(&mut PageImage<&mut [u8]>) -> Result<(), PageEditError>,
    ) -> Result<(), Self::Error>;

    /// As [`change`](Self::change), for a page whose former content does not matter and is undefined.
    fn create(
        &mut self,
        page: PageNumber,
        change: impl FnOnce(&mut PageImage<&mut [u8]>) -> Result<(), PageEditError>,
    ) -> Result<(), Self::Error>;

    /// A page does not allow the change.
    fn edit_error(&self, page: PageNumber, error: PageEditError) -> Self::Error;
}
