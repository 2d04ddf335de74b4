//! What the simulated disk holds: what readers see, what is durable, and in which order the difference came about.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::fault::{Effect, Faults};
use crate::locks::Locks;
use crate::simulated::Survival;
use crate::sparse::SparseBytes;
use crate::tree::{Change, Inode, Node, Tree};

/// Identity of a file's content.
pub(super) type FileId = u64;

type Outcome<T> = std::result::Result<T, IoErrorKind>;

/// A change of a file's content that is not durable.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

#[derive(Clone, Default)]
pub(super) struct Content {
    pub(super) volatile: SparseBytes,
    pub(super) durable: SparseBytes,
    /// In order; the numbers are common to all files and directories.
    pub(super) pending: Vec<(u64, Data)>,
    pub(super) locks: Locks,
}

/// A change of a name that is not durable.
#[derive(Clone, Debug)]
pub(super) struct PendingName {
    pub(super) number: u64,
    pub(super) change: Change,
    /// The change in another directory without which this one must not become durable.
    pub(super) after: Option<(Inode, u64)>,
}

pub(super) struct State {
    pub(super) sector: u32,
    /// How names end whose files keep the order of writes.
    pub(super) ordered_suffix: Option<String>,
    pub(super) ordered: HashSet<FileId>,
    pub(super) volatile: Tree<FileId>,
    pub(super) durable: Tree<FileId>,
    pub(super) names: Vec<PendingName>,
    pub(super) files: HashMap<FileId, Content>,
    next_file: FileId,
    next_number: u64,
    pub(super) steps: u64,
    pub(super) faults: Faults,
    pub(super) cut_at: Option<(u64, Survival)>,
    pub(super) lost: Option<Survival>,
}

impl State {
    pub(super) fn new(sector: u32) -> Self {
        Self::of(sector, Tree::default(), HashMap::new())
    }

    /// A disk on which everything is durable.
    pub(super) fn of(sector: u32, tree: Tree<FileId>, files: HashMap<FileId, Content>) -> Self {
        let next_file = files.keys().max().map_or(0, |id| id + 1);
        Self {
            sector,
            ordered_suffix: None,
            ordered: HashSet::new(),
            durable: tree.clone(),
            volatile: tree,
            names: Vec::new(),
            files,
            next_file,
            next_number: 0,
            steps: 0,
            faults: Faults::default(),
            cut_at: None,
            lost: None,
        }
    }

    /// Counts a call that only looks.
    pub(super) fn look(&mut self, operation: Operation) -> Outcome<()> {
        if self.lost.is_some() {
            return Err(IoErrorKind::PowerLost);
        }
        self.faults.call(operation).map_or(Ok(()), |(kind, _)| Err(kind))
    }

