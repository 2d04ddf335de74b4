//! Online streaming backup, restore and verification.

mod progress;
mod verify;

pub use progress::{NoProgress, Progress};
pub use verify::{
    DatabaseFinding, DatabaseVerification, FindingPlace, FlushMapVerification, HeaderReport, PageCounts,
    PageTally, VerifyError, VerifyOptions, is_trailer_page, verify_database, verify_flush_map,
};
