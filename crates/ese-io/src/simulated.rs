//! A disk in memory that loses its power.
//!
//! # The fault model
//!
//! What a program may rely on, and nothing more:
//!
//! 1. **Bytes and length** of a file are durable once [`File::sync`] of any handle of it returned. It makes everything
//!    durable that was written to the file before, and nothing else: not the file's name, not other files.
//! 2. **Names** (created, removed, renamed) are durable once [`Storage::sync_directory`] of their directory returned,
//!    whatever was synced of the files. Of a directory that itself has no durable name nothing survives.
//! 3. **A rename inside one directory** happens or does not happen. Between two directories the new name may become
//!    durable without the old one going away; the old one never goes away without the new one.
//! 4. **Changes of names in one directory** become durable in the order they were made. Those of different directories are
//!    independent.
//! 5. **Writes that were not synced** survive in any combination, in units of a sector (512 bytes unless told), whatever the
//!    order they were made in. A sector is old or new, never mixed. A file may have grown without its new bytes: they are
//!    zeros then. Files that [keep the order](SimulatedDisk::keep_order) are the exception.
//! 6. **A failed write or sync** poisons the handle. What a failed sync was to make durable is dropped: a later sync, even
//!    through another handle, does not bring it to the disk, although it can still be read. (This is what Linux does.)
//! 7. **After the power is cut** every call of the disk and its files gives [`IoErrorKind::PowerLost`].
//!    [`SimulatedDisk::reboot`] returns what survived as a new disk.
//!
//! Not modelled: sectors that rot, writes to the wrong place, disks that lie about a sync. Checksums are tested with
//! damaged files instead.
//!
//! # Enumerating
//!
//! Every call that changes something or makes it durable is a step; the first is 1. [`SimulatedDisk::cut_power_at`] cuts
//! the power during a step: the call is under way, and the [`Survival`] says what of it and of all earlier calls that were not
//! made durable reached the disk. [`crash_everywhere`] does it for all steps, [`fail_everywhere`] fails every call in turn.
//! The same seeds give the same disks.
//!
//! [`IoErrorKind::PowerLost`]: crate::IoErrorKind::PowerLost
//! [`File::sync`]: crate::File::sync

mod enumerate;
mod file;
mod state;
mod survival;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::fault::{Effect, Fault};
use crate::file::File;
use crate::storage::{Entry, EntryKind, OpenMode, OpenOptions, Storage};
use crate::tree::Node;

pub use enumerate::{CrashPoint, crash_everywhere, fail_everywhere};
use file::SimulatedFile;
use state::State;
pub use survival::Survival;

/// A disk in memory that can lose its power; the module says what is modelled. Clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

impl Default for SimulatedDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimulatedDisk {
    /// An empty disk with sectors of 512 bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::with_sector_size(512)
    }

    /// An empty disk whose writes are torn at multiples of `bytes`.
    #[must_use]
    pub fn with_sector_size(bytes: u32) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(bytes.max(1)))) }
    }

    /// Files created from now on whose names end with `suffix` keep the order of their writes: what survives of them is
    /// what was written before some moment. Transaction logs need that of a disk where several sectors are written at
    /// a time: in their format a hole in front of valid data is a damage, not an end.
    pub fn keep_order(&self, suffix: &str) {
        self.state.lock().ordered_suffix = Some(suffix.to_owned());
    }

    /// Puts a durable file with its missing directories, replacing a file that is there. Not a step.
    pub fn put(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        self.state.lock().put(path.as_ref(), bytes.as_ref());
    }

    /// The bytes of a file as a reader would see them now, or `None`. Works without power, too.
    #[must_use]
    pub fn get(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.state.lock().get(path.as_ref())
    }

    /// Steps so far: calls that change something or make it durable.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.state.lock().steps
    }

    /// Calls so far, reads included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state.lock().faults.calls()
    }

    /// Plans a failing call; counting starts now.
    pub fn plan(&self, fault: Fault) {
        self.state.lock().faults.plan(fault);
    }

    /// Cuts the power during the step of this number (the first is 1; see [`steps`](Self::steps)).
    pub fn cut_power_at(&self, step: u64, survival: Survival) {
        self.state.lock().cut_at = Some((step, survival));
    }

    /// Cuts the power now, between two calls.
    pub fn cut_power(&self, survival: Survival) {
        self.state.lock().lost.get_or_insert(survival);
    }

    /// Whether the power is on.
    #[must_use]
    pub fn has_power(&self) -> bool {
        self.state.lock().lost.is_none()
    }

    /// What survived, as a new disk with power, no plans and counters at zero. A disk that still has power is shut down in order:
    /// everything survives. This disk stays as it is, so that it can be rebooted again.
    #[must_use]
    pub fn reboot(&self) -> Self {
        Self { state: Arc::new(Mutex::new(self.state.lock().reboot())) }
    }

    /// A call that only looks.
    fn look<T>(
        &self,
        operation: Operation,
        path: &Path,
        call: impl FnOnce(&State) -> std::result::Result<T, IoErrorKind>,
    ) -> Result<T> {
        let mut state = self.state.lock();
        state.look(operation).and_then(|()| call(&state)).map_err(|kind| IoError::new(operation, kind, path))
    }

    /// A call that changes names. With a planned failure it happens only when the failure's effect says so.
    fn change<T>(
        &self,
        operation: Operation,
        path: &Path,
        call: impl FnOnce(&mut State) -> std::result::Result<T, IoErrorKind>,
    ) -> Result<T> {
        self.state.lock().step(operation, path, |state, effect| match effect {
            Effect::Full => call(state).map(Some),
            Effect::None | Effect::Half => Ok(None),
        })
    }
}

