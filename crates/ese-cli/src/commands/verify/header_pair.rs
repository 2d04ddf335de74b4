//! Files that are two copies of one header page: checkpoints and patch files.

use ese_format::{
    Checkpoint, HeaderCopy, HeaderError, HeaderPairStatus, HeaderStructure, JetError, PageSize,
    header_checksum, header_checksum_matches,
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

/// A patch file: empty since the trailer page took its place; before that two copies of one header page, with the
/// backup's mark and the signatures, in front of patched pages.
pub(super) fn verify_patch(start: &[u8], report: &mut FileReport) {
    if start.is_empty() {
        report.remarks.push("empty, as engines write it since the trailer page took its place".to_owned());
        return;
    }
    let copy = |size: PageSize, index: usize| start.chunks(size.len()).nth(index).unwrap_or_default();
    let sound = |size: PageSize, index: usize| {
        let page = copy(size, index);
        page.len() == size.len() && header_checksum_matches(page)
    };
    // The rest of the page is zeros, which fit into any smaller or larger size too: the one with two copies is right.
    let mut sizes = PageSize::ALL.into_iter().rev();
    let both = sizes.clone().find(|size| sound(*size, 0) && sound(*size, 1));
    let size = both.or_else(|| sizes.find(|size| sound(*size, 0) || sound(*size, 1)));
    report.page_size = size;
    let size = size.unwrap_or(PageSize::DEFAULT);
    let error = |index: usize| (!sound(size, index)).then(|| patch_error(copy(size, index), size));
    let equal = copy(size, 0) == copy(size, 1);
    judge(error(0), error(1), equal, JetError::READ_VERIFY_FAILURE, report);
}

fn patch_error(page: &[u8], size: PageSize) -> HeaderError {
    let structure = HeaderStructure::PatchFileHeader;
    match page.first_chunk::<4>() {
        Some(stored) if page.len() == size.len() => {
            let (expected, found) = (u32::from_le_bytes(*stored), header_checksum(page));
            HeaderError::Checksum { structure, expected, found }
        }
        _ => HeaderError::Truncated { structure, expected: size.len(), found: page.len() },
    }
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
        place: Place::Page(if copy == HeaderCopy::Primary { -1 } else { 0 }),
        kind: "bad_header",
        expected,
        found,
        jet_error: Some(jet_error),
        text: error.to_string(),
        more: Vec::new(),
    }
}
