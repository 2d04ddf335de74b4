//! What pages in memory say about themselves.

use ese_format::{PageCheck, PageNumber, PageSize, PageVerdict, PageView, verify_page};

use crate::call_error::CallError;
use crate::error::InstanceError;

/// What a page says about itself.
#[doc(alias = "JET_PAGEINFO")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageInfo {
    /// The number that the page should have.
    pub number: PageNumber,
    /// What its checksums say.
    pub verdict: PageVerdict,
    /// Its update counter; 0 for a page that was never written.
    pub db_time: u64,
}

impl PageInfo {
    /// Whether anything was ever written.
    #[doc(alias = "fPageIsInitialized")]
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        self.verdict != PageVerdict::Uninitialized
    }

    /// Whether one wrong bit was found, which the checksum sets right.
    #[doc(alias = "fCorrectableError")]
    #[must_use]
    pub fn is_correctable(&self) -> bool {
        matches!(self.verdict, PageVerdict::Corrected { .. })
    }
}

/// What pages in memory say about themselves: `pages` holds one page for each of `numbers`.
///
/// # Errors
/// `Call` (an invalid parameter) when it does not.
#[doc(alias = "JetGetPageInfo")]
#[doc(alias = "JetGetPageInfo2")]
pub fn page_infos(
    pages: &[u8],
    page_size: PageSize,
    numbers: &[PageNumber],
) -> Result<Vec<PageInfo>, InstanceError> {
    if pages.is_empty() || pages.len() != page_size.len() * numbers.len() {
        return Err(CallError::InvalidParameter { what: "whole pages, one for each number" }.into());
    }
    let whole = pages.chunks_exact(page_size.len()).zip(numbers);
    let infos = whole.map(|(page, &number)| {
        let verdict = match verify_page(page, number) {
            PageCheck::Verified(verdict) => verdict,
            PageCheck::NotVerified(_) => {
                return Err(CallError::InvalidParameter { what: "a page of another size" }.into());
            }
        };
        let view = PageView::parse(page, page_size).ok().filter(|_| verdict != PageVerdict::Uninitialized);
        let db_time = view.map_or(0, |view| view.header().db_time.0);
        Ok(PageInfo { number, verdict, db_time })
    });
    infos.collect()
}
