//! One instance: its life from creation to termination.

mod attach;
mod checkpoint;
pub(crate) mod computed;
mod durable_commit;
mod init;
mod options;
mod paths;
mod restoring;
mod services;
mod stop;
mod temporary;
mod term;

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use ese_btree::live::{LiveCounters, LiveTrees};
use ese_format::{JetError, LogPosition};
use ese_log::record::{DatabaseSlot, Record};
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::background::Worker;
use crate::backup_gate::BackupGate;
use crate::database::AttachedDatabase;
use crate::engine::EngineShared;
use crate::environment::Environment;
use crate::error::InstanceError;
use crate::event::EventLog;
use crate::log::InstanceLog;
use crate::parameter::{ParameterError, ParameterId, ParameterSet, ParameterStage, ParameterValue};
use crate::schema::SchemaEpoch;
use crate::session::SessionTable;
use crate::state::{ApiCall, ApiGate, EntryError, InstanceState};

pub use attach::AttachOptions;
pub(crate) use attach::logged_path;
pub use durable_commit::DurableCommitCallback;
pub use options::{InitFlags, InitOptions, TermMode};
pub(crate) use paths::InstancePaths;
pub(crate) use paths::{absolute as absolute_path, create_directories, database_path};
pub use restoring::RestoringInstance;
use services::Services;
pub use stop::StopServiceFlags;
pub(crate) use temporary::{SortPermit, TEMPORARY_SLOT};

/// An instance of the engine. Clones are handles of the same instance.
///
/// Created by [`Engine::create_instance`](crate::Engine::create_instance); parameters are set before
/// [`initialize`](Self::initialize).
#[derive(Clone)]
pub struct Instance {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    name: String,
    display_name: String,
    environment: Environment,
    engine: Weak<EngineShared>,
    gate: Arc<ApiGate>,
    backup_gate: BackupGate,
    parameters: Mutex<ParameterSet>,
    running: RwLock<Option<Running>>,
    schema_epoch: SchemaEpoch,
    /// Sorts that are going on.
    sorts: Arc<AtomicU64>,
    /// Held while databases come and go.
    slots: Mutex<()>,
    services: Services,
}

/// What exists between `init` and `term`.
struct Running {
    paths: InstancePaths,
    events: EventLog,
    /// `None` when the instance runs without logging.
    log: Option<Arc<InstanceLog>>,
    /// By slot.
    databases: Vec<Arc<AttachedDatabase>>,
    trees: Arc<LiveTrees>,
    sessions: Arc<SessionTable>,
    /// Whether the temporary database is there.
    temporary: bool,
    /// Log bytes behind the tip that the checkpoint may lag.
    checkpoint_depth: u64,
    /// Does what follows commits, where the environment allows threads.
    maintenance: Option<Worker>,
}

impl Running {
    /// Tells the log which headers to keep in step with it.
    fn share_databases(&self) {
        if let Some(log) = &self.log {
            log.set_databases(self.databases.iter().filter(|d| d.is_logged()).cloned().collect());
        }
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("name", &self.shared.name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Instance {
    pub(crate) fn new(
        name: String,
        display_name: String,
        environment: Environment,
        engine: Weak<EngineShared>,
        parameters: ParameterSet,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                name,
                display_name,
                environment,
                engine,
                gate: ApiGate::new(),
                backup_gate: BackupGate::default(),
                parameters: Mutex::new(parameters),
                running: RwLock::new(None),
                schema_epoch: SchemaEpoch::default(),
                sorts: Arc::default(),
                slots: Mutex::new(()),
                services: Services::default(),
            }),
        }
    }

    /// Display name; empty for a nameless instance.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Name for people; empty for none.
    #[must_use]
    pub fn display_name(&self) -> &str {
        &self.shared.display_name
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> InstanceState {
        self.shared.gate.state()
    }

    /// Storage, clock, randomness.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.shared.environment
    }

    /// The lock that backups share with attach and detach.
    #[must_use]
    pub fn backup_gate(&self) -> &BackupGate {
        &self.shared.backup_gate
    }

    /// Lets a call in when `check` allows it; the call leaves when the answer is dropped.
    ///
    /// # Errors
    /// What `check` says.
    pub fn enter(
        &self,
        check: impl Fn(&InstanceState) -> Result<(), EntryError>,
    ) -> Result<ApiCall, EntryError> {
        self.shared.gate.enter(check)
    }

    /// Whether `check` allows a call, for calls of sessions: see [`ApiGate::look`].
    #[inline]
    pub(crate) fn look(
        &self,
        check: impl Fn(&InstanceState) -> Result<(), EntryError>,
    ) -> Result<(), EntryError> {
        self.shared.gate.look(check)
    }

