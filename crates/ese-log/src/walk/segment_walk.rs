//! From verified segments to records: fill, fragments, positions.

use crate::record::{RecordError, RecordKind, RecordSize, record_size};
use crate::segment::{SEGMENT_HEADER_SIZE, SEGMENT_SIZE};

const NOP: u8 = RecordKind::NOP.0;
const FRAGMENT_BEGIN: u8 = RecordKind::FRAGMENT_BEGIN.0;
const FRAGMENT: u8 = RecordKind::FRAGMENT.0;
const FRAGMENT_BEGIN_SIZE: usize = 7;
const FRAGMENT_SIZE: usize = 3;

/// Segment and byte of a place in one generation. Byte 0 stands for "before the segment header".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub sector: u16,
    pub byte: u16,
}

/// What is wrong with a stream of records whose segments are all intact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamDefect {
    /// A record type without a known layout.
    #[error("record type {found} is not known")]
    UnknownKind {
        /// The type.
        found: u8,
    },
    /// A record longer than the room up to the end of its segment, or of its flush range.
    #[error("record of type {kind} needs {expected} bytes, {found} are there")]
    TooLong {
        /// Type of the record.
        kind: u8,
        /// Bytes that the record asks for.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// A fragment header that contradicts its segment or the record it belongs to.
    #[error("fragment of {found} bytes where at most {expected} can be")]
    FragmentSize {
        /// Most bytes that can stand here.
        expected: usize,
        /// Bytes that the fragment claims.
        found: usize,
    },
    /// A fragment without a beginning.
    #[error("fragment without a beginning")]
    StrayFragment,
    /// Another record where the rest of a fragmented record had to be.
    #[error("record of type {found} inside an unfinished record of {expected} bytes")]
    Interrupted {
        /// Total length of the unfinished record.
        expected: usize,
        /// Type found.
        found: u8,
    },
    /// A record put together from fragments is not as long as its own counts say.
    #[error("record of type {kind} was put together from {found} bytes, its counts give {expected}")]
    AssembledSize {
        /// Type of the record.
        kind: u8,
        /// Length by the record's own counts.
        expected: usize,
        /// Sum of its fragments.
        found: usize,
    },
}

/// What the walker found next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A record inside the segment.
    Inside { at: Place, start: usize, end: usize },
    /// A record put together from fragments: the bytes are [`SegmentWalker::assembled`].
    Assembled { at: Place },
    /// Nothing more in this segment.
    EndOfSegment,
}

/// Steps through the records of one generation, segment by segment.
///
/// A record has the place at which its append began: before the header of its segment, and before fill that precedes
/// it. Both follow from remembering the place behind the record before.
#[derive(Debug)]
pub(crate) struct SegmentWalker {
    /// Place behind the last record: the position of the next one.
    place: Place,
    /// Offset in the current segment.
    offset: usize,
    /// A record being put together.
    collecting: Option<Collecting>,
    assembled: Vec<u8>,
    /// Leading fragments belong to a record that began before the start of the walk.
    skip_leading_fragments: bool,
    /// Most bytes a record can have.
    record_limit: usize,
}

#[derive(Debug)]
struct Collecting {
    at: Place,
    total: usize,
}

impl SegmentWalker {
    /// A walk from the start of segment `sector`. Records longer than `record_limit` bytes (what one generation can
    /// hold) are defects. With `mid_stream`, fragments at the start whose beginning lies further back are passed over.
    pub(crate) fn new(sector: u16, record_limit: usize, mid_stream: bool) -> Self {
        Self {
            place: Place { sector, byte: 0 },
            offset: 0,
            collecting: None,
            assembled: Vec::new(),
            skip_leading_fragments: mid_stream,
            record_limit,
        }
    }

    /// The record that was put together last.
    pub(crate) fn assembled(&self) -> &[u8] {
        &self.assembled
    }

