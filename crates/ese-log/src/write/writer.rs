//! The log writer: append, flush, roll.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ese_format::{AttachmentEntry, LogGeneration, LogHeader, LogPosition, LogTime};
use ese_io::{Clock, Storage};
use parking_lot::Mutex;

use crate::error::LogError;
use crate::naming::LogNames;
use crate::record::RecordKind;

use super::batch::RecordBatch;
use super::buffer::LogBuffer;
use super::depth::{TooDeep, check_depth};
use super::environment::{LogEnvironment, LogEvent};
use super::reserve::{LogSpace, ReservePool};
use super::segment_file::SegmentFile;
use super::settings::LogSettings;

/// What a writer works with.
#[derive(Clone)]
pub struct LogWriterParts {
    /// Where files are.
    pub storage: Arc<dyn Storage>,
    /// The directory of the logs.
    pub directory: PathBuf,
    /// How they are named.
    pub names: LogNames,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The engine around.
    pub environment: Arc<dyn LogEnvironment>,
    /// Everything else.
    pub settings: LogSettings,
}

/// Writes a log stream in the current format.
///
/// Appending copies records into a buffer and says where they stand; [`flush_to`](Self::flush_to) makes them durable. Many
/// threads may do both: while one flushes, others append, and whoever finds his position durable after waiting writes nothing.
///
/// After a failed write the log is *down*: nothing more can be appended or flushed, with `JET_errLogWriteFail`. What was
/// acknowledged as durable is.
pub struct LogWriter {
    pub(super) parts: LogWriterParts,
    /// Locked before `buffer` by whoever needs both.
    pub(super) output: Mutex<Output>,
    pub(super) buffer: Mutex<Buffer>,
    /// Records that begin in front of this position are durable.
    durable: AtomicU64,
}

/// The file being written.
pub(super) struct Output {
    pub file: SegmentFile,
    pub path: PathBuf,
    pub reserves: ReservePool,
    /// When somebody waited for a flush last.
    pub last_flush_ms: Option<i64>,
}

/// What appenders share.
pub(super) struct Buffer {
    pub log: LogBuffer,
    /// The generation in front of it, when its end waits to be written: its successor has no file yet.
    pub closed: Option<ClosedGeneration>,
    /// Header of the newest generation that has a file.
    pub header: LogHeader,
    /// Generation of the checkpoint when it was asked for last.
    pub checkpoint: LogGeneration,
    /// Why nothing can be logged any more.
    pub down: Option<Arc<LogError>>,
}

/// The end of a generation that was closed in memory.
pub(super) struct ClosedGeneration {
    pub log: LogBuffer,
    /// The databases that were attached when it was closed.
    pub attachments: Vec<AttachmentEntry>,
}

/// Where appended records stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Position of the first record.
    pub first: LogPosition,
    /// Position of the last record: flushing to it makes all of them durable.
    pub last: LogPosition,
}

/// How an append is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppendOptions {
    /// Begins a new generation, whose first records these become.
    #[doc(alias = "fLGCreateNewGen")]
    pub new_generation: bool,
    /// Generation in which the transaction of these records began.
    pub transaction_begin: Option<LogGeneration>,
}

impl LogWriter {
    pub(super) fn with_output(
        parts: LogWriterParts,
        file: SegmentFile,
        path: PathBuf,
        header: LogHeader,
        first_sector: u16,
    ) -> Self {
        let generation = header.generation().0;
        let file_segments = header.file_sectors();
        let log = LogBuffer::new(generation, first_sector, file_segments);
        let durable = AtomicU64::new(log.tip().to_u64());
        let settings = &parts.settings;
        let reserves = ReservePool::new(
            parts.directory.clone(),
            parts.names.clone(),
            settings.file_len(),
            settings.reserve_logs,
        );
        Self {
            parts,
            output: Mutex::new(Output { file, path, reserves, last_flush_ms: None }),
            buffer: Mutex::new(Buffer {
                log,
                closed: None,
                header,
                checkpoint: LogGeneration(0),
                down: None,
            }),
            durable,
        }
    }

