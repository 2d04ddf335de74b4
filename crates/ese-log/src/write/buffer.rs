//! The log buffer: records that are appended and not written yet.

use ese_format::{LogPosition, LogTime};

use crate::record::RecordKind;
use crate::segment::SEGMENT_SIZE;

use super::batch::RecordBatch;
use super::pack::{fill_segment, pack, packed_len};

/// Segments of one generation that are not, or not completely, on disk.
#[derive(Debug)]
pub(crate) struct LogBuffer {
    pub generation: u32,
    /// Number of the first segment held.
    first: u16,
    /// Segments of a file, header and the last one for the shadow included.
    file_segments: u16,
    /// The segments; the last one may be incomplete.
    segments: Vec<u8>,
    /// Where the last record that reaches over a segment's end begins.
    spanning: LogPosition,
    /// Bytes of the incomplete segment that are on disk already.
    written: usize,
    /// Memory of earlier flushes, to be used again.
    spare: Vec<Vec<u8>>,
}

/// Largest piece of memory that is kept for later flushes.
const MOST_SPARE: usize = 8 << 20;
/// How many pieces: one is filled and one written while a generation that was closed waits.
const SPARES: usize = 2;

/// What a flush writes: whole segments, then possibly an incomplete one, filled up with zeros.
#[derive(Debug)]
pub(crate) struct Flush {
    pub first: u16,
    /// Whole segments; then the incomplete one, when there is one.
    pub segments: Vec<u8>,
    /// Whether the last segment is incomplete.
    pub partial: bool,
    /// Records that begin in front of this position are on disk after the flush.
    pub end: LogPosition,
}

impl LogBuffer {
    /// An empty buffer that continues at the start of segment `first`.
    pub(crate) fn new(generation: u32, first: u16, file_segments: u16) -> Self {
        Self {
            generation,
            first,
            file_segments,
            segments: Vec::new(),
            spanning: LogPosition::NONE,
            written: 0,
            spare: Vec::new(),
        }
    }

    /// An empty buffer for the generation behind this one.
    pub(crate) fn next(&mut self, generation: u32, first: u16, file_segments: u16) -> Self {
        let mut spare = std::mem::take(&mut self.spare);
        let segments = spare.pop().unwrap_or_default();
        Self { segments, spare, ..Self::new(generation, first, file_segments) }
    }

    /// Takes the memory of a flush that was written.
    pub(crate) fn give_back(&mut self, mut memory: Vec<u8>) {
        if (1..=MOST_SPARE).contains(&memory.capacity()) {
            memory.clear();
            self.spare.push(memory);
            if self.spare.len() > SPARES {
                // The smallest one goes.
                self.spare.sort_unstable_by_key(Vec::capacity);
                self.spare.swap_remove(0);
            }
        }
    }

    /// The position of the next record.
    pub(crate) fn tip(&self) -> LogPosition {
        self.position_at(self.segments.len())
    }

    fn position_at(&self, len: usize) -> LogPosition {
        let sector = usize::from(self.first) + len / SEGMENT_SIZE;
        // A generation has at most 65535 segments, and 4096 bytes each.
        let (sector, byte) = (u16::try_from(sector).unwrap_or(u16::MAX), (len % SEGMENT_SIZE) as u16);
        LogPosition::new(self.generation, sector, byte)
    }

    #[cfg(test)]
    pub(crate) fn segments_mut(&mut self) -> &mut Vec<u8> {
        &mut self.segments
    }

    /// Bytes waiting to be written.
    pub(crate) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Whether everything that was appended was taken by a flush.
    pub(crate) fn is_written(&self) -> bool {
        self.segments.len() == self.written
    }

    /// Whether the next record begins a segment.
    pub(crate) fn is_at_segment_start(&self) -> bool {
        self.segments.len().is_multiple_of(SEGMENT_SIZE)
    }

    /// Whether the records of `batch` fit into this generation. One byte of the last data segment always stays free.
    pub(crate) fn fits(&self, batch: &RecordBatch) -> bool {
        let start = self.segments.len() % SEGMENT_SIZE;
        let taken = batch
            .records()
            .fold(0, |taken, record| taken + packed_len((start + taken) % SEGMENT_SIZE, record.len()));
        let sector = usize::from(self.first) + self.segments.len() / SEGMENT_SIZE;
        sector + (start + taken + SEGMENT_SIZE) / SEGMENT_SIZE < usize::from(self.file_segments)
    }

    /// Appends all records of `batch`, which fit; the position of each goes to `positions`.
    pub(crate) fn append(
        &mut self,
        batch: &RecordBatch,
        mut now: impl FnMut() -> LogTime,
        mut positions: impl FnMut(LogPosition),
    ) {
        for record in batch.records() {
            let (position, before) = (self.tip(), self.segments.len() / SEGMENT_SIZE);
            pack(&mut self.segments, record, &mut now);
            if self.segments.len() / SEGMENT_SIZE != before {
                // One that ends with its segment leaves nothing over.
                self.spanning = if self.is_at_segment_start() { self.tip() } else { position };
            }
            positions(position);
        }
    }

    /// Completes the segment being filled with one record of type NOP2, unless too few bytes are left for one.
    pub(crate) fn complete_segment(&mut self) {
        let room = SEGMENT_SIZE - self.segments.len() % SEGMENT_SIZE;
        if self.is_at_segment_start() || room < 5 {
            return;
        }
        let count = u32::try_from(room - 5).unwrap_or(0);
        self.segments.push(RecordKind::NOP2.0);
        self.segments.extend_from_slice(&count.to_le_bytes());
        self.segments.resize(self.segments.len() + room - 5, 0);
        self.spanning = self.tip();
    }

    /// Fills what is left before a new generation begins, as the engine does: the segment being filled, or a whole one
    /// when everything is written, so that there is something to write.
    pub(crate) fn close(&mut self) {
        if !self.is_at_segment_start() {
            fill_segment(&mut self.segments);
        } else if self.segments.is_empty() && self.first + 1 < self.file_segments {
            self.segments.resize(SEGMENT_SIZE, 0);
        }
        self.spanning = self.tip();
    }

    /// Takes what is to be written, with the incomplete segment when `partial` says so. `None` when there is nothing
    /// new.
    pub(crate) fn take(&mut self, partial: bool) -> Option<Flush> {
        let whole = self.segments.len() - self.segments.len() % SEGMENT_SIZE;
        let left = self.segments.len() - whole;
        let new_rest = left > 0 && (whole > 0 || left > self.written);
        if whole == 0 && !(partial && new_rest) {
            return None;
        }
        let mut rest = self.spare.pop().unwrap_or_default();
        rest.extend_from_slice(self.segments.get(whole..).unwrap_or(&[]));
        let end = if partial || rest.is_empty() {
            self.tip()
        } else {
            // A record that reaches into the incomplete segment is not complete on disk.
            self.spanning.min(self.position_at(whole))
        };
        let first = self.first;
        self.first += u16::try_from(whole / SEGMENT_SIZE).unwrap_or(0);
        let mut segments = std::mem::replace(&mut self.segments, rest);
        let partial = partial && new_rest;
        if partial {
            segments.resize(whole + SEGMENT_SIZE, 0);
            self.written = self.segments.len();
        } else {
            segments.truncate(whole);
            self.written = 0;
        }
        Some(Flush { first, segments, partial, end })
    }
}
