//! The log of a running instance: its writer, its checkpoint, and the databases whose headers follow it.

mod open;
mod recover;
mod stream_state;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_format::{
    AttachmentEntry, EngineFormatVersion, LogGeneration, LogPosition, LogTime, LogVersion, Signature,
};
use ese_io::{File, Storage};
use ese_log::record::Record;
use ese_log::{AppendOptions, CheckpointError, LogError, LogFile, LogNames, LogSet, LogWriter, RecordBatch};

use parking_lot::Mutex;

use crate::database::AttachedDatabase;
use crate::environment::Environment;
use crate::error::InstanceError;

pub(crate) use open::LogSetup;
use stream_state::StreamState;

/// The log of a running instance.
pub struct InstanceLog {
    environment: Environment,
    writer: LogWriter,
    state: Arc<StreamState>,
    names: LogNames,
    signature: Signature,
    init_position: LogPosition,
    /// Held, so that no second process runs on the same logs.
    lock: Mutex<Option<LockFile>>,
}

/// The file whose lock keeps a second process from the stream. It holds nothing, and goes when it is dropped.
struct LockFile {
    storage: Arc<dyn Storage>,
    file: Arc<dyn File>,
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // A left-over does no harm: only its lock counts.
        let _ = self.storage.remove(self.file.path());
    }
}

impl fmt::Debug for InstanceLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceLog").field("directory", &self.directory()).field("tip", &self.tip()).finish()
    }
}

impl InstanceLog {
    /// Appends a record. It is durable after the next [`flush`](Self::flush).
    ///
    /// # Errors
    /// `LogDown`, `Log`.
    pub fn append(&self, record: &Record<'_>) -> Result<LogPosition, InstanceError> {
        self.append_with(record, AppendOptions::default())
    }

    /// Appends a record as the first of a new generation, after closing the one before.
    ///
    /// # Errors
    /// `LogDown`, `Log`.
    pub fn append_to_new_generation(&self, record: &Record<'_>) -> Result<LogPosition, InstanceError> {
        self.append_with(record, AppendOptions { new_generation: true, ..AppendOptions::default() })
    }

    /// Appends a record, completes its segment, and makes everything durable.
    ///
    /// # Errors
    /// `LogDown`, `Log`.
    pub fn append_and_fill(&self, record: &Record<'_>) -> Result<LogPosition, InstanceError> {
        let position = self.append(record)?;
        self.writer.flush_and_complete().map_err(log_error)?;
        Ok(position)
    }

    fn append_with(&self, record: &Record<'_>, options: AppendOptions) -> Result<LogPosition, InstanceError> {
        let mut batch = RecordBatch::of(record)
            .map_err(|_| InstanceError::Unsupported { what: "a record with a path or text of 64 KiB" })?;
        Ok(self.writer.append(&mut batch, options).map_err(log_error)?.first)
    }

    /// Makes every record appended so far durable.
    ///
    /// # Errors
    /// `LogDown`.
    pub fn flush(&self) -> Result<(), InstanceError> {
        self.writer.flush().map_err(log_error)
    }

    /// Position of the next record.
    #[must_use]
    pub fn tip(&self) -> LogPosition {
        self.writer.tip()
    }

    /// The generation being written.
    #[must_use]
    pub fn generation(&self) -> LogGeneration {
        self.writer.generation()
    }

    /// When the generation being written was created.
    #[must_use]
    pub fn generation_created(&self) -> LogTime {
        self.writer.header().create_time()
    }

    /// Identity of the stream.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.signature
    }

    /// Position of the record of this run's start.
    #[must_use]
    pub fn init_position(&self) -> LogPosition {
        self.init_position
    }

    /// Version of the log being written.
    #[must_use]
    pub fn version(&self) -> LogVersion {
        self.writer.header().version()
    }

    /// Whether the stream's version knows the record of a database's version.
    pub(crate) fn has_version_record(&self) -> bool {
        self.version().has_feature(EngineFormatVersion::SET_DATABASE_VERSION)
    }

    /// Whether nothing can be logged any more.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.writer.down_cause().is_some()
    }

    /// Directory of the logs.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.writer.directory()
    }

    /// How the logs are named.
    #[must_use]
    pub fn names(&self) -> &LogNames {
        &self.names
    }

    /// The log files that are there.
    ///
    /// # Errors
    /// `Log`.
    pub fn discover(&self) -> Result<LogSet, InstanceError> {
        // Either width of names is read, whichever is written.
        let names = LogNames { short_generations: true, ..self.names.clone() };
        Ok(LogSet::discover(&*self.environment.storage, self.directory(), &names)?)
    }

    /// Path of an archived generation: of the file that is there, or the one it would have.
    #[must_use]
    pub fn archived_path(&self, generation: LogGeneration) -> PathBuf {
        let known = self
            .discover()
            .ok()
            .and_then(|set| set.archived.get(&generation).map(|f: &LogFile| f.path.clone()));
        known.unwrap_or_else(|| self.directory().join(self.names.archived(generation)))
    }

    /// The checkpoint as it is on disk.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub fn read_checkpoint(&self) -> Result<LogPosition, CheckpointError> {
        self.state.read(self.signature)
    }

    /// Moves the checkpoint to the tip: nothing that is logged is missing in a database file. Database headers first,
    /// then the checkpoint file.
    ///
    /// # Errors
    /// `LogDown`, or a storage error.
    pub fn advance_checkpoint(&self) -> Result<LogPosition, InstanceError> {
        self.flush()?;
        let position = self.writer.durable_end();
        self.state.advance(position)?;
        Ok(position)
    }

    pub(crate) fn write_checkpoint(
        &self,
        position: LogPosition,
        attachments: Option<&[AttachmentEntry]>,
    ) -> Result<(), InstanceError> {
        Ok(self.state.write(position, attachments)?)
    }

    /// Lets others run on the logs: nothing more is written.
    pub(crate) fn release(&self) {
        self.lock.lock().take();
    }

    /// Whose headers follow the log from now on.
    pub(crate) fn set_databases(&self, databases: Vec<Arc<AttachedDatabase>>) {
        self.state.set_databases(databases);
    }

    /// Remembers, for the checkpoint, where the log was rolled for a backup.
    pub fn remember_backup(&self, full: bool, position: LogPosition, time: LogTime) {
        self.state.remember_backup(full, position, time);
    }
}

fn log_error(error: LogError) -> InstanceError {
    error.into()
}
