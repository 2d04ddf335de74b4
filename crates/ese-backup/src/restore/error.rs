//! Everything that can go wrong with a restore, and the engine's number for it.

use std::path::PathBuf;

use ese_format::{HeaderError, JetError, LogGeneration, PageNumber, PageVerdict};
use ese_instance::InstanceError;
use ese_instance::recovery::RecoveryError;
use ese_io::IoError;
use ese_log::LogError;
use ese_log::storage_jet_error;

use crate::error::BackupError;

/// A failed restore. The set is as it was; what was to be restored over is as it was.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A failed storage call.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Replaying the logs failed.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// A database cannot be used.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// Copying failed.
    #[error(transparent)]
    Copy(#[from] BackupError),
    /// There is no backup set.
    #[error("{} holds no backup set: no archived log, neither there nor in `new` or `old`", path.display())]
    SetNotFound {
        /// The directory looked at.
        path: PathBuf,
    },
    /// Several log streams lie in the set's directory.
    #[error("{} holds logs of several streams: {names}", path.display())]
    SeveralStreams {
        /// The directory.
        path: PathBuf,
        /// Their base names.
        names: String,
    },
    /// No patch file tells which databases belong to the set.
    #[error("{} holds no patch file (*.pat): which databases belong to the set cannot be told", path.display())]
    PatchFileMissing {
        /// The directory of the set.
        path: PathBuf,
    },
    /// A database of the set is missing.
    #[error("the set in {} names a database {name:?} and does not hold it", path.display())]
    DatabaseMissing {
        /// The directory of the set.
        path: PathBuf,
        /// Name without extension.
        name: String,
    },
    /// A log inside the set's range is missing.
    #[error("log {generation} of the set is missing: {}", path.display())]
    LogMissing {
        /// Where it should be.
        path: PathBuf,
        /// Its generation.
        generation: LogGeneration,
    },
    /// A log of the set belongs to another stream.
    #[error("{} belongs to another log stream than the logs before it", path.display())]
    SetLogSignature {
        /// The log.
        path: PathBuf,
    },
    /// A log of the set does not continue the one before.
    #[error("{} does not continue the log before it", path.display())]
    SetLogNotContiguous {
        /// The log.
        path: PathBuf,
        /// Its generation by name.
        generation: LogGeneration,
    },
    /// A log's header names another generation than its name.
    #[error("{} holds generation {found}, its name says {expected}", path.display())]
    GenerationMismatch {
        /// The log.
        path: PathBuf,
        /// By name.
        expected: LogGeneration,
        /// By header.
        found: LogGeneration,
    },
    /// A log in the log directory belongs to another stream than the set.
    #[error("{} belongs to another log stream than the set", path.display())]
    ExistingLogSignature {
        /// The log.
        path: PathBuf,
    },
    /// Logs in the log directory do not chain with each other or with the set.
    #[error("{} continues neither the set nor the log before it", path.display())]
    ExistingLogNotContiguous {
        /// The log.
        path: PathBuf,
    },
    /// A log between the set and the logs in the log directory is missing.
    #[error("log {generation} is missing between the set and the logs in {}", directory.display())]
    MissingCurrentLogs {
        /// The log directory.
        directory: PathBuf,
        /// The missing generation.
        generation: LogGeneration,
    },
    /// Neither copy of a database's header is valid, or it is no database.
    #[error("{}: {error}", path.display())]
    DatabaseHeader {
        /// The database of the set.
        path: PathBuf,
        /// What is wrong.
        error: HeaderError,
    },
    /// The file ends before its trailer page.
    #[error("{} has {found} bytes, too few for a database with a trailer page", path.display())]
    DatabaseTooShort {
        /// The database of the set.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// The database is no copy of a backup.
    #[error("{} is not a copy made by a backup", path.display())]
    NotABackup {
        /// The database of the set.
        path: PathBuf,
    },
    /// The trailer page is damaged.
    #[error("{}: {error}", path.display())]
    BadTrailer {
        /// The database of the set.
        path: PathBuf,
        /// What is wrong.
        error: HeaderError,
    },
    /// The trailer page, or the logs, belong to another copy.
    #[error("{}: {error}", path.display())]
    TrailerMismatch {
        /// The database of the set.
        path: PathBuf,
        /// What differs.
        error: HeaderError,
    },
    /// The set's logs begin too late for the database.
    #[error("{} needs logs from generation {required} on, the set begins with {found}", path.display())]
    StartTooHigh {
        /// The database of the set.
        path: PathBuf,
        /// First generation needed.
        required: LogGeneration,
        /// First generation of the set.
        found: LogGeneration,
    },
    /// The set's logs end too early for the database.
    #[error("{} needs logs up to generation {required}, the set ends with {found}", path.display())]
    EndTooLow {
        /// The database of the set.
        path: PathBuf,
        /// Last generation needed.
        required: LogGeneration,
        /// Last generation of the set.
        found: LogGeneration,
    },
    /// A page of a database is damaged.
    #[error("{}, page {page}: {verdict}", path.display())]
    Page {
        /// The database of the set.
        path: PathBuf,
        /// The page.
        page: PageNumber,
        /// What its checksums say.
        verdict: PageVerdict,
    },
    /// A file is not what the set's manifest says.
    #[error("{} is not what the manifest of the set says: {what} {found} instead of {expected}", path.display())]
    ManifestMismatch {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: ManifestDifference,
        /// By manifest.
        expected: String,
        /// Found.
        found: String,
    },
    /// A path cannot be used.
    #[error("{} cannot be used: {reason}", path.display())]
    InvalidPath {
        /// The path.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("the restore was asked to stop")]
    Stopped,
}

/// In what a file differs from its entry in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestDifference {
    /// It is missing.
    Presence,
    /// Its length.
    Size,
    /// Its checksum.
    Checksum,
}

impl std::fmt::Display for ManifestDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Presence => "it is",
            Self::Size => "size is",
            Self::Checksum => "CRC-32C is",
        })
    }
}

