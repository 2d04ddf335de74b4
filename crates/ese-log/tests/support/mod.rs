//! A reader of log files for tests only: no checksums, no verdicts, whole file in memory. It knows just enough to hand
//! out every record, so that the record codec is tested apart from the real reader.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

pub(crate) mod dump;

use std::path::{Path, PathBuf};

use ese_format::LogPosition;
use ese_log::record::{Record, RecordKind, RecordSize, record_size};

/// One record as a reader would deliver it.
pub(crate) struct Found {
    /// Position: where the append began.
    pub(crate) position: LogPosition,
    /// The record, assembled from its fragments.
    pub(crate) bytes: Vec<u8>,
    /// Whether it was in fragments.
    pub(crate) fragmented: bool,
}

/// What a log holds.
pub(crate) struct Walked {
    /// Version of the log.
    pub(crate) version: (u32, u32, u32, u32),
    /// Generation.
    pub(crate) generation: u32,
    /// Records as a reader delivers them, NOP left out.
    pub(crate) records: Vec<Found>,
    /// Every fragment as it stands in its segment.
    pub(crate) fragments: Vec<Vec<u8>>,
}

fn u16_at(bytes: &[u8], offset: usize) -> usize {
    usize::from(u16::from_le_bytes(bytes[offset..offset + 2].try_into().unwrap()))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap())
}

/// Size of the record at the start of `bytes`, which must be there completely.
fn whole_size(bytes: &[u8]) -> usize {
    match record_size(bytes).unwrap() {
        RecordSize::Size(size) => {
            assert!(size <= bytes.len(), "record runs past the end");
            size
        }
        RecordSize::Need(size) => panic!("{size} bytes of fixed part run past the end"),
    }
}

/// Walks a log file, or `None` when it is none (reserve logs, blank files).
pub(crate) fn walk(file: &[u8]) -> Option<Walked> {
    if file.len() < 4096 || u32_at(file, 32) < 7 || u32_at(file, 32) > 8 || u32_at(file, 4) == 0 {
        return None;
    }
    let version = (u32_at(file, 32), u32_at(file, 36), u32_at(file, 40), u32_at(file, 648));
    let mut walked =
        Walked { version, generation: u32_at(file, 4), records: Vec::new(), fragments: Vec::new() };
    if version.0 == 8 {
        walk_segments(file, &mut walked)
    } else {
        walk_ranges(file, &mut walked)
    }
    Some(walked)
}

fn walk_segments(file: &[u8], out: &mut Walked) {
    let generation = out.generation;
    let mut position = LogPosition::new(generation, 1, 0);
    let mut pending: Option<(LogPosition, usize, Vec<u8>)> = None;
    for (index, segment) in file.chunks_exact(4096).enumerate().skip(1) {
        let isec = u16::try_from(index).unwrap();
        let stamp = LogPosition::from_bytes(segment[8..16].try_into().unwrap());
        if stamp != LogPosition::new(generation, isec, 0) {
            break;
        }
        if pending.is_none() && position.byte == 0 {
            position = stamp;
        }
        let mut offset = 40;
        while offset < 4096 {
            let rest = &segment[offset..];
            let here = LogPosition::new(generation, isec, if offset == 40 { 0 } else { offset as u16 });
            match RecordKind(rest[0]) {
                RecordKind::NOP => {
                    // Fill to the end: the next record has the position where it begins.
                    if position.byte == 0 || offset != 40 {
                        position = here;
                    }
                    assert!(rest.iter().all(|&byte| byte == 0), "NOP in the middle of a segment");
                    offset = 4096;
                    continue;
                }
                RecordKind::FRAGMENT_BEGIN => {
                    let size = whole_size(rest);
                    out.fragments.push(rest[..size].to_vec());
                    pending = Some((position, u32_at(rest, 1) as usize, rest[7..size].to_vec()));
                    offset += size;
                }
                RecordKind::FRAGMENT => {
                    let size = whole_size(rest);
                    out.fragments.push(rest[..size].to_vec());
                    let (_, total, bytes) = pending.as_mut().expect("stray fragment");
                    bytes.extend_from_slice(&rest[3..size]);
                    if bytes.len() == *total {
                        let (position, _, bytes) = pending.take().unwrap();
                        assert_eq!(whole_size(&bytes), bytes.len());
                        out.records.push(Found { position, bytes, fragmented: true });
                    }
                    offset += size;
                }
                _ => {
                    if pending.take().is_some() {
                        // Cut by a crash; recovery began anew at this segment.
                        position = here;
                    }
                    let size = whole_size(rest);
                    out.records.push(Found { position, bytes: rest[..size].to_vec(), fragmented: false });
                    offset += size;
                }
            }
            position = if offset < 4096 {
                LogPosition::new(generation, isec, offset as u16)
            } else {
                LogPosition::new(generation, isec + 1, 0)
            };
        }
    }
}

