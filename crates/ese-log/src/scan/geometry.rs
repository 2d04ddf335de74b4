//! The numbers of a log file that scanning and walking need.

use crate::segment::SEGMENT_SIZE;

/// Size and identity of one log file, taken from a checked header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Generation.
    pub generation: u32,
    /// Bytes of a sector; 4096 in major version 8.
    pub sector_size: u32,
    /// Sectors of the header.
    pub header_sectors: u16,
    /// Sectors of the file, header counted. At least `header_sectors + 2`.
    pub sectors: u16,
    /// Whether unused segments are zero (version 8.4000.2 on).
    pub zero_filled: bool,
}

impl Geometry {
    /// The last sector that holds data; the one behind it only ever holds a shadow.
    pub(crate) fn last_data_sector(self) -> u16 {
        self.sectors.saturating_sub(2)
    }

    /// Offset of a sector in the file.
    pub(crate) fn offset(self, sector: u16) -> u64 {
        u64::from(sector) * u64::from(self.sector_size)
    }

    /// Length of the file in bytes.
    pub(crate) fn file_len(self) -> u64 {
        self.offset(self.sectors)
    }

    /// Most bytes that the records of one generation have: what bounds the length of a single one.
    pub(crate) fn record_limit(self) -> usize {
        usize::from(self.sectors) * self.sector_size.max(SEGMENT_SIZE as u32) as usize
    }
}
