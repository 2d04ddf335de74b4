//! Whether one log follows another.

use std::path::Path;

use ese_format::{HeaderError, HeaderStructure, LogHeader};

use crate::error::LogError;
use crate::scan::EndOfLog;

/// Checks that `next` is the generation after `previous`, in the engine's order: signature, number and creation time,
/// then the checksum of all segments of the generation before, when `previous_end` is known and the version of `next`
/// stores it.
///
/// # Errors
/// [`LogError::Header`] (`JET_errBadLogSignature`), [`LogError::Sequence`] (`JET_errInvalidLogSequence`),
/// [`LogError::SequenceChecksum`] (`JET_errLogSequenceChecksumMismatch`).
pub fn check_follows(
    previous: &LogHeader,
    previous_end: Option<&EndOfLog>,
    file: &Path,
    next: &LogHeader,
) -> Result<(), LogError> {
    if previous.signature() != next.signature() {
        let structure = HeaderStructure::LogHeader;
        let (expected, found) = (previous.signature(), next.signature());
        let error = HeaderError::Signature { structure, expected, found };
        return Err(LogError::Header { file: file.to_path_buf(), error });
    }
    let expected = previous.generation().next();
    if next.generation() != expected || next.previous_create_time() != previous.create_time() {
        return Err(LogError::Sequence {
            file: file.to_path_buf(),
            expected,
            found: next.generation(),
            expected_previous: previous.create_time(),
            found_previous: next.previous_create_time(),
        });
    }
    match previous_end {
        Some(end)
            if next.version().has_previous_checksum()
                && end.accumulated_checksum != next.previous_segments_checksum() =>
        {
            Err(LogError::SequenceChecksum {
                file: file.to_path_buf(),
                expected: end.accumulated_checksum,
                found: next.previous_segments_checksum(),
            })
        }
        _ => Ok(()),
    }
}
