//! The whole of recovery, and its end: undo, clean headers, the checkpoint.

use std::path::PathBuf;
use std::sync::Arc;

use ese_btree::UndoStatistics;
use ese_format::{AttachmentEntry, LogGeneration, LogPosition, LogTime};
use ese_log::CheckpointFile;
use ese_log::record::{Quit, Record, RecoveryUndo, TimedQuit};

use super::database::raise_counters;
use super::error::RecoveryError;
use super::output::RecoveryLog;
use super::replay::Replay;
use super::report::{DatabaseOutcome, RecoveryReport, RecoveryResult};
use super::request::{
    MissingCurrentLog, RecoveryEnvironment, RecoveryMode, RecoveryPhase, RecoveryProgress, RecoveryRequest,
};
use super::source::LogSource;
use super::start::{Beginning, find_start, read_checkpoint};

/// Operations that are undone before it is worth moving the checkpoint.
const UNDONE_BETWEEN_CHECKPOINTS: u64 = 10_000;

/// Recovers the databases of a log stream in place.
///
/// # Errors
/// [`RecoveryError`]; recovery can be run again after the cause is gone.
#[doc(alias = "JetExternalRestore")]
#[doc(alias = "JetExternalRestore2")]
pub fn recover(
    request: &RecoveryRequest,
    environment: &RecoveryEnvironment,
    progress: &dyn RecoveryProgress,
) -> Result<RecoveryReport, RecoveryError> {
    let outcome = recover_all(request, environment, progress);
    let (storage, spill) = (&*environment.storage, spill_path(request));
    if storage.exists(&spill).is_ok_and(|exists| exists)
        && let Err(error) = storage.remove(&spill)
    {
        tracing::warn!(%error, "a file that is of no use any more stays");
    }
    outcome
}

/// The file for pages that must leave memory and may not be written to their database yet.
pub(super) fn spill_path(request: &RecoveryRequest) -> PathBuf {
    request.log_directory.join(format!("{}redo.tmp", request.names.base))
}

fn recover_all(
    request: &RecoveryRequest,
    environment: &RecoveryEnvironment,
    progress: &dyn RecoveryProgress,
) -> Result<RecoveryReport, RecoveryError> {
    progress.phase(RecoveryPhase::Start);
    let storage = &*environment.storage;
    let mut source = LogSource::open(storage, request)?;
    let start = match find_start(storage, request, &mut source)? {
        Beginning::Clean(position) => return Ok(nothing_to_do(position)),
        Beginning::Start(start) => start,
    };
    let mut replay = Replay::new(request, environment, progress, &start);
    replay.run(&source, &start)?;
    if replay.stopped && !request.without_undo {
        if !request.cut_log {
            return Err(RecoveryError::Unsupported(
                "a stop in front of the end needs the log to be cut there, or recovery without undo",
            ));
        }
        replay.cut_log(&source, replay.stop_position)?;
    }
    let lost = replay.check_ranges().map_err(|error| uncovered(request, &source, error))?;
    let undo = replay.redo.pending_undo();
    let mut result = if replay.removed_logs {
        RecoveryResult::RecoveredLogsRemoved
    } else if lost {
        RecoveryResult::RecoveredWithLoss
    } else {
        RecoveryResult::Recovered
    };
    if request.without_undo {
        result = if replay.attached().next().is_some() {
            RecoveryResult::RedoneOnly
        } else {
            RecoveryResult::RedoneOnlyClean
        };
        replay.leave_dirty()?;
    } else {
        replay.check_deferred()?;
        progress.phase(RecoveryPhase::Undo);
        replay.undo_and_close(start.position)?;
    }
    Ok(replay.report(result, &start, undo))
}

/// Changes of an absent current log are missing: where its absence was accepted only for databases that do not need it,
/// the absence is the error.
fn uncovered(request: &RecoveryRequest, source: &LogSource, error: RecoveryError) -> RecoveryError {
    let headless = source.current.is_none()
        && source.directory.temporary.is_none()
        && request.mode == RecoveryMode::Soft
        && request.missing_current_log == MissingCurrentLog::WhenCovered;
    match (error, source.highest()) {
        (
            RecoveryError::CommittedLogsMissing { .. } | RecoveryError::RequiredLogsMissing { .. },
            Some(last),
        ) if headless => source.missing_current_log(last),
        (error, _) => error,
    }
}

fn nothing_to_do(position: LogPosition) -> RecoveryReport {
    RecoveryReport {
        result: RecoveryResult::AlreadyClean,
        start: position,
        from_checkpoint: true,
        end: position,
        generations: 0,
        log_bytes: 0,
        last_generation_created: ese_format::LogTime::NONE,
        last_commit: None,
        redo: ese_btree::RedoStatistics::default(),
        undo: UndoStatistics::default(),
        divergences: ese_btree::Divergences::default(),
        databases: Vec::new(),
        pages: (0, 0),
        most_buffers: 0,
        spilled_pages: 0,
    }
}