    /// The next record of `segment`, whose number in the file is `sector`. To be called with the same segment until it
    /// says [`Found::EndOfSegment`], then with the next one.
    #[inline]
    pub(crate) fn next(&mut self, segment: &[u8], sector: u16) -> Result<Found, (Place, StreamDefect)> {
        if self.offset == 0 {
            self.offset = SEGMENT_HEADER_SIZE;
        }
        loop {
            let rest = segment.get(self.offset..).unwrap_or(&[]);
            match rest.first() {
                None => return Ok(self.end_segment()),
                Some(&NOP) => {
                    let Some(fill) = rest.iter().position(|&b| b != NOP) else {
                        return Ok(self.end_segment());
                    };
                    self.offset += fill;
                }
                Some(&kind) => {
                    let found = match kind {
                        FRAGMENT_BEGIN => self.fragment_begin(rest, sector),
                        FRAGMENT => self.fragment(rest, sector),
                        _ => self.whole(rest, kind, sector).map(Some),
                    };
                    match found {
                        Ok(Some(found)) => return Ok(found),
                        Ok(None) => {}
                        Err(defect) => return Err((self.place, defect)),
                    }
                }
            }
        }
    }

    fn end_segment(&mut self) -> Found {
        self.offset = 0;
        Found::EndOfSegment
    }

    /// Moves behind `len` bytes of the current segment.
    #[inline]
    fn advance(&mut self, len: usize, sector: u16) {
        self.offset += len;
        self.place = if self.offset >= SEGMENT_SIZE {
            Place { sector: sector.saturating_add(1), byte: 0 }
        } else {
            // Offsets are below 4096 here.
            Place { sector, byte: u16::try_from(self.offset).unwrap_or(u16::MAX) }
        };
    }

    #[inline]
    fn whole(&mut self, rest: &[u8], kind: u8, sector: u16) -> Result<Found, StreamDefect> {
        if let Some(collecting) = &self.collecting {
            // A crash cut a record; recovery went on in a new segment with one of these.
            let cut = self.offset == SEGMENT_HEADER_SIZE
                && matches!(
                    RecordKind(kind),
                    RecordKind::RECOVERY_UNDO | RecordKind::RECOVERY_UNDO2 | RecordKind::UNDO_INFO
                );
            if !cut {
                return Err(StreamDefect::Interrupted { expected: collecting.total, found: kind });
            }
            self.collecting = None;
            self.place = Place { sector, byte: 0 };
        }
        self.skip_leading_fragments = false;
        let len = match record_size(rest) {
            Ok(RecordSize::Size(len)) if len <= rest.len() => len,
            Ok(RecordSize::Size(expected) | RecordSize::Need(expected)) => {
                return Err(StreamDefect::TooLong { kind, expected, found: rest.len() });
            }
            Err(error) => return Err(unknown(error)),
        };
        let (at, start) = (self.place, self.offset);
        self.advance(len, sector);
        Ok(Found::Inside { at, start, end: start + len })
    }

    fn fragment_begin(&mut self, rest: &[u8], sector: u16) -> Result<Option<Found>, StreamDefect> {
        let Some(header) = rest.first_chunk::<FRAGMENT_BEGIN_SIZE>() else {
            return Err(StreamDefect::TooLong {
                kind: FRAGMENT_BEGIN,
                expected: FRAGMENT_BEGIN_SIZE,
                found: rest.len(),
            });
        };
        let [_, t0, t1, t2, t3, c0, c1] = *header;
        let total = u32::from_le_bytes([t0, t1, t2, t3]) as usize;
        let count = usize::from(u16::from_le_bytes([c0, c1]));
        let room = rest.len() - FRAGMENT_BEGIN_SIZE;
        let part = rest.get(FRAGMENT_BEGIN_SIZE..FRAGMENT_BEGIN_SIZE + count);
        let Some(part) = part.filter(|_| count < total) else {
            return Err(StreamDefect::FragmentSize {
                expected: room.min(total.saturating_sub(1)),
                found: count,
            });
        };
        if total > self.record_limit {
            return Err(StreamDefect::TooLong {
                kind: FRAGMENT_BEGIN,
                expected: total,
                found: self.record_limit,
            });
        }
        if let Some(collecting) = &self.collecting {
            if self.offset != SEGMENT_HEADER_SIZE || part.first() != Some(&RecordKind::UNDO_INFO.0) {
                return Err(StreamDefect::Interrupted { expected: collecting.total, found: FRAGMENT_BEGIN });
            }
            self.place = Place { sector, byte: 0 };
        }
        self.skip_leading_fragments = false;
        self.assembled.clear();
        self.assembled.extend_from_slice(part);
        self.collecting = Some(Collecting { at: self.place, total });
        let len = FRAGMENT_BEGIN_SIZE + count;
        self.offset += len;
        Ok(None)
    }

