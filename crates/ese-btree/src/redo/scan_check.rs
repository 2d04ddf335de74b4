//! Records of pages that a scan read: the page here is compared with the page there.
//!
//! A scan of the whole database changes nothing and stops nothing; what differs is kept to be reported, as the engine
//! reports it in events. A shrink has read pages that it is about to give up: a difference there is an error.

use ese_format::{DbTime, JetError, LogPosition, PageNumber};
use ese_log::record::{DatabaseSlot, ScanCheck, ScanCheck2, ScanFlags};

use super::Redo;
use super::error::{MissingPage, RedoErrorKind};
use crate::page_cache::{Fetched, PageCacheError};
use crate::page_edit::{PageImage, logged_data_checksum, page_flags};

/// Differences that are kept; later ones are only counted.
const MOST_KEPT: usize = 1000;

/// How a page differs from what a scan found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DivergenceKind {
    /// Its update counter is higher than any at the time of the scan.
    TimeTooHigh,
    /// It is in use here and was not there, or the other way round.
    Initialized,
    /// Its update counter is higher than there.
    TimeTooNew,
    /// Its update counter is lower than there.
    TimeTooOld,
    /// Same counter, another content.
    Content,
    /// It is in use there; here it was never used, or the file is shorter.
    Missing(MissingPage),
    /// It cannot be read here.
    Unreadable(JetError),
}

/// A page that is not as a scan of another copy of the database found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Position of the scan's record.
    pub position: LogPosition,
    /// The database.
    pub slot: DatabaseSlot,
    /// The page.
    pub page: PageNumber,
    /// What differs.
    pub kind: DivergenceKind,
    /// Update counter of the page there.
    pub expected: DbTime,
    /// Update counter of the page here; 0 when it has none.
    pub found: DbTime,
}

impl Divergence {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self.kind {
            DivergenceKind::TimeTooHigh => JetError::DB_TIME_CORRUPTED,
            DivergenceKind::Initialized => JetError::PAGE_INITIALIZED_MISMATCH,
            DivergenceKind::TimeTooNew => JetError::DB_TIME_TOO_NEW,
            DivergenceKind::TimeTooOld => JetError::DB_TIME_TOO_OLD,
            DivergenceKind::Content => JetError::DATABASE_CORRUPTED,
            DivergenceKind::Missing(reason) => reason.jet_error(),
            DivergenceKind::Unreadable(error) => error,
        }
    }
}

/// What scans of other copies showed.
#[derive(Clone, Debug, Default)]
pub struct Divergences {
    /// Pages compared.
    pub compared: u64,
    /// Pages that differ.
    pub count: u64,
    /// The first of them.
    pub pages: Vec<Divergence>,
}

/// A scan's record of either form.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScannedPage {
    slot: DatabaseSlot,
    page: PageNumber,
    flags: ScanFlags,
    /// Update counter of the page.
    time: DbTime,
    /// Highest update counter at that moment.
    current: DbTime,
    checksum: u32,
    /// The checksum has 16 bits.
    short: bool,
}

impl ScannedPage {
    pub(super) fn old(record: &ScanCheck<'_>) -> Self {
        Self {
            slot: record.database,
            page: record.page_number,
            flags: ScanFlags(ScanFlags::SOURCE_SCAN),
            time: record.page_db_time,
            current: record.current_db_time,
            checksum: record.checksum.into(),
            short: true,
        }
    }

    pub(super) fn new(record: &ScanCheck2) -> Self {
        Self {
            slot: record.database,
            page: record.page_number,
            flags: record.flags,
            time: record.page_db_time,
            current: record.current_db_time,
            checksum: record.checksum,
            short: false,
        }
    }

    /// Whether the content has the checksum that the record has: folded, and mixed with the counter of the moment.
    fn has_checksum_of<B: AsRef<[u8]>>(&self, page: &PageImage<B>) -> bool {
        let seed = self.current.0.rotate_left((self.current.0 & 0x1F) as u32);
        let mixed = logged_data_checksum(page) ^ seed;
        let folded = (mixed >> 32) as u32 ^ mixed as u32;
        let folded = if self.short { u32::from((folded >> 16) as u16 ^ folded as u16) } else { folded };
        folded == self.checksum
    }
}

