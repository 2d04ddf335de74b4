//! Verification of a database file.

use ese_format::{
    DatabaseHeader, DatabaseHeaderPair, HeaderCopy, HeaderError, HeaderPairStatus, HeaderStructure, JetError,
    PageNumber, PageSize,
};
use ese_io::File;

use super::chunks::{self, Piece};
use super::error::VerifyError;
use super::finding::DatabaseFinding;
use super::owned_space::last_owned_page;
use super::page_tally::{PageCounts, PageTally};
use crate::Progress;

/// How to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// How many findings are kept; more are counted only, so that a file of rubbish takes no more memory than others.
    pub max_findings: usize,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { max_findings: 100_000 }
    }
}

/// What is known of the header of a verified database.
#[derive(Clone, Debug)]
pub struct HeaderReport {
    /// The header that the engine uses; `None` when both copies are damaged and the page size was taken from a damaged
    /// one.
    pub header: Option<DatabaseHeader>,
    /// How the copies relate; `None` when both are damaged.
    pub status: Option<HeaderPairStatus>,
}

/// The outcome of verifying a database file.
#[derive(Clone, Debug)]
pub struct DatabaseVerification {
    /// Page size.
    pub page_size: PageSize,
    /// The header.
    pub header: HeaderReport,
    /// Why the pages were not looked at: a format that this program does not know.
    pub unsupported: Option<HeaderError>,
    /// Counts of verdicts.
    pub pages: PageCounts,
    /// The page of the backup trailer, when the file is a database of a streaming backup set.
    pub backup_trailer: Option<PageNumber>,
    /// Findings, by place.
    pub findings: Vec<DatabaseFinding>,
    /// Findings beyond [`VerifyOptions::max_findings`].
    pub findings_omitted: u64,
}

impl DatabaseVerification {
    /// Whether everything was verified and nothing found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.unsupported.is_none() && self.findings.is_empty() && self.pages.not_verified == 0
    }
}

/// Verifies both header copies and every page of a database file, in one pass over the file.
///
/// The file is only read, in pieces of 1 MiB, on all threads of the current rayon pool; memory is bounded by pieces and
/// kept findings, not by the file. Damage does not end the work: it is collected. The engine's counterpart is
/// `eseutil /k`.
///
/// # Errors
/// [`VerifyError::Io`] when the file cannot be read at all, [`VerifyError::Header`] when nothing tells its page size,
/// [`VerifyError::Interrupted`].
pub fn verify_database(
    file: &dyn File,
    options: VerifyOptions,
    progress: &dyn Progress,
) -> Result<DatabaseVerification, VerifyError> {
    let len = file.len()?;
    let mut start = vec![0; DatabaseHeaderPair::PROBE_LEN];
    let read = file.read_at(0, &mut start)?;
    start.truncate(read);

    let mut header_findings = Vec::new();
    let (page_size, header) = match DatabaseHeaderPair::probe(&start) {
        Ok(pair) => {
            let page_size = pair.header.page_size();
            header_findings.extend(damaged_copy(&start, page_size, pair.status));
            (page_size, HeaderReport { header: Some(pair.header), status: Some(pair.status) })
        }
        Err(error) => {
            let page_size = guess_page_size(&start).ok_or(error)?;
            for copy in [HeaderCopy::Primary, HeaderCopy::Secondary] {
                header_findings.extend(
                    copy_error(&start, page_size, copy).map(|error| DatabaseFinding::BadHeader {
                        copy,
                        error,
                        other_is_good: false,
                    }),
                );
            }
            (page_size, HeaderReport { header: None, status: None })
        }
    };

    let page_count = (len / u64::from(page_size.bytes())).saturating_sub(2);
    let last_page = PageNumber(u32::try_from(page_count).unwrap_or(u32::MAX).min(PageNumber::MAX.0));
    let new_tally = || PageTally::new(page_size, last_page, options.max_findings);
    let mut tally = new_tally();
    for finding in header_findings {
        tally.add(finding);
    }
    let unsupported = header.header.as_ref().and_then(|header| unsupported_version(header, page_size));
    if unsupported.is_none() {
        progress.begin(len);
        for worker in check_pages(file, page_size, last_page, progress, new_tally)? {
            tally.merge(worker);
        }
        check_length(file, len, page_size, last_page, header.header.as_ref(), &mut tally);
        progress.complete();
    }
    let pages = tally.counts();
    let (findings, findings_omitted) = tally.into_findings();
    Ok(DatabaseVerification {
        page_size,
        header,
        unsupported,
        pages,
        backup_trailer: (pages.backup_trailer > 0).then_some(last_page),
        findings,
        findings_omitted,
    })
}

