//! Why an export stops.

use std::io;

use ese_btree::TreeError;
use ese_instance::ReaderError;

/// Why an export stops.
#[derive(Debug)]
pub(crate) enum ExportError {
    /// The database cannot be read.
    Reader(ReaderError),
    /// The output cannot be written.
    Write(io::Error),
    /// The user wants to stop.
    Interrupted,
}

impl From<ReaderError> for ExportError {
    fn from(error: ReaderError) -> Self {
        Self::Reader(error)
    }
}

impl From<TreeError> for ExportError {
    fn from(error: TreeError) -> Self {
        Self::Reader(error.into())
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}