    /// Appends the records of `batch`, all into one generation. They are not durable yet.
    ///
    /// # Errors
    /// [`LogError::Down`] (`JET_errLogWriteFail`); [`LogError::RecordTooLarge`] (`JET_errLogBufferTooSmall`) for more than a
    /// generation holds; [`LogError::CheckpointTooDeep`] and [`LogError::TransactionTooLong`]. Nothing was appended then.
    #[doc(alias = "ErrLGLogRec")]
    pub fn append(&self, batch: &mut RecordBatch, options: AppendOptions) -> Result<Appended, LogError> {
        self.append_with(batch, options, |_, _| {})
    }

    /// As [`append`](Self::append); `complete` is called exactly once, while nobody else can append and the position of the
    /// first record is fixed, to set what depends on the order of records (such as the number of a commit). It must not
    /// change lengths.
    ///
    /// # Errors
    /// As [`append`](Self::append); `complete` was not called then.
    pub fn append_with(
        &self,
        batch: &mut RecordBatch,
        options: AppendOptions,
        complete: impl FnOnce(LogPosition, &mut RecordBatch),
    ) -> Result<Appended, LogError> {
        if !options.new_generation {
            let mut buffer = self.buffer.lock();
            self.check_append(&mut buffer, batch, options)?;
            if buffer.log.len() <= self.parts.settings.most_waiting()
                && (buffer.log.fits(batch) || self.close_in_memory(&mut buffer, batch))
            {
                return Ok(self.put(&mut buffer, batch, complete));
            }
        }
        // Room has to be made first: that needs the file, which is locked before the buffer.
        let mut output = self.output.lock();
        {
            let mut buffer = self.lock_buffer_of_file(&mut output)?;
            self.check_append(&mut buffer, batch, options)?;
            if options.new_generation || !buffer.log.fits(batch) {
                self.roll_locked(&mut output, &mut buffer)?;
                if !buffer.log.fits(batch) {
                    return Err(self.too_large(batch));
                }
                return Ok(self.put(&mut buffer, batch, complete));
            }
        }
        self.write_out(&mut output, false)?;
        let mut buffer = self.lock_buffer_of_file(&mut output)?;
        self.check_append(&mut buffer, batch, options)?;
        if !buffer.log.fits(batch) {
            self.roll_locked(&mut output, &mut buffer)?;
        }
        Ok(self.put(&mut buffer, batch, complete))
    }

    fn put(
        &self,
        buffer: &mut Buffer,
        batch: &mut RecordBatch,
        complete: impl FnOnce(LogPosition, &mut RecordBatch),
    ) -> Appended {
        let first = buffer.log.tip();
        complete(first, batch);
        let mut last = first;
        buffer.log.append(batch, || self.now(), |position| last = position);
        if self.parts.settings.write_behind && buffer.log.len() > self.parts.settings.buffer_bytes / 4 {
            self.parts.environment.much_waits();
        }
        Appended { first, last }
    }

    fn check_append(
        &self,
        buffer: &mut Buffer,
        batch: &RecordBatch,
        options: AppendOptions,
    ) -> Result<(), LogError> {
        check_up(buffer)?;
        let segments = self.parts.settings.file_segments.min(buffer.header.file_sectors());
        // Only what is large needs a look.
        if batch.byte_len() > usize::from(segments) * 512 && !LogBuffer::new(0, 1, segments).fits(batch) {
            return Err(self.too_large(batch));
        }
        let kind = batch.records().next().and_then(|r| r.first()).map_or(RecordKind::NOP, |&k| RecordKind(k));
        let tip = LogGeneration(buffer.log.generation);
        let limit = self.parts.settings.checkpoint_too_deep;
        // The checkpoint never goes back: when it was near enough some time ago, it is.
        if check_depth(kind, tip, buffer.checkpoint, options.transaction_begin, limit).is_ok() {
            return Ok(());
        }
        let checkpoint = LogGeneration(self.parts.environment.checkpoint().generation);
        buffer.checkpoint = checkpoint;
        check_depth(kind, tip, checkpoint, options.transaction_begin, limit).map_err(
            |too_deep| match too_deep {
                TooDeep::Checkpoint => LogError::CheckpointTooDeep { tip, checkpoint, limit },
                TooDeep::Transaction => LogError::TransactionTooLong {
                    tip,
                    begin: options.transaction_begin.unwrap_or_default(),
                    limit: limit / 2,
                },
            },
        )
    }

