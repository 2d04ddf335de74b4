//! Backup into a directory: a client of the streaming calls.

mod destination;
#[cfg(test)]
mod destination_tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_format::LogGeneration;
use ese_instance::{Instance, InstanceState, ParameterId};
use ese_log::LogFileKind;

pub(crate) use destination::{Destination, SetForm};

use crate::context::{BackupContext, LogInfo, ReadOptions};
use crate::copy::copy_chunks;
use crate::error::BackupError;
use crate::flags::BackupFlags;
use crate::manifest::{Manifest, ManifestFile, ManifestFileKind, signature_text};
use crate::progress::Progress;

/// Longest path, terminator included, that the engine can use.
const MAX_PATH_CHARACTERS: usize = 259;

/// What a backup into a directory did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupSummary {
    /// The directory that holds the set; `None` when only logs were deleted.
    pub directory: Option<PathBuf>,
    /// Full paths of the databases copied.
    pub databases: Vec<PathBuf>,
    /// First and last log generation of the set, inclusive.
    pub logs: Option<(LogGeneration, LogGeneration)>,
    /// Bytes written, all files together.
    pub bytes: u64,
}

/// Backs up an instance into a directory, or only deletes its logs when there is none.
///
/// The set is complete and durable before a single log is deleted, and takes its place in the directory only then. On
/// failure nothing of this call remains: neither files nor deleted logs nor stamped headers.
///
/// # Errors
/// In the engine's order: refused at the door; `BackupNotAllowedYet`; `InvalidPath`; `LoggingDisabled`;
/// `LogDown`; `CircularLogging`; a backup in progress; `MissingFullBackup`; the checkpoint; the directory; then whatever
/// copying finds.
#[doc(alias = "JetBackupInstance")]
#[doc(alias = "JetBackup")]
pub fn backup_instance(
    instance: &Instance,
    path: Option<&Path>,
    flags: BackupFlags,
    options: ReadOptions,
    progress: &dyn Progress,
) -> Result<BackupSummary, BackupError> {
    BackupContext::new(instance, options).backup_directory(path, flags, progress)
}

impl BackupContext {
    /// As [`backup_instance`], with a context that another thread can [`stop`](Self::stop).
    ///
    /// # Errors
    /// As [`backup_instance`].
    pub fn backup_directory(
        &self,
        path: Option<&Path>,
        flags: BackupFlags,
        progress: &dyn Progress,
    ) -> Result<BackupSummary, BackupError> {
        let _call = self.instance().enter(InstanceState::check_backup)?;
        let path = path.map(complete_path).transpose()?;
        let form = SetForm::new(flags);
        self.begin_directory(form.incremental)?;
        let result = match &path {
            None => self.truncate_without_copy().map(|()| BackupSummary::default()),
            Some(path) => self.copy_set(path, form, progress),
        };
        self.close_open();
        self.end_directory(result.is_ok(), path.is_some());
        if result.is_ok() {
            progress.complete();
        }
        result
    }

    fn copy_set(
        &self,
        path: &Path,
        form: SetForm,
        progress: &dyn Progress,
    ) -> Result<BackupSummary, BackupError> {
        let storage = Arc::clone(&self.instance().environment().storage);
        let create_path = self.instance().parameters().on(ParameterId::CREATE_PATH_IF_NOT_EXIST);
        let mut destination = Destination::prepare(&*storage, path, form, create_path)?;
        let mut set = SetWriter {
            context: self,
            progress,
            manifest: Manifest::new(self.instance().environment().now().to_string()),
            summary: BackupSummary::default(),
        };
        if form.incremental
            && let Some(known) = Manifest::read(&*storage, &destination.present_directory())?
        {
            set.manifest.files = known.files;
        }
        let databases = if form.incremental { Vec::new() } else { self.attach_info_inside()? };
        progress.begin(self.expected_bytes(&databases)?);
        for database in &databases {
            set.copy_database(&mut destination, database)?;
        }
        let logs = self.log_info_inside()?;
        if form.incremental {
            self.check_follows(&destination.present_directory(), logs.low)?;
        }
        set.copy_logs(&mut destination, &logs)?;
        for database in &databases {
            set.add_patch_file(&mut destination, database)?;
        }
        set.describe(&logs);
        destination.add_manifest(&set.manifest)?;
        self.check_stop_of(progress)?;
        destination.promote()?;
        let mut summary = set.summary;
        summary.directory = Some(destination.final_directory());
        summary.databases = databases;
        summary.logs = Some((logs.low, logs.high));
        if let Err(error) = self.truncate_inside() {
            // The set is complete and stays. Logs that could not be deleted do no harm: the next backup deletes them.
            tracing::warn!(%error, "the backup is complete, but logs that it makes unneeded were not deleted");
        }
        Ok(summary)
    }

