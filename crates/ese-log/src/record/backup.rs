//! Records of backups and restores.

use ese_format::BackupInfo;

use super::field::open_kind;
use super::layout::layout;
use super::prefix::DatabaseSlot;

layout! {
    /// A backup into a path, oldest form (types 19 FullBackup and 20 IncBackup).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 2 | length of `path` |
    /// | 3 |   | `path` |
    #[doc(alias = "LRLOGRESTORE")]
    pub struct BackupPath<'a> [3] {}
    payload {
        /// Path of the backup, as stored.
        1, u16 => path,
    }
}

layout! {
    /// An external restore began (types 45 ExtRestore and 59 ExtRestore2).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 2 | length of `info` |
    /// | 3 |   | `info` |
    #[doc(alias = "LREXTRESTORE")]
    #[doc(alias = "LREXTRESTORE2")]
    pub struct ExternalRestore<'a> [3] {}
    payload {
        /// Instance name and log path, as stored.
        1, u16 => info,
    }
}

open_kind! {
    /// Step of a backup in the old record.
    pub struct BackupStep(u8) {
        /// Full backup.
        FULL = 0, "full";
        /// Incremental backup.
        INCREMENTAL = 1, "incremental";
        /// A snapshot starts.
        SNAPSHOT_START = 2, "snapshot-start";
        /// A snapshot stops.
        SNAPSHOT_STOP = 3, "snapshot-stop";
        /// Logs are deleted.
        TRUNCATE = 4, "truncate";
        /// A snapshot by the operating system.
        OS_SNAPSHOT = 5, "os-snapshot";
        /// An incremental snapshot by the operating system.
        OS_SNAPSHOT_INCREMENTAL = 6, "os-snapshot-incremental";
    }
}

layout! {
    /// A backup step, old form (type 46).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 1 | `step` |
    /// | 2 | 1 | `reserved` |
    /// | 3 | 2 | length of `path` |
    /// | 5 |   | `path` |
    #[doc(alias = "LRLOGBACKUP_OBSOLETE")]
    pub struct Backup<'a> [5] {
        /// Step.
        #[doc(alias = "m_fBackupType")]
        1 => step: BackupStep,
        /// Reserved.
        2 => reserved: u8,
    }
    payload {
        /// Path of the backup, as stored.
        3, u16 => path,
    }
}

open_kind! {
    /// Step of a backup.
    #[doc(alias = "eBackupPhase")]
    pub struct BackupPhase(u8) {
        /// The backup begins.
        #[doc(alias = "fBackupBegin")]
        BEGIN = 1, "begin";
        /// The databases are copied; the log rolls and the log range is fixed.
        #[doc(alias = "fBackupPrepLogs")]
        PREPARE_LOGS = 2, "prepare-logs";
        /// Logs are deleted.
        #[doc(alias = "fBackupTruncate")]
        TRUNCATE = 3, "truncate";
        /// A database's header remembers the backup.
        #[doc(alias = "fBackupUpdateDBHdr")]
        UPDATE_HEADER = 4, "update-header";
        /// The backup failed.
        #[doc(alias = "fBackupAbort")]
        ABORT = 5, "abort";
        /// The backup is complete.
        #[doc(alias = "fBackupStop")]
        STOP = 6, "stop";
    }
}

open_kind! {
    /// How a backup is made.
    #[doc(alias = "DBFILEHDR::BKINFOTYPE")]
    pub struct BackupMethod(u32) {
        /// Through the streaming calls.
        #[doc(alias = "backupNormal")]
        STREAMING = 0, "streaming";
        /// By a snapshot of the operating system.
        #[doc(alias = "backupOSSnapshot")]
        OS_SNAPSHOT = 1, "os-snapshot";
        /// By a snapshot.
        #[doc(alias = "backupSnapshot")]
        SNAPSHOT = 2, "snapshot";
        /// On behalf of another copy.
        #[doc(alias = "backupSurrogate")]
        SURROGATE = 3, "surrogate";
    }
}

open_kind! {
    /// What a backup covers.
    #[doc(alias = "eBackupScope")]
    pub struct BackupScope(u8) {
        /// Databases and logs.
        FULL = 1, "full";
        /// Logs.
        INCREMENTAL = 2, "incremental";
        /// Databases and logs, leaving no trace.
        COPY = 5, "copy";
        /// Logs since the last full backup.
        DIFFERENTIAL = 6, "differential";
    }
}

layout! {
    /// A backup step (type 60). Since log version 7.3704.10.
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1  | 1 | `phase` |
    /// | 2  | 4 | `method` |
    /// | 6  | 1 | `scope` |
    /// | 7  | 1 | `database` |
    /// | 8  | 24 | `details` |
    /// | 32 | 1 | `reserved` |
    /// | 33 | 2 | length of `path` |
    /// | 35 |   | `path` |
    #[doc(alias = "LRLOGBACKUP")]
    pub struct Backup2<'a> [35] {
        /// Step.
        1 => phase: BackupPhase,
        /// How.
        2 => method: BackupMethod,
        /// What.
        6 => scope: BackupScope,
        /// Slot of the database whose header is updated.
        7 => database: DatabaseSlot,
        /// Mark and log range, where the step has them.
        8 => details: BackupInfo,
        /// Reserved.
        32 => reserved: u8,
    }
    payload {
        /// Path of the backup, as stored.
        33, u16 => path,
    }
}
