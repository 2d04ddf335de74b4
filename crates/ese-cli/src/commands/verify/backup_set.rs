//! A directory that is a backup set: whether everything of it is there and belongs together.

use std::path::Path;

use ese_backup::{BackupSetFinding, VerifyError, verify_backup_set};
use serde_json::Value;

use super::report::{FileReport, Finding, Place};
use crate::context::Context;
use crate::failure::Failure;
use crate::progress::BarProgress;

/// The report on a directory as a whole; `None` when it is no backup set.
pub(super) fn verify(directory: &Path, context: &Context) -> Result<Option<FileReport>, Failure> {
    let progress = BarProgress::new(context, "backup set");
    let set = match verify_backup_set(&context.storage, directory, &progress) {
        Ok(Some(set)) => set,
        Ok(None) => return Ok(None),
        Err(VerifyError::Interrupted) => return Err(Failure::interrupted()),
        Err(VerifyError::Io(error)) => return Err(error.into()),
        Err(error) => return Err(Failure::jet(error.jet_error(), &error).file(directory)),
    };
    drop(progress);
    let mut report = FileReport::new(directory, "backup_set");
    report.more.push(("manifest", set.has_manifest.into()));
    report.more.push(("databases", set.databases.into()));
    report.more.push(("logs", set.logs.into()));
    for finding in &set.findings {
        report.find(describe(finding));
    }
    if set.has_manifest && set.findings.is_empty() {
        report.remarks.push("every file is as the manifest says".to_owned());
    }
    Ok(Some(report))
}

fn describe(finding: &BackupSetFinding) -> Finding {
    let (expected, found, text): (Value, Value, String) = match finding {
        BackupSetFinding::MissingFile { .. } => {
            (Value::Null, Value::Null, "is in the manifest but not in the set".to_owned())
        }
        BackupSetFinding::Size { expected, found, .. } => {
            ((*expected).into(), (*found).into(), format!("has {found} bytes, the manifest tells {expected}"))
        }
        BackupSetFinding::Crc32c { expected, found, .. } => (
            expected.clone().into(),
            found.clone().into(),
            format!("has CRC-32C {found}, the manifest tells {expected}"),
        ),
        BackupSetFinding::MissingLog { generation, .. } => (
            (*generation).into(),
            Value::Null,
            format!("needs log generation {generation}, which is not in the set"),
        ),
        BackupSetFinding::Trailer { error, .. } => (Value::Null, Value::Null, error.to_string()),
        other => (Value::Null, Value::Null, format!("{other:?}")),
    };
    let name = finding.file().file_name().unwrap_or_default().to_string_lossy().into_owned();
    Finding {
        place: Place::File(name),
        kind: finding.name(),
        expected,
        found,
        jet_error: finding.jet_error(),
        text,
        more: Vec::new(),
    }
}
