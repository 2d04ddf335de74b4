//! States of a database file.

use std::fmt;

use zerocopy::little_endian::U32;

use crate::JetError;
use crate::field::FieldValue;
use crate::stored::Stored;

/// State of a database file, 4 bytes at offset 52 of its header. Unknown numbers are kept.
///
/// Legal transitions: 0→1→2; 2→3, 6, 8; 3→2, 8; 4→3; 6→7 (or 2 under repair); 7→2, 6, 8; 8→7, 3, 2, 1.
#[doc(alias = "dbstate")]
#[doc(alias = "JET_dbstate")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DatabaseState(pub u32);

impl DatabaseState {
    /// The header was written, creation is not complete; not attachable.
    #[doc(alias = "JET_dbstateJustCreated")]
    pub const JUST_CREATED: Self = Self(1);
    /// Attached, or left behind by a crash: its logs must be replayed.
    #[doc(alias = "JET_dbstateDirtyShutdown")]
    pub const DIRTY_SHUTDOWN: Self = Self(2);
    /// Complete by itself; attachable.
    #[doc(alias = "JET_dbstateCleanShutdown")]
    pub const CLEAN_SHUTDOWN: Self = Self(3);
    /// An upgrade from an old format was not finished.
    #[doc(alias = "JET_dbstateBeingConverted")]
    pub const BEING_CONVERTED: Self = Self(4);
    /// Was detached by force; legacy.
    #[doc(alias = "JET_dbstateForceDetach")]
    pub const FORCE_DETACH: Self = Self(5);
    /// An incremental reseed was not finished.
    #[doc(alias = "JET_dbstateIncrementalReseedInProgress")]
    pub const INCREMENTAL_RESEED_IN_PROGRESS: Self = Self(6);
    /// Dirty with patched pages: replay needs several logs.
    #[doc(alias = "JET_dbstateDirtyAndPatchedShutdown")]
    pub const DIRTY_AND_PATCHED_SHUTDOWN: Self = Self(7);
    /// A revert to an earlier time was not finished.
    #[doc(alias = "JET_dbstateRevertInProgress")]
    pub const REVERT_IN_PROGRESS: Self = Self(8);

    /// The name in lower case with underscores, or `None` for an unknown number.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::JUST_CREATED => "just_created",
            Self::DIRTY_SHUTDOWN => "dirty_shutdown",
            Self::CLEAN_SHUTDOWN => "clean_shutdown",
            Self::BEING_CONVERTED => "being_converted",
            Self::FORCE_DETACH => "force_detach",
            Self::INCREMENTAL_RESEED_IN_PROGRESS => "incremental_reseed_in_progress",
            Self::DIRTY_AND_PATCHED_SHUTDOWN => "dirty_and_patched_shutdown",
            Self::REVERT_IN_PROGRESS => "revert_in_progress",
            _ => return None,
        })
    }

    /// Why a database in this state cannot be attached; `None` for a clean one. `part_of_backup`: the header's
    /// current full backup names a first generation.
    #[must_use]
    pub const fn attach_error(self, part_of_backup: bool) -> Option<JetError> {
        Some(match self {
            Self::CLEAN_SHUTDOWN => return None,
            Self::BEING_CONVERTED => JetError::DATABASE_INCOMPLETE_UPGRADE,
            Self::INCREMENTAL_RESEED_IN_PROGRESS => JetError::DATABASE_INCOMPLETE_INCREMENTAL_RESEED,
            Self::REVERT_IN_PROGRESS => JetError::DATABASE_INCOMPLETE_REVERT,
            _ if part_of_backup => JetError::SOFT_RECOVERY_ON_BACKUP_DATABASE,
            _ => JetError::DATABASE_DIRTY_SHUTDOWN,
        })
    }
}

/// The name, or the number of an unknown state.
impl fmt::Display for DatabaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Stored for DatabaseState {
    type Raw = U32;
    fn load(raw: U32) -> Self {
        Self(raw.get())
    }
    fn store(self) -> U32 {
        self.0.into()
    }
    fn field(self) -> FieldValue {
        FieldValue::Kind { number: self.0, name: self.name() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals() {
        assert_eq!(DatabaseState::CLEAN_SHUTDOWN.attach_error(true), None);
        assert_eq!(
            DatabaseState::DIRTY_SHUTDOWN.attach_error(false),
            Some(JetError::DATABASE_DIRTY_SHUTDOWN)
        );
        assert_eq!(
            DatabaseState::DIRTY_SHUTDOWN.attach_error(true),
            Some(JetError::SOFT_RECOVERY_ON_BACKUP_DATABASE)
        );
        assert_eq!(DatabaseState(99).to_string(), "99");
    }
}
