//! What must be on disk before a changed page goes there: its log records, and a header that requires their generation.

use std::sync::Arc;

use ese_btree::WriteAhead;
use ese_format::{LogGeneration, LogPosition};
use ese_io::{IoError, IoErrorKind, Operation};
use ese_log::record::DatabaseSlot;
use parking_lot::Mutex;

use super::database::HeaderFile;

/// Makes the log durable up to a position.
pub(super) type FlushLog = dyn Fn(LogPosition) -> Result<(), IoError> + Send + Sync;

/// Stands between the page cache and the database files.
#[derive(Default)]
pub(super) struct Gate {
    headers: Mutex<Vec<(DatabaseSlot, Arc<HeaderFile>)>>,
    log: Mutex<Option<Arc<FlushLog>>>,
}

impl Gate {
    pub(super) fn add(&self, slot: DatabaseSlot, header: Arc<HeaderFile>) {
        self.remove(slot);
        self.headers.lock().push((slot, header));
    }

    pub(super) fn remove(&self, slot: DatabaseSlot) {
        self.headers.lock().retain(|(s, _)| *s != slot);
    }

    /// The databases that are attached.
    pub(super) fn headers(&self) -> Vec<(DatabaseSlot, Arc<HeaderFile>)> {
        self.headers.lock().clone()
    }

    /// From now on pages may depend on records that are being written.
    pub(super) fn set_log(&self, log: Option<Arc<FlushLog>>) {
        *self.log.lock() = log;
    }
}

impl WriteAhead for Gate {
    fn before_write(&self, slot: DatabaseSlot, position: LogPosition) -> Result<(), IoError> {
        let log = self.log.lock().clone();
        if let Some(flush) = log {
            flush(position)?;
        }
        let header = self.headers.lock().iter().find(|(s, _)| *s == slot).map(|(_, h)| Arc::clone(h));
        match header {
            Some(header) => header.require(LogGeneration(position.generation)),
            None => Err(IoError::new(Operation::Write, IoErrorKind::Device, format!("database slot {slot}"))),
        }
    }
}
