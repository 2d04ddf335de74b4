//! Opening the log stream of an instance: going on in one that was closed in order, or beginning a new one.

use std::path::Path;
use std::sync::Arc;

use ese_format::{
    EngineFormatSetting, EngineFormatVersion, LogHeaderChecks, LogPosition, LogVersion, RawLogParameters,
};
use ese_io::{IoErrorKind, Lock, OpenMode, OpenOptions, Storage};
use ese_log::record::{Init, Record};
use ese_log::{
    BaseName, LogError, LogExtension, LogNames, LogSet, LogSettings, LogWriter, LogWriterParts, OpenLog,
    ReplayContext, ScanOptions, StreamEnd, choose_extension, read_checkpoint,
};
use parking_lot::Mutex;
use zerocopy::IntoBytes;

use super::stream_state::{StreamState, log_parameters};
use super::{InstanceLog, LockFile};
use crate::environment::Environment;
use crate::error::InstanceError;
use crate::event::EventLog;
use crate::instance::InitFlags;
use crate::parameter::{ParameterId, ParameterSet};
use crate::recovery::MappedDatabase;
use crate::recovery::RecoveryProgress;
use crate::state::ApiGate;

/// Bits of `LegacyFileNames`.
const LEGACY_EXTENSIONS: u64 = 1;
const SHORT_NAMES: u64 = 2;
/// Kilobytes of a segment.
const SEGMENT_KILOBYTES: u64 = 4;
/// Commits that come so close together do not rewrite the segment that the last one left incomplete.
const COMPLETE_WITHIN_MS: i64 = 100;
/// What locks the stream against a second process. Nothing is stored in it.
const LOCK_SUFFIX: &str = "lck";

/// What a log is opened with.
pub(crate) struct LogSetup<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) system_path: &'a Path,
    pub(crate) log_path: &'a Path,
    pub(crate) parameters: &'a ParameterSet,
    pub(crate) flags: InitFlags,
    pub(crate) refuse_recovery: bool,
    /// Where databases of the logs are.
    pub(crate) map: &'a [MappedDatabase],
    /// Who is told how a recovery goes on.
    pub(crate) progress: &'a dyn RecoveryProgress,
    /// The door, when it is open during a recovery.
    pub(crate) gate: Option<&'a ApiGate>,
    pub(crate) events: &'a EventLog,
}

/// What lies in the log directory.
enum Found {
    /// Nothing.
    Nothing,
    /// A stream that was closed in order, and a checkpoint that says so.
    Closed(Box<StreamEnd>),
}

impl InstanceLog {
    /// Opens the stream and starts a run in it.
    ///
    /// # Errors
    /// `ReplayNeeded` when recovery is refused, or did not help; `Recovery`; `MissingCurrentLog`, `LogStreamMissing`, a log that cannot be used, a storage error.
    pub(crate) fn open(setup: &LogSetup<'_>) -> Result<Self, InstanceError> {
        let storage = &*setup.environment.storage;
        let names = setup.names(storage)?;
        let lock = setup.lock(storage, &names)?;
        let set = LogSet::discover(
            storage,
            setup.log_path,
            &LogNames { short_generations: true, ..names.clone() },
        )?;
        let names = LogNames { short_generations: names.short_generations && !has_long_names(&set), ..names };
        let found = match setup.find(storage, &names, &set) {
            Err(InstanceError::ReplayNeeded { .. }) if !setup.refuse_recovery => {
                setup.recover(&names)?;
                let names = LogNames { short_generations: true, ..names.clone() };
                let set = LogSet::discover(storage, setup.log_path, &names)?;
                setup.find(storage, &names, &set)?
            }
            found => found?,
        };
        setup.begin(&names, found, lock)
    }
}

