//! Why a call on a table cursor fails, and what it says besides when it succeeds.

use ese_btree::live::LiveError;
use ese_format::{
    CompressionError, InvalidLongValue, JetError, KeyError, RecordEditError, RecordError, SearchKeyError,
};

use crate::error::InstanceError;

/// A call on a [`Table`](super::Table) that did not do what was asked. Unless a variant says otherwise nothing has changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The session, the instance or the schema refused.
    #[error(transparent)]
    Instance(Box<InstanceError>),
    /// The trees refused: write conflicts, duplicate keys, transactions, pages, the log.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A stored row cannot be read.
    #[error("a row cannot be read: {0}")]
    Record(#[from] RecordError),
    /// The row being written cannot take the value.
    #[error(transparent)]
    Edit(#[from] RecordEditError),
    /// A value has no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A search key cannot be made.
    #[error(transparent)]
    SearchKey(#[from] SearchKeyError),
    /// A stored value cannot be decompressed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// A node of the long-value tree makes no sense.
    #[error(transparent)]
    LongValueNode(#[from] InvalidLongValue),
    /// A long value that a row refers to is not there, or not whole.
    #[error("long value {id:#x} is damaged: {what}")]
    LongValue {
        /// Its id.
        id: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The cursor is not on a row.
    #[error("the cursor is on no row")]
    NoCurrentRecord,
    /// The cursor's row is gone.
    #[error("the cursor's row was deleted")]
    RecordDeleted,
    /// No row fits what was sought.
    #[error("no row was found")]
    RecordNotFound,
    /// No row was being prepared.
    #[error("no update was prepared")]
    UpdateNotPrepared,
    /// A row is being prepared already.
    #[error("an update is being prepared already")]
    AlreadyPrepared,
    /// No search key was made.
    #[error("no search key was made")]
    KeyNotMade,
    /// The cursor is on no index that has keys, or on the primary one.
    #[error("the cursor is on no such index")]
    NoCurrentIndex,
    /// A column number that is none.
    #[error("{id:#x} is no column number")]
    BadColumnId {
        /// The number.
        id: u32,
    },
    /// The table has no such column.
    #[error("the table has no column {id:#x}")]
    ColumnNotFound {
        /// The number.
        id: u32,
    },
    /// A primary key with a null, a unique key that is there already, and the like: what the index says.
    #[error("index {index}: {what}")]
    Index {
        /// Name of the index.
        index: String,
        /// What is wrong.
        what: &'static str,
        /// The engine's number.
        error: JetError,
    },
    /// A value that a column does not take.
    #[error("column {column:#x}: {what}")]
    Column {
        /// Number of the column.
        column: u32,
        /// What is wrong.
        what: &'static str,
        /// The engine's number.
        error: JetError,
    },
    /// Anything else that is not allowed, with the engine's number.
    #[error("{what}")]
    Refused {
        /// What is wrong.
        what: &'static str,
        /// The engine's number.
        error: JetError,
    },
}

/// The answer of calls on tables.
pub(super) type Result<T> = std::result::Result<T, TableError>;

impl From<InstanceError> for TableError {
    fn from(error: InstanceError) -> Self {
        match error {
            InstanceError::Live(error) => Self::Live(error),
            other => Self::Instance(Box::new(other)),
        }
    }
}

impl TableError {
    /// A refusal with the engine's number.
    pub(super) const fn refused(what: &'static str, error: JetError) -> Self {
        Self::Refused { what, error }
    }

    /// Options that cannot be.
    pub(super) const fn flags() -> Self {
        Self::Refused {
            what: "options that cannot be used together, or here",
            error: JetError::INVALID_GRBIT,
        }
    }

    /// An argument that cannot be.
    pub(super) const fn parameter(what: &'static str) -> Self {
        Self::Refused { what, error: JetError::INVALID_PARAMETER }
    }

    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Instance(error) => error.jet_error(),
            Self::Live(error) => error.jet_error(),
            Self::Record(error) => error.jet_error(),
            Self::Edit(error) => error.jet_error(),
            Self::Key(error) => error.jet_error(),
            Self::SearchKey(error) => error.jet_error(),
            Self::Compression(error) => error.jet_error(),
            Self::LongValueNode(error) => error.jet_error(),
            Self::LongValue { .. } => JetError::LV_CORRUPTED,
            Self::NoCurrentRecord => JetError::NO_CURRENT_RECORD,
            Self::RecordDeleted => JetError::RECORD_DELETED,
            Self::RecordNotFound => JetError::RECORD_NOT_FOUND,
            Self::UpdateNotPrepared => JetError::UPDATE_NOT_PREPARED,
            Self::AlreadyPrepared => JetError::ALREADY_PREPARED,
            Self::KeyNotMade => JetError::KEY_NOT_MADE,
            Self::NoCurrentIndex => JetError::NO_CURRENT_INDEX,
            Self::BadColumnId { .. } => JetError::BAD_COLUMN_ID,
            Self::ColumnNotFound { .. } => JetError::COLUMN_NOT_FOUND,
            Self::Index { error, .. } | Self::Column { error, .. } | Self::Refused { error, .. } => *error,
        }
    }
}

/// What a successful call says besides: the engine's warning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TableStatus {
    /// Nothing.
    #[default]
    Done,
    /// The column is null.
    #[doc(alias = "JET_wrnColumnNull")]
    Null,
    /// The value is longer than the buffer; its beginning was given.
    #[doc(alias = "JET_wrnBufferTruncated")]
    Truncated,
    /// The value is stored apart; its id or its count of references was given.
    #[doc(alias = "JET_wrnSeparateLongValue")]
    SeparateLongValue,
    /// Another key than the one sought.
    #[doc(alias = "JET_wrnSeekNotEqual")]
    SeekNotEqual,
    /// The key sought, and there is no other row with it.
    #[doc(alias = "JET_wrnUniqueKey")]
    UniqueKey,
    /// The value was cut to the column's largest size.
    #[doc(alias = "JET_wrnColumnMaxTruncated")]
    ColumnMaxTruncated,
    /// A long value that several rows share was copied for this one.
    #[doc(alias = "JET_wrnCopyLongValue")]
    CopiedLongValue,
}

impl TableStatus {
    /// The engine's number for it; 0 for [`Done`](Self::Done).
    #[must_use]
    pub const fn jet_error(self) -> JetError {
        match self {
            Self::Done => JetError::SUCCESS,
            Self::Null => JetError::WRN_COLUMN_NULL,
            Self::Truncated => JetError::WRN_BUFFER_TRUNCATED,
            Self::SeparateLongValue => JetError::WRN_SEPARATE_LONG_VALUE,
            Self::SeekNotEqual => JetError::WRN_SEEK_NOT_EQUAL,
            Self::UniqueKey => JetError::WRN_UNIQUE_KEY,
            Self::ColumnMaxTruncated => JetError::WRN_COLUMN_MAX_TRUNCATED,
            Self::CopiedLongValue => JetError::WRN_COPY_LONG_VALUE,
        }
    }
}
