//! Somebody's files, readable and apparently writable, without one byte of them being changed.
//!
//! The base is only ever opened for reading. What is written goes to another storage, block by block, so that changing one
//! page of a 100 GB file costs one page. Names are marks in memory: created, removed, renamed.

mod content;
mod names;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::file::{File, Lock};
use crate::memory::MemoryStorage;
use crate::storage::{Entry, EntryKind, OpenMode, OpenOptions, Storage};
use content::{Content, Delta, OverlayFile};
use names::{Mark, Names, Place};

/// A storage over another that is never written. Clones share the changes.
///
/// * Changed blocks (4096 bytes each) are kept in files of the second storage, with about 1 % of their size in memory beside
///   them. They belong to this overlay alone, mean nothing to others, and go when it goes: nothing of it survives a crash.
/// * Files of the base are opened for reading, once, with a shared lock when their first opener asked for a lock, and must
///   not change meanwhile.
/// * Paths are compared as they are spelled (`.` left out): name one file in one way, not by a relative and an absolute path.
#[derive(Clone)]
pub struct OverlayStorage {
    base: Arc<dyn Storage>,
    delta: Arc<Delta>,
    names: Arc<Mutex<Names>>,
}

impl OverlayStorage {
    /// Over `base`, with changed blocks in files of `changes` below the existing directory `folder`.
    pub fn new(
        base: impl Storage + 'static,
        changes: impl Storage + 'static,
        folder: impl Into<PathBuf>,
    ) -> Self {
        Self {
            base: Arc::new(base),
            delta: Arc::new(Delta::new(Arc::new(changes), folder.into())),
            names: Arc::default(),
        }
    }

    /// Over `base`, with changed blocks in memory.
    pub fn in_memory(base: impl Storage + 'static) -> Self {
        Self::new(base, MemoryStorage::new(), "")
    }

    /// Bytes of changed blocks kept so far, those of removed files included.
    #[must_use]
    pub fn changed_bytes(&self) -> u64 {
        self.delta.bytes()
    }

    /// The content object of a file that is there; made from the base when this is the first time it is opened.
    fn content(&self, names: &mut Names, path: &Path, place: Place, lock: Lock) -> Result<Arc<Content>> {
        match place {
            Place::File(content) => Ok(content),
            Place::BaseFile(base_path) => {
                let lock = if lock == Lock::None { Lock::None } else { Lock::Shared };
                let base = self.base.open(&base_path, OpenOptions::READ.lock(lock))?;
                let content = Arc::new(Content::over(base, Arc::clone(&self.delta))?);
                names.set(path, Mark::File(Arc::clone(&content)));
                Ok(content)
            }
            Place::Directory(_) => Err(IoError::new(Operation::Open, IoErrorKind::AccessDenied, path)),
        }
    }

    fn entry(path: PathBuf, place: &Place, base: &dyn Storage) -> Result<Entry> {
        Ok(match place {
            Place::Directory(_) => Entry { path, kind: EntryKind::Directory, len: 0 },
            Place::File(content) => Entry { path, kind: EntryKind::File, len: content.len() },
            Place::BaseFile(base_path) => Entry { path, ..base.inspect(base_path)? },
        })
    }

    fn find(&self, names: &Names, operation: Operation, path: &Path) -> Result<Place> {
        names.find(&*self.base, path).map_err(|e| IoError { operation, path: path.to_path_buf(), ..e })
    }

    /// Checks that a name can be made at `path`: not the root, and the directory above is there.
    fn check_parent(&self, names: &Names, operation: Operation, path: &Path) -> Result<()> {
        let fail = |kind| Err(IoError::new(operation, kind, path));
        match path.parent().filter(|_| path.file_name().is_some()) {
            None => fail(IoErrorKind::AccessDenied),
            Some(parent) => match self.find(names, operation, parent) {
                Ok(Place::Directory(_)) => Ok(()),
                Ok(_) => fail(IoErrorKind::InvalidPath),
                Err(e) if e.kind == IoErrorKind::NotFound => fail(IoErrorKind::InvalidPath),
                Err(e) => Err(e),
            },
        }
    }