impl LogSetup<'_> {
    fn names(&self, storage: &dyn Storage) -> Result<LogNames, InstanceError> {
        let base = BaseName::new(&self.parameters.text(ParameterId::BASE_NAME))
            .map_err(|_| InstanceError::InvalidSettings { reason: "the base name is not one for files" })?;
        let bits = self.parameters.number(ParameterId::LEGACY_FILE_NAMES);
        let preferred =
            if bits & LEGACY_EXTENSIONS != 0 { LogExtension::Legacy } else { LogExtension::Current };
        let extension = choose_extension(storage, self.system_path, self.log_path, &base, preferred)?;
        Ok(LogNames { base, extension, short_generations: bits & SHORT_NAMES != 0 })
    }

    /// One process a stream.
    fn lock(&self, storage: &dyn Storage, names: &LogNames) -> Result<Arc<dyn ese_io::File>, InstanceError> {
        let path = self.log_path.join(format!("{}.{LOCK_SUFFIX}", names.base));
        let options = OpenOptions::new(OpenMode::CreateOrOpen).lock(Lock::Exclusive);
        Ok(storage.open(&path, options)?)
    }

    fn checkpoint_path(&self, names: &LogNames) -> std::path::PathBuf {
        self.system_path.join(names.checkpoint())
    }

    fn find(&self, storage: &dyn Storage, names: &LogNames, set: &LogSet) -> Result<Found, InstanceError> {
        let directory = || self.log_path.to_path_buf();
        let Some(current) = &set.current else {
            let Some(highest) = set.highest() else {
                if self.flags.contains(InitFlags::LOG_STREAM_MUST_EXIST) {
                    return Err(InstanceError::LogStreamMissing { directory: directory() });
                }
                remove_if_there(storage, &self.checkpoint_path(names))?;
                return Ok(Found::Nothing);
            };
            let allowed =
                set.temporary.is_some() || self.flags.contains(InitFlags::ALLOW_MISSING_CURRENT_LOG);
            return Err(if allowed {
                self.replay_needed("there are archived logs and no current one")
            } else {
                InstanceError::MissingCurrentLog { directory: directory(), highest: highest.0 }
            });
        };
        let checks = LogHeaderChecks {
            page_size: Some(self.parameters.page_size()),
            configured_size: self
                .parameters
                .is_set(ParameterId::LOG_FILE_SIZE)
                .then(|| self.parameters.number(ParameterId::LOG_FILE_SIZE) * 1024),
            ..LogHeaderChecks::default()
        };
        let log = OpenLog::open(storage, &current.path, &checks)?;
        let options = ScanOptions { is_current: true, accepts_repair: true, ..ScanOptions::default() };
        let end = log.scan(options)?;
        if let Some(defect) = end.defect {
            return Err(LogError::Damaged {
                file: current.path.clone(),
                position: end.end,
                defect,
                context: ReplayContext::Soft,
            }
            .into());
        }
        let Some(closed_at) = end.closed_at else {
            return Err(self.replay_needed("the current log does not end with a termination"));
        };
        let signature = log.header().signature();
        match read_checkpoint(storage, &self.checkpoint_path(names), Some(&signature)) {
            Ok(pair) if end.is_closed_at(pair.checkpoint.position()) => {}
            Ok(pair) => {
                let at = pair.checkpoint.position();
                return Err(self.replay_needed(&format!(
                    "the checkpoint is at {at}, the last termination at {closed_at}"
                )));
            }
            Err(error) => return Err(self.replay_needed(&error.to_string())),
        }
        let header = log.header().clone();
        Ok(Found::Closed(Box::new(StreamEnd { file: current.path.clone(), header, is_current: true, end })))
    }

    fn replay_needed(&self, reason: &str) -> InstanceError {
        InstanceError::ReplayNeeded { directory: self.log_path.to_path_buf(), reason: reason.to_owned() }
    }

    /// Starts a run: in the stream found, or in a new one.
    fn begin(
        &self,
        names: &LogNames,
        found: Found,
        lock: Arc<dyn ese_io::File>,
    ) -> Result<InstanceLog, InstanceError> {
        let known = match &found {
            Found::Closed(end) => Some(&end.header),
            Found::Nothing => None,
        };
        // An existing stream keeps its size and its version unless they were asked for.
        let segments = match known.filter(|_| !self.parameters.is_set(ParameterId::LOG_FILE_SIZE)) {
            Some(header) => u64::from(header.file_sectors()) * u64::from(header.sector_size()) / 4096,
            None => self.parameters.number(ParameterId::LOG_FILE_SIZE) / SEGMENT_KILOBYTES,
        };
        let file_segments = u16::try_from(segments)
            .map_err(|_| InstanceError::InvalidSettings { reason: "the log file size is too large" })?;
        let parameters =
            log_parameters(self.parameters, self.system_path, self.log_path, u32::from(file_segments));
        let (version, engine_format) = self.version(known.map(ese_format::LogHeader::version))?;
        let mut settings = LogSettings::new(self.parameters.page_size(), version, engine_format);
        settings.file_segments = file_segments;
        settings.parameters = parameters;
        settings.complete_within_ms = COMPLETE_WITHIN_MS;
        settings.write_behind = self.environment.threads;
        settings.circular = self.parameters.on(ParameterId::CIRCULAR_LOG);
        settings.reserve_logs = if self.parameters.on(ParameterId::AGGRESSIVE_LOG_ROLLOVER) { 10 } else { 2 };
        settings.checkpoint_too_deep =
            u32::try_from(self.parameters.number(ParameterId::CHECKPOINT_TOO_DEEP)).unwrap_or(u32::MAX);
        let state = Arc::new(StreamState::new(
            self.environment,
            self.checkpoint_path(names),
            parameters,
            self.events,
        ));
        let parts = LogWriterParts {
            storage: Arc::clone(&self.environment.storage),
            directory: self.log_path.to_path_buf(),
            names: names.clone(),
            clock: Arc::clone(&self.environment.clock),
            environment: Arc::clone(&state) as Arc<dyn ese_log::LogEnvironment>,
            settings,
        };
        let writer = match &found {
            Found::Nothing => LogWriter::create(parts, &*self.environment.randomness)?,
            Found::Closed(end) => LogWriter::resume(parts, end)?,
        };
        let signature = writer.header().signature();
        let mut log = InstanceLog {
            environment: self.environment.clone(),
            writer,
            state,
            names: names.clone(),
            signature,
            init_position: LogPosition::NONE,
            trees: std::sync::OnceLock::new(),
            holds: Mutex::default(),
            advancing: Mutex::new(()),
            write_behind: Mutex::new(None),
            lock: Mutex::new(Some(LockFile { storage: Arc::clone(&self.environment.storage), file: lock })),
        };
        log.init_position = log.append(&init_record(&parameters, self.environment))?;
        log.flush()?;
        log.state.write_if_new(signature, log.init_position)?;
        log.writer.prepare_reserves();
        Ok(log)
    }

    /// The version of new logs.
    fn version(&self, known: Option<LogVersion>) -> Result<(LogVersion, EngineFormatVersion), InstanceError> {
        let number = self.parameters.number(ParameterId::ENGINE_FORMAT_VERSION);
        let engine = match EngineFormatSetting::from_parameter(u32::try_from(number).unwrap_or(u32::MAX)) {
            EngineFormatSetting::EngineDefault | EngineFormatSetting::UsePersisted => {
                EngineFormatVersion::NEWEST
            }
            EngineFormatSetting::Exactly(version) | EngineFormatSetting::AtLeast(version) => version,
        };
        let versions = engine
            .versions()
            .map_err(|_| InstanceError::InvalidSettings { reason: "the engine format version is unknown" })?;
        let kept = known.filter(|_| !self.parameters.is_set(ParameterId::ENGINE_FORMAT_VERSION));
        Ok((kept.unwrap_or(versions.log), versions.engine))
    }
}

fn init_record<'a>(parameters: &'a RawLogParameters, environment: &Environment) -> Record<'a> {
    const NONE: &[u8; RawLogParameters::SIZE] = &[0; RawLogParameters::SIZE];
    let bytes = parameters.as_bytes().first_chunk().unwrap_or(NONE);
    Record::Init(Init { parameters: bytes, time: Some(environment.now()) })
}

/// Whether generations that would fit five digits are named with eight.
fn has_long_names(set: &LogSet) -> bool {
    let long = |path: &Path| {
        let stem = path.file_stem().map_or(0, |s| s.len());
        stem == set.names.base.as_str().len() + 8
    };
    set.archived.iter().any(|(g, file)| *g <= ese_format::LogGeneration::MAX_SHORT_NAME && long(&file.path))
}

fn remove_if_there(storage: &dyn Storage, path: &Path) -> Result<(), InstanceError> {
    match storage.remove(path) {
        Ok(()) => Ok(()),
        Err(e) if matches!(e.kind, IoErrorKind::NotFound | IoErrorKind::InvalidPath) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
