//! The thread that writes what was appended, so that whoever appends much does not wait for the disk.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use super::InstanceLog;

/// Tells a thread that there is work, or that it is to end.
#[derive(Debug, Default)]
pub(super) struct Signal {
    /// Looked at before the lock is taken: appends raise the signal often.
    raised: AtomicBool,
    ended: Mutex<bool>,
    condition: Condvar,
}

impl Signal {
    pub(super) fn raise(&self) {
        if !self.raised.load(Ordering::Relaxed) && !self.raised.swap(true, Ordering::AcqRel) {
            // Whoever waits is either behind the lock already, or will see it raised.
            drop(self.ended.lock());
            self.condition.notify_one();
        }
    }

    fn end(&self) {
        *self.ended.lock() = true;
        self.condition.notify_one();
    }

    /// Returns when there is work, and true, or when the thread is to end.
    fn wait(&self) -> bool {
        let mut ended = self.ended.lock();
        while !*ended {
            if self.raised.swap(false, Ordering::AcqRel) {
                return true;
            }
            self.condition.wait(&mut ended);
        }
        false
    }
}

/// The thread of one log. It ends when this is dropped.
pub(super) struct WriteBehind {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl WriteBehind {
    /// Starts the thread; `None` when the system has none to give: appends write then.
    pub(super) fn start(log: &Arc<InstanceLog>) -> Option<Self> {
        let signal = Arc::clone(&log.state.signal);
        let (waited, log) = (Arc::clone(&signal), Arc::downgrade(log));
        let work = move || {
            while waited.wait() {
                let Some(log) = Weak::upgrade(&log) else { return };
                // A failure takes the log down; whoever appends or waits is told.
                if let Err(error) = log.writer.write_behind() {
                    tracing::debug!(%error, "the log is not written any more");
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("ese log".to_owned()).spawn(work).ok()?;
        Some(Self { signal, thread: Some(thread) })
    }
}

impl Drop for WriteBehind {
    fn drop(&mut self) {
        self.signal.end();
        let Some(thread) = self.thread.take() else { return };
        // The last owner of a log may be its own thread.
        if thread.thread().id() != std::thread::current().id() {
            let _ = thread.join();
        }
    }
}
