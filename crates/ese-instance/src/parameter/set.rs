//! The values of one instance or of the process, and the rules for changing them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ese_format::{EngineFormatSetting, JetError, PageSize, UnknownEngineFormat};

use super::descriptor::{
    DefaultValue, FixedAfter, ParameterDescriptor, ParameterId, ParameterKind, ParameterRemarks, Scope,
};

/// Value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterValue {
    /// Numbers, Booleans (0 or 1), flags, sizes.
    Number(u64),
    /// Texts and paths.
    Text(String),
}

impl From<u64> for ParameterValue {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for ParameterValue {
    fn from(number: u32) -> Self {
        Self::Number(u64::from(number))
    }
}

impl From<bool> for ParameterValue {
    fn from(on: bool) -> Self {
        Self::Number(u64::from(on))
    }
}

impl From<&str> for ParameterValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for ParameterValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// How far process and instance have come when a parameter is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParameterStage {
    /// The process has chosen between one and several instances.
    pub process_initialized: bool,
    /// The instance is initialised.
    pub instance_initialized: bool,
}

impl ParameterStage {
    /// Makes sure that a parameter can still be changed.
    pub(crate) fn check(self, descriptor: &ParameterDescriptor) -> Result<(), ParameterError> {
        let fixed = match descriptor.fixed_after {
            FixedAfter::ProcessInit => self.process_initialized,
            FixedAfter::InstanceInit => self.instance_initialized,
            FixedAfter::Never => false,
        };
        match fixed {
            true => Err(ParameterError::AlreadyInitialized {
                id: descriptor.id,
                fixed_after: descriptor.fixed_after,
            }),
            false => Ok(()),
        }
    }
}

/// A refused parameter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// The number is none of the engine's.
    #[error("there is no parameter {0}", id.0)]
    Unknown {
        /// The number.
        id: ParameterId,
    },
    /// A text was given for a number or the reverse.
    #[error("{id} is {}", if *expects_text { "a text, not a number" } else { "a number, not a text" })]
    WrongType {
        /// The parameter.
        id: ParameterId,
        /// Whether it is a text.
        expects_text: bool,
    },
    /// The value, or the number of characters, is out of range.
    #[error("{id} must be from {minimum} to {maximum}, found {found}")]
    OutOfRange {
        /// The parameter.
        id: ParameterId,
        /// Smallest number, or fewest characters.
        minimum: u64,
        /// Largest number, or most characters.
        maximum: u64,
        /// The number, or the number of characters.
        found: u64,
    },
    /// The value is no power of two.
    #[error("{id} must be a power of two, found {found}")]
    NotPowerOfTwo {
        /// The parameter.
        id: ParameterId,
        /// The value.
        found: u64,
    },
    /// Bits are set that mean nothing.
    #[error("{id} has no bits {unknown:#x}")]
    UnknownBits {
        /// The parameter.
        id: ParameterId,
        /// Those bits.
        unknown: u64,
    },
    /// Bits of giving space back that mean nothing, or details of it while it is off.
    #[error("space cannot be given back as {found:#x} says")]
    NoSuchShrinking {
        /// The value.
        found: u64,
    },
    /// No such engine format version.
    #[error(transparent)]
    UnknownFormat(#[from] UnknownEngineFormat),
    /// The parameter can only be read.
    #[error("{id} cannot be set")]
    ReadOnly {
        /// The parameter.
        id: ParameterId,
    },
    /// The value is computed by the engine and not known here.
    #[error("{id} has no value here")]
    NoValue {
        /// The parameter.
        id: ParameterId,
    },
    /// It is too late for a change.
    #[error("{id} cannot be changed any more: {}", match fixed_after {
        FixedAfter::ProcessInit => "an instance exists",
        _ => "the instance is initialised",
    })]
    AlreadyInitialized {
        /// The parameter.
        id: ParameterId,
        /// What has happened that fixed it.
        fixed_after: FixedAfter,
    },
}

