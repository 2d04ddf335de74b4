//! A patch file of Windows 7 or earlier.

use ese_format::{HeaderError, PatchFileHeader};
use serde_json::json;

use super::report::Report;
use crate::fields;

pub(super) fn fill(report: &mut Report, start: &[u8]) -> Result<(), HeaderError> {
    let patch = PatchFileHeader::probe(start)?;
    let header = &patch.header;
    report.header_copies(patch.status);
    report.page_size(header.page_size());
    report.signature(&header.database_signature());
    report.log_signature(&header.log_signature());
    let backup = header.backup();
    report.line(
        "backup",
        format_args!(
            "{}, generations 0x{:x} to 0x{:x}",
            backup.time, backup.low_generation, backup.high_generation
        ),
    );
    report.backup = json!({ "current_full": fields::backup_to_json(&backup) });
    report.header(header.fields());
    Ok(())
}
