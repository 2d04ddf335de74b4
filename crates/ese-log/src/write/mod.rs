//! Writing of logs in the current format.

mod batch;
mod buffer;
mod depth;
mod environment;
mod new_file;
mod pack;
#[cfg(test)]
mod reference_tests;
mod reserve;
mod roll;
mod segment_file;
mod settings;
mod writer;

pub use batch::RecordBatch;
pub use environment::{LogEnvironment, LogEvent};
pub use reserve::LogSpace;
pub use segment_file::WriteOrder;
pub use settings::LogSettings;
pub use writer::{AppendOptions, Appended, LogWriter, LogWriterParts};
