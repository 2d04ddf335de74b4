//! What the writer of the log asks the instance, and tells it: attached databases, and the checkpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ese_format::{
    AttachmentEntry, Checkpoint, LogGeneration, LogHeader, LogPosition, LogTime, RawLogParameters, Signature,
};
use ese_io::Storage;
use ese_log::{
    CheckpointError, CheckpointFile, LogEnvironment, LogError, LogEvent, read_checkpoint, repair_checkpoint,
};
use parking_lot::Mutex;

use crate::background::Signal;
use crate::database::{AttachedDatabase, apply_checkpoint, apply_roll};
use crate::environment::Environment;
use crate::error::InstanceError;
use crate::event::{EventId, EventLog};

/// The state of a log stream beside its files: who is attached, and how far the checkpoint is.
pub(super) struct StreamState {
    environment: Environment,
    events: EventLog,
    databases: Mutex<Vec<Arc<AttachedDatabase>>>,
    /// Databases whose record is in the log, and that are not among the others yet.
    announced: Mutex<Vec<AttachmentEntry>>,
    checkpoint: Mutex<CheckpointState>,
    /// Lowest generation that a backup needs.
    backup_floor: Mutex<Option<LogGeneration>>,
    /// A reserve log was used, or could not be made.
    low_on_space: AtomicBool,
    /// Wakes the thread that writes.
    pub(super) signal: Arc<Signal>,
}

struct CheckpointState {
    file: CheckpointFile,
    checkpoint: Checkpoint,
    /// Whether there is one on disk.
    written: bool,
}

impl StreamState {
    /// The state of a stream without databases. The checkpoint on disk goes on, when there is one that can be used.
    pub(super) fn new(
        environment: &Environment,
        path: PathBuf,
        parameters: RawLogParameters,
        events: &EventLog,
    ) -> Self {
        let storage = &*environment.storage;
        let known = read_checkpoint(storage, &path, None).ok();
        if let Some(pair) = &known
            && let Err(error) = repair_checkpoint(storage, &path, pair)
        {
            tracing::debug!(%error, "second copy of the checkpoint not repaired");
        }
        let written = known.is_some();
        let mut checkpoint = known.map(|p| p.checkpoint).unwrap_or_default();
        checkpoint.set_parameters(parameters);
        let file = CheckpointFile::new(path);
        Self {
            environment: environment.clone(),
            events: events.clone(),
            databases: Mutex::default(),
            announced: Mutex::default(),
            checkpoint: Mutex::new(CheckpointState { file, checkpoint, written }),
            backup_floor: Mutex::new(None),
            low_on_space: AtomicBool::new(false),
            signal: Arc::default(),
        }
    }

    fn storage(&self) -> &dyn Storage {
        &*self.environment.storage
    }

    pub(super) fn add_database(&self, database: &Arc<AttachedDatabase>) {
        let mut databases = self.databases.lock();
        databases.retain(|d| d.id() != database.id());
        databases.push(Arc::clone(database));
    }

    /// Headers of new generations name a database that is not known by itself yet.
    pub(super) fn announce(&self, entry: AttachmentEntry) {
        self.announced.lock().push(entry);
    }

    /// The database with this id is known by itself, or will not be.
    pub(super) fn end_announcement(&self, id: u8) {
        self.announced.lock().retain(|entry| entry.fixed.database_id() != id);
    }

    pub(super) fn set_databases(&self, databases: Vec<Arc<AttachedDatabase>>) {
        *self.databases.lock() = databases;
    }

    /// The checkpoint as it is known in memory.
    pub(super) fn position(&self) -> LogPosition {
        self.checkpoint.lock().checkpoint.position()
    }

    /// Whether the disk of the logs was last seen full.
    pub(super) fn is_low_on_space(&self) -> bool {
        self.low_on_space.load(Ordering::Acquire)
    }

    /// The disk has room again.
    pub(super) fn has_space(&self) {
        self.low_on_space.store(false, Ordering::Release);
    }

    pub(super) fn keep_from(&self, generation: Option<LogGeneration>) {
        *self.backup_floor.lock() = generation;
    }

    /// The checkpoint as it is on disk.
    pub(super) fn read(&self, signature: Signature) -> Result<LogPosition, CheckpointError> {
        let path = self.checkpoint.lock().file.path().to_path_buf();
        Ok(read_checkpoint(self.storage(), &path, Some(&signature))?.checkpoint.position())
    }

    /// Moves the checkpoint forward to `position`, up to which everything is durable: database headers first, then the
    /// checkpoint file.
    pub(super) fn advance(&self, position: LogPosition) -> Result<(), InstanceError> {
        let generation = LogGeneration(position.generation);
        let databases = self.databases.lock().clone();
        for database in &databases {
            database.refresh_counters();
        }
        if databases.iter().any(|d| d.header().min_required() < generation) {
            for database in &databases {
                let signature = self.environment.new_signature();
                database.follow_log(signature, |h| apply_checkpoint(h, generation))?;
            }
        }
        // Those attached behind the checkpoint are met in the log.
        let attachments: Vec<_> = databases.iter().filter_map(|d| d.attachment_entry(position)).collect();
        self.write(position, Some(&attachments))?;
        Ok(())
    }

