//! A database rebuilt from the records of real logs, a few words of which are changed.
//!
//! The input is a list of changes, eight bytes each: record (u16), offset in the record (u16), new value (u32), all
//! little-endian and taken modulo what there is. A value whose upper half is 0xFFFF replaces two bytes only, one whose
//! upper three bytes are 0xFFFFFF one byte.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use ese_btree::{Handled, PositionedRecords, Redo, RedoDatabase, RedoError, RedoErrorKind};
use ese_format::{LogHeaderChecks, LogPosition, PageSize};
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};
use ese_log::record::Record;
use ese_log::{OpenLog, ScanOptions};

use crate::samples;

/// Enough for every kind of record of ordinary work; the first ones create the database.
const RECORDS: usize = 6000;

/// Files from this length on are not compared byte by byte.
const LONGEST_COMPARED: u64 = 64 << 20;

type Stream = Vec<(LogPosition, Vec<u8>)>;

/// Replays with the changes, until the first refusal: on one thread, and with workers, which must come to the same.
pub(crate) fn run(data: &[u8]) {
    let stream = changed_stream(data);
    let alone = replay(&stream, 0);
    let together = replay(&stream, 2);
    assert!(alone.error == together.error, "{:?}, with workers {:?}", alone.error, together.error);
    assert!(alone.len == together.len && alone.file == together.file, "another file with workers");
}

/// What replay ends with.
struct Outcome {
    error: Option<String>,
    /// Length of the database file.
    len: u64,
    /// The file, unless it is long.
    file: Option<Vec<u8>>,
}

/// The records with the changes.
fn changed_stream(data: &[u8]) -> Stream {
    static BASE: OnceLock<Stream> = OnceLock::new();
    let base = BASE.get_or_init(stream);
    let mut changed: Vec<(usize, Vec<u8>)> = Vec::new();
    for change in data.as_chunks::<8>().0.iter().take(16) {
        let [r0, r1, o0, o1, a, b, c, d] = *change;
        let index = usize::from(u16::from_le_bytes([r0, r1])) % base.len().max(1);
        let place = match changed.iter().position(|(i, _)| *i == index) {
            Some(place) => place,
            None => {
                changed.push((index, base.get(index).map(|(_, b)| b.clone()).unwrap_or_default()));
                changed.len() - 1
            }
        };
        let Some((_, record)) = changed.get_mut(place) else { continue };
        let offset = usize::from(u16::from_le_bytes([o0, o1])) % record.len().max(1);
        let value: &[u8] = match [b, c, d] {
            [0xFF, 0xFF, 0xFF] => &[a],
            [_, 0xFF, 0xFF] => &[a, b],
            _ => &[a, b, c, d],
        };
        for (target, source) in record.iter_mut().skip(offset).zip(value) {
            *target = *source;
        }
    }
    let mut stream = base.clone();
    for (index, record) in changed {
        if let Some(place) = stream.get_mut(index) {
            place.1 = record;
        }
    }
    stream
}

fn replay(stream: &Stream, workers: usize) -> Outcome {
    let storage = MemoryStorage::new();
    let Ok(size) = PageSize::new(4096) else { return Outcome { error: None, len: 0, file: None } };
    let mut redo = Redo::new(size, 1 << 20);
    if workers > 0 {
        redo.start_workers(workers);
    }
    let outcome = replay_on(&mut redo, &storage, stream);
    // A change that was under way comes before whatever ended it.
    let settled = redo.end_workers();
    let error = settled.and(outcome).err().map(|error| format!("{error} {}", error.jet_error()));
    if error.is_none() {
        let slots: Vec<_> = redo.databases().map(|(slot, _)| slot).collect();
        for slot in slots {
            let _ = redo.detach(slot);
        }
    }
    let len = storage.open(Path::new("db"), OpenOptions::READ).and_then(|file| file.len()).unwrap_or(0);
    // A changed record may make the file any length.
    Outcome { error, len, file: if len < LONGEST_COMPARED { storage.get("db") } else { None } }
}

fn replay_on(redo: &mut Redo, storage: &MemoryStorage, stream: &Stream) -> Result<(), RedoError> {
    let options = OpenOptions::new(OpenMode::CreateNew);
    let Ok(file) = storage.open(Path::new("db"), options) else { return Ok(()) };
    let _ = file.set_len(2 * 4096);
    for records in stream.chunks(500) {
        let mut batch = PositionedRecords::default();
        records.iter().for_each(|(position, bytes)| batch.push(*position, bytes));
        let batch = Arc::new(batch);
        for (index, (position, bytes)) in batch.records().enumerate() {
            let refused = |kind| RedoError { position, kind };
            let record = Record::decode(bytes).map_err(|e| refused(RedoErrorKind::Record(e)))?;
            if redo.apply_in_batch(&record, &batch, index)? == Handled::Done {
                continue;
            }
            let done = match record {
                Record::CreateDatabase(r) => {
                    let database = RedoDatabase { attach_position: position, ..RedoDatabase::default() };
                    redo.attach(r.database, database, Some(Arc::clone(&file)))
                }
                Record::DetachDatabase(r) => redo.detach(r.database).map(drop),
                _ => Ok(()),
            };
            done.map_err(|e| refused(RedoErrorKind::Cache(e)))?;
        }
        redo.end_batch()?;
    }
    Ok(())
}

fn stream() -> Stream {
    let mut found = Stream::new();
    let storage = MemoryStorage::new();
    for log in samples::files("clean-p4k", "files", &[".log"], usize::MAX) {
        storage.put("a.log", log);
        let Ok(log) = OpenLog::open(&storage, Path::new("a.log"), &LogHeaderChecks::default()) else {
            continue;
        };
        let mut reader = log.records(LogPosition::NONE, ScanOptions::default());
        while let Ok(Some(record)) = reader.next() {
            found.push((record.position, record.bytes.to_vec()));
        }
    }
    found.sort_by_key(|(position, _)| *position);
    found.truncate(RECORDS);
    found
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    // Every field of many records with a value from the edge of its range.
    let records = u16::try_from(stream().len()).unwrap_or(u16::MAX).max(1);
    for step in 0..600_u16 {
        let record = step.wrapping_mul(97) % records;
        let offset = step % 60;
        let value = match step % 5 {
            0 => 0xFFFF_FF01_u32,
            1 => 0xFFFF_FFFF,
            2 => 0xFFFF_0FFF,
            3 => 0x7FFF_FFFF,
            _ => 0x0001_0000,
        };
        found.push([&record.to_le_bytes()[..], &offset.to_le_bytes(), &value.to_le_bytes()].concat());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_changes_all_records_are_replayed() {
        let all = changed_stream(&[]);
        assert!(all.len() > 1000, "{}", all.len());
        let outcome = replay(&all, 0);
        assert_eq!(outcome.error, None);
        assert!(outcome.file.is_some_and(|file| file.len() > 50 * 4096));
    }
}
