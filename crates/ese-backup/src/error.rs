//! Everything that can go wrong with a backup, and the engine's number for it.

use std::path::PathBuf;

use ese_format::{JetError, LogGeneration, PageNumber, PageVerdict};
use ese_instance::{BackupInProgress, EntryError, InstanceError};
use ese_io::IoError;
use ese_log::storage_jet_error;
use ese_log::{CheckpointError, LogError};

/// A failed call of a backup.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The instance refused or failed.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// A failed storage call.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A log, or the checkpoint, cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The instance does not log.
    #[error("the instance runs without logging: there is nothing a backup could rest on")]
    LoggingDisabled,
    /// Log writing was shut off after an earlier failure.
    #[error("log writing was shut off after an earlier failure")]
    LogDown,
    /// Logs-only backups need logs that are kept.
    #[error("an incremental or surrogate backup is not possible with circular logging")]
    CircularLogging,
    /// The instance is recovering.
    #[error("the instance is recovering")]
    Recovering,
    /// The disk of the logs is full.
    #[error("the disk of the logs is full")]
    LogDiskFull,
    /// Log generation numbers are used up.
    #[error("log generation numbers are used up")]
    LogSequenceEnd,
    /// Options that mean nothing here.
    #[error("options {bits:#x} are not allowed here")]
    InvalidFlags {
        /// The bits.
        bits: u32,
    },
    /// Arguments that mean nothing here.
    #[error("{what}")]
    InvalidParameter {
        /// What is wrong.
        what: &'static str,
    },
    /// A database has no full backup that this logs-only backup could follow.
    #[error("{} has no full backup that an incremental one could follow", database.display())]
    MissingFullBackup {
        /// The database.
        database: PathBuf,
    },
    /// A path cannot be used.
    #[error("{} cannot be used: {reason}", path.display())]
    InvalidPath {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The directory must be empty, or must not hold an atomic set.
    #[error("{} is in the way: {reason}", entry.display())]
    DirectoryNotEmpty {
        /// What is there.
        entry: PathBuf,
        /// Why it is in the way.
        reason: &'static str,
    },
    /// A left-over of an earlier backup cannot be deleted.
    #[error("cannot delete a left-over of an earlier backup: {error}")]
    DeleteFailed {
        /// The storage error.
        error: IoError,
    },
    /// The working directory cannot be made.
    #[error("cannot make the working directory: {error}")]
    MakeDirectoryFailed {
        /// The storage error.
        error: IoError,
    },
    /// No backup is on.
    #[error("no backup is in progress")]
    NoBackup,
    /// Wrong phase, or a file is open.
    #[error("not possible at this point of the backup: {what}")]
    InvalidSequence {
        /// What is wrong.
        what: &'static str,
    },
    /// Somebody asked the backup to stop.
    #[error("the backup was asked to stop")]
    Stopped,
    /// The one file of a backup is open already.
    #[error("a file of this backup is open already")]
    FileOpen,
    /// No such database is attached.
    #[error("{} is not an attached database", path.display())]
    DatabaseNotFound {
        /// The path.
        path: PathBuf,
    },
    /// A page is damaged.
    #[error("{}, page {page}: {verdict}", path.display())]
    Page {
        /// The database.
        path: PathBuf,
        /// The page.
        page: PageNumber,
        /// What its checksums say.
        verdict: PageVerdict,
    },
    /// A log is damaged.
    #[error("{}, segment {segment}: {reason}", path.display())]
    LogVerify {
        /// The log.
        path: PathBuf,
        /// The segment; 0 is the header.
        segment: u32,
        /// What is wrong.
        reason: String,
    },
    /// A file that the backup needs is missing.
    #[error("{} is needed for the backup and missing", path.display())]
    MissingFile {
        /// The file.
        path: PathBuf,
    },
    /// There is no archived log at all.
    #[error("{} holds no archived log", directory.display())]
    NoArchivedLog {
        /// The log directory.
        directory: PathBuf,
    },
    /// Logs may be deleted only after all of the set were read.
    #[error("log {missing} of the set was not read to its end")]
    LogsNotCopied {
        /// The lowest such log.
        missing: LogGeneration,
    },
    /// The set in the directory ends before the logs that are left begin.
    #[error("the set ends at generation {found}, the logs begin at {expected}")]
    NotContiguous {
        /// Lowest log that is left.
        expected: LogGeneration,
        /// Highest log in the directory.
        found: LogGeneration,
    },
    /// Another thread is inside the backup's session.
    #[error("another thread is reading a log of this backup")]
    SessionSharing,
    /// The instance is terminating.
    #[error("the instance is terminating")]
    TermInProgress,
}

