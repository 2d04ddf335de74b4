//! Why recovery stops.

use std::path::PathBuf;

use ese_btree::{PageCacheError, RedoError, UndoError};
use ese_format::{HeaderError, JetError, LogGeneration, LogPosition};
use ese_io::IoError;
use ese_log::{LogError, storage_jet_error};

use crate::BuilderError;

/// Why a database that the log attaches is not available.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeferReason {
    /// No file was found for it.
    Missing,
    /// The file may not be opened.
    AccessDenied,
    /// The file belongs to another log stream.
    ForeignLog,
    /// The file is attached at a later position.
    AttachedLater,
    /// The file is consistent at a later position.
    ConsistentLater,
    /// The file holds changes that were not logged: its signature is another one.
    UnloggedChanges,
    /// The file is another database of an earlier time.
    OtherDatabase,
    /// Its creation was not completed.
    JustCreated,
    /// It is not in the list of databases to restore.
    NotMapped,
}

impl std::fmt::Display for DeferReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "no file was found for it",
            Self::AccessDenied => "its file may not be opened",
            Self::ForeignLog => "its file belongs to another log stream",
            Self::AttachedLater => "its file was attached at a later position",
            Self::ConsistentLater => "its file is consistent at a later position",
            Self::UnloggedChanges => "its file has another signature: it holds changes that were not logged",
            Self::OtherDatabase => "its file is another database of an earlier time",
            Self::JustCreated => "its creation was never completed",
            Self::NotMapped => "it is not among the databases to restore",
        })
    }
}

