//! Sets of the original engine and of ours are restored; what is wrong with a set is told with the engine's number.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};

use common::{Bed, DATABASE, environment, running, snapshot};
use ese_backup::{
    BackupFlags, NoProgress, ReadOnlyOptions, RestoreOptions, RestoreSummary, backup_instance,
    backup_read_only, restore,
};
use ese_btree::{Comparison, Difference, compare_databases};
use ese_format::{DatabaseState, PageSize};
use ese_instance::{InitOptions, MemoryEventSink, TermMode, read_database_header};
use ese_io::{MemoryStorage, OpenOptions, Storage};
use ese_log::BaseName;

fn put(storage: &MemoryStorage, folder: &Path, target: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = Path::new(target).join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            put(storage, &entry.path(), path.to_str().unwrap());
        } else {
            storage.put(path, std::fs::read(entry.path()).unwrap());
        }
    }
}

/// A set of a reference case below `/set`.
fn set_of(case: &str, stage: &str) -> Option<MemoryStorage> {
    let folder = Some(testdata::reference(case)?.join(stage)).filter(|f| f.is_dir())?;
    let storage = MemoryStorage::new();
    put(&storage, &folder, "/set");
    Some(storage)
}

fn options() -> RestoreOptions {
    RestoreOptions { destination: "/new".into(), create_path: true, ..RestoreOptions::default() }
}

fn run(storage: &MemoryStorage, options: &RestoreOptions) -> Result<RestoreSummary, (i32, String)> {
    let events = MemoryEventSink::new();
    restore(&environment(storage, &events), Path::new("/set"), options, &NoProgress)
        .map_err(|e| (e.jet_error().0, e.to_string()))
}

/// The number that a restore answers with; 0 for success.
fn number(storage: &MemoryStorage, options: &RestoreOptions) -> i32 {
    run(storage, options).map_or_else(|(number, _)| number, |_| 0)
}

fn compare(storage: &MemoryStorage, a: &str, b: &str) -> (Comparison, Vec<String>) {
    let open = |path: &str| storage.open(Path::new(path), OpenOptions::READ).unwrap();
    let mut differences = Vec::new();
    let comparison = compare_databases(&open(a), &open(b), |difference| match difference {
        // Times and signatures of the run.
        Difference::HeaderField { .. } => {}
        Difference::Page { .. } => differences.push(difference.to_string()),
    })
    .unwrap();
    (comparison, differences)
}

fn state(storage: &MemoryStorage, path: &str) -> DatabaseState {
    let file = storage.open(Path::new(path), OpenOptions::READ).unwrap();
    let header = read_database_header(&*file).unwrap().header;
    assert!(header.current_full_backup().is_none());
    assert_eq!(header.min_required().0, 0);
    header.state()
}

/// Every set of the original engine that lies in one directory restores to the database that it restored.
#[test]
fn sets_of_the_original_engine() {
    let mut restored = 0;
    for case in testdata::reference_cases().iter().filter(|c| c.starts_with("backup-")) {
        let Some(folder) = testdata::reference(case) else { continue };
        for stage in ["backup_0", "backup_1", "backup_2"] {
            let expected = folder.join(stage.replace("backup", "restored")).join("db.edb");
            let Some(storage) = set_of(case, stage) else { continue };
            let names = storage.list(Path::new("/set")).unwrap_or_default();
            // Streaming clients keep their files as they like; these have no patch files.
            let is_set = names.iter().any(|e| e.path.ends_with("db.pat") || e.path.ends_with("new"));
            if !expected.exists() || !is_set {
                continue;
            }
            let before = snapshot(&storage, "/set");
            let summary = run(&storage, &options()).unwrap_or_else(|e| panic!("{case} {stage}: {e:?}"));
            assert_eq!(summary.databases, [PathBuf::from("/new/db.edb")]);
            storage.put("/expected/db.edb", std::fs::read(expected).unwrap());
            let (comparison, differences) = compare(&storage, "/new/db.edb", "/expected/db.edb");
            assert!(comparison.pages > 0);
            assert!(differences.is_empty(), "{case} {stage}: {differences:?}");
            assert_eq!(state(&storage, "/new/db.edb"), DatabaseState::CLEAN_SHUTDOWN);
            assert_eq!(snapshot(&storage, "/set"), before, "the set is only read");
            let names = common::names(&storage, "/new");
            assert_eq!(names, ["db.edb", "edb.chk", "edb.log"], "{case} {stage}");
            restored += 1;
        }
    }
    assert!(restored > 0 || testdata::reference_cases().is_empty());
}

