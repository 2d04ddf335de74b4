//! Segments on their way to the disk: stamps, checksums, and the order that keeps a copy of what was written before.

use std::sync::Arc;

use ese_format::{BlockChecksum, LogPosition, RawLogSegmentHeader};
use ese_io::{File, IoError};
use zerocopy::FromBytes;

use crate::segment::SEGMENT_SIZE;

use super::buffer::Flush;

/// In which order the segments of one flush go to the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteOrder {
    /// In one piece wherever nothing older is overwritten, as the engine does. A power failure during the flush finds
    /// the first segments of it, provided that the device works through one request in order.
    #[default]
    OnePiece,
    /// One by one with a sync after each, for devices that reorder within one request: a later segment never reaches
    /// the disk before an earlier one. Slow.
    OneByOne,
}

/// The body of the log being written.
///
/// An incomplete segment stands twice in the file, at its place and behind it, so that rewriting it cannot lose what was
/// durable before. The two copies are never overwritten in one request.
pub(crate) struct SegmentFile {
    file: Arc<dyn File>,
    generation: u32,
    order: WriteOrder,
    /// The incomplete segment on disk and its checksum, whose copy stands behind it.
    shadowed: Option<(u16, u64)>,
    accumulated: u64,
}

impl SegmentFile {
    /// A body whose data so far has the given accumulated checksum. New segments follow, none is rewritten.
    pub(crate) fn new(file: Arc<dyn File>, generation: u32, order: WriteOrder, accumulated: u64) -> Self {
        Self { file, generation, order, shadowed: None, accumulated }
    }

    /// XOR of the checksums of all data segments.
    pub(crate) fn accumulated_checksum(&self) -> u64 {
        self.accumulated
    }

    /// Writes a flush and makes it durable. Returns its memory, to be used again.
    pub(crate) fn write(&mut self, mut flush: Flush) -> Result<Vec<u8>, IoError> {
        let mut last = 0;
        for (sector, segment) in (flush.first..).zip(flush.segments.chunks_exact_mut(SEGMENT_SIZE)) {
            let checksum = stamp(segment, LogPosition::new(self.generation, sector, 0));
            if let Some((_, old)) = self.shadowed.filter(|&(shadowed, _)| shadowed == sector) {
                self.accumulated ^= old;
            }
            self.accumulated ^= checksum;
            last = checksum;
        }
        let count = flush.segments.len() / SEGMENT_SIZE;
        let overwrites = self.shadowed.is_some_and(|(sector, _)| sector == flush.first);
        let mut rest_from = 0;
        if overwrites {
            // The copy behind is whole until the segment itself is.
            self.write_segments(flush.first, flush.segments.get(..SEGMENT_SIZE).unwrap_or_default())?;
            rest_from = 1;
        }
        let last_sector = flush.first.saturating_add(u16::try_from(count).unwrap_or(0)).saturating_sub(1);
        // The copy of an incomplete last segment; or, when the only segment was completed, the end of its old copy.
        if flush.partial || (overwrites && count == 1) {
            let start = flush.segments.len().saturating_sub(SEGMENT_SIZE);
            flush.segments.extend_from_within(start..);
        }
        let rest = flush.segments.get(rest_from * SEGMENT_SIZE..).unwrap_or_default();
        let rest_first = flush.first.saturating_add(if overwrites { 1 } else { 0 });
        match self.order {
            WriteOrder::OnePiece => self.write_segments(rest_first, rest)?,
            WriteOrder::OneByOne => {
                for (sector, segment) in (rest_first..).zip(rest.chunks_exact(SEGMENT_SIZE)) {
                    self.write_segments(sector, segment)?;
                }
            }
        }
        self.shadowed = flush.partial.then_some((last_sector, last));
        Ok(flush.segments)
    }

    fn write_segments(&self, first: u16, segments: &[u8]) -> Result<(), IoError> {
        if segments.is_empty() {
            return Ok(());
        }
        self.file.write_at(u64::from(first) * SEGMENT_SIZE as u64, segments)?;
        self.file.sync()
    }
}

/// Completes a segment's header, whose time stands there already; its checksum.
fn stamp(segment: &mut [u8], position: LogPosition) -> u64 {
    if let Ok((header, _)) = RawLogSegmentHeader::mut_from_prefix(segment) {
        header.set_position(position);
        header.set_reserved_24([0; 12]);
        header.set_flags(RawLogSegmentHeader::CHECKSUM_FORMAT_FLAG);
    }
    let checksum = BlockChecksum::compute(segment, u32::from(position.sector), true);
    if let Some(target) = segment.first_chunk_mut() {
        *target = checksum.to_bytes();
    }
    checksum.to_u64()
}
