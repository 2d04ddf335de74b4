//! A storage around another that takes no new files while it is full.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::file::File;
use crate::storage::{Entry, OpenMode, OpenOptions, Storage};

/// A disk that takes no new files in one directory while it is full. Clones share whether it is.
#[derive(Clone)]
pub struct FullStorage {
    inner: Arc<dyn Storage>,
    directory: PathBuf,
    full: Arc<AtomicBool>,
}

impl FullStorage {
    /// Around `inner`; the disk below `directory` has room until told otherwise.
    pub fn new(inner: impl Storage + 'static, directory: impl Into<PathBuf>) -> Self {
        Self { inner: Arc::new(inner), directory: directory.into(), full: Arc::default() }
    }

    /// Whether the disk is full from now on.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Release);
    }
}

impl Storage for FullStorage {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        let new = options.mode == OpenMode::CreateNew && path.starts_with(&self.directory);
        if new && self.full.load(Ordering::Acquire) {
            return Err(IoError::new(Operation::Open, IoErrorKind::DiskFull, path));
        }
        self.inner.open(path, options)
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        self.inner.inspect(path)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        self.inner.list(directory)
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        self.inner.create_directory(path)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.inner.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        self.inner.sync_directory(path)
    }
}
