//! Telling the application when commits are durable, and making lazy ones durable in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ese_format::LogPosition;
use parking_lot::{Condvar, Mutex, RwLock};

use super::{Instance, Shared};
use crate::error::InstanceError;
use crate::session::CommitId;
use crate::state::{EntryError, InstanceState};

/// Told how far commits are durable: those with smaller ids are. The last argument: the log cannot be written any more, and
/// later commits never will be. Called on the thread that made them durable, outside locks; it may use the instance.
#[doc(alias = "JET_PFNDURABLECOMMITCALLBACK")]
#[doc(alias = "JET_bitDurableCommitCallbackLogUnavailable")]
pub type DurableCommitCallback = dyn Fn(&Instance, CommitId, bool) + Send + Sync;

/// Who is told, and what was.
#[derive(Default)]
pub(super) struct DurableCommits {
    listening: AtomicBool,
    callback: RwLock<Option<Arc<DurableCommitCallback>>>,
    /// The position that was told last.
    told: AtomicU64,
    timer: Arc<Timer>,
}

/// When the log must be flushed for the sake of lazy commits.
#[derive(Default)]
struct Timer {
    inner: Mutex<TimerState>,
    changed: Condvar,
}

#[derive(Default)]
struct TimerState {
    deadline: Option<Instant>,
    running: bool,
}

impl Instance {
    /// Sets who is told when commits are durable; `None` for nobody. Before the initialisation only.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JET_paramDurableCommitCallback")]
    pub fn set_durable_commit_callback(
        &self,
        callback: Option<Arc<DurableCommitCallback>>,
    ) -> Result<(), InstanceError> {
        let _call = self.enter(InstanceState::check_without_init)?;
        if self.state().initialized {
            return Err(EntryError::AlreadyInitialized.into());
        }
        let durable = &self.shared.services.durable;
        durable.listening.store(callback.is_some(), Ordering::Release);
        *durable.callback.write() = callback;
        Ok(())
    }

    /// Tells how far commits are durable, if that is news.
    pub(crate) fn tell_durable_commits(&self) {
        let durable = &self.shared.services.durable;
        if !durable.listening.load(Ordering::Acquire) {
            return;
        }
        let Some(log) = self.log() else { return };
        let end = log.durable_end();
        let down = log.is_down();
        if durable.told.fetch_max(end.to_u64(), Ordering::AcqRel) >= end.to_u64() && !down {
            return;
        }
        let callback = durable.callback.read().clone();
        if let Some(callback) = callback {
            callback(self, CommitId { log_signature: log.signature(), position: end }, down);
        }
    }

    /// Sees to it that what is committed now is durable after a while.
    pub(crate) fn make_durable_within(&self, time: Duration) {
        if !self.environment().threads {
            flush(&self.shared);
            return;
        }
        let timer = Arc::clone(&self.shared.services.durable.timer);
        let state = &mut *timer.inner.lock();
        let deadline = Instant::now() + time;
        state.deadline = Some(state.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        if state.running {
            timer.changed.notify_all();
            return;
        }
        let (instance, own) = (Arc::downgrade(&self.shared), Arc::clone(&timer));
        let thread = std::thread::Builder::new().name("ese durable commits".to_owned());
        let spawned = thread.spawn(move || {
            while own.wait() {
                let Some(shared) = instance.upgrade() else { return };
                flush(&shared);
            }
        });
        match spawned {
            Ok(_) => state.running = true,
            // Sooner is allowed.
            Err(_) => flush(&self.shared),
        }
    }
}

impl Timer {
    /// Waits for the deadline; false when there is none any more.
    fn wait(&self) -> bool {
        let state = &mut self.inner.lock();
        loop {
            let Some(deadline) = state.deadline else {
                state.running = false;
                return false;
            };
            if Instant::now() >= deadline {
                state.deadline = None;
                return true;
            }
            self.changed.wait_until(state, deadline);
        }
    }
}

fn flush(shared: &Arc<Shared>) {
    let instance = Instance { shared: Arc::clone(shared) };
    if let Some(log) = instance.log() {
        // A log that cannot be written says so to whoever commits next.
        let _ = log.flush();
        instance.tell_durable_commits();
    }
}

impl std::fmt::Debug for DurableCommits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = LogPosition::from_u64(self.told.load(Ordering::Relaxed));
        f.debug_struct("DurableCommits").field("told", &told).finish_non_exhaustive()
    }
}
