//! Locks between handles of one process, for the storages that have no operating system to ask.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::file::Lock;

/// The locks held on one file.
#[derive(Clone, Default)]
pub(crate) struct Locks(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    shared: usize,
    exclusive: bool,
}

/// A lock that is held until this is dropped.
pub(crate) struct LockGuard {
    locks: Locks,
    lock: Lock,
}

impl Locks {
    /// Takes a lock, or `None` when another holder is in the way.
    pub(crate) fn take(&self, lock: Lock) -> Option<LockGuard> {
        let mut held = self.0.lock();
        match lock {
            Lock::None => {}
            Lock::Shared if held.exclusive => return None,
            Lock::Shared => held.shared += 1,
            Lock::Exclusive if held.exclusive || held.shared > 0 => return None,
            Lock::Exclusive => held.exclusive = true,
        }
        Some(LockGuard { locks: self.clone(), lock })
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        let mut held = self.locks.0.lock();
        match self.lock {
            Lock::None => {}
            Lock::Shared => held.shared -= 1,
            Lock::Exclusive => held.exclusive = false,
        }
    }
}
