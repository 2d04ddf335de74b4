//! Replaying 45 MB of log onto a database of which nothing was written, in memory.
//!
//! The anchor is reading the same logs with their checksums and decoding every record, without pages. Targets: replay on
//! one core at least 150 MB of log per second in the page cache; a cache of a fiftieth of the database still recovers it.
#![allow(missing_docs)]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use benches::{Contestant, take_turns};
use ese_instance::recovery::{
    NoRecoveryProgress, RecoveryEnvironment, RecoveryRequest, RecoveryResult, plan, recover,
};
use ese_io::{FixedClock, MemoryStorage, SeededRandomness};
use ese_log::{BaseName, LogNames};

const CASE: &str = "big-dirty-p8k";

fn load(folder: &Path) -> (MemoryStorage, u64) {
    let storage = MemoryStorage::new();
    let mut log_bytes = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path: PathBuf = entry.path();
        let (Some(name), Ok(bytes)) = (path.file_name(), std::fs::read(&path)) else { continue };
        if path.extension().is_some_and(|e| e == "log") {
            log_bytes += bytes.len() as u64;
        }
        storage.put(Path::new("/r").join(name), bytes);
    }
    (storage, log_bytes)
}

fn request(cache_bytes: usize, threads: usize) -> RecoveryRequest {
    let names = LogNames { short_generations: false, ..LogNames::legacy(BaseName::default()) };
    let mut request = RecoveryRequest::soft(Path::new("/r"), names);
    request.cache_bytes = cache_bytes;
    request.threads = threads;
    request
}

fn replay(storage: &MemoryStorage, cache_bytes: usize, threads: usize) {
    let environment = RecoveryEnvironment {
        storage: Arc::new(storage.clone()),
        clock: Arc::new(FixedClock::new(0)),
        randomness: Arc::new(SeededRandomness::new(1)),
    };
    let report = recover(&request(cache_bytes, threads), &environment, &NoRecoveryProgress);
    assert!(report.is_ok_and(|r| r.result == RecoveryResult::Recovered));
}

fn main() {
    let Some(folder) = testdata::reference(CASE) else { return };
    let folder = folder.join("files");
    let (_, log_bytes) = load(&folder);
    // Fresh files for each turn. Putting them into memory, and letting go of them, is nobody's time.
    let files = RefCell::new(MemoryStorage::new());
    let anchor = request(0, 1);
    let turn = |cache_bytes, threads| replay(&files.borrow(), cache_bytes, threads);
    let mut contestants = [
        Contestant::new("read and decode the logs", || {
            let planned = plan(&anchor, &*files.borrow(), &NoRecoveryProgress);
            assert!(planned.is_ok_and(|p| p.failure.is_none()));
        }),
        Contestant::new("in the cache, one thread", || turn(256 << 20, 1)),
        Contestant::new("in the cache, all threads", || turn(256 << 20, 0)),
        Contestant::new("cache a fiftieth, one thread", || turn(37 << 14, 1)),
        Contestant::new("cache a fiftieth, all threads", || turn(37 << 14, 0)),
    ];
    take_turns("replay", log_bytes, 7, &mut contestants, || {
        files.replace(load(&folder).0);
    });
}
