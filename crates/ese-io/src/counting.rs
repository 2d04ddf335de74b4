//! A storage around another that counts calls and bytes, for tests and for statistics.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Operation, Result};
use crate::file::File;
use crate::storage::{Entry, OpenOptions, Storage};

/// Calls and bytes of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls, failed ones included.
    pub calls: u64,
    /// Bytes read or written by the calls that succeeded; 0 for other operations.
    pub bytes: u64,
}

/// Calls and bytes of all operations at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([Count; Operation::ALL.len()]);

impl Counts {
    /// Of one operation. An `open` with a lock counts as `Open`.
    #[must_use]
    pub fn of(&self, operation: Operation) -> Count {
        self.0.get(operation as usize).copied().unwrap_or_default()
    }

    /// Calls of all operations.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.0.iter().map(|c| c.calls).sum()
    }

    /// What was added since an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut counts = *self;
        for (now, then) in counts.0.iter_mut().zip(&earlier.0) {
            now.calls = now.calls.saturating_sub(then.calls);
            now.bytes = now.bytes.saturating_sub(then.bytes);
        }
        counts
    }
}

#[derive(Default)]
struct Counters([(AtomicU64, AtomicU64); Operation::ALL.len()]);

impl Counters {
    fn add(&self, operation: Operation, bytes: usize) {
        if let Some((calls, total)) = self.0.get(operation as usize) {
            calls.fetch_add(1, Ordering::Relaxed);
            total.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

/// A storage that counts. Clones share the counters.
#[derive(Clone)]
pub struct CountingStorage {
    inner: Arc<dyn Storage>,
    counters: Arc<Counters>,
}

impl CountingStorage {
    /// Around `inner`, counting from zero.
    pub fn new(inner: impl Storage + 'static) -> Self {
        Self { inner: Arc::new(inner), counters: Arc::default() }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (count, (calls, bytes)) in counts.0.iter_mut().zip(&self.counters.0) {
            *count = Count { calls: calls.load(Ordering::Relaxed), bytes: bytes.load(Ordering::Relaxed) };
        }
        counts
    }
}

impl Storage for CountingStorage {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        self.counters.add(Operation::Open, 0);
        let inner = self.inner.open(path, options)?;
        let counters = Arc::clone(&self.counters);
        Ok(Arc::new(CountingFile { path: path.to_path_buf(), inner, counters }))
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        self.counters.add(Operation::Inspect, 0);
        self.inner.inspect(path)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        self.counters.add(Operation::List, 0);
        self.inner.list(directory)
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        self.counters.add(Operation::CreateDirectory, 0);
        self.inner.create_directory(path)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.counters.add(Operation::Remove, 0);
        self.inner.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.counters.add(Operation::Rename, 0);
        self.inner.rename(from, to)
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        self.counters.add(Operation::Sync, 0);
        self.inner.sync_directory(path)
    }
}

struct CountingFile {
    path: PathBuf,
    inner: Arc<dyn File>,
    counters: Arc<Counters>,
}

impl CountingFile {
    fn count<T>(
        &self,
        operation: Operation,
        result: Result<T>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Result<T> {
        self.counters.add(operation, result.as_ref().map_or(0, bytes));
        result
    }
}

impl File for CountingFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.count(Operation::Read, self.inner.read_at(offset, buffer), |count| *count)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.count(Operation::Write, self.inner.write_at(offset, data), |()| data.len())
    }

    fn len(&self) -> Result<u64> {
        self.count(Operation::Length, self.inner.len(), |_| 0)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.count(Operation::Length, self.inner.set_len(len), |()| 0)
    }

    fn sync(&self) -> Result<()> {
        self.count(Operation::Sync, self.inner.sync(), |()| 0)
    }
}
