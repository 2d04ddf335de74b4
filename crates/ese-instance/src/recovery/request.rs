//! What is to be recovered, and how far.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_format::{LogGeneration, LogPosition, Signature};
use ese_io::{Clock, Randomness, Storage};
use ese_log::LogNames;

use crate::environment::Environment;

/// Default size of the page cache in bytes.
pub const DEFAULT_CACHE_BYTES: usize = 256 << 20;

/// Default amount of log in bytes between two moves of the checkpoint.
pub const DEFAULT_CHECKPOINT_BYTES: u64 = 64 << 20;

/// Where the databases of a log are now. Logs hold the paths of the machine that wrote them; those are never opened.
#[derive(Clone, Debug, Default)]
pub struct DatabaseLocations {
    /// Databases whose place is told, by the path in the log (compared without case) or by signature.
    pub mapped: Vec<MappedDatabase>,
    /// Directories in which a file of the logged name, or of the logged signature, is taken for the database.
    pub directories: Vec<PathBuf>,
    /// Where a database that the log creates, and that is not mapped, is made. `None`: in the first directory.
    pub new_databases: Option<PathBuf>,
    /// Whether databases that are not mapped are left out. A restore sets it: the set's databases are the map.
    pub only_mapped: bool,
}

/// A database whose place is told.
#[derive(Clone, Debug)]
pub struct MappedDatabase {
    /// The path in the log, whole or only its file name; compared without case.
    pub logged: Option<String>,
    /// The database's signature.
    pub signature: Option<Signature>,
    /// Where it is, or is to be created.
    pub path: PathBuf,
}

impl DatabaseLocations {
    /// Databases in `directory`, by name and signature.
    #[must_use]
    pub fn beside(directory: &Path) -> Self {
        Self { directories: vec![directory.to_path_buf()], ..Self::default() }
    }
}

/// What kind of recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecoveryMode {
    /// After a crash, or replay of logs onto an older copy.
    #[default]
    Soft,
    /// Restore of a streaming backup set with these generations (both inclusive); later ones come from the log
    /// directory.
    Hard {
        /// First generation of the set.
        low: LogGeneration,
        /// Last generation of the set.
        high: LogGeneration,
    },
}

/// What to do when archived logs are there and the log that was being written is not. Where recovery goes on it begins
/// a new generation behind the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingCurrentLog {
    /// `JET_errMissingLogFile`, as at the start of an instance.
    #[default]
    Refuse,
    /// Go on when no database needs a generation behind the last one there, neither required nor committed; else as
    /// [`Refuse`](Self::Refuse).
    WhenCovered,
    /// Go on: the logs that are there are the stream.
    Accept,
}

/// Where redo ends before the end of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopAt {
    /// In front of the first record at or behind this position.
    Position(LogPosition),
    /// In front of the first generation created, or the first timed record written, after this time (milliseconds
    /// since 1970 UTC).
    TimeMs(i64),
}

