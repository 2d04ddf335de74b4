//! The door itself: counts the calls inside, and lets one call lock the others out.
//!
//! While the instance plainly runs, a call goes in and out by one atomic step each. Everything else goes through a lock. Calls
//! of sessions are not counted: each holds its session's lock, and whoever locks the door goes through all of those once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ese_format::JetError;
use parking_lot::{Condvar, Mutex};

use super::{ApiLock, EntryError, InstanceState};

/// Counts calls inside an instance and locks them out for `init`, `term` and restore.
#[derive(Debug, Default)]
pub struct ApiGate {
    /// Changed only together with the flags of `word`.
    state: Mutex<InstanceState>,
    /// How many calls are inside, and what the state allows without a look at it.
    word: AtomicU64,
    drained: Condvar,
}

/// The state is [`RUNNING`], but for `backup_allowed`, which has a flag of its own.
const OPEN: u64 = 1 << 63;
const BACKUP_ALLOWED: u64 = 1 << 62;
/// The other bits count calls.
const FLAGS: u64 = OPEN | BACKUP_ALLOWED;

const RUNNING: InstanceState = InstanceState {
    initialized: true,
    lock: None,
    stop_service: false,
    fatal_error: None,
    external_recovery: false,
    term_in_progress: false,
    backup_allowed: false,
};

/// A call that is inside; leaves when dropped.
#[derive(Debug)]
pub struct ApiCall {
    gate: Arc<ApiGate>,
}

impl Drop for ApiCall {
    fn drop(&mut self) {
        self.gate.leave();
    }
}

impl ApiGate {
    /// A gate in the state "allocated".
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> InstanceState {
        *self.state.lock()
    }

    /// Lets a call in when `check` allows it.
    ///
    /// # Errors
    /// What `check` says.
    pub fn enter(
        self: &Arc<Self>,
        check: impl Fn(&InstanceState) -> Result<(), EntryError>,
    ) -> Result<ApiCall, EntryError> {
        self.count_in(check)?;
        Ok(ApiCall { gate: Arc::clone(self) })
    }

    /// Says whether `check` allows a call now, and does not count it: for calls that hold a lock meanwhile which whoever
    /// locks the door takes afterwards, once.
    ///
    /// # Errors
    /// What `check` says.
    #[inline]
    pub(crate) fn look(
        &self,
        check: impl Fn(&InstanceState) -> Result<(), EntryError>,
    ) -> Result<(), EntryError> {
        let word = self.word.load(Ordering::Acquire);
        if word & OPEN != 0 {
            return check(&InstanceState { backup_allowed: word & BACKUP_ALLOWED != 0, ..RUNNING });
        }
        check(&self.state.lock())
    }

