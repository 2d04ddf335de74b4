//! Why redo stops.

use ese_format::{DbTime, JetError, LogPosition, PageNumber};
use ese_log::record::{DatabaseSlot, DiffError, RecordError, RecordKind};

use super::scan_check::Divergence;
use crate::page_cache::PageCacheError;
use crate::page_edit::PageEditError;

/// Why a page that a record needs is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingPage {
    /// The file is shorter.
    BeyondEnd,
    /// All bytes are zero, or the page is only pre-initialised.
    Uninitialized,
    /// The page was shrunk away.
    Shrunk,
    /// The page was new when a snapshot was reverted.
    Reverted,
}

impl MissingPage {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(self) -> JetError {
        match self {
            Self::BeyondEnd => JetError::FILE_IO_BEYOND_EOF,
            Self::Uninitialized => JetError::PAGE_NOT_INITIALIZED,
            Self::Shrunk | Self::Reverted => JetError::RECOVERY_VERIFY_FAILURE,
        }
    }
}

/// A record that cannot be replayed, and where it stands.
#[derive(Clone, Debug, thiserror::Error)]
#[error("log record at {position}: {kind}")]
pub struct RedoError {
    /// Position of the record.
    pub position: LogPosition,
    /// What is wrong.
    #[source]
    pub kind: RedoErrorKind,
}

/// What is wrong with a record or with the page it needs.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedoErrorKind {
    /// The page lacks earlier changes: a lost write, or a database file of another time.
    #[error(
        "database {slot}, page {page} is too old: expected update counter {expected}, found {found} (record makes it {after})"
    )]
    TimeTooOld {
        /// The database.
        slot: DatabaseSlot,
        /// The page.
        page: PageNumber,
        /// The counter before the change, says the record.
        expected: DbTime,
        /// The page's counter.
        found: DbTime,
        /// The counter after the change.
        after: DbTime,
    },
    /// The page has a change that the log does not know.
    #[error(
        "database {slot}, page {page} is too new: expected update counter {expected}, found {found} (record makes it {after})"
    )]
    TimeTooNew {
        /// The database.
        slot: DatabaseSlot,
        /// The page.
        page: PageNumber,
        /// The counter before the change, says the record.
        expected: DbTime,
        /// The page's counter.
        found: DbTime,
        /// The counter after the change.
        after: DbTime,
    },
    /// The page has the change already, though the log is past what the database file can contain.
    #[error(
        "database {slot}, page {page} holds update counter {found} beyond the required logs (record makes it {after})"
    )]
    TimeBeyondRequired {
        /// The database.
        slot: DatabaseSlot,
        /// The page.
        page: PageNumber,
        /// The page's counter.
        found: DbTime,
        /// The counter after the change.
        after: DbTime,
    },
    /// The page is not there.
    #[error("database {slot}, page {page} is missing: {reason:?}")]
    Missing {
        /// The database.
        slot: DatabaseSlot,
        /// The page.
        page: PageNumber,
        /// What is found instead.
        reason: MissingPage,
    },
    /// The page cannot be had.
    #[error(transparent)]
    Cache(#[from] PageCacheError),
    /// The page cannot be changed as the record says.
    #[error("database {slot}, page {page}: {error}")]
    Edit {
        /// The database.
        slot: DatabaseSlot,
        /// The page.
        page: PageNumber,
        /// What does not fit.
        error: PageEditError,
    },
    /// The bytes are no record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record type that redo does not know.
    #[error("record type {0} cannot be replayed")]
    Unsupported(RecordKind),
    /// A record of an engine that is too old.
    #[error("record type {0} is of an engine that is no longer supported")]
    OldVersion(RecordKind),
    /// A macro ends that has no records.
    #[error("a group of page changes is empty")]
    EmptyMacro,
    /// A macro holds records that do not belong together.
    #[error("a group of page changes is malformed: {0}")]
    BadMacro(&'static str),
    /// A page must be rebuilt from an image that the record does not hold.
    #[error("database {slot}, page {page}: the record lacks the before-image that is needed")]
    ImageMissing {
        /// The database.
        slot: DatabaseSlot,
        /// The page.
        page: PageNumber,
    },
    /// The image in the record is no page.
    #[error("before-image: {0}")]
    BadImage(String),
    /// The difference in the record cannot be applied to the node.
    #[error(transparent)]
    BadDifference(#[from] DiffError),
    /// New data has another size than the record says.
    #[error("replaced data is {found} bytes long, expected {expected}")]
    DataSize {
        /// Size in the record.
        expected: usize,
        /// Size found.
        found: usize,
    },
    /// A field of the record is impossible.
    #[error("field {field} is {found}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        found: u64,
    },
    /// A page that the database gives up was another one elsewhere.
    #[error(
        "database {}, page {} is not as the shrink of another copy found it: {:?} (update counter {} there, {} here)",
        .0.slot, .0.page, .0.kind, .0.expected, .0.found
    )]
    Divergence(Divergence),
    /// A thread that changed pages has ended unexpectedly.
    #[error("a thread that changes pages has ended unexpectedly")]
    WorkerLost,
    /// A change that was begun earlier failed: that is the error.
    #[error("an earlier change failed")]
    Stopped,
    /// Pages are still missing or too old though the log that could explain it has been replayed.
    #[error(
        "database {slot}, page {page} is still unexplained: {jet} (first met at {position}); {count} pages in all"
    )]
    Unreconciled {
        /// The database.
        slot: DatabaseSlot,
        /// The page met first.
        page: PageNumber,
        /// Where it was met.
        position: LogPosition,
        /// What was wrong with it.
        jet: JetError,
        /// Number of such pages.
        count: usize,
    },
}

impl RedoError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        self.kind.jet_error()
    }
}

impl RedoErrorKind {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::TimeTooOld { .. } => JetError::DB_TIME_TOO_OLD,
            Self::TimeTooNew { .. } => JetError::DB_TIME_TOO_NEW,
            Self::TimeBeyondRequired { .. } => JetError::DB_TIME_BEYOND_MAX_REQUIRED,
            Self::Missing { reason, .. } => reason.jet_error(),
            Self::Cache(error) => error.jet_error(),
            Self::Edit { error, .. } => error.jet_error(),
            Self::Record(error) => error.jet_error(),
            Self::OldVersion(_) => JetError::BAD_LOG_VERSION,
            Self::EmptyMacro | Self::BadDifference(_) => JetError::LOG_FILE_CORRUPT,
            Self::Unsupported(_)
            | Self::BadMacro(_)
            | Self::BadImage(_)
            | Self::DataSize { .. }
            | Self::Field { .. } => JetError::LOG_CORRUPTED,
            Self::ImageMissing { .. } => JetError::DATABASE_BUFFER_DEPENDENCIES_CORRUPTED,
            Self::Divergence(divergence) => divergence.jet_error(),
            Self::WorkerLost | Self::Stopped => JetError::INTERNAL_ERROR,
            Self::Unreconciled { jet, .. } => *jet,
        }
    }
}
