//! Initialisation.

use std::sync::Arc;

use ese_btree::live::{ChangeLog, LiveSettings, LiveTrees};

use super::paths::InstancePaths;
use super::{InitFlags, InitOptions, Instance, Running};
use crate::error::InstanceError;
use crate::event::EventId;
use crate::log::{InstanceLog, LogSetup};
use crate::parameter::{ParameterId, ParameterSet};
use crate::recovery::{MappedDatabase, NoRecoveryProgress, RecoveryProgress};
use crate::session::SessionTable;
use crate::state::{ApiLock, InstanceState};

/// A cache smaller than that could not hold what one operation looks at.
const LEAST_CACHE: usize = 1 << 20;
/// Bytes of a page of the version store.
const VERSION_PAGE: usize = 64 << 10;

impl Instance {
    /// Initialises the instance: opens its log stream, or makes a new one where there is none, and starts a run in it.
    /// A stream that was not closed in order, or has lost its checkpoint, is recovered first.
    ///
    /// After a failure the instance is gone, as in the engine; only "initialised already" leaves it alone.
    ///
    /// # Errors
    /// Refused at the door; `InvalidPath`, `PathInUse`, `InvalidSettings`; `ReplayNeeded`, `Recovery`, `MissingCurrentLog`,
    /// `LogStreamMissing`; a storage error or a damaged log.
    #[doc(alias = "JetInit3")]
    #[doc(alias = "JetInit2")]
    pub fn initialize(&self, options: InitOptions) -> Result<(), InstanceError> {
        self.initialize_with(options, &NoRecoveryProgress)
    }

    /// As [`initialize_with`](Self::initialize_with), with databases that are not where the logs say. A recovery replays
    /// those of `map` only, unless `REPLAY_MISSING_MAP_ENTRIES` asks for all.
    ///
    /// # Errors
    /// As [`initialize`](Self::initialize).
    #[doc(alias = "JetInit3")]
    #[doc(alias = "JET_RSTINFO")]
    #[doc(alias = "JET_RSTMAP")]
    pub fn initialize_mapped(
        &self,
        options: InitOptions,
        map: &[MappedDatabase],
        progress: &dyn RecoveryProgress,
    ) -> Result<(), InstanceError> {
        self.initialize_at(options, map, progress)
    }

    /// As [`initialize`](Self::initialize), with somebody who is told how a recovery goes on and may stop it.
    ///
    /// # Errors
    /// As [`initialize`](Self::initialize).
    #[doc(alias = "JetInit4")]
    pub fn initialize_with(
        &self,
        options: InitOptions,
        progress: &dyn RecoveryProgress,
    ) -> Result<(), InstanceError> {
        self.initialize_at(options, &[], progress)
    }

    fn initialize_at(
        &self,
        options: InitOptions,
        map: &[MappedDatabase],
        progress: &dyn RecoveryProgress,
    ) -> Result<(), InstanceError> {
        self.shared.gate.lock(ApiLock::Initializing, false, InstanceState::check_init)?;
        match self.start(options, map, progress) {
            Ok(running) => {
                let events = running.events.clone();
                *self.shared.running.write() = Some(running);
                self.shared.gate.update(|s| {
                    s.initialized = true;
                    s.backup_allowed = true;
                    s.lock = None;
                });
                events.report(EventId::START_INSTANCE_DONE, [self.name().to_owned()]);
                Ok(())
            }
            Err(error) => {
                self.free();
                Err(error)
            }
        }
    }