/// Page layout and checksums hang on the format alone. A higher update number adds features inside the pages, which are
/// not looked at here: files of engines newer than this program are verified all the same.
fn unsupported_version(header: &DatabaseHeader, page_size: PageSize) -> Option<HeaderError> {
    let version = header.version();
    if version.format <= DatabaseHeader::FORMAT_VERSION {
        return version.check_format(page_size).err();
    }
    Some(HeaderError::Version {
        structure: HeaderStructure::DatabaseHeader,
        expected: DatabaseHeader::FORMAT_VERSION.to_string(),
        found: version.to_string(),
        jet_error: JetError::INVALID_DATABASE_VERSION,
    })
}

/// Judges all pages from 1 to `last_page`; one tally a worker.
fn check_pages(
    file: &dyn File,
    page_size: PageSize,
    last_page: PageNumber,
    progress: &dyn Progress,
    new_tally: impl Fn() -> PageTally + Sync,
) -> Result<Vec<PageTally>, VerifyError> {
    let end = last_page.file_offset(page_size) + u64::from(page_size.bytes());
    let len = if last_page.is_none() { 0 } else { end };
    chunks::for_each(file, len, page_size.len(), progress, new_tally, |tally, offset, piece| {
        // Pieces begin at page boundaries; the first one begins with the two header pages.
        let headers = if offset == 0 { 2 } else { 0 };
        let first = PageNumber::at_file_offset(offset, page_size).unwrap_or(PageNumber(1));
        match piece {
            Piece::Bytes(bytes) => {
                tally.check_pages(first, bytes.get(headers * page_size.len()..).unwrap_or_default());
            }
            Piece::Unreadable(error) => {
                if let Some(page) = PageNumber::at_file_offset(offset, page_size) {
                    tally.add_unreadable(page, error);
                }
            }
        }
    })
}

/// Looks for an end of file in the wrong place.
fn check_length(
    file: &dyn File,
    len: u64,
    page_size: PageSize,
    last_page: PageNumber,
    header: Option<&DatabaseHeader>,
    tally: &mut PageTally,
) {
    let bytes = u64::from(page_size.bytes());
    let found = u32::try_from(len % bytes).unwrap_or(0);
    if found != 0 || len < 2 * bytes {
        let index = u32::try_from(len / bytes).unwrap_or(u32::MAX);
        let page = PageNumber(index.saturating_sub(1));
        tally.add(DatabaseFinding::PartialPage { page, expected: page_size.bytes(), found });
    }
    // While a database is attached its books may be ahead of the file or behind it.
    if header.is_some_and(DatabaseHeader::is_clean)
        && let Some(expected) = last_owned_page(file, page_size).filter(|owned| *owned > last_page)
    {
        tally.add(DatabaseFinding::Truncated { expected, found: last_page });
    }
}

/// The finding on the bad one of two copies.
fn damaged_copy(start: &[u8], page_size: PageSize, status: HeaderPairStatus) -> Option<DatabaseFinding> {
    let copy = match status {
        HeaderPairStatus::PrimaryBad => HeaderCopy::Primary,
        HeaderPairStatus::SecondaryBad => HeaderCopy::Secondary,
        HeaderPairStatus::BothGood | HeaderPairStatus::SecondaryStale => return None,
    };
    let error = copy_error(start, page_size, copy)?;
    Some(DatabaseFinding::BadHeader { copy, error, other_is_good: true })
}

fn copy_error(start: &[u8], page_size: PageSize, copy: HeaderCopy) -> Option<HeaderError> {
    let offset = if copy == HeaderCopy::Primary { 0 } else { page_size.len() };
    let page = start.get(offset..).unwrap_or_default();
    DatabaseHeader::parse(page.get(..page_size.len()).unwrap_or(page)).err()
}

/// The page size of a file whose header copies are both damaged: one that a copy names at the place where a page of that
/// size has the field, with the magic number of a database beside it.
fn guess_page_size(start: &[u8]) -> Option<PageSize> {
    let word = |at: usize| {
        let bytes = start.get(at..).and_then(|rest| rest.first_chunk::<4>())?;
        Some(u32::from_le_bytes(*bytes))
    };
    let names = |size: &PageSize, copy: usize| {
        word(copy + 4) == Some(DatabaseHeader::MAGIC) && word(copy + 236) == Some(size.bytes())
    };
    PageSize::ALL.into_iter().find(|size| names(size, 0) || names(size, size.len()))
}
