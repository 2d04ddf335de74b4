//! Real systems' logs, replayed: the result equals the file that Windows left. Names and numbers only are printed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod thread_bed;

use std::path::Path;

use ese_btree::{Comparison, Difference, compare_databases};
use ese_format::LogGeneration;
use ese_instance::recovery::{DatabaseLocations, RecoveryMode, RecoveryReport, RecoveryRequest};
use ese_io::{MemoryStorage, OpenOptions, Storage};
use ese_log::{BaseName, LogNames};
use thread_bed::recover_alike;

/// Puts the files of a set that lie in `folder` of it into `target`.
fn put(storage: &MemoryStorage, set: &str, folder: &str, target: &str, keep: impl Fn(&str) -> bool) -> usize {
    let mut count = 0;
    for file in testdata::real_files().iter().filter(|f| f.set == set) {
        let Some(name) = file.file.strip_prefix(folder) else { continue };
        if name.contains('/') || !keep(name) {
            continue;
        }
        storage.put(Path::new(target).join(name), testdata::real_bytes(file).unwrap());
        count += 1;
    }
    count
}

fn names() -> LogNames {
    LogNames::legacy(BaseName::default())
}

fn run(storage: &MemoryStorage, request: &RecoveryRequest) -> RecoveryReport {
    recover_alike(storage, request).unwrap_or_else(|e| panic!("{e} ({})", e.jet_error()))
}

/// Header fields that cannot be equal, and why.
const OWN_FIELDS: [(&str, &str); 13] = [
    ("logtimeConsistent", "when recovery ended"),
    ("logtimeDetach", "when recovery ended"),
    ("logtimeAttach", "when recovery attached it"),
    ("logtimeLastExtend", "when recovery made the file grow"),
    ("signDbHdrFlush", "drawn at each write of a header"),
    ("signFlushMapHdrFlush", "drawn at each write of a header"),
    ("osMajor", "the system that created the file, in no record"),
    ("osMinor", "the system that created the file, in no record"),
    ("osBuild", "the system that created the file, in no record"),
    ("osServicePack", "the system that created the file, in no record"),
    ("qwSortVersion", "the sort library that was used last, in no record"),
    ("efvMaxBinAttachDiagnostic", "the engine that attached it last"),
    ("bkinfoFullPrev", "a restore forgets backups"),
];

/// Compares two databases: no header field differs but those, and of those none of `equal` does.
fn compare(storage: &MemoryStorage, a: &str, b: &str, equal: &[&str]) -> Comparison {
    let open = |path: &str| storage.open(Path::new(path), OpenOptions::READ).unwrap();
    compare_databases(&open(a), &open(b), |difference| {
        println!("  {difference}");
        if let Difference::HeaderField { field, .. } = difference {
            let known = OWN_FIELDS.iter().any(|(own, _)| own == field);
            assert!(known && !equal.contains(field), "{difference}");
        }
    })
    .unwrap()
}

#[test]
fn a_backup_rolled_forward_is_the_live_database() {
    let (set, database) = ("winmail-win7-a", "WindowsMail.MSMessageStore");
    let storage = MemoryStorage::new();
    if put(&storage, set, "", "/live", |_| true) == 0 {
        return;
    }
    put(&storage, set, "Backup/new/", "/set", |name| name != database);
    put(&storage, set, "Backup/new/", "/restored", |name| name == database);
    let live = storage.get(Path::new("/live").join(database)).unwrap();
    storage.put("/original/live", live);
    let mut request = RecoveryRequest::soft(Path::new("/live"), names());
    request.set_directory = Some("/set".into());
    request.mode = RecoveryMode::Hard { low: LogGeneration(1), high: LogGeneration(1) };
    request.locations = DatabaseLocations::beside(Path::new("/restored"));
    let report = run(&storage, &request);
    println!("{:?} {:?}", report.redo, report.undo);
    let comparison =
        compare(&storage, &format!("/restored/{database}"), "/original/live", &["signDbHdrFlush"]);
    println!("{comparison:?}");
    assert_eq!((comparison.pages, comparison.different_pages), (28, 0));
}

