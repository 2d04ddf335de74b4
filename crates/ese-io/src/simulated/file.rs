//! An open file of the simulated disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::fault::Effect;
use crate::file::File;
use crate::locks::LockGuard;
use crate::simulated::state::{FileId, State};

pub(super) struct SimulatedFile {
    path: PathBuf,
    state: Arc<Mutex<State>>,
    id: FileId,
    writable: bool,
    poisoned: AtomicBool,
    _lock: LockGuard,
}

impl SimulatedFile {
    pub(super) fn new(
        path: &Path,
        state: Arc<Mutex<State>>,
        id: FileId,
        writable: bool,
        lock: LockGuard,
    ) -> Self {
        let poisoned = AtomicBool::new(false);
        Self { path: path.to_path_buf(), state, id, writable, poisoned, _lock: lock }
    }

    fn error(&self, operation: Operation, kind: IoErrorKind) -> IoError {
        IoError::new(operation, kind, &self.path)
    }

    fn look<T>(&self, operation: Operation, call: impl FnOnce(&State) -> T) -> Result<T> {
        let mut state = self.state.lock();
        state.look(operation).map_err(|kind| self.error(operation, kind))?;
        Ok(call(&state))
    }

    fn change(
        &self,
        operation: Operation,
        call: impl FnOnce(&mut State, Effect) -> std::result::Result<(), IoErrorKind>,
    ) -> Result<()> {
        if !self.writable {
            return Err(self.error(operation, IoErrorKind::ReadOnly));
        }
        let mut state = self.state.lock();
        let result = state.step(operation, &self.path, |state, effect| {
            if self.poisoned.load(Ordering::Acquire) {
                return Err(IoErrorKind::Poisoned);
            }
            call(state, effect).map(Some)
        });
        if let Err(error) = &result {
            // Without power the handle is dead anyway.
            if error.kind != IoErrorKind::PowerLost {
                self.poisoned.store(true, Ordering::Release);
            }
        }
        result
    }
}

impl File for SimulatedFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.look(Operation::Read, |state| {
            state.files.get(&self.id).map_or(0, |f| f.volatile.read(offset, buffer))
        })
        .map_err(|e| e.at(offset))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.change(Operation::Write, |state, effect| match effect {
            Effect::None => Ok(()),
            Effect::Half => {
                // Up to the boundary of a sector: no sector is ever mixed.
                let middle = offset.saturating_add(data.len() as u64 / 2);
                let end = middle - middle % u64::from(state.sector);
                let count = usize::try_from(end.saturating_sub(offset)).unwrap_or(0);
                state.write(self.id, offset, data.get(..count).unwrap_or(&[]))
            }
            Effect::Full => state.write(self.id, offset, data),
        })
        .map_err(|e| e.at(offset))
    }

    fn len(&self) -> Result<u64> {
        self.look(Operation::Length, |state| state.files.get(&self.id).map_or(0, |f| f.volatile.len()))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.change(Operation::Length, |state, effect| {
            if effect != Effect::Full || state.set_len(self.id, len) {
                Ok(())
            } else {
                Err(IoErrorKind::DiskFull)
            }
        })
        .map_err(|e| e.at(len))
    }

    /// The simulated disk is never full: nothing has to be done.
    fn reserve(&self, _: u64) -> Result<bool> {
        self.look(Operation::Length, |_| self.writable)
    }

    fn sync(&self) -> Result<()> {
        if !self.writable {
            return self.look(Operation::Sync, |_| ());
        }
        self.change(Operation::Sync, |state, effect| {
            if state.lost.is_none() {
                let count = match effect {
                    Effect::None => 0,
                    Effect::Half => state.pending_data(self.id) / 2,
                    Effect::Full => usize::MAX,
                };
                state.sync_file(self.id, count);
            }
            Ok(())
        })
    }
}
