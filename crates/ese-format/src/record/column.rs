//! Column ids and types.

use std::fmt;

/// Number of a column within its table: fixed 1–127, variable 128–255, tagged from 256 on.
#[doc(alias = "FID")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnId(pub u16);

impl ColumnId {
    /// First and last fixed column.
    pub const FIXED: std::ops::RangeInclusive<u16> = 1..=127;
    /// First and last variable column.
    pub const VARIABLE: std::ops::RangeInclusive<u16> = 128..=255;
    /// First and last tagged column.
    #[doc(alias = "fidTaggedMost")]
    pub const TAGGED: std::ops::RangeInclusive<u16> = 256..=65_248;

    /// Whether it has a slot of fixed size in each record.
    #[must_use]
    pub fn is_fixed(self) -> bool {
        Self::FIXED.contains(&self.0)
    }

    /// Whether it is kept in the record's offset table.
    #[must_use]
    pub fn is_variable(self) -> bool {
        Self::VARIABLE.contains(&self.0)
    }

    /// Whether it is kept with its number, and only when present.
    #[must_use]
    pub const fn is_tagged(self) -> bool {
        self.0 >= 256
    }
}

impl fmt::Display for ColumnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Type of a column. Unknown numbers are kept.
#[doc(alias = "JET_COLTYP")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ColumnKind(pub u8);

impl ColumnKind {
    /// Deleted column.
    pub const NIL: Self = Self(0);
    /// One byte, false or true.
    pub const BIT: Self = Self(1);
    /// Unsigned, 1 byte.
    pub const UNSIGNED_BYTE: Self = Self(2);
    /// Signed, 2 bytes.
    pub const SHORT: Self = Self(3);
    /// Signed, 4 bytes.
    pub const LONG: Self = Self(4);
    /// Signed, 8 bytes.
    pub const CURRENCY: Self = Self(5);
    /// Floating point, 4 bytes.
    pub const IEEE_SINGLE: Self = Self(6);
    /// Floating point, 8 bytes.
    pub const IEEE_DOUBLE: Self = Self(7);
    /// Floating point, 8 bytes: days since 1899-12-30. Some applications and the catalog store a FILETIME here.
    pub const DATE_TIME: Self = Self(8);
    /// Bytes, at most 255.
    pub const BINARY: Self = Self(9);
    /// Text, at most 255 bytes.
    pub const TEXT: Self = Self(10);
    /// Bytes, long value.
    pub const LONG_BINARY: Self = Self(11);
    /// Text, long value.
    pub const LONG_TEXT: Self = Self(12);
    /// Obsolete streaming value.
    pub const SLV: Self = Self(13);
    /// Unsigned, 4 bytes.
    pub const UNSIGNED_LONG: Self = Self(14);
    /// Signed, 8 bytes.
    pub const LONG_LONG: Self = Self(15);
    /// Windows GUID, 16 bytes.
    pub const GUID: Self = Self(16);
    /// Unsigned, 2 bytes.
    pub const UNSIGNED_SHORT: Self = Self(17);
    /// Unsigned, 8 bytes.
    pub const UNSIGNED_LONG_LONG: Self = Self(18);

    /// Size of a value in bytes for the types that have one.
    #[must_use]
    pub const fn fixed_size(self) -> Option<usize> {
        match self {
            Self::BIT | Self::UNSIGNED_BYTE => Some(1),
            Self::SHORT | Self::UNSIGNED_SHORT => Some(2),
            Self::LONG | Self::UNSIGNED_LONG | Self::IEEE_SINGLE => Some(4),
            Self::CURRENCY
            | Self::IEEE_DOUBLE
            | Self::DATE_TIME
            | Self::LONG_LONG
            | Self::UNSIGNED_LONG_LONG => Some(8),
            Self::GUID => Some(16),
            _ => None,
        }
    }

    /// Whether it is text, long or not.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::TEXT | Self::LONG_TEXT)
    }

    /// Whether it is text or bytes, long or not.
    #[must_use]
    pub const fn is_text_or_binary(self) -> bool {
        self.is_text() || matches!(self, Self::BINARY | Self::LONG_BINARY)
    }

    /// Whether values may live in the long-value tree.
    #[must_use]
    pub const fn is_long_value(self) -> bool {
        matches!(self, Self::LONG_BINARY | Self::LONG_TEXT)
    }

    /// The engine's name without `JET_coltyp`, or `None` for an unknown number.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NIL => "Nil",
            Self::BIT => "Bit",
            Self::UNSIGNED_BYTE => "UnsignedByte",
            Self::SHORT => "Short",
            Self::LONG => "Long",
            Self::CURRENCY => "Currency",
            Self::IEEE_SINGLE => "IEEESingle",
            Self::IEEE_DOUBLE => "IEEEDouble",
            Self::DATE_TIME => "DateTime",
            Self::BINARY => "Binary",
            Self::TEXT => "Text",
            Self::LONG_BINARY => "LongBinary",
            Self::LONG_TEXT => "LongText",
            Self::SLV => "SLV",
            Self::UNSIGNED_LONG => "UnsignedLong",
            Self::LONG_LONG => "LongLong",
            Self::GUID => "GUID",
            Self::UNSIGNED_SHORT => "UnsignedShort",
            Self::UNSIGNED_LONG_LONG => "UnsignedLongLong",
            _ => return None,
        })
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}
