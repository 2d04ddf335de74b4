//! The destination of a backup into a directory.
//!
//! Everything is written below `P/temp` first. The names that a set has are made by renaming, after every byte is
//! durable, so that whenever the power fails the destination holds what it held before, or the new set:
//!
//! | form | promotion |
//! |---|---|
//! | full | `temp/*` to `P`, the empty patch files last (without them nothing restores) |
//! | incremental | `temp/*` to `P`, ascending; logs that were there are replaced by their equals |
//! | atomic full | `new` to `old`, then `temp` to `new`, then `old` deleted |
//! | atomic incremental | `new` to `old`, then `temp/*` to `old` |
//!
//! `P/temp` of a crashed backup is deleted by the next one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_io::{EntryKind, File, IoError, IoErrorKind, OpenMode, OpenOptions, Storage, replace_durably};

use crate::error::BackupError;
use crate::flags::BackupFlags;
use crate::manifest::{MANIFEST_NAME, Manifest};

const TEMPORARY: &str = "temp";
const NEW: &str = "new";
const OLD: &str = "old";

/// What sort of set is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetForm {
    pub(crate) incremental: bool,
    pub(crate) atomic: bool,
}

impl SetForm {
    pub(crate) fn new(flags: BackupFlags) -> Self {
        Self {
            incremental: flags.contains(BackupFlags::INCREMENTAL),
            atomic: flags.contains(BackupFlags::ATOMIC),
        }
    }
}

/// A prepared destination, with the files staged so far.
pub(crate) struct Destination<'a> {
    storage: &'a dyn Storage,
    root: PathBuf,
    form: SetForm,
    /// Directories of the path that this backup made, outermost first.
    made: Vec<PathBuf>,
    /// Names staged, in the order they take their place.
    staged: Vec<String>,
    /// Files that took their place and were not there before.
    placed: Vec<PathBuf>,
    /// The manifest that was there before, once the new one is about to take its place. (A log that is replaced is
    /// replaced by its equal.)
    replaced_manifest: Option<Vec<u8>>,
    /// `new` was renamed to `old` for an atomic incremental set.
    set_aside: bool,
    complete: bool,
}

