#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]
//! Damaged logs of major version 8 that are not among the recorded cases: each defect alone on a fabricated stream of two
//! generations, with the number that the engine gave to the same; every segment and header cut and flipped.

mod support_writer;

use std::sync::Arc;

use ese_format::{FileType, JetError, LogGeneration, LogHeader, LogPosition, LogTime, PageSize, Signature};
use ese_io::{MemoryStorage, Storage};
use ese_log::{
    AppendOptions, LogDefectKind, LogError, LogNames, LogSet, OpenLog, RecordBatch, ReplayContext,
    ScanOptions, StreamItem, StreamOptions, StreamReader,
};
use support_writer::{DIRECTORY, World, filler, read_all};

const SEGMENT: usize = 4096;

/// Generation 1 full but for its last segment, generation 2 with an incomplete segment 3 and its shadow.
fn stream() -> (Vec<u8>, Vec<u8>) {
    let memory = MemoryStorage::new();
    let world = World::new(Arc::new(memory.clone()));
    let writer = world.create();
    let mut batch = RecordBatch::new();
    for i in 0..40u8 {
        batch.clear();
        batch.push_bytes(&filler(3000, i));
        writer.append(&mut batch, AppendOptions::default()).unwrap();
    }
    batch.clear();
    batch.push_bytes(&filler(9000, 50));
    writer.append(&mut batch, AppendOptions { new_generation: true, ..AppendOptions::default() }).unwrap();
    writer.flush().unwrap();
    let get = |name: &str| memory.get(world.path(name)).unwrap();
    (get("edb00001.log"), get("edb.log"))
}

fn storage(first: &[u8], second: &[u8]) -> MemoryStorage {
    let storage = MemoryStorage::new();
    storage.put(format!("{DIRECTORY}/edb00001.log"), first);
    storage.put(format!("{DIRECTORY}/edb.log"), second);
    storage
}

/// What reading the stream gives: records, or the error's number.
fn outcome(storage: &MemoryStorage) -> Result<usize, i32> {
    read_all(storage).map(|(records, _)| records.len()).map_err(|e| e.jet_error().0)
}

fn with_header(log: &[u8], change: impl FnOnce(&mut LogHeader)) -> Vec<u8> {
    let mut header = LogHeader::parse(log).unwrap();
    change(&mut header);
    let mut bytes = log.to_vec();
    bytes[..SEGMENT].copy_from_slice(&header.write());
    bytes
}