    /// Counts a call that changes something, with the failure planned for it and the power cut during it. `call` is told how much
    /// of its effect to have, and `lost` is set already when the power goes: a sync must not count then. It returns `None`
    /// when it did nothing because it was told to.
    pub(super) fn step<T>(
        &mut self,
        operation: Operation,
        path: &Path,
        call: impl FnOnce(&mut Self, Effect) -> Outcome<Option<T>>,
    ) -> Result<T> {
        let error = |kind| IoError::new(operation, kind, path);
        if self.lost.is_some() {
            return Err(error(IoErrorKind::PowerLost));
        }
        self.steps += 1;
        if let Some((step, survival)) = self.cut_at
            && self.steps == step
        {
            self.lost = Some(survival);
        }
        let fault = self.faults.call(operation);
        let result = call(self, fault.map_or(Effect::Full, |(_, effect)| effect));
        if self.lost.is_some() {
            return Err(error(IoErrorKind::PowerLost));
        }
        match (fault, result) {
            (Some((kind, _)), _) | (None, Err(kind)) => Err(error(kind)),
            (None, Ok(Some(value))) => Ok(value),
            // Without a planned failure a call has its full effect.
            (None, Ok(None)) => Err(error(IoErrorKind::Device)),
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn pend(&mut self, change: Change, after: Option<(Inode, u64)>) -> u64 {
        let number = self.number();
        self.names.push(PendingName { number, change, after });
        number
    }

    fn create(&mut self, path: &Path, node: Node<FileId>) -> Outcome<()> {
        let change = self.volatile.create(path, node.clone())?;
        if let Change::Set { inode, .. } = change {
            // Known to the durable tree at once, so that names inside can become durable in any order; reachable when its
            // own name is.
            self.durable.adopt(inode, node);
        }
        self.pend(change, None);
        Ok(())
    }

    pub(super) fn create_file(&mut self, path: &Path) -> Outcome<FileId> {
        let id = self.next_file;
        self.create(path, Node::File(id))?;
        self.next_file += 1;
        self.files.insert(id, Content::default());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if self.ordered_suffix.as_ref().is_some_and(|suffix| name.ends_with(suffix)) {
            self.ordered.insert(id);
        }
        Ok(id)
    }

    pub(super) fn create_directory(&mut self, path: &Path) -> Outcome<()> {
        self.create(path, Node::Directory(Default::default()))
    }

    pub(super) fn remove(&mut self, path: &Path) -> Outcome<()> {
        let change = self.volatile.remove(path)?;
        self.pend(change, None);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Outcome<()> {
        let mut before = None;
        for change in self.volatile.rename(from, to)? {
            let directory = change.directory();
            before = Some((directory, self.pend(change, before)));
        }
        Ok(())
    }

    /// Makes the names of a directory durable.
    pub(super) fn sync_directory(&mut self, directory: Inode) {
        self.settle(directory, u64::MAX);
    }

    fn settle(&mut self, directory: Inode, last: u64) {
        while let Some(index) =
            self.names.iter().position(|n| n.change.directory() == directory && n.number <= last)
        {
            let PendingName { change, after, .. } = self.names.remove(index);
            if let Some((other, number)) = after {
                // Numbers fall from one to the next, so that this ends.
                self.settle(other, number);
            }
            self.durable.apply(&change);
        }
    }

    pub(super) fn write(&mut self, id: FileId, offset: u64, data: &[u8]) -> Outcome<()> {
        let number = self.number();
        let Some(content) = self.files.get_mut(&id) else { return Err(IoErrorKind::Device) };
        if !content.volatile.write(offset, data) {
            return Err(IoErrorKind::DiskFull);
        }
        content.pending.push((number, Data::Write(offset, data.to_vec())));
        Ok(())
    }

    /// False when the length is impossible.
    pub(super) fn set_len(&mut self, id: FileId, len: u64) -> bool {
        let number = self.number();
        let Some(content) = self.files.get_mut(&id) else { return false };
        let possible = content.volatile.set_len(len);
        if possible {
            content.pending.push((number, Data::SetLen(len)));
        }
        possible
    }

    /// Makes the first `count` changes of a file durable and drops the others.
    pub(super) fn sync_file(&mut self, id: FileId, count: usize) {
        let Some(content) = self.files.get_mut(&id) else { return };
        for (_, data) in std::mem::take(&mut content.pending).into_iter().take(count) {
            // What the readers' copy took fits here, too.
            let _ = match data {
                Data::Write(offset, bytes) => content.durable.write(offset, &bytes),
                Data::SetLen(len) => content.durable.set_len(len),
            };
        }
    }

    pub(super) fn pending_data(&self, id: FileId) -> usize {
        self.files.get(&id).map_or(0, |f| f.pending.len())
    }

    pub(super) fn put(&mut self, path: &Path, bytes: &[u8]) {
        let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
        parents.reverse();
        for parent in parents {
            let _ = self.create_directory(parent);
        }
        if self.volatile.file(path).is_ok() {
            let _ = self.remove(path);
        }
        if let Ok(id) = self.create_file(path) {
            let content = SparseBytes::from_bytes(bytes);
            let durable = content.clone();
            self.files.insert(id, Content { volatile: content, durable, ..Content::default() });
        }
        for pending in std::mem::take(&mut self.names) {
            self.durable.apply(&pending.change);
        }
    }

    pub(super) fn get(&self, path: &Path) -> Option<Vec<u8>> {
        let id = self.volatile.file(path).ok()?;
        Some(self.files.get(&id)?.volatile.to_vec())
    }
}
