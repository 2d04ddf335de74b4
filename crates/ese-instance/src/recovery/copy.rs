//! Copying what a recovery needs, so that the original stays as it is.

use std::path::{Path, PathBuf};

use ese_io::{IoError, IoErrorKind, OpenMode, OpenOptions, Operation, Storage};

use super::error::RecoveryError;
use super::plan::RecoveryPlan;
use super::request::{DatabaseLocations, MappedDatabase, RecoveryProgress, RecoveryRequest};
use super::source::LogSource;

/// Bytes copied in one go.
const CHUNK_BYTES: usize = 1 << 20;

/// Copies logs, checkpoint and databases of `plan`, those of the stream that need no replay included, into the empty or new directory `target`, and returns the request to
/// recover the copy.
///
/// # Errors
/// [`IoErrorKind::DirectoryNotEmpty`] for a directory with something in it, and what the file system answers. A copy
/// that failed is left where it is.
pub fn copy_for_recovery(
    request: &RecoveryRequest,
    plan: &RecoveryPlan,
    storage: &dyn Storage,
    target: &Path,
    progress: &dyn RecoveryProgress,
) -> Result<RecoveryRequest, RecoveryError> {
    match storage.list(target) {
        Ok(entries) if entries.is_empty() => {}
        Ok(_) => {
            return Err(
                IoError::new(Operation::CreateDirectory, IoErrorKind::DirectoryNotEmpty, target).into()
            );
        }
        Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => {
            storage.create_directory(target)?;
        }
        Err(e) => return Err(e.into()),
    }
    let source = LogSource::open(storage, request)?;
    let mut files: Vec<PathBuf> = source.generations().into_iter().map(|(_, path, _)| path).collect();
    if let Some(file) = &source.directory.temporary {
        files.push(file.path.clone());
    }
    let mut locations = DatabaseLocations {
        new_databases: Some(target.to_path_buf()),
        directories: vec![target.to_path_buf()],
        ..request.locations.clone()
    };
    locations.mapped.clear();
    for database in &plan.databases {
        let Some(path) = &database.path else { continue };
        let to = join_name(target, path);
        if storage.exists(path)? && !files.contains(path) {
            files.push(path.clone());
        }
        locations.mapped.push(MappedDatabase {
            logged: Some(database.logged.clone()),
            signature: None,
            path: to,
        });
    }
    for path in &plan.untouched {
        if !files.contains(path) {
            files.push(path.clone());
        }
    }
    if storage.exists(&request.checkpoint)? {
        files.push(request.checkpoint.clone());
    }
    for file in &files {
        copy_file(storage, file, &join_name(target, file), progress)?;
    }
    storage.sync_directory(target)?;
    Ok(RecoveryRequest {
        log_directory: target.to_path_buf(),
        checkpoint: target.join(request.names.checkpoint()),
        set_directory: None,
        locations,
        ..request.clone()
    })
}

fn join_name(directory: &Path, file: &Path) -> PathBuf {
    file.file_name().map_or_else(|| directory.to_path_buf(), |name| directory.join(name))
}

fn copy_file(
    storage: &dyn Storage,
    from: &Path,
    to: &Path,
    progress: &dyn RecoveryProgress,
) -> Result<(), RecoveryError> {
    let source = storage.open(from, OpenOptions::new(OpenMode::Read))?;
    let target = storage.open(to, OpenOptions::new(OpenMode::CreateNew))?;
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut offset = 0;
    loop {
        if progress.stop_requested() {
            return Err(RecoveryError::Interrupted { position: ese_format::LogPosition::NONE });
        }
        let read = source.read_at(offset, &mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|b| !b.is_empty()) else { break };
        target.write_at(offset, bytes)?;
        offset += read as u64;
    }
    target.sync()?;
    Ok(())
}
