//! What the writer needs of the engine around it, and what it tells it.

use std::path::Path;

use ese_format::{AttachmentEntry, LogGeneration, LogHeader, LogPosition, Signature};

use crate::error::LogError;

/// The engine around a log writer. Called while the log is locked: no call may come back to the writer.
pub trait LogEnvironment: Send + Sync {
    /// The databases attached at the very start of `generation`, for its header; ascending by number.
    fn attachments(&self, generation: LogGeneration) -> Vec<AttachmentEntry>;

    /// The checkpoint, as it is known in memory.
    fn checkpoint(&self) -> LogPosition;

    /// Brings the checkpoint file up to date, best effort; the checkpoint that is on disk afterwards. Called before a new
    /// generation begins: generations below it may be recycled.
    fn write_checkpoint(&self) -> LogPosition {
        self.checkpoint()
    }

    /// The lowest generation that a backup going on still needs; `None` when there is no backup.
    fn backup_floor(&self) -> Option<LogGeneration> {
        None
    }

    /// A new stream is about to be created: the checkpoint is to be reset to `first` and written with the new signature
    /// before the first log exists.
    ///
    /// # Errors
    /// Anything; the stream is not created then.
    fn stream_begins(&self, signature: &Signature, first: LogPosition) -> Result<(), LogError> {
        let _ = (signature, first);
        Ok(())
    }

    /// A generation was opened and is durable by name; the headers of attached databases are to be told before any
    /// record goes into it.
    ///
    /// # Errors
    /// Anything; the log goes down then.
    fn generation_opened(&self, header: &LogHeader) -> Result<(), LogError> {
        let _ = header;
        Ok(())
    }

    /// More waits to be written than should: [`LogWriter::write_behind`](super::LogWriter::write_behind) is to be called
    /// soon, by somebody who holds nothing. Called by appends, often again before that happens.
    fn much_waits(&self) {}

    /// Something that the engine reports as an event.
    fn event(&self, event: &LogEvent<'_>) {
        let _ = event;
    }
}

/// What the engine reports as an event.
#[derive(Debug)]
#[non_exhaustive]
pub enum LogEvent<'a> {
    /// A reserve log had to be used, or could not be created: few things are allowed from now on.
    #[doc(alias = "LOW_LOG_DISK_SPACE")]
    LowDiskSpace,
    /// No log can be created any more.
    #[doc(alias = "LOG_DISK_FULL")]
    DiskFull {
        /// The log being written.
        file: &'a Path,
    },
    /// A new generation could not be created.
    #[doc(alias = "NEW_LOG_ERROR_ID")]
    NewLogFailed {
        /// Why.
        error: &'a LogError,
    },
    /// Nothing can be logged any more.
    #[doc(alias = "LOG_DOWN_ID")]
    Down {
        /// The directory of the logs.
        directory: &'a Path,
        /// Why.
        error: &'a LogError,
    },
    /// The numbers of generations come to an end.
    #[doc(alias = "ALMOST_OUT_OF_LOG_SEQUENCE_ID")]
    AlmostOutOfGenerations {
        /// The generation being closed.
        current: LogGeneration,
        /// The highest one.
        highest: LogGeneration,
    },
    /// Archived generations were deleted because of circular logging.
    Recycled {
        /// The first.
        first: LogGeneration,
        /// The last.
        last: LogGeneration,
    },
}
