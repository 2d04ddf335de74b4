//! Files of the operating system.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::file::{File, Lock};
use crate::storage::{Entry, EntryKind, OpenMode, OpenOptions, Storage};

/// The operating system's file systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsStorage;

struct OsFile {
    path: PathBuf,
    file: fs::File,
    poisoned: AtomicBool,
}

impl OsFile {
    fn error(&self, operation: Operation, offset: Option<u64>, error: &std::io::Error) -> IoError {
        IoError { offset, ..IoError::from_std(operation, &self.path, error) }
    }

    fn check_poison(&self, operation: Operation) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(IoError::new(operation, IoErrorKind::Poisoned, &self.path));
        }
        Ok(())
    }

    fn poison(&self, error: IoError) -> IoError {
        self.poisoned.store(true, Ordering::Release);
        error
    }
}

#[cfg(unix)]
fn read_at(file: &fs::File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &fs::File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(unix)]
fn write_at(file: &fs::File, data: &[u8], offset: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, data, offset)
}

#[cfg(windows)]
fn write_at(file: &fs::File, data: &[u8], offset: u64) -> std::io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, data, offset)
}

impl File for OsFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|r| !r.is_empty()) {
            match read_at(&self.file, rest, offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error(Operation::Read, Some(offset), &e)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.check_poison(Operation::Write)?;
        let mut done = 0;
        while let Some(rest) = data.get(done..).filter(|r| !r.is_empty()) {
            match write_at(&self.file, rest, offset + done as u64) {
                Ok(n) => done += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.poison(self.error(Operation::Write, Some(offset), &e))),
            }
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|e| self.error(Operation::Length, None, &e))?.len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check_poison(Operation::Length)?;
        self.file.set_len(len).map_err(|e| self.poison(self.error(Operation::Length, Some(len), &e)))
    }

    fn sync(&self) -> Result<()> {
        self.check_poison(Operation::Sync)?;
        self.file.sync_all().map_err(|e| self.poison(self.error(Operation::Sync, None, &e)))
    }
}

impl Storage for OsStorage {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        let mut open = fs::OpenOptions::new();
        open.read(true);
        match options.mode {
            OpenMode::Read => &mut open,
            OpenMode::ReadWrite => open.write(true),
            OpenMode::CreateNew => open.write(true).create_new(true),
            // Truncation waits until the lock is held.
            OpenMode::CreateOrTruncate | OpenMode::CreateOrOpen => {
                open.write(true).create(true).truncate(false)
            }
        };
        let error = |operation, e: &std::io::Error| IoError::from_std(operation, path, e);
        let file = open.open(path).map_err(|e| {
            let mut error = error(Operation::Open, &e);
            // A missing directory and a missing file are different answers.
            if error.kind == IoErrorKind::NotFound
                && path.parent().is_some_and(|p| !p.as_os_str().is_empty() && !p.is_dir())
            {
                error.kind = IoErrorKind::InvalidPath;
            }
            error
        })?;
        let locked = match options.lock {
            Lock::None => Ok(()),
            Lock::Shared => file.try_lock_shared(),
            Lock::Exclusive => file.try_lock(),
        };
        match locked {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(IoError::new(Operation::Lock, IoErrorKind::InUse, path));
            }
            Err(fs::TryLockError::Error(e)) => return Err(error(Operation::Lock, &e)),
        }
        if options.mode == OpenMode::CreateOrTruncate {
            file.set_len(0).map_err(|e| error(Operation::Length, &e))?;
        }
        Ok(Arc::new(OsFile { path: path.to_path_buf(), file, poisoned: AtomicBool::new(false) }))
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        let metadata = fs::metadata(path).map_err(|e| IoError::from_std(Operation::Inspect, path, &e))?;
        Ok(entry(path.to_path_buf(), &metadata))
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        let error = |e: &std::io::Error| IoError::from_std(Operation::List, directory, e);
        let mut entries = Vec::new();
        for item in fs::read_dir(directory).map_err(|e| error(&e))? {
            let path = item.map_err(|e| error(&e))?.path();
            // A file that vanished, or a dangling link, is no entry.
            if let Ok(metadata) = fs::metadata(&path) {
                entries.push(entry(path, &metadata));
            }
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        fs::create_dir(path).map_err(|e| IoError::from_std(Operation::CreateDirectory, path, &e))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let error = |e: &std::io::Error| IoError::from_std(Operation::Remove, path, e);
        let metadata = fs::symlink_metadata(path).map_err(|e| error(&e))?;
        if metadata.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }.map_err(|e| error(&e))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        if to.is_dir() {
            return Err(IoError::new(Operation::Rename, IoErrorKind::AlreadyExists, to));
        }
        fs::rename(from, to).map_err(|e| IoError::from_std(Operation::Rename, from, &e))
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        // Windows makes names durable by itself and cannot open a directory as a file.
        if cfg!(windows) {
            return Ok(());
        }
        fs::File::open(path)
            .and_then(|d| d.sync_all())
            .map_err(|e| IoError::from_std(Operation::Sync, path, &e))
    }
}

fn entry(path: PathBuf, metadata: &fs::Metadata) -> Entry {
    let directory = metadata.is_dir();
    Entry {
        path,
        kind: if directory { EntryKind::Directory } else { EntryKind::File },
        len: if directory { 0 } else { metadata.len() },
    }
}
