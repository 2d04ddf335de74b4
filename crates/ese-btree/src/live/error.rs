//! Why the live engine refuses.

use ese_format::{JetError, PageNumber};
use ese_log::LogError;
use ese_log::record::{DatabaseSlot, EncodeError};

use crate::page_cache::PageCacheError;
use crate::page_edit::PageEditError;
use crate::tree_write::TreeWriteError;

/// An operation on live trees that was not done. Unless a variant says otherwise nothing has changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// A tree cannot be read or changed.
    #[error(transparent)]
    Tree(#[from] TreeWriteError),
    /// A page cannot be brought into or out of memory.
    #[error(transparent)]
    Cache(#[from] PageCacheError),
    /// The log refused.
    #[error("the log cannot be written: {message}")]
    Log {
        /// The log's own words.
        message: String,
        /// The log's number.
        jet: JetError,
    },
    /// A record without a stored form.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A change, or the end of a transaction, outside any.
    #[error("the session is in no transaction")]
    NotInTransaction,
    /// More nested levels than there are.
    #[error("transactions can be nested {most} deep")]
    TransactionTooDeep {
        /// Most levels.
        most: u8,
    },
    /// A change in a transaction that was begun for reading only.
    #[error("the transaction is read-only")]
    TransactionReadOnly,
    /// Another transaction that this one does not see has changed the node.
    #[error("another transaction has changed a node of the tree with root page {root}")]
    WriteConflict {
        /// Root of the tree.
        root: PageNumber,
    },
    /// The tree has a node with this bookmark, or another transaction that did not finish has.
    #[error("the tree with root page {root} holds this key already")]
    KeyDuplicate {
        /// Root of the tree.
        root: PageNumber,
    },
    /// The tree has no node with this bookmark that the transaction sees.
    #[error("the tree with root page {root} does not hold this key")]
    KeyMissing {
        /// Root of the tree.
        root: PageNumber,
    },
    /// The memory for versions is used up: a transaction is too large, or too old.
    #[error("the version store holds {bytes} bytes, its limit")]
    VersionStoreFull {
        /// Bytes in use.
        bytes: usize,
    },
    /// A counter that lies outside its node's data.
    #[error("no counter at offset {offset} of a node of {length} bytes")]
    NoCounter {
        /// Offset asked for.
        offset: usize,
        /// Bytes of data.
        length: usize,
    },
    /// No database is attached to the slot, or one is already.
    #[error("database slot {0} cannot be used")]
    Slot(DatabaseSlot),
    /// A change of a database that is attached for reading.
    #[error("database {0} is read-only")]
    DatabaseReadOnly(DatabaseSlot),
    /// A node of an operation that is to be undone is not in its tree.
    #[error("database {slot}: a node to be undone is not in tree {root}")]
    UndoFailed {
        /// The database.
        slot: DatabaseSlot,
        /// Root of the tree.
        root: PageNumber,
    },
}

impl LiveError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Tree(error) => error.jet_error(),
            Self::Cache(error) => error.jet_error(),
            Self::Log { jet, .. } => *jet,
            Self::Encode(_) => JetError::RECORD_TOO_BIG,
            Self::NotInTransaction => JetError::NOT_IN_TRANSACTION,
            Self::TransactionTooDeep { .. } => JetError::TRANS_TOO_DEEP,
            Self::TransactionReadOnly => JetError::TRANS_READ_ONLY,
            Self::WriteConflict { .. } => JetError::WRITE_CONFLICT,
            Self::KeyDuplicate { .. } => JetError::KEY_DUPLICATE,
            Self::KeyMissing { .. } => JetError::RECORD_NOT_FOUND,
            Self::VersionStoreFull { .. } => JetError::VERSION_STORE_OUT_OF_MEMORY,
            Self::NoCounter { .. } => JetError::INVALID_PARAMETER,
            Self::Slot(_) => JetError::INVALID_DATABASE_ID,
            Self::DatabaseReadOnly(_) => JetError::PERMISSION_DENIED,
            Self::UndoFailed { .. } => JetError::ROLLBACK_ERROR,
        }
    }

    pub(super) fn edit(page: PageNumber) -> impl Fn(PageEditError) -> Self {
        move |source| Self::Tree(TreeWriteError::Edit { page, source })
    }
}

impl From<LogError> for LiveError {
    fn from(error: LogError) -> Self {
        Self::Log { message: error.to_string(), jet: error.jet_error() }
    }
}

/// For callers that work through a [`PageStore`](crate::PageStore), whose errors are those of trees.
impl From<LiveError> for TreeWriteError {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Tree(error) => error,
            LiveError::Cache(error) => Self::Cache(error),
            other => Self::Refused { message: other.to_string(), jet: other.jet_error() },
        }
    }
}