/// A recovery that failed. The files are those of the moment before, or can be recovered again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// A log cannot be read or does not fit.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A record cannot be replayed.
    #[error(transparent)]
    Redo(#[from] RedoError),
    /// An operation cannot be undone.
    #[error(transparent)]
    Undo(#[from] UndoError),
    /// A page cannot be written.
    #[error(transparent)]
    Cache(#[from] PageCacheError),
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A header cannot be used.
    #[error("{}: {error}", .file.display())]
    Header {
        /// The file.
        file: PathBuf,
        /// Why.
        error: HeaderError,
    },
    /// There is no log at all.
    #[error("no logs of stream {base} in {}", .directory.display())]
    NoLogs {
        /// Where they were looked for.
        directory: PathBuf,
        /// Base name.
        base: String,
    },
    /// The log that was being written is missing.
    #[error("the current log {} is missing; the last archived generation is {last}", .file.display())]
    MissingCurrentLog {
        /// The file.
        file: PathBuf,
        /// Last archived generation.
        last: LogGeneration,
    },
    /// The log of the checkpoint is missing.
    #[error("log generation {generation} of the checkpoint is missing: {}", .file.display())]
    MissingCheckpointLog {
        /// The generation.
        generation: LogGeneration,
        /// The file.
        file: PathBuf,
    },
    /// A log was cut though a later one exists.
    #[error("{}: the log ends abruptly though generation {next} exists", .file.display())]
    AbruptEnd {
        /// The file.
        file: PathBuf,
        /// The next generation.
        next: LogGeneration,
    },
    /// A database needs generations that are not there.
    #[error("{}: log generations {first} to {last} are required; {found}", .database.display())]
    RequiredLogsMissing {
        /// The database.
        database: PathBuf,
        /// First generation required.
        first: LogGeneration,
        /// Last generation required.
        last: LogGeneration,
        /// What is there.
        found: String,
    },
    /// Committed changes of a database are in generations that are not there.
    #[error(
        "{}: log generations up to {committed} hold committed changes; the logs end with {last}. They can be given up explicitly",
        .database.display()
    )]
    CommittedLogsMissing {
        /// The database.
        database: PathBuf,
        /// Last generation with committed changes.
        committed: LogGeneration,
        /// Last generation there.
        last: LogGeneration,
    },
    /// A damaged log holds committed changes that no database file requires.
    #[error("generation {generation} is damaged and holds committed changes of {}: {error}", .database.display())]
    CommittedLogCorrupt {
        /// The database.
        database: PathBuf,
        /// The generation.
        generation: LogGeneration,
        /// The damage.
        error: Box<LogError>,
    },
    /// A database that the log has attached is not available at the end.
    #[error("database {logged}: {reason}")]
    DatabaseMismatch {
        /// Path in the log.
        logged: String,
        /// Why.
        reason: DeferReason,
    },
    /// The file is of this database, and neither older nor newer in a way that the log can explain.
    #[error(
        "{}: consistent at {found}, expected {expected}: a copy from another point of the database's history",
        .database.display()
    )]
    ConsistentTimeMismatch {
        /// The database.
        database: PathBuf,
        /// Position in the log.
        expected: LogPosition,
        /// Position in the header.
        found: LogPosition,
    },
    /// The file was attached at an earlier position than the log says.
    #[error("{}: attached at {found}, expected {expected}", .database.display())]
    AttachedEarlier {
        /// The database.
        database: PathBuf,
        /// Position in the log.
        expected: LogPosition,
        /// Position in the header.
        found: LogPosition,
    },
    /// The file is a copy out of a backup set.
    #[error("{}: a copy from a backup set that was never restored; restore the set", .database.display())]
    BackupCopy {
        /// The database.
        database: PathBuf,
    },
    /// A restore was given a database that is no backup copy.
    #[error("{}: no backup copy: its header names no backup", .database.display())]
    NotABackup {
        /// The database.
        database: PathBuf,
    },
    /// The header's state forbids recovery.
    #[error("{}: state {state} cannot be recovered", .database.display())]
    State {
        /// The database.
        database: PathBuf,
        /// The state's number.
        state: u32,
        /// The engine's number.
        jet: JetError,
    },
    /// The record that creates a database is of an engine that creates it in a way not known here.
    #[error(
        "database {logged}: created by an engine whose way of creation ({version}, {update}) cannot be replayed"
    )]
    CreateVersion {
        /// Path in the log.
        logged: String,
        /// Version in the record.
        version: u16,
        /// Update in the record.
        update: u16,
    },
    /// The first pages of a database, which its log does not hold, cannot be made.
    #[error("{}: {error}", .database.display())]
    Create {
        /// The database.
        database: PathBuf,
        /// Why.
        error: Box<BuilderError>,
    },
    /// The same file is attached twice.
    #[error("{}: attached twice in the log", .database.display())]
    Duplicate {
        /// The database.
        database: PathBuf,
    },
    /// The caller asked to stop.
    #[error("recovery was stopped at {position}; it can be run again")]
    Interrupted {
        /// Where.
        position: LogPosition,
    },
    /// What was asked for cannot be done.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl RecoveryError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Log(error) => error.jet_error(),
            Self::Redo(error) => error.jet_error(),
            Self::Undo(error) => error.jet_error(),
            Self::Cache(error) => error.jet_error(),
            Self::Io(error) => storage_jet_error(error),
            // Met while attaching: the engine reports the unreadable page, not the database.
            Self::Header { error, .. } if error.jet_error() == JetError::DATABASE_CORRUPTED => {
                JetError::READ_VERIFY_FAILURE
            }
            Self::Header { error, .. } => error.jet_error(),
            Self::NoLogs { .. } | Self::MissingCurrentLog { .. } | Self::MissingCheckpointLog { .. } => {
                JetError::MISSING_LOG_FILE
            }
            Self::AbruptEnd { .. } => JetError::REDO_ABRUPT_ENDED,
            Self::RequiredLogsMissing { .. } => JetError::REQUIRED_LOG_FILES_MISSING,
            Self::CommittedLogsMissing { .. } => JetError::COMMITTED_LOG_FILES_MISSING,
            Self::CommittedLogCorrupt { .. } => JetError::COMMITTED_LOG_FILE_CORRUPT,
            Self::DatabaseMismatch { reason: DeferReason::AccessDenied, .. } => JetError::ACCESS_DENIED,
            Self::DatabaseMismatch { .. } | Self::AttachedEarlier { .. } => {
                JetError::ATTACHED_DATABASE_MISMATCH
            }
            Self::ConsistentTimeMismatch { .. } => JetError::CONSISTENT_TIME_MISMATCH,
            Self::BackupCopy { .. } => JetError::SOFT_RECOVERY_ON_BACKUP_DATABASE,
            Self::NotABackup { .. } => JetError::RESTORE_OF_NON_BACKUP_DATABASE,
            Self::State { jet, .. } => *jet,
            Self::Create { error, .. } => error.jet_error(),
            Self::CreateVersion { .. } => JetError::INVALID_CREATE_DB_VERSION,
            Self::Duplicate { .. } => JetError::DATABASE_DUPLICATE,
            Self::Interrupted { .. } => JetError::TERM_IN_PROGRESS,
            Self::Unsupported(_) => JetError::INVALID_PARAMETER,
        }
    }
}
