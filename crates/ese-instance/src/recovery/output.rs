//! The end of the log stream, open for the records of undo.

use std::sync::Arc;

use ese_btree::{UndoError, UndoLog};
use ese_format::{AttachmentEntry, EngineFormatVersion, LogGeneration, LogHeader, LogPosition, LogVersion};
use ese_io::{IoError, IoErrorKind, Operation};
use ese_log::record::Record;
use ese_log::{
    AppendOptions, LogEnvironment, LogError, LogSettings, LogWriter, LogWriterParts, RecordBatch, StreamEnd,
};

use super::error::RecoveryError;
use super::gate::{FlushLog, Gate};
use super::replay::Replay;
use super::request::RecoveryMode;

/// Oldest engine whose logs have today's form: what a stream of the old form goes on with.
const OLDEST_SEGMENT_ENGINE: EngineFormatVersion = EngineFormatVersion(7060);

/// The databases that a new generation has to tell of, and has to be told to.
struct Surroundings {
    attachments: Vec<AttachmentEntry>,
    /// Knows which of them are still attached.
    gate: Arc<Gate>,
    checkpoint: LogPosition,
}

impl LogEnvironment for Surroundings {
    fn attachments(&self, generation: LogGeneration) -> Vec<AttachmentEntry> {
        let start = LogPosition::new(generation.0, 0, 0);
        let open = self.gate.headers();
        let attached = |entry: &&AttachmentEntry| {
            entry.fixed.attach_position() < start
                && open.iter().any(|(slot, _)| slot.0 == entry.fixed.database_id())
        };
        self.attachments.iter().filter(attached).cloned().collect()
    }

    fn checkpoint(&self) -> LogPosition {
        self.checkpoint
    }

    fn generation_opened(&self, header: &LogHeader) -> Result<(), LogError> {
        for (_, file) in self.gate.headers() {
            file.enter_generation(header.generation(), header.create_time());
            file.write()?;
        }
        Ok(())
    }
}

/// A log writer that takes the records of undo.
#[derive(Clone)]
pub(super) struct RecoveryLog {
    writer: Arc<LogWriter>,
}

impl RecoveryLog {
    /// Generation being written.
    pub(super) fn header(&self) -> LogHeader {
        self.writer.header()
    }

    /// Appends a record of recovery itself.
    pub(super) fn log(&self, record: &Record<'_>) -> Result<LogPosition, RecoveryError> {
        let mut batch = RecordBatch::of(record).map_err(UndoError::Encode)?;
        Ok(self.writer.append(&mut batch, AppendOptions::default())?.last)
    }

    /// Makes everything durable and fills the segment begun.
    pub(super) fn flush_and_complete(&self) -> Result<(), RecoveryError> {
        Ok(self.writer.flush_and_complete()?)
    }

    /// What makes records durable before pages are written.
    pub(super) fn flusher(&self) -> Arc<FlushLog> {
        let writer = Arc::clone(&self.writer);
        Arc::new(move |position| {
            // Records that were replayed are on disk; only those of undo wait.
            if position < writer.durable_end() {
                return Ok(());
            }
            writer.flush_to(position).map_err(|error| match error {
                LogError::Storage(error) => error,
                other => {
                    let mut error =
                        IoError::new(Operation::Write, IoErrorKind::Device, writer.current_path());
                    error.detail = Some(other.to_string());
                    error
                }
            })
        })
    }
}

impl UndoLog for RecoveryLog {
    fn append(&mut self, record: &Record<'_>) -> Result<LogPosition, UndoError> {
        let mut batch = RecordBatch::of(record)?;
        match self.writer.append(&mut batch, AppendOptions::default()) {
            Ok(appended) => Ok(appended.last),
            Err(error) => Err(UndoError::Log { jet: error.jet_error(), message: error.to_string() }),
        }
    }
}

impl Replay<'_> {
    /// Attachments as they are at the end of redo.
    pub(super) fn attachment_list(&self) -> Vec<AttachmentEntry> {
        self.attached()
            .map(|(slot, header)| {
                let state = header.state.lock();
                let mut entry = AttachmentEntry::new(slot.slot.0, &slot.logged);
                let counters = self.redo.database(slot.slot);
                let fixed = &mut entry.fixed;
                fixed.set_db_time(counters.map_or(state.header.db_time(), |d| d.db_time));
                fixed.set_last_object_id(counters.map_or(state.header.last_object_id(), |d| d.last_object));
                fixed.set_max_pages(slot.expected.largest_pages);
                fixed.set_attach_position(state.header.attach_position());
                fixed.set_consistent_position(slot.expected.consistent_position);
                fixed.set_signature(state.header.signature());
                entry
            })
            .collect()
    }

    /// Opens the end of the stream for writing: the current log behind its last segment, or a new generation.
    pub(super) fn open_log(&self, checkpoint: LogPosition) -> Result<RecoveryLog, RecoveryError> {
        let (Some(log), Some(end)) = (&self.last_log, &self.last_end) else {
            return Err(RecoveryError::Unsupported("the end of the log was not reached"));
        };
        let header = log.header();
        let version =
            if header.version().has_segments() { header.version() } else { first_segment_version()? };
        let mut settings = LogSettings::new(self.page_size, version, header.engine_format());
        let segments = header.file_size() / ese_format::LOG_SEGMENT_SIZE as u64;
        settings.file_segments = u16::try_from(segments).unwrap_or(u16::MAX).max(3);
        settings.parameters = header.parameters();
        settings.reserve_logs = 0;
        // Undo must not be refused because redo was long.
        settings.checkpoint_too_deep = u32::MAX;
        let parts = LogWriterParts {
            storage: Arc::clone(&self.environment.storage),
            directory: self.request.log_directory.clone(),
            names: self.request.names.clone(),
            clock: Arc::clone(&self.environment.clock),
            environment: Arc::new(Surroundings {
                attachments: self.attachment_list(),
                gate: Arc::clone(&self.gate),
                checkpoint,
            }),
            settings,
        };
        let stream_end = StreamEnd {
            file: log.path().to_path_buf(),
            header: header.clone(),
            is_current: self.ended_in_current,
            end: end.clone(),
        };
        let writer = if self.ended_in_current {
            LogWriter::resume(parts, &stream_end)?
        } else {
            LogWriter::begin_after(parts, &stream_end)?
        };
        Ok(RecoveryLog { writer: Arc::new(writer) })
    }

    /// Whether it is a restore, as quit records tell it.
    pub(super) fn hard_flag(&self) -> u8 {
        u8::from(matches!(self.request.mode, RecoveryMode::Hard { .. }))
    }
}

fn first_segment_version() -> Result<LogVersion, RecoveryError> {
    OLDEST_SEGMENT_ENGINE
        .versions()
        .map(|versions| versions.log)
        .map_err(|_| RecoveryError::Unsupported("no version for new logs is known"))
}
