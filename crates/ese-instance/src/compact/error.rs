//! Why a database cannot be copied.

use std::path::PathBuf;

use ese_btree::{TreeError, TreeWriteError};
use ese_format::{InvalidLongValue, JetError, RecordError};
use ese_io::IoError;
use ese_log::storage_jet_error;

use crate::builder::BuilderError;
use crate::reader::ReaderError;

/// Why a database cannot be copied.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// The source cannot be read, or is not clean.
    #[error(transparent)]
    Source(#[from] ReaderError),
    /// A tree of the source cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A row of the source cannot be read.
    #[error("table {table}: {source}")]
    Row {
        /// The table.
        table: String,
        /// Why.
        source: RecordError,
    },
    /// A long value of the source cannot be read.
    #[error("table {table}: {source}")]
    LongValue {
        /// The table.
        table: String,
        /// Why.
        source: InvalidLongValue,
    },
    /// The destination cannot be made.
    #[error(transparent)]
    Destination(#[from] BuilderError),
    /// A file cannot be looked for.
    #[error(transparent)]
    Io(#[from] IoError),
    /// There is a file at the destination.
    #[error("{} exists", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Whoever watches wants it to stop.
    #[error("stopped")]
    Stopped(JetError),
}

impl From<TreeWriteError> for CompactError {
    fn from(error: TreeWriteError) -> Self {
        Self::Destination(error.into())
    }
}

impl CompactError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Source(error) => error.jet_error(),
            Self::Tree(error) => error.jet_error(),
            Self::Row { source, .. } => source.jet_error(),
            Self::LongValue { .. } => JetError::LV_CORRUPTED,
            Self::Destination(error) => error.jet_error(),
            Self::Io(error) => storage_jet_error(error),
            Self::Exists { .. } => JetError::DATABASE_DUPLICATE,
            Self::Stopped(error) => *error,
        }
    }
}
