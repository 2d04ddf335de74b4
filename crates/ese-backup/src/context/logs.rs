//! The logs of a backup: the roll, the ranges, and truncation.

use std::ops::Range;
use std::path::PathBuf;

use ese_format::{BackupInfo, LogGeneration};
use ese_instance::{EventId, InstanceLog};
use ese_io::IoErrorKind;
use ese_log::record::{BackupPhase, BackupScope, Record, SessionId, Trace};

use super::{BackupContext, Kind, Phase, State, step_record};
use crate::error::BackupError;

/// The log range of a backup set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInfo {
    /// First generation of the set.
    #[doc(alias = "ulGenLow")]
    pub low: LogGeneration,
    /// Last generation of the set, inclusive.
    #[doc(alias = "ulGenHigh")]
    pub high: LogGeneration,
    /// First part of every log name.
    #[doc(alias = "szBaseName")]
    pub base_name: String,
    /// Full paths of the logs, ascending.
    pub files: Vec<PathBuf>,
}

impl BackupContext {
    /// The logs of the set. The first call rolls the log, so that the set ends with a closed one, and moves the backup
    /// to its log phase.
    ///
    /// # Errors
    /// Refused at the door; `NoBackup`; `Stopped`; `InvalidSequence` while a file is open; for an incremental backup
    /// `MissingFile` when a log since the last backup is gone; `NoArchivedLog`; a failure of the log.
    #[doc(alias = "JetGetLogInfoInstance2")]
    #[doc(alias = "JetGetLogInfo")]
    #[doc(alias = "JetGetLogInfoInstance")]
    pub fn log_info(&self) -> Result<LogInfo, BackupError> {
        let _call = self.enter()?;
        self.log_info_inside()
    }

    pub(crate) fn log_info_inside(&self) -> Result<LogInfo, BackupError> {
        self.with_state(|state| {
            let log = self.prepare_logs(state)?;
            Ok(log_info(&log, &state.copy))
        })
    }

    /// The logs that may be deleted; possibly none, then `low` is above `high`. Otherwise as
    /// [`log_info`](Self::log_info).
    ///
    /// # Errors
    /// As [`log_info`](Self::log_info).
    #[doc(alias = "JetGetTruncateLogInfoInstance")]
    pub fn truncate_log_info(&self) -> Result<LogInfo, BackupError> {
        let _call = self.enter()?;
        self.with_state(|state| {
            let log = self.prepare_logs(state)?;
            Ok(log_info(&log, &state.delete))
        })
    }

    /// Rolls the log and computes the ranges, once a backup.
    fn prepare_logs(&self, state: &mut State) -> Result<std::sync::Arc<InstanceLog>, BackupError> {
        if state.open.is_some() {
            return Err(BackupError::InvalidSequence { what: "a file is open" });
        }
        let log = self.instance.log().ok_or(BackupError::LoggingDisabled)?;
        state.phase = Phase::LogsAndPatches;
        if state.prepared {
            return Ok(log);
        }
        let scope = if state.kind.is_full() { BackupScope::FULL } else { BackupScope::INCREMENTAL };
        let time = self.now();
        let record =
            step_record(BackupPhase::PREPARE_LOGS, scope, 0, BackupInfo { time, ..BackupInfo::NONE });
        let position = self.instance.append_to_new_generation(&record)?;
        if state.kind == Kind::Incremental {
            (state.mark, state.mark_time) = (position, time);
        }
        log.remember_backup(state.kind.is_full(), position, time);
        // As far as pages are in their files.
        self.instance.advance_checkpoint()?;
        let copy_end = position.generation;
        let lowest = log.discover()?.lowest();
        let lowest =
            lowest.ok_or_else(|| BackupError::NoArchivedLog { directory: log.directory().to_path_buf() })?.0;
        if state.kind == Kind::Incremental {
            self.check_continuity(state, &log, lowest)?;
            state.copy.start = lowest;
        }
        state.copy.end = copy_end;
        let checkpoint = log.read_checkpoint()?.generation;
        let delete_end = checkpoint.min(copy_end).min(self.held_back_by(state));
        state.delete = lowest.min(delete_end)..delete_end;
        state.prepared = true;
        self.report(EventId::BACKUP_LOG_RANGE, names(&log, &state.copy));
        self.trace(&format!(
            "BACKUP PREPARE LOGS (copy 0x{:05X}-0x{:05X}, delete 0x{:05X}-0x{:05X})",
            state.copy.start,
            state.copy.end.saturating_sub(1),
            state.delete.start,
            state.delete.end
        ));
        Ok(log)
    }

    /// Below which generation every log may go, as far as databases are concerned that this full backup did not copy:
    /// each needs the logs since its own last full backup, and all of them when it has none.
    fn held_back_by(&self, state: &State) -> u32 {
        if !state.kind.is_full() {
            return u32::MAX;
        }
        let missing = |id: u8| state.databases.get(&id) != Some(&true);
        self.instance
            .databases()
            .iter()
            .filter(|d| d.is_logged() && missing(d.id()))
            .map(|d| d.header().previous_full_backup().high_generation)
            .min()
            .unwrap_or(u32::MAX)
    }