#[test]
fn one_defect_at_a_time() {
    let (first, second) = stream();
    let all = outcome(&storage(&first, &second)).unwrap();
    assert_eq!(all, 41);
    let damage = |log: &[u8], segments: &[usize]| {
        let mut bytes = log.to_vec();
        for segment in segments {
            bytes[segment * SEGMENT + 200] ^= 0x40;
            bytes[segment * SEGMENT + 300] ^= 0x02;
        }
        bytes
    };
    let flip = |log: &[u8], segments: &[usize]| {
        let mut bytes = log.to_vec();
        for segment in segments {
            bytes[segment * SEGMENT + 200] ^= 0x40;
        }
        bytes
    };
    let copy = |from: &[u8], at: usize, log: &[u8], to: usize| {
        let mut bytes = log.to_vec();
        bytes[to * SEGMENT..][..SEGMENT].copy_from_slice(&from[at * SEGMENT..][..SEGMENT]);
        bytes
    };
    let second_is = |bytes: Vec<u8>| outcome(&storage(&first, &bytes));
    let first_is = |bytes: Vec<u8>| outcome(&storage(&bytes, &second));
    // The last segment from its shadow; both damaged; only the shadow.
    assert_eq!(second_is(damage(&second, &[3])), Ok(all));
    assert_eq!(second_is(damage(&second, &[3, 4])), Err(-501));
    assert_eq!(second_is(damage(&second, &[4])), Err(-501));
    // First and middle segments.
    assert_eq!(first_is(damage(&first, &[1])), Err(-501));
    assert_eq!(first_is(damage(&first, &[15])), Err(-501));
    assert_eq!(second_is(damage(&second, &[1])), Err(-501));
    // One bit.
    assert_eq!(first_is(flip(&first, &[1, 15, 29])), Ok(all));
    assert_eq!(second_is(flip(&second, &[3, 4])), Ok(all));
    // Behind the end: anything, a segment of this generation, one of an older one.
    let mut garbage = second.clone();
    garbage[10 * SEGMENT + 5] = 1;
    assert_eq!(second_is(garbage), Err(-501));
    let mut valid = second.clone();
    stamp(&mut valid[7 * SEGMENT..][..SEGMENT], LogPosition::new(2, 7, 0));
    assert_eq!(second_is(valid), Err(-501));
    assert_eq!(second_is(copy(&first, 7, &second, 7)), Ok(all));
    // A segment of a later generation, and one of the last sectors, which nobody looks at.
    let mut later = second.clone();
    stamp(&mut later[4 * SEGMENT..][..SEGMENT], LogPosition::new(3, 4, 0));
    assert_eq!(second_is(later), Err(-501));
    assert_eq!(second_is(damage(&copy(&first, 1, &second, 31), &[31])), Ok(all));
    // Headers.
    let mut bad = second.clone();
    bad[99] ^= 1;
    assert_eq!(second_is(bad.clone()), Err(-501));
    let mut bad_first = first.clone();
    bad_first[99] ^= 1;
    assert_eq!(first_is(bad_first), Err(-501));
    let changed = |change: fn(&mut LogHeader)| second_is(with_header(&second, change));
    assert_eq!(changed(|h| h.set_previous_segments_checksum(1)), Err(-590));
    assert_eq!(changed(|h| h.set_previous_create_time(LogTime([1; 8]))), Err(-515));
    assert_eq!(changed(|h| h.set_generation(LogGeneration(3))), Err(-515));
    assert_eq!(changed(|h| h.set_signature(Signature { random: 9, ..Signature::NONE })), Err(-530));
    assert_eq!(changed(|h| h.set_file_type(FileType::DATABASE)), Err(-1812));
    assert_eq!(changed(|h| h.set_update_major(1000)), Err(-514));
    assert_eq!(changed(|h| h.set_major(9)), Err(-514));
    assert_eq!(second_is(second[..second.len() - SEGMENT].to_vec()), Err(-541));
    assert_eq!(second_is(Vec::new()), Err(-4001));
    // Another page size than the instance's.
    let storage = storage(&first, &with_header(&second, |h| h.set_page_size_field(4096)));
    let mut options = StreamOptions::default();
    options.checks.page_size = PageSize::new(8192).ok();
    let mut reader = StreamReader::new(&storage, vec![support_writer::set(&storage)], options);
    let error = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the second header is refused"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.jet_error(), JetError::PAGE_SIZE_MISMATCH);
    // Five digits where eight are wanted.
    let names = LogNames { short_generations: false, ..World::of(Arc::new(storage.clone())).parts().names };
    let error = LogSet::discover(&storage, DIRECTORY.as_ref(), &names).unwrap_err();
    assert_eq!(error.jet_error(), JetError::LOG_GENERATION_MISMATCH);
}

/// Makes a segment a valid one of a position.
fn stamp(segment: &mut [u8], position: LogPosition) {
    segment[8..16].copy_from_slice(&position.to_bytes());
    segment[36..40].copy_from_slice(&0x2000u32.to_le_bytes());
    let checksum = ese_format::BlockChecksum::compute(segment, u32::from(position.sector), true);
    segment[..8].copy_from_slice(&checksum.to_bytes());
}

#[test]
fn names_of_the_defects_and_numbers_of_the_contexts() {
    let (_, second) = stream();
    let scan = |change: &dyn Fn(&mut Vec<u8>), context| {
        let mut bytes = second.clone();
        change(&mut bytes);
        let storage = storage(&[], &bytes);
        let log =
            OpenLog::open(&storage, format!("{DIRECTORY}/edb.log").as_ref(), &Default::default()).unwrap();
        let end = log.scan(ScanOptions { context, ..ScanOptions::default() }).unwrap();
        end.defect.map(|d| (d.sector, d.kind, d.kind.jet_error(context).0))
    };
    use LogDefectKind as D;
    use ReplayContext::{HardRecovery, HardRestore, Soft};
    let corrupt = |sector: usize| {
        move |bytes: &mut Vec<u8>| {
            bytes[sector * SEGMENT + 200] ^= 0x40;
            bytes[sector * SEGMENT + 300] ^= 0x02;
        }
    };
    assert_eq!(scan(&corrupt(2), Soft), Some((2, D::SegmentCorrupt, -501)));
    assert_eq!(scan(&corrupt(2), HardRestore), Some((2, D::SegmentCorrupt, -573)));
    assert_eq!(scan(&corrupt(2), HardRecovery), Some((2, D::SegmentCorrupt, -574)));
    assert_eq!(scan(&corrupt(3), Soft), None);
    assert_eq!(scan(&corrupt(3), HardRestore), Some((3, D::CannotPatchHardRecovery, -570)));
    assert_eq!(scan(&corrupt(9), Soft), Some((9, D::CorruptAfterEmptySegment, -501)));
    let moved = |bytes: &mut Vec<u8>| stamp(&mut bytes[4 * SEGMENT..][..SEGMENT], LogPosition::new(3, 4, 0));
    assert_eq!(scan(&moved, Soft), Some((4, D::BadSegmentPosition, -501)));
    // Nobody looks at the last sector; it is counted all the same.
    let mut bytes = second.clone();
    corrupt(31)(&mut bytes);
    let storage = storage(&[], &bytes);
    let path = format!("{DIRECTORY}/edb.log");
    let log = OpenLog::open(&storage, path.as_ref(), &Default::default()).unwrap();
    let end = log.verify(ScanOptions::default()).unwrap().end;
    assert!(end.is_usable());
    assert_eq!((end.data, end.shadows, end.unused, end.stale, end.sectors), (3, 1, 26, 1, 31));
    let again = |bytes: &mut Vec<u8>| stamp(&mut bytes[9 * SEGMENT..][..SEGMENT], LogPosition::new(2, 9, 0));
    assert_eq!(scan(&again, Soft), Some((9, D::ValidSegmentAfterEmpty, -501)));
}

