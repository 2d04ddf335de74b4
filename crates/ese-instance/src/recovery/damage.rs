//! Logs that cannot be used, and what databases need of them.

use ese_format::{LogGeneration, LogPosition};
use ese_log::LogError;

use super::error::RecoveryError;
use super::replay::Replay;
use super::source::LogSource;

/// What the attached databases have in a generation and behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// Nothing.
    Nothing,
    /// Changes that were committed and are in no database file.
    Committed,
    /// Changes that may be in a database file already.
    Required,
}

impl Replay<'_> {
    /// Whether logs that no database requires may be deleted when they are damaged.
    pub(super) fn may_delete_logs(&self) -> bool {
        self.request.accept_lost_logs && self.request.delete_out_of_range_logs
    }

    fn need_from(&self, generation: LogGeneration) -> (Need, Option<std::path::PathBuf>) {
        let mut most = (Need::Nothing, None);
        for (_, header) in self.attached() {
            let state = header.state.lock();
            let need = if state.initial_required >= generation {
                Need::Required
            } else if state.initial_committed >= generation {
                Need::Committed
            } else {
                Need::Nothing
            };
            if most.1.is_none() || need > most.0 {
                most = (need, Some(header.path.clone()));
            }
        }
        most
    }

    /// The error for a generation that cannot be used: its own, or that committed changes are in it.
    pub(super) fn refine_damage(&self, generation: LogGeneration, error: RecoveryError) -> RecoveryError {
        let (Need::Committed, Some(database)) = self.need_from(generation) else { return error };
        match error {
            RecoveryError::Log(log @ (LogError::Sequence { .. } | LogError::Missing { .. })) => {
                tracing::warn!(error = %log, "a log does not fit; no database requires it");
                let last = LogGeneration(generation.0.saturating_sub(1));
                let committed = self
                    .attached()
                    .map(|(_, header)| header.state.lock().initial_committed)
                    .max()
                    .unwrap_or(generation);
                RecoveryError::CommittedLogsMissing { database, committed, last }
            }
            RecoveryError::Log(
                log @ (LogError::Damaged { .. }
                | LogError::Records { .. }
                | LogError::Header { .. }
                | LogError::SequenceChecksum { .. }),
            ) => RecoveryError::CommittedLogCorrupt { database, generation, error: Box::new(log) },
            other => other,
        }
    }

    /// A generation cannot be used. Where the caller allows it, and nothing requires it, it is deleted with everything
    /// behind it, the last first, and the log ends in front of it.
    pub(super) fn give_up_logs(
        &mut self,
        source: &LogSource,
        generation: LogGeneration,
        start: LogPosition,
        error: RecoveryError,
    ) -> Result<(), RecoveryError> {
        let is_log = matches!(
            error,
            RecoveryError::Log(
                LogError::Sequence { .. }
                    | LogError::Damaged { .. }
                    | LogError::Records { .. }
                    | LogError::Header { .. }
                    | LogError::SequenceChecksum { .. }
            )
        );
        let (need, _) = self.need_from(generation);
        let is_first = source.lowest().is_none_or(|lowest| generation <= lowest)
            || generation.0 <= start.generation
            || self.last_log.is_none();
        if !self.may_delete_logs() || !is_log || need == Need::Required || is_first {
            return Err(self.refine_damage(generation, error));
        }
        tracing::warn!(%error, %generation, "deleting the damaged log and everything behind it");
        let storage = &*self.environment.storage;
        if let Some(current) = &source.directory.current {
            storage.remove(&current.path)?;
        }
        for (_, file) in source.directory.archived.range(generation..).rev() {
            storage.remove(&file.path)?;
        }
        storage.sync_directory(&source.directory.directory)?;
        self.removed_logs = true;
        Ok(())
    }
}
