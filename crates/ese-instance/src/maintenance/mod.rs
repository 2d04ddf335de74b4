//! Work on whole databases beside what sessions do: checking every page, joining pages that are half empty.
//!
//! Where the [environment](crate::Environment) allows threads the work runs on one of its own, a scan and a defragmentation for
//! each database at most; else it is done by the call that starts it.

mod defragment;
mod scan;
mod task;

pub use defragment::{
    DefragmentAnswer, DefragmentCallback, DefragmentFlags, DefragmentOptions, DefragmentReport,
    DefragmentStatus,
};
pub use scan::{ScanCallback, ScanEvent, ScanFlags, ScanOptions, ScanReport};
pub(crate) use task::Maintenance;
