//! Files of the operating system.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::direct::{direct_part, reopen};
use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::file::{File, Lock};
use crate::storage::{Entry, EntryKind, OpenMode, OpenOptions, Storage, parent_directory};

/// The operating system's file systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsStorage;

struct OsFile {
    path: PathBuf,
    file: fs::File,
    /// The same file once more, bypassing the page cache.
    direct: Option<fs::File>,
    /// Whether reads go there too.
    direct_reads: bool,
    /// Set when the device turned a direct request down that looked aligned.
    direct_refused: AtomicBool,
    writable: bool,
    poisoned: AtomicBool,
}

impl OsFile {
    fn error(&self, operation: Operation, offset: Option<u64>, error: &io::Error) -> IoError {
        IoError { offset, ..IoError::from_std(operation, &self.path, error) }
    }

    fn check(&self, operation: Operation) -> Result<()> {
        if !self.writable {
            return Err(IoError::new(operation, IoErrorKind::ReadOnly, &self.path));
        }
        if self.poisoned.load(Ordering::Acquire) {
            return Err(IoError::new(operation, IoErrorKind::Poisoned, &self.path));
        }
        Ok(())
    }

    fn poison(&self, error: IoError) -> IoError {
        self.poisoned.store(true, Ordering::Release);
        error
    }

    /// The handle for a request, and how many of its bytes may go there at once.
    fn route(&self, operation: Operation, offset: u64, bytes: &[u8]) -> (&fs::File, usize, bool) {
        let direct = self.direct.as_ref().filter(|_| self.direct_reads || operation == Operation::Write);
        match (direct, direct_part(offset, bytes)) {
            (Some(direct), part) if part > 0 && !self.direct_refused.load(Ordering::Relaxed) => {
                (direct, part, true)
            }
            _ => (&self.file, bytes.len(), false),
        }
    }

    /// Whether to try again: interrupted, or refused because it was direct.
    fn again(&self, error: &io::Error, was_direct: bool) -> bool {
        if was_direct && matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) {
            self.direct_refused.store(true, Ordering::Relaxed);
            return true;
        }
        error.kind() == io::ErrorKind::Interrupted
    }
}

#[cfg(unix)]
fn read_at(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(unix)]
fn write_at(file: &fs::File, data: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, data, offset)
}

#[cfg(windows)]
fn write_at(file: &fs::File, data: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, data, offset)
}

impl File for OsFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|r| !r.is_empty()) {
            // No file reaches beyond what a signed offset can say, and the system refuses to look there.
            let at = offset.saturating_add(done as u64);
            let room = usize::try_from((i64::MAX as u64).saturating_sub(at)).unwrap_or(usize::MAX);
            let count = room.min(rest.len());
            let Some(rest) = rest.get_mut(..count).filter(|r| !r.is_empty()) else { break };
            let (file, part, direct) = self.route(Operation::Read, at, rest);
            match read_at(file, rest.get_mut(..part).unwrap_or(&mut []), at) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(e) if self.again(&e, direct) => {}
                Err(e) => return Err(self.error(Operation::Read, Some(offset), &e)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.check(Operation::Write)?;
        let end = offset.checked_add(data.len() as u64);
        if end.is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(IoError::new(Operation::Write, IoErrorKind::DiskFull, &self.path).at(offset));
        }
        let mut done = 0;
        while let Some(rest) = data.get(done..).filter(|r| !r.is_empty()) {
            let at = offset + done as u64;
            let (file, part, direct) = self.route(Operation::Write, at, rest);
            match write_at(file, rest.get(..part).unwrap_or(&[]), at) {
                Ok(0) => {
                    let error = io::Error::from(io::ErrorKind::WriteZero);
                    return Err(self.poison(self.error(Operation::Write, Some(at), &error)));
                }
                Ok(count) => done += count,
                Err(e) if self.again(&e, direct) => {}
                Err(e) => return Err(self.poison(self.error(Operation::Write, Some(at), &e))),
            }
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|e| self.error(Operation::Length, None, &e))?.len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check(Operation::Length)?;
        if i64::try_from(len).is_err() {
            return Err(IoError::new(Operation::Length, IoErrorKind::DiskFull, &self.path).at(len));
        }
        self.file.set_len(len).map_err(|e| self.poison(self.error(Operation::Length, Some(len), &e)))
    }

    #[cfg(target_os = "linux")]
    fn allocate(&self, len: u64) -> Result<()> {
        self.check(Operation::Length)?;
        let reserved = rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::empty(), 0, len);
        match reserved.map_err(io::Error::from) {
            Err(e) if e.kind() == io::ErrorKind::StorageFull => {
                Err(self.poison(self.error(Operation::Length, Some(len), &e)))
            }
            // Not every file system can reserve.
            _ => self.set_len(len),
        }
    }

    #[cfg(target_os = "linux")]
    fn reserve(&self, len: u64) -> Result<bool> {
        self.check(Operation::Length)?;
        let reserved = rustix::fs::fallocate(&self.file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, len);
        match reserved.map_err(io::Error::from) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::StorageFull => {
                Err(self.error(Operation::Length, Some(len), &e))
            }
            // Not every file system can.
            Err(_) => Ok(false),
        }
    }

    fn sync(&self) -> Result<()> {
        if !self.writable {
            return Ok(());
        }
        self.check(Operation::Sync)?;
        // Content and length; times and permissions may come later.
        self.file.sync_data().map_err(|e| self.poison(self.error(Operation::Sync, None, &e)))
    }
}

