//! The packer against the engine's: the records of every reference log, packed again, give the same segments.

use std::path::{Path, PathBuf};

use ese_format::{LogHeaderChecks, LogPosition, LogTime};
use ese_io::OsStorage;

use super::buffer::LogBuffer;
use super::pack::fill_segment;
use crate::segment::{SEGMENT_HEADER_SIZE, SEGMENT_SIZE};
use crate::{OpenLog, RecordBatch, ScanOptions};

fn logs_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            logs_below(&path, found);
        } else if path.extension().is_some_and(|e| e == "log" || e == "jtx") {
            found.push(path);
        }
    }
}

/// Packs the records of one log again and compares; the number of segments compared.
fn repack(path: &Path) -> usize {
    let Ok(log) = OpenLog::open(&OsStorage, path, &LogHeaderChecks::default()) else { return 0 };
    let options = ScanOptions::default();
    let end = log.scan(options).unwrap();
    let file = std::fs::read(path).unwrap();
    let body = &file[SEGMENT_SIZE..(usize::from(end.end.sector)) * SEGMENT_SIZE];
    let mut packed = LogBuffer::new(log.generation().0, 1, u16::MAX);
    let mut reader = log.records(LogPosition::NONE, options);
    let mut batch = RecordBatch::new();
    while let Some(record) = reader.next().unwrap() {
        let len = packed.len();
        let target = usize::from(record.position.sector - 1) * SEGMENT_SIZE;
        let cut = record.position != packed.tip() && record.position.byte == 0 && body[len] == 76;
        // Behind a crash the engine goes on in a new segment: the rest of the old one is zeros, though there was room.
        let skipped =
            !len.is_multiple_of(SEGMENT_SIZE) && body[len] == 0 && SEGMENT_SIZE - len % SEGMENT_SIZE >= 32;
        if cut {
            packed.segments_mut().extend_from_slice(&body[len..target]);
        } else if skipped {
            fill_segment(packed.segments_mut());
        }
        batch.clear();
        batch.push_bytes(record.bytes);
        packed.append(
            &batch,
            || LogTime::NONE,
            |position| assert!(skipped || position == record.position, "{} at {position}", path.display()),
        );
    }
    let packed = packed.segments_mut();
    let len = packed.len();
    assert!(len <= body.len(), "{}", path.display());
    // A crash may have cut a record; else only fill follows, a whole segment of it after a forced roll.
    if body.get(len) == Some(&76) {
        packed.extend_from_slice(&body[len..]);
    }
    packed.resize(body.len(), 0);
    for (i, (ours, theirs)) in packed.chunks(SEGMENT_SIZE).zip(body.chunks(SEGMENT_SIZE)).enumerate() {
        let payloads = (&ours[SEGMENT_HEADER_SIZE..], &theirs[SEGMENT_HEADER_SIZE..]);
        assert!(payloads.0 == payloads.1, "{} segment {}", path.display(), i + 1);
    }
    body.len() / SEGMENT_SIZE
}

#[test]
fn records_of_the_engine_pack_to_its_segments() {
    let mut logs = Vec::new();
    for case in testdata::reference_cases() {
        if let Some(folder) = testdata::reference(&case) {
            logs_below(&folder, &mut logs);
        }
    }
    let segments: usize = logs.iter().map(|path| repack(path)).sum();
    println!("{} logs, {segments} segments", logs.len());
    assert!(segments > 1000);
}
