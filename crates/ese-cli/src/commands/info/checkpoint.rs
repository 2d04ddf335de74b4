//! A checkpoint.

use ese_format::{Checkpoint, CheckpointPair, HeaderError};
use serde_json::Value;

use super::report::Report;
use crate::fields;

pub(super) fn fill(report: &mut Report, start: &[u8], unverified: bool) -> Result<(), HeaderError> {
    let checkpoint = match CheckpointPair::parse(start) {
        Ok(pair) => {
            report.header_copies(pair.status);
            pair.checkpoint
        }
        Err(error) if unverified => Checkpoint::parse_unverified(start).map_err(|_| error)?,
        Err(error) => return Err(error),
    };
    report.line("checkpoint", checkpoint.position());
    report.line("consistency", checkpoint.consistency_position());
    report.more("checkpoint", fields::position_to_json(checkpoint.position()));
    report.more("consistency", fields::position_to_json(checkpoint.consistency_position()));
    report.stream_signature(&checkpoint.signature());
    report.time_line("full backup", checkpoint.full_backup_time());
    report.time_line("incremental", checkpoint.incremental_backup_time());
    report.line("system path", checkpoint.parameters().system_path());
    report.line("log path", checkpoint.parameters().log_path());
    match checkpoint.attachments() {
        Ok(Some(entries)) => {
            for entry in &entries {
                report.line("attached", format_args!("{} {}", entry.fixed.database_id(), entry.path()));
            }
            report.more(
                "attachments",
                entries.iter().map(|entry| fields::to_json(&entry.fields())).collect::<Value>(),
            );
        }
        Ok(None) => report.more("attachments", Value::Null),
        Err(error) => report.check(Err(error)),
    }
    report.check(checkpoint.check(None));
    report.header(checkpoint.fields());
    Ok(())
}
