//! Bringing the copied databases up with the logs.

use std::path::Path;
use std::sync::Arc;

use ese_format::LogGeneration;
use ese_instance::recovery::{
    DatabaseLocations, MappedDatabase, MissingCurrentLog, RecoveryEnvironment, RecoveryMode,
    RecoveryProgress, RecoveryRequest, recover,
};

use super::error::RestoreError;
use super::{Restore, Target};
use crate::progress::Progress;

impl Restore<'_> {
    /// Replays the set's logs and those that follow in the log directory, takes back what did not commit, and closes the
    /// databases. Returns the last generation replayed.
    pub(super) fn recover(
        &self,
        log_directory: &Path,
        targets: &[Target],
    ) -> Result<LogGeneration, RestoreError> {
        let mut request = RecoveryRequest::soft(log_directory, self.names().clone());
        request.mode = RecoveryMode::Hard { low: self.set.low, high: self.set.high };
        request.set_directory = Some(self.set.directory.clone());
        request.checkpoint = self.checkpoint_path(log_directory);
        request.missing_current_log = MissingCurrentLog::Accept;
        request.locations = DatabaseLocations {
            mapped: targets
                .iter()
                .map(|target| MappedDatabase {
                    logged: None,
                    signature: Some(target.source.header.signature()),
                    path: target.unfinished.clone(),
                })
                .collect(),
            only_mapped: true,
            ..DatabaseLocations::default()
        };
        let environment = RecoveryEnvironment {
            storage: Arc::clone(&self.environment.storage),
            clock: Arc::clone(&self.environment.clock),
            randomness: Arc::clone(&self.environment.randomness),
        };
        let report = recover(&request, &environment, &ReplayProgress(self.progress))?;
        Ok(LogGeneration(report.end.generation))
    }
}

/// Hands the wish to stop on.
struct ReplayProgress<'a>(&'a dyn Progress);

impl RecoveryProgress for ReplayProgress<'_> {
    fn stop_requested(&self) -> bool {
        self.0.stop_requested()
    }
}