/// Reads whatever is there; the number of records, if it comes to an end without an error.
fn survive(first: &[u8], second: &[u8]) -> Option<usize> {
    let storage = storage(first, second);
    for read_ahead in [false, true] {
        let options = StreamOptions { read_ahead, ..StreamOptions::default() };
        let mut reader = StreamReader::new(&storage, vec![support_writer::set(&storage)], options);
        let mut records = 0;
        let result = loop {
            match reader.next() {
                Ok(Some(StreamItem::Record(record))) => {
                    assert!(!record.bytes.is_empty());
                    records += 1;
                }
                Ok(Some(StreamItem::Generation(_))) => {}
                Ok(None) => break Ok(records),
                Err(error) => break Err(error),
            }
        };
        assert!(matches!(reader.next(), Ok(None)), "nothing comes behind an error");
        if let Err(error) = &result {
            assert!(error.jet_error().0 < 0 && !error.to_string().is_empty());
        }
        if read_ahead {
            return result.ok();
        }
    }
    None
}

#[test]
fn every_segment_cut_and_changed() {
    let (first, second) = stream();
    for segment in 0..8 {
        let at = segment * SEGMENT;
        for len in [at, at + 1, at + 512, at + SEGMENT - 1] {
            assert_eq!(survive(&first, &second[..len]), None, "cut at {len}");
        }
        for change in 0..3 {
            let mut bytes = second.clone();
            let target = &mut bytes[at..at + SEGMENT];
            match change {
                0 => target.fill(0),
                1 => target.fill(0xFF),
                _ => target.iter_mut().rev().step_by(3).for_each(|b| *b = b.wrapping_add(7)),
            }
            assert!(survive(&first, &bytes).is_none_or(|n| n <= 41), "segment {segment}");
        }
    }
    // Every bit of the header, one bit in each 61 bytes of the segments.
    for bit in (0..SEGMENT * 8).step_by(5) {
        let mut bytes = second.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(survive(&first, &bytes), None, "header bit {bit}");
    }
    for bit in (SEGMENT * 8..5 * SEGMENT * 8).step_by(61 * 8 + 3) {
        let mut bytes = second.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Corrected, or damage.
        assert!(survive(&first, &bytes).is_none_or(|n| n == 41), "bit {bit}");
    }
}

/// Segments with good checksums whose records are anything: the walk itself has to stand it.
#[test]
fn records_of_any_bytes_in_good_segments() {
    let (first, second) = stream();
    let mut state = 0x1234_5678_9ABC_DEF1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bad_records = 0;
    for round in 0..400 {
        let mut bytes = second.clone();
        for sector in 1..4u16 {
            let segment = &mut bytes[usize::from(sector) * SEGMENT..][..SEGMENT];
            for _ in 0..=round % 7 {
                let at = 40 + (next() as usize) % (SEGMENT - 40);
                segment[at] = if next() % 3 == 0 { (next() % 104) as u8 } else { next() as u8 };
                if next() % 4 == 0 {
                    segment[40] = [76, 77, 0, 36, 51, 62, 14, 65][next() as usize % 8];
                }
            }
            stamp(segment, LogPosition::new(2, sector, 0));
        }
        let shadow = bytes[3 * SEGMENT..4 * SEGMENT].to_vec();
        bytes[4 * SEGMENT..5 * SEGMENT].copy_from_slice(&shadow);
        let storage = storage(&first, &bytes);
        match read_all(&storage) {
            Ok(_) => {}
            Err(LogError::Records { position, .. }) => {
                bad_records += 1;
                assert_eq!(position.generation, 2);
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(bad_records > 50, "{bad_records}");
    assert!(storage(&first, &second).exists(DIRECTORY.as_ref()).unwrap());
}