    /// Writes the checkpoint: with the databases attached there, or `None` at the end of a run, where nothing is.
    pub(super) fn write(
        &self,
        position: LogPosition,
        attachments: Option<&[AttachmentEntry]>,
    ) -> Result<(), LogError> {
        let state = &mut *self.checkpoint.lock();
        state.checkpoint.set_position(position);
        state.checkpoint.set_stored_consistency_position(position);
        let refused = |error| LogError::Header { file: state.file.path().to_path_buf(), error };
        state.checkpoint.set_attachments(attachments).map_err(refused)?;
        state.file.write(self.storage(), &state.checkpoint)?;
        state.written = true;
        Ok(())
    }

    /// Makes sure that there is a checkpoint file for this stream.
    pub(super) fn write_if_new(&self, signature: Signature, position: LogPosition) -> Result<(), LogError> {
        {
            let state = &mut *self.checkpoint.lock();
            if state.written && state.checkpoint.signature() == signature {
                return Ok(());
            }
            state.checkpoint.set_signature(signature);
        }
        self.write(position, None)
    }

    /// Remembers where the log was rolled for a backup.
    pub(super) fn remember_backup(&self, full: bool, position: LogPosition, time: LogTime) {
        let checkpoint = &mut self.checkpoint.lock().checkpoint;
        if full {
            let last = checkpoint.position();
            checkpoint.set_last_full_backup_checkpoint(last);
            checkpoint.set_full_backup_position(position);
            checkpoint.set_full_backup_time(time);
        } else {
            checkpoint.set_incremental_backup_position(position);
            checkpoint.set_incremental_backup_time(time);
        }
    }
}

impl LogEnvironment for StreamState {
    fn attachments(&self, generation: LogGeneration) -> Vec<AttachmentEntry> {
        let start = LogPosition::new(generation.0, 0, 0);
        let mut entries: Vec<_> = self.announced.lock().clone();
        entries.retain(|e| e.fixed.attach_position() < start);
        for known in self.databases.lock().iter().filter_map(|d| d.attachment_entry(start)) {
            entries.retain(|e| e.fixed.database_id() != known.fixed.database_id());
            entries.push(known);
        }
        entries.sort_by_key(|e| e.fixed.database_id());
        entries
    }

    fn checkpoint(&self) -> LogPosition {
        self.checkpoint.lock().checkpoint.position()
    }

    fn backup_floor(&self) -> Option<LogGeneration> {
        *self.backup_floor.lock()
    }

    fn stream_begins(&self, signature: &Signature, first: LogPosition) -> Result<(), LogError> {
        {
            let state = &mut *self.checkpoint.lock();
            let parameters = state.checkpoint.parameters();
            state.checkpoint = Checkpoint::default();
            state.checkpoint.set_parameters(parameters);
            state.checkpoint.set_signature(*signature);
        }
        self.write(first, None)
    }

    /// Required ranges are raised in the headers before any record goes into the new generation.
    fn generation_opened(&self, header: &LogHeader) -> Result<(), LogError> {
        for database in self.databases.lock().iter() {
            let signature = self.environment.new_signature();
            database.follow_log(signature, |h| apply_roll(h, header.generation(), header.create_time()))?;
        }
        Ok(())
    }

    fn much_waits(&self) {
        self.signal.raise();
    }

    fn event(&self, event: &LogEvent<'_>) {
        match event {
            LogEvent::Down { directory, error } => self.events.report(
                EventId::LOG_DOWN,
                [directory.display().to_string(), error.jet_error().0.to_string()],
            ),
            other => {
                if matches!(other, LogEvent::LowDiskSpace | LogEvent::DiskFull { .. }) {
                    self.low_on_space.store(true, Ordering::Release);
                }
                tracing::info!(target: "ese::event", event = ?other, "log");
            }
        }
    }
}

/// The parameters as log headers, checkpoints and the record of a start hold them.
pub(super) fn log_parameters(
    set: &crate::parameter::ParameterSet,
    system_path: &Path,
    log_path: &Path,
    log_file_sectors: u32,
) -> RawLogParameters {
    use crate::parameter::ParameterId as P;
    let number = |id| u32::try_from(set.number(id)).unwrap_or(u32::MAX);
    let mut raw = RawLogParameters::default();
    raw.set_paths(&system_path.to_string_lossy(), &log_path.to_string_lossy());
    raw.set_flags(if set.on(P::CIRCULAR_LOG) {
        ese_format::LogParameterFlags::CIRCULAR_LOGGING
    } else {
        ese_format::LogParameterFlags::empty()
    });
    raw.set_max_sessions(number(P::MAX_SESSIONS));
    raw.set_max_open_tables(number(P::MAX_OPEN_TABLES));
    raw.set_max_version_pages(number(P::MAX_VER_PAGES));
    raw.set_max_cursors(number(P::MAX_CURSORS));
    raw.set_log_buffers(number(P::LOG_BUFFERS));
    raw.set_log_file_sectors(log_file_sectors);
    raw.set_max_cache_pages(number(P::CACHE_SIZE_MAX));
    raw
}
