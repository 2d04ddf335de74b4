//! A transaction log.

use ese_format::{HeaderError, LogFlags, LogHeader, LogHeaderChecks};
use serde_json::Value;

use super::report::Report;
use crate::fields;

pub(super) fn fill(report: &mut Report, start: &[u8], unverified: bool) -> Result<(), HeaderError> {
    let header = match LogHeader::parse(start) {
        Err(error) if unverified => LogHeader::parse_unverified(start).map_err(|_| error)?,
        parsed => parsed?,
    };
    report.generation(header.generation());
    if let Ok(size) = header.page_size() {
        report.page_size(size);
    }
    report.log_version(header.version());
    report.engine_format(header.engine_format());
    report.stream_signature(&header.signature());
    report.time_line("created", header.create_time());
    report.time_line("previous created", header.previous_create_time());
    report.more("created", fields::time_to_json(header.create_time()));
    report.more("previous_created", fields::time_to_json(header.previous_create_time()));
    report.line("sectors", format_args!("{} of {} bytes", header.file_sectors(), header.sector_size()));
    if !header.checkpoint().is_none() {
        report.line("checkpoint then", header.checkpoint());
    }
    let flags = header.flags();
    let circular = flags.contains(LogFlags::CIRCULAR_LOGGING_CURRENT);
    report.more("circular_logging", circular);
    if circular {
        report.line("circular logging", "on");
    } else if flags.contains(LogFlags::CIRCULAR_LOGGING_HISTORY) {
        report.line("circular logging", "off, was on before");
    }
    match header.attachments() {
        Ok(entries) => {
            for entry in &entries {
                report.line("attached", format_args!("{} {}", entry.fixed.database_id(), entry.path()));
            }
            report.more(
                "attachments",
                entries.iter().map(|entry| fields::to_json(&entry.fields())).collect::<Value>(),
            );
        }
        Err(error) => report.check(Err(error)),
    }
    let checks = LogHeaderChecks { file_size: Some(report.size), ..LogHeaderChecks::default() };
    report.check(header.check(&checks));
    report.header(header.fields());
    Ok(())
}
