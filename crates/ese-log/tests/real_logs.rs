#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]
//! The logs of real systems, both formats: counts as in the manifest, intact chains, checkpoints that point at records.

use std::path::Path;

use ese_format::{LogHeaderChecks, LogPosition};
use ese_io::MemoryStorage;
use ese_log::record::Record;
use ese_log::{EndOfLog, OpenLog, ScanOptions};

fn open(bytes: Vec<u8>) -> OpenLog {
    let storage = MemoryStorage::new();
    storage.put("/log", bytes);
    OpenLog::open(&storage, Path::new("/log"), &LogHeaderChecks::default()).unwrap()
}

/// Reads all records, decoding each: the verdict, the number of records, the positions.
fn read(log: &OpenLog) -> (EndOfLog, Vec<LogPosition>) {
    let mut reader =
        log.records(LogPosition::NONE, ScanOptions { count_all: true, ..ScanOptions::default() });
    let mut positions = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        Record::decode(record.bytes).unwrap();
        assert!(positions.last().is_none_or(|last| *last < record.position));
        positions.push(record.position);
    }
    (reader.finish().unwrap(), positions)
}

#[test]
fn counts_of_the_manifest() {
    let mut seen = 0;
    for file in testdata::real_files().iter().filter(|f| f.kind == "log") {
        let log = open(testdata::real_bytes(file).unwrap());
        let (end, positions) = read(&log);
        println!("{}/{}: {end:?}, {} records", file.set, file.file, positions.len());
        assert!(end.is_usable(), "{}/{}", file.set, file.file);
        assert!(end.repairs.is_empty());
        assert_eq!(end.data + end.shadows + end.unused + end.stale + end.bad, end.sectors);
        if log.header().version().has_segments() {
            let mut expected = format!("{} of {} segments used", end.data, end.sectors);
            if end.shadows != 0 {
                expected += &format!(", {} shadow segment after them", end.shadows);
            }
            assert_eq!(expected, file.counts, "{}/{}", file.set, file.file);
        }
        seen += 1;
    }
    if testdata::real_folder().is_some() {
        assert!(seen > 20, "only {seen} logs");
    }
}