    /// Bytes that copying will read, as far as they are known now.
    fn expected_bytes(&self, databases: &[PathBuf]) -> Result<u64, BackupError> {
        let attached = self.instance().databases();
        let database_bytes = attached
            .iter()
            .filter(|d| databases.iter().any(|p| p == d.path()))
            .map(|d| (u64::from(d.last_page().0) + 3) * u64::from(d.page_size().bytes()))
            .sum::<u64>();
        let Some(log) = self.instance().log() else { return Ok(database_bytes) };
        let set = log.discover()?;
        Ok(database_bytes + set.archived.values().map(|f| f.len).sum::<u64>())
    }

    /// Logs in the set's directory must reach up to the logs that are added.
    fn check_follows(&self, directory: &Path, lowest: LogGeneration) -> Result<(), BackupError> {
        let Some(log) = self.instance().log() else { return Ok(()) };
        let entries = self.instance().environment().storage.list(directory)?;
        let highest = entries
            .iter()
            .filter_map(|e| log.names().parse(e.path.file_name()?.to_str()?))
            .filter_map(|name| match name.kind {
                LogFileKind::Archived { generation, .. } => Some(generation),
                _ => None,
            })
            .max();
        match highest {
            Some(found) if lowest.0 > found.0.saturating_add(1) => {
                Err(BackupError::NotContiguous { expected: lowest, found })
            }
            _ => Ok(()),
        }
    }

    fn check_stop_of(&self, progress: &dyn Progress) -> Result<(), BackupError> {
        if progress.stop_requested() {
            self.stop();
        }
        self.check_stop()
    }
}

/// Writes the files of one set.
struct SetWriter<'a> {
    context: &'a BackupContext,
    progress: &'a dyn Progress,
    manifest: Manifest,
    summary: BackupSummary,
}

impl SetWriter<'_> {
    fn copy_database(&mut self, destination: &mut Destination<'_>, path: &Path) -> Result<(), BackupError> {
        let name = file_name(path)?;
        let database = self.context.instance().databases().into_iter().find(|d| d.path() == path);
        let mut file = self.copy_file(destination, path, &name, ManifestFileKind::Database)?;
        file.source = Some(path.display().to_string());
        file.database_signature = database.map(|d| signature_text(d.header().signature()));
        self.manifest.put(file);
        Ok(())
    }

    fn copy_logs(&mut self, destination: &mut Destination<'_>, logs: &LogInfo) -> Result<(), BackupError> {
        for (generation, path) in (logs.low.0..).zip(&logs.files) {
            let name = file_name(path)?;
            let mut file = self.copy_file(destination, path, &name, ManifestFileKind::Log)?;
            file.generation = Some(generation);
            self.manifest.put(file);
        }
        Ok(())
    }

    /// Copies one file through the streaming calls, and makes it durable.
    fn copy_file(
        &mut self,
        destination: &mut Destination<'_>,
        path: &Path,
        name: &str,
        kind: ManifestFileKind,
    ) -> Result<ManifestFile, BackupError> {
        let opened = self.context.open_file_inside(path)?;
        let result = (|| {
            let target = destination.create(name)?;
            let source = self.context.open_source(self.progress)?;
            let checksum = copy_chunks(&source, &*target, self.progress)?;
            target.sync()?;
            Ok(ManifestFile::new(name, kind, opened.size, checksum))
        })();
        self.context.close_open();
        self.summary.bytes += opened.size;
        result
    }

    /// The empty file by whose name restore knows that the database belongs to the set.
    fn add_patch_file(
        &mut self,
        destination: &mut Destination<'_>,
        database: &Path,
    ) -> Result<(), BackupError> {
        let name = file_name(&database.with_extension("pat"))?;
        destination.create(&name)?.sync()?;
        self.manifest.put(ManifestFile::new(&name, ManifestFileKind::Patch, 0, 0));
        Ok(())
    }

    fn describe(&mut self, logs: &LogInfo) {
        if let Some(log) = self.context.instance().log() {
            self.manifest.log_signature = signature_text(log.signature());
        }
        self.manifest.mark = self.context.mark().to_string();
        let lowest = self.manifest.files.iter().filter_map(|f| f.generation).min();
        self.manifest.generation_low = lowest.unwrap_or(logs.low.0);
        self.manifest.generation_high = logs.high.0;
    }
}

fn file_name(path: &Path) -> Result<String, BackupError> {
    let name = path.file_name().and_then(|n| n.to_str());
    name.map(str::to_owned).ok_or_else(|| BackupError::InvalidPath {
        path: path.to_path_buf(),
        reason: "the name is not one that a set can hold".to_owned(),
    })
}

/// An absolute path of at most 259 characters.
pub(crate) fn complete_path(path: &Path) -> Result<PathBuf, BackupError> {
    let invalid =
        |reason: &str| BackupError::InvalidPath { path: path.to_path_buf(), reason: reason.to_owned() };
    if path.as_os_str().is_empty() {
        return Err(invalid("it is empty"));
    }
    let full: PathBuf =
        std::path::absolute(path).map_err(|e| invalid(&e.to_string()))?.components().collect();
    let text = full.to_string_lossy();
    if text.chars().count() >= MAX_PATH_CHARACTERS {
        return Err(invalid("it has 259 characters or more"));
    }
    if text.contains('\0') {
        return Err(invalid("it contains a NUL character"));
    }
    Ok(full)
}