/// Does something to a set.
type Change<'a> = Box<dyn Fn(&MemoryStorage) + 'a>;

/// The table of numbers that the original engine really returned, where it does not contradict the recommendations:
/// a set that begins too late is refused at once, and not after the replay.
#[test]
fn numbers_of_the_original_engine() {
    let remove = |storage: &MemoryStorage, name: &str| {
        storage.remove(&Path::new("/set").join(name)).unwrap();
    };
    let flip = |storage: &MemoryStorage, name: &str, bits: &[usize]| {
        let path = Path::new("/set").join(name);
        let mut bytes = storage.get(&path).unwrap();
        for bit in bits {
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        storage.put(path, bytes);
    };
    let page = |number: usize| (number + 1) * 8192 * 8;
    let cases: Vec<(&str, i32, Change<'_>)> = vec![
        ("nothing changed", 0, Box::new(|_| ())),
        ("database missing", -1216, Box::new(|s| remove(s, "db.edb"))),
        ("patch file missing", -538, Box::new(|s| remove(s, "db.pat"))),
        ("first log missing", -554, Box::new(|s| remove(s, "edb0000000D.log"))),
        ("last log missing", 0, Box::new(|s| remove(s, "edb00000011.log"))),
        ("a middle log missing", -1811, Box::new(|s| remove(s, "edb0000000F.log"))),
        (
            "all logs missing",
            -1811,
            Box::new(|s| {
                for g in 0xD..=0x11 {
                    remove(s, &format!("edb{g:08X}.log"));
                }
            }),
        ),
        (
            "database without its last page",
            -535,
            Box::new(|s| {
                let bytes = s.get("/set/db.edb").unwrap();
                s.put("/set/db.edb", &bytes[..bytes.len() - 8192]);
            }),
        ),
        (
            "half a database",
            -535,
            Box::new(|s| {
                let bytes = s.get("/set/db.edb").unwrap();
                s.put("/set/db.edb", &bytes[..bytes.len() / 2 / 8192 * 8192]);
            }),
        ),
        ("bit flip in the header", 0, Box::new(|s| flip(s, "db.edb", &[300 * 8]))),
        ("bit flip in both headers", -1206, Box::new(|s| flip(s, "db.edb", &[300 * 8, (8192 + 300) * 8]))),
        ("bit flip in a page", 0, Box::new(move |s| flip(s, "db.edb", &[page(40) + 1000]))),
        (
            "two bit flips in a page",
            -1018,
            Box::new(move |s| flip(s, "db.edb", &[page(40) + 1000, page(40) + 2001])),
        ),
        (
            "bit flip in the trailer",
            -535,
            Box::new(|s| {
                let len = s.get("/set/db.edb").unwrap().len();
                flip(s, "db.edb", &[(len - 8192 + 60) * 8]);
            }),
        ),
        ("bit flip in a log header", -501, Box::new(|s| flip(s, "edb0000000F.log", &[100 * 8]))),
        ("bit flip in records", 0, Box::new(|s| flip(s, "edb0000000F.log", &[5000 * 8]))),
        ("bit flip in records of the last log", 0, Box::new(|s| flip(s, "edb00000011.log", &[5000 * 8]))),
        (
            "last log cut",
            -541,
            Box::new(|s| {
                let bytes = s.get("/set/edb00000011.log").unwrap();
                s.put("/set/edb00000011.log", &bytes[..bytes.len() / 2]);
            }),
        ),
        (
            "a log of another generation under the name of the first",
            -556,
            Box::new(|s| s.put("/set/edb0000000D.log", s.get("/set/edb0000000F.log").unwrap())),
        ),
        ("an unrelated file", 0, Box::new(|s| s.put("/set/readme.txt", "hello"))),
        ("a database of that name is there", 0, Box::new(|s| s.put("/new/db.edb", "junk"))),
        ("a stray current log", 0, Box::new(|s| s.put("/set/edb.log", "junk"))),
    ];
    for (what, expected, change) in cases {
        let Some(storage) = set_of("backup-full-incr-p8k", "backup_0") else { return };
        change(&storage);
        let before = snapshot(&storage, "/set");
        let old = storage.get("/new/db.edb");
        let result = run(&storage, &options());
        assert_eq!(result.as_ref().map_or_else(|e| e.0, |_| 0), expected, "{what}: {result:?}");
        assert_eq!(snapshot(&storage, "/set"), before, "{what}: the set is only read");
        if expected == 0 {
            assert_eq!(state(&storage, "/new/db.edb"), DatabaseState::CLEAN_SHUTDOWN, "{what}");
        } else {
            assert_eq!(storage.get("/new/db.edb"), old, "{what}: the target is as it was");
            let left = snapshot(&storage, "/new").iter().filter(|(_, c)| c.is_some()).count();
            assert_eq!(left, usize::from(old.is_some()), "{what}: nothing is left");
        }
    }
}

#[test]
fn parameters_that_do_not_fit() {
    let Some(storage) = set_of("backup-full-incr-p8k", "backup_0") else { return };
    let small = RestoreOptions { page_size: Some(PageSize::new(4096).unwrap()), ..options() };
    assert_eq!(number(&storage, &small), -1213);
    let other = RestoreOptions { base_name: Some(BaseName::new("e00").unwrap()), ..options() };
    assert_eq!(number(&storage, &other), -1811);
    let no_path = RestoreOptions { create_path: false, ..options() };
    assert_eq!(number(&storage, &no_path), -1023);
}

#[test]
fn logs_that_do_not_belong_are_refused() {
    let Some(storage) = set_of("backup-full-incr-p8k", "backup_0") else { return };
    let Some(foreign) = testdata::reference("clean-p8k") else { return };
    storage.put("/new/edb00000001.log", std::fs::read(foreign.join("files/edb00000001.log")).unwrap());
    assert_eq!(number(&storage, &options()), -610);

    let Some(storage) = set_of("backup-full-incr-p8k", "backup_0") else { return };
    let Some(folder) = testdata::reference("backup-full-incr-p8k") else { return };
    let later = |g: u32| std::fs::read(folder.join(format!("backup_1/edb{g:08X}.log"))).unwrap();
    storage.put("/new/edb00000013.log", later(0x13));
    assert_eq!(number(&storage, &options()), -565, "0x12 is missing");
    storage.put("/new/edb00000012.log", later(0x14));
    assert_eq!(number(&storage, &options()), -611);
}

/// With the logs that follow in the log directory everything committed comes back.
#[test]
fn rolling_forward() {
    let Some(storage) = set_of("backup-full-incr-p8k", "backup_0") else { return };
    let Some(folder) = testdata::reference("backup-full-incr-p8k") else { return };
    for g in 0x12..=0x21_u32 {
        let name = format!("edb{g:08X}.log");
        storage
            .put(Path::new("/new").join(&name), std::fs::read(folder.join("backup_1").join(&name)).unwrap());
    }
    let summary = run(&storage, &options()).unwrap();
    assert_eq!((summary.logs.1.0, summary.last_replayed.0), (0x11, 0x21));
    storage.put("/expected/db.edb", std::fs::read(folder.join("restored_1/db.edb")).unwrap());
    let (_, differences) = compare(&storage, "/new/db.edb", "/expected/db.edb");
    assert!(differences.is_empty(), "{differences:?}");
}

/// Backs up, restores, and compares with the database that was backed up.
fn round_trip(bed: &Bed, target: &str, flags: BackupFlags) -> MemoryStorage {
    let summary =
        backup_instance(&bed.instance, Some(Path::new(target)), flags, bed.read_options(), &NoProgress)
            .unwrap();
    let restored = MemoryStorage::new();
    for entry in bed.storage.list(&summary.directory.unwrap()).unwrap() {
        let name = entry.path.file_name().unwrap();
        restored.put(Path::new("/set").join(name), bed.storage.get(&entry.path).unwrap());
    }
    restored
}

fn expect_equal(bed: &Bed, restored: &MemoryStorage) {
    run(restored, &RestoreOptions { verify: true, ..options() }).unwrap();
    restored.put("/expected/db.edb", bed.storage.get(DATABASE).unwrap());
    let (comparison, differences) = compare(restored, "/new/db.edb", "/expected/db.edb");
    assert!(comparison.pages > 0 && differences.is_empty(), "{differences:?}");
    assert_eq!(state(restored, "/new/db.edb"), DatabaseState::CLEAN_SHUTDOWN);
    // The restored stream goes on: an instance starts in it and attaches the database.
    let events = MemoryEventSink::new();
    let engine = ese_instance::Engine::new(environment(restored, &events));
    let instance = engine.create_instance("after").unwrap();
    for (id, value) in
        [(ese_instance::ParameterId::LOG_FILE_PATH, "/new"), (ese_instance::ParameterId::SYSTEM_PATH, "/new")]
    {
        instance.set_parameter(id, value).unwrap();
    }
    instance.set_parameter(ese_instance::ParameterId::DATABASE_PAGE_SIZE, 8192_u32).unwrap();
    instance.initialize(InitOptions::default()).unwrap();
    instance.attach(Path::new("/new/db.edb")).unwrap();
    instance.terminate(TermMode::Complete).unwrap();
}

#[test]
fn our_own_sets() {
    let Some(bed) = running("clean-p8k") else { return };
    bed.make_directory("/backup");
    bed.make_directory("/atomic");
    let full = round_trip(&bed, "/backup", BackupFlags::empty());
    expect_equal(&bed, &full);
    let incremental = round_trip(&bed, "/backup", BackupFlags::INCREMENTAL);
    assert!(common::names(&incremental, "/set").len() > common::names(&full, "/set").len());
    expect_equal(&bed, &incremental);
    expect_equal(&bed, &round_trip(&bed, "/backup", BackupFlags::INCREMENTAL));
    expect_equal(&bed, &round_trip(&bed, "/atomic", BackupFlags::ATOMIC));
    expect_equal(&bed, &round_trip(&bed, "/atomic", BackupFlags::ATOMIC));
    expect_equal(&bed, &round_trip(&bed, "/atomic", BackupFlags::ATOMIC | BackupFlags::INCREMENTAL));
}

#[test]
fn a_set_that_is_not_what_its_manifest_says() {
    let Some(bed) = running("clean-p8k") else { return };
    bed.make_directory("/backup");
    let set = round_trip(&bed, "/backup", BackupFlags::empty());
    let log = common::names(&set, "/set").into_iter().find(|n| n.ends_with(".log")).unwrap();
    let log = Path::new("/set").join(log);
    let good = set.get(&log).unwrap();
    let mut bytes = good.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    set.put(&log, bytes);
    let verify = RestoreOptions { verify: true, ..options() };
    assert_eq!(number(&set, &verify), -1018);
    set.put(&log, &good[..good.len() - 4096]);
    assert_eq!(number(&set, &options()), -1018);
    set.remove(&log).unwrap();
    assert_eq!(number(&set, &options()), -1811);
    // Without its manifest the set is judged by itself.
    set.put(&log, good);
    set.remove(Path::new("/set/ese-manifest.json")).unwrap();
    assert_eq!(number(&set, &verify), 0);
}

#[test]
fn a_closed_database_without_being_touched() {
    for case in ["clean-p4k", "clean-p8k", "clean-p16k", "clean-p32k", "clean-p8k-efv8020"] {
        let Some(storage) = common::load(case) else { continue };
        let before = snapshot(&storage, "/db");
        let events = MemoryEventSink::new();
        let environment = environment(&storage, &events);
        let options_of_set = ReadOnlyOptions { create_path: true, ..ReadOnlyOptions::default() };
        backup_read_only(&environment, Path::new(DATABASE), Path::new("/set"), &options_of_set, &NoProgress)
            .unwrap();
        assert_eq!(snapshot(&storage, "/db"), before, "{case}: the source is as it was");
        let names = common::names(&storage, "/set");
        assert_eq!(names, ["db.edb", "db.pat", "edb00001.log", "ese-manifest.json"], "{case}");
        run(&storage, &RestoreOptions { verify: true, ..options() })
            .unwrap_or_else(|e| panic!("{case}: {e:?}"));
        let (comparison, differences) = compare(&storage, "/new/db.edb", DATABASE);
        assert!(comparison.pages > 0 && differences.is_empty(), "{case}: {differences:?}");
        assert_eq!(state(&storage, "/new/db.edb"), DatabaseState::CLEAN_SHUTDOWN, "{case}");
    }
}

#[test]
fn a_dirty_database_is_no_source() {
    let Some(storage) = common::load("dirty-exit-p8k") else { return };
    let events = MemoryEventSink::new();
    let environment = environment(&storage, &events);
    let error = backup_read_only(
        &environment,
        Path::new(DATABASE),
        Path::new("/set"),
        &ReadOnlyOptions { create_path: true, ..ReadOnlyOptions::default() },
        &NoProgress,
    )
    .unwrap_err();
    assert_eq!(error.jet_error().0, -550, "{error}");
    assert!(storage.list(Path::new("/set")).is_err());
}