impl ParameterError {
    /// The engine's number.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::AlreadyInitialized { .. } => JetError::ALREADY_INITIALIZED,
            Self::UnknownFormat(error) => error.jet_error(),
            Self::NoSuchShrinking { .. } => JetError::INVALID_GRBIT,
            Self::Unknown { .. }
            | Self::UnknownBits { .. }
            | Self::WrongType { .. }
            | Self::OutOfRange { .. }
            | Self::NotPowerOfTwo { .. }
            | Self::ReadOnly { .. }
            | Self::NoValue { .. } => JetError::INVALID_PARAMETER,
        }
    }
}

/// Values that differ from the defaults.
#[derive(Clone, Debug, Default)]
pub struct ParameterSet {
    values: BTreeMap<ParameterId, ParameterValue>,
}

impl ParameterSet {
    /// All defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value in force.
    ///
    /// # Errors
    /// `Unknown`, or `NoValue` for one that the engine computes.
    pub fn get(&self, id: ParameterId) -> Result<ParameterValue, ParameterError> {
        let descriptor = known(id)?;
        if let Some(value) = self.values.get(&id) {
            return Ok(value.clone());
        }
        match descriptor.default {
            DefaultValue::Number(number) => Ok(ParameterValue::Number(number)),
            DefaultValue::Text(text) => Ok(ParameterValue::Text(text.to_owned())),
            DefaultValue::Computed if descriptor.kind == ParameterKind::Pointer => {
                Ok(ParameterValue::Number(0))
            }
            DefaultValue::Computed => Err(ParameterError::NoValue { id }),
        }
    }

    /// Whether somebody set it, be it to the default.
    #[must_use]
    pub fn is_set(&self, id: ParameterId) -> bool {
        self.values.contains_key(&id)
    }

    /// Sets a value.
    ///
    /// Setting the value in force again is always allowed. While `EnableAdvanced` is 0 a change of an advanced
    /// parameter is ignored without an error.
    ///
    /// # Errors
    /// In this order: `Unknown`, `ReadOnly`, `WrongType`, `AlreadyInitialized`, `OutOfRange`, `NotPowerOfTwo`,
    /// `UnknownBits`, `UnknownFormat`.
    pub fn set(
        &mut self,
        id: ParameterId,
        value: impl Into<ParameterValue>,
        stage: ParameterStage,
    ) -> Result<(), ParameterError> {
        let value = value.into();
        let descriptor = known(id)?;
        if descriptor.remarks.contains(ParameterRemarks::READ_ONLY)
            || (descriptor.kind == ParameterKind::Computed)
        {
            return Err(ParameterError::ReadOnly { id });
        }
        let expects_text = descriptor.kind.is_text();
        if expects_text != matches!(value, ParameterValue::Text(_)) {
            return Err(ParameterError::WrongType { id, expects_text });
        }
        let value = normalized(descriptor, value);
        if self.get(id).is_ok_and(|current| current == value) {
            self.values.insert(id, value);
            return Ok(());
        }
        stage.check(descriptor)?;
        check_range(descriptor, &value)?;
        if descriptor.remarks.contains(ParameterRemarks::ADVANCED) && !self.on(ParameterId::ENABLE_ADVANCED) {
            return Ok(());
        }
        self.values.insert(id, value);
        Ok(())
    }

    /// Sets a value that was checked elsewhere.
    pub(crate) fn put(&mut self, id: ParameterId, value: ParameterValue) {
        self.values.insert(id, value);
    }

    /// Forgets the values of `scope` and, with `small`, sets what suits little memory and disk instead.
    pub(crate) fn reset(&mut self, scopes: &[Scope], small: bool) {
        let ours = |id: &ParameterId| id.descriptor().is_some_and(|known| scopes.contains(&known.scope));
        self.values.retain(|id, _| !ours(id));
        if small {
            for (id, number) in SMALL.iter().filter(|(id, _)| ours(id)) {
                self.values.insert(*id, ParameterValue::Number(*number));
            }
        }
    }

