//! A name space of files and directories.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{IoErrorKind, Result};
use crate::file::{File, Lock};

/// What may be done with an opened file, and what happens when it is or is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Existing file, reading only.
    Read,
    /// Existing file, reading and writing.
    ReadWrite,
    /// New file; one that exists is an error.
    CreateNew,
    /// New file, or an existing one cut to zero length.
    CreateOrTruncate,
    /// New file, or an existing one as it is.
    CreateOrOpen,
}

impl OpenMode {
    /// Whether a missing file is created.
    #[must_use]
    pub const fn creates(self) -> bool {
        matches!(self, Self::CreateNew | Self::CreateOrTruncate | Self::CreateOrOpen)
    }

    /// Whether the handle may write.
    #[must_use]
    pub const fn writes(self) -> bool {
        !matches!(self, Self::Read)
    }
}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// Access and creation.
    pub mode: OpenMode,
    /// Sharing with others; a refused lock is [`IoErrorKind::InUse`].
    pub lock: Lock,
    /// Bypass the system's page cache where it can: offsets, lengths and buffer addresses should then be multiples of
    /// 4096. Storage that cannot do it, and requests that are not aligned, fall back to ordinary I/O.
    pub direct: bool,
    /// Bypass it when writing only. A request of several system pages that goes into the page cache is cut when the process is
    /// killed in the middle of it; one that goes to the device is not.
    pub direct_writes: bool,
}

impl OpenOptions {
    /// Options with no lock and ordinary I/O.
    #[must_use]
    pub const fn new(mode: OpenMode) -> Self {
        Self { mode, lock: Lock::None, direct: false, direct_writes: false }
    }

    /// Existing file, reading only.
    pub const READ: Self = Self::new(OpenMode::Read);

    /// The same with a lock.
    #[must_use]
    pub const fn lock(mut self, lock: Lock) -> Self {
        self.lock = lock;
        self
    }

    /// The same, bypassing the system's page cache where possible.
    #[must_use]
    pub const fn direct(mut self, direct: bool) -> Self {
        self.direct = direct;
        self
    }

    /// The same, bypassing it for writes where possible.
    #[must_use]
    pub const fn direct_writes(mut self) -> Self {
        self.direct_writes = true;
        self
    }
}

/// What a directory entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
}

/// One directory entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Full path: the listed directory joined with the name.
    pub path: PathBuf,
    /// What it is. Symbolic links are followed.
    pub kind: EntryKind,
    /// Length in bytes; 0 for a directory.
    pub len: u64,
}

/// A name space of files and directories.
///
/// Creating, removing and renaming become durable with [`sync_directory`](Self::sync_directory) of the containing
/// directory, as on every POSIX file system. All storages give the same answers: `NotFound` means that the last name of
/// a path is missing, `InvalidPath` that a directory on the way to it is. An empty path is the current directory.
pub trait Storage: Send + Sync {
    /// Opens a regular file.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `InvalidPath`, `AccessDenied` (a directory, too), `InUse`, …
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>>;

    /// What `path` is.
    ///
    /// # Errors
    /// `NotFound`, `InvalidPath` and others.
    fn inspect(&self, path: &Path) -> Result<Entry>;

    /// The files and directories in a directory, sorted by path.
    ///
    /// # Errors
    /// `NotFound`, `InvalidPath` (not a directory) and others.
    fn list(&self, directory: &Path) -> Result<Vec<Entry>>;

    /// Creates one directory; the parent must exist.
    ///
    /// # Errors
    /// `AlreadyExists`, `InvalidPath` and others.
    fn create_directory(&self, path: &Path) -> Result<()>;

    /// Deletes a file, or an empty directory. Open handles of the file keep working.
    ///
    /// # Errors
    /// `NotFound`, `InvalidPath`, `DirectoryNotEmpty` and others.
    fn remove(&self, path: &Path) -> Result<()>;

    /// Renames a file or directory in one step. An existing file is replaced by a file; every other existing target is
    /// an error.
    ///
    /// # Errors
    /// `NotFound`, `InvalidPath`, `AlreadyExists` and others.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// `NotFound`, `InvalidPath`, a device error.
    fn sync_directory(&self, path: &Path) -> Result<()>;

    /// Whether something is there.
    ///
    /// # Errors
    /// Anything but `NotFound` and `InvalidPath`, which mean "no".
    fn exists(&self, path: &Path) -> Result<bool> {
        match self.inspect(path) {
            Ok(_) => Ok(true),
            Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// The directory that holds the name of `path`; the current directory (an empty path) for a bare name.
#[must_use]
pub fn parent_directory(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// A shared storage is a storage: wrappers take it as it is.
impl<S: Storage + ?Sized> Storage for Arc<S> {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        (**self).open(path, options)
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        (**self).inspect(path)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        (**self).list(directory)
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        (**self).create_directory(path)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        (**self).remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        (**self).rename(from, to)
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        (**self).sync_directory(path)
    }
}
