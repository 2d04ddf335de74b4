//! Why a file could not be verified at all.

use ese_format::{HeaderError, JetError};
use ese_io::{IoError, IoErrorKind};

/// Why a file could not be verified. What is wrong *inside* a file that can be read is a finding instead.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file could not be opened or read at all.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Nothing tells the page size: not a database, or both header copies are destroyed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The caller asked to stop.
    #[error("verification was interrupted")]
    Interrupted,
}

impl VerifyError {
    /// The engine's error number.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Io(error) => jet_error_of_io(error.kind),
            Self::Header(error) => error.jet_error(),
            Self::Interrupted => JetError::TERM_IN_PROGRESS,
        }
    }
}

/// The engine's number for a failed storage call.
pub(super) fn jet_error_of_io(kind: IoErrorKind) -> JetError {
    match kind {
        IoErrorKind::NotFound => JetError::FILE_NOT_FOUND,
        IoErrorKind::InvalidPath => JetError::INVALID_PATH,
        IoErrorKind::AccessDenied | IoErrorKind::InUse | IoErrorKind::ReadOnly => {
            JetError::FILE_ACCESS_DENIED
        }
        IoErrorKind::TooManyOpenFiles => JetError::OUT_OF_FILE_HANDLES,
        IoErrorKind::OutOfMemory => JetError::OUT_OF_MEMORY,
        IoErrorKind::EndOfFile => JetError::FILE_IO_BEYOND_EOF,
        _ => JetError::DISK_IO,
    }
}
