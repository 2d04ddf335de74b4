//! Logs that hold committed changes no database file requires: damaged, missing, given up, deleted.
//!
//! The database is an older copy: rebuilt from the first ten generations of a fixture, without undo.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod thread_bed;

use std::path::Path;

use ese_format::{DatabaseHeader, LogGeneration, LogPosition};
use ese_instance::recovery::{
    MissingCurrentLog, RecoveryError, RecoveryReport, RecoveryRequest, RecoveryResult, StopAt,
};
use ese_io::{MemoryStorage, Storage};
use ese_log::{BaseName, LogNames, LogSet};
use thread_bed::recover_alike;

const LAST_REQUIRED: u32 = 10;
const LAST: u32 = 0x13;

fn names() -> LogNames {
    LogNames { short_generations: false, ..LogNames::legacy(BaseName::default()) }
}

fn run(
    storage: &MemoryStorage,
    change: impl FnOnce(&mut RecoveryRequest),
) -> Result<RecoveryReport, RecoveryError> {
    let mut request = RecoveryRequest::soft(Path::new("/r"), names());
    change(&mut request);
    recover_alike(storage, &request)
}

fn archived(generation: u32) -> String {
    format!("/r/{}", names().archived(LogGeneration(generation)))
}

/// The older copy and all logs, with committed changes up to the last one.
fn older_copy() -> Option<MemoryStorage> {
    let folder = testdata::reference("dirty-exit-p8k")?.join("files");
    let storage = MemoryStorage::new();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    for generation in 1..=LAST_REQUIRED {
        let name = names().archived(LogGeneration(generation));
        storage.put(Path::new("/r").join(&name), read(&name));
    }
    let report = run(&storage, |request| {
        request.without_undo = true;
        request.missing_current_log = MissingCurrentLog::Accept;
    })
    .unwrap();
    assert_eq!(report.result, RecoveryResult::RedoneOnly);
    assert_eq!(report.databases[0].required, (LogGeneration(1), LogGeneration(LAST_REQUIRED)));
    assert!(storage.get("/r/edb.log").is_none() && storage.get("/r/edb.chk").is_none());
    let mut bytes = storage.get("/r/db.edb").unwrap();
    let mut header = DatabaseHeader::parse(&bytes[..8192]).unwrap();
    header.set_max_committed(LogGeneration(LAST));
    header.set_max_committed_create_time(ese_format::LogTime::NONE);
    let page = header.write();
    bytes[..8192].copy_from_slice(&page);
    bytes[8192..16384].copy_from_slice(&page);
    storage.put("/r/db.edb", bytes);
    for generation in LAST_REQUIRED + 1..LAST {
        let name = names().archived(LogGeneration(generation));
        storage.put(Path::new("/r").join(&name), read(&name));
    }
    storage.put("/r/edb.log", read("edb.log"));
    Some(storage)
}

fn damage(storage: &MemoryStorage, generation: u32) {
    let mut bytes = storage.get(archived(generation)).unwrap();
    bytes[5 * 4096 + 100] ^= 1;
    bytes[5 * 4096 + 900] ^= 1;
    storage.put(archived(generation), bytes);
}

fn error(result: Result<RecoveryReport, RecoveryError>) -> i32 {
    result.map_or_else(|e| e.jet_error().0, |r| r.result.jet_error().0)
}

#[test]
fn an_older_copy_is_rolled_forward() {
    let Some(storage) = older_copy() else { return };
    assert_eq!(run(&storage, |_| {}).unwrap().result, RecoveryResult::Recovered);
}

#[test]
fn damage_in_committed_logs() {
    let Some(storage) = older_copy() else { return };
    damage(&storage, 12);
    assert_eq!(error(run(&storage, |_| {})), -586);
    // In a log that the file requires it is the plain damage.
    let Some(storage) = older_copy() else { return };
    damage(&storage, 9);
    assert_eq!(error(run(&storage, |_| {})), -501);
}

