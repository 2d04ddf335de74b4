//! Logs of major version 7 (Windows 7 and earlier): records in a byte stream, guarded by checksum records.

mod checksum_record;
mod pattern;
mod scan;
mod walk;
mod window;

pub(crate) use checksum_record::shadow_as_primary;
pub(crate) use scan::LegacyRules;
pub(crate) use walk::{LegacyStop, LegacyWalker};
