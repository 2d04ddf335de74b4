//! What an engine is given to work with: storage, clock, randomness, and a place for events.

use std::fmt;
use std::sync::Arc;

use ese_format::{LogTime, Signature};
use ese_io::{
    Clock, FixedClock, OsStorage, Randomness, SeededRandomness, Storage, SystemClock, SystemRandomness,
};

use crate::event::EventSink;

/// What an engine is given to work with. Without [threads](Self::threads) the same storage, clock and seed give the same
/// writes in the same order.
#[derive(Clone)]
pub struct Environment {
    /// Files and directories.
    pub storage: Arc<dyn Storage>,
    /// Wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Random numbers for signatures.
    pub randomness: Arc<dyn Randomness>,
    /// Receives events beside `tracing`.
    pub events: Option<Arc<dyn EventSink>>,
    /// Whether instances may have threads of their own, which write what waits. Without them everything is done by the
    /// threads that call, in an order that the calls alone decide.
    pub threads: bool,
}

impl Environment {
    /// The operating system's files, clock and randomness; events go to `tracing` only.
    #[must_use]
    pub fn system() -> Self {
        Self {
            storage: Arc::new(OsStorage),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            events: None,
            threads: true,
        }
    }

    /// A storage with a clock that stands and a sequence of random numbers that repeats, and no threads: everything written
    /// follows from the calls.
    #[must_use]
    pub fn repeatable(storage: Arc<dyn Storage>, unix_ms: i64, seed: u64) -> Self {
        Self {
            storage,
            clock: Arc::new(FixedClock::new(unix_ms)),
            randomness: Arc::new(SeededRandomness::new(seed)),
            events: None,
            threads: false,
        }
    }

    /// The same with another storage, and without threads of its own.
    #[must_use]
    pub fn with_storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = storage;
        self.threads = false;
        self
    }

    /// The same with a sink for events.
    #[must_use]
    pub fn with_events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = Some(events);
        self
    }

    /// The time now, as headers and records store it.
    #[must_use]
    pub fn now(&self) -> LogTime {
        LogTime::from_unix_ms(self.clock.unix_ms())
    }

    /// A fresh signature.
    #[must_use]
    pub fn new_signature(&self) -> Signature {
        Signature { random: self.randomness.next_u32(), created: self.now(), computer_name: [0; 16] }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}