    /// Whether the instance plainly runs: no call of a session is refused then. False says nothing. For those who hold a
    /// lock as [`look`](Self::look) needs it.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.word.load(Ordering::Acquire) & OPEN != 0
    }

    #[inline]
    fn count_in(&self, check: impl Fn(&InstanceState) -> Result<(), EntryError>) -> Result<(), EntryError> {
        let mut word = self.word.load(Ordering::Acquire);
        while word & OPEN != 0 {
            check(&InstanceState { backup_allowed: word & BACKUP_ALLOWED != 0, ..RUNNING })?;
            match self.word.compare_exchange_weak(word, word + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(()),
                Err(now) => word = now,
            }
        }
        // Whoever locks the door holds this while it says so.
        let state = self.state.lock();
        check(&state)?;
        self.word.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    #[inline]
    fn leave(&self) {
        let before = self.word.fetch_sub(1, Ordering::AcqRel);
        // Nobody waits at a door that is open.
        if before & OPEN == 0 && before & !FLAGS == 1 {
            self.say_drained();
        }
    }

    #[cold]
    fn say_drained(&self) {
        // Whoever waits has looked at the count under this lock: it is either waiting now, or sees that all have left.
        let _state = self.state.lock();
        self.drained.notify_all();
    }

    /// Makes the flags what the state says; for those who hold its lock and have changed it.
    fn publish(&self, state: &InstanceState) {
        let mut flags = 0;
        if (InstanceState { backup_allowed: false, ..*state }) == RUNNING {
            flags = OPEN | if state.backup_allowed { BACKUP_ALLOWED } else { 0 };
        }
        let mut word = self.word.load(Ordering::Acquire);
        while let Err(now) =
            self.word.compare_exchange_weak(word, word & !FLAGS | flags, Ordering::AcqRel, Ordering::Acquire)
        {
            word = now;
        }
    }

    /// Locks new calls out when `check` allows it, then waits until the calls inside have left. With `interrupt` long
    /// calls see `term_in_progress` between their steps and give up.
    ///
    /// # Errors
    /// What `check` says.
    pub fn lock(
        &self,
        lock: ApiLock,
        interrupt: bool,
        check: impl FnOnce(&InstanceState) -> Result<(), EntryError>,
    ) -> Result<(), EntryError> {
        let mut state = self.state.lock();
        check(&state)?;
        state.lock = Some(lock);
        state.term_in_progress |= interrupt;
        self.publish(&state);
        while self.word.load(Ordering::Acquire) & !FLAGS > 0 {
            self.drained.wait(&mut state);
        }
        Ok(())
    }

    /// Changes the state.
    pub fn update(&self, change: impl FnOnce(&mut InstanceState)) {
        let mut state = self.state.lock();
        change(&mut state);
        self.publish(&state);
    }

    /// Records a fatal error; only the first one counts.
    pub fn set_fatal(&self, cause: JetError) {
        self.update(|state| {
            state.fatal_error.get_or_insert(cause);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::state::SessionCall;

    #[test]
    fn a_lock_waits_for_the_calls_inside() {
        let gate = ApiGate::new();
        gate.update(|s| s.initialized = true);
        let call = gate.enter(InstanceState::check_call).unwrap();
        let other = Arc::clone(&gate);
        let waiter = thread::spawn(move || other.lock(ApiLock::Terminating, true, InstanceState::check_term));
        while !gate.state().term_in_progress {
            thread::yield_now();
        }
        assert_eq!(gate.enter(InstanceState::check_call).unwrap_err(), EntryError::TermInProgress);
        assert!(!waiter.is_finished());
        drop(call);
        waiter.join().unwrap().unwrap();
    }

    #[test]
    fn an_open_door_answers_as_the_state_does() {
        let gate = ApiGate::new();
        let checks = [InstanceState::check_call, InstanceState::check_backup, InstanceState::check_init];
        let same = |expected: [Option<EntryError>; 3]| {
            assert_eq!(checks.map(|check| check(&gate.state()).err()), expected);
            assert_eq!(checks.map(|check| gate.enter(check).err()), expected);
            assert_eq!(checks.map(|check| gate.look(check).err()), expected);
            let refused = [SessionCall::Ordinary, SessionCall::WindingDown]
                .map(|call| gate.state().check_session(call).is_err());
            assert!(!gate.is_open() || refused == [false; 2], "an open door refuses no call of a session");
        };
        let (again, early) = (Some(EntryError::AlreadyInitialized), Some(EntryError::BackupNotAllowedYet));
        same([Some(EntryError::NotInitialized), Some(EntryError::NotInitialized), None]);
        gate.update(|s| s.initialized = true);
        same([None, early, again]);
        gate.update(|s| s.backup_allowed = true);
        same([None, None, again]);
        assert!(gate.is_open());
        gate.update(|s| s.stop_service = true);
        assert!(!gate.is_open());
        let stopped = Some(EntryError::StopRequested);
        same([stopped, stopped, again]);
        gate.update(|s| s.stop_service = false);
        same([None, None, again]);
        gate.set_fatal(JetError::DISK_IO);
        let unavailable = Some(EntryError::Unavailable { cause: JetError::DISK_IO });
        same([unavailable, unavailable, again]);
    }

    #[test]
    fn no_call_is_inside_once_the_door_is_locked() {
        let gate = ApiGate::new();
        for _ in 0..200 {
            gate.update(|s| *s = RUNNING);
            let inside = Arc::new(AtomicU64::new(0));
            let callers = [0; 3].map(|_| {
                let (gate, inside) = (Arc::clone(&gate), Arc::clone(&inside));
                thread::spawn(move || {
                    while let Ok(call) = gate.enter(InstanceState::check_call) {
                        inside.fetch_add(1, Ordering::SeqCst);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(call);
                    }
                })
            });
            gate.lock(ApiLock::Terminating, true, InstanceState::check_term).unwrap();
            assert_eq!(inside.load(Ordering::SeqCst), 0);
            for caller in callers {
                caller.join().unwrap();
            }
        }
    }

    #[test]
    fn a_look_under_a_lock_of_its_own_is_inside_until_that_lock_was_taken() {
        let gate = ApiGate::new();
        for _ in 0..200 {
            gate.update(|s| *s = RUNNING);
            let held = Arc::new([Mutex::new(0_u64), Mutex::new(0), Mutex::new(0)]);
            let callers = [0, 1, 2].map(|caller| {
                let (gate, held) = (Arc::clone(&gate), Arc::clone(&held));
                thread::spawn(move || {
                    loop {
                        let mut inside = held[caller].lock();
                        if gate.look(InstanceState::check_call).is_err() {
                            return;
                        }
                        *inside = 1;
                        thread::yield_now();
                        *inside = 0;
                    }
                })
            });
            gate.lock(ApiLock::Terminating, true, InstanceState::check_term).unwrap();
            for one in held.iter() {
                drop(one.lock());
            }
            for _ in 0..10 {
                // Whoever holds a lock now has been refused, or is about to be.
                assert!(held.iter().all(|one| one.try_lock().is_none_or(|inside| *inside == 0)));
                assert_eq!(gate.look(InstanceState::check_call).unwrap_err(), EntryError::TermInProgress);
            }
            for caller in callers {
                caller.join().unwrap();
            }
        }
    }

    #[test]
    fn the_first_fatal_error_stays() {
        let gate = ApiGate::new();
        gate.set_fatal(JetError::DISK_IO);
        gate.set_fatal(JetError::LOG_DISK_FULL);
        assert_eq!(gate.state().fatal_error, Some(JetError::DISK_IO));
    }
}