fn is_initialized(time: DbTime) -> bool {
    time.0 != 0 && time != DbTime::SHRUNK
}

impl Redo {
    /// What scans showed so far.
    #[must_use]
    pub fn divergences(&self) -> &Divergences {
        &self.divergences
    }

    /// Whether pages that a scan of the whole database read are fetched to be compared. Otherwise only those in memory are.
    pub fn compare_scans(&mut self, yes: bool) {
        self.compare_scans = yes;
    }

    pub(super) fn scan_check(&mut self, record: &ScannedPage) -> Result<(), RedoErrorKind> {
        let position = self.position;
        let Some(database) = self.database(record.slot) else { return Ok(()) };
        // The last record of a scan names no page.
        if database.deferred || position <= database.attach_position || record.page > PageNumber::MAX {
            return Ok(());
        }
        let shrink = record.flags.source() == ScanFlags::SOURCE_SHRINK;
        if !shrink && !self.compare_scans && !self.cache.holds(record.slot, record.page) {
            return Ok(());
        }
        let state = (database.future_data, database.was_trimmed || database.trim_count > 0);
        self.recall()?;
        let (required, trimmed) = state;
        let Some((kind, found)) = self.compare_scanned(record, required, trimmed)? else { return Ok(()) };
        let (slot, page, expected) = (record.slot, record.page, record.time);
        let divergence = Divergence { position, slot, page, kind, expected, found };
        if shrink {
            return Err(RedoErrorKind::Divergence(divergence));
        }
        self.divergences.count += 1;
        if self.divergences.pages.len() < MOST_KEPT {
            self.divergences.pages.push(divergence);
        }
        Ok(())
    }

    /// How the page differs, and its counter; `None` when it does not, or when nothing can be said.
    fn compare_scanned(
        &mut self,
        record: &ScannedPage,
        required: bool,
        trimmed: bool,
    ) -> Result<Option<(DivergenceKind, DbTime)>, RedoErrorKind> {
        let there = is_initialized(record.time);
        let reverted_there = record.time == DbTime::REVERTED;
        let frame = match self.cache.fetch(record.slot, record.page) {
            Ok(Fetched::Page(frame)) => frame,
            Ok(missing) => {
                let beyond = missing == Fetched::BeyondEnd;
                let allowed = !there || reverted_there || required || trimmed && !beyond;
                let reason = if beyond { MissingPage::BeyondEnd } else { MissingPage::Uninitialized };
                return Ok((!allowed).then_some((DivergenceKind::Missing(reason), DbTime(0))));
            }
            Err(PageCacheError::Io(error)) => return Err(PageCacheError::Io(error).into()),
            Err(error) => return Ok(Some((DivergenceKind::Unreadable(error.jet_error()), DbTime(0)))),
        };
        self.divergences.compared += 1;
        let page = self.cache.page(frame);
        let found = page.db_time();
        let here = is_initialized(found);
        // A page that a reverted snapshot made new is compared again when its tree is known to be there.
        let gone_there = !there
            || (record.flags.object_invalid() || record.flags.empty_page())
                && page.has(page_flags::FDP_DELETE);
        if reverted_there || found == DbTime::REVERTED && gone_there || !there && !here {
            return Ok(None);
        }
        let certain = !required && !trimmed;
        let kind = if here && found > record.current {
            certain.then_some(DivergenceKind::TimeTooHigh)
        } else if here != there {
            certain.then_some(DivergenceKind::Initialized)
        } else if found > record.time {
            Some(DivergenceKind::TimeTooNew)
        } else if found < record.time {
            Some(DivergenceKind::TimeTooOld)
        } else {
            (!record.has_checksum_of(&page)).then_some(DivergenceKind::Content)
        };
        Ok(kind.map(|kind| (kind, found)))
    }
}