    fn entries(&self, names: &Names, directory: &Path, base: Option<&Path>) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        if let Some(base) = base {
            for entry in self.base.list(base)? {
                let Some(path) = entry.path.file_name().map(|name| directory.join(name)) else { continue };
                if !names.has(&path) {
                    entries.push(Entry { path, ..entry });
                }
            }
        }
        for (path, place) in names.marked_in(directory) {
            entries.push(Self::entry(path, &place, &*self.base)?);
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }
}

impl Storage for OverlayStorage {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        let mut names = self.names.lock();
        let found = self.find(&names, Operation::Open, path);
        let content = match (found, options.mode) {
            (Ok(_), OpenMode::CreateNew) => {
                return Err(IoError::new(Operation::Open, IoErrorKind::AlreadyExists, path));
            }
            (Ok(place), _) => self.content(&mut names, path, place, options.lock)?,
            (Err(e), mode) if e.kind == IoErrorKind::NotFound && mode.creates() => {
                self.check_parent(&names, Operation::Open, path)?;
                let content = Arc::new(Content::empty(Arc::clone(&self.delta)));
                names.set(path, Mark::File(Arc::clone(&content)));
                content
            }
            (Err(e), _) => return Err(e),
        };
        drop(names);
        let Some(lock) = content.lock(options.lock) else {
            return Err(IoError::new(Operation::Lock, IoErrorKind::InUse, path));
        };
        let file = OverlayFile::new(path, content, options.mode.writes(), lock);
        if options.mode == OpenMode::CreateOrTruncate {
            file.set_len(0)?;
        }
        Ok(Arc::new(file))
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        let names = self.names.lock();
        let place = self.find(&names, Operation::Inspect, path)?;
        Self::entry(path.to_path_buf(), &place, &*self.base)
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        let names = self.names.lock();
        match self.find(&names, Operation::List, directory)? {
            Place::Directory(base) => self.entries(&names, directory, base.as_deref()),
            _ => Err(IoError::new(Operation::List, IoErrorKind::InvalidPath, directory)),
        }
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        let mut names = self.names.lock();
        let operation = Operation::CreateDirectory;
        match self.find(&names, operation, path) {
            Ok(_) => Err(IoError::new(operation, IoErrorKind::AlreadyExists, path)),
            Err(e) if e.kind == IoErrorKind::NotFound => {
                self.check_parent(&names, operation, path)?;
                names.set(path, Mark::Directory(None));
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut names = self.names.lock();
        let fail = |kind| Err(IoError::new(Operation::Remove, kind, path));
        let place = self.find(&names, Operation::Remove, path)?;
        self.check_parent(&names, Operation::Remove, path)?;
        if let Place::Directory(base) = &place
            && !self.entries(&names, path, base.as_deref())?.is_empty()
        {
            return fail(IoErrorKind::DirectoryNotEmpty);
        }
        names.remove(&*self.base, path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut names = self.names.lock();
        let operation = Operation::Rename;
        let fail = |kind, path| Err(IoError::new(operation, kind, path));
        let source = self.find(&names, operation, from)?;
        self.check_parent(&names, operation, from)?;
        self.check_parent(&names, operation, to)?;
        let is_directory = matches!(source, Place::Directory(_));
        match self.find(&names, operation, to) {
            Ok(_) if names::same_path(from, to) && !is_directory => return Ok(()),
            Ok(Place::Directory(_)) => return fail(IoErrorKind::AlreadyExists, to),
            Ok(_) if is_directory => return fail(IoErrorKind::AlreadyExists, to),
            Ok(_) => {}
            Err(e) if e.kind == IoErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        if is_directory && names::is_inside(to, from) {
            return fail(IoErrorKind::InvalidPath, to);
        }
        let mark = match source {
            Place::Directory(base) => Mark::Directory(base),
            place => Mark::File(self.content(&mut names, from, place, Lock::None)?),
        };
        names.rename(&*self.base, from, to, mark)
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        match self.find(&self.names.lock(), Operation::Sync, path)? {
            Place::Directory(_) => Ok(()),
            _ => Err(IoError::new(Operation::Sync, IoErrorKind::InvalidPath, path)),
        }
    }
}
