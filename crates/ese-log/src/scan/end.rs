//! What a scan of one generation found.

use ese_format::{JetError, LogPosition};

use crate::context::ReplayContext;

use super::geometry::Geometry;

/// The state of one generation's body: where it ends and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndOfLog {
    /// Behind the last valid data: where a new record would begin, and what limits reading.
    pub end: LogPosition,
    /// Sectors of the body: all but the header's.
    pub sectors: u32,
    /// Sectors that hold valid data.
    pub data: u32,
    /// Shadow copies of a partially filled sector.
    pub shadows: u32,
    /// Sectors never written: zeros, or the fill pattern of old formats.
    pub unused: u32,
    /// Sectors without a meaning behind the end: an older generation's in a recycled file, and whatever stands in the last
    /// sector of a file, which nobody looks at unless the one before it is damaged.
    pub stale: u32,
    /// Sectors whose single flipped bit was corrected.
    pub corrected: u32,
    /// Sectors taken from their shadow.
    pub from_shadow: u32,
    /// Damaged sectors and such as must not be where they are.
    pub bad: u32,
    /// XOR of the checksums of all data segments; the next generation's header repeats it. 0 for major version 7.
    #[doc(alias = "checksumPrevLogAllSegments")]
    pub accumulated_checksum: u64,
    /// Position of the record that closes the stream in order, when the data ends with one.
    #[doc(alias = "fCloseNormally")]
    pub closed_at: Option<LogPosition>,
    /// What can be set right in the file, and how. Nothing was written.
    pub repairs: Vec<Repair>,
    /// The first thing that cannot be set right. Data before it is valid and can be replayed.
    pub defect: Option<LogDefect>,
}

/// Bytes of the record that closes a stream of the current format.
const CLOSING_RECORD_LEN: usize = 26;

impl EndOfLog {
    /// Whether the record that closes the stream is the one at `position`, so that nothing is left to replay from there.
    ///
    /// A record's position is where its append began. When the rest of a segment was too short for it, that is in front of
    /// the fill there, while the record itself is the first of the next segment.
    #[must_use]
    pub fn is_closed_at(&self, position: LogPosition) -> bool {
        self.closed_at.is_some_and(|closed| {
            let is_first = closed.byte == 0 && closed.generation == position.generation;
            let before_fill = position.sector.checked_add(1) == Some(closed.sector)
                && usize::from(position.byte) + CLOSING_RECORD_LEN > crate::segment::SEGMENT_SIZE;
            closed == position || is_first && before_fill
        })
    }

    /// Nothing found yet in a body of this size.
    pub(crate) fn empty(geometry: Geometry) -> Self {
        Self {
            end: LogPosition::NONE,
            sectors: u32::from(geometry.sectors.saturating_sub(geometry.header_sectors)),
            data: 0,
            shadows: 0,
            unused: 0,
            stale: 0,
            corrected: 0,
            from_shadow: 0,
            bad: 0,
            accumulated_checksum: 0,
            closed_at: None,
            repairs: Vec::new(),
            defect: None,
        }
    }

    /// Whether everything is as the engine wants it, possibly after repairs that it would make by itself.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.defect.is_none()
    }
}

/// A sector whose content in the file is not what was read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Number of the sector in the file.
    pub sector: u16,
    /// Byte in the sector where its checksum record begins (major version 7); else 0.
    pub byte: u16,
    /// What makes it right.
    pub action: RepairAction,
}

/// How a sector is set right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepairAction {
    /// Flip one bit, numbered `8 · byte + bit`.
    FlipBit(u32),
    /// Copy the sector behind it, its shadow, over it.
    CopyShadow,
    /// Copy the shadow over it with the checksum of a primary (major version 7).
    CopyLegacyShadow,
    /// End the last flush range at the last whole record and fill the rest (major version 7).
    EndTornRange,
}

/// Something in a generation that cannot be set right, with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogDefect {
    /// Number of the sector in the file.
    pub sector: u16,
    /// What it is.
    pub kind: LogDefectKind,
    /// Checksum as stored, where one is involved.
    pub expected: Option<u64>,
    /// Checksum of the content, where one is involved.
    pub found: Option<u64>,
}

/// The engine's names for what is wrong with a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogDefectKind {
    /// A valid segment that says it belongs to a later place or generation.
    BadSegmentPosition,
    /// A valid segment of this generation behind the end.
    ValidSegmentAfterEmpty,
    /// Neither data nor unused behind the end.
    CorruptAfterEmptySegment,
    /// A damaged segment without a good shadow.
    SegmentCorrupt,
    /// The device did not deliver a damaged segment's shadow.
    IoError,
    /// A segment that only its shadow could replace, where that is not allowed.
    CannotPatchHardRecovery,
    /// A flush range (major version 7) whose content is damaged.
    RangeCorrupt,
    /// A checksum record (major version 7) that contradicts itself or its place.
    ChecksumRecordCorrupt,
    /// The last flush of an old-format log did not reach the disk as a whole, where that is not allowed.
    TornWrite,
    /// The last flush range can be taken from its shadow only, and the file may not be written.
    Patchable,
}

impl LogDefectKind {
    /// The engine's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadSegmentPosition => "BadSegmentLgpos",
            Self::ValidSegmentAfterEmpty => "ValidSegmentAfterEmpty",
            Self::CorruptAfterEmptySegment => "CorruptAfterEmptySegment",
            Self::SegmentCorrupt => "SegmentCorrupt",
            Self::IoError => "IOError",
            Self::CannotPatchHardRecovery => "CannotPatchHardRecovery",
            Self::RangeCorrupt => "RangeCorrupt",
            Self::ChecksumRecordCorrupt => "ChecksumRecordCorrupt",
            Self::TornWrite => "TornWrite",
            Self::Patchable => "Patchable",
        }
    }

    /// The engine's error number where the log is read in `context`.
    #[must_use]
    pub const fn jet_error(self, context: ReplayContext) -> JetError {
        match self {
            Self::TornWrite | Self::CannotPatchHardRecovery | Self::Patchable => context.torn_error(),
            _ => context.corrupt_error(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing() -> EndOfLog {
        EndOfLog::empty(Geometry {
            generation: 9,
            sector_size: 4096,
            header_sectors: 1,
            sectors: 64,
            zero_filled: true,
        })
    }

    #[test]
    fn fill_in_front_of_the_closing_record_does_not_count() {
        let end = EndOfLog { closed_at: Some(LogPosition::new(9, 27, 0)), ..nothing() };
        assert!(end.is_closed_at(LogPosition::new(9, 27, 0)));
        assert!(end.is_closed_at(LogPosition::new(9, 26, 4095)));
        assert!(end.is_closed_at(LogPosition::new(9, 26, 4071)));
        // There is room for the record itself.
        assert!(!end.is_closed_at(LogPosition::new(9, 26, 4070)));
        assert!(!end.is_closed_at(LogPosition::new(9, 25, 4095)));
        assert!(!end.is_closed_at(LogPosition::new(8, 26, 4095)));
        assert!(!end.is_closed_at(LogPosition::new(9, 27, 66)));
        let later = EndOfLog { closed_at: Some(LogPosition::new(9, 27, 66)), ..nothing() };
        assert!(!later.is_closed_at(LogPosition::new(9, 26, 4095)));
        assert!(!nothing().is_closed_at(LogPosition::NONE));
    }
}
