//! Files that are two copies of one header page: checkpoints and patch files.

use ese_format::{
    Checkpoint, HeaderCopy, HeaderError, HeaderPairStatus, JetError, PatchFileHeader, TrailerPage,
};
use serde_json::Value;

use super::report::{FileReport, Finding, Place};

/// Both copies of a checkpoint. The engine takes the first good one.
pub(super) fn verify_checkpoint(start: &[u8], report: &mut FileReport) {
    let copy = |offset: usize| {
        let page = start.get(offset..).unwrap_or_default();
        Checkpoint::parse(page.get(..Checkpoint::SIZE).unwrap_or(page))
    };
    let (first, second) = (copy(0), copy(Checkpoint::SIZE));
    let equal = matches!((&first, &second), (Ok(first), Ok(second)) if first == second);
    judge(first.err(), second.err(), equal, JetError::CHECKPOINT_CORRUPT, report);
}

/// A patch file of Windows 7 and earlier: two copies of one header page, in front of patched pages.
pub(super) fn verify_patch(start: &[u8], report: &mut FileReport) {
    let Ok(patch) = PatchFileHeader::probe(start) else { return };
    let size = patch.header.page_size();
    report.page_size = Some(size);
    let copy = |index: usize| {
        let page = start.chunks(size.len()).nth(index).unwrap_or_default();
        TrailerPage::parse(page).err()
    };
    let equal = patch.status == HeaderPairStatus::BothGood;
    judge(copy(0), copy(1), equal, JetError::READ_VERIFY_FAILURE, report);
}

fn judge(
    first: Option<HeaderError>,
    second: Option<HeaderError>,
    equal: bool,
    both_bad: JetError,
    report: &mut FileReport,
) {
    let status = HeaderPairStatus::of(first.is_none(), second.is_none(), equal);
    report.more.push(("header_copies", status.map_or("both_bad", HeaderPairStatus::name).into()));
    let error_number = if status.is_none() { both_bad } else { JetError::READ_VERIFY_FAILURE };
    for (copy, error) in [(HeaderCopy::Primary, first), (HeaderCopy::Secondary, second)] {
        if let Some(error) = error {
            report.find(bad_header(copy, &error, error_number));
        }
    }
}

/// The finding on a damaged header copy.
pub(super) fn bad_header(copy: HeaderCopy, error: &HeaderError, jet_error: JetError) -> Finding {
    let (expected, found) = match error {
        HeaderError::Checksum { expected, found, .. } => {
            (format!("{expected:08x}").into(), format!("{found:08x}").into())
        }
        HeaderError::Truncated { expected, found, .. } => ((*expected).into(), (*found).into()),
        HeaderError::PageSizeMismatch { expected, found, .. } => (expected.bytes().into(), (*found).into()),
        HeaderError::UnsupportedPageSize { found, .. } => (Value::Null, (*found).into()),
        _ => (Value::Null, Value::Null),
    };
    Finding {
        place: Place::Header(copy),
        kind: "bad_header",
        expected,
        found,
        jet_error: Some(jet_error),
        text: error.to_string(),
        more: Vec::new(),
    }
}
