//! What a directory tells about a stream before its names are fixed.

use std::path::Path;

use ese_io::{EntryKind, Storage};

use crate::error::LogError;
use crate::naming::{BaseName, LogExtension, LogFileKind, LogFileName};

/// Chooses the extensions of a stream as the engine does at start: the checkpoint with the preferred extension, with the
/// other, then the current log with the preferred extension, with the other; the first hit decides for everything.
/// Where all four are absent (a backup set) archived logs decide in the same order, and without any the preference.
///
/// # Errors
/// [`LogError::Storage`] when a directory cannot be listed; a missing directory counts as empty.
#[doc(alias = "JET_paramLegacyFileNames")]
pub fn choose_extension(
    storage: &dyn Storage,
    system_directory: &Path,
    log_directory: &Path,
    base: &BaseName,
    preferred: LogExtension,
) -> Result<LogExtension, LogError> {
    let mut checkpoints = Vec::new();
    for kind in kinds(storage, system_directory, base)? {
        if let LogFileKind::Checkpoint(extension) = kind {
            checkpoints.push(extension);
        }
    }
    let (mut current, mut archived) = (Vec::new(), Vec::new());
    for kind in kinds(storage, log_directory, base)? {
        match kind {
            LogFileKind::Current(extension) => current.push(extension),
            LogFileKind::Archived { extension, .. } => archived.push(extension),
            _ => {}
        }
    }
    for found in [checkpoints, current, archived] {
        for candidate in [preferred, preferred.other()] {
            if found.contains(&candidate) {
                return Ok(candidate);
            }
        }
    }
    Ok(preferred)
}

fn kinds(storage: &dyn Storage, directory: &Path, base: &BaseName) -> Result<Vec<LogFileKind>, LogError> {
    use ese_io::IoErrorKind::{InvalidPath, NotFound};
    let entries = match storage.list(directory) {
        Err(e) if matches!(e.kind, NotFound | InvalidPath) => return Ok(Vec::new()),
        entries => entries?,
    };
    Ok(entries
        .iter()
        .filter(|e| e.kind == EntryKind::File)
        .filter_map(|e| LogFileName::parse(base, e.path.file_name()?.to_str()?))
        .map(|n| n.kind)
        .collect())
}

/// The log streams whose files lie in a directory, by name, for callers that were told no base name. A stream counts
/// with a current log, an archived log or a checkpoint; each comes once for each pair of extensions it has.
///
/// # Errors
/// [`LogError::Storage`] when the directory cannot be listed.
pub fn find_streams(
    storage: &dyn Storage,
    directory: &Path,
) -> Result<Vec<(BaseName, LogExtension)>, LogError> {
    let mut found: Vec<(BaseName, LogExtension)> = Vec::new();
    for entry in storage.list(directory)? {
        let Some(name) = entry.path.file_name().and_then(|n| n.to_str()) else { continue };
        let Some(parsed) = LogFileName::guess(name).filter(|_| entry.kind == EntryKind::File) else {
            continue;
        };
        let extension = match parsed.kind {
            LogFileKind::Current(e) | LogFileKind::Checkpoint(e) => e,
            LogFileKind::Archived { extension, .. } => extension,
            _ => continue,
        };
        let stream = (parsed.base, extension);
        if !found.contains(&stream) {
            found.push(stream);
        }
    }
    found.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
    Ok(found)
}
