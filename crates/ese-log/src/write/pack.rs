//! Packing of records into segments: fill, fragments, segment headers.

use ese_format::LogTime;

use crate::record::RecordKind;
use crate::segment::{SEGMENT_HEADER_SIZE, SEGMENT_SIZE};

const FRAGMENT_BEGIN: u8 = RecordKind::FRAGMENT_BEGIN.0;
const FRAGMENT: u8 = RecordKind::FRAGMENT.0;
const FRAGMENT_BEGIN_SIZE: usize = 7;
const FRAGMENT_SIZE: usize = 3;
/// Less room than this at the end of a segment is filled instead of taking a fragment.
#[doc(alias = "LOG_MIN_FRAGMENT_SIZE")]
const MIN_FRAGMENT_ROOM: usize = 32;
/// Bytes of records in one segment.
pub(crate) const SEGMENT_ROOM: usize = SEGMENT_SIZE - SEGMENT_HEADER_SIZE;
/// Where the time of the first byte stands in a segment's header.
const TIME_OFFSET: usize = 16;

/// How many bytes appending a record of `len` bytes takes at `offset` in a segment: headers, fill and fragment headers
/// counted. An offset of 0 is the start of a segment whose header is not written yet.
pub(crate) fn packed_len(offset: usize, len: usize) -> usize {
    let mut taken = 0;
    let mut room = SEGMENT_SIZE - offset;
    if offset == 0 {
        taken += SEGMENT_HEADER_SIZE;
        room -= SEGMENT_HEADER_SIZE;
    }
    if len > room && room < MIN_FRAGMENT_ROOM {
        taken += room + SEGMENT_HEADER_SIZE;
        room = SEGMENT_ROOM;
    }
    if len <= room {
        return taken + len;
    }
    let left = len - (room - FRAGMENT_BEGIN_SIZE);
    let further = left.div_ceil(SEGMENT_ROOM - FRAGMENT_SIZE);
    taken + room + further * (SEGMENT_HEADER_SIZE + FRAGMENT_SIZE) + left
}

/// Appends one record to `segments`, whose length modulo 4096 is the offset in the segment being filled. Headers of
/// new segments are zero but for the time, which `now` delivers.
pub(crate) fn pack(segments: &mut Vec<u8>, record: &[u8], mut now: impl FnMut() -> LogTime) {
    let room = open_segment(segments, &mut now);
    let room = if record.len() > room && room < MIN_FRAGMENT_ROOM {
        fill_segment(segments);
        open_segment(segments, &mut now)
    } else {
        room
    };
    if record.len() <= room {
        segments.extend_from_slice(record);
        return;
    }
    // A record has fewer than 2^32 bytes: it fits one generation.
    let total = u32::try_from(record.len()).unwrap_or(u32::MAX);
    let (part, mut rest) = record.split_at(room - FRAGMENT_BEGIN_SIZE);
    segments.push(FRAGMENT_BEGIN);
    segments.extend_from_slice(&total.to_le_bytes());
    segments.extend_from_slice(&count(part.len()));
    segments.extend_from_slice(part);
    while !rest.is_empty() {
        let room = open_segment(segments, &mut now) - FRAGMENT_SIZE;
        let (part, further) = rest.split_at(room.min(rest.len()));
        segments.push(FRAGMENT);
        segments.extend_from_slice(&count(part.len()));
        segments.extend_from_slice(part);
        rest = further;
    }
}

/// Parts of a record are smaller than a segment.
fn count(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes()
}

/// Writes a header when a new segment begins; the room that is left in the segment.
fn open_segment(segments: &mut Vec<u8>, now: &mut impl FnMut() -> LogTime) -> usize {
    let offset = segments.len() % SEGMENT_SIZE;
    if offset != 0 {
        return SEGMENT_SIZE - offset;
    }
    let mut header = [0; SEGMENT_HEADER_SIZE];
    if let Some(time) = header.get_mut(TIME_OFFSET..TIME_OFFSET + LogTime::SIZE) {
        time.copy_from_slice(&now().0);
    }
    segments.extend_from_slice(&header);
    SEGMENT_ROOM
}

