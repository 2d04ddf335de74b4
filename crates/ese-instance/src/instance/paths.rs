//! The three places of an instance.

use std::path::{Path, PathBuf};

use ese_io::Storage;

use crate::error::{InstanceError, InstancePath};
use crate::parameter::{ParameterId, ParameterSet};

/// Longest path that file names can still be added to.
const MAX_FOLDER_CHARACTERS: usize = 246;
const TEMPORARY_DATABASE: &str = "tmp.edb";

/// The places of an instance as absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstancePaths {
    /// Directory of the checkpoint.
    pub(crate) system: PathBuf,
    /// Temporary database.
    pub(crate) temporary: PathBuf,
    /// Directory of the logs.
    pub(crate) log: PathBuf,
}

impl InstancePaths {
    /// Completes the paths of the parameters. The temporary path is relative to the system path; one that ends in a
    /// separator is a folder.
    ///
    /// # Errors
    /// `InvalidPath` when a path is too long or cannot be completed.
    pub(crate) fn complete(parameters: &ParameterSet) -> Result<Self, InstanceError> {
        let system = absolute(&parameters.path(ParameterId::SYSTEM_PATH))?;
        let log = absolute(&parameters.path(ParameterId::LOG_FILE_PATH))?;
        let text = parameters.text(ParameterId::TEMP_PATH);
        let mut temporary = absolute(&system.join(&text))?;
        if text.ends_with(['/', '\\']) || text.is_empty() {
            temporary.push(TEMPORARY_DATABASE);
        }
        Ok(Self { system, temporary, log })
    }

    /// Makes the missing directories.
    pub(super) fn create(&self, storage: &dyn Storage) -> Result<(), InstanceError> {
        let temporary = self.temporary.parent().unwrap_or(&self.system);
        for directory in [temporary, &self.system, &self.log] {
            create_directories(storage, directory)?;
        }
        Ok(())
    }

    /// The first of the paths that `other` uses too, as the engine looks for them.
    pub(super) fn collision(
        &self,
        other: &Self,
        temporary: bool,
        logs: bool,
    ) -> Option<(InstancePath, &Path)> {
        if temporary && self.temporary == other.temporary {
            Some((InstancePath::Temporary, &self.temporary))
        } else if logs && self.system == other.system {
            Some((InstancePath::System, &self.system))
        } else if logs && self.log == other.log {
            Some((InstancePath::Log, &self.log))
        } else {
            None
        }
    }
}

/// An absolute path of at most 246 characters.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, InstanceError> {
    let invalid = |reason| InstanceError::InvalidPath { path: path.to_path_buf(), reason };
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let full: PathBuf =
        std::path::absolute(path).map_err(|_| invalid("it cannot be made absolute"))?.components().collect();
    if full.to_string_lossy().chars().count() > MAX_FOLDER_CHARACTERS {
        return Err(invalid("it is longer than 246 characters"));
    }
    Ok(full)
}

/// As [`absolute`], of a database.
///
/// # Errors
/// `DatabaseInvalidPath`.
pub(crate) fn database_path(path: &Path) -> Result<PathBuf, InstanceError> {
    absolute(path).map_err(|_| InstanceError::DatabaseInvalidPath { path: path.to_path_buf() })
}

pub(crate) fn create_directories(storage: &dyn Storage, directory: &Path) -> Result<(), InstanceError> {
    let mut missing = Vec::new();
    for ancestor in directory.ancestors().filter(|p| !p.as_os_str().is_empty()) {
        if storage.exists(ancestor)? {
            break;
        }
        missing.push(ancestor);
    }
    for path in missing.into_iter().rev() {
        match storage.create_directory(path) {
            Err(e) if e.kind != ese_io::IoErrorKind::AlreadyExists => return Err(e.into()),
            _ => {}
        }
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            storage.sync_directory(parent)?;
        }
    }
    Ok(())
}
