//! What can be wrong with a record.

use ese_format::JetError;

use super::kind::RecordKind;

/// Bytes that are no record. The caller knows the file and the position and adds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// No byte at all.
    #[error("record of zero bytes")]
    Empty,
    /// A type that the engine never had, or had once and dropped: its size is not known.
    #[error("record type {} is not known (expected one of the {} types with a known layout)", .kind.0, RecordKind::KNOWN.len())]
    UnknownKind {
        /// The type found.
        kind: RecordKind,
    },
    /// The size that the record's own counts ask for is not the size found.
    #[error("{kind} record: expected {expected} bytes, found {found}")]
    Size {
        /// Type of the record.
        kind: RecordKind,
        /// Bytes that the fixed part and the counts in it ask for.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
}

impl RecordError {
    #[cold]
    pub(crate) fn size(kind: RecordKind, expected: usize, found: usize) -> Self {
        Self::Size { kind, expected, found }
    }

    /// The engine's number: `JET_errLogFileCorrupt` for all of them, as its reader says it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        JetError::LOG_FILE_CORRUPT
    }
}

/// A value that has no stored form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A byte string longer than its count field can say.
    #[error("{kind} record: {field} of {length} bytes does not fit its count field")]
    TooLong {
        /// Type of the record.
        kind: RecordKind,
        /// Name of the byte string.
        field: &'static str,
        /// Its length in bytes.
        length: usize,
    },
}

impl EncodeError {
    /// The engine's number: `JET_errInvalidParameter`.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        JetError::INVALID_PARAMETER
    }
}
