//! Scanning and reading logs against a bare read of the same files in the same run, warm.
//!
//! Target: scanning with every checksum at 0.9 of the bare read's speed.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, reason = "a bench may stop")]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use benches::{Contestant, take_turns};
use ese_format::{LogHeaderChecks, LogPosition};
use ese_io::{OpenOptions, OsStorage, Storage};
use ese_log::{BaseName, LogNames, LogSet, OpenLog, ScanOptions, StreamItem, StreamOptions, StreamReader};

/// Bytes read at a time by the bare read: what the reader itself uses.
const PIECE: usize = 256 * 1024;

fn bare_read(paths: &[PathBuf]) -> u64 {
    let mut buffer = vec![0; PIECE];
    let mut sum = 0;
    for path in paths {
        let file = OsStorage.open(path, OpenOptions::READ).expect("opens");
        let mut offset = 0;
        loop {
            let count = file.read_at(offset, &mut buffer).expect("reads");
            if count == 0 {
                break;
            }
            offset += count as u64;
        }
        sum += offset;
    }
    sum
}

fn open(path: &Path) -> OpenLog {
    OpenLog::open(&OsStorage, path, &LogHeaderChecks::default()).expect("a log")
}

fn main() {
    let Some(folder) = testdata::reference("big-dirty-p8k") else { return };
    let folder = folder.join("files");
    let names = LogNames::legacy(BaseName::default());
    let set = LogSet::discover(&OsStorage, &folder, &names).expect("lists");
    let files: Vec<_> = set.archived.values().chain(&set.current).collect();
    let bytes: u64 = files.iter().map(|f| f.len).sum();
    let paths: Vec<PathBuf> = files.iter().map(|f| f.path.clone()).collect();
    let scan = |threads| {
        let options = ScanOptions { threads, ..ScanOptions::default() };
        for path in &paths {
            black_box(open(path).scan(options).expect("scans"));
        }
    };
    let records = || {
        let mut count = 0u64;
        for path in &paths {
            let mut reader = open(path).records(LogPosition::NONE, ScanOptions::default());
            while let Some(record) = reader.next().expect("reads") {
                count += u64::from(record.bytes[0]);
            }
        }
        black_box(count);
    };
    let stream = |read_ahead| {
        let options = StreamOptions { read_ahead, ..StreamOptions::default() };
        let mut reader = StreamReader::new(&OsStorage, vec![set.clone()], options);
        let mut count = 0u64;
        while let Some(item) = reader.next().expect("reads") {
            if let StreamItem::Record(record) = item {
                count += u64::from(record.bytes[0]);
            }
        }
        black_box(count);
    };
    let mut contestants = [
        Contestant::new("bare read", || _ = black_box(bare_read(&paths))),
        Contestant::new("scan with checksums, one thread", || scan(1)),
        Contestant::new("scan with checksums, two threads", || scan(2)),
        Contestant::new("scan with checksums, by default", || scan(0)),
        Contestant::new("records, file by file", records),
        Contestant::new("records as one stream", || stream(false)),
        Contestant::new("the same, reading ahead", || stream(true)),
    ];
    take_turns(&format!("{} logs, warm", paths.len()), bytes, 60, &mut contestants, || {});
}
