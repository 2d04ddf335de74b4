//! A backup through the streaming calls: the phases of one backup of one instance.
//!
//! ```text
//!             begin (full)                  log info, truncate info
//! NotStarted ------------> Databases ------------------------------> LogsAndPatches
//!     ^                    |  ^                                        |  ^
//!     |                    v  | open, read, close a database;          v  | open, read, close a log;
//!     |                       | attach info                               | truncate
//!     +---- end (normal or abort), an error in the log phase, or termination
//!             begin (incremental): NotStarted -> LogsAndPatches directly
//! ```
//!
//! The directory form is a client of these calls; there is one copy loop.

mod begin;
mod end;
mod files;
mod logs;
mod open_database;
mod open_log;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use ese_format::{BackupInfo, BackupInfoKind, LogPosition, LogTime};
use ese_instance::{BackupOwner, EntryError, EventId, Instance, InstanceState};
use ese_log::record::{Backup2, BackupMethod, BackupPhase, BackupScope, DatabaseSlot, Record};
use parking_lot::Mutex;

use crate::error::BackupError;

pub use files::{FileHandle, OpenedFile};
pub use logs::LogInfo;
pub use open_database::ReadRetries;

use open_database::OpenDatabase;
use open_log::OpenLog;

/// How a backup reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Attempts after a page that cannot be read or verified.
    pub retries: ReadRetries,
    /// Whether pages are verified. Off is for measuring only.
    pub verify: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { retries: ReadRetries::ENGINE, verify: true }
    }
}

/// The backup of one instance, whether one is on or not. The calls answer in the engine's order of errors.
pub struct BackupContext {
    instance: Instance,
    options: ReadOptions,
    state: Mutex<Option<State>>,
    stop: Arc<AtomicBool>,
    /// The session that reads logs: one thread at a time.
    session: Mutex<()>,
    this: Weak<Self>,
}

impl std::fmt::Debug for BackupContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackupContext").field("instance", &self.instance).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Databases,
    LogsAndPatches,
}

/// What sort of backup is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Full,
    Incremental,
    /// A full backup for the engine's own use, with events of its own.
    InternalCopy,
}

impl Kind {
    fn is_full(self) -> bool {
        matches!(self, Self::Full | Self::InternalCopy)
    }
}

/// Everything that is known of a backup that is on.
struct State {
    kind: Kind,
    /// What headers say about how it was made.
    made_by: BackupInfoKind,
    /// Whether the client may open files: not in a surrogate backup.
    phase: Phase,
    /// Identity of the set: the tip of the log at the begin of a full backup, the roll of an incremental one.
    mark: LogPosition,
    mark_time: LogTime,
    /// Generations of the set, half-open; empty until known.
    copy: Range<u32>,
    /// Generations that may be deleted, half-open.
    delete: Range<u32>,
    /// The log was rolled for this backup, and the ranges are known.
    prepared: bool,
    truncated: bool,
    /// Logs read to their ends.
    logs_read: BTreeSet<u32>,
    /// Databases of this backup by slot, and whether they were read to their ends.
    databases: BTreeMap<u8, bool>,
    open: Option<Open>,
}

/// The one file that a backup can have open.
#[derive(Clone)]
enum Open {
    Database(Arc<OpenDatabase>),
    Log(Arc<OpenLog>),
    Patch,
}

impl State {
    fn info(&self) -> BackupInfo {
        BackupInfo {
            mark: self.mark,
            time: self.mark_time,
            low_generation: self.copy.start,
            high_generation: self.copy.end.saturating_sub(1),
        }
    }

    fn scope(&self) -> BackupScope {
        match (self.kind.is_full(), self.truncated) {
            (true, true) => BackupScope::FULL,
            (true, false) => BackupScope::COPY,
            (false, true) => BackupScope::INCREMENTAL,
            (false, false) => BackupScope::DIFFERENTIAL,
        }
    }
}

/// Why a backup ends.
#[derive(Clone, Debug)]
enum Ending {
    Normal { header_update: bool },
    ByCaller,
    ByEngine,
    Failed(ese_format::JetError),
}

impl BackupContext {
    /// The backup of `instance`.
    #[must_use]
    pub fn new(instance: &Instance, options: ReadOptions) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            instance: instance.clone(),
            options,
            state: Mutex::new(None),
            stop: Arc::new(AtomicBool::new(false)),
            session: Mutex::new(()),
            this: Weak::clone(this),
        })
    }

    /// The instance.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Asks a backup that is on to stop: its next call fails. Without a backup it does nothing.
    #[doc(alias = "JetStopBackupInstance")]
    #[doc(alias = "JetStopBackup")]
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was asked for, or termination has begun.
    pub(crate) fn check_stop(&self) -> Result<(), BackupError> {
        if self.stop.load(Ordering::SeqCst) {
            return Err(BackupError::Stopped);
        }
        if self.instance.state().term_in_progress { Err(BackupError::TermInProgress) } else { Ok(()) }
    }

    /// Identity of the backup that is on.
    pub(crate) fn mark(&self) -> LogPosition {
        self.state.lock().as_ref().map_or(LogPosition::NONE, |s| s.mark)
    }

    /// Door check of every call after begin.
    fn enter(&self) -> Result<ese_instance::ApiCall, EntryError> {
        self.instance.enter(InstanceState::check_call)
    }

    /// Runs `work` on the backup that is on.
    fn with_state<R>(
        &self,
        work: impl FnOnce(&mut State) -> Result<R, BackupError>,
    ) -> Result<R, BackupError> {
        let mut guard = self.state.lock();
        let state = guard.as_mut().ok_or(BackupError::NoBackup)?;
        self.check_stop()?;
        work(state)
    }

    fn report(&self, id: EventId, parameters: impl IntoIterator<Item = String>) {
        self.instance.events().report(id, parameters);
    }

    /// Appends the record of a step. Its failure matters only where the log rolls.
    fn append_step(&self, phase: BackupPhase, scope: BackupScope, database: u8, details: BackupInfo) {
        let record = step_record(phase, scope, database, details);
        if let Err(error) = self.instance.append(&record) {
            tracing::debug!(%error, "backup step not logged");
        }
    }

    fn now(&self) -> LogTime {
        self.instance.environment().now()
    }
}

fn step_record(phase: BackupPhase, scope: BackupScope, database: u8, details: BackupInfo) -> Record<'static> {
    Record::Backup2(Backup2 {
        phase,
        method: BackupMethod::STREAMING,
        scope,
        database: DatabaseSlot(database),
        details,
        reserved: 0,
        path: &[],
    })
}

impl BackupOwner for BackupContext {
    fn end_by_engine(&self) {
        self.finish(Ending::ByEngine);
    }
}
