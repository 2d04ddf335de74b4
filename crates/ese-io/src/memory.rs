//! Files in memory, for tests and for work on copies that must not touch a disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::file::{File, Lock};
use crate::storage::{Entry, EntryKind, OpenMode, OpenOptions, Storage};

/// A file system in memory. Clones share the same files. Relative and absolute paths are plain keys; the roots `""` and
/// `/` exist from the start.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    nodes: Arc<Mutex<BTreeMap<PathBuf, Node>>>,
}

#[derive(Clone)]
enum Node {
    Directory,
    File(Arc<Content>),
}

#[derive(Default)]
struct Content {
    bytes: RwLock<Vec<u8>>,
    locks: Mutex<Locks>,
}

#[derive(Default)]
struct Locks {
    shared: usize,
    exclusive: bool,
}

struct MemoryFile {
    path: PathBuf,
    content: Arc<Content>,
    writable: bool,
    lock: Lock,
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        let mut locks = self.content.locks.lock();
        match self.lock {
            Lock::None => {}
            Lock::Shared => locks.shared -= 1,
            Lock::Exclusive => locks.exclusive = false,
        }
    }
}

impl MemoryStorage {
    /// An empty file system.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file with its missing directories, replacing one that is there.
    pub fn put(&self, path: impl AsRef<Path>, bytes: Vec<u8>) {
        let path = path.as_ref();
        let mut nodes = self.nodes.lock();
        for parent in path.ancestors().skip(1) {
            nodes.entry(parent.to_path_buf()).or_insert(Node::Directory);
        }
        let content = Content { bytes: RwLock::new(bytes), locks: Mutex::default() };
        nodes.insert(path.to_path_buf(), Node::File(Arc::new(content)));
    }

    /// The bytes of a file, or `None`.
    #[must_use]
    pub fn get(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        match self.nodes.lock().get(path.as_ref())? {
            Node::File(content) => Some(content.bytes.read().clone()),
            Node::Directory => None,
        }
    }
}

fn is_root(path: &Path) -> bool {
    path.parent().is_none() || path.as_os_str().is_empty()
}

fn parent_exists(nodes: &BTreeMap<PathBuf, Node>, path: &Path) -> bool {
    path.parent().is_some_and(|p| is_root(p) || matches!(nodes.get(p), Some(Node::Directory)))
}

fn has_children(nodes: &BTreeMap<PathBuf, Node>, path: &Path) -> bool {
    nodes.keys().any(|k| k.parent() == Some(path))
}

fn entry_of(path: &Path, node: &Node) -> Entry {
    match node {
        Node::Directory => Entry { path: path.to_path_buf(), kind: EntryKind::Directory, len: 0 },
        Node::File(content) => {
            let len = content.bytes.read().len() as u64;
            Entry { path: path.to_path_buf(), kind: EntryKind::File, len }
        }
    }
}

