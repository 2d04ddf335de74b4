//! Everything that can go wrong with an instance, and the engine's number for it.

use std::path::PathBuf;

use ese_btree::live::LiveError;
use ese_format::{HeaderError, JetError, ObjectId, PageNumber, RecordError};
use ese_io::IoError;
use ese_log::record::SessionId;
use ese_log::{LogError, storage_jet_error};

use crate::backup_gate::{BackupInProgress, BackupOccupant};
use crate::builder::BuilderError;
use crate::call_error::CallError;
use crate::catalog::CatalogError;
use crate::compact::CompactError;
use crate::database::SpaceError;
use crate::parameter::ParameterError;
use crate::recovery::RecoveryError;
use crate::state::{EntryError, ModeError};

/// A failed call of an instance.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstanceError {
    /// Refused at the door.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Does not fit the process's mode.
    #[error(transparent)]
    Mode(#[from] ModeError),
    /// A refused parameter.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// A failed storage call.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A log that cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A database cannot be copied.
    #[error(transparent)]
    Compact(Box<CompactError>),
    /// A header that cannot be used.
    #[error("{}: {error}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: HeaderError,
    },
    /// The end of a database cannot be found.
    #[error("{}, page {page}: {error}", path.display())]
    Space {
        /// The database.
        path: PathBuf,
        /// The page.
        page: PageNumber,
        /// What is wrong.
        error: SpaceError,
    },
    /// The file ends before the last page that the database owns.
    #[error("{} has {found} bytes; its last page {last_page} ends at {expected}", path.display())]
    DatabaseTooShort {
        /// The database.
        path: PathBuf,
        /// Its last page.
        last_page: PageNumber,
        /// Bytes needed.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// A counter that must not be zero is.
    #[error("{}: header field {field} is 0", path.display())]
    ZeroCounter {
        /// The database.
        path: PathBuf,
        /// Name of the field.
        field: &'static str,
    },
    /// A backup is on.
    #[error(transparent)]
    BackupInProgress(#[from] BackupInProgress),
    /// No such database is attached.
    #[error("{} is not attached", path.display())]
    DatabaseNotFound {
        /// The path asked for.
        path: PathBuf,
    },
    /// All six slots are taken.
    #[error("{} cannot be attached: six databases are", path.display())]
    TooManyAttachedDatabases {
        /// The database that was to be attached.
        path: PathBuf,
    },
    /// A path cannot be used.
    #[error("{} is not a usable path: {reason}", path.display())]
    InvalidPath {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// Another instance of this process uses the directory.
    #[error("instance {other:?} uses {}", path.display())]
    PathInUse {
        /// Which path.
        kind: InstancePath,
        /// The path.
        path: PathBuf,
        /// The other instance.
        other: String,
    },
    /// An instance of that name exists.
    #[error("there is an instance named {name:?} already")]
    InstanceNameInUse {
        /// The name.
        name: String,
    },
    /// The process has as many instances as it may.
    #[error("the process has {limit} instances, as many as it may")]
    TooManyInstances {
        /// The limit.
        limit: u64,
    },
    /// Parameters that contradict each other.
    #[error("contradicting parameters: {reason}")]
    InvalidSettings {
        /// What contradicts what.
        reason: &'static str,
    },
    /// A number that is no combination of options.
    #[error("options {bits:#x} are not allowed here")]
    InvalidFlags {
        /// The bits.
        bits: u32,
    },
    /// The logs end without a clean shutdown, or the checkpoint does not point to it: they must be replayed first.
    #[error("the logs in {} must be replayed before the instance can start: {reason}", directory.display())]
    ReplayNeeded {
        /// The log directory.
        directory: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Recovery failed.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// Recovery stopped before undo, as asked: an error to the engine.
    #[error("recovery stopped before undo, as asked{}", if *clean { "; the databases are clean" } else { "" })]
    RecoveredWithoutUndo {
        /// Whether the databases came out clean all the same.
        clean: bool,
    },
    /// There are archived logs but no current one.
    #[error("{} holds archived logs up to generation {highest:#x} but no current log", directory.display())]
    MissingCurrentLog {
        /// The log directory.
        directory: PathBuf,
        /// Highest archived generation.
        highest: u32,
    },
    /// A log stream was to be there, and there is none.
    #[error("{} holds no log", directory.display())]
    LogStreamMissing {
        /// The log directory.
        directory: PathBuf,
    },
    /// The log was shut off after an earlier failure.
    #[error("log writing was shut off after {cause}")]
    LogDown {
        /// The first failure's number.
        cause: JetError,
    },
    /// The instance does not log.
    #[error("the instance runs without logging")]
    LoggingDisabled,
    /// Terminated as dirty as it was asked to.
    #[error("the instance was terminated and its databases left dirty, as asked")]
    DirtyShutdown,
    /// Transactions are open.
    #[error("{sessions} sessions are in transactions")]
    TransactionsOpen {
        /// How many sessions.
        sessions: usize,
    },
    /// The trees of the running instance refused.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A definition of a table, column or index that cannot be.
    #[error(transparent)]
    Definition(#[from] BuilderError),
    /// The catalog contradicts itself.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A record of the catalog that cannot be read.
    #[error("a record of the catalog: {error}")]
    CatalogRecord {
        /// Why.
        error: RecordError,
    },
    /// The session has ended.
    #[error("session {} has ended", session.0)]
    InvalidSession {
        /// Its number.
        session: SessionId,
    },
    /// The session is in another call, or in a transaction that another thread began.
    #[error("session {} is used by another thread", session.0)]
    SessionSharingViolation {
        /// Its number.
        session: SessionId,
    },
    /// As many sessions as there may be.
    #[error("the instance has {limit} sessions, as many as it may")]
    OutOfSessions {
        /// How many.
        limit: u64,
    },
    /// Not allowed inside a transaction.
    #[error("the session is in a transaction")]
    InTransaction,
    /// The database is not open in this session any more.
    #[error("the database is not open")]
    InvalidDatabaseId,
    /// There is a file of this name already, or the database is attached.
    #[error("{} exists already", path.display())]
    DatabaseDuplicate {
        /// The path.
        path: PathBuf,
    },
    /// The database is open.
    #[error("{} is in use", path.display())]
    DatabaseInUse {
        /// The path.
        path: PathBuf,
    },
    /// Another session has the database for itself.
    #[error("another session has {} for itself", path.display())]
    DatabaseLocked {
        /// The path.
        path: PathBuf,
    },
    /// The path is none of a database.
    #[error("{} cannot be the path of a database", path.display())]
    DatabaseInvalidPath {
        /// The path.
        path: PathBuf,
    },
    /// There is no such table.
    #[error("there is no table {table}")]
    TableNotFound {
        /// Name.
        table: String,
    },
    /// A table of this name exists.
    #[error("there is a table {table} already")]
    TableDuplicate {
        /// Name.
        table: String,
    },
    /// Another session does not let the table be opened.
    #[error("another session has locked table {table}")]
    TableLocked {
        /// Name.
        table: String,
    },
    /// The table is open, and cannot be locked.
    #[error("table {table} is in use")]
    TableInUse {
        /// Name.
        table: String,
    },
    /// The table's structure is not the one that the transaction sees, or is being changed.
    #[error("another transaction changes the structure of table object {object}, or has changed it")]
    SchemaConflict {
        /// Object id of the table.
        object: ObjectId,
    },
    /// A column that is not there.
    #[error("table {table} has no column {column}")]
    ColumnNotFound {
        /// Table.
        table: String,
        /// Column.
        column: String,
    },
    /// An index that is not there.
    #[error("table {table} has no index {index}")]
    IndexNotFound {
        /// Table.
        table: String,
        /// Index.
        index: String,
    },
    /// A change of a table's structure that is not allowed.
    #[error("table {table}: {what}")]
    Structure {
        /// Table.
        table: String,
        /// What is wrong.
        what: &'static str,
        /// The engine's number.
        error: JetError,
    },
    /// A page size or format that is not supported, or a feature that the database's format does not have.
    #[error("the format of the database does not allow {what}")]
    FormatTooLow {
        /// What.
        what: &'static str,
    },
    /// The database has a newer format than the instance is asked to write.
    #[error("{} has a newer format than the engine format version that was asked for", path.display())]
    FormatTooHigh {
        /// The database.
        path: PathBuf,
    },
    /// Refused for what was asked, or when.
    #[error(transparent)]
    Call(#[from] CallError),
    /// As many sorts are going on as temporary tables are allowed.
    #[error("{limit} sorts are going on, as many as the instance allows")]
    TooManySorts {
        /// The parameter `MaxTemporaryTables`.
        limit: u64,
    },
    /// Something the instance cannot do.
    #[error("not supported: {what}")]
    Unsupported {
        /// What.
        what: &'static str,
    },
}

/// Which path of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstancePath {
    /// Temporary database.
    Temporary,
    /// Directory of the checkpoint.
    System,
    /// Directory of the logs.
    Log,
}

impl InstanceError {
    /// The engine's number: the one table of this crate.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Entry(e) => e.jet_error(),
            Self::Mode(e) => e.jet_error(),
            Self::Parameter(e) => e.jet_error(),
            Self::Io(e) => storage_jet_error(e),
            Self::Compact(e) => e.jet_error(),
            Self::Log(e) => e.jet_error(),
            Self::Header { error, .. } => error.jet_error(),
            Self::Space { error, .. } => error.jet_error(),
            Self::DatabaseTooShort { .. } | Self::ZeroCounter { .. } => JetError::DATABASE_CORRUPTED,
            Self::BackupInProgress(e) => match e.occupant {
                BackupOccupant::Ordinary => JetError::BACKUP_IN_PROGRESS,
                BackupOccupant::Surrogate => JetError::SURROGATE_BACKUP_IN_PROGRESS,
            },
            Self::DatabaseNotFound { .. } => JetError::DATABASE_NOT_FOUND,
            Self::TooManyAttachedDatabases { .. } => JetError::TOO_MANY_ATTACHED_DATABASES,
            Self::InvalidPath { .. } => JetError::INVALID_PATH,
            Self::PathInUse { kind: InstancePath::Temporary, .. } => JetError::TEMP_PATH_IN_USE,
            Self::PathInUse { kind: InstancePath::System, .. } => JetError::SYSTEM_PATH_IN_USE,
            Self::PathInUse { kind: InstancePath::Log, .. } => JetError::LOG_FILE_PATH_IN_USE,
            Self::InstanceNameInUse { .. } => JetError::INSTANCE_NAME_IN_USE,
            Self::TooManyInstances { .. } => JetError::TOO_MANY_INSTANCES,
            Self::InvalidSettings { .. } => JetError::INVALID_SETTINGS,
            Self::InvalidFlags { .. } => JetError::INVALID_GRBIT,
            Self::Recovery(e) => e.jet_error(),
            Self::RecoveredWithoutUndo { clean: false } => JetError::RECOVERED_WITHOUT_UNDO,
            Self::RecoveredWithoutUndo { clean: true } => {
                JetError::RECOVERED_WITHOUT_UNDO_DATABASES_CONSISTENT
            }
            Self::ReplayNeeded { .. } => JetError::DATABASE_DIRTY_SHUTDOWN,
            Self::MissingCurrentLog { .. } | Self::LogStreamMissing { .. } => JetError::MISSING_LOG_FILE,
            Self::LogDown { .. } => JetError::LOG_WRITE_FAIL,
            Self::LoggingDisabled => JetError::LOGGING_DISABLED,
            Self::DirtyShutdown => JetError::DIRTY_SHUTDOWN,
            Self::TransactionsOpen { .. } => JetError::TOO_MANY_ACTIVE_USERS,
            Self::Live(e) => e.jet_error(),
            Self::Definition(e) => e.jet_error(),
            Self::Catalog(e) => e.jet_error(),
            Self::CatalogRecord { .. } => JetError::CATALOG_CORRUPTED,
            Self::InvalidSession { .. } => JetError::INVALID_SESID,
            Self::SessionSharingViolation { .. } => JetError::SESSION_SHARING_VIOLATION,
            Self::OutOfSessions { .. } => JetError::OUT_OF_SESSIONS,
            Self::InTransaction => JetError::IN_TRANSACTION,
            Self::InvalidDatabaseId => JetError::INVALID_DATABASE_ID,
            Self::DatabaseDuplicate { .. } => JetError::DATABASE_DUPLICATE,
            Self::DatabaseInUse { .. } => JetError::DATABASE_IN_USE,
            Self::DatabaseLocked { .. } => JetError::DATABASE_LOCKED,
            Self::DatabaseInvalidPath { .. } => JetError::DATABASE_INVALID_PATH,
            Self::TableNotFound { .. } => JetError::OBJECT_NOT_FOUND,
            Self::TableDuplicate { .. } => JetError::TABLE_DUPLICATE,
            Self::TableLocked { .. } => JetError::TABLE_LOCKED,
            Self::TableInUse { .. } => JetError::TABLE_IN_USE,
            Self::SchemaConflict { .. } => JetError::WRITE_CONFLICT,
            Self::ColumnNotFound { .. } => JetError::COLUMN_NOT_FOUND,
            Self::IndexNotFound { .. } => JetError::INDEX_NOT_FOUND,
            Self::Structure { error, .. } => *error,
            Self::Call(e) => e.jet_error(),
            Self::FormatTooLow { .. } => JetError::ENGINE_FORMAT_VERSION_PARAM_TOO_LOW_FOR_REQUESTED_FEATURE,
            Self::FormatTooHigh { .. } => {
                JetError::ENGINE_FORMAT_VERSION_SPECIFIED_TOO_LOW_FOR_DATABASE_VERSION
            }
            Self::TooManySorts { .. } => JetError::TOO_MANY_SORTS,
            Self::Unsupported { .. } => JetError::DISABLED_FUNCTIONALITY,
        }
    }
}
