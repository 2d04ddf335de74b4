//! Recovery at the start of an instance.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_log::LogNames;

use super::open::LogSetup;
use crate::error::InstanceError;
use crate::event::EventId;
use crate::instance::InitFlags;
use crate::parameter::ParameterId;
use crate::recovery::{
    DatabaseLocations, MappedDatabase, MissingCurrentLog, NoRecoveryProgress, RecoveryEnvironment,
    RecoveryRequest, RecoveryResult, plan, recover,
};
use crate::state::ApiGate;

impl LogSetup<'_> {
    /// Recovers the stream. Databases are looked for where the logs say, when a file is there, and beside the logs.
    ///
    /// # Errors
    /// `Recovery`; after redo without undo, the answer that the engine calls an error.
    pub(super) fn recover(&self, names: &LogNames) -> Result<(), InstanceError> {
        let storage = &*self.environment.storage;
        let mut request = RecoveryRequest::soft(self.log_path, names.clone());
        request.checkpoint = self.system_path.join(names.checkpoint());
        request.without_undo = self.flags.contains(InitFlags::RECOVERY_WITHOUT_UNDO);
        request.accept_lost_logs = self.flags.contains(InitFlags::IGNORE_LOST_LOGS);
        request.ignore_missing_databases = self.flags.contains(InitFlags::IGNORE_MISSING_DATABASES);
        request.accept_backup_copies = self.flags.contains(InitFlags::ALLOW_SOFT_RECOVERY_ON_BACKUP);
        if self.flags.contains(InitFlags::ALLOW_MISSING_CURRENT_LOG) {
            request.missing_current_log = MissingCurrentLog::Accept;
        }
        request.delete_out_of_range_logs = self.parameters.on(ParameterId::DELETE_OUT_OF_RANGE_LOGS);
        request.locations = self.locations();
        let planned = plan(&request, storage, &NoRecoveryProgress)?;
        request.locations.mapped.extend_from_slice(self.map);
        // A map is all that is replayed, unless the others are asked for, too.
        let others = self.map.is_empty() || self.flags.contains(InitFlags::REPLAY_MISSING_MAP_ENTRIES);
        request.locations.only_mapped = !others;
        for database in planned.databases.iter().filter(|_| others) {
            let path = PathBuf::from(&database.logged);
            if is_full_path(&path) && storage.exists(&path).unwrap_or(false) {
                request.locations.mapped.push(MappedDatabase {
                    logged: Some(database.logged.clone()),
                    signature: None,
                    path,
                });
            }
        }
        self.events.report(EventId::START_REDO, []);
        let _open = self.gate.map(OpenDuringRecovery::new);
        let environment = RecoveryEnvironment {
            storage: Arc::clone(&self.environment.storage),
            clock: Arc::clone(&self.environment.clock),
            randomness: Arc::clone(&self.environment.randomness),
        };
        let report = recover(&request, &environment, self.progress)?;
        match report.result {
            RecoveryResult::RedoneOnly | RecoveryResult::RedoneOnlyClean => {
                self.events.report(EventId::STOP_REDO_WITHOUT_UNDO, []);
                Err(InstanceError::RecoveredWithoutUndo {
                    clean: report.result == RecoveryResult::RedoneOnlyClean,
                })
            }
            _ => {
                self.events.report(EventId::STOP_REDO, []);
                Ok(())
            }
        }
    }

    /// Directories in which databases of the logs are looked for.
    fn locations(&self) -> DatabaseLocations {
        let alternate = self.parameters.path(ParameterId::ALTERNATE_DATABASE_RECOVERY_PATH);
        let mut locations = DatabaseLocations::default();
        if !alternate.as_os_str().is_empty() {
            locations.directories.push(alternate);
        }
        for directory in [self.log_path, self.system_path] {
            if !locations.directories.iter().any(|d| d == directory) {
                locations.directories.push(directory.to_path_buf());
            }
        }
        locations
    }
}

/// The door lets calls in until this is dropped.
struct OpenDuringRecovery<'a>(&'a ApiGate);

impl<'a> OpenDuringRecovery<'a> {
    fn new(gate: &'a ApiGate) -> Self {
        gate.update(|state| state.external_recovery = true);
        Self(gate)
    }
}

impl Drop for OpenDuringRecovery<'_> {
    fn drop(&mut self) {
        self.0.update(|state| state.external_recovery = false);
    }
}

/// Whether a logged path is a full one of this system, not of another.
fn is_full_path(path: &Path) -> bool {
    path.is_absolute() || path.has_root()
}