impl Storage for MemoryStorage {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        let fail = |kind| Err(IoError::new(Operation::Open, kind, path));
        let mut nodes = self.nodes.lock();
        let existing = match nodes.get(path) {
            Some(Node::Directory) => return fail(IoErrorKind::AccessDenied),
            Some(Node::File(content)) => Some(Arc::clone(content)),
            None => None,
        };
        let content = match (existing, options.mode) {
            (Some(_), OpenMode::CreateNew) => return fail(IoErrorKind::AlreadyExists),
            (Some(content), _) => content,
            _ if !parent_exists(&nodes, path) => return fail(IoErrorKind::InvalidPath),
            (None, OpenMode::Read | OpenMode::ReadWrite) => return fail(IoErrorKind::NotFound),
            (None, _) => {
                let content = Arc::new(Content::default());
                nodes.insert(path.to_path_buf(), Node::File(Arc::clone(&content)));
                content
            }
        };
        {
            let mut locks = content.locks.lock();
            let refused = match options.lock {
                Lock::None => false,
                Lock::Shared => locks.exclusive,
                Lock::Exclusive => locks.exclusive || locks.shared > 0,
            };
            if refused {
                return Err(IoError::new(Operation::Lock, IoErrorKind::InUse, path));
            }
            match options.lock {
                Lock::None => {}
                Lock::Shared => locks.shared += 1,
                Lock::Exclusive => locks.exclusive = true,
            }
        }
        if options.mode == OpenMode::CreateOrTruncate {
            content.bytes.write().clear();
        }
        let writable = options.mode != OpenMode::Read;
        Ok(Arc::new(MemoryFile { path: path.to_path_buf(), content, writable, lock: options.lock }))
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        let nodes = self.nodes.lock();
        match nodes.get(path) {
            Some(node) => Ok(entry_of(path, node)),
            None if is_root(path) => Ok(entry_of(path, &Node::Directory)),
            None => Err(IoError::new(Operation::Inspect, IoErrorKind::NotFound, path)),
        }
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        let nodes = self.nodes.lock();
        if !is_root(directory) && !matches!(nodes.get(directory), Some(Node::Directory)) {
            return Err(IoError::new(Operation::List, IoErrorKind::NotFound, directory));
        }
        Ok(nodes.iter().filter(|(p, _)| p.parent() == Some(directory)).map(|(p, n)| entry_of(p, n)).collect())
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        let mut nodes = self.nodes.lock();
        let kind = if nodes.contains_key(path) {
            IoErrorKind::AlreadyExists
        } else if !parent_exists(&nodes, path) {
            IoErrorKind::NotFound
        } else {
            nodes.insert(path.to_path_buf(), Node::Directory);
            return Ok(());
        };
        Err(IoError::new(Operation::CreateDirectory, kind, path))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut nodes = self.nodes.lock();
        let kind = match nodes.get(path) {
            None => IoErrorKind::NotFound,
            Some(Node::Directory) if has_children(&nodes, path) => IoErrorKind::DirectoryNotEmpty,
            Some(_) => {
                nodes.remove(path);
                return Ok(());
            }
        };
        Err(IoError::new(Operation::Remove, kind, path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut nodes = self.nodes.lock();
        let kind = if !nodes.contains_key(from) {
            IoErrorKind::NotFound
        } else if matches!(nodes.get(to), Some(Node::Directory)) {
            IoErrorKind::AlreadyExists
        } else if !parent_exists(&nodes, to) {
            IoErrorKind::InvalidPath
        } else {
            let moved: Vec<PathBuf> = nodes.keys().filter(|p| p.starts_with(from)).cloned().collect();
            for old in moved {
                let new = old.strip_prefix(from).map_or_else(
                    |_| to.to_path_buf(),
                    |rest| if rest.as_os_str().is_empty() { to.to_path_buf() } else { to.join(rest) },
                );
                if let Some(node) = nodes.remove(&old) {
                    nodes.insert(new, node);
                }
            }
            return Ok(());
        };
        Err(IoError::new(Operation::Rename, kind, from))
    }

    fn sync_directory(&self, _path: &Path) -> Result<()> {
        Ok(())
    }
}

impl MemoryFile {
    fn check_writable(&self, operation: Operation) -> Result<()> {
        if self.writable { Ok(()) } else { Err(IoError::new(operation, IoErrorKind::ReadOnly, &self.path)) }
    }
}

impl File for MemoryFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let bytes = self.content.bytes.read();
        let available = usize::try_from(offset).ok().and_then(|o| bytes.get(o..)).unwrap_or(&[]);
        let count = available.len().min(buffer.len());
        if let (Some(target), Some(source)) = (buffer.get_mut(..count), available.get(..count)) {
            target.copy_from_slice(source);
        }
        Ok(count)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.check_writable(Operation::Write)?;
        let mut bytes = self.content.bytes.write();
        let too_big = || IoError::new(Operation::Write, IoErrorKind::DiskFull, &self.path).at(offset);
        let start = usize::try_from(offset).map_err(|_| too_big())?;
        let end = start.checked_add(data.len()).ok_or_else(too_big)?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        if let Some(target) = bytes.get_mut(start..end) {
            target.copy_from_slice(data);
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.content.bytes.read().len() as u64)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.check_writable(Operation::Length)?;
        let len = usize::try_from(len)
            .map_err(|_| IoError::new(Operation::Length, IoErrorKind::DiskFull, &self.path))?;
        self.content.bytes.write().resize(len, 0);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.check_writable(Operation::Sync)
    }
}
