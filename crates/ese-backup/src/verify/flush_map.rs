//! Verification of a flush map.

use ese_format::{FLUSH_MAP_PAGE_SIZE, FlushMapHeader, HeaderError, PageNumber, PageSize};
use ese_io::File;

use super::chunks::{self, Piece};
use super::database::VerifyOptions;
use super::error::VerifyError;
use super::finding::DatabaseFinding;
use super::page_tally::{PageCounts, PageTally};
use crate::Progress;

/// The outcome of verifying a flush map.
#[derive(Clone, Debug)]
pub struct FlushMapVerification {
    /// What is wrong with the header. The engine then starts a new map: a flush map can be done without.
    pub header_error: Option<HeaderError>,
    /// Counts of verdicts on the map pages.
    pub pages: PageCounts,
    /// Findings on map pages, which are numbered from 0.
    pub findings: Vec<DatabaseFinding>,
    /// Findings beyond [`VerifyOptions::max_findings`].
    pub findings_omitted: u64,
}

/// Verifies the header and every page of a flush map in one pass.
///
/// # Errors
/// [`VerifyError::Io`] when the file cannot be read at all, [`VerifyError::Interrupted`].
pub fn verify_flush_map(
    file: &dyn File,
    options: VerifyOptions,
    progress: &dyn Progress,
) -> Result<FlushMapVerification, VerifyError> {
    const PAGE: u64 = FLUSH_MAP_PAGE_SIZE as u64;
    let page_size = PageSize::new(FLUSH_MAP_PAGE_SIZE as u32).unwrap_or(PageSize::DEFAULT);
    let len = file.len()?;
    let mut header = vec![0; FLUSH_MAP_PAGE_SIZE];
    let read = file.read_at(0, &mut header)?;
    header.truncate(read);
    let header_error = FlushMapHeader::parse(&header).and_then(|header| header.check()).err();

    let new_tally = || PageTally::new(page_size, PageNumber::NONE, options.max_findings);
    let number_at =
        |offset: u64| PageNumber(u32::try_from(offset / PAGE).unwrap_or(u32::MAX).saturating_sub(1));
    progress.begin(len);
    let whole = len - len % PAGE;
    let workers =
        chunks::for_each(file, whole, page_size.len(), progress, new_tally, |tally, offset, piece| {
            match piece {
                // The header page stands in front of map page 0.
                Piece::Bytes(bytes) if offset == 0 => {
                    tally.check_pages(PageNumber(0), bytes.get(FLUSH_MAP_PAGE_SIZE..).unwrap_or_default());
                }
                Piece::Bytes(bytes) => tally.check_pages(number_at(offset), bytes),
                Piece::Unreadable(error) if offset > 0 => tally.add_unreadable(number_at(offset), error),
                Piece::Unreadable(_) => {}
            }
        })?;
    let mut tally = new_tally();
    for worker in workers {
        tally.merge(worker);
    }
    if let Some(found) = u32::try_from(len % PAGE).ok().filter(|found| *found > 0 && len > PAGE) {
        let expected = page_size.bytes();
        tally.add(DatabaseFinding::PartialPage { page: number_at(len), expected, found });
    }
    progress.complete();
    let pages = tally.counts();
    let (findings, findings_omitted) = tally.into_findings();
    Ok(FlushMapVerification { header_error, pages, findings, findings_omitted })
}