    /// Takes over every value that `defaults` has set and this set has not.
    pub fn inherit(&mut self, defaults: &Self) {
        for (id, value) in &defaults.values {
            self.values.entry(*id).or_insert_with(|| value.clone());
        }
    }

    /// A number's value; 0 for anything that is none.
    #[must_use]
    pub fn number(&self, id: ParameterId) -> u64 {
        match self.get(id) {
            Ok(ParameterValue::Number(number)) => number,
            _ => 0,
        }
    }

    /// Whether a number is not 0.
    #[must_use]
    pub fn on(&self, id: ParameterId) -> bool {
        self.number(id) != 0
    }

    /// A text's value; empty for anything that is none.
    #[must_use]
    pub fn text(&self, id: ParameterId) -> String {
        match self.get(id) {
            Ok(ParameterValue::Text(text)) => text,
            _ => String::new(),
        }
    }

    /// A text's value as a path.
    #[must_use]
    pub fn path(&self, id: ParameterId) -> PathBuf {
        PathBuf::from(self.text(id))
    }

    /// Whether the instance logs and recovers: `Recovery` is `on`, or `repair`, in any letter case.
    #[must_use]
    pub fn logs(&self) -> bool {
        let text = self.text(ParameterId::RECOVERY);
        text.eq_ignore_ascii_case("on") || text.eq_ignore_ascii_case("repair")
    }

    /// Whether backups find logging switched on: `Recovery` is exactly `on`.
    #[must_use]
    pub fn recovery_on(&self) -> bool {
        self.text(ParameterId::RECOVERY).eq_ignore_ascii_case("on")
    }

    /// The database page size.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        u32::try_from(self.number(ParameterId::DATABASE_PAGE_SIZE))
            .ok()
            .and_then(|bytes| PageSize::new(bytes).ok())
            .unwrap_or(PageSize::DEFAULT)
    }
}

/// Values of the small configuration, where they are not the defaults.
const SMALL: &[(ParameterId, u64)] = &[
    (ParameterId::MAX_SESSIONS, 30_000),
    (ParameterId::MAX_OPEN_TABLES, 2_147_483_647),
    (ParameterId::MAX_CURSORS, 2_147_483_647),
    (ParameterId::MAX_VER_PAGES, 2_147_483_647),
    (ParameterId::MAX_TEMPORARY_TABLES, 2_147_483_647),
    (ParameterId::LOG_FILE_SIZE, 64),
    (ParameterId::LOG_BUFFERS, 1),
    (ParameterId::DB_EXTENSION_SIZE, 16),
    (ParameterId::PAGE_TEMP_DB_MIN, 14),
    (ParameterId::CACHE_SIZE_MAX, 16),
    (ParameterId::CHECKPOINT_DEPTH_MAX, 65_536),
    (ParameterId::LRUK_HISTORY_MAX, 10),
    (ParameterId::OUTSTANDING_IO_MAX, 16),
    (ParameterId::START_FLUSH_THRESHOLD, 1),
    (ParameterId::STOP_FLUSH_THRESHOLD, 2),
    (ParameterId::NO_INFORMATION_EVENT, 1),
    (ParameterId::CACHE_SIZE_MIN, 16),
    (ParameterId::PREFERRED_VER_PAGES, 2_147_483_647),
    (ParameterId::GLOBAL_MIN_VER_PAGES, 1),
    (ParameterId::PAGE_HINT_CACHE_SIZE, 32),
    (ParameterId::ENABLE_FILE_CACHE, 1),
    (ParameterId::ENABLE_VIEW_CACHE, 1),
    (ParameterId::VER_PAGE_SIZE, 8192),
];

/// Bits of giving space back: on, at once, from time to time.
const SHRINK_BITS: u32 = 0x8003;

/// Bits of a commit: lazy, wait for the last or for all, a new log, a record for a callback.
const COMMIT_BITS: u32 = 0x3B;

fn known(id: ParameterId) -> Result<&'static ParameterDescriptor, ParameterError> {
    id.descriptor().ok_or(ParameterError::Unknown { id })
}

