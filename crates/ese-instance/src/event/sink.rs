//! Where events go.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::id::{EventId, EventSeverity};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Number.
    pub id: EventId,
    /// Display name of the instance.
    pub instance: String,
    /// Parameters in the order of [`EventId::parameter_names`].
    pub parameters: Vec<String>,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}: {}", self.id, self.id.summary())?;
        for (name, value) in self.id.parameter_names().iter().zip(&self.parameters) {
            write!(f, "; {name} {value}")?;
        }
        Ok(())
    }
}

/// Receives events.
pub trait EventSink: Send + Sync {
    /// Called for each event, from any thread, in the order they happen in that thread. Must not call back into the
    /// instance.
    fn report(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> EventSink for F {
    fn report(&self, event: &Event) {
        self(event);
    }
}

/// Hands events to `tracing` (target `ese::event`).
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingEventSink;

impl EventSink for TracingEventSink {
    fn report(&self, event: &Event) {
        let (id, instance) = (event.id.0, event.instance.as_str());
        match event.id.severity() {
            EventSeverity::Error => tracing::error!(target: "ese::event", id, instance, "{event}"),
            EventSeverity::Warning => tracing::warn!(target: "ese::event", id, instance, "{event}"),
            EventSeverity::Information => tracing::info!(target: "ese::event", id, instance, "{event}"),
        }
    }
}

/// Keeps events; for tests and for programs that list them afterwards.
#[derive(Clone, Debug, Default)]
pub struct MemoryEventSink {
    events: Arc<Mutex<Vec<Event>>>,
}

impl MemoryEventSink {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the events out.
    #[must_use]
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock())
    }

    /// Takes the numbers out.
    #[must_use]
    pub fn take_ids(&self) -> Vec<u32> {
        self.take().iter().map(|e| e.id.0).collect()
    }
}

impl EventSink for MemoryEventSink {
    fn report(&self, event: &Event) {
        self.events.lock().push(event.clone());
    }
}

/// The event channel of one instance: to `tracing`, and to the caller's sink. The parameters `NoInformationEvent` and
/// `EventLoggingLevel` (0 silences all) hold events back from both.
#[derive(Clone)]
pub struct EventLog {
    instance: String,
    sink: Option<Arc<dyn EventSink>>,
    no_information: bool,
    silent: bool,
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl EventLog {
    /// A channel for the instance of that display name.
    #[must_use]
    pub fn new(instance: impl Into<String>, sink: Option<Arc<dyn EventSink>>) -> Self {
        Self { instance: instance.into(), sink, no_information: false, silent: false }
    }

    /// The same channel under the parameters `NoInformationEvent` and `EventLoggingLevel`.
    #[must_use]
    pub fn with_level(mut self, no_information: bool, logging_level: u64) -> Self {
        self.no_information = no_information;
        self.silent = logging_level == 0;
        self
    }

    /// Reports an event.
    pub fn report(&self, id: EventId, parameters: impl IntoIterator<Item = String>) {
        if self.silent || (self.no_information && id.severity() == EventSeverity::Information) {
            return;
        }
        let event =
            Event { id, instance: self.instance.clone(), parameters: parameters.into_iter().collect() };
        debug_assert_eq!(event.parameters.len(), id.parameter_names().len(), "parameters of event {id}");
        TracingEventSink.report(&event);
        if let Some(sink) = &self.sink {
            sink.report(&event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_hold_events_back() {
        let sink = MemoryEventSink::new();
        let log = EventLog::new("instance", Some(Arc::new(sink.clone())));
        let report = |log: &EventLog| {
            log.report(EventId::START_FULL_BACKUP, []);
            log.report(EventId::STOP_BACKUP_ERROR, ["-1018".to_owned()]);
        };
        report(&log);
        assert_eq!(sink.take_ids(), [210, 214]);
        report(&log.clone().with_level(true, 100));
        assert_eq!(sink.take_ids(), [214]);
        report(&log.with_level(false, 0));
        assert_eq!(sink.take_ids(), [0_u32; 0]);
    }
}