fn walk_ranges(file: &[u8], out: &mut Walked) {
    let sector_size = u16_at(file, 8);
    let mut offset = u16_at(file, 10) * sector_size;
    let (mut range_end, mut next) = (file.len(), None);
    loop {
        if offset >= range_end {
            let Some(at) = next else { return };
            offset = if offset > at { offset } else { at };
            if file[at] != RecordKind::CHECKSUM.0 {
                return;
            }
        }
        let rest = &file[offset..];
        let position =
            LogPosition::new(out.generation, (offset / sector_size) as u16, (offset % sector_size) as u16);
        if rest[0] == 0 {
            offset += 1;
            continue;
        }
        let size = match record_size(rest) {
            Ok(RecordSize::Size(size)) => size,
            other => panic!("{position}: {other:?}"),
        };
        if RecordKind(rest[0]) == RecordKind::CHECKSUM {
            let (forward, distance) = (u32_at(rest, 5) as usize, u32_at(rest, 9) as usize);
            range_end = offset + 22 + forward;
            next = (distance != 0).then_some(offset + 22 + distance);
            if let Some(at) = next {
                // What lies between belongs to the stream unless the next record says that it is stale.
                if u32_at(file, at + 1) != 0 {
                    range_end = at;
                }
            }
        } else if offset + size > range_end && next.is_none() {
            return;
        }
        out.records.push(Found { position, bytes: rest[..size].to_vec(), fragmented: false });
        offset += size;
    }
}

/// Every log file among the reference cases: case, path below the case.
pub(crate) fn reference_logs() -> Vec<(String, PathBuf)> {
    let mut logs = Vec::new();
    for case in testdata::reference_cases() {
        let Some(folder) = testdata::reference(&case) else { continue };
        collect_logs(&folder, &mut |path| logs.push((case.clone(), path)));
    }
    logs
}

fn collect_logs(folder: &Path, found: &mut dyn FnMut(PathBuf)) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect_logs(&path, found);
        } else if path.extension().is_some_and(|e| e == "log" || e == "jtx") {
            found(path);
        }
    }
}

/// Checks that every record of a log comes back from its value; returns how many there were.
pub(crate) fn check_round_trip(name: &str, walked: &Walked) -> usize {
    let mut again = Vec::new();
    let all = walked.records.iter().map(|found| (Some(found.position), &found.bytes));
    for (position, bytes) in all.chain(walked.fragments.iter().map(|bytes| (None, bytes))) {
        let record = Record::decode(bytes).unwrap_or_else(|error| panic!("{name} at {position:?}: {error}"));
        again.clear();
        record.encode(&mut again).unwrap();
        assert_eq!(&again, bytes, "{name} at {position:?}: {record:?}");
        assert!(!matches!(record, Record::Ignored(..)), "{name}: {:?} never occurs", record.kind());
    }
    walked.records.len() + walked.fragments.len()
}
