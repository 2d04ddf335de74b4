//! Why undo stops.

use ese_format::{JetError, LogPosition, PageNumber};
use ese_log::record::{DatabaseSlot, EncodeError, SessionId, VersionId};

use crate::page_cache::PageCacheError;
use crate::page_edit::PageEditError;

/// An operation that cannot be undone.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UndoError {
    /// The log refused a record.
    #[error("the log cannot be written: {message}")]
    Log {
        /// The log's own words.
        message: String,
        /// The log's number.
        jet: JetError,
    },
    /// A page cannot be had.
    #[error(transparent)]
    Cache(#[from] PageCacheError),
    /// A page cannot be changed.
    #[error("database {slot}, page {page}: {error}")]
    Edit {
        /// The database.
        slot: DatabaseSlot,
        /// The page.
        page: PageNumber,
        /// What does not fit.
        error: PageEditError,
    },
    /// The node of an operation is not in its tree.
    #[error("session {session}: the node of version {version} is not in tree {root} of database {slot}")]
    NodeMissing {
        /// The session.
        session: SessionId,
        /// The operation.
        version: VersionId,
        /// The database.
        slot: DatabaseSlot,
        /// Root of the tree.
        root: PageNumber,
    },
    /// The before-image of an operation is neither on the page nor in the log.
    #[error(
        "session {session}, transaction of {start}: version {version} lacks its before-image ({count} in all)"
    )]
    BeforeImageMissing {
        /// The session.
        session: SessionId,
        /// Where its transaction begins.
        start: LogPosition,
        /// The operation.
        version: VersionId,
        /// Number of such operations of the session.
        count: usize,
    },
    /// A tree is deeper than page numbers allow: its pages form a circle.
    #[error("database {slot}: tree {root} does not end")]
    EndlessTree {
        /// The database.
        slot: DatabaseSlot,
        /// Root of the tree.
        root: PageNumber,
    },
    /// A record that has no stored form.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl UndoError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Log { jet, .. } => *jet,
            Self::Cache(error) => error.jet_error(),
            _ => JetError::ROLLBACK_ERROR,
        }
    }
}
