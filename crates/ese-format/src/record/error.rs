//! Why a record cannot be read.

use crate::{CompressionError, JetError};

/// Why a record, or a value in it, cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Fewer than the four bytes every record has.
    #[error("record of {len} bytes")]
    TooShort {
        /// Length of the record.
        len: usize,
    },
    /// The header names a last column outside its range, or an end of the fixed columns outside the record.
    #[error(
        "record header: last fixed column {last_fixed}, last variable column {last_variable}, fixed columns end at {fixed_end} of {len}"
    )]
    Header {
        /// Last fixed column.
        last_fixed: u8,
        /// Last variable column.
        last_variable: u8,
        /// End of the fixed columns.
        fixed_end: u16,
        /// Length of the record.
        len: usize,
    },
    /// A fixed column's slot lies outside the fixed part.
    #[error("fixed column {column}: {size} bytes at {offset} end beyond {limit}")]
    FixedBounds {
        /// Column.
        column: u16,
        /// Offset of the slot.
        offset: usize,
        /// Size of the slot.
        size: usize,
        /// End of the fixed values.
        limit: usize,
    },
    /// A variable column's offsets are descending or outside the record.
    #[error("variable column {column}: from {start} to {end} of {limit} bytes")]
    VariableBounds {
        /// Column.
        column: u16,
        /// Start offset.
        start: usize,
        /// End offset.
        end: usize,
        /// Bytes behind the offset table.
        limit: usize,
    },
    /// The array of tagged columns does not fit the record, or its offsets are descending.
    #[error("tagged columns: entry {entry} from {start} to {end} of {limit} bytes")]
    TaggedBounds {
        /// Index of the entry.
        entry: usize,
        /// Start offset.
        start: usize,
        /// End offset.
        end: usize,
        /// Bytes of the tagged part.
        limit: usize,
    },
    /// Tagged columns out of order.
    #[error("tagged column {column} (entry {entry}) is out of order")]
    TaggedOrder {
        /// Column.
        column: u16,
        /// Index of the entry.
        entry: usize,
    },
    /// A multi-value's own offsets are broken, or its flags make no sense.
    #[error("tagged column {column}: broken value {instance} (flags {flags:#04x}, {len} bytes)")]
    MultiValue {
        /// Column.
        column: u16,
        /// Instance, counted from 1.
        instance: usize,
        /// Flags of the column's entry.
        flags: u8,
        /// Bytes of all instances.
        len: usize,
    },
    /// A separated value's id is neither 4 nor 8 bytes.
    #[error("tagged column {column}: long-value id of {len} bytes")]
    LongValueId {
        /// Column.
        column: u16,
        /// Length.
        len: usize,
    },
    /// The value is encrypted; the key is not in the file.
    #[error("tagged column {column} is encrypted")]
    Encrypted {
        /// Column.
        column: u16,
    },
    /// The value cannot be decompressed.
    #[error("tagged column {column}: {source}")]
    Compression {
        /// Column.
        column: u16,
        /// Why.
        source: CompressionError,
    },
}

impl RecordError {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        match self {
            Self::Encrypted { .. } => JetError::COLUMN_NO_ENCRYPTION_KEY,
            Self::Compression { source, .. } => source.jet_error(),
            Self::LongValueId { .. } => JetError::LV_CORRUPTED,
            _ => JetError::DATABASE_CORRUPTED,
        }
    }
}
