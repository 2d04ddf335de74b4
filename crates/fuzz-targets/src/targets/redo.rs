//! A database rebuilt from the records of real logs, a few words of which are changed.
//!
//! The input is a list of changes, eight bytes each: record (u16), offset in the record (u16), new value (u32), all
//! little-endian and taken modulo what there is. A value whose upper half is 0xFFFF replaces two bytes only, one whose
//! upper three bytes are 0xFFFFFF one byte.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use ese_btree::{Handled, Redo, RedoDatabase};
use ese_format::{LogHeaderChecks, LogPosition, PageSize};
use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};
use ese_log::record::Record;
use ese_log::{OpenLog, ScanOptions};

use crate::samples;

/// Enough for every kind of record of ordinary work; the first ones create the database.
const RECORDS: usize = 6000;

type Stream = Vec<(LogPosition, Vec<u8>)>;

/// Replays with the changes, until the first refusal.
pub(crate) fn run(data: &[u8]) {
    let _ = replay(data);
}

/// How many records were replayed.
fn replay(data: &[u8]) -> usize {
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
    let Ok(size) = PageSize::new(4096) else { return 0 };
    let storage = MemoryStorage::new();
    let Ok(file) = storage.open(Path::new("db"), OpenOptions::new(OpenMode::CreateNew)) else { return 0 };
    let _ = file.set_len(2 * 4096);
    let mut redo = Redo::new(size, 1 << 20);
    for (index, (position, record)) in base.iter().enumerate() {
        let record = changed.iter().find(|(i, _)| *i == index).map_or(record, |(_, changed)| changed);
        let stop = match redo.apply(record, *position) {
            Ok(Handled::Done) => false,
            Ok(Handled::Caller) => match Record::decode(record) {
                Ok(Record::CreateDatabase(r)) => {
                    let database = RedoDatabase { attach_position: *position, ..RedoDatabase::default() };
                    redo.attach(r.database, database, Some(Arc::clone(&file))).is_err()
                }
                Ok(Record::DetachDatabase(r)) => redo.detach(r.database).is_err(),
                Ok(_) => false,
                Err(_) => true,
            },
            Err(error) => {
                let _ = (error.to_string(), error.jet_error());
                true
            }
        };
        if stop {
            return index;
        }
    }
    let slots: Vec<_> = redo.databases().map(|(slot, _)| slot).collect();
    for slot in slots {
        let _ = redo.detach(slot);
    }
    base.len()
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
        let all = stream().len();
        assert!(all > 1000, "{all}");
        assert_eq!(replay(&[]), all);
    }
}
