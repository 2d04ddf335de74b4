//! Segments: the 4 KiB units of a log of major version 8.

mod judge;

pub use judge::{SegmentJudgement, flip_bit, judge_segment};

/// Bytes of a segment.
pub(crate) const SEGMENT_SIZE: usize = ese_format::LOG_SEGMENT_SIZE;
/// Bytes of the header at the start of each segment.
pub(crate) const SEGMENT_HEADER_SIZE: usize = ese_format::RawLogSegmentHeader::SIZE;
