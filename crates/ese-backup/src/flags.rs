//! Options of a backup.

use bitflags::bitflags;

bitflags! {
    /// Options of a backup into a directory. Unknown bits are kept, and ignored.
    #[doc(alias = "JET_bitBackup")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct BackupFlags: u32 {
        /// Logs only.
        #[doc(alias = "JET_bitBackupIncremental")]
        const INCREMENTAL = 0x1;
        /// Keep the previous set until the new one is complete.
        #[doc(alias = "JET_bitBackupAtomic")]
        const ATOMIC = 0x4;
        /// Reserved; ignored.
        #[doc(alias = "JET_bitBackupSnapshot")]
        const SNAPSHOT = 0x10;
        const _ = !0;
    }
}

bitflags! {
    /// Options for the begin of a streaming backup. Unknown bits are kept, and refused.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct BeginFlags: u32 {
        /// Logs only.
        #[doc(alias = "JET_bitBackupIncremental")]
        const INCREMENTAL = 0x1;
        /// A replica is backed up.
        #[doc(alias = "JET_bitBackupSurrogate")]
        const SURROGATE = 0x20;
        /// Copy for the engine's own use: a full backup with events of its own, meant to be ended by abort.
        #[doc(alias = "JET_bitInternalCopy")]
        const INTERNAL_COPY = 0x40;
        const _ = !0;
    }
}

impl BeginFlags {
    const KNOWN: u32 = 0x1 | 0x20 | 0x40;

    /// Whether there are bits that mean nothing.
    #[must_use]
    pub const fn has_unknown_bits(self) -> bool {
        self.bits() & !Self::KNOWN != 0
    }
}

bitflags! {
    /// How a streaming backup ends. Exactly one of normal and abort is needed; unknown bits are ignored.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct EndFlags: u32 {
        /// Successfully: headers are stamped.
        #[doc(alias = "JET_bitBackupEndNormal")]
        const NORMAL = 0x1;
        /// Given up.
        #[doc(alias = "JET_bitBackupEndAbort")]
        const ABORT = 0x2;
        /// Logs were truncated by somebody else.
        #[doc(alias = "JET_bitBackupTruncateDone")]
        const TRUNCATE_DONE = 0x100;
        /// Leave the database headers alone.
        #[doc(alias = "JET_bitBackupNoDbHeaderUpdate")]
        const NO_HEADER_UPDATE = 0x200;
        const _ = !0;
    }
}
