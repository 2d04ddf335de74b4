//! From bytes that are known to be intact to records.

mod closing;
mod segment_walk;

pub(crate) use closing::{closing_record, is_closing};
pub use segment_walk::StreamDefect;
pub(crate) use segment_walk::{Found, Place, SegmentWalker, unknown};
