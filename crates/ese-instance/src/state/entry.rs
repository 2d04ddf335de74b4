//! The checks at the door, one function a variant.
//!
//! Order, in short: stop of service, fatal error, locks, not initialised, then the call's own checks.

use ese_format::JetError;

use super::{ApiLock, InstanceState};

/// A call that was refused at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The service was asked to stop.
    #[error("the instance was asked to stop its service")]
    StopRequested,
    /// A fatal error made the instance unavailable.
    #[error("the instance is unavailable since a fatal error: {cause}")]
    Unavailable {
        /// The first fatal error.
        cause: JetError,
    },
    /// Termination is running.
    #[error("the instance is terminating")]
    TermInProgress,
    /// A restore is running.
    #[error("a restore is running")]
    RestoreInProgress,
    /// Initialisation is running (parameter calls only).
    #[error("the instance is initialising")]
    InitInProgress,
    /// The instance is not initialised.
    #[error("the instance is not initialised")]
    NotInitialized,
    /// The instance is initialised already.
    #[error("the instance is initialised already")]
    AlreadyInitialized,
    /// Backups may not begin now.
    #[error("backups are not allowed in this state of the instance")]
    BackupNotAllowedYet,
}

impl EntryError {
    /// The engine's number.
    #[must_use]
    pub fn jet_error(self) -> JetError {
        match self {
            Self::StopRequested => JetError::CLIENT_REQUEST_TO_STOP_JET_SERVICE,
            Self::Unavailable { cause: JetError::LOG_DISK_FULL } => {
                JetError::INSTANCE_UNAVAILABLE_DUE_TO_FATAL_LOG_DISK_FULL
            }
            Self::Unavailable { .. } => JetError::INSTANCE_UNAVAILABLE,
            Self::TermInProgress => JetError::TERM_IN_PROGRESS,
            Self::RestoreInProgress => JetError::RESTORE_IN_PROGRESS,
            Self::InitInProgress => JetError::INIT_IN_PROGRESS,
            Self::NotInitialized => JetError::NOT_INITIALIZED,
            Self::AlreadyInitialized => JetError::ALREADY_INITIALIZED,
            Self::BackupNotAllowedYet => JetError::BACKUP_NOT_ALLOWED_YET,
        }
    }
}

/// Whether a call with a session argument goes on after a stop of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCall {
    /// Refused once the service stops.
    Ordinary,
    /// One of the calls that wind down: roll back, get session info, close table, close database, detach database,
    /// reset session context, end session.
    WindingDown,
}

impl InstanceState {
    /// Ordinary calls with an instance argument.
    ///
    /// # Errors
    /// The first of: stop requested, unavailable, locked, not initialised.
    pub fn check_call(&self) -> Result<(), EntryError> {
        if self.stop_service {
            return Err(EntryError::StopRequested);
        }
        if let Some(cause) = self.fatal_error {
            return Err(EntryError::Unavailable { cause });
        }
        if let Some(lock) = self.lock.filter(|lock| !self.lets_in_during(*lock)) {
            return Err(refused_by(lock, EntryError::NotInitialized));
        }
        if self.initialized || self.external_recovery { Ok(()) } else { Err(EntryError::NotInitialized) }
    }

    /// Calls that begin a backup: as [`check_call`](Self::check_call), then backups must be allowed.
    ///
    /// # Errors
    /// As [`check_call`](Self::check_call), then `BackupNotAllowedYet`.
    pub fn check_backup(&self) -> Result<(), EntryError> {
        self.check_call()?;
        if self.backup_allowed { Ok(()) } else { Err(EntryError::BackupNotAllowedYet) }
    }

    /// `init` and restore.
    ///
    /// # Errors
    /// `AlreadyInitialized`; while another thread is inside `init`, `term`, restore or deletion, that lock's answer
    /// (the engine waits there; waiting for a terminating instance would end in the same refusal).
    pub fn check_init(&self) -> Result<(), EntryError> {
        if self.initialized {
            return Err(EntryError::AlreadyInitialized);
        }
        match self.lock {
            None => Ok(()),
            Some(lock) => Err(refused_by(lock, EntryError::InitInProgress)),
        }
    }

    /// Calls that need no initialised instance: parameters.
    ///
    /// # Errors
    /// A lock's answer; `InitInProgress` while initialising.
    pub fn check_without_init(&self) -> Result<(), EntryError> {
        match self.lock.filter(|lock| !self.lets_in_during(*lock)) {
            None => Ok(()),
            Some(lock) => Err(refused_by(lock, EntryError::InitInProgress)),
        }
    }

    /// `term`.
    ///
    /// # Errors
    /// A lock's answer; `InitInProgress` while initialising. The engine would free an instance under the feet of its
    /// running `init`; we refuse.
    pub fn check_term(&self) -> Result<(), EntryError> {
        self.lock.map_or(Ok(()), |lock| Err(refused_by(lock, EntryError::InitInProgress)))
    }

