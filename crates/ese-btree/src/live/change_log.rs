//! Where records of changes go.

use std::sync::Arc;

use ese_format::{LogGeneration, LogPosition};
use ese_io::{IoError, IoErrorKind, Operation};
use ese_log::record::DatabaseSlot;
use ese_log::{AppendOptions, Appended, LogWriter, RecordBatch};

use super::LiveError;
use crate::page_cache::WriteAhead;

/// Takes the records of changes, in order.
///
/// Called while the trees are locked: an implementation must not call back into [`LiveTrees`](super::LiveTrees), nor wait
/// for somebody who does.
pub trait ChangeLog: Send + Sync {
    /// Appends all of `batch` to one generation. `begin` is the generation in which the session's transaction began.
    /// `complete` is called exactly once, while nobody else can append, with the position of the first record; it may set
    /// what depends on the order of records, but no lengths.
    ///
    /// # Errors
    /// [`LiveError::Log`]; nothing was appended then, and `complete` was not called.
    fn append(
        &self,
        batch: &mut RecordBatch,
        begin: Option<LogGeneration>,
        complete: &mut dyn FnMut(LogPosition, &mut RecordBatch),
    ) -> Result<Appended, LiveError>;

    /// Returns when the record at `position`, and all in front of it, are durable.
    ///
    /// # Errors
    /// [`LiveError::Log`].
    fn flush_to(&self, position: LogPosition) -> Result<(), LiveError>;
}

impl ChangeLog for LogWriter {
    fn append(
        &self,
        batch: &mut RecordBatch,
        begin: Option<LogGeneration>,
        complete: &mut dyn FnMut(LogPosition, &mut RecordBatch),
    ) -> Result<Appended, LiveError> {
        let options = AppendOptions { new_generation: false, transaction_begin: begin };
        Ok(self.append_with(batch, options, complete)?)
    }

    fn flush_to(&self, position: LogPosition) -> Result<(), LiveError> {
        Ok(LogWriter::flush_to(self, position)?)
    }
}

/// The rule that the log is durable before pages are.
pub(super) struct LogAhead(pub(super) Arc<dyn ChangeLog>);

impl WriteAhead for LogAhead {
    fn before_write(&self, _slot: DatabaseSlot, position: LogPosition) -> Result<(), IoError> {
        if position.is_none() {
            return Ok(());
        }
        self.0.flush_to(position).map_err(|error| {
            tracing::debug!(%error, "pages stay in memory: the log cannot be written");
            IoError::new(Operation::Sync, IoErrorKind::Poisoned, "the log")
        })
    }
}