    fn fragment(&mut self, rest: &[u8], sector: u16) -> Result<Option<Found>, StreamDefect> {
        let Some(&[_, c0, c1]) = rest.first_chunk::<FRAGMENT_SIZE>() else {
            return Err(StreamDefect::TooLong { kind: FRAGMENT, expected: FRAGMENT_SIZE, found: rest.len() });
        };
        let count = usize::from(u16::from_le_bytes([c0, c1]));
        let room = rest.len() - FRAGMENT_SIZE;
        let part = rest.get(FRAGMENT_SIZE..FRAGMENT_SIZE + count);
        let Some(part) = part else {
            return Err(StreamDefect::FragmentSize { expected: room, found: count });
        };
        let len = FRAGMENT_SIZE + count;
        let Some(collecting) = &self.collecting else {
            if !self.skip_leading_fragments {
                return Err(StreamDefect::StrayFragment);
            }
            self.advance(len, sector);
            return Ok(None);
        };
        let missing = collecting.total - self.assembled.len();
        if count > missing {
            return Err(StreamDefect::FragmentSize { expected: missing, found: count });
        }
        self.assembled.extend_from_slice(part);
        if count < missing {
            self.offset += len;
            return Ok(None);
        }
        let (at, total) = (collecting.at, collecting.total);
        self.collecting = None;
        self.advance(len, sector);
        let kind = self.assembled.first().copied().unwrap_or(NOP);
        match record_size(&self.assembled) {
            Ok(RecordSize::Size(len)) if len == total => {}
            Ok(RecordSize::Size(expected) | RecordSize::Need(expected)) => {
                return Err(StreamDefect::AssembledSize { kind, expected, found: total });
            }
            Err(error) => return Err(unknown(error)),
        }
        Ok(Some(Found::Assembled { at }))
    }
}

