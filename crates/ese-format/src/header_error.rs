//! What is wrong with a header.

use std::fmt;

use crate::{FileType, JetError, PageSize, Signature};

/// Which structure an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeaderStructure {
    /// Database header page.
    DatabaseHeader,
    /// Header page of a patch file (Windows 7 and earlier).
    PatchFileHeader,
    /// Trailer page of a database in a backup set.
    TrailerPage,
    /// Flush-map header page.
    FlushMapHeader,
    /// Flush-map data page.
    FlushMapPage,
    /// Log file header.
    LogHeader,
    /// Attachment list of a log header or checkpoint.
    AttachmentList,
    /// Header of a log segment.
    LogSegmentHeader,
    /// Checksum record of a log of major version 7.
    ChecksumRecord,
    /// Checkpoint.
    Checkpoint,
}

impl fmt::Display for HeaderStructure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DatabaseHeader => "database header",
            Self::PatchFileHeader => "patch file header",
            Self::TrailerPage => "backup trailer page",
            Self::FlushMapHeader => "flush-map header",
            Self::FlushMapPage => "flush-map page",
            Self::LogHeader => "log header",
            Self::AttachmentList => "attachment list",
            Self::LogSegmentHeader => "log segment header",
            Self::ChecksumRecord => "checksum record",
            Self::Checkpoint => "checkpoint",
        })
    }
}

/// A header that cannot be used, and why. Checks run in the engine's order, so that the error is the one it gives.
///
/// In checksum errors `expected` is the stored checksum and `found` the one computed from the content, the way the
/// engine's events name them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Fewer bytes than the structure has.
    #[error("{structure}: {found} bytes where {expected} are needed")]
    Truncated {
        /// Which structure.
        structure: HeaderStructure,
        /// Bytes needed.
        expected: usize,
        /// Bytes there.
        found: usize,
    },
    /// The checksum is wrong.
    #[error("{structure}: checksum is {expected:#010x}, the content gives {found:#010x}")]
    Checksum {
        /// Which structure.
        structure: HeaderStructure,
        /// The stored checksum.
        expected: u32,
        /// The checksum of the content.
        found: u32,
    },
    /// Neither of the two copies is valid.
    #[error("{structure}: neither of the two copies is valid")]
    NoValidCopy {
        /// Which structure.
        structure: HeaderStructure,
    },
    /// The magic number is wrong.
    #[error("{structure}: magic number is {found:#010x} instead of {expected:#010x}")]
    Magic {
        /// Which structure.
        structure: HeaderStructure,
        /// The right one.
        expected: u32,
        /// The stored one.
        found: u32,
    },
    /// The file is of another type.
    #[error("{structure}: file type is {found}, not {expected}")]
    FileType {
        /// Which structure.
        structure: HeaderStructure,
        /// The type wanted.
        expected: FileType,
        /// The stored one.
        found: FileType,
    },
    /// The format version is not supported.
    #[error("{structure}: format version {found} is not supported ({expected})")]
    Version {
        /// Which structure.
        structure: HeaderStructure,
        /// What is supported.
        expected: String,
        /// The stored version.
        found: String,
        /// The engine's number for this refusal.
        jet_error: JetError,
    },
    /// The stored page size is no page size.
    #[error("{structure}: {found} is not a page size")]
    UnsupportedPageSize {
        /// Which structure.
        structure: HeaderStructure,
        /// The stored number.
        found: u32,
    },
    /// The page size is not the one wanted.
    #[error("{structure}: page size is {found}, not {expected}")]
    PageSizeMismatch {
        /// Which structure.
        structure: HeaderStructure,
        /// The page size wanted.
        expected: PageSize,
        /// The stored one.
        found: u32,
    },
    /// The log belongs to another stream, or the checkpoint does.
    #[error("{structure}: signature is {found}, not {expected}")]
    Signature {
        /// Which structure.
        structure: HeaderStructure,
        /// The signature wanted.
        expected: Signature,
        /// The stored one.
        found: Signature,
    },
    /// The file's length is not the one its header tells.
    #[error("{structure}: file has {found} bytes, its header tells {expected}")]
    FileSize {
        /// Which structure.
        structure: HeaderStructure,
        /// Length by the header, in bytes.
        expected: u64,
        /// Length of the file, in bytes.
        found: u64,
    },
    /// The database is not in the state that is needed.
    #[error("database is in state {found}, not clean_shutdown")]
    State {
        /// Its state.
        found: crate::DatabaseState,
        /// The engine's number for this refusal.
        jet_error: JetError,
    },
    /// A field holds a value that cannot be.
    #[error("{structure}: {field} is {found}, expected {expected}")]
    Field {
        /// Which structure.
        structure: HeaderStructure,
        /// Documented name of the field.
        field: &'static str,
        /// What would be legal.
        expected: String,
        /// The stored value.
        found: String,
    },
}

