//! Threads of an instance, each of which does one kind of work when it is told that there is some.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

/// Tells a thread that there is work, or that it is to end.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    /// Looked at before the lock is taken: whoever makes work says so often.
    raised: AtomicBool,
    ended: Mutex<bool>,
    condition: Condvar,
}

impl Signal {
    pub(crate) fn raise(&self) {
        if !self.raised.load(Ordering::Relaxed) && !self.raised.swap(true, Ordering::AcqRel) {
            // Whoever waits is either behind the lock already, or will see it raised.
            drop(self.ended.lock());
            self.condition.notify_one();
        }
    }

    /// Whether the thread is to end.
    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.lock()
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

/// A thread that works when its signal is raised. It ends when this is dropped, after the work at hand.
#[derive(Debug)]
pub(crate) struct Worker {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a thread that calls `work` until it returns false. `None` when the system has no thread to give.
    pub(crate) fn start(
        name: &str,
        signal: &Arc<Signal>,
        mut work: impl FnMut() -> bool + Send + 'static,
    ) -> Option<Self> {
        let waited = Arc::clone(signal);
        let run = move || while waited.wait() && work() {};
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run).ok()?;
        Some(Self { signal: Arc::clone(signal), thread: Some(thread) })
    }

    /// Whether it still works.
    pub(crate) fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Says that there is work.
    pub(crate) fn wake(&self) {
        self.signal.raise();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.signal.end();
        let Some(thread) = self.thread.take() else { return };
        // What the thread holds may be the last of what holds it.
        if thread.thread().id() != std::thread::current().id() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_worker_works_when_it_is_told_and_ends() {
        let (sender, receiver) = mpsc::channel();
        let signal = Arc::default();
        let mut count = 0;
        let worker = Worker::start("test", &signal, move || {
            count += 1;
            sender.send(count).unwrap();
            true
        })
        .unwrap();
        for expected in 1..=3 {
            worker.wake();
            assert_eq!(receiver.recv().unwrap(), expected);
        }
        assert!(worker.is_alive());
        drop(worker);
        // The thread has let go of the sender, and has done nothing more.
        assert!(receiver.recv().is_err());
    }
}
