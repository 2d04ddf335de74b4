//! Options of calls on sessions and databases, as the engine's calls take them.

use bitflags::bitflags;
use ese_format::JetError;

bitflags! {
    /// Options of creating, attaching and opening databases. Each call looks at those that concern it, and ignores the
    /// others, unknown ones too.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct DatabaseFlags: u32 {
        /// Attach: for reading. Open: no warning when that is all the database is attached for.
        #[doc(alias = "JET_bitDbReadOnly")]
        const READ_ONLY = 0x1;
        /// Open: for this session alone.
        #[doc(alias = "JET_bitDbExclusive")]
        #[doc(alias = "JET_bitDbSingleExclusive")]
        const EXCLUSIVE = 0x2;
        /// Create: nothing of the database is logged.
        #[doc(alias = "JET_bitDbRecoveryOff")]
        const RECOVERY_OFF = 0x8;
        /// Attach: indexes whose keys another version of the collation made go.
        #[doc(alias = "JET_bitDbDeleteCorruptIndexes")]
        const DELETE_CORRUPT_INDEXES = 0x10;
        /// Changes are not versioned. Refused, but together with `RECOVERY_OFF`.
        #[doc(alias = "JET_bitDbVersioningOff")]
        const VERSIONING_OFF = 0x40;
        /// Create: without the copy of the catalog.
        #[doc(alias = "JET_bitDbShadowingOff")]
        const SHADOWING_OFF = 0x80;
        /// Create: a file that is there goes.
        #[doc(alias = "JET_bitDbOverwriteExisting")]
        const OVERWRITE_EXISTING = 0x200;
        /// Attach: indexes of text go.
        #[doc(alias = "JET_bitDbDeleteUnicodeIndexes")]
        const DELETE_UNICODE_INDEXES = 0x400;
        /// Attach: the database is scanned in the background.
        #[doc(alias = "JET_bitDbEnableBackgroundMaintenance")]
        const BACKGROUND_MAINTENANCE = 0x800;
        /// Attach: pages that are still in memory are forgotten first.
        #[doc(alias = "JET_bitDbPurgeCacheOnAttach")]
        const PURGE_CACHE = 0x1000;
        const _ = !0;
    }
}

bitflags! {
    /// Options of beginning a transaction. Unknown bits are ignored.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TransactionFlags: u32 {
        /// Nothing is changed in it.
        #[doc(alias = "JET_bitTransactionReadOnly")]
        const READ_ONLY = 0x1;
        const _ = !0;
    }
}

bitflags! {
    /// Options of a rollback. Unknown bits are refused.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RollbackFlags: u32 {
        /// All levels.
        #[doc(alias = "JET_bitRollbackAll")]
        const ALL = 0x1;
        /// The commit context is handed to the callback of recovery. Accepted, without effect.
        #[doc(alias = "JET_bitRollbackRedoCallback")]
        const REDO_CALLBACK = 0x20;
        const _ = !0;
    }
}

bitflags! {
    /// Options of detaching a database. Unknown bits are ignored.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct DetachFlags: u32 {
        /// Although it is open. Refused, as in the original.
        #[doc(alias = "JET_bitForceDetach")]
        const FORCE = 0x1;
        const _ = !0;
    }
}

/// What attaching or opening a database says besides success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DatabaseStatus {
    /// Nothing.
    #[default]
    Done,
    /// It was attached before.
    #[doc(alias = "JET_wrnDatabaseAttached")]
    AlreadyAttached,
}

impl DatabaseStatus {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(self) -> JetError {
        match self {
            Self::Done => JetError::SUCCESS,
            Self::AlreadyAttached => JetError::WRN_DATABASE_ATTACHED,
        }
    }
}