    /// An `init` whose recovery its caller controls locks nobody out but another `init`, `term` and restore.
    fn lets_in_during(&self, lock: ApiLock) -> bool {
        self.external_recovery && lock == ApiLock::Initializing
    }

    /// Calls with a session argument.
    ///
    /// # Errors
    /// Stop requested (not for calls that wind down), unavailable, termination in progress.
    #[inline]
    pub fn check_session(&self, call: SessionCall) -> Result<(), EntryError> {
        if self.stop_service && call == SessionCall::Ordinary {
            return Err(EntryError::StopRequested);
        }
        if let Some(cause) = self.fatal_error {
            return Err(EntryError::Unavailable { cause });
        }
        if self.term_in_progress {
            return Err(EntryError::TermInProgress);
        }
        match self.lock.filter(|lock| !self.lets_in_during(*lock)) {
            Some(lock) => Err(refused_by(lock, EntryError::NotInitialized)),
            None if self.initialized || self.external_recovery => Ok(()),
            None => Err(EntryError::NotInitialized),
        }
    }
}

/// Terminating and restoring have answers of their own; initialising and deleting share `otherwise`.
fn refused_by(lock: ApiLock, otherwise: EntryError) -> EntryError {
    match lock {
        ApiLock::Terminating => EntryError::TermInProgress,
        ApiLock::Restoring => EntryError::RestoreInProgress,
        ApiLock::Initializing => otherwise,
        ApiLock::Deleting => EntryError::NotInitialized,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOCATED: InstanceState = InstanceState {
        initialized: false,
        lock: None,
        stop_service: false,
        fatal_error: None,
        external_recovery: false,
        term_in_progress: false,
        backup_allowed: false,
    };
    const RUNNING: InstanceState = InstanceState { initialized: true, backup_allowed: true, ..ALLOCATED };

    /// The table of states against calls. Columns: backup, ordinary call, session call, winding-down session call,
    /// set parameter, init/restore, term; 0 is "in".
    #[test]
    fn state_by_call_table() {
        let locked = |lock, initialized| InstanceState {
            lock: Some(lock),
            initialized,
            term_in_progress: lock == ApiLock::Terminating,
            ..ALLOCATED
        };
        let fatal = |cause| InstanceState { fatal_error: Some(cause), ..RUNNING };
        let rows: &[(&str, InstanceState, [i32; 7])] = &[
            ("allocated", ALLOCATED, [-1029, -1029, -1029, -1029, 0, 0, 0]),
            (
                "initialising",
                locked(ApiLock::Initializing, false),
                [-1029, -1029, -1029, -1029, -1031, -1031, -1031],
            ),
            (
                "initialising under external control",
                InstanceState { external_recovery: true, ..locked(ApiLock::Initializing, false) },
                [-523, 0, 0, 0, 0, -1031, -1031],
            ),
            ("running", RUNNING, [0, 0, 0, 0, 0, -1030, 0]),
            (
                "running after a refused term",
                InstanceState { backup_allowed: false, ..RUNNING },
                [-523, 0, 0, 0, 0, -1030, 0],
            ),
            (
                "stopping service",
                InstanceState { stop_service: true, ..RUNNING },
                [-1329, -1329, -1329, 0, 0, -1030, 0],
            ),
            ("unavailable", fatal(JetError::DISK_IO), [-1090, -1090, -1090, -1090, 0, -1030, 0]),
            (
                "unavailable, log disk full",
                fatal(JetError::LOG_DISK_FULL),
                [-1092, -1092, -1092, -1092, 0, -1030, 0],
            ),
            (
                "stopping service and unavailable",
                InstanceState { stop_service: true, ..fatal(JetError::DISK_IO) },
                [-1329, -1329, -1329, -1090, 0, -1030, 0],
            ),
            (
                "terminating",
                locked(ApiLock::Terminating, true),
                [-1000, -1000, -1000, -1000, -1000, -1030, -1000],
            ),
            (
                "terminating, subsystems down",
                locked(ApiLock::Terminating, false),
                [-1000, -1000, -1000, -1000, -1000, -1000, -1000],
            ),
            ("restoring", locked(ApiLock::Restoring, false), [-506, -506, -506, -506, -506, -506, -506]),
            ("deleted", locked(ApiLock::Deleting, false), [-1029, -1029, -1029, -1029, -1029, -1029, -1029]),
        ];
        for (name, state, expected) in rows {
            let found = [
                state.check_backup(),
                state.check_call(),
                state.check_session(SessionCall::Ordinary),
                state.check_session(SessionCall::WindingDown),
                state.check_without_init(),
                state.check_init(),
                state.check_term(),
            ]
            .map(|r| r.err().map_or(0, |e| e.jet_error().0));
            assert_eq!(found, *expected, "{name}");
        }
    }
}
