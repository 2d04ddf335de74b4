//! Why a database cannot be built.

use ese_btree::{PageCacheError, TreeError, TreeWriteError};
use ese_format::{
    ColumnKind, JetError, KeyError, PageSize, RecordEncodeError, RecordError, UnknownEngineFormat,
};
use ese_io::IoError;
use ese_log::storage_jet_error;

use crate::catalog::CatalogError;

/// Why a database cannot be built, a table not be created, or a row not be stored.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuilderError {
    /// The file cannot be created or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// No engine format of this number.
    #[error(transparent)]
    Format(#[from] UnknownEngineFormat),
    /// Databases of this page size are not made any more.
    #[error("databases with pages of {} bytes cannot be created", .0.bytes())]
    PageSize(PageSize),
    /// A tree cannot be changed.
    #[error(transparent)]
    Tree(#[from] TreeWriteError),
    /// A tree cannot be read.
    #[error(transparent)]
    Read(#[from] TreeError),
    /// Pages cannot be written.
    #[error(transparent)]
    Cache(#[from] PageCacheError),
    /// A row's values make no record.
    #[error(transparent)]
    Record(#[from] RecordEncodeError),
    /// A record that was just made cannot be read.
    #[error(transparent)]
    RecordRead(#[from] RecordError),
    /// A key cannot be made.
    #[error("index {index}: {source}")]
    Key {
        /// Name of the index.
        index: String,
        /// Why.
        source: KeyError,
    },
    /// The index has a segment of Unicode text, whose sorting tables would have to be entered in MSysLocales.
    #[error("index {index} has a segment of Unicode text")]
    UnicodeIndex {
        /// Name of the index.
        index: String,
    },
    /// A table's definition contradicts itself.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A name that no table, column or index can have.
    #[error("{name:?} cannot be a name")]
    Name {
        /// The name.
        name: String,
    },
    /// A table of this name exists.
    #[error("table {name} exists")]
    TableDuplicate {
        /// Name.
        name: String,
    },
    /// Two columns or two indexes of a table have the same name.
    #[error("table {table} has two parts named {name}")]
    PartDuplicate {
        /// Table.
        table: String,
        /// Name of both.
        name: String,
        /// They are indexes, else columns.
        index: bool,
    },
    /// A column's definition makes no sense.
    #[error("column {column} of type {kind}: {what}")]
    Column {
        /// Name.
        column: String,
        /// Type.
        kind: ColumnKind,
        /// What is wrong.
        what: &'static str,
        /// The engine's number for it.
        error: JetError,
    },
    /// An index's definition makes no sense.
    #[error("index {index}: {what}")]
    Index {
        /// Name.
        index: String,
        /// What is wrong.
        what: &'static str,
        /// The engine's number for it.
        error: JetError,
    },
    /// The handle is not of a table of this database.
    #[error("no such table in this database")]
    NoSuchTable,
    /// The table has no column of this name.
    #[error("table {table} has no column {column}")]
    NoSuchColumn {
        /// Table.
        table: String,
        /// Name.
        column: String,
    },
    /// The value does not fit the column.
    #[error("column {column} of type {kind}: {what}")]
    Value {
        /// Column.
        column: String,
        /// Its type.
        kind: ColumnKind,
        /// What is wrong.
        what: &'static str,
    },
    /// The column may not be null.
    #[error("column {column} may not be null")]
    Null {
        /// Column.
        column: String,
    },
    /// The index refuses rows with a null in it.
    #[error("index {index} refuses nulls")]
    NullKey {
        /// Index.
        index: String,
    },
    /// A unique index holds the key already.
    #[error("index {index} holds this key already")]
    KeyDuplicate {
        /// Index.
        index: String,
    },
    /// The row is too long even with its long values stored apart.
    #[error("row of {length} bytes; at most {limit} fit")]
    RowTooLong {
        /// Bytes of the record.
        length: usize,
        /// Most that fit.
        limit: usize,
    },
    /// All object ids, row numbers or long-value ids are used up.
    #[error("no more numbers for {what}")]
    OutOfNumbers {
        /// What is numbered.
        what: &'static str,
    },
}

impl BuilderError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Io(error) => storage_jet_error(error),
            Self::Format(error) => error.jet_error(),
            Self::PageSize(_) => JetError::INVALID_PARAMETER,
            Self::Tree(error) => error.jet_error(),
            Self::Read(error) => error.jet_error(),
            Self::Cache(error) => error.jet_error(),
            Self::Record(error) => error.jet_error(),
            Self::RecordRead(error) => error.jet_error(),
            Self::Key { source, .. } => source.jet_error(),
            Self::UnicodeIndex { .. } => JetError::UNICODE_NORMALIZATION_NOT_SUPPORTED,
            Self::Catalog(error) => error.jet_error(),
            Self::Name { .. } => JetError::INVALID_NAME,
            Self::TableDuplicate { .. } => JetError::TABLE_DUPLICATE,
            Self::PartDuplicate { index: true, .. } => JetError::INDEX_DUPLICATE,
            Self::PartDuplicate { .. } => JetError::COLUMN_DUPLICATE,
            Self::Column { error, .. } | Self::Index { error, .. } => *error,
            Self::NoSuchTable => JetError::INVALID_TABLE_ID,
            Self::NoSuchColumn { .. } => JetError::COLUMN_NOT_FOUND,
            Self::Value { .. } => JetError::INVALID_BUFFER_SIZE,
            Self::Null { .. } => JetError::NULL_INVALID,
            Self::NullKey { .. } => JetError::NULL_KEY_DISALLOWED,
            Self::KeyDuplicate { .. } => JetError::KEY_DUPLICATE,
            Self::RowTooLong { .. } => JetError::RECORD_TOO_BIG,
            Self::OutOfNumbers { what: "columns" } => JetError::TOO_MANY_COLUMNS,
            Self::OutOfNumbers { .. } => JetError::OUT_OF_OBJECT_I_DS,
        }
    }
}
