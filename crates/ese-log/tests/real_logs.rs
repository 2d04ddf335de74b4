#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]
//! The logs of real systems, both formats: counts as in the manifest, intact chains, checkpoints that point at records.

use std::path::Path;

use ese_format::{JetError, LogHeaderChecks, LogPosition};
use ese_io::{MemoryStorage, OpenOptions, Storage};
use ese_log::record::Record;
use ese_log::{
    BaseName, EndOfLog, LogCopyVerifier, LogError, LogNames, LogSet, OpenLog, ScanOptions, StreamEnd,
    StreamItem, StreamOptions, StreamReader, read_checkpoint,
};

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

/// The files of a real set below `folder` of it, in memory.
fn set_in_memory(set: &str, folder: &str) -> Option<MemoryStorage> {
    let storage = MemoryStorage::new();
    let mut any = false;
    for file in testdata::real_files().iter().filter(|f| f.set == set) {
        let Some(name) = file.file.strip_prefix(folder).filter(|n| !n.contains('/')) else { continue };
        if matches!(file.kind.as_str(), "log" | "checkpoint" | "blank log" | "reserved log") {
            storage.put(Path::new("/logs").join(name), testdata::real_bytes(file).unwrap());
            any = true;
        }
    }
    any.then_some(storage)
}

fn stream(storage: &MemoryStorage, start: LogPosition) -> Result<(Vec<LogPosition>, StreamEnd), LogError> {
    let names = LogNames::legacy(BaseName::default());
    let set = LogSet::discover(storage, Path::new("/logs"), &names)?;
    let options = StreamOptions { start, read_ahead: true, ..StreamOptions::default() };
    let mut reader = StreamReader::new(storage, vec![set], options);
    let mut positions = Vec::new();
    while let Some(item) = reader.next()? {
        if let StreamItem::Record(record) = item {
            positions.push(record.position);
        }
    }
    Ok((positions, reader.last_end().unwrap().clone()))
}

#[test]
fn chains_and_their_checkpoints() {
    // Set, folder, whether the checkpoint is where a clean shutdown left it.
    for (set, folder, clean) in [
        ("catroot2-xp-x64", "", false),
        ("winmail-win7-a", "", true),
        ("winmail-win7-512b", "", true),
        ("indexeddb-win10-32k", "", true),
        ("datastore-logs-win10-a", "t1/Logs/", true),
        ("datastore-logs-win10-a", "t2/Logs/", true),
        ("datastore-logs-win10-a", "t3/Logs/", true),
        ("secedit-log-fresh", "", false),
    ] {
        let Some(storage) = set_in_memory(set, folder) else { return };
        let (positions, end) = stream(&storage, LogPosition::NONE).unwrap_or_else(|e| panic!("{set}: {e}"));
        let Ok(pair) = read_checkpoint(&storage, Path::new("/logs/edb.chk"), Some(&end.header.signature()))
        else {
            assert_eq!(set, "winmail-win7-512b");
            continue;
        };
        let checkpoint = pair.checkpoint.position();
        assert!(positions.contains(&checkpoint), "{set}{folder}: no record at {checkpoint}");
        if clean {
            assert_eq!(end.end.closed_at, Some(checkpoint), "{set}{folder}");
        }
        // Started there, the same records come.
        let (from_checkpoint, _) = stream(&storage, checkpoint).unwrap();
        let rest: Vec<_> = positions.into_iter().filter(|p| *p >= checkpoint).collect();
        assert_eq!(from_checkpoint, rest, "{set}{folder}");
    }
}

#[test]
fn a_log_of_another_stream_is_refused() {
    let Some(storage) = set_in_memory("indexeddb-win10-32k", "foreign/") else { return };
    let own = set_in_memory("indexeddb-win10-32k", "").unwrap();
    storage.put("/logs/edb.log", own.get("/logs/edb.log").unwrap());
    // Generation 0xD comes first, and the log behind it is not the next one.
    let error = stream(&storage, LogPosition::NONE).unwrap_err();
    assert_eq!(error.jet_error(), JetError::BAD_LOG_SIGNATURE);
}

#[test]
fn copies_are_verified_segment_by_segment() {
    for file in testdata::real_files().iter().filter(|f| f.kind == "log") {
        let storage = MemoryStorage::new();
        let original = testdata::real_bytes(file).unwrap();
        storage.put("/log", &original);
        let open = || storage.open(Path::new("/log"), OpenOptions::READ).unwrap();
        let copy = |piece_len: usize| {
            let mut verifier = LogCopyVerifier::begin(open())?;
            let mut bytes = storage.get("/log").unwrap();
            for piece in bytes.chunks_mut(piece_len) {
                verifier.verify(piece)?;
            }
            verifier.finish().map(|counts| (counts, bytes))
        };
        let (counts, bytes) = copy(64 * 1024).unwrap_or_else(|e| panic!("{}/{}: {e}", file.set, file.file));
        assert_eq!(bytes, original);
        let has_segments = file.version.starts_with("8.");
        if !has_segments {
            continue;
        }
        let total = original.len() as u32 / 4096 - 1;
        assert_eq!(counts.good + counts.shadows + counts.zero, total);
        // A flipped bit is set right in the copy; two are refused; so are pieces that are none.
        let mut flipped = original.clone();
        flipped[4096 + 999] ^= 8;
        storage.put("/log", &flipped);
        let (counts, bytes) = copy(8192).unwrap();
        assert_eq!((counts.corrected, bytes == original), (1, true));
        flipped[4096 + 1999] ^= 8;
        storage.put("/log", &flipped);
        assert_eq!(copy(4096).unwrap_err().jet_error(), JetError::LOG_READ_VERIFY_FAILURE);
        storage.put("/log", &original);
        assert_eq!(copy(1000).unwrap_err().jet_error(), JetError::LOG_READ_VERIFY_FAILURE);
        let mut verifier = LogCopyVerifier::begin(open()).unwrap();
        verifier.verify(&mut original[..8192].to_vec()).unwrap();
        assert_eq!(verifier.finish().unwrap_err().jet_error(), JetError::LOG_READ_VERIFY_FAILURE);
    }
}