/// What to recover and how.
#[derive(Clone, Debug)]
pub struct RecoveryRequest {
    /// Directory of the logs; new ones are written there.
    pub log_directory: PathBuf,
    /// Names of the log files.
    pub names: LogNames,
    /// The checkpoint file; it may be missing.
    pub checkpoint: PathBuf,
    /// Directory of a backup set's logs, read before those of the log directory.
    pub set_directory: Option<PathBuf>,
    /// Where the databases are.
    pub locations: DatabaseLocations,
    /// Soft or hard.
    pub mode: RecoveryMode,
    /// Where to stop.
    pub stop_at: Option<StopAt>,
    /// With `stop_at`: cut the log there and delete what is behind, so that undo can follow. For copies.
    pub cut_log: bool,
    /// Redo only: databases stay dirty, open transactions stay open.
    #[doc(alias = "JET_bitRecoveryWithoutUndo")]
    pub without_undo: bool,
    /// Go on though generations with committed changes are missing at the end.
    #[doc(alias = "JET_bitReplayIgnoreLostLogs")]
    pub accept_lost_logs: bool,
    /// Delete damaged logs that no database requires, with those behind them. Needs `accept_lost_logs`.
    #[doc(alias = "JET_paramDeleteOutOfRangeLogs")]
    pub delete_out_of_range_logs: bool,
    /// Leave out databases that the log knows and that cannot be found.
    #[doc(alias = "JET_bitReplayIgnoreMissingDB")]
    pub ignore_missing_databases: bool,
    /// Accept copies out of a backup set that were never restored.
    #[doc(alias = "JET_bitAllowSoftRecoveryOnBackup")]
    pub accept_backup_copies: bool,
    /// What an absent current log means where archived ones are there.
    pub missing_current_log: MissingCurrentLog,
    /// Keep databases attached in the log at the end.
    #[doc(alias = "JET_bitKeepDbAttachedAtEndOfRecovery")]
    pub keep_attached: bool,
    /// Fetch the pages that scans of other copies of the database have logged, and compare them. Otherwise only those in
    /// memory are compared.
    #[doc(alias = "JET_paramEnableDBScanInRecovery")]
    pub compare_scans: bool,
    /// Size of the page cache in bytes.
    pub cache_bytes: usize,
    /// Bytes of log after which pages are written and the checkpoint moves, so that a recovery that is interrupted goes on
    /// from there. 0: only at the end.
    #[doc(alias = "JET_paramCheckpointDepthMax")]
    pub checkpoint_bytes: u64,
    /// Threads: with 1 everything is done in turn, and each run makes the same calls in the same order. With more, one
    /// reads the log ahead, one decides what its records mean, and the others change pages; what is written, and in which
    /// order, stays the same. 0: one for each core when the logs are long enough to be worth it.
    pub threads: usize,
}

impl RecoveryRequest {
    /// Soft recovery of the stream `names` in `directory`, its checkpoint and databases beside it.
    #[must_use]
    pub fn soft(directory: &Path, names: LogNames) -> Self {
        let checkpoint = directory.join(names.checkpoint());
        Self {
            log_directory: directory.to_path_buf(),
            names,
            checkpoint,
            set_directory: None,
            locations: DatabaseLocations::beside(directory),
            mode: RecoveryMode::Soft,
            stop_at: None,
            cut_log: false,
            without_undo: false,
            accept_lost_logs: false,
            delete_out_of_range_logs: false,
            ignore_missing_databases: false,
            accept_backup_copies: false,
            missing_current_log: MissingCurrentLog::Refuse,
            keep_attached: false,
            compare_scans: false,
            cache_bytes: DEFAULT_CACHE_BYTES,
            checkpoint_bytes: DEFAULT_CHECKPOINT_BYTES,
            threads: 0,
        }
    }
}

/// What recovery works with. Everything is changed in place: give it a copy, or an overlay, to leave the input as it is.
#[derive(Clone)]
pub struct RecoveryEnvironment {
    /// The files.
    pub storage: Arc<dyn Storage>,
    /// The time, for headers and records.
    pub clock: Arc<dyn Clock>,
    /// Random numbers, for signatures.
    pub randomness: Arc<dyn Randomness>,
}

impl RecoveryEnvironment {
    /// As [`Environment::repeatable`].
    #[must_use]
    pub fn repeatable(storage: Arc<dyn Storage>, unix_ms: i64, seed: u64) -> Self {
        let Environment { storage, clock, randomness, .. } = Environment::repeatable(storage, unix_ms, seed);
        Self { storage, clock, randomness }
    }
}

/// What recovery is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryPhase {
    /// Looking at logs and databases.
    Start,
    /// Replaying.
    Redo,
    /// Taking back what did not commit.
    Undo,
    /// Writing pages and headers.
    Finish,
}

/// Learns how far recovery is. Libraries report, binaries show.
pub trait RecoveryProgress: Send + Sync {
    /// A phase begins.
    fn phase(&self, phase: RecoveryPhase) {
        let _ = phase;
    }
    /// A generation is opened; so many bytes of logs have been read of about so many.
    fn generation(&self, generation: LogGeneration, done_bytes: u64, total_bytes: u64) {
        let _ = (generation, done_bytes, total_bytes);
    }
    /// Whether recovery should stop. It may be run again at any time.
    fn stop_requested(&self) -> bool {
        false
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRecoveryProgress;

impl RecoveryProgress for NoRecoveryProgress {}