impl Storage for OsStorage {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        let mut open = fs::OpenOptions::new();
        open.read(true).write(options.mode.writes());
        match options.mode {
            OpenMode::Read | OpenMode::ReadWrite => {}
            OpenMode::CreateNew => {
                open.create_new(true);
            }
            // Truncation waits until the lock is held.
            OpenMode::CreateOrTruncate | OpenMode::CreateOrOpen => {
                open.create(true);
            }
        }
        // Opening a pipe would wait for its other end for ever; a directory opens and then fails to read.
        if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
            let kind = if options.mode == OpenMode::CreateNew {
                IoErrorKind::AlreadyExists
            } else {
                IoErrorKind::AccessDenied
            };
            return Err(IoError::new(Operation::Open, kind, path));
        }
        let file = open.open(path).map_err(|e| named(Operation::Open, path, &e))?;
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
            Err(fs::TryLockError::Error(e)) => return Err(IoError::from_std(Operation::Lock, path, &e)),
        }
        if options.mode == OpenMode::CreateOrTruncate {
            file.set_len(0).map_err(|e| IoError::from_std(Operation::Length, path, &e))?;
        }
        let writable = options.mode.writes();
        let wanted = options.direct || (options.direct_writes && writable);
        let direct = if wanted { reopen(&file, writable) } else { None };
        Ok(Arc::new(OsFile {
            path: path.to_path_buf(),
            file,
            direct,
            direct_reads: options.direct,
            direct_refused: AtomicBool::new(false),
            writable,
            poisoned: AtomicBool::new(false),
        }))
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        let metadata = fs::metadata(here(path)).map_err(|e| named(Operation::Inspect, path, &e))?;
        Ok(entry(path.to_path_buf(), &metadata))
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        let error = |e: &io::Error| named(Operation::List, directory, e);
        let mut entries = Vec::new();
        for item in fs::read_dir(here(directory)).map_err(|e| error(&e))? {
            let path = directory.join(item.map_err(|e| error(&e))?.file_name());
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() || metadata.is_dir() => {
                    entries.push(entry(path, &metadata))
                }
                // Pipes, devices, sockets.
                Ok(_) => {}
                Err(e) => {
                    // A file that vanished since, a dangling link or one that leads to itself is no entry.
                    let gone = e.kind() == io::ErrorKind::NotFound
                        || fs::symlink_metadata(&path).is_ok_and(|m| m.is_symlink());
                    if !gone {
                        return Err(IoError::from_std(Operation::List, &path, &e));
                    }
                }
            }
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        fs::create_dir(path).map_err(|e| named(Operation::CreateDirectory, path, &e))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let metadata = fs::symlink_metadata(path).map_err(|e| named(Operation::Remove, path, &e))?;
        patiently(|| if metadata.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) })
            .map_err(|e| named(Operation::Remove, path, &e))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let error = |kind, path| IoError::new(Operation::Rename, kind, path);
        let source = fs::symlink_metadata(from).map_err(|e| named(Operation::Rename, from, &e))?;
        if let Ok(target) = fs::symlink_metadata(to)
            && (target.is_dir() || source.is_dir())
        {
            return Err(error(IoErrorKind::AlreadyExists, to));
        }
        if !fs::metadata(here(parent_directory(to))).is_ok_and(|m| m.is_dir()) {
            return Err(error(IoErrorKind::InvalidPath, to));
        }
        patiently(|| fs::rename(from, to)).map_err(|e| named(Operation::Rename, from, &e))
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        let metadata = fs::metadata(here(path)).map_err(|e| named(Operation::Sync, path, &e))?;
        if !metadata.is_dir() {
            return Err(IoError::new(Operation::Sync, IoErrorKind::InvalidPath, path));
        }
        // Windows makes names durable by itself and cannot open a directory as a file.
        if cfg!(windows) {
            return Ok(());
        }
        fs::File::open(here(path)).and_then(|d| d.sync_all()).map_err(|e| named(Operation::Sync, path, &e))
    }
}

/// The system has no empty path; ours means the current directory.
fn here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// An error about a name. The system says the same for a missing name and for a missing directory on the way to it.
fn named(operation: Operation, path: &Path, error: &io::Error) -> IoError {
    let mut error = IoError::from_std(operation, path, error);
    if error.kind == IoErrorKind::NotFound
        && !fs::metadata(here(parent_directory(path))).is_ok_and(|m| m.is_dir())
    {
        error.kind = IoErrorKind::InvalidPath;
    }
    error
}

/// Virus scanners and indexers on Windows hold files open for moments; waiting a little is the remedy.
fn patiently(mut call: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut pause_ms = 1;
    loop {
        match call() {
            // ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
            Err(e) if cfg!(windows) && pause_ms <= 128 && matches!(e.raw_os_error(), Some(5 | 32 | 33)) => {
                std::thread::sleep(std::time::Duration::from_millis(pause_ms));
                pause_ms *= 2;
            }
            result => return result,
        }
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
