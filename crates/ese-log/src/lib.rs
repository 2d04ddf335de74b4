//! Transaction logs of the Extensible Storage Engine.

mod checkpoint_file;
mod context;
mod discovery;
mod error;
mod legacy;
mod naming;
mod read;
pub mod record;
mod retention;
mod scan;
mod segment;
mod storage_error;
mod verify;
mod walk;
mod write;

pub use checkpoint_file::{CheckpointError, CheckpointFile, read_checkpoint, repair_checkpoint};
pub use context::ReplayContext;
pub use discovery::{LogFile, LogSet, choose_extension, find_streams};
pub use error::LogError;
pub use naming::{
    BaseName, GenerationDigits, InvalidBaseName, LogExtension, LogFileKind, LogFileName, LogNames,
};
pub use read::{
    GenerationReader, OpenLog, RawRecord, ScanOptions, SectorWrite, StreamEnd, StreamItem, StreamOptions,
    StreamReader, check_follows,
};
pub use retention::{
    BackupExtent, Deleted, MissingSinceBackup, Recycling, RecyclingState, TruncationState,
    delete_generations, full_copy_range, incremental_copy_range, needed_generations, plan_recycling,
    truncation_range,
};
pub use scan::{EndOfLog, LogDefect, LogDefectKind, Repair, RepairAction};
pub use segment::{SegmentJudgement, flip_bit, judge_segment};
pub use storage_error::storage_jet_error;
pub use verify::{LogCopyCounts, LogCopyVerifier, LogVerification};
pub use walk::StreamDefect;
pub use write::{
    AppendOptions, Appended, LogEnvironment, LogEvent, LogSettings, LogSpace, LogWriter, LogWriterParts,
    RecordBatch, WriteOrder,
};