/// The only other thing that a size can fail for is the empty record, which the callers exclude.
pub(crate) fn unknown(error: RecordError) -> StreamDefect {
    match error {
        RecordError::UnknownKind { kind } => StreamDefect::UnknownKind { found: kind.0 },
        _ => StreamDefect::UnknownKind { found: NOP },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments whose records are given; the rest is fill.
    fn segments(contents: &[&[u8]]) -> Vec<Vec<u8>> {
        let segment = |content: &&[u8]| {
            let mut bytes = vec![0; SEGMENT_SIZE];
            bytes[SEGMENT_HEADER_SIZE..SEGMENT_HEADER_SIZE + content.len()].copy_from_slice(content);
            bytes
        };
        contents.iter().map(segment).collect()
    }

    type Walk = Result<Vec<(Place, Vec<u8>)>, (Place, StreamDefect)>;

    fn walk(segments: &[Vec<u8>], first: u16, mid_stream: bool) -> Walk {
        let mut walker = SegmentWalker::new(first, 100_000, mid_stream);
        let mut found = Vec::new();
        for (sector, segment) in (first..).zip(segments) {
            loop {
                match walker.next(segment, sector)? {
                    Found::Inside { at, start, end } => found.push((at, segment[start..end].to_vec())),
                    Found::Assembled { at } => found.push((at, walker.assembled().to_vec())),
                    Found::EndOfSegment => break,
                }
            }
        }
        Ok(found)
    }

    fn fragment_begin(total: u32, part: &[u8]) -> Vec<u8> {
        [&[76], &total.to_le_bytes()[..], &(part.len() as u16).to_le_bytes(), part].concat()
    }

    fn fragment(part: &[u8]) -> Vec<u8> {
        [&[77], &(part.len() as u16).to_le_bytes()[..], part].concat()
    }

    const COMMIT: [u8; 4] = [6, 5, 0, 1];
    const UNDO: [u8; 9] = [51, 1, 2, 3, 4, 5, 6, 7, 8];

    fn at(sector: u16, byte: u16) -> Place {
        Place { sector, byte }
    }

    #[test]
    fn recovery_begins_behind_a_cut_record() {
        let cut = [&COMMIT[..], &fragment_begin(500, &[71, 239, 1, 0, 0, 9])].concat();
        let found = walk(&segments(&[&cut, &UNDO]), 1, false).unwrap();
        assert_eq!(found, [(at(1, 0), COMMIT.to_vec()), (at(2, 0), UNDO.to_vec())]);
        // Anything else there is corruption, and so is recovery's record in the middle of a segment.
        let defect = StreamDefect::Interrupted { expected: 500, found: 6 };
        assert_eq!(walk(&segments(&[&cut, &COMMIT]), 1, false), Err((at(1, 44), defect)));
        let inside = [&cut[..], &UNDO].concat();
        let defect = StreamDefect::Interrupted { expected: 500, found: 51 };
        assert_eq!(walk(&segments(&[&inside]), 1, false), Err((at(1, 44), defect)));
    }

    #[test]
    fn an_image_logged_by_recovery_replaces_a_cut_record() {
        let mut undo_info = vec![0; 56 + 20];
        undo_info[0] = 36;
        undo_info[54] = 20;
        let cut = fragment_begin(500, &[71, 239, 1, 0, 0, 9]);
        let begin = fragment_begin(76, &undo_info[..50]);
        let rest = [&fragment(&undo_info[50..])[..], &COMMIT].concat();
        let found = walk(&segments(&[&cut, &begin, &rest]), 1, false).unwrap();
        assert_eq!(found, [(at(2, 0), undo_info), (at(3, 40 + 3 + 26), COMMIT.to_vec())]);
        // Another record must not begin there.
        let other = fragment_begin(500, &[71, 239, 1, 0, 0, 9]);
        let defect = StreamDefect::Interrupted { expected: 500, found: 76 };
        assert_eq!(walk(&segments(&[&cut, &other]), 1, false), Err((at(1, 0), defect)));
    }

    #[test]
    fn a_walk_may_start_behind_a_beginning() {
        let content = [&fragment(&[1; 30])[..], &fragment(&[2; 10]), &COMMIT].concat();
        let found = walk(&segments(&[&content]), 7, true).unwrap();
        assert_eq!(found, [(at(7, 40 + 33 + 13), COMMIT.to_vec())]);
        assert_eq!(walk(&segments(&[&content]), 7, false), Err((at(7, 0), StreamDefect::StrayFragment)));
        // Behind a whole record there are no strays.
        let late = [&COMMIT[..], &fragment(&[1; 30])].concat();
        assert_eq!(walk(&segments(&[&late]), 7, true), Err((at(7, 44), StreamDefect::StrayFragment)));
    }

    #[test]
    fn fragments_that_cannot_be() {
        let error = |contents: &[&[u8]]| walk(&segments(contents), 1, false).unwrap_err().1;
        let whole = fragment_begin(6, &[71, 1, 0, 0, 0, 9]);
        assert_eq!(error(&[&whole]), StreamDefect::FragmentSize { expected: 5, found: 6 });
        let begin = fragment_begin(10, &[71, 5, 0, 0, 0]);
        let more = fragment(&[1; 6]);
        assert_eq!(error(&[&begin, &more]), StreamDefect::FragmentSize { expected: 5, found: 6 });
        let other = fragment_begin(10, &[71, 4, 0, 0, 0]);
        let rest = fragment(&[1; 5]);
        let expected = StreamDefect::AssembledSize { kind: 71, expected: 9, found: 10 };
        assert_eq!(error(&[&other, &rest]), expected);
        let unknown = fragment_begin(10, &[102, 4, 0, 0, 0]);
        assert_eq!(error(&[&unknown, &rest]), StreamDefect::UnknownKind { found: 102 });
        let huge = fragment_begin(u32::MAX, &[71]);
        let expected = StreamDefect::TooLong { kind: 76, expected: u32::MAX as usize, found: 100_000 };
        assert_eq!(error(&[&huge]), expected);
        let mut cut = vec![0; SEGMENT_SIZE - SEGMENT_HEADER_SIZE];
        cut[..5].copy_from_slice(&[71, 0xFF, 0xFF, 0, 0]);
        assert!(matches!(error(&[&cut]), StreamDefect::TooLong { kind: 71, .. }));
    }
}
