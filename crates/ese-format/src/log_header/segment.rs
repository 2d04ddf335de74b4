//! The header of a log segment (major version 8).

use crate::stored::stored_struct;
use crate::{LogPosition, LogTime};

/// Bytes of a log segment; segment 0 of a file is its header.
pub const LOG_SEGMENT_SIZE: usize = 4096;

stored_struct! {
    /// Header of a log segment, 40 bytes, little-endian, at the start of every 4096-byte segment from 1 on; 4056 bytes of
    /// records follow. Has the shape of a page header, so that the page checksum (XOR+ECC, page number = segment
    /// number) covers it.
    ///
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/ese/_log/_logstream.hxx`, `LGSEGHDR`.
    #[doc(alias = "LGSEGHDR")]
    pub struct RawLogSegmentHeader [40] {
        /// XOR+ECC checksum, computed for the segment's number; a shadow keeps that of the segment it copies.
        #[doc(alias = "checksum")]
        0 "checksum" stored_checksum set_stored_checksum: u64 as hexadecimal,
        /// Position of this segment: generation, segment number, byte 0.
        #[doc(alias = "le_lgposSegment")]
        8 "lgposSegment" position set_position: LogPosition,
        /// When the first byte was put into the segment; may be unset in the last one of a generation.
        #[doc(alias = "logtimeSegmentStart")]
        16 "logtimeSegmentStart" start_time set_start_time: LogTime,
        /// Zero.
        #[doc(alias = "rgbReserved")]
        24 "reserved24" reserved_24 set_reserved_24: [u8; 12],
        /// 0x2000: the checksum is XOR+ECC. Nothing else is ever set.
        #[doc(alias = "fFlags")]
        36 "fFlags" flags set_flags: u32 as hexadecimal,
    }
}

impl RawLogSegmentHeader {
    /// The flag that every writer sets.
    #[doc(alias = "fPageNewChecksumFormat")]
    pub const CHECKSUM_FORMAT_FLAG: u32 = 0x2000;
    /// Bytes of records in a segment.
    pub const RECORD_BYTES: usize = LOG_SEGMENT_SIZE - Self::SIZE;
}