impl RestoreError {
    /// The engine's number: the one table of restores.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Io(error) => storage_jet_error(error),
            Self::Log(error) => error.jet_error(),
            Self::Recovery(error) => error.jet_error(),
            Self::Instance(error) => error.jet_error(),
            Self::Copy(error) => error.jet_error(),
            // A gap inside the set is "file not found" in the running engine, not the number meant for it.
            Self::SetNotFound { .. } | Self::LogMissing { .. } => JetError::FILE_NOT_FOUND,
            Self::SeveralStreams { .. } => JetError::INVALID_PARAMETER,
            Self::PatchFileMissing { .. } => JetError::PATCH_FILE_MISSING,
            Self::DatabaseMissing { .. } => JetError::ATTACHED_DATABASE_MISMATCH,
            Self::SetLogSignature { .. } => JetError::GIVEN_LOG_FILE_HAS_BAD_SIGNATURE,
            Self::SetLogNotContiguous { .. } => JetError::GIVEN_LOG_FILE_IS_NOT_CONTIGUOUS,
            Self::GenerationMismatch { .. } => JetError::LOG_GENERATION_MISMATCH,
            Self::ExistingLogSignature { .. } => JetError::EXISTING_LOG_FILE_HAS_BAD_SIGNATURE,
            Self::ExistingLogNotContiguous { .. } => JetError::EXISTING_LOG_FILE_IS_NOT_CONTIGUOUS,
            Self::MissingCurrentLogs { .. } => JetError::MISSING_CURRENT_LOG_FILES,
            Self::DatabaseHeader { error: error @ HeaderError::PageSizeMismatch { .. }, .. } => {
                error.jet_error()
            }
            Self::DatabaseHeader { .. } | Self::DatabaseTooShort { .. } => JetError::DATABASE_CORRUPTED,
            Self::NotABackup { .. } => JetError::RESTORE_OF_NON_BACKUP_DATABASE,
            Self::BadTrailer { .. } => JetError::BAD_PATCH_PAGE,
            Self::TrailerMismatch { .. } => JetError::DATABASE_PATCH_FILE_MISMATCH,
            Self::StartTooHigh { .. } => JetError::STARTING_RESTORE_LOG_TOO_HIGH,
            Self::EndTooLow { .. } => JetError::ENDING_RESTORE_LOG_TOO_LOW,
            Self::Page { verdict, .. } => verdict.jet_error().unwrap_or(JetError::READ_VERIFY_FAILURE),
            Self::ManifestMismatch { what: ManifestDifference::Presence, .. } => JetError::FILE_NOT_FOUND,
            Self::ManifestMismatch { .. } => JetError::READ_VERIFY_FAILURE,
            Self::InvalidPath { .. } => JetError::INVALID_PATH,
            Self::Stopped => JetError::BACKUP_ABORT_BY_SERVER,
        }
    }
}
