//! Changes that are on disk when the call returns, in one place.
//!
//! A file system promises little without being asked: data reaches the disk with [`File::sync`], a name with
//! [`Storage::sync_directory`] of its directory, and neither brings the other along. A file that is written in place can
//! be found half old, half new after a power failure; a rename cannot. So what must be either old or new is written
//! beside its place, synced, renamed over it, and then the directory is synced.
//!
//! [`File::sync`]: crate::File::sync

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{IoError, IoErrorKind, Operation, Result};
use crate::file::File;
use crate::storage::{EntryKind, OpenMode, OpenOptions, Storage, parent_directory};

/// What [`replace_durably`] appends to a name while it writes. A file of such a name is a leftover of a power failure and
/// means nothing.
pub const REPLACEMENT_SUFFIX: &str = ".ese-new";

/// Replaces or creates a file in one durable step: after a power failure at any moment it is the old one or the new one.
///
/// # Errors
/// The first failed call; the old file is in place then, unless the rename itself was reported failed or the directory's
/// sync failed, when either may be.
pub fn replace_durably(storage: &dyn Storage, path: &Path, content: &[u8]) -> Result<()> {
    replace_durably_with(storage, path, |file| file.write_at(0, content))
}

/// The same with a function that writes the new content, for content too large for one buffer.
///
/// # Errors
/// As [`replace_durably`], or what the function returned.
pub fn replace_durably_with(
    storage: &dyn Storage,
    path: &Path,
    write: impl FnOnce(&dyn File) -> Result<()>,
) -> Result<()> {
    let temporary = replacement_path(path);
    let written = (|| {
        let file = storage.open(&temporary, OpenOptions::new(OpenMode::CreateOrTruncate))?;
        write(&*file)?;
        // Before the rename: else the name could be durable before the bytes, and the old file gone with nothing in
        // its place.
        file.sync()
    })();
    // The handle is closed here, which Windows wants before a rename.
    if let Err(error) = written.and_then(|()| storage.rename(&temporary, path)) {
        // Tidying up is best effort; the first error is the one to report.
        let _ = storage.remove(&temporary);
        return Err(error);
    }
    // Before anybody relies on the new content: else a power failure could bring the old file back.
    storage.sync_directory(parent_directory(path))
}

fn replacement_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(REPLACEMENT_SUFFIX);
    path.with_file_name(name)
}

/// Removes a file durably; one that is not there is fine.
///
/// # Errors
/// The first failed call.
pub fn remove_durably(storage: &dyn Storage, path: &Path) -> Result<()> {
    match storage.remove(path) {
        Err(e) if e.kind != IoErrorKind::NotFound => Err(e),
        // Also when it was gone already: its removal may not be durable yet.
        _ => storage.sync_directory(parent_directory(path)),
    }
}

/// Renames durably, also between directories.
///
/// # Errors
/// The first failed call.
pub fn rename_durably(storage: &dyn Storage, from: &Path, to: &Path) -> Result<()> {
    storage.rename(from, to)?;
    let (source, target) = (parent_directory(from), parent_directory(to));
    // The new name first: a power failure in between may show the file under both names, but never under none.
    storage.sync_directory(target)?;
    if source == target { Ok(()) } else { storage.sync_directory(source) }
}

/// Creates a directory and the missing ones above it, durably. Directories that are there are fine.
///
/// # Errors
/// `AlreadyExists` when a file is in the way, else the first failed call.
pub fn create_directories(storage: &dyn Storage, path: &Path) -> Result<()> {
    let mut missing = Vec::new();
    for directory in path.ancestors() {
        match storage.inspect(directory) {
            Ok(entry) if entry.kind == EntryKind::Directory => break,
            Ok(_) => {
                let error = IoError::new(Operation::CreateDirectory, IoErrorKind::AlreadyExists, directory);
                return Err(error);
            }
            Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => {
                missing.push(directory)
            }
            Err(e) => return Err(e),
        }
    }
    for directory in missing.into_iter().rev() {
        match storage.create_directory(directory) {
            Err(e) if e.kind != IoErrorKind::AlreadyExists => return Err(e),
            // Somebody else was faster: his name may not be durable yet.
            _ => storage.sync_directory(parent_directory(directory))?,
        }
    }
    Ok(())
}

/// Deepest nesting that [`remove_tree`] follows.
const MAX_DEPTH: usize = 32;

/// Removes a directory with everything in it, or a file. Links are removed, never followed. What is not there is fine.
/// The removal itself is durable when this returns.
///
/// `max_entries` bounds the damage of a wrong path: when the tree turns out to be larger, or deeper than 32, the call
/// stops with `DirectoryNotEmpty`.
///
/// # Errors
/// The first failed call; part of the tree may be gone then.
pub fn remove_tree(storage: &dyn Storage, path: &Path, max_entries: usize) -> Result<()> {
    let mut left = max_entries;
    remove_below(storage, path, &mut left, MAX_DEPTH)?;
    match storage.sync_directory(parent_directory(path)) {
        // The directory above is not there either.
        Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => Ok(()),
        result => result,
    }
}

fn remove_below(storage: &dyn Storage, path: &Path, left: &mut usize, depth: usize) -> Result<()> {
    // Just try: a listing follows links, and must not be trusted to say what may be descended into.
    match storage.remove(path) {
        Ok(()) => return Ok(()),
        Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => return Ok(()),
        Err(e) if e.kind != IoErrorKind::DirectoryNotEmpty => return Err(e),
        Err(_) => {}
    }
    let entries = storage.list(path)?;
    *left = left
        .checked_sub(entries.len())
        .filter(|_| depth > 0)
        .ok_or_else(|| IoError::new(Operation::Remove, IoErrorKind::DirectoryNotEmpty, path))?;
    for entry in entries {
        remove_below(storage, &entry.path, left, depth - 1)?;
    }
    storage.remove(path)
}
