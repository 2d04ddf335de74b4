//! The log of a running instance: its writer, its checkpoint, and the databases whose headers follow it.

mod open;
mod recover;
mod stream_state;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use ese_btree::live::{ChangeLog, LiveError, LiveTrees};
use ese_format::{
    AttachmentEntry, EngineFormatVersion, LogGeneration, LogPosition, LogTime, LogVersion, Signature,
};
use ese_io::{File, Storage};
use ese_log::record::Record;
use ese_log::{
    AppendOptions, Appended, CheckpointError, LogError, LogFile, LogNames, LogSet, LogWriter, RecordBatch,
};

use parking_lot::Mutex;

use crate::background::Worker;
use crate::database::{AttachedDatabase, apply_roll};
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
    /// Whose changes are logged here; they say how far the checkpoint may go.
    trees: OnceLock<Weak<LiveTrees>>,
    /// Positions that the checkpoint must not pass: databases that are being created.
    holds: Mutex<Vec<LogPosition>>,
    /// Held while the checkpoint moves.
    advancing: Mutex<()>,
    /// Writes what was appended. In front of the lock: what goes first writes no more once that is given up.
    write_behind: Mutex<Option<Worker>>,
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

/// Keeps the checkpoint back.
pub(crate) struct CheckpointHold {
    log: Arc<InstanceLog>,
    position: LogPosition,
}

impl Drop for CheckpointHold {
    fn drop(&mut self) {
        let mut holds = self.log.holds.lock();
        if let Some(place) = holds.iter().position(|p| *p == self.position) {
            holds.swap_remove(place);
        }
    }
}

/// Has headers of new generations name a database whose attachment is in the log, until the log knows the database itself.
pub(crate) struct Announcement {
    state: Arc<StreamState>,
    id: u8,
}

