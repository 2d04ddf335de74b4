//! The begin of a backup, and its refusals in the engine's order.

use std::sync::Weak;
use std::sync::atomic::Ordering;

use ese_format::{BackupInfo, BackupInfoKind, JetError, LogGeneration, LogPosition};
use ese_instance::{BackupOccupant, BackupOwner, EventId, InstanceLog, InstanceState, ParameterId};
use ese_log::record::{BackupPhase, BackupScope};

use super::{BackupContext, Kind, Phase, State};
use crate::error::BackupError;
use crate::flags::BeginFlags;

impl BackupContext {
    /// Begins a backup.
    ///
    /// # Errors
    /// In this order: refused at the door, `BackupNotAllowedYet`; `LoggingDisabled`; `LogDown`; `InvalidFlags`;
    /// `CircularLogging` (incremental); `InvalidFlags` (contradiction); `LogDiskFull`; `LogSequenceEnd`; a backup in progress;
    /// `MissingFullBackup` (incremental); a checkpoint that cannot be read (full).
    #[doc(alias = "JetBeginExternalBackupInstance")]
    #[doc(alias = "JetBeginExternalBackup")]
    pub fn begin(&self, flags: BeginFlags) -> Result<(), BackupError> {
        let _call = self.instance.enter(InstanceState::check_backup)?;
        let log = self.check_log()?;
        if flags.has_unknown_bits() {
            return Err(BackupError::InvalidFlags { bits: flags.bits() });
        }
        let logs_only = flags.intersects(BeginFlags::INCREMENTAL.union(BeginFlags::SURROGATE));
        self.check_circular(logs_only)?;
        if flags.contains(BeginFlags::INTERNAL_COPY) && logs_only {
            return Err(BackupError::InvalidFlags { bits: flags.bits() });
        }
        if flags.contains(BeginFlags::SURROGATE) {
            return Err(BackupError::InvalidParameter { what: "surrogate backups are not supported" });
        }
        let kind = if flags.contains(BeginFlags::INTERNAL_COPY) {
            Kind::InternalCopy
        } else if flags.contains(BeginFlags::INCREMENTAL) {
            Kind::Incremental
        } else {
            Kind::Full
        };
        self.begin_as(kind, BackupInfoKind::NORMAL, &log)
    }

    /// Begins the backup that a snapshot is: nobody reads files through it.
    pub(crate) fn begin_snapshot(&self, incremental: bool) -> Result<(), BackupError> {
        let _call = self.instance.enter(InstanceState::check_backup)?;
        let log = self.check_log()?;
        self.check_circular(incremental)?;
        let kind = if incremental { Kind::Incremental } else { Kind::Full };
        self.begin_as(kind, BackupInfoKind::OS_SNAPSHOT, &log)
    }

    /// Begins a backup for the directory form, whose options were checked.
    pub(crate) fn begin_directory(&self, incremental: bool) -> Result<(), BackupError> {
        let log = self.check_log()?;
        self.check_circular(incremental)?;
        let kind = if incremental { Kind::Incremental } else { Kind::Full };
        self.begin_as(kind, BackupInfoKind::NORMAL, &log)
    }

    fn check_log(&self) -> Result<std::sync::Arc<InstanceLog>, BackupError> {
        let log = self.instance.log().filter(|_| self.instance.parameters().recovery_on());
        let log = log.ok_or(BackupError::LoggingDisabled)?;
        if log.is_down() { Err(BackupError::LogDown) } else { Ok(log) }
    }

    fn check_circular(&self, logs_only: bool) -> Result<(), BackupError> {
        if logs_only && self.instance.parameters().on(ParameterId::CIRCULAR_LOG) {
            return Err(BackupError::CircularLogging);
        }
        Ok(())
    }

    fn begin_as(&self, kind: Kind, made_by: BackupInfoKind, log: &InstanceLog) -> Result<(), BackupError> {
        log.check_space().map_err(|error| match error.jet_error() {
            JetError::LOG_DISK_FULL => BackupError::LogDiskFull,
            _ => error.into(),
        })?;
        if log.generation() >= LogGeneration::MAX_NORMAL {
            return Err(BackupError::LogSequenceEnd);
        }
        let owner: Weak<dyn BackupOwner> = self.this.clone();
        self.instance.backup_gate().begin(BackupOccupant::Ordinary, owner)?;
        self.stop.store(false, Ordering::SeqCst);
        match self.prepare_state(kind, made_by, log) {
            Ok(state) => {
                let scope = if kind.is_full() { BackupScope::FULL } else { BackupScope::INCREMENTAL };
                let details = BackupInfo { time: state.mark_time, ..BackupInfo::NONE };
                *self.state.lock() = Some(state);
                self.append_step(BackupPhase::BEGIN, scope, 0, details);
                Ok(())
            }
            Err(error) => {
                log.end_keeping();
                self.instance.backup_gate().end();
                Err(error)
            }
        }
    }

    fn prepare_state(
        &self,
        kind: Kind,
        made_by: BackupInfoKind,
        log: &InstanceLog,
    ) -> Result<State, BackupError> {
        let databases: Vec<_> = self.instance.databases().into_iter().filter(|d| d.is_logged()).collect();
        if kind == Kind::Incremental {
            for database in &databases {
                let header = database.header();
                let usable =
                    !header.previous_full_backup().is_none() && header.previous_full_backup_kind() == made_by;
                if !usable {
                    self.report(EventId::MISSING_FULL_BACKUP, [database.path().display().to_string()]);
                    return Err(BackupError::MissingFullBackup { database: database.path().to_path_buf() });
                }
            }
        }
        // The mark is the tip before the record of the begin.
        let (mark, mark_time) =
            if kind.is_full() { (log.tip(), self.now()) } else { (LogPosition::NONE, self.now()) };
        self.report(
            match kind {
                Kind::Full => EventId::START_FULL_BACKUP,
                Kind::Incremental => EventId::START_INCREMENTAL_BACKUP,
                Kind::InternalCopy => EventId::START_INTERNAL_COPY,
            },
            [],
        );
        let copy = if kind.is_full() {
            let low = log.begin_keeping()?.generation;
            low..low
        } else {
            0..0
        };
        Ok(State {
            kind,
            made_by,
            phase: if kind.is_full() { Phase::Databases } else { Phase::LogsAndPatches },
            mark,
            mark_time,
            copy,
            delete: 0..0,
            prepared: false,
            truncated: false,
            logs_read: Default::default(),
            databases: if kind.is_full() {
                Default::default()
            } else {
                databases.iter().map(|d| (d.id(), true)).collect()
            },
            open: None,
        })
    }
}