pub(crate) fn normalized(descriptor: &ParameterDescriptor, value: ParameterValue) -> ParameterValue {
    match value {
        ParameterValue::Number(number) if descriptor.kind == ParameterKind::Boolean => {
            ParameterValue::Number(u64::from(number != 0))
        }
        other => other,
    }
}

pub(crate) fn check_range(
    descriptor: &ParameterDescriptor,
    value: &ParameterValue,
) -> Result<(), ParameterError> {
    let id = descriptor.id;
    let found = match value {
        ParameterValue::Number(number) => *number,
        ParameterValue::Text(text) => text.chars().count() as u64,
    };
    if found < descriptor.minimum || found > descriptor.maximum {
        let (minimum, maximum) = (descriptor.minimum, descriptor.maximum);
        return Err(ParameterError::OutOfRange { id, minimum, maximum, found });
    }
    if descriptor.kind == ParameterKind::BlockSize && !found.is_power_of_two() {
        return Err(ParameterError::NotPowerOfTwo { id, found });
    }
    let low = found as u32;
    match id {
        ParameterId::COMMIT_DEFAULT if low & !COMMIT_BITS != 0 => {
            Err(ParameterError::UnknownBits { id, unknown: u64::from(low & !COMMIT_BITS) })
        }
        ParameterId::ENABLE_SHRINK_DATABASE if low & !SHRINK_BITS != 0 || (low != 0 && low & 1 == 0) => {
            Err(ParameterError::NoSuchShrinking { found })
        }
        ParameterId::ENGINE_FORMAT_VERSION => match EngineFormatSetting::from_parameter(low) {
            EngineFormatSetting::Exactly(version) | EngineFormatSetting::AtLeast(version) => {
                version.versions()?;
                Ok(())
            }
            EngineFormatSetting::EngineDefault | EngineFormatSetting::UsePersisted => Ok(()),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::PARAMETERS;
    use super::*;

    const EARLY: ParameterStage = ParameterStage { process_initialized: false, instance_initialized: false };
    const RUNNING: ParameterStage = ParameterStage { process_initialized: true, instance_initialized: true };

    #[test]
    fn the_table_is_sorted_and_every_default_is_legal() {
        assert!(PARAMETERS.windows(2).all(|w| w[0].id < w[1].id));
        for d in PARAMETERS {
            match d.default {
                DefaultValue::Number(n) => {
                    assert!(!d.kind.is_text(), "{}", d.id);
                    assert!(check_range(d, &ParameterValue::Number(n)).is_ok(), "{}", d.id);
                }
                DefaultValue::Text(t) => {
                    assert!(d.kind.is_text(), "{}", d.id);
                    // A computed text default (the configuration store) is written as an empty text.
                    assert!(t.is_empty() || check_range(d, &t.into()).is_ok(), "{}", d.id);
                }
                DefaultValue::Computed => {}
            }
        }
    }

    #[test]
    fn numbers_defaults_and_ranges_of_the_documented_rows() {
        // number, name, default, minimum, maximum, process-wide
        let rows = [
            (5, "MaxSessions", 16, 0, 30_000, false),
            (11, "LogFileSize", 5120, 64, 32_768, false),
            (12, "LogBuffers", 126, 1, 2_147_483_647, false),
            (24, "CheckpointDepthMax", 20_971_520, 0, u64::MAX, false),
            (53, "AccessDeniedRetryPeriod", 10_000, 0, u64::MAX, true),
            (64, "DatabasePageSize", 4096, 4096, 32_768, true),
            (66, "BackupChunkSize", 16, 1, 2_147_483_647, false),
            (67, "BackupOutstandingReads", 8, 1, 2_147_483_647, false),
            (82, "OSSnapshotTimeout", 70_000, 0, 2_147_483_647, true),
            (104, "MaxInstances", 16, 1, 10_240, true),
            (136, "LegacyFileNames", 3, 0, 255, false),
            (153, "WaypointLatency", 0, 0, 1023, false),
            (154, "CheckpointTooDeep", 65_536, 32, 65_536, false),
            (158, "PeriodicLogRolloverLLR", 0, 0, 604_800, false),
            (164, "MaxCoalesceReadSize", 524_288, 0, 10_485_760, true),
            (193, "PersistedLostFlushDetection", 5, 0, 7, false),
        ];
        for (number, name, default, minimum, maximum, process) in rows {
            let d = ParameterId(number).descriptor().unwrap();
            assert_eq!(d.name.strip_prefix("JET_param"), Some(name));
            assert_eq!(d.default, DefaultValue::Number(default), "{name}");
            assert_eq!((d.minimum, d.maximum), (minimum, maximum), "{name}");
            assert_eq!(d.scope == Scope::Process, process, "{name}");
        }
    }

    #[test]
    fn refusals_in_order() {
        let mut set = ParameterSet::new();
        let jet = |r: Result<(), ParameterError>| r.unwrap_err().jet_error();
        // Unknown, retired and far numbers.
        for number in [185, 221, 9999] {
            assert_eq!(jet(set.set(ParameterId(number), 1_u32, EARLY)), JetError::INVALID_PARAMETER);
        }
        let size = ParameterId::LOG_FILE_SIZE;
        assert_eq!(jet(set.set(size, 63_u32, EARLY)), JetError::INVALID_PARAMETER);
        assert_eq!(jet(set.set(size, "128", EARLY)), JetError::INVALID_PARAMETER);
        set.set(size, 128_u32, EARLY).unwrap();
        // Fixed after init: another value, legal or not, is "already initialised"; the same value is welcome.
        assert_eq!(jet(set.set(size, 256_u32, RUNNING)), JetError::ALREADY_INITIALIZED);
        assert_eq!(jet(set.set(size, 1_u32, RUNNING)), JetError::ALREADY_INITIALIZED);
        set.set(size, 128_u32, RUNNING).unwrap();
        // Any time.
        set.set(ParameterId::CREATE_PATH_IF_NOT_EXIST, true, RUNNING).unwrap();
        // Base name: three characters exactly.
        for name in ["ed", "edbx", ""] {
            assert_eq!(jet(set.set(ParameterId::BASE_NAME, name, EARLY)), JetError::INVALID_PARAMETER);
        }
        // Page size: power of two in range, and of the process.
        let page = ParameterId::DATABASE_PAGE_SIZE;
        for bytes in [2048_u32, 5000, 65_536] {
            assert_eq!(jet(set.set(page, bytes, EARLY)), JetError::INVALID_PARAMETER);
        }
        set.set(page, 8192_u32, EARLY).unwrap();
        assert_eq!(jet(set.set(page, 4096_u32, RUNNING)), JetError::ALREADY_INITIALIZED);
        assert_eq!(jet(set.set(ParameterId::CACHE_HITS, 1_u32, EARLY)), JetError::INVALID_PARAMETER);
    }

    #[test]
    fn advanced_parameters_can_be_switched_off() {
        let mut set = ParameterSet::new();
        set.set(ParameterId::ENABLE_ADVANCED, false, EARLY).unwrap();
        set.set(ParameterId::LOG_BUFFERS, 500_u32, EARLY).unwrap();
        assert_eq!(set.number(ParameterId::LOG_BUFFERS), 126);
        set.set(ParameterId::CIRCULAR_LOG, true, EARLY).unwrap();
        assert!(set.on(ParameterId::CIRCULAR_LOG));
    }

    #[test]
    fn only_on_switches_recovery_on() {
        let mut set = ParameterSet::new();
        for (text, logs, on) in
            [("ON", true, true), ("off", false, false), ("repair", true, false), ("x", false, false)]
        {
            set.set(ParameterId::RECOVERY, text, EARLY).unwrap();
            assert_eq!((set.logs(), set.recovery_on()), (logs, on), "{text}");
        }
    }
}
