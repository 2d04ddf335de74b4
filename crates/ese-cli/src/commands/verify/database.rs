//! A database: every page, both headers.

use ese_backup::{
    DatabaseFinding, DatabaseVerification, FindingPlace, PageCounts, VerifyError, VerifyOptions,
    verify_database,
};
use ese_format::{HeaderCopy, HeaderPairStatus};
use ese_io::File;
use serde_json::Value;

use super::header_pair::bad_header;
use super::report::{FileReport, Finding, Place, Verdict};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::BarProgress;

pub(super) fn verify(file: &dyn File, context: &Context, report: &mut FileReport) -> Result<(), Failure> {
    let name = file.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let progress = BarProgress::new(context, name);
    let result = verify_database(file, VerifyOptions::default(), &progress);
    drop(progress);
    match result {
        Ok(verification) => fill(&verification, report),
        Err(VerifyError::Interrupted) => return Err(Failure::interrupted()),
        Err(VerifyError::Io(error)) => return Err(error.into()),
        Err(error) => {
            return Err(Failure::jet(error.jet_error(), &error).exit(Exit::Findings).file(file.path()));
        }
    }
    Ok(())
}

fn fill(verification: &DatabaseVerification, report: &mut FileReport) {
    report.page_size = Some(verification.page_size);
    report.counts = Some(("pages", counts(verification.pages)));
    let status = verification.header.status.map_or("both_bad", HeaderPairStatus::name);
    report.more.push(("header_copies", status.into()));
    let state = verification.header.header.as_ref().map(|header| header.state().to_string());
    report.more.push(("state", state.into()));
    report.more.push(("backup_trailer", verification.backup_trailer.map(|page| page.0).into()));
    if let Some(page) = verification.backup_trailer {
        report.remarks.push(format!("page {page} is the backup trailer of a streaming backup"));
    }
    if verification.header.status == Some(HeaderPairStatus::SecondaryStale) {
        report.remarks.push("the second header is older than the first, as in backup copies".to_owned());
    }
    for finding in &verification.findings {
        report.find(describe(finding));
    }
    report.findings_omitted = verification.findings_omitted;
    if let Some(error) = &verification.unsupported {
        report.remarks.push(format!("{error}; the pages were not looked at"));
        report.more.push(("unsupported", error.to_string().into()));
        report.verdict = Verdict::NotVerified;
    }
}

/// The counts as they are printed.
pub(super) fn counts(pages: PageCounts) -> Vec<(&'static str, u64)> {
    vec![
        ("total", pages.total),
        ("good", pages.good),
        ("corrected", pages.corrected),
        ("uninitialized", pages.uninitialized),
        ("bad", pages.bad),
        ("backup_trailer", pages.backup_trailer),
        ("not_verified", pages.not_verified),
    ]
}

/// A finding as it is printed.
pub(super) fn describe(finding: &DatabaseFinding) -> Finding {
    let (expected, found, text, more): (Value, Value, String, Vec<(&'static str, Value)>) = match finding {
        DatabaseFinding::BadHeader { copy, error, .. } => {
            let mut finding_of_copy = bad_header(*copy, error, error.jet_error());
            finding_of_copy.jet_error = finding.jet_error();
            return finding_of_copy;
        }
        DatabaseFinding::Corrected { bits, expected, found, .. } => (
            expected.to_string().into(),
            found.to_string().into(),
            format!("flipped bit {bits}, which the engine corrects when it reads the page"),
            vec![("bits", bits.iter().collect())],
        ),
        DatabaseFinding::WrongPageNumber { expected, found, .. } => (
            expected.0.into(),
            found.0.into(),
            format!(
                "holds page {found}: a write went to the wrong place, or a bit of its checksum is flipped"
            ),
            Vec::new(),
        ),
        DatabaseFinding::BadChecksum { block, expected, found, .. } => (
            expected.to_string().into(),
            found.to_string().into(),
            format!("bad checksum: stored {expected}, computed {found}"),
            vec![("block", (*block).into())],
        ),
        DatabaseFinding::Unreadable { error, .. } => {
            (Value::Null, Value::Null, format!("not verified: {error}"), Vec::new())
        }
        DatabaseFinding::PartialPage { expected, found, .. } => (
            (*expected).into(),
            (*found).into(),
            format!("the file ends after {found} of its {expected} bytes"),
            Vec::new(),
        ),
        DatabaseFinding::Truncated { expected, found } => (
            expected.0.into(),
            found.0.into(),
            format!("the file ends with page {found}, but the database owns pages up to {expected}"),
            Vec::new(),
        ),
        other => (Value::Null, Value::Null, format!("{other:?}"), Vec::new()),
    };
    Finding {
        place: match finding.place() {
            FindingPlace::PrimaryHeader => Place::Header(HeaderCopy::Primary),
            FindingPlace::SecondaryHeader => Place::Header(HeaderCopy::Secondary),
            FindingPlace::Page(page) => Place::Page(page.0),
        },
        kind: finding.name(),
        expected,
        found,
        jet_error: finding.jet_error(),
        text,
        more,
    }
}