    fn start(
        &self,
        options: InitOptions,
        map: &[MappedDatabase],
        progress: &dyn RecoveryProgress,
    ) -> Result<Running, InstanceError> {
        let parameters = self.parameters();
        let paths = InstancePaths::complete(&parameters)?;
        self.check_collisions(&paths, &parameters)?;
        let storage = &self.environment().storage;
        if parameters.on(ParameterId::CREATE_PATH_IF_NOT_EXIST) {
            paths.create(&**storage)?;
        }
        check_settings(&parameters)?;
        let events = self.new_event_log();
        events.report(EventId::START_INSTANCE, [self.name().to_owned()]);
        let log = if parameters.logs() {
            let setup = LogSetup {
                environment: self.environment(),
                system_path: &paths.system,
                log_path: &paths.log,
                parameters: &parameters,
                flags: options.flags,
                refuse_recovery: options.refuse_recovery,
                map,
                progress,
                gate: options
                    .flags
                    .contains(InitFlags::EXTERNAL_RECOVERY_CONTROL)
                    .then_some(&*self.shared.gate),
                events: &events,
            };
            let log = Arc::new(InstanceLog::open(&setup)?);
            log.start_writing_behind();
            Some(log)
        } else {
            None
        };
        let page_size = parameters.page_size();
        let mut settings = LiveSettings::new(page_size);
        if parameters.is_set(ParameterId::CACHE_SIZE_MAX) {
            let pages = usize::try_from(parameters.number(ParameterId::CACHE_SIZE_MAX)).unwrap_or(usize::MAX);
            settings.cache_bytes =
                pages.saturating_mul(page_size.len()).clamp(LEAST_CACHE, isize::MAX as usize);
        }
        let version_pages =
            usize::try_from(parameters.number(ParameterId::MAX_VER_PAGES)).unwrap_or(usize::MAX);
        settings.version_store_bytes = version_pages.saturating_mul(VERSION_PAGE);
        if let Some(log) = &log {
            settings.log_version = log.version();
        }
        let changes = log.as_ref().map(|log| Arc::clone(log) as Arc<dyn ChangeLog>);
        let trees = Arc::new(LiveTrees::new(settings, changes));
        if self.environment().threads {
            trees.read_ahead_on_threads();
        }
        if let Some(log) = &log {
            log.set_trees(&trees);
        }
        let sessions = Arc::new(SessionTable::new(parameters.number(ParameterId::MAX_SESSIONS)));
        let checkpoint_depth = parameters.number(ParameterId::CHECKPOINT_DEPTH_MAX);
        let databases = Vec::new();
        let (temporary, maintenance) = (false, self.start_maintenance());
        Ok(Running {
            paths,
            events,
            log,
            databases,
            trees,
            sessions,
            temporary,
            checkpoint_depth,
            maintenance,
        })
    }

    pub(super) fn check_collisions(
        &self,
        paths: &InstancePaths,
        parameters: &ParameterSet,
    ) -> Result<(), InstanceError> {
        let Some(engine) = self.shared.engine.upgrade() else { return Ok(()) };
        for other in engine.others(self) {
            let theirs = other.parameters();
            let running = other.shared.running.read();
            let Some(running) = running.as_ref() else { continue };
            let temporary = |p: &ParameterSet| p.on(ParameterId::MAX_TEMPORARY_TABLES);
            let collision = paths.collision(
                &running.paths,
                temporary(parameters) && temporary(&theirs),
                parameters.logs() && theirs.logs(),
            );
            if let Some((kind, path)) = collision {
                let other = other.name().to_owned();
                return Err(InstanceError::PathInUse { kind, path: path.to_path_buf(), other });
            }
        }
        Ok(())
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

fn check_settings(parameters: &ParameterSet) -> Result<(), InstanceError> {
    let invalid = |reason| Err(InstanceError::InvalidSettings { reason });
    if parameters.on(ParameterId::CLEANUP_MISMATCHED_LOG_FILES) && !parameters.on(ParameterId::CIRCULAR_LOG) {
        return invalid("cleaning up logs of another size needs circular logging");
    }
    // A log has whole segments of 4 KiB: header, data, and room for a shadow.
    if !parameters.number(ParameterId::LOG_FILE_SIZE).is_multiple_of(4) {
        return invalid("the log file size is not a multiple of the segment size");
    }
    Ok(())
}
