//! What can go wrong between a page and its file.

use ese_format::{JetError, PageNumber, PageVerdict};
use ese_io::{IoError, IoErrorKind};

use crate::page_edit::PageEditError;
use ese_log::record::DatabaseSlot;

/// A page that cannot be brought into or out of the cache.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PageCacheError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The page's checksum is wrong, or it belongs elsewhere.
    #[error("database {slot}, page {page}: {verdict}")]
    Damaged {
        /// The database.
        slot: DatabaseSlot,
        /// The page.
        page: PageNumber,
        /// What its checksums say.
        verdict: PageVerdict,
    },
    /// The checksum is right and the content makes no sense.
    #[error("database {slot}, page {page}: {error}")]
    Malformed {
        /// The database.
        slot: DatabaseSlot,
        /// The page.
        page: PageNumber,
        /// What does not fit.
        error: PageEditError,
    },
    /// No database is attached to the slot.
    #[error("no database in slot {0}")]
    NotAttached(DatabaseSlot),
    /// A page number that no database has.
    #[error("database {slot}: page number {page} is out of range")]
    PageNumber {
        /// The database.
        slot: DatabaseSlot,
        /// The page.
        page: PageNumber,
    },
    /// Pages are being changed on other threads; they must come back first.
    #[error("pages are being changed on other threads")]
    Lent,
}

impl PageCacheError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Io(error) => match error.kind {
                IoErrorKind::DiskFull => JetError::DISK_FULL,
                IoErrorKind::AccessDenied | IoErrorKind::ReadOnly => JetError::FILE_ACCESS_DENIED,
                IoErrorKind::NotFound => JetError::FILE_NOT_FOUND,
                IoErrorKind::OutOfMemory => JetError::OUT_OF_MEMORY,
                _ => JetError::DISK_IO,
            },
            Self::Damaged { verdict, .. } => verdict.jet_error().unwrap_or(JetError::READ_VERIFY_FAILURE),
            Self::Malformed { error, .. } => error.jet_error(),
            Self::NotAttached(_) => JetError::INVALID_DATABASE_ID,
            Self::PageNumber { .. } => JetError::FILE_IO_BEYOND_EOF,
            Self::Lent => JetError::INTERNAL_ERROR,
        }
    }
}
