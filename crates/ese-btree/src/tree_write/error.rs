//! Why a tree could not be changed.

use ese_format::{InvalidExtent, InvalidRootFields, JetError, PageNumber};
use ese_log::record::EncodeError;

use crate::page_cache::PageCacheError;
use crate::page_edit::PageEditError;

/// Why a tree could not be changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeWriteError {
    /// A page cannot be brought into or out of memory.
    #[error(transparent)]
    Cache(#[from] PageCacheError),
    /// A page does not allow the change.
    #[error("page {page}: {source}")]
    Edit {
        /// The page.
        page: PageNumber,
        /// Why.
        source: PageEditError,
    },
    /// A page of the tree was never written, or lies beyond the end of the file.
    #[error("page {page} of a tree is missing")]
    MissingPage {
        /// The page.
        page: PageNumber,
    },
    /// A page does not fit its place in the tree.
    #[error("page {page}: {what}")]
    Corrupt {
        /// The page.
        page: PageNumber,
        /// What is wrong.
        what: &'static str,
    },
    /// A node of a space tree is no extent.
    #[error("page {page}: {source}")]
    Extent {
        /// The page.
        page: PageNumber,
        /// What is wrong.
        source: InvalidExtent,
    },
    /// A root's external header is none.
    #[error("page {page}: {source}")]
    RootFields {
        /// The page.
        page: PageNumber,
        /// What is wrong.
        source: InvalidRootFields,
    },
    /// The tree has a node with this bookmark.
    #[error("the tree with root page {root} holds this key already")]
    KeyDuplicate {
        /// Root of the tree.
        root: PageNumber,
    },
    /// The tree has no node with this bookmark.
    #[error("the tree with root page {root} does not hold this key")]
    KeyMissing {
        /// Root of the tree.
        root: PageNumber,
    },
    /// A node that no page can hold.
    #[error("node of {length} bytes; a page holds at most {limit}")]
    NodeTooLong {
        /// Bytes of the node.
        length: usize,
        /// Most that fit.
        limit: usize,
    },
    /// A change cannot be put into a log record.
    #[error("page {page}: {source}")]
    Record {
        /// The page.
        page: PageNumber,
        /// Why.
        source: EncodeError,
    },
    /// The changes of a store are recorded, and a record cannot be written.
    #[error("the change cannot be logged: {jet}")]
    Log {
        /// The engine's number for it.
        jet: JetError,
    },
    /// A page number beyond the highest would be needed.
    #[error("the database cannot grow beyond page {last}")]
    Full {
        /// Last page.
        last: PageNumber,
    },
    /// The store refused: the log, or what is behind it.
    #[error("{message}")]
    Refused {
        /// Its own words.
        message: String,
        /// Its number.
        jet: JetError,
    },
}

impl TreeWriteError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Cache(error) => error.jet_error(),
            Self::Edit { source, .. } => source.jet_error(),
            Self::MissingPage { .. } => JetError::PAGE_NOT_INITIALIZED,
            Self::Corrupt { .. } => JetError::BAD_PAGE_LINK,
            Self::Extent { source, .. } => source.jet_error(false),
            Self::RootFields { source, .. } => source.jet_error(),
            Self::KeyDuplicate { .. } => JetError::KEY_DUPLICATE,
            Self::KeyMissing { .. } => JetError::RECORD_NOT_FOUND,
            Self::NodeTooLong { .. } => JetError::RECORD_TOO_BIG,
            Self::Record { .. } => JetError::RECORD_TOO_BIG,
            Self::Log { jet } => *jet,
            Self::Full { .. } => JetError::OUT_OF_DATABASE_SPACE,
            Self::Refused { jet, .. } => *jet,
        }
    }
}
