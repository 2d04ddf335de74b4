//! Decoding log records, against reading the same bytes: 45 MB of log of the reference case `big-dirty-p8k`, held in
//! memory as the reader delivers it, and read from the files with every checksum.
//!
//! Target: decoding and encoding each take a small part of the time that replay has: at 150 MB of log a second, 6.7 ns
//! for a byte.
#![allow(missing_docs, reason = "a bench")]

use std::hint::black_box;
use std::path::PathBuf;

use benches::{Contestant, take_turns};
use ese_format::{LogHeaderChecks, LogPosition};
use ese_io::OsStorage;
use ese_log::record::Record;
use ese_log::{OpenLog, ScanOptions};

fn logs() -> Vec<PathBuf> {
    let Some(folder) = testdata::reference("big-dirty-p8k") else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(folder.join("files")) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    paths.sort();
    paths
}

/// Hands out every record of every log.
fn walk(paths: &[PathBuf], visit: &mut dyn FnMut(&[u8])) {
    for path in paths {
        let Ok(log) = OpenLog::open(&OsStorage, path, &LogHeaderChecks::default()) else { continue };
        let mut reader = log.records(LogPosition::NONE, ScanOptions::default());
        while let Ok(Some(raw)) = reader.next() {
            visit(raw.bytes);
        }
    }
}

fn main() {
    let paths = logs();
    if paths.is_empty() {
        return;
    }
    let (mut bytes, mut sizes) = (Vec::new(), Vec::new());
    walk(&paths, &mut |record| {
        bytes.extend_from_slice(record);
        sizes.push(record.len());
    });
    println!("{} records, {} bytes", sizes.len(), bytes.len());
    let records = || {
        let mut rest = bytes.as_slice();
        sizes.iter().map_while(move |&size| {
            let (record, more) = rest.split_at_checked(size)?;
            rest = more;
            Some(record)
        })
    };
    let mut out = Vec::with_capacity(1 << 16);
    take_turns(
        "Records in memory",
        bytes.len() as u64,
        20,
        &mut [
            Contestant::new("copy each record (anchor)", || {
                let mut target = Vec::with_capacity(1 << 16);
                for record in records() {
                    target.clear();
                    target.extend_from_slice(record);
                    black_box(&target);
                }
            }),
            Contestant::new("decode", || {
                for record in records() {
                    let _ = black_box(Record::decode(record));
                }
            }),
            Contestant::new("decode and encode", || {
                for record in records() {
                    out.clear();
                    if let Ok(record) = Record::decode(record) {
                        let _ = record.encode(&mut out);
                    }
                    black_box(&out);
                }
            }),
        ],
        || {},
    );
    let total = paths.iter().filter_map(|path| Some(std::fs::metadata(path).ok()?.len())).sum();
    take_turns(
        "Logs from files in the cache",
        total,
        10,
        &mut [
            Contestant::new("read the files (anchor)", || {
                for path in &paths {
                    let _ = black_box(std::fs::read(path));
                }
            }),
            Contestant::new("verify and walk", || {
                walk(&paths, &mut |record| {
                    black_box(record.len());
                });
            }),
            Contestant::new("verify, walk and decode", || {
                walk(&paths, &mut |record| {
                    let _ = black_box(Record::decode(record));
                });
            }),
        ],
        || {},
    );
}
