//! Positions in a log stream.

use std::fmt;

/// Position of a log record: generation, sector, byte offset in the sector.
///
/// 8 bytes, little-endian; the stored bytes read as one `u64` order by generation, then sector, then byte.
/// All zero means "not set".
/// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/daedef.hxx`, `LE_LGPOS`.
///
/// | offset | size | field        | note                                    |
/// |-------:|-----:|--------------|-----------------------------------------|
/// |      0 |    2 | `byte`       | offset inside the sector                |
/// |      2 |    2 | `sector`     | index in the log file, header counted   |
/// |      4 |    4 | `generation` | signed 32-bit; positive in every log    |
#[doc(alias = "LGPOS")]
#[doc(alias = "LE_LGPOS")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    // Field order is the sort order.
    /// Log generation.
    #[doc(alias = "lGeneration")]
    pub generation: u32,
    /// Sector (segment) index in the file, header sectors counted.
    #[doc(alias = "isec")]
    pub sector: u16,
    /// Byte offset inside the sector.
    #[doc(alias = "ib")]
    pub byte: u16,
}

impl LogPosition {
    /// Stored size in bytes.
    pub const SIZE: usize = 8;
    /// "Not set".
    #[doc(alias = "lgposMin")]
    pub const NONE: Self = Self { generation: 0, sector: 0, byte: 0 };
    /// Above every real position.
    #[doc(alias = "lgposMax")]
    pub const MAX: Self = Self { generation: 0x7FFF_FFFF, sector: 0xFFFF, byte: 0xFFFF };

    /// A position from its three parts.
    #[must_use]
    pub const fn new(generation: u32, sector: u16, byte: u16) -> Self {
        Self { generation, sector, byte }
    }

    /// Decodes the stored form.
    #[must_use]
    pub const fn from_bytes(b: [u8; 8]) -> Self {
        Self::from_u64(u64::from_le_bytes(b))
    }

    /// The stored form.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.to_u64().to_le_bytes()
    }

    /// Decodes the stored bytes read as one little-endian `u64`.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each part is masked by the shift")]
    pub const fn from_u64(v: u64) -> Self {
        Self { generation: (v >> 32) as u32, sector: (v >> 16) as u16, byte: v as u16 }
    }

    /// The stored bytes read as one little-endian `u64`; orders like the position.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        (self.generation as u64) << 32 | (self.sector as u64) << 16 | self.byte as u64
    }

    /// Whether this is the all-zero "not set".
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// The engine's own notation: `GGGGGGGG,SSSS,BBBB`, hexadecimal.
impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X},{:04X},{:04X}", self.generation, self.sector, self.byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_bytes_are_byte_sector_generation() {
        let position = LogPosition::from_bytes([0x34, 0x12, 0x05, 0, 7, 0, 0, 0]);
        assert_eq!(position, LogPosition::new(7, 5, 0x1234));
        assert_eq!(position.to_bytes(), [0x34, 0x12, 0x05, 0, 7, 0, 0, 0]);
        assert_eq!(position.to_string(), "00000007,0005,1234");
    }

    #[test]
    fn order_is_generation_sector_byte() {
        assert!(LogPosition::new(2, 0, 0) > LogPosition::new(1, 0xFFFF, 0xFFFF));
        assert!(LogPosition::new(1, 2, 0) > LogPosition::new(1, 1, 0xFFFF));
    }
}
