//! The deep checks of a database.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ese_instance::{DatabaseReader, DeepFinding, DirtyPolicy, FindingSeverity, deep_verify};
use ese_io::File;
use serde_json::{Value, json};

use super::report::{FileReport, Finding, Place, Verdict};
use crate::commands::export::reader_failure;
use crate::context::Context;
use crate::failure::Failure;

/// Findings that are kept; more are counted only.
const MAX_FINDINGS: usize = 10_000;

/// Adds what the deep checks find. Informations are remarks and do not change the verdict.
pub(super) fn verify(
    file: &Arc<dyn File>,
    context: &Context,
    report: &mut FileReport,
) -> Result<(), Failure> {
    if report.verdict == Verdict::NotVerified {
        return Ok(());
    }
    let path = file.path().to_path_buf();
    let reader = match DatabaseReader::from_file(Arc::clone(file), DirtyPolicy::ReadAsItIs) {
        Ok(reader) => reader,
        // A database without a usable header was found out already.
        Err(_) if report.verdict == Verdict::Findings => return Ok(()),
        Err(error) => return Err(reader_failure(&error, &path)),
    };
    let interrupt = Arc::clone(&context.interrupt);
    let interrupted = move || interrupt.load(Ordering::Relaxed);
    let mut informations = Vec::new();
    let result = deep_verify(&reader, &interrupted, &mut |finding| {
        if finding.severity == FindingSeverity::Information {
            if informations.len() < MAX_FINDINGS {
                informations.push(to_json(&finding));
            }
        } else if report.findings.len() < MAX_FINDINGS {
            report.find(describe(&finding));
        } else {
            report.findings_omitted += 1;
        }
    });
    context.check_interrupt()?;
    match result {
        Ok(summary) => {
            let reported = report.findings.len() as u64 + report.findings_omitted + informations.len() as u64;
            report.remarks.push(format!(
                "deep: {} tables, {} rows, {} index entries, {} long values, {} pages in trees; \
                 {} errors, {} warnings, {} informations",
                summary.tables,
                summary.rows,
                summary.index_entries,
                summary.long_values,
                summary.tree_pages,
                summary.errors,
                summary.warnings,
                summary.informations
            ));
            if summary.indexes_by_bookmark > 0 {
                report.remarks.push(format!(
                    "{} indexes hold Unicode text whose sort keys are not known: their bookmarks were compared, not their keys",
                    summary.indexes_by_bookmark
                ));
            }
            let all = summary.errors + summary.warnings + summary.informations;
            report.more.push((
                "deep",
                json!({
                    "tables": summary.tables, "rows": summary.rows, "index_entries": summary.index_entries,
                    "long_values": summary.long_values, "tree_pages": summary.tree_pages,
                    "indexes_by_bookmark": summary.indexes_by_bookmark, "errors": summary.errors,
                    "warnings": summary.warnings, "informations": summary.informations,
                    "alike_not_listed": all.saturating_sub(reported),
                }),
            ));
        }
        // The root's space or the catalog is unreadable: nothing below them can be judged.
        Err(error) => report.find(Finding {
            place: error.page().map_or(Place::Whole, |page| Place::Page(page.0)),
            kind: "catalog_unreadable",
            expected: Value::Null,
            found: Value::Null,
            jet_error: Some(error.jet_error()),
            text: error.to_string(),
            more: vec![("severity", "error".into())],
        }),
    }
    report.more.push(("informations", informations.into()));
    Ok(())
}

fn describe(finding: &DeepFinding) -> Finding {
    let object = finding.object_id.map_or(String::new(), |o| format!("object {o}: "));
    let line = finding.line.map_or(String::new(), |l| format!("line {l}: "));
    Finding {
        place: finding.page.map_or(Place::Whole, |page| Place::Page(page.0)),
        kind: finding.problem.name(),
        expected: Value::Null,
        found: Value::Null,
        jet_error: Some(finding.problem.jet_error()),
        text: format!("{}: {object}{line}{}", finding.severity.name(), finding.problem),
        more: vec![
            ("severity", finding.severity.name().into()),
            ("object_id", finding.object_id.map(|o| o.0).into()),
            ("line", finding.line.into()),
        ],
    }
}

fn to_json(finding: &DeepFinding) -> Value {
    json!({
        "page": finding.page.map(|p| p.0), "kind": finding.problem.name(),
        "object_id": finding.object_id.map(|o| o.0), "line": finding.line,
        "text": finding.problem.to_string(),
    })
}
