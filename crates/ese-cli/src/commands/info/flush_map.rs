//! A flush map.

use ese_format::{FLUSH_MAP_PAGE_SIZE, FlushMapFlags, FlushMapHeader, FlushMapPage, HeaderError, JetError};
use serde_json::json;

use super::report::Report;
use crate::fields;

pub(super) fn fill(report: &mut Report, start: &[u8], unverified: bool) -> Result<(), HeaderError> {
    let header = match FlushMapHeader::parse(start) {
        Err(error) if unverified => FlushMapHeader::parse_unverified(start).map_err(|_| error)?,
        parsed => parsed?,
    };
    let clean = header.flags().contains(FlushMapFlags::CLEAN);
    report.state(if clean { "clean" } else { "dirty" }.to_owned());
    report.flush_map_version(header.version());
    report.signature(&header.flush_signature());
    report.more("database_signature", fields::signature_to_json(&header.database_flush_signature()));
    report.line("database header", header.database_flush_signature());
    report.time_line("created", header.create_time());
    report.time_line("attached", header.attach_time());
    report.time_line("detached", header.detach_time());
    report.line("logs required", format_args!("from {} on", header.min_required()));
    report.more(
        "log_required_from",
        json!({ "min": header.min_required().0, "target": header.min_required_target().0 }),
    );
    let page = FLUSH_MAP_PAGE_SIZE as u64;
    let pages = (report.size / page).saturating_sub(1);
    report.more("map_pages", pages);
    report.line("covers", format_args!("{} database pages", pages * u64::from(FlushMapPage::DATABASE_PAGES)));
    if !report.size.is_multiple_of(page) {
        report.problem(Some(JetError::FILE_IO_BEYOND_EOF), "the file does not end with a whole page");
    }
    report.check(header.check());
    report.header(header.fields());
    Ok(())
}
