//! Termination.

use ese_format::LogPosition;
use ese_log::record::{DatabaseSlot, Quit, Record, TimedQuit};

use super::{Instance, Running, TermMode, temporary};
use crate::database::{DetachFacts, apply_detach};
use crate::error::InstanceError;
use crate::event::EventId;
use crate::state::{ApiLock, InstanceState};

impl Instance {
    /// Terminates the instance: databases are closed cleanly, the log ends with its closing record, the checkpoint
    /// points to it. The instance is gone afterwards, also when that fails (its databases then stay dirty).
    ///
    /// One that was never initialised is just freed.
    ///
    /// # Errors
    /// Refused at the door; `BackupInProgress` with [`TermMode::Complete`] while a streaming backup is on: the instance
    /// then goes on, but allows no new backup, as in the engine; `TransactionsOpen` while sessions are in transactions, and
    /// the instance goes on; `DirtyShutdown` when it was asked for, or forced by an
    /// earlier fatal error; the first failure on the way.
    #[doc(alias = "JetTerm2")]
    #[doc(alias = "JetTerm")]
    pub fn terminate(&self, mode: TermMode) -> Result<(), InstanceError> {
        self.shared.gate.lock(ApiLock::Terminating, mode.ends_backup(), InstanceState::check_term)?;
        if let Some((_, sessions)) = self.live() {
            for session in sessions.all() {
                session.wait_for_call();
            }
        }
        self.shared.gate.update(|s| s.backup_allowed = false);
        if let Some(owner) = self.backup_gate().owner().filter(|_| mode.ends_backup()) {
            owner.end_by_engine();
        }
        let dirty = mode == TermMode::Dirty || self.state().fatal_error.is_some();
        if let Some(occupant) = self.backup_gate().occupant().filter(|_| !dirty) {
            self.shared.gate.update(|s| {
                s.lock = None;
                s.term_in_progress = false;
            });
            return Err(crate::backup_gate::BackupInProgress { occupant }.into());
        }
        let in_transactions = match self.live() {
            Some((_, sessions)) if !dirty => sessions.all().iter().filter(|s| s.is_in_transaction()).count(),
            _ => 0,
        };
        if in_transactions > 0 {
            // Nothing has been shut down: the instance goes on, and allows backups again.
            self.shared.gate.update(|s| {
                s.lock = None;
                s.term_in_progress = false;
                s.backup_allowed = true;
            });
            return Err(InstanceError::TransactionsOpen { sessions: in_transactions });
        }
        for database in self.databases() {
            database.maintenance().stop();
        }
        let mut running = self.shared.running.write().take();
        // What it is doing is brought to an end before anything is closed.
        drop(running.as_mut().and_then(|running| running.maintenance.take()));
        let result = match &running {
            None => Ok(()),
            Some(running) if dirty => self.close_dirty(running),
            Some(running) => self.close_clean(running, mode),
        };
        if let Some(running) = &running {
            self.close_trees(running);
        }
        if let Some(log) = running.as_ref().and_then(|r| r.log.as_ref()) {
            log.release();
        }
        self.free();
        result
    }

    fn close_dirty(&self, running: &Running) -> Result<(), InstanceError> {
        // Lazy commits become durable here. After a fatal error that is tried, too, but what cannot be written is lost.
        let flushed = running.log.as_ref().map_or(Ok(()), |log| log.flush());
        running.events.report(EventId::STOP_INSTANCE, [self.name().to_owned(), "1".to_owned()]);
        if self.state().fatal_error.is_none() {
            flushed?;
        }
        Err(InstanceError::DirtyShutdown)
    }

    /// Nothing more is written by the trees; the temporary database goes.
    fn close_trees(&self, running: &Running) {
        for slot in (0..=6).map(DatabaseSlot) {
            running.trees.abandon(slot);
        }
        for database in &running.databases {
            database.release();
        }
        if running.temporary {
            // A left-over is removed by the next start.
            let _ = temporary::remove(&*self.environment().storage, &running.paths.temporary);
        }
    }

    fn close_clean(&self, running: &Running, mode: TermMode) -> Result<(), InstanceError> {
        match self.write_clean_end(running, mode) {
            Ok(()) => {
                running.events.report(EventId::STOP_INSTANCE, [self.name().to_owned(), "0".to_owned()]);
                Ok(())
            }
            Err(error) => {
                let number = error.jet_error().0.to_string();
                running.events.report(EventId::STOP_INSTANCE_ERROR, [self.name().to_owned(), number]);
                Err(error)
            }
        }
    }

    /// Pages, mark, headers, closing record, checkpoint: each durable before the next, so that a crash in between is
    /// recovered.
    fn write_clean_end(&self, running: &Running, mode: TermMode) -> Result<(), InstanceError> {
        if mode == TermMode::Complete {
            running.trees.clean_versions(usize::MAX)?;
        }
        for database in running.databases.iter().filter(|d| !d.is_read_only()) {
            running.trees.flush(database.slot())?;
        }
        let time = self.environment().now();
        let position = match &running.log {
            Some(log) => log.append_and_fill(&Record::ShutDownMark)?,
            None => LogPosition::NONE,
        };
        for database in running.databases.iter().filter(|d| !d.is_read_only()) {
            database.refresh_counters();
            let before = database.header();
            let (db_time, last_object_id) = (before.db_time(), before.last_object_id());
            let position = if database.is_logged() { position } else { LogPosition::NONE };
            database.change_header(|h| {
                apply_detach(h, &DetachFacts { position, time, db_time, last_object_id });
            });
            database.write_header(self.environment().new_signature())?;
        }
        let Some(log) = &running.log else { return Ok(()) };
        let position = log.append(&Record::Term2(TimedQuit {
            quit: Quit { start: log.init_position(), ..Quit::default() },
            time: self.environment().now(),
        }))?;
        log.flush()?;
        log.write_checkpoint(position, None)
    }

    /// The instance is gone.
    pub(super) fn free(&self) {
        self.shared.gate.update(|s| {
            s.initialized = false;
            s.lock = Some(ApiLock::Deleting);
        });
        if let Some(engine) = self.shared.engine.upgrade() {
            engine.free(self);
        }
    }
}
