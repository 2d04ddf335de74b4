//! A flush range of major version 7 in its file: its checksum record and how it is verified.

use ese_format::{LogGeneration, RawChecksumRecord, log_range_checksum};
use ese_io::IoError;
use zerocopy::FromBytes;

use crate::scan::Geometry;

use super::window::Window;

/// Bytes that are summed at a time; a multiple of the lane of four.
const PIECE: u64 = 64 * 1024;

/// A checksum record at its place.
///
/// Its range is `backward_bytes` bytes in front of the record and `forward_bytes` bytes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChecksumRecord {
    /// Offset of the record in the file.
    pub offset: u64,
    /// The record.
    pub raw: RawChecksumRecord,
}

/// Which checksum a range carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeVerdict {
    /// That of a primary.
    Primary,
    /// That of a shadow copy.
    Shadow,
    /// Neither; what the content gives.
    Bad { computed: u32 },
}

impl ChecksumRecord {
    pub(crate) const SIZE: usize = RawChecksumRecord::SIZE;

    /// Reads the record at `offset` and checks that it can be one: its type, its counts against its place, and the
    /// checksum of its own sector when it has one. `None` when it is none.
    #[doc(alias = "FValidLRCKRecord")]
    pub(crate) fn read(
        window: &mut Window,
        geometry: Geometry,
        offset: u64,
    ) -> Result<Option<Self>, IoError> {
        let size = u64::from(geometry.sector_size);
        let (sector, inside) = (offset / size, (offset % size) as usize);
        if (sector + 1) * size > window.len() {
            return Ok(None);
        }
        let bytes = window.bytes(sector * size, size as usize)?;
        let stored = bytes.get(inside..).and_then(|b| RawChecksumRecord::read_from_prefix(b).ok());
        let Some((raw, _)) = stored else { return Ok(None) };
        let sectors = u32::from(geometry.sectors);
        let valid = raw.check(bytes, inside, sector as u32, sectors, LogGeneration(geometry.generation));
        Ok(valid.is_ok().then_some(Self { offset, raw }))
    }

    /// Offset of the first byte of the range.
    pub(crate) fn range_start(self) -> u64 {
        self.offset - u64::from(self.raw.backward_bytes())
    }

    /// Offset behind the range.
    pub(crate) fn range_end(self) -> u64 {
        self.offset + Self::SIZE as u64 + u64::from(self.raw.forward_bytes())
    }

    /// Offset of the next checksum record, or `None` for the last one.
    pub(crate) fn next_offset(self) -> Option<u64> {
        let distance = u64::from(self.raw.next_distance());
        (distance != 0).then(|| self.offset + Self::SIZE as u64 + distance)
    }

    /// Which checksum the range carries.
    pub(crate) fn verify(self, window: &mut Window, geometry: Geometry) -> Result<RangeVerdict, IoError> {
        // The sum is an XOR: what the record's own fields add and what the bytes add can be joined afterwards.
        let own = self.raw.compute_range_checksum(&[], &[], LogGeneration(geometry.generation));
        let before = sum_range(window, self.range_start(), self.offset)?;
        let computed = own ^ before ^ sum_range(window, self.offset + Self::SIZE as u64, self.range_end())?;
        let stored = self.raw.range_checksum();
        Ok(if computed == stored {
            RangeVerdict::Primary
        } else if computed ^ RawChecksumRecord::SHADOW == stored {
            RangeVerdict::Shadow
        } else {
            RangeVerdict::Bad { computed }
        })
    }

    /// The same record with the checksum of the other kind of copy.
    pub(crate) fn toggled_shadow(mut self) -> Self {
        self.raw.set_range_checksum(self.raw.range_checksum() ^ RawChecksumRecord::SHADOW);
        self
    }
}

/// Turns the copy of a sector into what belongs in its place: the checksum of its record, at `byte`, becomes that of a
/// primary. `false` when there is no room for a record.
pub(crate) fn shadow_as_primary(sector: &mut [u8], byte: u16) -> bool {
    let stored = sector.get_mut(usize::from(byte)..);
    let Some((raw, _)) = stored.and_then(|b| RawChecksumRecord::mut_from_prefix(b).ok()) else {
        return false;
    };
    raw.set_range_checksum(raw.range_checksum() ^ RawChecksumRecord::SHADOW);
    true
}

fn sum_range(window: &mut Window, start: u64, end: u64) -> Result<u32, IoError> {
    let (mut at, mut sum) = (start, 0);
    while at < end {
        let count = (end - at).min(PIECE);
        sum = log_range_checksum(window.bytes(at, count as usize)?, sum);
        at += count;
    }
    Ok(sum)
}
