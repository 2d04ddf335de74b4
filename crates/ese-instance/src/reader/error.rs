//! Why a database cannot be read.

use std::path::PathBuf;

use ese_btree::TreeError;
use ese_format::{DatabaseState, HeaderError, JetError, PageNumber, RecordError};
use ese_io::IoError;

use crate::catalog::CatalogError;

/// Why a database, or something in it, cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReaderError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Neither header copy is usable.
    #[error("{path}: {source}")]
    Header {
        /// The file.
        path: PathBuf,
        /// Why.
        source: HeaderError,
    },
    /// The database is not complete by itself.
    #[error("{path} is not complete by itself (state {state}): its logs must be replayed first")]
    NotClean {
        /// The file.
        path: PathBuf,
        /// State in the header.
        state: DatabaseState,
        /// The engine's number for it.
        error: JetError,
    },
    /// A tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A record cannot be read.
    #[error("page {page}, line {line}: {source}")]
    Record {
        /// Page.
        page: PageNumber,
        /// Line on the page.
        line: usize,
        /// Why.
        source: RecordError,
    },
    /// The catalog contradicts itself.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// No table of this name.
    #[error("no table {name}")]
    NoSuchTable {
        /// The name.
        name: String,
    },
}

impl ReaderError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Io(error) => TreeError::new(PageNumber::NONE, error.clone()).jet_error(),
            Self::Header { source, .. } => source.jet_error(),
            Self::NotClean { error, .. } => *error,
            Self::Tree(error) => error.jet_error(),
            Self::Record { source, .. } => source.jet_error(),
            Self::Catalog(error) => error.jet_error(),
            Self::NoSuchTable { .. } => JetError::OBJECT_NOT_FOUND,
        }
    }

    /// The page it is about, when it is about one.
    #[must_use]
    pub fn page(&self) -> Option<PageNumber> {
        match self {
            Self::Tree(error) => Some(error.page),
            Self::Record { page, .. } => Some(*page),
            _ => None,
        }
    }
}
