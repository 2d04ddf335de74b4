//! Names in memory: a tree of directories and files, with the answers a POSIX file system would give.
//!
//! Every change is also returned as a value, so that the simulated disk can apply it to its durable tree later, or never.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path};

use crate::error::IoErrorKind;
use crate::storage::EntryKind;

/// Identity of a directory or file, whatever its name is at the moment.
pub(crate) type Inode = u64;

const ROOT: Inode = 0;

#[derive(Clone)]
pub(crate) enum Node<F> {
    Directory(BTreeMap<OsString, Inode>),
    File(F),
}

impl<F> Node<F> {
    pub(crate) fn kind(&self) -> EntryKind {
        match self {
            Self::Directory(_) => EntryKind::Directory,
            Self::File(_) => EntryKind::File,
        }
    }
}

/// One change of one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A name now means this inode (new, or moved from another directory).
    Set { directory: Inode, name: OsString, inode: Inode },
    /// A name is gone.
    Unset { directory: Inode, name: OsString },
    /// A name was replaced by another in the same directory, in one step.
    Rename { directory: Inode, from: OsString, to: OsString },
}

impl Change {
    pub(crate) fn directory(&self) -> Inode {
        match self {
            Self::Set { directory, .. } | Self::Unset { directory, .. } | Self::Rename { directory, .. } => {
                *directory
            }
        }
    }
}

/// A tree of names. The root is always there; relative and absolute paths mean the same.
#[derive(Clone)]
pub(crate) struct Tree<F> {
    nodes: HashMap<Inode, Node<F>>,
    next: Inode,
}

impl<F> Default for Tree<F> {
    fn default() -> Self {
        Self { nodes: HashMap::from([(ROOT, Node::Directory(BTreeMap::new()))]), next: ROOT + 1 }
    }
}

type Found<T> = Result<T, IoErrorKind>;

impl<F: Clone> Tree<F> {
    /// What a path names. A missing name in an existing directory is `NotFound`; a missing directory on the way is
    /// `InvalidPath`.
    pub(crate) fn find(&self, path: &Path) -> Found<Inode> {
        let names = names(path);
        let mut inode = ROOT;
        for (index, name) in names.iter().enumerate() {
            let last = index + 1 == names.len();
            let missing = if last { IoErrorKind::NotFound } else { IoErrorKind::InvalidPath };
            inode = match self.nodes.get(&inode) {
                Some(Node::Directory(children)) => *children.get(name.as_os_str()).ok_or(missing)?,
                _ => return Err(IoErrorKind::InvalidPath),
            };
        }
        Ok(inode)
    }

    pub(crate) fn node(&self, inode: Inode) -> Option<&Node<F>> {
        self.nodes.get(&inode)
    }

    /// The file at `path`; `AccessDenied` for a directory.
    pub(crate) fn file(&self, path: &Path) -> Found<F> {
        match self.nodes.get(&self.find(path)?) {
            Some(Node::File(file)) => Ok(file.clone()),
            _ => Err(IoErrorKind::AccessDenied),
        }
    }

    /// The children of the directory at `path`, sorted by name.
    pub(crate) fn children(&self, path: &Path) -> Found<Vec<(OsString, &Node<F>)>> {
        match self.nodes.get(&self.find(path)?) {
            Some(Node::Directory(children)) => {
                Ok(children.iter().filter_map(|(n, i)| Some((n.clone(), self.nodes.get(i)?))).collect())
            }
            _ => Err(IoErrorKind::InvalidPath),
        }
    }

    /// The directory that holds `path`, and the last name.
    fn parent(&self, path: &Path) -> Found<(Inode, OsString)> {
        let mut names = names(path);
        let Some(name) = names.pop() else { return Err(IoErrorKind::AccessDenied) };
        let mut inode = ROOT;
        for name in &names {
            inode = match self.nodes.get(&inode) {
                Some(Node::Directory(children)) => {
                    *children.get(name.as_os_str()).ok_or(IoErrorKind::InvalidPath)?
                }
                _ => return Err(IoErrorKind::InvalidPath),
            };
        }
        match self.nodes.get(&inode) {
            Some(Node::Directory(_)) => Ok((inode, name)),
            _ => Err(IoErrorKind::InvalidPath),
        }
    }

    /// Adds a new file or directory.
    pub(crate) fn create(&mut self, path: &Path, node: Node<F>) -> Found<Change> {
        if names(path).is_empty() {
            return Err(IoErrorKind::AlreadyExists);
        }
        let (directory, name) = self.parent(path)?;
        if self.child(directory, &name).is_some() {
            return Err(IoErrorKind::AlreadyExists);
        }
        let inode = self.next;
        self.next += 1;
        self.nodes.insert(inode, node);
        let change = Change::Set { directory, name, inode };
        self.apply(&change);
        Ok(change)
    }