#[test]
fn missing_committed_logs() {
    let Some(storage) = older_copy() else { return };
    storage.remove(Path::new(&archived(12))).unwrap();
    assert_eq!(error(run(&storage, |_| {})), -582);
    let Some(storage) = older_copy() else { return };
    storage.remove(Path::new(&archived(9))).unwrap();
    assert_eq!(error(run(&storage, |_| {})), -515);
    // The end is missing: given up explicitly, the database becomes clean without it.
    let Some(storage) = older_copy() else { return };
    storage.remove(Path::new("/r/edb.log")).unwrap();
    storage.remove(Path::new(&archived(0x12))).unwrap();
    assert_eq!(error(run(&storage, |r| r.missing_current_log = MissingCurrentLog::Accept)), -582);
    let report = run(&storage, |r| {
        r.missing_current_log = MissingCurrentLog::Accept;
        r.accept_lost_logs = true;
    });
    assert_eq!(error(report), 585);
}

#[test]
fn damaged_logs_that_nothing_requires_are_deleted_when_allowed() {
    let Some(storage) = older_copy() else { return };
    damage(&storage, 12);
    let report = run(&storage, |request| {
        request.accept_lost_logs = true;
        request.delete_out_of_range_logs = true;
    })
    .unwrap();
    assert_eq!(report.result, RecoveryResult::RecoveredLogsRemoved);
    assert_eq!(report.result.jet_error().0, 587);
    let set = LogSet::discover(&storage, Path::new("/r"), &names()).unwrap();
    assert_eq!(set.highest(), Some(LogGeneration(11)));
    // The current log took the place of the first one deleted.
    let current = storage.get("/r/edb.log").unwrap();
    assert_eq!(u32::from_le_bytes(current[4..8].try_into().unwrap()), 12);
    assert_eq!(run(&storage, |_| {}).unwrap().result, RecoveryResult::AlreadyClean);
    // Never a log that a file requires.
    let Some(storage) = older_copy() else { return };
    damage(&storage, 9);
    let refused = run(&storage, |request| {
        request.accept_lost_logs = true;
        request.delete_out_of_range_logs = true;
    });
    assert_eq!(error(refused), -501);
    assert!(storage.get(archived(9)).is_some() && storage.get("/r/edb.log").is_some());
}

#[test]
fn stopping_at_a_point_in_time() {
    let stops = [
        StopAt::Position(LogPosition::new(14, 9, 300)),
        StopAt::Position(LogPosition::new(14, 1, 0)),
        StopAt::Position(LogPosition::new(19, 5, 0)),
    ];
    for stop in stops {
        let Some(storage) = older_copy() else { return };
        let report = run(&storage, |request| {
            request.stop_at = Some(stop);
            request.cut_log = true;
            request.accept_lost_logs = true;
        })
        .unwrap();
        println!("{stop:?}: {} {:?} {:?}", report.end, report.result, report.undo);
        let StopAt::Position(limit) = stop else { unreachable!() };
        assert!(report.end < limit);
        // The log ends there too: nothing behind the stop comes back.
        assert_eq!(run(&storage, |_| {}).unwrap().result, RecoveryResult::AlreadyClean);
        let before = storage.get("/r/db.edb").unwrap();
        storage.remove(Path::new("/r/edb.chk")).unwrap();
        run(&storage, |_| {}).unwrap();
        assert!(storage.get("/r/db.edb").unwrap() == before);
    }
    // In front of changes that the file may hold there is no such point.
    let Some(storage) = older_copy() else { return };
    let refused = run(&storage, |request| {
        request.stop_at = Some(StopAt::Position(LogPosition::new(9, 3, 0)));
        request.cut_log = true;
    });
    assert_eq!(error(refused), -543);
    // Without the consent to cut the log only redo can stop.
    let Some(storage) = older_copy() else { return };
    let at = StopAt::Position(LogPosition::new(14, 9, 300));
    assert!(run(&storage, |request| request.stop_at = Some(at)).is_err());
    let Some(storage) = older_copy() else { return };
    let report = run(&storage, |request| {
        request.stop_at = Some(at);
        request.without_undo = true;
        request.accept_lost_logs = true;
    })
    .unwrap();
    assert_eq!(report.result, RecoveryResult::RedoneOnly);
    // And goes on later, to the end.
    assert_eq!(run(&storage, |_| {}).unwrap().result, RecoveryResult::Recovered);
}
