//! The records of whole streams.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use ese_format::{LogHeaderChecks, LogPosition, PageSize};
use ese_io::MemoryStorage;
use ese_log::{OpenLog, ScanOptions};

/// Records with their positions.
pub(crate) type Records = Vec<(LogPosition, Vec<u8>)>;

/// All records of a case whose logs begin with the creation of its database, and its page size.
pub(crate) fn records(case: &str) -> Option<(Records, PageSize)> {
    let folder = testdata::reference(case)?.join("files");
    let storage = MemoryStorage::new();
    let mut logs: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    logs.retain(|p| p.extension().is_some_and(|e| e == "log") && !p.ends_with("edbtmp.log"));
    // The current one is the last.
    logs.sort_by_key(|p| (p.ends_with("edb.log"), p.clone()));
    let (mut records, mut size) = (Vec::new(), None);
    for path in logs {
        storage.put(&path, std::fs::read(&path).unwrap());
        let log = OpenLog::open(&storage, &path, &LogHeaderChecks::default()).unwrap();
        size = size.or_else(|| log.header().page_size().ok());
        let mut reader = log.records(LogPosition::NONE, ScanOptions::default());
        while let Some(record) = reader.next().unwrap() {
            records.push((record.position, record.bytes.to_vec()));
        }
    }
    Some((records, size.unwrap()))
}
