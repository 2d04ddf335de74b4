//! What the engine reports beside its return codes: numbered events with parameters.

mod id;
mod sink;

pub use id::{EventCategory, EventId, EventSeverity};
pub use sink::{Event, EventLog, EventSink, MemoryEventSink, TracingEventSink};
