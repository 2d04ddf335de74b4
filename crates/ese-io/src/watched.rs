//! A storage around another whose every call is looked at first.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Operation, Result};
use crate::file::File;
use crate::storage::{Entry, OpenMode, OpenOptions, Storage};

/// A call that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct StorageCall<'a> {
    /// What it does. Setting a length is `Length`, asking for one is not looked at.
    pub operation: Operation,
    /// The file or directory; of a renaming the old name.
    pub path: &'a Path,
    /// On an open file; otherwise by name.
    pub on_file: bool,
    /// How a file is opened.
    pub mode: Option<OpenMode>,
    /// Where is read or written, in bytes; or the length that is set.
    pub offset: Option<u64>,
}

/// What becomes of a call that is not refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proceed {
    /// It is made.
    #[default]
    Yes,
    /// A sync is not made, and reported as made: the defect of a careless disk. Other calls are made.
    Pretend,
}

type Watch = dyn Fn(&StorageCall<'_>) -> Result<Proceed> + Send + Sync;

/// A storage that shows each call to a closure, which may wait, do something first, or refuse the call with an error.
#[derive(Clone)]
pub struct WatchedStorage {
    inner: Arc<dyn Storage>,
    watch: Arc<Watch>,
}

impl WatchedStorage {
    /// Around `inner`.
    pub fn new(
        inner: impl Storage + 'static,
        watch: impl Fn(&StorageCall<'_>) -> Result<Proceed> + Send + Sync + 'static,
    ) -> Self {
        Self { inner: Arc::new(inner), watch: Arc::new(watch) }
    }

    fn look(&self, operation: Operation, path: &Path) -> Result<Proceed> {
        (self.watch)(&StorageCall { operation, path, on_file: false, mode: None, offset: None })
    }
}

impl Storage for WatchedStorage {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        let (operation, mode) = (Operation::Open, Some(options.mode));
        (self.watch)(&StorageCall { operation, path, on_file: false, mode, offset: None })?;
        let inner = self.inner.open(path, options)?;
        Ok(Arc::new(WatchedFile { inner, watch: Arc::clone(&self.watch) }))
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        self.look(Operation::Inspect, path)?;
        self.inner.inspect(path)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        self.look(Operation::List, directory)?;
        self.inner.list(directory)
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        self.look(Operation::CreateDirectory, path)?;
        self.inner.create_directory(path)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.look(Operation::Remove, path)?;
        self.inner.remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.look(Operation::Rename, from)?;
        self.inner.rename(from, to)
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        match self.look(Operation::Sync, path)? {
            Proceed::Yes => self.inner.sync_directory(path),
            Proceed::Pretend => Ok(()),
        }
    }
}

struct WatchedFile {
    inner: Arc<dyn File>,
    watch: Arc<Watch>,
}

impl WatchedFile {
    fn look(&self, operation: Operation, offset: Option<u64>) -> Result<Proceed> {
        (self.watch)(&StorageCall { operation, path: self.inner.path(), on_file: true, mode: None, offset })
    }
}

impl File for WatchedFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.look(Operation::Read, Some(offset))?;
        self.inner.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.look(Operation::Write, Some(offset))?;
        self.inner.write_at(offset, data)
    }

    fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.look(Operation::Length, Some(len))?;
        self.inner.set_len(len)
    }

    fn sync(&self) -> Result<()> {
        match self.look(Operation::Sync, None)? {
            Proceed::Yes => self.inner.sync(),
            Proceed::Pretend => Ok(()),
        }
    }
}
