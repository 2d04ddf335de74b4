//! How an instance starts and ends.

use bitflags::bitflags;

bitflags! {
    /// Options of an initialisation. Unknown bits are kept and ignored, as the engine does.
    #[doc(alias = "JET_bitInit")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct InitFlags: u32 {
        /// Ignore databases of the logs that are missing.
        #[doc(alias = "JET_bitReplayIgnoreMissingDB")]
        const IGNORE_MISSING_DATABASES = 0x4;
        /// Stop before undo.
        #[doc(alias = "JET_bitRecoveryWithoutUndo")]
        const RECOVERY_WITHOUT_UNDO = 0x8;
        /// Delete logs after recovery.
        #[doc(alias = "JET_bitTruncateLogsAfterRecovery")]
        const TRUNCATE_AFTER_RECOVERY = 0x10;
        /// Replay databases that have no entry in the map at their logged place.
        #[doc(alias = "JET_bitReplayMissingMapEntryDB")]
        const REPLAY_MISSING_MAP_ENTRIES = 0x20;
        /// Do not make a new log stream.
        #[doc(alias = "JET_bitLogStreamMustExist")]
        const LOG_STREAM_MUST_EXIST = 0x40;
        /// Tolerate lost committed logs.
        #[doc(alias = "JET_bitReplayIgnoreLostLogs")]
        const IGNORE_LOST_LOGS = 0x80;
        /// Go on when archived logs are there and the current one is not.
        #[doc(alias = "JET_bitAllowMissingCurrentLog")]
        const ALLOW_MISSING_CURRENT_LOG = 0x100;
        /// Recover an unrestored backup copy.
        #[doc(alias = "JET_bitAllowSoftRecoveryOnBackup")]
        const ALLOW_SOFT_RECOVERY_ON_BACKUP = 0x200;
        /// While logs are replayed calls get in: the one who controls the recovery may ask and set parameters.
        #[doc(alias = "JET_bitExternalRecoveryControl")]
        const EXTERNAL_RECOVERY_CONTROL = 0x800;
        const _ = !0;
    }
}

/// Options of an initialisation.
#[derive(Clone, Copy, Debug, Default)]
pub struct InitOptions {
    /// Bits.
    pub flags: InitFlags,
    /// Refuse, instead of recovering, when logs must be replayed.
    pub refuse_recovery: bool,
}

/// How an instance is terminated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TermMode {
    /// Everything is cleaned up first; refused while a streaming backup is on, waits for a directory backup.
    #[doc(alias = "JET_bitTermComplete")]
    Complete,
    /// Without cleanup; a backup that is on is ended. Databases are closed cleanly all the same.
    #[default]
    #[doc(alias = "JET_bitTermAbrupt")]
    Abrupt,
    /// As abrupt, for the sake of the backup.
    #[doc(alias = "JET_bitTermStopBackup")]
    StopBackup,
    /// Databases are left dirty: recovery is needed.
    #[doc(alias = "JET_bitTermDirty")]
    Dirty,
}

impl TermMode {
    /// From the engine's bits: complete 1, abrupt 2, stop backup 4, dirty 8; 0 is complete. Others are ignored.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        match bits {
            _ if bits & 8 != 0 => Self::Dirty,
            _ if bits & 4 != 0 => Self::StopBackup,
            _ if bits & 2 != 0 => Self::Abrupt,
            _ => Self::Complete,
        }
    }

    /// Whether a backup that is on is ended rather than respected.
    #[must_use]
    pub const fn ends_backup(self) -> bool {
        !matches!(self, Self::Complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_from_bits() {
        assert_eq!(TermMode::from_bits(0), TermMode::Complete);
        assert_eq!(TermMode::from_bits(1), TermMode::Complete);
        assert_eq!(TermMode::from_bits(2), TermMode::Abrupt);
        assert_eq!(TermMode::from_bits(3), TermMode::Abrupt);
        assert_eq!(TermMode::from_bits(6), TermMode::StopBackup);
        assert_eq!(TermMode::from_bits(9), TermMode::Dirty);
        assert_eq!(TermMode::from_bits(16), TermMode::Complete);
    }
}
