//! Judging pages and keeping count.

use std::collections::BTreeMap;

use ese_format::{
    BlockChecksum, PageCheck, PageNumber, PageSize, PageVerdict, first_differing_block,
    header_checksum_matches, verify_page,
};

use super::finding::{DatabaseFinding, FindingPlace};

/// How many pages of a database file got which verdict. Header pages are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageCounts {
    /// All whole pages of the file: the sum of the others.
    pub total: u64,
    /// Good pages.
    pub good: u64,
    /// Pages that are good after correcting a bit.
    pub corrected: u64,
    /// Pages of zeros.
    pub uninitialized: u64,
    /// Damaged and misplaced pages.
    pub bad: u64,
    /// Backup trailer: 1 in a database of a streaming backup set, else 0.
    pub backup_trailer: u64,
    /// Pages that could not be read.
    pub not_verified: u64,
}

impl PageCounts {
    fn add(&mut self, other: Self) {
        self.total += other.total;
        self.good += other.good;
        self.corrected += other.corrected;
        self.uninitialized += other.uninitialized;
        self.bad += other.bad;
        self.backup_trailer += other.backup_trailer;
        self.not_verified += other.not_verified;
    }
}

/// Whether the last page of a file is the trailer that streaming backup appends: its checksum is that of a header, and
/// what would be the upper half of a page's checksum, its update counter and its object id are zero.
#[doc(alias = "PATCHHDR")]
#[must_use]
pub fn is_trailer_page(page: &[u8]) -> bool {
    let zero = |range: std::ops::Range<usize>| page.get(range).is_some_and(|b| b.iter().all(|b| *b == 0));
    zero(4..16) && zero(24..28) && header_checksum_matches(page)
}

/// Counts and findings of pages that were judged so far. Takes bounded memory: of many findings those of the lowest
/// pages are kept, the others are counted only.
#[derive(Clone, Debug)]
pub struct PageTally {
    page_size: PageSize,
    last_page: PageNumber,
    counts: PageCounts,
    findings: BTreeMap<(FindingPlace, &'static str), DatabaseFinding>,
    max_findings: usize,
    omitted: u64,
}

impl PageTally {
    /// An empty tally for a file whose last page is `last_page` (0: no page is taken for a trailer), which keeps at most
    /// `max_findings` findings.
    #[must_use]
    pub fn new(page_size: PageSize, last_page: PageNumber, max_findings: usize) -> Self {
        let (counts, findings) = (PageCounts::default(), BTreeMap::new());
        Self { page_size, last_page, counts, findings, max_findings, omitted: 0 }
    }

    /// Judges consecutive whole pages, the first of which is page `first`. Bytes after the last whole page are left out.
    pub fn check_pages(&mut self, first: PageNumber, pages: &[u8]) {
        for (number, page) in (first.0..).zip(pages.chunks_exact(self.page_size.len())) {
            self.check_page(PageNumber(number), page);
        }
    }

    fn check_page(&mut self, number: PageNumber, page: &[u8]) {
        self.counts.total += 1;
        match verify_page(page, number) {
            PageCheck::Verified(PageVerdict::Good) => self.counts.good += 1,
            PageCheck::Verified(PageVerdict::Uninitialized) => self.counts.uninitialized += 1,
            PageCheck::Verified(verdict) => self.unusual(number, page, verdict),
            // Not possible with chunks of one page size; never a pass.
            PageCheck::NotVerified(_) => self.counts.not_verified += 1,
        }
    }

    #[cold]
    fn unusual(&mut self, number: PageNumber, page: &[u8], verdict: PageVerdict) {
        if number == self.last_page && verdict.is_damaged() && is_trailer_page(page) {
            self.counts.backup_trailer += 1;
            return;
        }
        let finding = match verdict {
            PageVerdict::Corrected { bits } => {
                self.counts.corrected += 1;
                let (expected, found) = differing_block(page, number);
                DatabaseFinding::Corrected { page: number, bits, expected, found }
            }
            PageVerdict::WrongPageNumber { expected, found, evidence } => {
                self.counts.bad += 1;
                DatabaseFinding::WrongPageNumber { expected, found, evidence }
            }
            PageVerdict::Bad { block, expected, found } => {
                self.counts.bad += 1;
                DatabaseFinding::BadChecksum { page: number, block, expected, found }
            }
            PageVerdict::Good | PageVerdict::Uninitialized => return,
        };
        self.add(finding);
    }

    /// Counts a page that could not be read.
    pub fn add_unreadable(&mut self, page: PageNumber, error: ese_io::IoError) {
        self.counts.total += 1;
        self.counts.not_verified += 1;
        self.add(DatabaseFinding::Unreadable { page, error });
    }

    /// Adds a finding that is no verdict on a whole page.
    pub fn add(&mut self, finding: DatabaseFinding) {
        self.findings.insert((finding.place(), finding.name()), finding);
        if self.findings.len() > self.max_findings && self.findings.pop_last().is_some() {
            self.omitted += 1;
        }
    }

    /// Adds what another tally of the same file has.
    pub fn merge(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.omitted += other.omitted;
        for finding in other.findings.into_values() {
            self.add(finding);
        }
    }

    /// The counts.
    #[must_use]
    pub const fn counts(&self) -> PageCounts {
        self.counts
    }

    /// The findings by place, and how many more there were.
    #[must_use]
    pub fn into_findings(self) -> (Vec<DatabaseFinding>, u64) {
        (self.findings.into_values().collect(), self.omitted)
    }
}

fn differing_block(page: &[u8], number: PageNumber) -> (BlockChecksum, BlockChecksum) {
    first_differing_block(page, number).map(|d| (d.expected, d.found)).unwrap_or_default()
}
