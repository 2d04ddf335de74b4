//! Restore of a backup set, to a new place or over the old one.
//!
//! The databases are copied beside their targets, brought up with the logs of the set and of the log directory, and take
//! their places only when they are clean: whenever it is cut, a target holds what it held before, or the restored
//! database. The set is only read.

mod database;
mod error;
mod instance;
mod manifest_check;
mod replay;
mod sequence;
mod set;

use std::path::{Path, PathBuf};

use ese_format::{LogGeneration, PageSize};
use ese_instance::{Environment, EventId, EventLog};
use ese_io::{IoErrorKind, OpenMode, OpenOptions, Storage, create_directories};
use ese_log::{BaseName, LogNames, LogSet};

pub use error::{ManifestDifference, RestoreError};
pub use instance::restore_instance;
pub use manifest_check::{ManifestFinding, verify_manifest};
use set::databases_by_header;
pub use set::{BackupSet, SetDatabase};

use crate::copy::copy_chunks;
use crate::manifest::Manifest;
use crate::progress::Progress;
use database::{CheckedDatabase, SetRange};
use sequence::{check_log_directory, check_set};

/// Ending of a database's name while it is being restored.
const UNFINISHED: &str = "restoring";

/// Where and how a set is restored.
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// Directory for the databases that the map does not place.
    pub destination: PathBuf,
    /// Places for single databases, by file name in the set (letter case ignored).
    pub map: Vec<RestoreMapEntry>,
    /// Directory of the logs: those that are there roll the databases forward, and the new current log is made there.
    /// `None`: the destination.
    pub log_directory: Option<PathBuf>,
    /// Directory of the checkpoint. `None`: the log directory.
    pub checkpoint_directory: Option<PathBuf>,
    /// First part of the log names. `None`: of the only stream in the set.
    pub base_name: Option<BaseName>,
    /// The page size that the databases must have. `None`: their own.
    pub page_size: Option<PageSize>,
    /// Make missing directories.
    #[doc(alias = "JET_paramCreatePathIfNotExist")]
    pub create_path: bool,
    /// Read every file of the set against its manifest first.
    pub verify: bool,
    /// Where the set has no patch files (a streaming client made it), take the files that are database copies out of a
    /// backup by their header. The engine's own restore refuses such a set, and its external restore is told the names.
    pub find_databases: bool,
}

/// A place for a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreMapEntry {
    /// File name in the set.
    pub name: String,
    /// Where it goes.
    pub path: PathBuf,
}

/// What a restore did.
#[derive(Clone, Debug, Default)]
pub struct RestoreSummary {
    /// The directory that held the set.
    pub set: PathBuf,
    /// The restored databases.
    pub databases: Vec<PathBuf>,
    /// First and last generation of the set.
    pub logs: (LogGeneration, LogGeneration),
    /// Last generation replayed, from the set or the log directory.
    pub last_replayed: LogGeneration,
    /// Bytes of databases copied.
    pub bytes: u64,
}

/// Restores a backup set.
///
/// # Errors
/// In this order: `SetNotFound`, `SeveralStreams`; a set that is not what its manifest says; the logs of the set; the
/// logs in the log directory; `PatchFileMissing`; `DatabaseMissing`; each database's header, trailer and range; then what
/// copying and replaying find.
#[doc(alias = "JetRestore2")]
#[doc(alias = "JetRestore")]
pub fn restore(
    environment: &Environment,
    path: &Path,
    options: &RestoreOptions,
    progress: &dyn Progress,
) -> Result<RestoreSummary, RestoreError> {
    let events = EventLog::new("restore", environment.events.clone());
    let storage = &*environment.storage;
    let mut set = BackupSet::find(storage, path, options.base_name.as_ref())?;
    if set.databases.is_empty() && options.find_databases {
        set.databases = databases_by_header(storage, &set.directory)?;
    }
    let result = Restore { environment, storage, options, events: &events, progress, set: &set }.run();
    if let Err(error) = &result {
        events.report(EventId::RESTORE_ERROR, [error.jet_error().0.to_string()]);
    }
    events.report(EventId::STOP_RESTORE, []);
    result
}

struct Restore<'a> {
    environment: &'a Environment,
    storage: &'a dyn Storage,
    options: &'a RestoreOptions,
    events: &'a EventLog,
    progress: &'a dyn Progress,
    set: &'a BackupSet,
}

/// A database on its way to its place.
struct Target {
    source: CheckedDatabase,
    unfinished: PathBuf,
    path: PathBuf,
}

