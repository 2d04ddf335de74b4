//! Files in memory, for tests and for work on copies that must not touch a disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::file::File;
use crate::locks::{LockGuard, Locks};
use crate::sparse::SparseBytes;
use crate::storage::{Entry, EntryKind, OpenMode, OpenOptions, Storage};
use crate::tree::{Node, Tree};

/// A file system in memory. Clones share the same files.
///
/// Relative and absolute paths mean the same, and the root is always there. Holes in files cost nothing.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    tree: Arc<Mutex<Tree<Arc<Content>>>>,
}

#[derive(Default)]
struct Content {
    bytes: RwLock<SparseBytes>,
    locks: Locks,
}

struct MemoryFile {
    path: PathBuf,
    content: Arc<Content>,
    writable: bool,
    _lock: LockGuard,
}

impl MemoryStorage {
    /// An empty file system.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file with its missing directories, replacing a file that is there. A path through a file, or a directory's,
    /// is left alone.
    pub fn put(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = path.as_ref();
        let mut tree = self.tree.lock();
        let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
        parents.reverse();
        for parent in parents {
            let _ = tree.create(parent, Node::Directory(Default::default()));
        }
        if tree.file(path).is_ok() {
            let _ = tree.remove(path);
        }
        let bytes = RwLock::new(SparseBytes::from_bytes(bytes.as_ref()));
        let _ = tree.create(path, Node::File(Arc::new(Content { bytes, locks: Locks::default() })));
    }

    /// The bytes of a file, or `None`.
    #[must_use]
    pub fn get(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let content = self.tree.lock().file(path.as_ref()).ok()?;
        let bytes = content.bytes.read();
        Some(bytes.to_vec())
    }
}

fn entry(path: PathBuf, node: &Node<Arc<Content>>) -> Entry {
    let len = match node {
        Node::Directory(_) => 0,
        Node::File(content) => content.bytes.read().len(),
    };
    Entry { path, kind: node.kind(), len }
}

impl Storage for MemoryStorage {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        let fail = |kind| IoError::new(Operation::Open, kind, path);
        let mut tree = self.tree.lock();
        let content = match (tree.file(path), options.mode) {
            (Ok(_), OpenMode::CreateNew) => return Err(fail(IoErrorKind::AlreadyExists)),
            (Ok(content), _) => content,
            (Err(IoErrorKind::NotFound), mode) if mode.creates() => {
                let content = Arc::new(Content::default());
                tree.create(path, Node::File(Arc::clone(&content))).map_err(fail)?;
                content
            }
            (Err(IoErrorKind::AccessDenied), OpenMode::CreateNew) => {
                return Err(fail(IoErrorKind::AlreadyExists));
            }
            (Err(kind), _) => return Err(fail(kind)),
        };
        drop(tree);
        let Some(lock) = content.locks.take(options.lock) else {
            return Err(IoError::new(Operation::Lock, IoErrorKind::InUse, path));
        };
        if options.mode == OpenMode::CreateOrTruncate {
            *content.bytes.write() = SparseBytes::default();
        }
        let writable = options.mode != OpenMode::Read;
        Ok(Arc::new(MemoryFile { path: path.to_path_buf(), content, writable, _lock: lock }))
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        let tree = self.tree.lock();
        let found = tree.find(path).map(|inode| tree.node(inode).map(|node| entry(path.to_path_buf(), node)));
        match found {
            Ok(Some(entry)) => Ok(entry),
            Ok(None) => Err(IoError::new(Operation::Inspect, IoErrorKind::NotFound, path)),
            Err(kind) => Err(IoError::new(Operation::Inspect, kind, path)),
        }
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        let tree = self.tree.lock();
        let children =
            tree.children(directory).map_err(|kind| IoError::new(Operation::List, kind, directory))?;
        Ok(children.into_iter().map(|(name, node)| entry(directory.join(name), node)).collect())
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        let created = self.tree.lock().create(path, Node::Directory(Default::default()));
        created.map(drop).map_err(|kind| IoError::new(Operation::CreateDirectory, kind, path))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let removed = self.tree.lock().remove(path);
        removed.map(drop).map_err(|kind| IoError::new(Operation::Remove, kind, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let renamed = self.tree.lock().rename(from, to);
        renamed.map(drop).map_err(|kind| IoError::new(Operation::Rename, kind, from))
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        match self.inspect(path) {
            Ok(Entry { kind: EntryKind::Directory, .. }) => Ok(()),
            Ok(_) => Err(IoError::new(Operation::Sync, IoErrorKind::InvalidPath, path)),
            Err(error) => Err(IoError { operation: Operation::Sync, ..error }),
        }
    }
}

impl MemoryFile {
    fn error(&self, operation: Operation, kind: IoErrorKind) -> IoError {
        IoError::new(operation, kind, &self.path)
    }

    fn check_writable(&self, operation: Operation) -> Result<()> {
        if self.writable { Ok(()) } else { Err(self.error(operation, IoErrorKind::ReadOnly)) }
    }
}

impl File for MemoryFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        Ok(self.content.bytes.read().read(offset, buffer))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.check_writable(Operation::Write)?;
        if self.content.bytes.write().write(offset, data) {
            return Ok(());
        }
        Err(self.error(Operation::Write, IoErrorKind::DiskFull).at(offset))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.content.bytes.read().len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check_writable(Operation::Length)?;
        if self.content.bytes.write().set_len(len) {
            return Ok(());
        }
        Err(self.error(Operation::Length, IoErrorKind::DiskFull).at(len))
    }

    fn reserve(&self, _: u64) -> Result<bool> {
        self.check_writable(Operation::Length).map(|()| true)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}
