//! What a log is read for: it decides which number a damage gets and whether the file may be set right.

use ese_format::JetError;

/// What a log is read for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReplayContext {
    /// Recovery after a crash, or a dump.
    #[default]
    Soft,
    /// Restore from a backup, a generation that the backup set holds.
    #[doc(alias = "fHardRestore")]
    HardRestore,
    /// Restore from a backup, a generation above the set.
    HardRecovery,
}

impl ReplayContext {
    /// The context of `generation` in a restore of a set whose highest generation is `highest_restored`.
    #[must_use]
    pub fn of_restore(generation: u32, highest_restored: u32) -> Self {
        if generation <= highest_restored { Self::HardRestore } else { Self::HardRecovery }
    }

    /// Damage that cannot be set right.
    #[must_use]
    pub const fn corrupt_error(self) -> JetError {
        match self {
            Self::Soft => JetError::LOG_FILE_CORRUPT,
            Self::HardRestore => JetError::LOG_CORRUPT_DURING_HARD_RESTORE,
            Self::HardRecovery => JetError::LOG_CORRUPT_DURING_HARD_RECOVERY,
        }
    }

    /// A torn write that must not be set right.
    #[must_use]
    pub const fn torn_error(self) -> JetError {
        match self {
            Self::Soft => JetError::LOG_FILE_CORRUPT,
            Self::HardRestore => JetError::LOG_TORN_WRITE_DURING_HARD_RESTORE,
            Self::HardRecovery => JetError::LOG_TORN_WRITE_DURING_HARD_RECOVERY,
        }
    }
}
