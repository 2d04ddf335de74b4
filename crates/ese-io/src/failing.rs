//! A storage around another whose calls fail as planned.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::fault::{Effect, Fault, Faults};
use crate::file::File;
use crate::storage::{Entry, OpenOptions, Storage};

/// A storage whose Nth call fails. Clones share the plan and the counters.
///
/// Every call of [`Storage`] and [`File`] counts as one, reads included.
#[derive(Clone)]
pub struct FailingStorage {
    inner: Arc<dyn Storage>,
    faults: Arc<Mutex<Faults>>,
}

impl FailingStorage {
    /// Around `inner`, with nothing planned.
    pub fn new(inner: impl Storage + 'static) -> Self {
        Self { inner: Arc::new(inner), faults: Arc::default() }
    }

    /// Adds a planned failure; its counting starts now.
    pub fn plan(&self, fault: Fault) {
        self.faults.lock().plan(fault);
    }

    /// Forgets all planned failures.
    pub fn clear(&self) {
        self.faults.lock().clear();
    }

    /// Calls so far: what a test enumerates.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.faults.lock().calls()
    }

    fn call<T>(
        &self,
        operation: Operation,
        path: &Path,
        call: impl FnOnce(&dyn Storage) -> Result<T>,
    ) -> Result<T> {
        let fault = self.faults.lock().call(operation);
        match fault {
            None => call(&*self.inner),
            Some((kind, effect)) => {
                if effect == Effect::Full {
                    let _ = call(&*self.inner);
                }
                Err(IoError::new(operation, kind, path))
            }
        }
    }
}

impl Storage for FailingStorage {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        let inner = self.call(Operation::Open, path, |s| s.open(path, options))?;
        let faults = Arc::clone(&self.faults);
        Ok(Arc::new(FailingFile {
            path: path.to_path_buf(),
            inner,
            faults,
            poisoned: AtomicBool::new(false),
        }))
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        self.call(Operation::Inspect, path, |s| s.inspect(path))
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        self.call(Operation::List, directory, |s| s.list(directory))
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        self.call(Operation::CreateDirectory, path, |s| s.create_directory(path))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.call(Operation::Remove, path, |s| s.remove(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.call(Operation::Rename, from, |s| s.rename(from, to))
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        self.call(Operation::Sync, path, |s| s.sync_directory(path))
    }
}

struct FailingFile {
    path: PathBuf,
    inner: Arc<dyn File>,
    faults: Arc<Mutex<Faults>>,
    poisoned: AtomicBool,
}

impl FailingFile {
    fn fault(&self, operation: Operation) -> Option<(IoErrorKind, Effect)> {
        self.faults.lock().call(operation)
    }

    fn error(&self, operation: Operation, kind: IoErrorKind) -> IoError {
        IoError::new(operation, kind, &self.path)
    }

    fn change(
        &self,
        operation: Operation,
        offset: Option<u64>,
        call: impl FnOnce(Effect) -> Result<()>,
    ) -> Result<()> {
        let fault = self.fault(operation);
        if self.poisoned.load(Ordering::Acquire) {
            return Err(self.error(operation, IoErrorKind::Poisoned));
        }
        match fault {
            None => call(Effect::Full),
            Some((kind, effect)) => {
                let _ = call(effect);
                self.poisoned.store(true, Ordering::Release);
                Err(IoError { offset, ..self.error(operation, kind) })
            }
        }
    }
}

impl File for FailingFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match self.fault(Operation::Read) {
            None => self.inner.read_at(offset, buffer),
            Some((kind, _)) => Err(self.error(Operation::Read, kind).at(offset)),
        }
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.change(Operation::Write, Some(offset), |effect| match effect {
            Effect::None => Ok(()),
            Effect::Half => self.inner.write_at(offset, data.get(..data.len() / 2).unwrap_or(&[])),
            Effect::Full => self.inner.write_at(offset, data),
        })
    }

    fn len(&self) -> Result<u64> {
        match self.fault(Operation::Length) {
            None => self.inner.len(),
            Some((kind, _)) => Err(self.error(Operation::Length, kind)),
        }
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.change(Operation::Length, Some(len), |effect| match effect {
            Effect::Full => self.inner.set_len(len),
            Effect::None | Effect::Half => Ok(()),
        })
    }

    fn sync(&self) -> Result<()> {
        self.change(Operation::Sync, None, |effect| match effect {
            Effect::Full => self.inner.sync(),
            Effect::None | Effect::Half => Ok(()),
        })
    }
}