impl<'a> Destination<'a> {
    /// Checks the destination and makes its working directory.
    ///
    /// # Errors
    /// `DeleteFailed`, `DirectoryNotEmpty`, `MakeDirectoryFailed` (atomic full), `InvalidPath`, or a storage error. What
    /// was made is removed again.
    pub(crate) fn prepare(
        storage: &'a dyn Storage,
        root: &Path,
        form: SetForm,
        create_path: bool,
    ) -> Result<Self, BackupError> {
        let mut destination = Self {
            storage,
            root: root.to_path_buf(),
            form,
            made: Vec::new(),
            staged: Vec::new(),
            placed: Vec::new(),
            replaced_manifest: None,
            set_aside: false,
            complete: false,
        };
        if create_path {
            destination.create_path()?;
        }
        destination.remove_temporary()?;
        destination.check_entries()?;
        let temporary = destination.temporary();
        match storage.create_directory(&temporary) {
            Ok(()) => Ok(destination),
            Err(error) if form.atomic && !form.incremental => Err(BackupError::MakeDirectoryFailed { error }),
            Err(error) if matches!(error.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => {
                Err(invalid_path(root, &error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a file of the set, to be filled by the caller and made durable by [`finish`](Self::finish). Files take
    /// their place in the order they were created.
    ///
    /// # Errors
    /// A storage error; `AlreadyExists` for a second file of that name.
    pub(crate) fn create(&mut self, name: &str) -> Result<Arc<dyn File>, BackupError> {
        let path = self.temporary().join(name);
        let file = self.storage.open(&path, OpenOptions::new(OpenMode::CreateNew).direct(true))?;
        self.staged.push(name.to_owned());
        Ok(file)
    }

    /// Writes the manifest as the last file of the set.
    ///
    /// # Errors
    /// A storage error.
    pub(crate) fn add_manifest(&mut self, manifest: &Manifest) -> Result<(), BackupError> {
        manifest.write(self.storage, &self.temporary().join(MANIFEST_NAME))?;
        self.staged.push(MANIFEST_NAME.to_owned());
        Ok(())
    }

    /// The directory that holds the set at the end.
    pub(crate) fn final_directory(&self) -> PathBuf {
        match (self.form.atomic, self.form.incremental) {
            (false, _) => self.root.clone(),
            (true, false) => self.root.join(NEW),
            (true, true) => self.root.join(OLD),
        }
    }

    /// The directory that holds the set before this backup adds to it: the place of an earlier manifest.
    pub(crate) fn present_directory(&self) -> PathBuf {
        if self.form.atomic && self.form.incremental && self.is_directory(NEW) {
            self.root.join(NEW)
        } else {
            self.final_directory()
        }
    }

    /// Gives the staged files, which are durable, their final names.
    ///
    /// # Errors
    /// A storage error. [`Drop`] then takes back what was done.
    pub(crate) fn promote(&mut self) -> Result<(), BackupError> {
        let temporary = self.temporary();
        self.storage.sync_directory(&temporary)?;
        if self.form.atomic && !self.form.incremental {
            return self.promote_directory();
        }
        if self.form.atomic && self.is_directory(NEW) {
            self.remove_tree(OLD)?;
            self.storage.sync_directory(&self.root)?;
            self.set_aside = true;
            self.storage.rename(&self.root.join(NEW), &self.root.join(OLD))?;
            self.storage.sync_directory(&self.root)?;
        }
        let target = self.final_directory();
        for name in std::mem::take(&mut self.staged) {
            let path = target.join(&name);
            let known = self.storage.exists(&path)?;
            if known && name == MANIFEST_NAME {
                self.replaced_manifest = Some(self.read_small(&path)?);
            }
            // Noted before: a rename that reports a failure may have happened.
            if !known {
                self.placed.push(path.clone());
            }
            self.storage.rename(&temporary.join(&name), &path)?;
            // One name after the other, so that what is there after a crash has no gap.
            self.storage.sync_directory(&target)?;
        }
        self.complete = true;
        // From here on the set is complete; a left-over working directory is the next backup's to remove.
        let _ = self.storage.remove(&temporary);
        let _ = self.storage.sync_directory(&self.root);
        Ok(())
    }

    fn promote_directory(&mut self) -> Result<(), BackupError> {
        let (temporary, new, old) = (self.temporary(), self.root.join(NEW), self.root.join(OLD));
        let replaces = self.is_directory(NEW);
        if replaces {
            // `new` is complete: `old` can only be a left-over.
            self.remove_tree(OLD)?;
            self.storage.sync_directory(&self.root)?;
            self.set_aside = true;
            self.storage.rename(&new, &old)?;
            self.storage.sync_directory(&self.root)?;
        }
        let renamed = self.storage.rename(&temporary, &new);
        if let Err(error) = renamed.and_then(|()| self.storage.sync_directory(&self.root)) {
            // Nobody can tell which set would be found after a power failure: back to the one that is known.
            let _ = self.storage.rename(&new, &temporary);
            return Err(error.into());
        }
        self.complete = true;
        // The new set has taken its place; a predecessor that cannot be deleted does no harm.
        if self.remove_tree(OLD).is_ok() {
            let _ = self.storage.sync_directory(&self.root);
        }
        Ok(())
    }

    /// The content of a manifest.
    fn read_small(&self, path: &Path) -> Result<Vec<u8>, BackupError> {
        let file = self.storage.open(path, OpenOptions::READ)?;
        let len = usize::try_from(file.len()?.min(Manifest::MAX_BYTES)).unwrap_or(0);
        let mut bytes = vec![0; len];
        file.read_exact_at(0, &mut bytes)?;
        Ok(bytes)
    }

    fn temporary(&self) -> PathBuf {
        self.root.join(TEMPORARY)
    }

    fn is_directory(&self, name: &str) -> bool {
        self.storage.inspect(&self.root.join(name)).is_ok_and(|e| e.kind == EntryKind::Directory)
    }

    fn create_path(&mut self) -> Result<(), BackupError> {
        let missing: Vec<PathBuf> = self
            .root
            .ancestors()
            .take_while(|p| !p.as_os_str().is_empty() && !self.storage.exists(p).unwrap_or(true))
            .map(Path::to_path_buf)
            .collect();
        for directory in missing.into_iter().rev() {
            match self.storage.create_directory(&directory) {
                Ok(()) => self.made.push(directory),
                Err(e) if e.kind == IoErrorKind::AlreadyExists => {}
                Err(error) => return Err(invalid_path(&directory, &error)),
            }
        }
        for directory in &self.made {
            if let Some(parent) = directory.parent().filter(|p| !p.as_os_str().is_empty()) {
                self.storage.sync_directory(parent)?;
            }
        }
        Ok(())
    }

    fn remove_temporary(&self) -> Result<(), BackupError> {
        self.remove_tree(TEMPORARY)
    }

    /// Deletes the files of a sub-directory, then the directory. A directory that is not there is no error; one with
    /// sub-directories cannot be deleted.
    fn remove_tree(&self, name: &str) -> Result<(), BackupError> {
        let directory = self.root.join(name);
        let failed = |error: IoError| BackupError::DeleteFailed { error };
        let entries = match self.storage.list(&directory) {
            Ok(entries) => entries,
            Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries.iter().filter(|e| e.kind == EntryKind::File) {
            self.storage.remove(&entry.path).map_err(failed)?;
        }
        self.storage.remove(&directory).map_err(failed)
    }

    fn check_entries(&self) -> Result<(), BackupError> {
        if self.form.atomic && !self.form.incremental {
            return Ok(());
        }
        if self.form.atomic {
            return if self.is_directory(NEW) || self.is_directory(OLD) {
                Ok(())
            } else {
                Err(BackupError::InvalidPath {
                    path: self.root.join(OLD),
                    reason: "there is no atomic full backup that an incremental one could be added to"
                        .to_owned(),
                })
            };
        }
        let entries = match self.storage.list(&self.root) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => {
                return Err(invalid_path(&self.root, &error));
            }
            Err(error) => return Err(error.into()),
        };
        let in_the_way = entries.iter().find(|entry| {
            let name = entry.path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            !self.form.incremental || name.eq_ignore_ascii_case(NEW) || name.eq_ignore_ascii_case(OLD)
        });
        match in_the_way {
            None => Ok(()),
            Some(entry) => Err(BackupError::DirectoryNotEmpty {
                entry: entry.path.clone(),
                reason: if self.form.incremental {
                    "the directory holds an atomic set"
                } else {
                    "a full backup needs an empty directory"
                },
            }),
        }
    }

    /// Takes back what this backup did.
    fn abandon(&mut self) {
        if let Some(manifest) = self.replaced_manifest.take() {
            let _ = replace_durably(self.storage, &self.final_directory().join(MANIFEST_NAME), &manifest);
        }
        for path in self.placed.drain(..).rev() {
            let _ = self.storage.remove(&path);
        }
        let _ = self.remove_tree(TEMPORARY);
        if self.set_aside {
            let _ = self.storage.rename(&self.root.join(OLD), &self.root.join(NEW));
        }
        let _ = self.storage.sync_directory(&self.root);
        for directory in self.made.drain(..).rev() {
            let _ = self.storage.remove(&directory);
            if let Some(parent) = directory.parent() {
                let _ = self.storage.sync_directory(parent);
            }
        }
    }
}

impl Drop for Destination<'_> {
    fn drop(&mut self) {
        if !self.complete {
            self.abandon();
        }
    }
}

fn invalid_path(path: &Path, error: &IoError) -> BackupError {
    BackupError::InvalidPath { path: path.to_path_buf(), reason: error.to_string() }
}