impl HeaderError {
    /// Which structure the error is about.
    #[must_use]
    pub const fn structure(&self) -> HeaderStructure {
        match self {
            Self::Truncated { structure, .. }
            | Self::Checksum { structure, .. }
            | Self::NoValidCopy { structure }
            | Self::Magic { structure, .. }
            | Self::FileType { structure, .. }
            | Self::Version { structure, .. }
            | Self::UnsupportedPageSize { structure, .. }
            | Self::PageSizeMismatch { structure, .. }
            | Self::Signature { structure, .. }
            | Self::FileSize { structure, .. }
            | Self::Field { structure, .. } => *structure,
            Self::State { .. } => HeaderStructure::DatabaseHeader,
        }
    }

    /// The engine's error number.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        use HeaderStructure as S;
        match self {
            Self::Version { jet_error, .. } | Self::State { jet_error, .. } => *jet_error,
            Self::PageSizeMismatch { .. } => JetError::PAGE_SIZE_MISMATCH,
            Self::FileSize { .. } => JetError::LOG_FILE_SIZE_MISMATCH,
            Self::Magic { .. } => JetError::INVALID_DATABASE_VERSION,
            Self::FileType { structure: S::DatabaseHeader, .. } => JetError::DATABASE_CORRUPTED,
            Self::FileType { .. } => JetError::FILE_INVALID_TYPE,
            Self::Signature { structure: S::Checkpoint, .. } => JetError::BAD_CHECKPOINT_SIGNATURE,
            Self::Signature { structure: S::FlushMapHeader, .. } => JetError::FLUSH_MAP_DATABASE_MISMATCH,
            Self::Signature { structure: S::TrailerPage, .. }
            | Self::Field { structure: S::TrailerPage, .. } => JetError::DATABASE_PATCH_FILE_MISMATCH,
            Self::Signature { .. } => JetError::BAD_LOG_SIGNATURE,
            // Where there is one copy only, the engine gives the failed read as it is.
            Self::Truncated { structure: S::LogHeader | S::FlushMapHeader | S::FlushMapPage, .. } => {
                JetError::FILE_IO_BEYOND_EOF
            }
            Self::Truncated { structure, .. }
            | Self::Checksum { structure, .. }
            | Self::NoValidCopy { structure }
            | Self::UnsupportedPageSize { structure, .. }
            | Self::Field { structure, .. } => match structure {
                S::DatabaseHeader => JetError::DATABASE_CORRUPTED,
                S::PatchFileHeader | S::TrailerPage => JetError::BAD_PATCH_PAGE,
                S::FlushMapHeader | S::FlushMapPage => JetError::READ_VERIFY_FAILURE,
                S::LogHeader | S::AttachmentList | S::LogSegmentHeader | S::ChecksumRecord => {
                    JetError::LOG_FILE_CORRUPT
                }
                S::Checkpoint => JetError::CHECKPOINT_CORRUPT,
            },
        }
    }
}