    /// Removes a file or an empty directory.
    pub(crate) fn remove(&mut self, path: &Path) -> Found<Change> {
        let (directory, name) = self.parent(path)?;
        let inode = self.child(directory, &name).ok_or(IoErrorKind::NotFound)?;
        if matches!(self.nodes.get(&inode), Some(Node::Directory(children)) if !children.is_empty()) {
            return Err(IoErrorKind::DirectoryNotEmpty);
        }
        let change = Change::Unset { directory, name };
        self.apply(&change);
        self.nodes.remove(&inode);
        Ok(change)
    }

    /// Renames. One change in the same directory; a set and then an unset between two directories.
    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> Found<Vec<Change>> {
        let (from_directory, from_name) = self.parent(from)?;
        let inode = self.child(from_directory, &from_name).ok_or(IoErrorKind::NotFound)?;
        let (to_directory, to_name) = self.parent(to)?;
        let is_directory = matches!(self.nodes.get(&inode), Some(Node::Directory(_)));
        let replaced = self.child(to_directory, &to_name);
        if replaced == Some(inode) {
            return if is_directory { Err(IoErrorKind::AlreadyExists) } else { Ok(Vec::new()) };
        }
        match replaced.map(|i| self.nodes.get(&i).map(Node::kind)) {
            Some(Some(EntryKind::File)) if !is_directory => {}
            Some(_) => return Err(IoErrorKind::AlreadyExists),
            None => {}
        }
        if is_directory && self.is_inside(to_directory, inode) {
            return Err(IoErrorKind::InvalidPath);
        }
        let changes = if from_directory == to_directory {
            vec![Change::Rename { directory: from_directory, from: from_name, to: to_name }]
        } else {
            vec![
                Change::Set { directory: to_directory, name: to_name, inode },
                Change::Unset { directory: from_directory, name: from_name },
            ]
        };
        for change in &changes {
            self.apply(change);
        }
        if let Some(replaced) = replaced {
            self.nodes.remove(&replaced);
        }
        Ok(changes)
    }

    fn child(&self, directory: Inode, name: &OsStr) -> Option<Inode> {
        match self.nodes.get(&directory)? {
            Node::Directory(children) => children.get(name).copied(),
            Node::File(_) => None,
        }
    }

    /// Whether `inode` is `ancestor` or somewhere below it.
    fn is_inside(&self, inode: Inode, ancestor: Inode) -> bool {
        let mut open = vec![ancestor];
        // Directories have one name each, so that this visits each once.
        while let Some(next) = open.pop() {
            if next == inode {
                return true;
            }
            if let Some(Node::Directory(children)) = self.nodes.get(&next) {
                open.extend(children.values());
            }
        }
        false
    }

    /// Applies a change to the names only.
    pub(crate) fn apply(&mut self, change: &Change) {
        let Some(Node::Directory(children)) = self.nodes.get_mut(&change.directory()) else { return };
        match change {
            Change::Set { name, inode, .. } => {
                children.insert(name.clone(), *inode);
            }
            Change::Unset { name, .. } => {
                children.remove(name);
            }
            Change::Rename { from, to, .. } => {
                if let Some(inode) = children.remove(from) {
                    children.insert(to.clone(), inode);
                }
            }
        }
    }

    /// Makes an inode known without giving it a name.
    pub(crate) fn adopt(&mut self, inode: Inode, node: Node<F>) {
        self.nodes.entry(inode).or_insert(node);
        self.next = self.next.max(inode + 1);
    }

    /// The same names with every file replaced by what `convert` makes of it; inodes without a name are left out.
    pub(crate) fn convert<G>(&self, convert: &mut impl FnMut(&F) -> G) -> Tree<G> {
        let mut nodes = HashMap::new();
        let mut open = vec![ROOT];
        while let Some(inode) = open.pop() {
            if nodes.contains_key(&inode) {
                continue;
            }
            match self.nodes.get(&inode) {
                Some(Node::Directory(children)) => {
                    open.extend(children.values());
                    nodes.insert(inode, Node::Directory(children.clone()));
                }
                Some(Node::File(file)) => {
                    nodes.insert(inode, Node::File(convert(file)));
                }
                None => {}
            }
        }
        Tree { nodes, next: self.next }
    }
}

/// The names of a path, with `.` and the root left out and `..` resolved.
fn names(path: &Path) -> Vec<OsString> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_os_string()),
            Component::ParentDir => {
                names.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    names
}
