//! Records without effect on databases: fill, notes, the frame of older logs, fragments.

use super::layout::layout;
use super::prefix::SessionId;

layout! {
    /// Link between sectors of the oldest log format (type 3). 9 bytes.
    #[doc(alias = "LRMS")]
    pub struct MultiSector [9] {
        /// Offset of the next link in its sector.
        #[doc(alias = "ibForwardLink")]
        1 => next_byte: u16,
        /// Checksum.
        3 => checksum: u32,
        /// Sector of the next link.
        #[doc(alias = "isecForwardLink")]
        7 => next_sector: u16,
    }
}

layout! {
    /// Checksum of a range of a log of major version 7 (type 42). 22 bytes. It begins every range; which bytes it covers
    /// and how they are checked is the matter of the reader of those logs.
    #[doc(alias = "LRCHECKSUM")]
    pub struct ChecksumRecord [22] {
        /// Bytes covered before this record: its offset in its sector, or 0.
        #[doc(alias = "cbBackwards")]
        1 => backward_size: u32,
        /// Bytes covered after this record.
        #[doc(alias = "cbForwards")]
        5 => forward_size: u32,
        /// Distance from the end of this record to the next one; 0 for the last.
        #[doc(alias = "cbNext")]
        9 => next_distance: u32,
        /// Checksum of the range.
        #[doc(alias = "ulChecksum")]
        13 => checksum: u32,
        /// Checksum of this sector, where the range spans several; else 0.
        #[doc(alias = "ulShortChecksum")]
        17 => short_checksum: u32,
        /// 0x9A: the short checksum counts; 0xD1: it does not.
        #[doc(alias = "bUseShortChecksum")]
        21 => use_short_checksum: u8,
    }
}

layout! {
    /// A call of the API (type 21), written by debug builds. 4 bytes.
    #[doc(alias = "LRJETOP")]
    pub struct JetOperation [4] {
        /// Session.
        1 => session: SessionId,
        /// Number of the call.
        3 => operation: u8,
    }
}

layout! {
    /// Text for people (type 22 Trace), or the cause of a forced roll of the log (type 61 ForceLogRollover).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 2 | `session` |
    /// | 3 | 2 | length of `text` |
    /// | 5 |   | `text` |
    #[doc(alias = "LRTRACE")]
    #[doc(alias = "LRFORCELOGROLLOVER")]
    pub struct Trace<'a> [5] {
        /// Session.
        1 => session: SessionId,
    }
    payload {
        /// Text, NUL-terminated.
        3, u16 => text,
    }
}

layout! {
    /// A skippable record whose content is unknown or means nothing (types 71 NOP2, 75 and 82 to 91).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 4 | length of `content` |
    /// | 5 |   | `content` |
    #[doc(alias = "LRNOP2")]
    #[doc(alias = "LRIGNORED")]
    pub struct Skippable<'a> [5] {}
    rest
    /// The bytes, kept as they are.
    content
}

layout! {
    /// First part of a record that spans segments (type 76).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 4 | `total_size` |
    /// | 5 | 2 | length of `part` |
    /// | 7 |   | `part` |
    #[doc(alias = "LRFRAGMENTBEGIN")]
    pub struct FragmentBegin<'a> [7] {
        /// Size of the whole record in bytes.
        #[doc(alias = "cbTotalLRSize")]
        1 => total_size: u32,
    }
    payload {
        /// First bytes of the record.
        5, u16 => part,
    }
}

layout! {
    /// Further part of a record that spans segments (type 77).
    ///
    /// | offset | size | field |
    /// |-------:|-----:|-------|
    /// | 1 | 2 | length of `part` |
    /// | 3 |   | `part` |
    #[doc(alias = "LRFRAGMENT")]
    pub struct Fragment<'a> [3] {}
    payload {
        /// Further bytes of the record.
        1, u16 => part,
    }
}