impl BackupError {
    /// The engine's number: the one table of backups.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Instance(error) => error.jet_error(),
            Self::Io(error) => storage_jet_error(error),
            Self::Log(error) => error.jet_error(),
            Self::Checkpoint(error) => error.jet_error(),
            Self::LoggingDisabled => JetError::LOGGING_DISABLED,
            Self::LogDown => JetError::LOG_WRITE_FAIL,
            Self::CircularLogging => JetError::INVALID_BACKUP,
            Self::Recovering | Self::InvalidParameter { .. } => JetError::INVALID_PARAMETER,
            Self::LogDiskFull => JetError::LOG_DISK_FULL,
            Self::LogSequenceEnd => JetError::LOG_SEQUENCE_END,
            Self::InvalidFlags { .. } => JetError::INVALID_GRBIT,
            Self::MissingFullBackup { .. } => JetError::MISSING_FULL_BACKUP,
            Self::InvalidPath { .. } => JetError::INVALID_PATH,
            Self::DirectoryNotEmpty { .. } => JetError::BACKUP_DIRECTORY_NOT_EMPTY,
            Self::DeleteFailed { .. } => JetError::DELETE_BACKUP_FILE_FAIL,
            Self::MakeDirectoryFailed { .. } => JetError::MAKE_BACKUP_DIRECTORY_FAIL,
            Self::NoBackup => JetError::NO_BACKUP,
            Self::InvalidSequence { .. } => JetError::INVALID_BACKUP_SEQUENCE,
            Self::Stopped => JetError::BACKUP_ABORT_BY_SERVER,
            Self::FileOpen => JetError::OUT_OF_MEMORY,
            Self::DatabaseNotFound { .. } => JetError::DATABASE_NOT_FOUND,
            Self::Page { verdict, .. } => verdict.jet_error().unwrap_or(JetError::READ_VERIFY_FAILURE),
            Self::LogVerify { .. } => JetError::LOG_READ_VERIFY_FAILURE,
            Self::MissingFile { .. } => JetError::MISSING_FILE_TO_BACKUP,
            Self::NoArchivedLog { .. } => JetError::FILE_NOT_FOUND,
            Self::LogsNotCopied { .. } => JetError::LOG_FILE_NOT_COPIED,
            Self::NotContiguous { .. } => JetError::INVALID_LOG_SEQUENCE,
            Self::SessionSharing => JetError::SESSION_SHARING_VIOLATION,
            Self::TermInProgress => JetError::TERM_IN_PROGRESS,
        }
    }
}

impl From<EntryError> for BackupError {
    fn from(error: EntryError) -> Self {
        Self::Instance(error.into())
    }
}

impl From<BackupInProgress> for BackupError {
    fn from(error: BackupInProgress) -> Self {
        Self::Instance(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ese_instance::BackupOccupant;

    #[test]
    fn numbers() {
        let refused = |occupant| BackupError::from(BackupInProgress { occupant }).jet_error().0;
        assert_eq!(refused(BackupOccupant::Ordinary), -505);
        assert_eq!(refused(BackupOccupant::Surrogate), -617);
        let path = PathBuf::from("x");
        let device = IoError::new(ese_io::Operation::Read, ese_io::IoErrorKind::Device, "x");
        let verdict = PageVerdict::Uninitialized;
        let all: [(BackupError, i32); 24] = [
            (EntryError::NotInitialized.into(), -1029),
            (device.clone().into(), -1022),
            (BackupError::LoggingDisabled, -516),
            (BackupError::LogDown, -510),
            (BackupError::CircularLogging, -526),
            (BackupError::Recovering, -1003),
            (BackupError::LogDiskFull, -529),
            (BackupError::LogSequenceEnd, -519),
            (BackupError::InvalidFlags { bits: 2 }, -900),
            (BackupError::InvalidParameter { what: "" }, -1003),
            (BackupError::MissingFullBackup { database: path.clone() }, -560),
            (BackupError::InvalidPath { path: path.clone(), reason: String::new() }, -1023),
            (BackupError::DirectoryNotEmpty { entry: path.clone(), reason: "" }, -504),
            (BackupError::DeleteFailed { error: device.clone() }, -524),
            (BackupError::MakeDirectoryFailed { error: device }, -525),
            (BackupError::NoBackup, -520),
            (BackupError::InvalidSequence { what: "" }, -521),
            (BackupError::Stopped, -801),
            (BackupError::FileOpen, -1011),
            (BackupError::DatabaseNotFound { path: path.clone() }, -1203),
            (BackupError::Page { path: path.clone(), page: PageNumber(1), verdict }, -1019),
            (BackupError::LogVerify { path: path.clone(), segment: 0, reason: String::new() }, -612),
            (BackupError::MissingFile { path }, -569),
            (BackupError::SessionSharing, -1910),
        ];
        for (error, number) in all {
            assert_eq!(error.jet_error().0, number, "{error}");
        }
    }
}
