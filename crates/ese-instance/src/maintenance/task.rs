//! One piece of work that can be waited for and stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// The work on a database that is under way.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    pub(super) scan: Place,
    pub(super) defragment: Place,
}

impl Maintenance {
    /// Stops everything, and waits for it.
    pub(crate) fn stop(&self) {
        for place in [&self.scan, &self.defragment] {
            if let Some(task) = place.running() {
                task.stop();
                task.wait();
            }
        }
    }
}

/// Where a task of one kind stands.
#[derive(Debug, Default)]
pub(super) struct Place {
    task: Mutex<Option<Arc<Task>>>,
}

impl Place {
    /// The task that is under way.
    pub(super) fn running(&self) -> Option<Arc<Task>> {
        self.task.lock().clone().filter(|task| !task.is_done())
    }

    /// A new task; `None` while another one is under way.
    pub(super) fn begin(&self, seconds: Option<u32>) -> Option<Arc<Task>> {
        let place = &mut *self.task.lock();
        if place.as_ref().is_some_and(|task| !task.is_done()) {
            return None;
        }
        let started = Instant::now();
        let task = Arc::new(Task {
            started,
            deadline: seconds.and_then(|seconds| started.checked_add(Duration::from_secs(seconds.into()))),
            stopped: AtomicBool::new(false),
            passes: AtomicU32::new(0),
            done: Mutex::new(false),
            changed: Condvar::new(),
            worker: Mutex::new(None),
        });
        *place = Some(Arc::clone(&task));
        Some(task)
    }
}

/// Work under way.
#[derive(Debug)]
pub(super) struct Task {
    started: Instant,
    deadline: Option<Instant>,
    stopped: AtomicBool,
    /// How often everything was done.
    pub(super) passes: AtomicU32,
    done: Mutex<bool>,
    changed: Condvar,
    worker: Mutex<Option<ThreadId>>,
}

impl Task {
    /// Whether the work is to go on.
    pub(super) fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Acquire)
            && self.deadline.is_none_or(|deadline| Instant::now() < deadline)
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.changed.notify_all();
    }

    fn is_done(&self) -> bool {
        *self.done.lock()
    }

    /// Waits until the work is over. The work itself, in a callback, does not wait for itself.
    pub(super) fn wait(&self) {
        if *self.worker.lock() == Some(std::thread::current().id()) {
            return;
        }
        let done = &mut self.done.lock();
        while !**done {
            self.changed.wait(done);
        }
    }

    /// Rests for a while, unless the work is stopped.
    pub(super) fn rest(&self, time: Duration) {
        if !time.is_zero() && self.goes_on() {
            let done = &mut self.done.lock();
            self.changed.wait_for(done, time);
        }
    }

    pub(super) fn seconds(&self) -> u32 {
        u32::try_from(self.started.elapsed().as_secs()).unwrap_or(u32::MAX)
    }

    /// Does the work, on a thread of its own when `threads`.
    pub(super) fn run(self: Arc<Self>, threads: bool, name: &str, work: impl FnOnce(&Self) + Send + 'static) {
        /// However the work ends, nobody waits for it any more.
        struct Ended(Arc<Task>);
        impl Drop for Ended {
            fn drop(&mut self) {
                *self.0.done.lock() = true;
                self.0.changed.notify_all();
            }
        }
        let ended = Ended(self);
        let work = |task: &Self| {
            *task.worker.lock() = Some(std::thread::current().id());
            work(task);
        };
        if !threads {
            work(&ended.0);
            return;
        }
        // A thread that cannot be had: the work is over before it has begun.
        let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&ended.0));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for {name}");
        }
    }
}