impl Restore<'_> {
    fn run(&self) -> Result<RestoreSummary, RestoreError> {
        if let Some(manifest) = &self.set.manifest {
            self.check_manifest(manifest)?;
        }
        let (first, last) = check_set(self.storage, self.set, self.events)?;
        let log_directory = self.options.log_directory.as_ref().unwrap_or(&self.options.destination);
        let existing = self.existing_logs(log_directory)?;
        check_log_directory(self.storage, self.set, &first, &last, &existing, self.events)?;
        self.events.report(
            EventId::START_RESTORE,
            [self.set.directory.display().to_string(), log_directory.display().to_string()],
        );
        let range = SetRange { low: self.set.low, high: self.set.high, signature: first.signature() };
        let targets = self.targets(range)?;
        self.progress.begin(targets.iter().map(|t| t.source.len()).sum());
        self.make_directories(log_directory, &targets)?;
        let result = self.bring_up(log_directory, &targets);
        if result.is_err() {
            self.clean_up(log_directory, &existing, &targets);
        }
        let last_replayed = result?;
        self.progress.complete();
        Ok(RestoreSummary {
            set: self.set.directory.clone(),
            databases: targets.iter().map(|t| t.path.clone()).collect(),
            logs: (self.set.low, self.set.high),
            last_replayed,
            bytes: targets.iter().map(|t| t.source.len()).sum(),
        })
    }

    /// A set with a manifest is restored only as a whole.
    fn check_manifest(&self, manifest: &Manifest) -> Result<(), RestoreError> {
        let directory = &self.set.directory;
        let findings =
            verify_manifest(self.storage, directory, manifest, self.options.verify, self.progress)?;
        match findings.into_iter().next() {
            None => Ok(()),
            Some(finding) => Err(RestoreError::ManifestMismatch {
                path: directory.join(&finding.name),
                what: finding.what,
                expected: finding.expected,
                found: finding.found,
            }),
        }
    }

    fn existing_logs(&self, directory: &Path) -> Result<LogSet, RestoreError> {
        match LogSet::discover(self.storage, directory, &self.set.logs.names) {
            Ok(logs) => Ok(logs),
            Err(ese_log::LogError::Storage(e))
                if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) =>
            {
                // No directory, no logs.
                let mut none = self.set.logs.clone();
                none.directory = directory.to_path_buf();
                none.archived.clear();
                none.current = None;
                none.temporary = None;
                Ok(none)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The databases of the set and where they go.
    fn targets(&self, range: SetRange) -> Result<Vec<Target>, RestoreError> {
        if self.set.databases.is_empty() {
            return Err(RestoreError::PatchFileMissing { path: self.set.directory.clone() });
        }
        let mut targets: Vec<Target> = Vec::new();
        for database in &self.set.databases {
            let file = database.file.as_ref().ok_or_else(|| RestoreError::DatabaseMissing {
                path: self.set.directory.clone(),
                name: database.stem.clone(),
            })?;
            let source =
                CheckedDatabase::open(self.storage, file, range, self.options.page_size, self.events)?;
            let path = self.place_of(file)?;
            let mut unfinished = path.clone().into_os_string();
            unfinished.push(".");
            unfinished.push(UNFINISHED);
            targets.push(Target { source, unfinished: unfinished.into(), path });
        }
        Ok(targets)
    }

    fn place_of(&self, file: &Path) -> Result<PathBuf, RestoreError> {
        let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if let Some(entry) = self.options.map.iter().find(|e| e.name.eq_ignore_ascii_case(name)) {
            if entry.path.as_os_str().is_empty() {
                self.events.report(EventId::RESTORE_MAP_ERROR, [name.to_owned(), "-1204".to_owned()]);
                return Err(RestoreError::InvalidPath {
                    path: entry.path.clone(),
                    reason: format!("the map places {name} nowhere"),
                });
            }
            return Ok(entry.path.clone());
        }
        Ok(self.options.destination.join(name))
    }

    fn make_directories(&self, log_directory: &Path, targets: &[Target]) -> Result<(), RestoreError> {
        if !self.options.create_path {
            return Ok(());
        }
        create_directories(self.storage, log_directory)?;
        if let Some(directory) = &self.options.checkpoint_directory {
            create_directories(self.storage, directory)?;
        }
        for parent in targets.iter().filter_map(|t| t.path.parent()) {
            create_directories(self.storage, parent)?;
        }
        Ok(())
    }

    fn bring_up(&self, log_directory: &Path, targets: &[Target]) -> Result<LogGeneration, RestoreError> {
        for target in targets {
            let options = OpenOptions::new(OpenMode::CreateOrTruncate).direct(true);
            let file = self.storage.open(&target.unfinished, options)?;
            copy_chunks(&target.source.source(self.progress), &*file, self.progress)?;
            file.sync()?;
            if target.path.file_name() != target.source.path.file_name() || target.path != target.source.path
            {
                self.events.report(
                    EventId::DATABASE_LOCATION_CHANGE,
                    [target.source.path.display().to_string(), target.path.display().to_string()],
                );
            }
        }
        let last = self.recover(log_directory, targets)?;
        for target in targets {
            self.storage.rename(&target.unfinished, &target.path)?;
            if let Some(parent) = target.path.parent() {
                self.storage.sync_directory(parent)?;
            }
        }
        Ok(last)
    }

    /// Takes back what this restore made. Logs that recovery appended to stay: they hold nothing that harms.
    fn clean_up(&self, log_directory: &Path, existing: &LogSet, targets: &[Target]) {
        for target in targets {
            let _ = self.storage.remove(&target.unfinished);
        }
        if existing.is_empty()
            && let Ok(made) = LogSet::discover(self.storage, log_directory, &self.set.logs.names)
        {
            let files = made.current.iter().chain(&made.temporary).chain(made.archived.values());
            for file in files.chain(made.reserves.values()) {
                let _ = self.storage.remove(&file.path);
            }
            let _ = self.storage.remove(&self.checkpoint_path(log_directory));
        }
    }

    fn checkpoint_path(&self, log_directory: &Path) -> PathBuf {
        let directory = self.options.checkpoint_directory.as_deref().unwrap_or(log_directory);
        directory.join(self.names().checkpoint())
    }

    fn names(&self) -> &LogNames {
        &self.set.logs.names
    }
}
