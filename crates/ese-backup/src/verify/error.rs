//! Why a file could not be verified at all.

use ese_format::{HeaderError, JetError};
use ese_io::IoError;
use ese_log::storage_jet_error;

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
            Self::Io(error) => storage_jet_error(error),
            Self::Header(error) => error.jet_error(),
            Self::Interrupted => JetError::TERM_IN_PROGRESS,
        }
    }
}
