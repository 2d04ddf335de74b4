//! One backup at a time, and none beside an attach or detach.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex};

/// What occupies an instance's only backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupOccupant {
    /// Streaming or directory backup.
    Ordinary,
    /// A replica of this instance is being backed up.
    Surrogate,
}

/// Told when the engine ends a backup by itself: at termination.
pub trait BackupOwner: Send + Sync {
    /// Ends the backup with the reason "by the engine".
    fn end_by_engine(&self);
}

/// Another backup is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {}backup is in progress", if matches!(occupant, BackupOccupant::Surrogate) { "surrogate " } else { "" })]
pub struct BackupInProgress {
    /// What sort of backup.
    pub occupant: BackupOccupant,
}

/// The lock that backups, attach and detach share.
#[derive(Default)]
pub struct BackupGate {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    occupant: Option<(BackupOccupant, Weak<dyn BackupOwner>)>,
    /// Attaches and detaches under way; not more than one runs at a time.
    changing: bool,
}

/// An attach or detach under way; ends when dropped.
pub struct AttachGuard<'a>(&'a BackupGate);

impl Drop for AttachGuard<'_> {
    fn drop(&mut self) {
        self.0.inner.lock().changing = false;
        self.0.changed.notify_all();
    }
}

impl fmt::Debug for BackupGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupGate").field("occupant", &self.occupant()).finish_non_exhaustive()
    }
}

impl BackupGate {
    /// What backup is on.
    #[must_use]
    pub fn occupant(&self) -> Option<BackupOccupant> {
        self.inner.lock().occupant.as_ref().map(|(occupant, _)| *occupant)
    }

    /// Takes the place of the instance's backup, then waits until attaches and detaches under way have ended.
    ///
    /// # Errors
    /// [`BackupInProgress`].
    pub fn begin(
        &self,
        occupant: BackupOccupant,
        owner: Weak<dyn BackupOwner>,
    ) -> Result<(), BackupInProgress> {
        let mut inner = self.inner.lock();
        if let Some((occupant, _)) = inner.occupant {
            return Err(BackupInProgress { occupant });
        }
        inner.occupant = Some((occupant, owner));
        while inner.changing {
            self.changed.wait(&mut inner);
        }
        Ok(())
    }

    /// Gives the place back.
    pub fn end(&self) {
        self.inner.lock().occupant = None;
    }

    /// Whom to tell that the engine ends the backup.
    #[must_use]
    pub fn owner(&self) -> Option<Arc<dyn BackupOwner>> {
        self.inner.lock().occupant.as_ref().and_then(|(_, owner)| owner.upgrade())
    }

    /// Begins an attach or detach, after others have ended.
    ///
    /// # Errors
    /// [`BackupInProgress`].
    pub fn begin_attach(&self) -> Result<AttachGuard<'_>, BackupInProgress> {
        let mut inner = self.inner.lock();
        loop {
            if let Some((occupant, _)) = inner.occupant {
                return Err(BackupInProgress { occupant });
            }
            if !inner.changing {
                inner.changing = true;
                return Ok(AttachGuard(self));
            }
            self.changed.wait(&mut inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;
    impl BackupOwner for Nobody {
        fn end_by_engine(&self) {}
    }

    #[test]
    fn one_backup_and_no_attach_beside_it() {
        let gate = BackupGate::default();
        let owner: Arc<dyn BackupOwner> = Arc::new(Nobody);
        gate.begin(BackupOccupant::Surrogate, Arc::downgrade(&owner)).unwrap();
        let refused = BackupInProgress { occupant: BackupOccupant::Surrogate };
        assert_eq!(gate.begin(BackupOccupant::Ordinary, Arc::downgrade(&owner)), Err(refused));
        assert_eq!(gate.begin_attach().map(drop), Err(refused));
        assert!(gate.owner().is_some());
        gate.end();
        drop(gate.begin_attach().unwrap());
        drop(gate.begin_attach().unwrap());
        gate.begin(BackupOccupant::Ordinary, Arc::downgrade(&owner)).unwrap();
    }
}
