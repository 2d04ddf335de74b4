//! The end of a backup: headers are stamped, or nothing is.

use ese_format::BackupInfo;
use ese_instance::{BackupStamp, EventId, InstanceError, apply_backup};
use ese_log::record::{BackupPhase, BackupScope};

use super::{BackupContext, Ending, Kind, Phase, State, step_record};
use crate::error::BackupError;
use crate::flags::EndFlags;

impl BackupContext {
    /// Ends the backup. Success says only that there was one: a normal end that comes too early, or after a stop was
    /// asked for, ends the backup as failed, which the events tell.
    ///
    /// # Errors
    /// Refused at the door; `InvalidParameter` unless exactly one of normal and abort is given; `NoBackup`.
    #[doc(alias = "JetEndExternalBackupInstance2")]
    #[doc(alias = "JetEndExternalBackup")]
    #[doc(alias = "JetEndExternalBackupInstance")]
    pub fn end(&self, flags: EndFlags) -> Result<(), BackupError> {
        let _call = self.enter()?;
        if flags.contains(EndFlags::NORMAL) == flags.contains(EndFlags::ABORT) {
            return Err(BackupError::InvalidParameter { what: "exactly one of normal and abort is needed" });
        }
        let ending = if flags.contains(EndFlags::ABORT) {
            Ending::ByCaller
        } else {
            Ending::Normal { header_update: !flags.contains(EndFlags::NO_HEADER_UPDATE) }
        };
        if flags.contains(EndFlags::TRUNCATE_DONE)
            && let Some(state) = &mut *self.state.lock()
        {
            state.truncated = true;
        }
        if self.end_inside(ending) { Ok(()) } else { Err(BackupError::NoBackup) }
    }

    /// Ends the backup for the directory form; `stamp`: whether headers remember it.
    pub(crate) fn end_directory(&self, success: bool, stamp: bool) -> bool {
        self.end_inside(if success { Ending::Normal { header_update: stamp } } else { Ending::ByCaller })
    }

    /// The files are as they must be for a snapshot: all of them count as read.
    pub(crate) fn take_everything(&self) -> Result<(), BackupError> {
        // Before the ranges are computed: databases that are not in the set keep logs back.
        if let Some(state) = &mut *self.state.lock() {
            let logged = self.instance.databases().into_iter().filter(|d| d.is_logged());
            state.databases = logged.map(|d| (d.id(), true)).collect();
        }
        self.log_info_inside()?;
        if let Some(state) = &mut *self.state.lock() {
            state.logs_read.extend(state.copy.clone());
        }
        Ok(())
    }

    /// Ends the backup that a snapshot is; `stamp`: headers remember it, with that mark for logs that were truncated.
    pub(crate) fn end_snapshot(&self, stamp: Option<bool>) -> bool {
        if let (Some(truncated), Some(state)) = (stamp, &mut *self.state.lock()) {
            state.truncated = truncated;
        }
        self.end_inside(match stamp {
            Some(_) => Ending::Normal { header_update: true },
            None => Ending::ByCaller,
        })
    }

    fn end_inside(&self, ending: Ending) -> bool {
        let early = matches!(&*self.state.lock(), Some(s) if s.phase == Phase::Databases);
        let ending = match ending {
            Ending::Normal { .. } if self.stop.load(std::sync::atomic::Ordering::SeqCst) => Ending::ByEngine,
            Ending::Normal { .. } if early => Ending::ByCaller,
            other => other,
        };
        self.finish(ending)
    }

    /// Ends the backup for that reason. Says whether there was one.
    pub(super) fn finish(&self, ending: Ending) -> bool {
        let Some(state) = self.state.lock().take() else { return false };
        let stamped = match &ending {
            Ending::Normal { header_update: true } => self.stamp_headers(&state),
            Ending::Normal { header_update: false } => Ok(()),
            _ => {
                let details = BackupInfo { time: self.now(), ..BackupInfo::NONE };
                self.append_step(BackupPhase::ABORT, scope(&state), 0, details);
                Ok(())
            }
        };
        let internal = state.kind == Kind::InternalCopy;
        let pick = |ordinary, copy| if internal { copy } else { ordinary };
        match &ending {
            Ending::Normal { .. } => {
                self.report(pick(EventId::STOP_BACKUP, EventId::STOP_INTERNAL_COPY), []);
            }
            Ending::ByCaller => {
                self.report(pick(EventId::STOP_BACKUP_BY_CALLER, EventId::STOP_INTERNAL_COPY_BY_CALLER), []);
            }
            Ending::ByEngine => {
                self.report(pick(EventId::STOP_BACKUP_BY_SERVER, EventId::STOP_INTERNAL_COPY_BY_SERVER), []);
            }
            Ending::Failed(error) => self.report(
                pick(EventId::STOP_BACKUP_ERROR, EventId::STOP_INTERNAL_COPY_ERROR),
                [error.0.to_string()],
            ),
        }
        if let Err(error) = stamped {
            self.report(EventId::BACKUP_HEADER_ERROR, [error.jet_error().0.to_string()]);
        }
        let details = BackupInfo { time: self.now(), ..BackupInfo::NONE };
        self.append_step(BackupPhase::STOP, scope(&state), 0, details);
        if let Err(error) = self.instance.flush_log() {
            tracing::debug!(%error, "end of backup not flushed");
        }
        if let Some(log) = self.instance.log() {
            log.end_keeping();
        }
        self.instance.backup_gate().end();
        true
    }

    /// The record first, then the header in memory, then all headers on disk.
    fn stamp_headers(&self, state: &State) -> Result<(), InstanceError> {
        let info = state.info();
        let stamp = BackupStamp::new(state.kind.is_full(), state.truncated);
        for database in self.instance.databases().iter().filter(|d| d.is_logged()) {
            if state.databases.get(&database.id()) != Some(&true) {
                continue;
            }
            let record = step_record(BackupPhase::UPDATE_HEADER, state.scope(), database.id(), info);
            self.instance.append(&record)?;
            database.change_header(|h| apply_backup(h, stamp, state.made_by, info));
        }
        self.instance.flush_log()?;
        self.instance.write_database_headers()
    }
}

fn scope(state: &State) -> BackupScope {
    if state.kind.is_full() { BackupScope::FULL } else { BackupScope::INCREMENTAL }
}
