//! Log records: every type of every log version, from bytes to values and back to the same bytes.
//!
//! A record begins with its type ([`RecordKind`], one byte). [`record_size`] tells how long it is from its fixed part,
//! which is what a reader of a stream needs; [`Record::decode`] turns exactly its bytes into a [`Record`], whose byte
//! strings (keys, data, page images) stay where they are; [`Record::encode`] gives the same bytes again.
//!
//! Counts are not fields: they are the lengths of the byte strings. Flags and numbers without a known meaning are kept.
//! Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/logapi.hxx` and `logapi.cxx`.

mod any;
mod backup;
mod body;
mod diff;
mod error;
mod field;
mod kind;
mod layout;
mod lifetime;
mod node;
mod note;
mod path;
mod prefix;
mod replace;
mod size;
mod space;
mod structure;
mod touch;
mod transaction;

pub use any::Record;
pub use backup::{
    Backup, Backup2, BackupMethod, BackupPath, BackupPhase, BackupScope, BackupStep, ExternalRestore,
};
pub use diff::{DiffEntries, DiffEntry, DiffError, DiffForm, append_diff_entry, apply_diff, make_diff};
pub use error::{EncodeError, RecordError};
pub use field::{FieldValue, FieldVisitor};
pub use kind::RecordKind;
pub use lifetime::{
    AttachDatabase, CreateDatabase, CreateDatabaseFinish, CreateDatabaseVersion, DatabaseRecordFlags,
    DetachDatabase, Init, PagePatchRequest, Quit, ReAttach, RecoveryUndo, SetDatabaseVersion, SignalAttach,
    TimedQuit,
};
pub use node::{
    Delete, Delta, Delta64, EmptyPage, EmptyTree, FlagInsert, FlagInsertAndReplaceData, Insert, Scrub,
    ScrubFlags, SetExternalHeader, Undo, UndoInfo, VersionOperation,
};
pub use note::{ChecksumRecord, Fragment, FragmentBegin, JetOperation, MultiSector, Skippable, Trace};
pub use path::LoggedPath;
pub use prefix::{
    DatabaseSlot, NodePrefix, PagePrefix, PageRecordFlags, SessionId, TransactionTime, VersionId,
};
pub use replace::Replace;
pub use size::{RecordSize, fixed_size, record_size};
pub use space::{
    ConvertFdp, ConvertFdp2, CreateMultipleExtentFdp, CreateSingleExtentFdp, ExtendDatabase, ExtentFreed,
    ExtentFreed2, ExtentFreedFlags, FreeFdp, FreedTreeKind, MacroInfo, MacroInfo2, NewPage, SCAN_FINISHED,
    ScanCheck, ScanCheck2, ScanFlags, ShrinkDatabase, ShrinkDatabase3, TrimDatabase,
};
pub use structure::{
    BeforeImage, BeforeImageFlags, Merge, MergeFields, MergeFlags, MergeKind, PageMove, PageMoveFlags,
    RootPageMove, Split, SplitFields, SplitKind, SplitOperation,
};
pub use transaction::{
    Begin, BeginLevels, BeginOutermost, Commit, CommitContext, CommitContextFlags, CommitOutermost, Macro,
    PrepareCommit, Refresh, Rollback, SessionOnly,
};
