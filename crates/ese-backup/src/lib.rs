//! Online streaming backup, restore and verification.
//!
//! * [`backup_instance`]: full, incremental and atomic backups of a running instance into a directory.
//! * [`BackupContext`]: the same through streaming calls, for whoever moves the bytes himself.
//! * [`verify_database`]: checks every page of a database file on all cores.
//! * [`restore`]: a set's databases, brought up with its logs; [`restore_instance`] with an instance's parameters.
//! * [`backup_read_only`]: a restorable set of a closed database that is not touched.
//! * [`OsSnapshots`]: instances held still while somebody else copies their disks.
//! * [`Manifest`]: what a set holds, with checksums; written beside it, never needed.

mod context;
mod copy;
mod directory;
mod error;
mod flags;
mod manifest;
mod os_snapshot;
mod page_source;
mod progress;
mod read_only;
mod restore;
mod verify;

pub use context::{BackupContext, FileHandle, LogInfo, OpenedFile, ReadOptions, ReadRetries};
pub use directory::{BackupSummary, backup_instance};
pub use error::BackupError;
pub use flags::{BackupFlags, BeginFlags, EndFlags};
pub use manifest::{MANIFEST_NAME, Manifest, ManifestFile, ManifestFileKind};
pub use os_snapshot::{OsSnapshots, SnapshotFlags, SnapshotId};
pub use progress::{NoProgress, Progress};
pub use read_only::{ReadOnlyOptions, backup_read_only};
pub use restore::{
    BackupSet, ManifestDifference, ManifestFinding, RestoreError, RestoreMapEntry, RestoreOptions,
    RestoreSummary, SetDatabase, restore, restore_instance, verify_manifest,
};
pub use verify::{
    BackupSetFinding, BackupSetVerification, DatabaseFinding, DatabaseVerification, FindingPlace,
    FlushMapVerification, HeaderReport, PageCounts, PageTally, VerifyError, VerifyOptions, is_trailer_page,
    verify_backup_set, verify_database, verify_flush_map,
};
