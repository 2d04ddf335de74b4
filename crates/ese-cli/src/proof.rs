//! Proving a restored database: every checksum, and everything that ties the database together.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ese_backup::{PageCounts, VerifyError, VerifyOptions, verify_database};
use ese_instance::{DatabaseReader, DeepSummary, DirtyPolicy, deep_verify};
use ese_io::{OpenOptions, Storage};
use serde_json::{Value, json};

use crate::commands::export::reader_failure;
use crate::context::Context;
use crate::failure::Failure;
use crate::progress::BarProgress;

/// What was looked at and found.
pub(crate) struct Proof {
    pages: PageCounts,
    page_findings: u64,
    deep: DeepSummary,
}

impl Proof {
    /// Verifies a database that is clean now.
    pub(crate) fn of(path: &Path, context: &Context) -> Result<Self, Failure> {
        let file = context.storage.open(path, OpenOptions::READ)?;
        let progress = BarProgress::new(context, "verify");
        let verified =
            verify_database(&*file, VerifyOptions::default(), &progress).map_err(|error| match error {
                VerifyError::Interrupted => Failure::interrupted(),
                VerifyError::Io(error) => error.into(),
                error => Failure::jet(error.jet_error(), &error).file(path),
            })?;
        drop(progress);
        let reader = DatabaseReader::from_file(Arc::clone(&file), DirtyPolicy::Refuse)
            .map_err(|error| reader_failure(&error, path))?;
        let interrupt = Arc::clone(&context.interrupt);
        let deep = deep_verify(&reader, &move || interrupt.load(Ordering::Relaxed), &mut |_| {})
            .map_err(|error| reader_failure(&error, path))?;
        context.check_interrupt()?;
        let page_findings = verified.findings.len() as u64 + verified.findings_omitted;
        Ok(Self { pages: verified.pages, page_findings, deep })
    }

    /// Whether nothing is wrong.
    pub(crate) fn holds(&self) -> bool {
        self.page_findings == 0 && self.deep.errors == 0 && self.deep.warnings == 0
    }

    pub(crate) fn text(&self) -> String {
        let verdict = if self.holds() { "nothing is wrong" } else { "NOT CLEAN: see `ese verify --deep`" };
        format!(
            "{} pages, {} tables, {} rows, {} index entries, {} long values: {verdict}",
            self.pages.total,
            self.deep.tables,
            self.deep.rows,
            self.deep.index_entries,
            self.deep.long_values
        )
    }

    pub(crate) fn object(&self) -> Value {
        json!({
            "holds": self.holds(),
            "pages": self.pages.total,
            "page_findings": self.page_findings,
            "tables": self.deep.tables,
            "rows": self.deep.rows,
            "index_entries": self.deep.index_entries,
            "long_values": self.deep.long_values,
            "deep_errors": self.deep.errors,
            "deep_warnings": self.deep.warnings,
        })
    }
}
