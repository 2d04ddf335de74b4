//! Why calls about instances, sessions and whole databases are refused.

use std::path::PathBuf;

use ese_format::JetError;

/// A call that was refused for what it asks, or when it asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The call, or the option, is none that there is in this engine.
    #[error("not available: {what}")]
    NotAvailable {
        /// What.
        what: &'static str,
    },
    /// The call exists and does nothing, in the original too.
    #[error("not implemented: {what}")]
    NotImplemented {
        /// What.
        what: &'static str,
    },
    /// An argument that makes no sense.
    #[error("{what}")]
    InvalidParameter {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A name that is missing, or cannot be one.
    #[error("no name: {what}")]
    InvalidName {
        /// Of what.
        what: &'static str,
    },
    /// Option bits that are unknown, or do not go together.
    #[error("options {bits:#x} cannot be used here, or not together")]
    InvalidFlags {
        /// The bits.
        bits: u32,
    },
    /// A structure of another size than those that there are.
    #[error("no structure has {found} bytes")]
    InvalidBufferSize {
        /// Bytes asked for.
        found: usize,
    },
    /// The answer needs more room.
    #[error("the answer needs {needed} bytes, there are {found}")]
    BufferTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// The database is attached for reading.
    #[error("{} is read-only", path.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// The database was not closed in order.
    #[error("{} was not closed in order", path.display())]
    DirtyDatabase {
        /// The database.
        path: PathBuf,
    },
    /// The file is no database.
    #[error("{} is another kind of file", path.display())]
    WrongFileType {
        /// The file.
        path: PathBuf,
    },
    /// The conversion of the database to this format was not finished.
    #[error("the conversion of {} was not finished", path.display())]
    IncompleteUpgrade {
        /// The database.
        path: PathBuf,
    },
    /// No parameter of sessions has this number.
    #[error("sessions have no parameter {id}")]
    UnknownSessionParameter {
        /// The number.
        id: u32,
    },
    /// No parameter of databases has this number.
    #[error("databases have no parameter {id}")]
    UnknownDatabaseParameter {
        /// The number.
        id: u32,
    },
    /// As many cursors as there may be.
    #[error("the instance has {limit} cursors, as many as it may")]
    OutOfCursors {
        /// How many.
        limit: u64,
    },
    /// As many tables as may be open.
    #[error("the instance has {limit} tables open, as many as it may")]
    TooManyOpenTables {
        /// How many.
        limit: u64,
    },
    /// A callback refused.
    #[error("a callback answered {error}")]
    Callback {
        /// Its number.
        error: JetError,
    },
    /// Local storage needs somebody who is told when it goes.
    #[error("local storage needs a runtime callback")]
    NoRuntimeCallback,
    /// There is local storage already.
    #[error("local storage is set already")]
    LocalStorageSet,
    /// There is no local storage.
    #[error("local storage is not set")]
    LocalStorageNotSet,
    /// The session has a context already.
    #[error("the session has a context already")]
    SessionContextSet,
    /// The session has no context, or another thread has set it.
    #[error("this thread has not set the context of the session")]
    SessionContextNotSet,
    /// The session has a context: somebody uses it.
    #[error("the session is in use: it has a context")]
    SessionInUse,
    /// Versions can only be given up together with the log.
    #[error("changes of databases that are logged are versioned")]
    VersioningNeeded,
    /// A database that is open is not detached by force.
    #[error("databases are not detached by force")]
    ForceDetach,
    /// A snapshot call at the wrong moment.
    #[error("the snapshot is {state}")]
    SnapshotSequence {
        /// How far it is.
        state: &'static str,
    },
    /// The snapshot took too long: writers go on already.
    #[error("the snapshot took longer than it may, and was thawed")]
    SnapshotTimeOut,
    /// A backup, a recovery or another snapshot is on.
    #[error("instance {instance:?} allows no snapshot now")]
    SnapshotNotAllowed {
        /// The instance.
        instance: String,
    },
    /// There is no such snapshot.
    #[error("there is no snapshot {id}")]
    SnapshotUnknown {
        /// Its number.
        id: u64,
    },
    /// The process has several instances already, with the same parameters.
    #[error("the process has several instances already")]
    ParametersAlreadySet,
    /// The process has several instances already, with other parameters.
    #[error("the process has several instances already, with other parameters")]
    ParameterConflict,
    /// Somebody maintains the database already.
    #[error("{} is being maintained already", path.display())]
    MaintenanceRunning {
        /// The database.
        path: PathBuf,
    },
}

impl CallError {
    /// The engine's number.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        match self {
            Self::NotAvailable { .. } => JetError::FEATURE_NOT_AVAILABLE,
            Self::NotImplemented { .. } => JetError::WRN_NYI,
            Self::InvalidParameter { .. } => JetError::INVALID_PARAMETER,
            Self::InvalidName { .. } => JetError::INVALID_NAME,
            Self::InvalidFlags { .. } => JetError::INVALID_GRBIT,
            Self::InvalidBufferSize { .. } => JetError::INVALID_BUFFER_SIZE,
            Self::BufferTooSmall { .. } => JetError::BUFFER_TOO_SMALL,
            Self::ReadOnly { .. } => JetError::DATABASE_FILE_READ_ONLY,
            Self::DirtyDatabase { .. } => JetError::DATABASE_DIRTY_SHUTDOWN,
            Self::WrongFileType { .. } => JetError::FILE_INVALID_TYPE,
            Self::IncompleteUpgrade { .. } => JetError::DATABASE_INCOMPLETE_UPGRADE,
            Self::UnknownSessionParameter { .. } => JetError::INVALID_SESPARAM_ID,
            Self::UnknownDatabaseParameter { .. } => JetError::INVALID_DBPARAM_ID,
            Self::OutOfCursors { .. } => JetError::OUT_OF_CURSORS,
            Self::TooManyOpenTables { .. } => JetError::TOO_MANY_OPEN_TABLES,
            Self::Callback { error } => *error,
            Self::NoRuntimeCallback => JetError::LS_CALLBACK_NOT_SPECIFIED,
            Self::LocalStorageSet => JetError::LS_ALREADY_SET,
            Self::LocalStorageNotSet => JetError::LS_NOT_SET,
            Self::SessionContextSet => JetError::SESSION_CONTEXT_ALREADY_SET,
            Self::SessionContextNotSet => JetError::SESSION_CONTEXT_NOT_SET_BY_THIS_THREAD,
            Self::SessionInUse => JetError::SESSION_IN_USE,
            Self::VersioningNeeded => JetError::CANNOT_DISABLE_VERSIONING,
            Self::ForceDetach => JetError::FORCE_DETACH_NOT_ALLOWED,
            Self::SnapshotSequence { .. } => JetError::OS_SNAPSHOT_INVALID_SEQUENCE,
            Self::SnapshotTimeOut => JetError::OS_SNAPSHOT_TIME_OUT,
            Self::SnapshotNotAllowed { .. } => JetError::OS_SNAPSHOT_NOT_ALLOWED,
            Self::SnapshotUnknown { .. } => JetError::OS_SNAPSHOT_INVALID_SNAP_ID,
            Self::ParametersAlreadySet => JetError::SYSTEM_PARAMS_ALREADY_SET,
            Self::ParameterConflict => JetError::SYSTEM_PARAMETER_CONFLICT,
            Self::MaintenanceRunning { .. } => JetError::DATABASE_ALREADY_RUNNING_MAINTENANCE,
        }
    }
}
