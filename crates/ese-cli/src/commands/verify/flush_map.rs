//! A flush map: its header and every map page.

use ese_backup::{VerifyError, VerifyOptions, verify_flush_map};
use ese_format::{HeaderCopy, PageSize};
use ese_io::File;

use super::database::{counts, describe};
use super::header_pair::bad_header;
use super::report::FileReport;
use crate::context::Context;
use crate::failure::Failure;
use crate::progress::BarProgress;

pub(super) fn verify(file: &dyn File, context: &Context, report: &mut FileReport) -> Result<(), Failure> {
    let name = file.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let progress = BarProgress::new(context, name);
    let result = verify_flush_map(file, VerifyOptions::default(), &progress);
    drop(progress);
    let verification = match result {
        Ok(verification) => verification,
        Err(VerifyError::Interrupted) => return Err(Failure::interrupted()),
        Err(VerifyError::Io(error)) => return Err(error.into()),
        Err(error) => return Err(Failure::jet(error.jet_error(), &error).file(file.path())),
    };
    report.page_size = PageSize::new(8192).ok();
    report.counts = Some(("pages", counts(verification.pages)));
    if let Some(error) = &verification.header_error {
        report.find(bad_header(HeaderCopy::Primary, error, error.jet_error()));
    }
    for finding in &verification.findings {
        report.find(describe(finding));
    }
    report.findings_omitted = verification.findings_omitted;
    Ok(())
}
