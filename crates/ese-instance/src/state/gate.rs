//! The door itself: counts the calls inside, and lets one call lock the others out.

use std::sync::Arc;

use ese_format::JetError;
use parking_lot::{Condvar, Mutex};

use super::{ApiLock, EntryError, InstanceState};

/// Counts calls inside an instance and locks them out for `init`, `term` and restore.
#[derive(Debug, Default)]
pub struct ApiGate {
    inner: Mutex<Inner>,
    drained: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    state: InstanceState,
    calls: usize,
}

/// A call that is inside; leaves when dropped.
#[derive(Debug)]
pub struct ApiCall {
    gate: Arc<ApiGate>,
}

impl Drop for ApiCall {
    fn drop(&mut self) {
        let mut inner = self.gate.inner.lock();
        inner.calls = inner.calls.saturating_sub(1);
        if inner.calls == 0 {
            self.gate.drained.notify_all();
        }
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
        self.inner.lock().state
    }

    /// Lets a call in when `check` allows it.
    ///
    /// # Errors
    /// What `check` says.
    pub fn enter(
        self: &Arc<Self>,
        check: impl FnOnce(&InstanceState) -> Result<(), EntryError>,
    ) -> Result<ApiCall, EntryError> {
        let mut inner = self.inner.lock();
        check(&inner.state)?;
        inner.calls += 1;
        Ok(ApiCall { gate: Arc::clone(self) })
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
        let mut inner = self.inner.lock();
        check(&inner.state)?;
        inner.state.lock = Some(lock);
        inner.state.term_in_progress |= interrupt;
        while inner.calls > 0 {
            self.drained.wait(&mut inner);
        }
        Ok(())
    }

    /// Changes the state.
    pub fn update(&self, change: impl FnOnce(&mut InstanceState)) {
        change(&mut self.inner.lock().state);
    }

    /// Records a fatal error; only the first one counts.
    pub fn set_fatal(&self, cause: JetError) {
        self.inner.lock().state.fatal_error.get_or_insert(cause);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

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
    fn the_first_fatal_error_stays() {
        let gate = ApiGate::new();
        gate.set_fatal(JetError::DISK_IO);
        gate.set_fatal(JetError::LOG_DISK_FULL);
        assert_eq!(gate.state().fatal_error, Some(JetError::DISK_IO));
    }
}