    /// An incremental backup follows the one before without a gap.
    fn check_continuity(&self, _state: &State, log: &InstanceLog, lowest: u32) -> Result<(), BackupError> {
        for database in self.instance.databases().iter().filter(|d| d.is_logged()) {
            let header = database.header();
            let covered = header
                .previous_full_backup()
                .high_generation
                .max(header.previous_incremental_backup().high_generation);
            if lowest > covered.saturating_add(1) {
                let path = log.archived_path(LogGeneration(covered.saturating_add(1)));
                self.report(EventId::BACKUP_FILE_MISSING, [path.display().to_string()]);
                return Err(BackupError::MissingFile { path });
            }
        }
        Ok(())
    }

    /// Deletes the logs that are no longer needed, ascending.
    ///
    /// # Errors
    /// Refused at the door; `NoBackup`; `Stopped`; `InvalidSequence` while a file is open or before the log range is
    /// known; `LogsNotCopied`; a storage error, with what was deleted so far staying deleted.
    #[doc(alias = "JetTruncateLogInstance")]
    #[doc(alias = "JetTruncateLog")]
    pub fn truncate_logs(&self) -> Result<(), BackupError> {
        let _call = self.enter()?;
        self.truncate_inside()
    }

    pub(crate) fn truncate_inside(&self) -> Result<(), BackupError> {
        self.with_state(|state| {
            if state.open.is_some() {
                return Err(BackupError::InvalidSequence { what: "a file is open" });
            }
            if !state.prepared {
                return Err(BackupError::InvalidSequence { what: "the log range was not asked for" });
            }
            // Each log of the set, not a sum of their numbers: one read twice does not stand for another.
            if let Some(missing) = state.copy.clone().find(|g| !state.logs_read.contains(g)) {
                self.report(EventId::BACKUP_TRUNCATE_REFUSED, []);
                return Err(BackupError::LogsNotCopied { missing: LogGeneration(missing) });
            }
            state.truncated = true;
            self.delete_logs(state.kind.is_full(), &state.delete.clone())
        })
    }

    /// Deletes logs for a backup without a destination: everything below the checkpoint that no database needs.
    pub(crate) fn truncate_without_copy(&self) -> Result<(), BackupError> {
        self.with_state(|state| {
            let log = self.instance.log().ok_or(BackupError::LoggingDisabled)?;
            let range = if self.instance.parameters().on(ese_instance::ParameterId::CIRCULAR_LOG) {
                // Circular logging keeps house by itself.
                0..0
            } else {
                let checkpoint = self.instance.advance_checkpoint()?.generation;
                let end = checkpoint.min(log.generation().0).min(self.held_back_by(state));
                let lowest = log.discover()?.lowest().map_or(end, |g| g.0);
                lowest.min(end)..end
            };
            self.delete_logs(state.kind.is_full(), &range)
        })
    }

    fn delete_logs(&self, full: bool, range: &Range<u32>) -> Result<(), BackupError> {
        let log = self.instance.log().ok_or(BackupError::LoggingDisabled)?;
        let scope = if full { BackupScope::FULL } else { BackupScope::INCREMENTAL };
        let details = BackupInfo {
            time: self.now(),
            low_generation: range.start,
            high_generation: range.end,
            ..BackupInfo::NONE
        };
        self.append_step(BackupPhase::TRUNCATE, scope, 0, details);
        if range.is_empty() {
            self.report(EventId::BACKUP_NOTHING_TO_TRUNCATE, []);
            return Ok(());
        }
        self.report(EventId::BACKUP_TRUNCATE, names(&log, range));
        let set = log.discover()?;
        let storage = &self.instance.environment().storage;
        let mut missing = 0_u32;
        for generation in range.clone().map(LogGeneration) {
            match storage.remove(&set.archived_path(generation)) {
                Ok(()) => {}
                Err(e) if e.kind == IoErrorKind::NotFound => missing += 1,
                Err(error) => return Err(error.into()),
            }
        }
        storage.sync_directory(log.directory())?;
        if missing > 0 {
            self.report(EventId::BACKUP_TRUNCATE_MISSING, [missing.to_string()]);
        }
        Ok(())
    }

    /// Notes a step in the log as text.
    pub(super) fn trace(&self, text: &str) {
        let line = trace_line(&self.now().to_string(), text);
        let record = Record::Trace(Trace { session: SessionId(0), text: line.as_bytes() });
        if let Err(error) = self.instance.append(&record) {
            tracing::debug!(%error, "backup step not traced");
        }
    }
}

/// Text of a trace record: time in brackets, text, terminator.
fn trace_line(time: &str, text: &str) -> String {
    format!("[{time}] {text}\0")
}

fn names(log: &InstanceLog, range: &Range<u32>) -> [String; 2] {
    let name = |g: u32| log.archived_path(LogGeneration(g)).display().to_string();
    [name(range.start), name(range.end.saturating_sub(1))]
}

fn log_info(log: &InstanceLog, range: &Range<u32>) -> LogInfo {
    LogInfo {
        low: LogGeneration(range.start),
        high: LogGeneration(range.end.saturating_sub(1)),
        base_name: log.names().base.to_string(),
        files: range.clone().map(|g| log.archived_path(LogGeneration(g))).collect(),
    }
}
