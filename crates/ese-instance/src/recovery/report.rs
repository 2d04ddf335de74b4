//! What recovery did.

use std::path::PathBuf;

use ese_btree::{Divergences, RedoStatistics, UndoStatistics};
use ese_format::{DatabaseState, DbTime, JetError, LogGeneration, LogPosition, LogTime, Signature};

use super::database::HeaderFile;

/// A database at the end of recovery.
#[derive(Clone, Debug)]
pub struct DatabaseOutcome {
    /// Path in the log.
    pub logged: String,
    /// The file.
    pub path: PathBuf,
    /// Its signature.
    pub signature: Signature,
    /// State in its header.
    pub state: DatabaseState,
    /// Highest update counter.
    pub db_time: DbTime,
    /// Position up to which it is consistent.
    pub consistent_position: LogPosition,
    /// First and last generation that it still requires; 0 when clean.
    pub required: (LogGeneration, LogGeneration),
}

impl DatabaseOutcome {
    pub(super) fn of(logged: &str, file: &HeaderFile) -> Self {
        let state = file.state.lock();
        let header = &state.header;
        Self {
            logged: logged.to_owned(),
            path: file.path.clone(),
            signature: header.signature(),
            state: header.state(),
            db_time: header.db_time(),
            consistent_position: header.consistent_position(),
            required: (header.min_required(), header.max_required()),
        }
    }
}

/// How recovery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryResult {
    /// Nothing was to be done: the stream was closed in order.
    AlreadyClean,
    /// Databases are clean.
    Recovered,
    /// Databases are clean; committed changes in missing logs are lost.
    RecoveredWithLoss,
    /// Databases are clean; damaged logs that none of them required were deleted, with the changes in them.
    RecoveredLogsRemoved,
    /// Redo is done, undo was not asked for: databases are dirty.
    RedoneOnly,
    /// Redo is done, undo was not asked for, and databases are clean all the same.
    RedoneOnlyClean,
}

impl RecoveryResult {
    /// The engine's number: success, a warning, or the "error" that tells that undo was left out.
    #[must_use]
    pub fn jet_error(self) -> JetError {
        match self {
            Self::AlreadyClean | Self::Recovered => JetError::SUCCESS,
            Self::RecoveredWithLoss => JetError::WRN_COMMITTED_LOG_FILES_LOST,
            Self::RecoveredLogsRemoved => JetError::WRN_COMMITTED_LOG_FILES_REMOVED,
            Self::RedoneOnly => JetError::RECOVERED_WITHOUT_UNDO,
            Self::RedoneOnlyClean => JetError::RECOVERED_WITHOUT_UNDO_DATABASES_CONSISTENT,
        }
    }
}

/// What recovery did.
#[derive(Clone, Debug)]
pub struct RecoveryReport {
    /// How it ended.
    pub result: RecoveryResult,
    /// Where redo began.
    pub start: LogPosition,
    /// Whether a checkpoint said so.
    pub from_checkpoint: bool,
    /// Last record replayed.
    pub end: LogPosition,
    /// Generations read.
    pub generations: u64,
    /// Bytes of these logs.
    pub log_bytes: u64,
    /// Creation time of the last generation.
    pub last_generation_created: LogTime,
    /// Position of the last commit.
    pub last_commit: Option<LogPosition>,
    /// What redo did.
    pub redo: RedoStatistics,
    /// What undo did, or would have to do where it was left out.
    pub undo: UndoStatistics,
    /// Pages that were not as a scan of another copy of the database had found them. They stop nothing.
    pub divergences: Divergences,
    /// The databases.
    pub databases: Vec<DatabaseOutcome>,
    /// Pages read and written.
    pub pages: (u64, u64),
    /// Most pages that were in memory at a time.
    pub most_buffers: usize,
    /// How often a page that must not be written yet left memory for a file of its own.
    pub spilled_pages: u64,
}
