//! Databases that stay attached at the end of recovery, and databases that are not there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod thread_bed;

use std::path::Path;

use ese_btree::compare_databases;
use ese_format::{DatabaseState, LogPosition};
use ese_instance::recovery::{
    MappedDatabase, RecoveryError, RecoveryReport, RecoveryRequest, RecoveryResult,
};
use ese_io::{MemoryStorage, OpenOptions, Storage};
use ese_log::{LogNames, find_streams};
use thread_bed::recover_alike;

fn load(case: &str) -> Option<MemoryStorage> {
    let folder = testdata::reference(case)?;
    let storage = MemoryStorage::new();
    for (from, to) in [("files", "/r"), ("recovered", "/x")] {
        for entry in std::fs::read_dir(folder.join(from)).unwrap() {
            let path = entry.unwrap().path();
            storage.put(Path::new(to).join(path.file_name().unwrap()), std::fs::read(&path).unwrap());
        }
    }
    Some(storage)
}

fn run(
    storage: &MemoryStorage,
    change: impl FnOnce(&mut RecoveryRequest),
) -> Result<RecoveryReport, RecoveryError> {
    let (base, extension) = find_streams(storage, Path::new("/r")).unwrap()[0].clone();
    let names = LogNames { base, extension, short_generations: false };
    let mut request = RecoveryRequest::soft(Path::new("/r"), names);
    change(&mut request);
    recover_alike(storage, &request)
}

/// Pages that are not as the original's recovery left them.
fn different(storage: &MemoryStorage, name: &str) -> u64 {
    let open = |folder: &str| storage.open(&Path::new(folder).join(name), OpenOptions::READ).unwrap();
    compare_databases(&open("/r"), &open("/x"), |_| {}).unwrap().different_pages
}

#[test]
fn kept_attached_and_recovered_again() {
    for case in ["dirty-exit-p8k", "rare-keep-crash-p8k"] {
        let Some(storage) = load(case) else { continue };
        let kept = run(&storage, |request| request.keep_attached = true).unwrap();
        assert_eq!(kept.result, RecoveryResult::Recovered, "{case}");
        let database = &kept.databases[0];
        assert_eq!(database.state, DatabaseState::DIRTY_SHUTDOWN, "{case}");
        let (first, last) = database.required;
        assert!(first == last && first.0 > 0, "{case}: requires {first} to {last}");
        assert_eq!(different(&storage, "db.edb"), 0, "{case}");
        // It is not to be recovered as if nothing were attached: another recovery closes it.
        let again = run(&storage, |_| {}).unwrap();
        assert_eq!(again.databases[0].state, DatabaseState::CLEAN_SHUTDOWN, "{case}");
        assert_eq!((again.undo.operations, again.redo.changes_applied), (0, 0), "{case}");
        assert!(again.start >= LogPosition::new(first.0, 0, 0), "{case}: begins at {}", again.start);
        assert_eq!(different(&storage, "db.edb"), 0, "{case}");
        assert_eq!(run(&storage, |_| {}).unwrap().result, RecoveryResult::AlreadyClean, "{case}");
    }
}

#[test]
fn a_database_that_is_not_there() {
    let Some(storage) = load("dirty-exit-p8k") else { return };
    let complete = storage.get("/r/db.edb").unwrap();
    storage.remove(Path::new("/r/db.edb")).unwrap();
    let refused = run(&storage, |_| {}).unwrap_err();
    assert_eq!(refused.jet_error().0, -1216, "{refused}");
    let report = run(&storage, |request| request.ignore_missing_databases = true).unwrap();
    assert_eq!((report.result, report.databases.len()), (RecoveryResult::Recovered, 0));
    // Put back it is as dirty as before, and the stream says that it has ended.
    storage.put("/r/db.edb", complete);
    assert_eq!(run(&storage, |_| {}).unwrap().result, RecoveryResult::AlreadyClean);
}

#[test]
fn one_of_several_databases_is_left_out() {
    let case = "rare-multi-crash-p8k";
    let Some(storage) = load(case) else { return };
    let entries = storage.list(Path::new("/x")).unwrap();
    let names: Vec<_> = entries.iter().filter_map(|e| e.path.file_name()?.to_str()).collect();
    let names: Vec<_> = names.into_iter().filter(|n| n.ends_with(".edb")).collect();
    assert!(names.len() > 2);
    let map = |request: &mut RecoveryRequest| {
        request.locations.only_mapped = true;
        request.locations.mapped = names[1..]
            .iter()
            .map(|name| MappedDatabase {
                logged: Some((*name).to_owned()),
                signature: None,
                path: Path::new("/r").join(name),
            })
            .collect();
    };
    let left_out = storage.get(format!("/r/{}", names[0])).unwrap();
    let refused = run(&storage, map).unwrap_err();
    assert_eq!(refused.jet_error().0, -1216, "{refused}");
    let report = run(&storage, |request| {
        map(request);
        request.ignore_missing_databases = true;
    })
    .unwrap();
    assert_eq!(report.result, RecoveryResult::Recovered);
    for name in &names[1..] {
        assert_eq!(different(&storage, name), 0, "{name}");
    }
    assert!(storage.get(format!("/r/{}", names[0])).unwrap() == left_out);
}
