//! Segments judged one by one: as a file is read, or all of them in advance by several threads.

use std::sync::Arc;
use std::thread;

use ese_format::LogPosition;
use ese_io::{File, IoError};

use crate::segment::{SegmentJudgement, flip_bit, judge_segment};

use super::chunks::ChunkReader;
use super::geometry::Geometry;

/// Bodies smaller than this are not worth a thread.
const WORTH_A_THREAD: u64 = 1 << 20;

/// Where a segment's own position stands in its header.
const POSITION_OFFSET: usize = 8;

/// A segment's judgement and, when it is good for its own place, the position in its header.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub judgement: SegmentJudgement,
    pub position: LogPosition,
}

/// Judges a segment and sets a flipped bit right, if that is all that is wrong with it at its own place.
pub(crate) fn judge(segment: &mut [u8], sector: u16) -> Judged {
    let judgement = judge_segment(segment, sector);
    let mut position = LogPosition::NONE;
    if let SegmentJudgement::Own { flipped_bit, .. } = judgement {
        if let Some(bit) = flipped_bit {
            flip_bit(segment, bit);
        }
        position = position_of(segment);
    }
    Judged { judgement, position }
}

/// The position in a segment's header.
pub(crate) fn position_of(segment: &[u8]) -> LogPosition {
    let bytes = segment.get(POSITION_OFFSET..).and_then(|b| b.first_chunk());
    LogPosition::from_bytes(bytes.copied().unwrap_or_default())
}

/// Two threads scan faster than one reads; more were not measured to be of use.
fn threads_of_use() -> usize {
    thread::available_parallelism().map_or(1, |n| n.get().min(2))
}

/// Judges all data segments with up to `threads` threads. `None` where that is not worth it.
pub(crate) fn judge_all(
    file: &Arc<dyn File>,
    geometry: Geometry,
    threads: usize,
) -> Option<Vec<Result<Judged, IoError>>> {
    let threads = if threads == 0 { threads_of_use() } else { threads };
    let (first, end) = (geometry.header_sectors, geometry.last_data_sector().saturating_add(1));
    let parts = usize::try_from(geometry.file_len() / WORTH_A_THREAD).unwrap_or(usize::MAX).min(threads);
    if parts < 2 || end <= first {
        return None;
    }
    let share = (end - first).div_ceil(u16::try_from(parts).unwrap_or(u16::MAX));
    let judge_part = |part: std::ops::Range<u16>| {
        let mut chunks = ChunkReader::new(Arc::clone(file), geometry, None);
        part.map(|sector| {
            chunks.load(sector)?;
            Ok(judge(chunks.sector_mut(sector), sector))
        })
        .collect::<Vec<_>>()
    };
    let starts = (first..end).step_by(usize::from(share));
    thread::scope(|scope| {
        let judge_part = &judge_part;
        let mut ranges = starts.map(|start| start..start.saturating_add(share).min(end));
        // This thread takes the first part.
        let own = ranges.next()?;
        let others: Vec<_> = ranges.map(|range| scope.spawn(move || judge_part(range))).collect();
        let mut all = judge_part(own);
        for other in others {
            all.extend(other.join().ok()?);
        }
        Some(all)
    })
}
