//! A log: its header, every segment or range, the end of its data, every record.

use std::sync::Arc;

use ese_format::{HeaderCopy, LogHeaderChecks};
use ese_io::File;
use ese_log::{
    EndOfLog, LogError, LogFileKind, LogFileName, OpenLog, RepairAction, ReplayContext, ScanOptions,
};
use serde_json::Value;

use super::header_pair::bad_header;
use super::report::{FileReport, Finding, Place};
use crate::failure::Failure;

pub(super) fn verify(file: Arc<dyn File>, report: &mut FileReport) -> Result<(), Failure> {
    let path = file.path().to_path_buf();
    let log = match OpenLog::from_file(file, &LogHeaderChecks::default()) {
        Ok(log) => log,
        Err(LogError::Header { error, .. }) => {
            let mut finding = bad_header(HeaderCopy::Primary, &error, error.jet_error());
            finding.place = Place::Segment(0);
            report.find(finding);
            return Ok(());
        }
        Err(error) => return Err(Failure::jet(error.jet_error(), &error).file(path)),
    };
    report.page_size = log.header().page_size().ok();
    report.more.push(("generation", log.generation().0.into()));
    report.more.push(("version", log.header().version().to_string().into()));
    // The name of the log being written is the base name alone; a log under any other name counts as archived.
    let name = path.file_name().and_then(|name| name.to_str()).and_then(LogFileName::guess);
    let is_current = name.is_some_and(|name| matches!(name.kind, LogFileKind::Current(_)));
    match log.verify(ScanOptions { is_current, ..ScanOptions::default() }) {
        Ok(verification) => {
            fill(&verification.end, report);
            report.more.push(("records", verification.records.into()));
            if let Some(LogError::Records { position, defect, context, .. }) = verification.bad_record {
                report.find(Finding {
                    place: Place::Segment(position.sector),
                    kind: "bad_record",
                    expected: Value::Null,
                    found: defect.to_string().into(),
                    jet_error: Some(context.corrupt_error()),
                    text: format!("{defect} at {position}"),
                    more: vec![("log_position", position.to_string().into())],
                });
            }
        }
        Err(error) => return Err(Failure::jet(error.jet_error(), &error).file(path)),
    }
    Ok(())
}

fn fill(end: &EndOfLog, report: &mut FileReport) {
    report.counts = Some((
        "segments",
        vec![
            ("total", end.sectors.into()),
            ("good", end.data.into()),
            ("shadow", end.shadows.into()),
            ("unused", end.unused.into()),
            ("stale", end.stale.into()),
            ("corrected", end.corrected.into()),
            ("from_shadow", end.from_shadow.into()),
            ("bad", end.bad.into()),
        ],
    ));
    report.more.push(("end", end.end.to_string().into()));
    report.more.push(("closed_at", end.closed_at.map(|position| position.to_string()).into()));
    for repair in &end.repairs {
        let (kind, text, more) = match repair.action {
            RepairAction::FlipBit(bit) => (
                "corrected",
                format!("flipped bit {bit}, which the engine corrects when it reads the segment"),
                vec![("bits", vec![bit].into())],
            ),
            RepairAction::CopyShadow | RepairAction::CopyLegacyShadow => (
                "from_shadow",
                "damaged; the engine takes it from its shadow behind it".to_owned(),
                Vec::new(),
            ),
            _ => ("torn_end", "the last write did not reach the disk as a whole".to_owned(), Vec::new()),
        };
        report.find(Finding {
            place: Place::Segment(repair.sector),
            kind,
            expected: Value::Null,
            found: Value::Null,
            jet_error: None,
            text,
            more,
        });
    }
    if let Some(defect) = &end.defect {
        let checksum = |value: Option<u64>| value.map(|sum| format!("{sum:016x}")).into();
        report.find(Finding {
            place: Place::Segment(defect.sector),
            kind: "bad_segment",
            expected: checksum(defect.expected),
            found: checksum(defect.found),
            jet_error: Some(defect.kind.jet_error(ReplayContext::Soft)),
            text: format!("damaged ({}); the data before it is good up to {}", defect.kind.name(), end.end),
            more: vec![("reason", defect.kind.name().into())],
        });
        report.findings_omitted = u64::from(end.bad.saturating_sub(1));
    }
}