impl Replay<'_> {
    /// Writes pages and headers of databases that stay dirty.
    fn leave_dirty(&mut self) -> Result<(), RecoveryError> {
        let attached: Vec<_> = self.attached().map(|(s, h)| (s.slot, s.logged.clone(), h.clone())).collect();
        for (slot, logged, header) in attached {
            self.redo.cache().flush(slot)?;
            if let Some(database) = self.redo.database(slot).cloned() {
                let mut state = header.state.lock();
                state.count_resizes(&database, &*self.environment.clock);
                raise_counters(&mut state.header, database.db_time, database.last_object);
                state.header.set_last_resize_position(database.last_resize);
            }
            header.write()?;
            self.detached.push(DatabaseOutcome::of(&logged, &header));
        }
        Ok(())
    }

    /// Takes back what did not commit, closes the databases, and ends the log in order.
    fn undo_and_close(&mut self, start: LogPosition) -> Result<(), RecoveryError> {
        // An instance that ended in order left nothing to do, and nothing is logged.
        // Unless a generation was begun since: then that one has to say so itself.
        if let Some(end) = self.ended
            && self.ended_in_current
            && self.last_log.as_ref().is_some_and(|log| log.generation().0 == end.generation)
            && self.slots.is_empty()
        {
            return self.write_checkpoint(end, &[]);
        }
        let mut log = self.open_log(self.checkpoint)?;
        let header = log.header();
        for (_, file) in self.attached() {
            file.enter_generation(header.generation(), header.create_time());
            file.write()?;
        }
        self.gate.set_log(Some(log.flusher()));
        let now = || LogTime::from_unix_ms(self.environment.clock.unix_ms());
        let mut undo_position = self.position;
        if !self.last_was_shut_down_mark {
            undo_position = log.log(&Record::RecoveryUndo2(RecoveryUndo { time: now() }))?;
        }
        self.undo_sessions(&mut log)?;
        self.progress.phase(RecoveryPhase::Finish);
        let quit = TimedQuit {
            quit: Quit { start: undo_position, redo_from: start, hard: self.hard_flag() },
            time: now(),
        };
        let (position, attachments) = if self.request.keep_attached {
            self.settle_attached(log.header().generation())?;
            (log.log(&Record::RecoveryQuitKeepAttachments(quit))?, self.attachment_list())
        } else {
            let mark = log.log(&Record::ShutDownMark)?;
            log.flush_and_complete()?;
            let slots: Vec<_> = self.slots.keys().copied().collect();
            for slot in slots {
                self.detach(slot, mark)?;
            }
            (log.log(&Record::RecoveryQuit2(quit))?, Vec::new())
        };
        log.flush_and_complete()?;
        self.gate.set_log(None);
        self.write_checkpoint(position, &attachments)
    }

    /// Rolls back what did not commit. Between two sessions the checkpoint may move: what was undone is in the log.
    fn undo_sessions(&mut self, log: &mut RecoveryLog) -> Result<(), RecoveryError> {
        self.redo.begin_undo(log)?;
        let sessions = self.redo.open_sessions();
        let last = sessions.last().copied();
        let mut operations = 0;
        for session in sessions {
            operations += self.redo.undo_session(session, log)?.operations;
            if operations >= UNDONE_BETWEEN_CHECKPOINTS
                && last != Some(session)
                && self.request.checkpoint_bytes > 0
            {
                operations = 0;
                self.redo.cache().write_back(self.position)?;
                self.move_checkpoint()?;
            }
        }
        Ok(())
    }

    /// Writes the pages of databases that stay attached: from now on they require the current generation only.
    fn settle_attached(&mut self, generation: LogGeneration) -> Result<(), RecoveryError> {
        let attached: Vec<_> =
            self.attached().map(|(s, h)| (s.slot, s.logged.clone(), Arc::clone(h))).collect();
        for (slot, logged, header) in attached {
            self.redo.cache().flush(slot)?;
            if let Some(database) = self.redo.database(slot).cloned() {
                let mut state = header.state.lock();
                state.count_resizes(&database, &*self.environment.clock);
                raise_counters(&mut state.header, database.db_time, database.last_object);
                state.header.set_min_required(generation);
                state.header.set_min_consistent(generation);
            }
            header.write()?;
            self.detached.push(DatabaseOutcome::of(&logged, &header));
        }
        Ok(())
    }

    /// The checkpoint at the end of recovery: the record that ended it.
    pub(super) fn write_checkpoint(
        &self,
        position: LogPosition,
        attachments: &[AttachmentEntry],
    ) -> Result<(), RecoveryError> {
        let storage = &*self.environment.storage;
        let old = read_checkpoint(storage, self.request)?.filter(|c| c.signature() == self.log_signature);
        let mut checkpoint = old.unwrap_or_default();
        if let Some(log) = &self.last_log {
            checkpoint.set_parameters(log.header().parameters());
        }
        checkpoint.set_signature(self.log_signature);
        checkpoint.set_position(position);
        checkpoint.set_stored_consistency_position(position);
        checkpoint
            .set_attachments(Some(attachments))
            .map_err(|error| RecoveryError::Header { file: self.request.checkpoint.clone(), error })?;
        Ok(CheckpointFile::new(self.request.checkpoint.clone()).write(storage, &checkpoint)?)
    }

    fn report(
        mut self,
        result: RecoveryResult,
        start: &super::start::Start,
        undo: UndoStatistics,
    ) -> RecoveryReport {
        RecoveryReport {
            result,
            start: start.position,
            from_checkpoint: start.from_checkpoint,
            end: self.position,
            generations: self.generations,
            log_bytes: self.log_bytes,
            last_generation_created: self.generation_created,
            last_commit: self.redo.last_commit().map(|(position, _)| position),
            redo: self.redo.statistics(),
            divergences: self.redo.divergences().clone(),
            undo,
            pages: self.redo.cache().transfers(),
            most_buffers: self.redo.cache().most_buffers(),
            spilled_pages: self.redo.cache().spilled(),
            databases: self.detached,
        }
    }
}