#[test]
fn a_database_rebuilt_from_its_log_alone() {
    let storage = MemoryStorage::new();
    if put(&storage, "indexeddb-win10-32k", "", "/a", |n| n.ends_with(".log") && n != "edbtmp.log") == 0 {
        return;
    }
    put(&storage, "indexeddb-win10-32k", "", "/original", |n| n.ends_with(".edb"));
    let report = run(&storage, &RecoveryRequest::soft(Path::new("/a"), names()));
    println!("{:?} {:?}", report.redo, report.undo);
    let path = report.databases[0].path.clone();
    let comparison =
        compare(&storage, path.to_str().unwrap(), "/original/IndexedDB.edb", &["bkinfoFullPrev"]);
    println!("{comparison:?}");
    assert_eq!((comparison.pages, comparison.different_pages), (47, 0));
}

#[test]
fn security_policy_rebuilt_from_its_log_alone() {
    let storage = MemoryStorage::new();
    if put(&storage, "secedit-log-gen1-a", "", "/a", |_| true) == 0 {
        return;
    }
    let report = run(&storage, &RecoveryRequest::soft(Path::new("/a"), names()));
    println!("{:?} {:?} {:?}", report.result, report.redo, report.undo);
    assert_eq!(report.databases.len(), 1);
    assert!(report.databases[0].path.ends_with("secedit.sdb") || report.databases[0].path.starts_with("/a"));
}

#[test]
fn old_logs_in_small_sectors() {
    let (set, database) = ("winmail-win7-512b", "WindowsMail.MSMessageStore");
    let storage = MemoryStorage::new();
    if put(&storage, set, "", "/live", |n| n.ends_with(".log") || n == database) == 0 {
        return;
    }
    let before = storage.get(Path::new("/live").join(database)).unwrap();
    // The database is newer than everything in its logs: nothing is to be done to it.
    let report = run(&storage, &RecoveryRequest::soft(Path::new("/live"), names()));
    println!("{:?} {:?} {:?}", report.result, report.redo, report.undo);
    assert_eq!(storage.get(Path::new("/live").join(database)).unwrap(), before);
}

/// Windows 7 does not log the first pages of a database: recovery makes them as that engine did.
#[test]
fn databases_of_windows_7_rebuilt_from_their_logs_alone() {
    // With sectors of 512 and of 4096 bytes. (The published engine makes 26 of these pages: its catalog rows are longer.)
    for set in ["winmail-win7-512b", "winmail-win7-a"] {
        let storage = MemoryStorage::new();
        if put(&storage, set, "", "/a", |n| n.ends_with(".log")) == 0 {
            return;
        }
        put(&storage, set, "", "/original", |n| n.ends_with(".MSMessageStore"));
        let report = run(&storage, &RecoveryRequest::soft(Path::new("/a"), names()));
        println!("{:?} {:?}", report.redo, report.undo);
        let path = report.databases[0].path.clone();
        // The log says that a backup was complete.
        let comparison = compare(
            &storage,
            path.to_str().unwrap(),
            "/original/WindowsMail.MSMessageStore",
            &["bkinfoFullPrev"],
        );
        println!("{comparison:?}");
        assert_eq!((comparison.pages, comparison.different_pages), (28, 0), "{set}");
    }
}

#[test]
fn a_foreign_log_is_refused() {
    let storage = MemoryStorage::new();
    let set = "indexeddb-win10-32k";
    if put(&storage, set, "", "/a", |n| n.ends_with(".log") && n != "edbtmp.log") == 0 {
        return;
    }
    let foreign = testdata::real_files().into_iter().find(|f| f.set == set && f.file.starts_with("foreign/"));
    let bytes = testdata::real_bytes(&foreign.unwrap()).unwrap();
    // In the place of a generation that would have to follow.
    let current = storage.get("/a/edb.log").unwrap();
    storage.put("/a/edb00001.log", current);
    storage.put("/a/edb.log", bytes);
    let request = RecoveryRequest::soft(Path::new("/a"), names());
    let error = recover_alike(&storage, &request).unwrap_err();
    println!("{error} ({})", error.jet_error());
    assert_eq!(error.jet_error().0, -530);
}