impl Drop for Announcement {
    fn drop(&mut self) {
        self.state.end_announcement(self.id);
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

    /// Appends the record that creates or attaches the database with number `id`, completes its segment, and makes everything
    /// durable. Whoever begins a generation behind the record finds the database announced, with `entry` and the record's
    /// position; the announcement is to be dropped when the database was [added](Self::add_database).
    ///
    /// # Errors
    /// `LogDown`, `Log`.
    pub(crate) fn append_attachment(
        &self,
        record: &Record<'_>,
        id: u8,
        mut entry: AttachmentEntry,
    ) -> Result<(LogPosition, Announcement), InstanceError> {
        let mut batch = batch_of(record)?;
        let announcement = Announcement { state: Arc::clone(&self.state), id };
        // While nobody else can append: no generation begins between the record and this.
        let announce = |position, _: &mut RecordBatch| {
            entry.fixed.set_attach_position(position);
            self.state.announce(entry);
        };
        let appended = self.writer.append_with(&mut batch, AppendOptions::default(), announce);
        let position = appended.map_err(log_error)?.first;
        self.writer.flush_and_complete().map_err(log_error)?;
        Ok((position, announcement))
    }

    fn append_with(&self, record: &Record<'_>, options: AppendOptions) -> Result<LogPosition, InstanceError> {
        let mut batch = batch_of(record)?;
        Ok(self.writer.append(&mut batch, options).map_err(log_error)?.first)
    }

    /// Makes the record at `position`, and all in front of it, durable. Threads that wait share one write.
    ///
    /// # Errors
    /// `LogDown`.
    pub fn flush_to(&self, position: LogPosition) -> Result<(), InstanceError> {
        self.writer.flush_to(position).map_err(log_error)
    }

    /// Whether the disk of the logs has room for new transactions.
    ///
    /// # Errors
    /// `Log` when it is full, until it has room again.
    #[doc(alias = "ErrLGCheckState")]
    pub fn check_space(&self) -> Result<(), InstanceError> {
        // Asking the writer would wait for whoever is writing.
        if !self.state.is_low_on_space() {
            return Ok(());
        }
        self.writer.check_space().map_err(log_error)?;
        self.state.has_space();
        Ok(())
    }

    /// Bytes of log between two positions.
    pub(crate) fn distance(&self, from: LogPosition, to: LogPosition) -> u64 {
        let file = self.writer.settings().file_len();
        let place =
            |p: LogPosition| u64::from(p.generation) * file + u64::from(p.sector) * 4096 + u64::from(p.byte);
        place(to).saturating_sub(place(from))
    }

    /// The position that lies `bytes` of log in front of another, about.
    pub(crate) fn back_from(&self, position: LogPosition, bytes: u64) -> LogPosition {
        let file = self.writer.settings().file_len().max(4096);
        let place = u64::from(position.generation) * file + u64::from(position.sector) * 4096;
        let place = place.saturating_sub(bytes);
        let generation = u32::try_from(place / file).unwrap_or(u32::MAX);
        let sector = u16::try_from(place % file / 4096).unwrap_or(u16::MAX);
        LogPosition::new(generation, sector, 0)
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

    /// Records that begin in front of this position are durable.
    pub(crate) fn durable_end(&self) -> LogPosition {
        self.writer.durable_end()
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

    /// Moves the checkpoint as far as it may go: to the first change of a page that is not in its file, or the begin of the
    /// oldest transaction that has changed something, else to the tip. Database files first, then database headers, then the
    /// checkpoint file.
    ///
    /// # Errors
    /// `LogDown`, `Live`, or a storage error.
    pub fn advance_checkpoint(&self) -> Result<LogPosition, InstanceError> {
        let _advancing = self.advancing.lock();
        self.flush()?;
        // Taken first: what is logged meanwhile lies behind it.
        let tip = self.writer.durable_end();
        let needed = match self.trees.get().and_then(Weak::upgrade) {
            Some(trees) => trees.checkpoint_position()?,
            None => None,
        };
        let held = self.holds.lock().iter().min().copied();
        let position = [needed, held].into_iter().flatten().fold(tip, LogPosition::min);
        let position = position.max(self.state.position());
        self.state.advance(position)?;
        Ok(position)
    }

    /// The checkpoint as it is known in memory.
    pub(crate) fn checkpoint(&self) -> LogPosition {
        self.state.position()
    }

    /// Whose changes are logged here.
    pub(crate) fn set_trees(&self, trees: &Arc<LiveTrees>) {
        let _ = self.trees.set(Arc::downgrade(trees));
    }

    /// Keeps the checkpoint from passing the tip as it is now, as long as the answer lives.
    pub(crate) fn hold_checkpoint(self: &Arc<Self>) -> CheckpointHold {
        let position = self.tip();
        self.holds.lock().push(position);
        CheckpointHold { log: Arc::clone(self), position }
    }

    /// The checkpoint as it is on disk, for a backup that begins: circular logging keeps the logs from there on until
    /// [`end_keeping`](Self::end_keeping).
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub fn begin_keeping(&self) -> Result<LogPosition, CheckpointError> {
        // It does not move meanwhile, and what lies behind it is not recycled.
        let _still = self.advancing.lock();
        let position = self.read_checkpoint()?;
        self.state.keep_from(Some(LogGeneration(position.generation)));
        Ok(position)
    }

    /// No backup needs logs any more.
    pub fn end_keeping(&self) {
        self.state.keep_from(None);
    }

    pub(crate) fn write_checkpoint(
        &self,
        position: LogPosition,
        attachments: Option<&[AttachmentEntry]>,
    ) -> Result<(), InstanceError> {
        Ok(self.state.write(position, attachments)?)
    }

    /// Begins to write on a thread of its own what was appended, where the environment allows threads.
    pub(crate) fn start_writing_behind(self: &Arc<Self>) {
        if !self.environment.threads {
            return;
        }
        let log = Arc::downgrade(self);
        *self.write_behind.lock() = Worker::start("ese log", &self.state.signal, move || {
            let Some(log) = log.upgrade() else { return false };
            // A failure takes the log down; whoever appends or waits is told.
            log.writer.write_behind().is_ok()
        });
    }

    /// Lets others run on the logs: nothing more is written.
    pub(crate) fn release(&self) {
        // Not while the lock is held: the thread may be the last owner.
        let thread = self.write_behind.lock().take();
        drop(thread);
        self.lock.lock().take();
    }

    /// Raises a database's required range to the generation being written, when the log was rolled before it knew of the
    /// database.
    ///
    /// # Errors
    /// A header that cannot be written.
    pub(crate) fn raise_range(&self, database: &AttachedDatabase) -> Result<(), InstanceError> {
        let newest = self.writer.header();
        if database.header().max_committed() < newest.generation() {
            let signature = self.environment.new_signature();
            database.follow_log(signature, |h| apply_roll(h, newest.generation(), newest.create_time()))?;
        }
        Ok(())
    }

    /// The header of one more database follows the log from now on, and headers of new generations name it.
    pub(crate) fn add_database(&self, database: &Arc<AttachedDatabase>) {
        self.state.add_database(database);
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

impl ChangeLog for InstanceLog {
    fn append(
        &self,
        batch: &mut RecordBatch,
        begin: Option<LogGeneration>,
        complete: &mut dyn FnMut(LogPosition, &mut RecordBatch),
    ) -> Result<Appended, LiveError> {
        let options = AppendOptions { new_generation: false, transaction_begin: begin };
        Ok(self.writer.append_with(batch, options, complete)?)
    }

    fn flush_to(&self, position: LogPosition) -> Result<(), LiveError> {
        Ok(self.writer.flush_to(position)?)
    }
}

fn batch_of(record: &Record<'_>) -> Result<RecordBatch, InstanceError> {
    RecordBatch::of(record)
        .map_err(|_| InstanceError::Unsupported { what: "a record with a path or text of 64 KiB" })
}

fn log_error(error: LogError) -> InstanceError {
    error.into()
}
