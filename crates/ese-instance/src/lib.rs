//! The engine instance: parameters, life cycle, attach and detach, events.
//!
//! * [`ParameterSet`]: the engine's system parameters with numbers, defaults, ranges and the time when each is fixed.
//! * [`InstanceState`] and [`ApiGate`]: the states of an instance and which refusal wins at the door of a call.
//! * [`EventLog`]: the engine's numbered events, to `tracing` and to a sink of the caller's.

mod catalog;
mod deep;
mod event;
mod parameter;
mod reader;
pub mod recovery;
mod state;

pub use catalog::{
    CATALOG_OBJECT, CATALOG_ROOT, CATALOG_SHADOW_OBJECT, CATALOG_SHADOW_ROOT, CatalogError, CatalogRow,
    CatalogRowKind, ColumnDefinition, ColumnFlags, IndexDefinition, IndexFlags, LongValueTree, TableBuilder,
    TableDefinition, TableFlags, TupleLimits, decode_windows_1252,
};
pub use deep::{DeepFinding, DeepProblem, DeepSummary, FindingSeverity, deep_verify};
pub use event::{
    Event, EventCategory, EventId, EventLog, EventSeverity, EventSink, MemoryEventSink, TracingEventSink,
};
pub use parameter::{
    DefaultValue, FixedAfter, PARAMETERS, ParameterDescriptor, ParameterError, ParameterId, ParameterKind,
    ParameterRemarks, ParameterSet, ParameterStage, ParameterValue, Scope,
};
pub use reader::{
    ColumnContent, DatabaseReader, DirtyPolicy, IndexEntries, IndexEntryBuilder, ReaderError, RowLayout,
    TableEntry, ValueReader,
};
pub use state::{ApiCall, ApiGate, ApiLock, EntryError, InstanceState, ModeError, ProcessMode, SessionCall};
