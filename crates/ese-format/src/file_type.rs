//! The file type number that the headers carry at offset 667.

use std::fmt;

use zerocopy::little_endian::U32;

use crate::field::FieldValue;
use crate::stored::Stored;

/// Type of a file, 4 bytes at offset 667 of a database, log, checkpoint or flush-map header. 0 in files older than the
/// field (2001). Unknown numbers are kept.
#[doc(alias = "JET_filetype")]
#[doc(alias = "le_filetype")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FileType(pub u32);

impl FileType {
    /// Where every header keeps it.
    pub const OFFSET: usize = 667;

    /// Not known: written before the field existed.
    pub const UNKNOWN: Self = Self(0);
    /// Database.
    pub const DATABASE: Self = Self(1);
    /// Streaming file of Exchange 2000 to 2003.
    pub const STREAMING_FILE: Self = Self(2);
    /// Transaction log.
    pub const LOG: Self = Self(3);
    /// Checkpoint.
    pub const CHECKPOINT: Self = Self(4);
    /// Temporary database.
    pub const TEMPORARY_DATABASE: Self = Self(5);
    /// Trace log of the engine.
    pub const TRACE_LOG: Self = Self(6);
    /// Flush map.
    pub const FLUSH_MAP: Self = Self(7);
    /// File that is cached by another one.
    pub const CACHED_FILE: Self = Self(8);
    /// File that caches another one.
    pub const CACHING_FILE: Self = Self(9);

    /// The name in lower case with underscores, or `None` for an unknown number.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::UNKNOWN => "unknown",
            Self::DATABASE => "database",
            Self::STREAMING_FILE => "streaming_file",
            Self::LOG => "log",
            Self::CHECKPOINT => "checkpoint",
            Self::TEMPORARY_DATABASE => "temporary_database",
            Self::TRACE_LOG => "trace_log",
            Self::FLUSH_MAP => "flush_map",
            Self::CACHED_FILE => "cached_file",
            Self::CACHING_FILE => "caching_file",
            _ => return None,
        })
    }
}

/// The name, or the number of an unknown type.
impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Stored for FileType {
    type Raw = U32;
    fn load(raw: U32) -> Self {
        Self(raw.get())
    }
    fn store(self) -> U32 {
        self.0.into()
    }
    fn field(self) -> FieldValue {
        FieldValue::Kind { number: self.0, name: self.name() }
    }
}
