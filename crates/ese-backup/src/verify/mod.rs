//! Verification of whole files: one pass over the file, every page or segment judged, findings collected.
//!
//! Recovery and backup stop at the first damage; verification goes on and tells all of it.

mod backup_set;
mod chunks;
mod database;
mod error;
mod finding;
mod flush_map;
mod owned_space;
mod page_tally;

pub use backup_set::{BackupSetFinding, BackupSetVerification, verify_backup_set};
pub use database::{DatabaseVerification, HeaderReport, VerifyOptions, verify_database};
pub use error::VerifyError;
pub use finding::{DatabaseFinding, FindingPlace};
pub use flush_map::{FlushMapVerification, verify_flush_map};
pub use page_tally::{PageCounts, PageTally, is_trailer_page};
