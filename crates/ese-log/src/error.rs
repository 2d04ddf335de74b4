//! What can go wrong with logs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_format::{HeaderError, JetError, LogGeneration, LogPosition, LogTime};
use ese_io::IoError;

use crate::context::ReplayContext;
use crate::scan::LogDefect;
use crate::storage_error::storage_jet_error;
use crate::walk::StreamDefect;

/// A failed operation on logs.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file system failed.
    #[error(transparent)]
    Storage(#[from] IoError),
    /// An archived log with five digits where names have eight.
    #[error("{}: archived logs of this stream are named with eight digits", .file.display())]
    ShortName {
        /// The file.
        file: PathBuf,
    },
    /// A header that cannot be used.
    #[error("{}: {error}", .file.display())]
    Header {
        /// The file.
        file: PathBuf,
        /// Why.
        error: HeaderError,
    },
    /// A damaged body. Everything before `position` is valid.
    #[error("{}: damaged at sector {} ({}); data ends at {position}", .file.display(), .defect.sector, .defect.kind.name())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Behind the last valid data.
        position: LogPosition,
        /// What is damaged.
        defect: LogDefect,
        /// What the log was read for.
        context: ReplayContext,
    },
    /// Records that contradict themselves though their segments are intact.
    #[error("{}: {defect} at {position}", .file.display())]
    Records {
        /// The file.
        file: PathBuf,
        /// Position of the record.
        position: LogPosition,
        /// What is wrong.
        defect: StreamDefect,
        /// What the log was read for.
        context: ReplayContext,
    },
    /// A log that is not the one that has to follow.
    #[error("{}: is generation {found} created after {found_previous}, expected generation {expected} created after {expected_previous}", .file.display())]
    Sequence {
        /// The file.
        file: PathBuf,
        /// Generation that has to be here.
        expected: LogGeneration,
        /// Generation of the header.
        found: LogGeneration,
        /// Creation time of the generation before.
        expected_previous: LogTime,
        /// The same by the header.
        found_previous: LogTime,
    },
    /// The header does not repeat the checksum of the generation before.
    #[error("{}: header says {found:#018x} for the segments of the generation before, they give {expected:#018x}", .file.display())]
    SequenceChecksum {
        /// The file.
        file: PathBuf,
        /// XOR of the segment checksums of the generation before.
        expected: u64,
        /// The header's value.
        found: u64,
    },
    /// A log that must not go into a backup.
    #[error("{}: segment {sector} cannot be copied: {reason}", .file.display())]
    CopyVerify {
        /// The file.
        file: PathBuf,
        /// Number of the segment; 0 is the header.
        sector: u16,
        /// Why.
        reason: String,
    },
    /// Nothing can be logged any more since an earlier failure.
    #[error("the log is down: {cause}")]
    Down {
        /// What took it down.
        cause: Arc<LogError>,
    },
    /// No room for another log.
    #[error("{}: no room for another log", .file.display())]
    DiskFull {
        /// The log being written.
        file: PathBuf,
    },
    /// Records that no generation can hold.
    #[error("records of {len} bytes do not fit into a log of {file_len} bytes")]
    RecordTooLarge {
        /// Bytes of the records.
        len: usize,
        /// Length of a log file in bytes.
        file_len: u64,
    },
    /// The checkpoint is too far behind the log being written.
    #[error("generation {tip} is too far from the checkpoint in generation {checkpoint} (limit {limit})")]
    CheckpointTooDeep {
        /// Generation being written.
        tip: LogGeneration,
        /// Generation of the checkpoint.
        checkpoint: LogGeneration,
        /// Generations that may lie between.
        limit: u32,
    },
    /// A transaction that began too long ago.
    #[error(
        "generation {tip} is too far from generation {begin} where the transaction began (limit {limit})"
    )]
    TransactionTooLong {
        /// Generation being written.
        tip: LogGeneration,
        /// Generation in which the transaction began.
        begin: LogGeneration,
        /// Generations that may lie between.
        limit: u32,
    },
    /// No generation number is left.
    #[error("generation {generation} is the last one that a stream can have")]
    SequenceEnd {
        /// The last generation.
        generation: LogGeneration,
    },
    /// A generation is missing though later ones are there.
    #[error("log generation {generation} is missing: {}", .file.display())]
    Missing {
        /// The generation.
        generation: LogGeneration,
        /// The file that should hold it.
        file: PathBuf,
    },
}

impl LogError {
    /// The engine's error number.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Storage(error) => storage_jet_error(error),
            Self::ShortName { .. } => JetError::LOG_GENERATION_MISMATCH,
            Self::Header { error, .. } => error.jet_error(),
            Self::Damaged { defect, context, .. } => defect.kind.jet_error(*context),
            Self::Records { context, .. } => context.corrupt_error(),
            Self::Sequence { .. } => JetError::INVALID_LOG_SEQUENCE,
            Self::SequenceChecksum { .. } => JetError::LOG_SEQUENCE_CHECKSUM_MISMATCH,
            Self::CopyVerify { .. } => JetError::LOG_READ_VERIFY_FAILURE,
            Self::Down { .. } => JetError::LOG_WRITE_FAIL,
            Self::DiskFull { .. } => JetError::LOG_DISK_FULL,
            Self::RecordTooLarge { .. } => JetError::LOG_BUFFER_TOO_SMALL,
            Self::CheckpointTooDeep { .. } => JetError::CHECKPOINT_DEPTH_TOO_DEEP,
            Self::TransactionTooLong { .. } => JetError::TRANSACTION_TOO_LONG,
            Self::SequenceEnd { .. } => JetError::LOG_SEQUENCE_END,
            Self::Missing { .. } => JetError::MISSING_LOG_FILE,
        }
    }

    /// The file that the error is about, where there is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Storage(error) => Some(&error.path),
            Self::ShortName { file }
            | Self::Header { file, .. }
            | Self::Damaged { file, .. }
            | Self::Records { file, .. }
            | Self::Sequence { file, .. }
            | Self::SequenceChecksum { file, .. }
            | Self::CopyVerify { file, .. }
            | Self::DiskFull { file }
            | Self::Missing { file, .. } => Some(file),
            Self::Down { cause } => cause.file(),
            Self::RecordTooLarge { .. }
            | Self::CheckpointTooDeep { .. }
            | Self::TransactionTooLong { .. }
            | Self::SequenceEnd { .. } => None,
        }
    }

    /// The log position that the error is about, where there is one.
    #[must_use]
    pub fn position(&self) -> Option<LogPosition> {
        match self {
            Self::Damaged { position, .. } | Self::Records { position, .. } => Some(*position),
            _ => None,
        }
    }
}
