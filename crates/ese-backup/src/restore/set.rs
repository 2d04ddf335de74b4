//! Finding a backup set: its directory, its logs, its databases.

use std::path::{Path, PathBuf};

use ese_format::LogGeneration;
use ese_instance::read_database_header;
use ese_io::{Entry, EntryKind, IoErrorKind, OpenOptions, Storage};
use ese_log::{BaseName, LogExtension, LogNames, LogSet, choose_extension, find_streams};

use super::error::RestoreError;
use crate::manifest::{MANIFEST_NAME, Manifest};

/// A backup set as it lies in a directory.
#[derive(Clone, Debug)]
pub struct BackupSet {
    /// The directory that holds the files: the one given, or `new` or `old` in it.
    pub directory: PathBuf,
    /// The set's logs.
    pub logs: LogSet,
    /// First generation.
    pub low: LogGeneration,
    /// Last generation, inclusive.
    pub high: LogGeneration,
    /// The databases that patch files name.
    pub databases: Vec<SetDatabase>,
    /// What the set's maker wrote about it.
    pub manifest: Option<Manifest>,
}

/// A database of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDatabase {
    /// Its patch file; in a set without patch files the place where it would be.
    pub patch_file: PathBuf,
    /// The database file; `None` when it is missing.
    pub file: Option<PathBuf>,
    /// Name without extension, which the two share.
    pub stem: String,
}

impl BackupSet {
    /// Finds the set in `path`: there when it holds archived logs, else in `new`, else in `old`. A base name of `None`
    /// takes the only stream that is there.
    ///
    /// # Errors
    /// `SetNotFound`, `SeveralStreams`, a storage error.
    pub fn find(storage: &dyn Storage, path: &Path, base: Option<&BaseName>) -> Result<Self, RestoreError> {
        for directory in [path.to_path_buf(), path.join("new"), path.join("old")] {
            if let Some(logs) = logs_in(storage, &directory, base)?
                && let (Some(low), Some(high)) = (logs.lowest(), logs.highest())
            {
                let databases = databases_in(&storage.list(&directory)?);
                let manifest = Manifest::read(storage, &directory)?;
                return Ok(Self { directory, logs, low, high, databases, manifest });
            }
        }
        Err(RestoreError::SetNotFound { path: path.to_path_buf() })
    }
}

fn logs_in(
    storage: &dyn Storage,
    directory: &Path,
    base: Option<&BaseName>,
) -> Result<Option<LogSet>, RestoreError> {
    let mut names = match base {
        Some(base) => vec![base.clone()],
        None => match find_streams(storage, directory) {
            Ok(streams) => streams.into_iter().map(|(base, _)| base).collect(),
            Err(ese_log::LogError::Storage(e))
                if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        },
    };
    names.dedup();
    let mut found = Vec::new();
    for base in names {
        let extension = choose_extension(storage, directory, directory, &base, LogExtension::Legacy)?;
        let names = LogNames { base, extension, short_generations: true };
        match LogSet::discover(storage, directory, &names) {
            Ok(logs) if !logs.archived.is_empty() => found.push(logs),
            Ok(_) => {}
            Err(ese_log::LogError::Storage(e))
                if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    if found.len() > 1 {
        let names = found.iter().map(|l| l.names.base.to_string()).collect::<Vec<_>>().join(", ");
        return Err(RestoreError::SeveralStreams { path: directory.to_path_buf(), names });
    }
    Ok(found.pop())
}

/// The databases of a set without patch files, as a streaming client lays it down: files whose header says that they are
/// a copy out of a backup.
pub(super) fn databases_by_header(
    storage: &dyn Storage,
    directory: &Path,
) -> Result<Vec<SetDatabase>, RestoreError> {
    let mut found = Vec::new();
    for entry in storage.list(directory)?.into_iter().filter(|e| e.kind == EntryKind::File) {
        let file = storage.open(&entry.path, OpenOptions::READ)?;
        // Logs and whatever else lies there have no such header.
        if read_database_header(&*file).is_ok_and(|pair| pair.header.is_part_of_backup()) {
            let stem = entry.path.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
            let patch_file = entry.path.with_extension("pat");
            found.push(SetDatabase { patch_file, file: Some(entry.path), stem });
        }
    }
    Ok(found)
}

/// One database for each patch file; its file has the same name with another extension.
fn databases_in(entries: &[Entry]) -> Vec<SetDatabase> {
    let files = || entries.iter().filter(|e| e.kind == EntryKind::File).map(|e| &e.path);
    let extension = |p: &Path| p.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    let stem = |p: &Path| p.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
    files()
        .filter(|p| extension(p) == "pat")
        .map(|patch_file| {
            let own = stem(patch_file);
            let file = files().find(|p| {
                let is_other =
                    matches!(extension(p).as_str(), "pat" | "log" | "jtx" | "chk" | "jcp" | "jfm" | "jrs")
                        || p.file_name().is_some_and(|n| n == MANIFEST_NAME);
                !is_other && stem(p).to_lowercase() == own.to_lowercase()
            });
            SetDatabase { patch_file: patch_file.clone(), file: file.cloned(), stem: own }
        })
        .collect()
}