    /// Whether calls of sessions are let in whatever they are; see [`look`](Self::look) for the others.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.shared.gate.is_open()
    }

    /// Makes the instance unavailable: every call but termination is refused from now on.
    pub fn set_fatal(&self, cause: JetError) {
        self.shared.gate.set_fatal(cause);
    }

    /// All parameters in force.
    #[must_use]
    pub fn parameters(&self) -> ParameterSet {
        self.shared.parameters.lock().clone()
    }

    /// The number that a parameter has now; 0 for anything that is none.
    pub(crate) fn parameter_number(&self, id: ParameterId) -> u64 {
        self.shared.parameters.lock().number(id)
    }

    /// Sets a parameter.
    ///
    /// # Errors
    /// Refused at the door, or `Parameter`.
    #[doc(alias = "JetSetSystemParameter")]
    pub fn set_parameter(
        &self,
        id: ParameterId,
        value: impl Into<ParameterValue>,
    ) -> Result<(), InstanceError> {
        let _call = self.enter(InstanceState::check_without_init)?;
        let stage = ParameterStage {
            // Page size and the like belong to the process in the engine; here each instance has its own.
            process_initialized: self.state().initialized,
            instance_initialized: self.state().initialized,
        };
        let mut parameters = self.shared.parameters.lock();
        parameters.set(id, value, stage).map_err(|e: ParameterError| e.into())
    }

    pub(crate) fn put_parameters(&self, values: ParameterSet) {
        *self.shared.parameters.lock() = values;
    }

    /// Keeps a value that was checked elsewhere.
    pub(crate) fn put_parameter(&self, id: ParameterId, value: ParameterValue) {
        self.shared.parameters.lock().put(id, value);
    }

    /// Where events go.
    #[must_use]
    pub fn events(&self) -> EventLog {
        match &*self.shared.running.read() {
            Some(running) => running.events.clone(),
            None => self.new_event_log(),
        }
    }

    fn new_event_log(&self) -> EventLog {
        let parameters = self.shared.parameters.lock();
        EventLog::new(self.shared.name.clone(), self.shared.environment.events.clone()).with_level(
            parameters.on(ParameterId::NO_INFORMATION_EVENT),
            parameters.number(ParameterId::EVENT_LOGGING_LEVEL),
        )
    }

    /// The attached databases, by slot.
    #[must_use]
    pub fn databases(&self) -> Vec<Arc<AttachedDatabase>> {
        self.shared.running.read().as_ref().map(|r| r.databases.clone()).unwrap_or_default()
    }

    /// The log of the instance, or `None` when it runs without, or does not run.
    #[must_use]
    pub fn log(&self) -> Option<Arc<InstanceLog>> {
        self.shared.running.read().as_ref().and_then(|r| r.log.clone())
    }

    /// The trees and sessions of the running instance.
    pub(crate) fn live(&self) -> Option<(Arc<LiveTrees>, Arc<SessionTable>)> {
        let running = self.shared.running.read();
        running.as_ref().map(|r| (Arc::clone(&r.trees), Arc::clone(&r.sessions)))
    }

    /// What pages, versions and log records have cost so far; zeros when the instance does not run.
    #[must_use]
    pub fn counters(&self) -> LiveCounters {
        self.live().map(|(trees, _)| trees.counters()).unwrap_or_default()
    }

    /// Keeps other databases from coming and going.
    pub(crate) fn lock_slots(&self) -> MutexGuard<'_, ()> {
        self.shared.slots.lock()
    }

    /// Forgets a database that could not be created.
    pub(crate) fn remove_database(&self, slot: u8) {
        if let Some(running) = &mut *self.shared.running.write() {
            running.databases.retain(|d| d.id() != slot);
            running.share_databases();
            running.trees.abandon(DatabaseSlot(slot));
        }
    }

    /// Counts the commits that change schemas.
    pub(crate) fn schema_epoch(&self) -> &SchemaEpoch {
        &self.shared.schema_epoch
    }

    /// The slot of an attached database.
    ///
    /// # Errors
    /// `DatabaseInvalidPath`, `DatabaseNotFound`.
    pub(crate) fn slot_of(&self, path: &Path) -> Result<u8, InstanceError> {
        if path.as_os_str().is_empty() {
            return Err(InstanceError::DatabaseInvalidPath { path: path.to_path_buf() });
        }
        let path = paths::absolute(path)?;
        let found = self.databases().into_iter().find(|d| d.path() == path);
        Ok(found.ok_or(InstanceError::DatabaseNotFound { path })?.id())
    }

    fn require_log(&self) -> Result<Arc<InstanceLog>, InstanceError> {
        self.log().ok_or(InstanceError::LoggingDisabled)
    }

    /// Appends a record. It is durable after the next [`flush_log`](Self::flush_log).
    ///
    /// # Errors
    /// `LoggingDisabled`, `LogDown`, `Log`.
    pub fn append(&self, record: &Record<'_>) -> Result<LogPosition, InstanceError> {
        self.require_log()?.append(record)
    }

    /// Appends a record as the first of a new generation, and closes the one before.
    ///
    /// # Errors
    /// `LoggingDisabled`, `LogDown`, `Log`.
    pub fn append_to_new_generation(&self, record: &Record<'_>) -> Result<LogPosition, InstanceError> {
        self.require_log()?.append_to_new_generation(record)
    }

    /// Makes every record appended so far durable.
    ///
    /// # Errors
    /// `LoggingDisabled`, `LogDown`, `Log`.
    pub fn flush_log(&self) -> Result<(), InstanceError> {
        self.require_log()?.flush()
    }

    fn logged_databases(&self) -> Vec<Arc<AttachedDatabase>> {
        self.databases().into_iter().filter(|d| d.is_logged()).collect()
    }

    /// Writes the headers of all logged databases to disk.
    ///
    /// # Errors
    /// A storage error of the first that failed.
    pub fn write_database_headers(&self) -> Result<(), InstanceError> {
        for database in self.logged_databases() {
            database.write_header(self.shared.environment.new_signature())?;
        }
        Ok(())
    }

    /// Moves the checkpoint as far as it may go: see [`InstanceLog::advance_checkpoint`].
    ///
    /// # Errors
    /// `LoggingDisabled`, or a storage error.
    pub fn advance_checkpoint(&self) -> Result<LogPosition, InstanceError> {
        self.require_log()?.advance_checkpoint()
    }
}