/// Fills the segment being filled with zeros, which are records of type "no operation".
pub(crate) fn fill_segment(segments: &mut Vec<u8>) {
    segments.resize(segments.len().next_multiple_of(SEGMENT_SIZE), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::{Found, Place, SegmentWalker};
    use proptest::prelude::*;

    /// A record of type NOP2 and a given total length.
    fn record(len: usize, seed: u8) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(seed | 1)).collect();
        bytes[0] = 71;
        bytes[1..5].copy_from_slice(&(len as u32 - 5).to_le_bytes());
        bytes
    }

    fn walk(segments: &[u8]) -> Vec<(Place, Vec<u8>)> {
        let mut walker = SegmentWalker::new(1, 1 << 24, false);
        let mut found = Vec::new();
        for (i, segment) in segments.chunks(SEGMENT_SIZE).enumerate() {
            let sector = i as u16 + 1;
            loop {
                match walker.next(segment, sector).unwrap() {
                    Found::Inside { at, start, end } => found.push((at, segment[start..end].to_vec())),
                    Found::Assembled { at } => found.push((at, walker.assembled().to_vec())),
                    Found::EndOfSegment => break,
                }
            }
        }
        found
    }

    #[test]
    fn a_record_that_does_not_fit_is_cut() {
        let mut segments = Vec::new();
        pack(&mut segments, &record(4000, 1), || LogTime([7; 8]));
        assert_eq!(segments.len(), 4040);
        assert_eq!(segments[16..24], [7; 8]);
        pack(&mut segments, &record(100, 1), || LogTime::NONE);
        // 56 bytes of room: a fragment of 49, then 51 in the next segment.
        assert_eq!(segments[4040..4047], [76, 100, 0, 0, 0, 49, 0]);
        assert_eq!(segments[4096 + 40..4096 + 43], [77, 51, 0]);
        assert_eq!(segments.len(), 4096 + 40 + 3 + 51);
    }

    #[test]
    fn too_little_room_is_filled() {
        let mut segments = Vec::new();
        pack(&mut segments, &record(4056 - 31, 1), || LogTime::NONE);
        pack(&mut segments, &record(32, 1), || LogTime::NONE);
        assert_eq!(segments[4096 - 31..4096], [0; 31]);
        assert_eq!(segments.len(), 4096 + 40 + 32);
        let found: Vec<_> = walk(&segments).iter().map(|f| f.0).collect();
        // The second record's place is where the fill begins.
        assert_eq!(found, [Place { sector: 1, byte: 0 }, Place { sector: 1, byte: 4096 - 31 }]);
    }

    #[test]
    fn a_record_behind_a_full_segment_has_byte_zero() {
        let mut segments = Vec::new();
        pack(&mut segments, &record(4056, 1), || LogTime::NONE);
        pack(&mut segments, &record(9, 1), || LogTime::NONE);
        assert_eq!(walk(&segments)[1].0, Place { sector: 2, byte: 0 });
    }

    proptest! {
        #[test]
        fn packed_records_are_walked_back(lens in prop::collection::vec((5usize..9000, any::<u8>()), 1..60)) {
            let (mut segments, mut places) = (Vec::new(), Vec::new());
            for &(len, seed) in &lens {
                let offset = segments.len() % SEGMENT_SIZE;
                places.push(Place { sector: (segments.len() / SEGMENT_SIZE) as u16 + 1, byte: offset as u16 });
                let expected = segments.len() + packed_len(offset, len);
                pack(&mut segments, &record(len, seed), || LogTime::NONE);
                prop_assert_eq!(segments.len(), expected);
            }
            fill_segment(&mut segments);
            let found = walk(&segments);
            prop_assert_eq!(found.len(), lens.len());
            for ((at, bytes), (place, &(len, seed))) in found.iter().zip(places.iter().zip(&lens)) {
                prop_assert_eq!(at, place);
                prop_assert_eq!(bytes, &record(len, seed));
            }
        }
    }
}