    fn too_large(&self, batch: &RecordBatch) -> LogError {
        LogError::RecordTooLarge { len: batch.byte_len(), file_len: self.parts.settings.file_len() }
    }

    /// Makes the record at `position`, and all in front of it, durable.
    ///
    /// # Errors
    /// [`LogError::Down`] (`JET_errLogWriteFail`) when it cannot be; it may be durable nevertheless.
    #[doc(alias = "ErrLGWaitForWrite")]
    pub fn flush_to(&self, position: LogPosition) -> Result<(), LogError> {
        if self.durable_end() > position {
            return Ok(());
        }
        let mut output = self.output.lock();
        // Whoever held the lock may have written it.
        if self.durable_end() > position {
            return Ok(());
        }
        let within = self.parts.settings.complete_within_ms;
        if within > 0 {
            let now = self.parts.clock.unix_ms();
            let last = output.last_flush_ms.replace(now);
            if last.is_some_and(|last| (0..=within).contains(&now.saturating_sub(last))) {
                let mut buffer = self.buffer.lock();
                check_up(&buffer)?;
                if !buffer.log.is_written() {
                    buffer.log.complete_segment();
                }
            }
        }
        self.write_out(&mut output, true)
    }

    /// Makes everything durable that was appended.
    ///
    /// # Errors
    /// As [`flush_to`](Self::flush_to).
    pub fn flush(&self) -> Result<(), LogError> {
        let mut output = self.output.lock();
        self.write_out(&mut output, true)
    }

    /// As [`flush`](Self::flush), and completes the segment being filled first, so that it is never rewritten: at the end
    /// of recovery and of the instance.
    ///
    /// # Errors
    /// As [`flush_to`](Self::flush_to).
    #[doc(alias = "ErrLGWaitAllFlushed")]
    pub fn flush_and_complete(&self) -> Result<(), LogError> {
        let mut output = self.output.lock();
        {
            let mut buffer = self.buffer.lock();
            check_up(&buffer)?;
            if !buffer.log.is_written() {
                buffer.log.complete_segment();
            }
        }
        self.write_out(&mut output, true)
    }

    /// Writes what waits, but for the segment being filled: see [`LogSettings::write_behind`].
    ///
    /// # Errors
    /// As [`flush_to`](Self::flush_to).
    pub fn write_behind(&self) -> Result<(), LogError> {
        let mut output = self.output.lock();
        self.write_out(&mut output, false)
    }

    /// Writes what waits: whole segments, and the incomplete one when `partial` says so.
    pub(super) fn write_out(&self, output: &mut Output, partial: bool) -> Result<(), LogError> {
        let flush = self.lock_buffer_of_file(output)?.log.take(partial);
        // Others append while this is written.
        let Some(flush) = flush else { return Ok(()) };
        let end = flush.end;
        match output.file.write(flush) {
            Ok(memory) => {
                self.set_durable(end);
                self.buffer.lock().log.give_back(memory);
                Ok(())
            }
            Err(error) => Err(self.take_down(&mut self.buffer.lock(), error.into())),
        }
    }

    /// Records that begin in front of this position are durable.
    #[must_use]
    #[doc(alias = "LGFlushTip")]
    pub fn durable_end(&self) -> LogPosition {
        LogPosition::from_u64(self.durable.load(Ordering::Acquire))
    }