impl Storage for SimulatedDisk {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        let found = {
            let state = self.state.lock();
            state.volatile.file(path)
        };
        // Only an open that creates or cuts is a step.
        let changes = match (&found, options.mode) {
            (Ok(_), OpenMode::CreateOrTruncate) => true,
            (Err(IoErrorKind::NotFound), mode) => mode.creates(),
            _ => false,
        };
        let lock = |state: &State, id| {
            let locks = state.files.get(&id).map(|f| f.locks.clone()).unwrap_or_default();
            Ok((id, locks.take(options.lock).ok_or(IoErrorKind::InUse)?))
        };
        let open = |state: &State, found| match (found, options.mode) {
            (Ok(_) | Err(IoErrorKind::AccessDenied), OpenMode::CreateNew) => Err(IoErrorKind::AlreadyExists),
            (Err(kind), _) => Err(kind),
            (Ok(id), _) => lock(state, id),
        };
        let (id, lock) = if changes {
            self.change(Operation::Open, path, |state| {
                let opened = match found {
                    Err(IoErrorKind::NotFound) => {
                        let id = state.create_file(path)?;
                        lock(state, id)?
                    }
                    found => open(state, found)?,
                };
                if options.mode == OpenMode::CreateOrTruncate {
                    state.set_len(opened.0, 0);
                }
                Ok(opened)
            })?
        } else {
            self.look(Operation::Open, path, |state| open(state, found))?
        };
        let state = Arc::clone(&self.state);
        Ok(Arc::new(SimulatedFile::new(path, state, id, options.mode.writes(), lock)))
    }

    fn inspect(&self, path: &Path) -> Result<Entry> {
        self.look(Operation::Inspect, path, |state| {
            let inode = state.volatile.find(path)?;
            let node = state.volatile.node(inode).ok_or(IoErrorKind::NotFound)?;
            Ok(entry(path.to_path_buf(), node, state))
        })
    }

    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        self.look(Operation::List, directory, |state| {
            let children = state.volatile.children(directory)?;
            Ok(children.into_iter().map(|(name, node)| entry(directory.join(name), node, state)).collect())
        })
    }

    fn create_directory(&self, path: &Path) -> Result<()> {
        self.change(Operation::CreateDirectory, path, |state| state.create_directory(path))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.change(Operation::Remove, path, |state| state.remove(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.change(Operation::Rename, from, |state| state.rename(from, to))
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        self.state.lock().step(Operation::Sync, path, |state, effect| {
            let inode = state.volatile.find(path)?;
            if !matches!(state.volatile.node(inode), Some(Node::Directory(_))) {
                return Err(IoErrorKind::InvalidPath);
            }
            if effect == Effect::Full && state.lost.is_none() {
                state.sync_directory(inode);
            }
            Ok(Some(()))
        })
    }
}

fn entry(path: PathBuf, node: &Node<state::FileId>, state: &State) -> Entry {
    match node {
        Node::Directory(_) => Entry { path, kind: EntryKind::Directory, len: 0 },
        Node::File(id) => {
            let len = state.files.get(id).map_or(0, |f| f.volatile.len());
            Entry { path, kind: EntryKind::File, len }
        }
    }
}
