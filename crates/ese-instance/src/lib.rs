//! The engine instance: parameters, life cycle, attach and detach, events.
//!
//! * [`ParameterSet`]: the engine's system parameters with numbers, defaults, ranges and the time when each is fixed.
//! * [`InstanceState`] and [`ApiGate`]: the states of an instance and which refusal wins at the door of a call.
//! * [`EventLog`]: the engine's numbered events, to `tracing` and to a sink of the caller's.
//! * [`AttachedDatabase`]: a database in a slot, its header as attach, detach and backup change it.
//! * [`InstanceError`]: everything that can go wrong, with the one table of the engine's numbers.

mod background;
mod backup_gate;
mod builder;
mod call_error;
mod catalog;
mod compact;
mod creation;
mod database;
mod ddl;
mod deep;
mod engine;
mod environment;
mod error;
mod event;
mod information;
mod instance;
mod log;
mod maintenance;
mod open_database;
mod parameter;
mod quota;
mod reader;
pub mod recovery;
mod refused;
mod schema;
mod session;
mod size;
mod state;
mod system_parameter;
mod table;

pub use backup_gate::{AttachGuard, BackupGate, BackupInProgress, BackupOccupant, BackupOwner};
pub use builder::{
    BuilderError, ColumnOptions, ColumnPlacement, ColumnRequest, ColumnSpec, ComputedDefault,
    DatabaseBuilder, DatabaseOptions, IndexOptions, IndexRequest, IndexSpec, Row, TableHandle, TableOptions,
    TableSpec, Value,
};
pub use call_error::CallError;
pub use catalog::{
    CATALOG_OBJECT, CATALOG_ROOT, CATALOG_SHADOW_OBJECT, CATALOG_SHADOW_ROOT, CatalogError, CatalogRow,
    CatalogRowKind, ColumnDefinition, ColumnFlags, IndexDefinition, IndexFlags, LongValueTree,
    SpaceHintFlags, SpaceHints, TableBuilder, TableDefinition, TableFlags, TupleLimits, decode_windows_1252,
    encode_windows_1252,
};
pub use compact::{
    CompactError, CompactOptions, CompactProgress, CompactReport, CompactedTable, NoCompactProgress,
    compact_database,
};
pub use creation::CreateOptions;
pub use database::{
    AttachFacts, AttachedDatabase, BackupStamp, DetachFacts, PageRangeLock, PageRangeLocks, PageWrite,
    SpaceError, apply_attach, apply_attach_unlogged, apply_backup, apply_checkpoint, apply_detach,
    apply_roll, clear_previous_backups, engine_format_for, last_owned_page, read_database_header,
    write_database_header,
};
pub use deep::{DeepFinding, DeepProblem, DeepSummary, FindingSeverity, deep_verify};
pub use engine::Engine;
pub use environment::Environment;
pub use error::{InstanceError, InstancePath};
pub use event::{
    Event, EventCategory, EventId, EventLog, EventSeverity, EventSink, MemoryEventSink, TracingEventSink,
};
pub use information::{
    CheckpointInfo, DatabaseInfo, DatabaseInfoLevel, DatabaseMisc, FileInfo, InstanceInfo, LogMisc,
    LogMiscForm, PageInfo, UpgradeInfo, page_infos,
};
pub use instance::{
    AttachOptions, DurableCommitCallback, InitFlags, InitOptions, Instance, RestoringInstance,
    StopServiceFlags, TermMode,
};
pub use log::InstanceLog;
pub use maintenance::{
    DefragmentAnswer, DefragmentCallback, DefragmentFlags, DefragmentOptions, DefragmentReport,
    DefragmentStatus, ScanCallback, ScanEvent, ScanFlags, ScanOptions, ScanReport,
};
pub use open_database::{Database, ObjectInfo};
pub use parameter::{
    DefaultValue, FixedAfter, PARAMETERS, ParameterDescriptor, ParameterError, ParameterId, ParameterKind,
    ParameterRemarks, ParameterSet, ParameterStage, ParameterValue, Scope,
};
pub use reader::{
    ColumnContent, DatabaseReader, DirtyPolicy, IndexEntries, IndexEntryBuilder, IndexKeys, NullVerdict,
    PlainValues, ReaderError, RowLayout, TableEntry, ValueReader, column_content,
};
pub use refused::RefusedCall;
pub use schema::TableMode;
pub use session::{
    CommitFlags, CommitId, CommitMode, DatabaseFlags, DatabaseStatus, DetachFlags, IdleFlags, IdleStatus,
    RollbackFlags, Session, SessionParameterId, Transaction, TransactionFlags,
};
pub use size::ResizeFlags;
pub use state::{ApiCall, ApiGate, ApiLock, EntryError, InstanceState, ModeError, ProcessMode, SessionCall};
pub use table::{
    CallbackId, ColumnFilter, ColumnInfo, ColumnList, ColumnListFlags, ColumnName, ColumnRead, ColumnWrite,
    EnumerateColumn, EnumerateFlags, EnumeratedColumn, EnumeratedValue, EscrowFlags, FilterOperator,
    IndexInfo, IndexList, IndexRange, IndexStatistics, KeyColumn, ListNames, LocalStorage, ObjectList,
    PrepareKind, PrereadFlags, RangeFlags, RecordPosition, RecordSize, RecordSizeFlags, RetrieveFlags,
    RetrieveOptions, Retrieved, RuntimeCallback, SeekFlags, SetFlags, SetOptions, Table, TableCallback,
    TableError, TableEvent, TableInfo, TableStatus, TaggedColumnCount, TemporaryColumn, TemporaryTableFlags,
    TemporaryTableSpec, UpdateFlags,
};