    pub(super) fn set_durable(&self, end: LogPosition) {
        self.durable.fetch_max(end.to_u64(), Ordering::AcqRel);
    }

    /// The position of the next record.
    #[must_use]
    #[doc(alias = "LGLogTipWithLock")]
    pub fn tip(&self) -> LogPosition {
        self.buffer.lock().log.tip()
    }

    /// The header of the newest generation that has a file.
    #[must_use]
    pub fn header(&self) -> LogHeader {
        let mut output = self.output.lock();
        match self.lock_buffer_of_file(&mut output) {
            Ok(buffer) => buffer.header.clone(),
            // The log is down, which shows elsewhere.
            Err(_) => self.buffer.lock().header.clone(),
        }
    }

    /// The generation being written.
    #[must_use]
    pub fn generation(&self) -> LogGeneration {
        LogGeneration(self.buffer.lock().log.generation)
    }

    /// The log being written.
    #[must_use]
    pub fn current_path(&self) -> PathBuf {
        let mut output = self.output.lock();
        // Whether that works shows elsewhere: the log is down when it does not.
        drop(self.lock_buffer_of_file(&mut output));
        output.path.clone()
    }

    /// The directory of the logs.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.parts.directory
    }

    /// How the logs are named.
    #[must_use]
    pub fn names(&self) -> &LogNames {
        &self.parts.names
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &LogSettings {
        &self.parts.settings
    }

    /// Why the log is down, if it is.
    #[must_use]
    pub fn down_cause(&self) -> Option<Arc<LogError>> {
        self.buffer.lock().down.clone()
    }

    /// Takes the log down on purpose: nothing more can be appended or flushed. For an engine that found itself broken.
    pub fn stop(&self, cause: LogError) {
        drop(self.take_down(&mut self.buffer.lock(), cause));
    }

    pub(super) fn take_down(&self, buffer: &mut Buffer, cause: LogError) -> LogError {
        if buffer.down.is_none() {
            let event = LogEvent::Down { directory: &self.parts.directory, error: &cause };
            self.parts.environment.event(&event);
        }
        let cause = Arc::clone(buffer.down.get_or_insert_with(|| Arc::new(cause)));
        LogError::Down { cause }
    }

    /// Creates or tidies up the reserve logs; to be called once recovery is over. Best effort.
    pub fn prepare_reserves(&self) {
        let mut output = self.output.lock();
        output.reserves.prepare(&*self.parts.storage);
        self.report_space(&output.reserves, LogSpace::Normal);
    }

    /// Whether new transactions may begin. In need of space the reserve logs are tried to be completed first.
    ///
    /// # Errors
    /// [`LogError::DiskFull`] (`JET_errLogDiskFull`).
    #[doc(alias = "ErrLGCheckState")]
    pub fn check_space(&self) -> Result<(), LogError> {
        let mut output = self.output.lock();
        if output.reserves.space() == LogSpace::Normal || output.reserves.grow(&*self.parts.storage) {
            return Ok(());
        }
        Err(LogError::DiskFull { file: output.path.clone() })
    }

    /// How much room is left for new logs.
    #[must_use]
    pub fn space(&self) -> LogSpace {
        self.output.lock().reserves.space()
    }

    fn report_space(&self, reserves: &ReservePool, before: LogSpace) {
        if before == LogSpace::Normal && reserves.space() != LogSpace::Normal {
            self.parts.environment.event(&LogEvent::LowDiskSpace);
        }
    }

    pub(super) fn now(&self) -> LogTime {
        LogTime::from_unix_ms(self.parts.clock.unix_ms())
    }
}

pub(super) fn check_up(buffer: &Buffer) -> Result<(), LogError> {
    match &buffer.down {
        Some(cause) => Err(LogError::Down { cause: Arc::clone(cause) }),
        None => Ok(()),
    }
}
