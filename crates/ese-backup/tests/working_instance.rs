//! Backups of an instance that is working: sessions on several threads change databases while full, atomic and incremental
//! backups are taken. Every set restores to a state that was committed: of each session a prefix of its transactions, each
//! whole, and no fewer than had committed when the backup began.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use ese_backup::{
    BackupFlags, NoProgress, ReadOptions, ReadRetries, RestoreOptions, backup_instance, restore,
};
use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, DatabaseReader, DirtyPolicy, Engine, Environment, FindingSeverity,
    IndexSpec, InitOptions, Instance, ParameterId, PrepareKind, Session, SetFlags, Table, TableMode,
    TableSpec, TermMode, deep_verify,
};
use ese_io::{MemoryStorage, Storage, SystemClock, SystemRandomness};

const DATABASE: &str = "/db/work.edb";
const WRITERS: usize = 3;

fn environment(storage: &MemoryStorage) -> Environment {
    Environment {
        storage: Arc::new(storage.clone()),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        events: None,
        threads: false,
    }
}

fn start(storage: &MemoryStorage, circular: bool) -> Instance {
    let instance = Engine::new(environment(storage)).create_instance("working").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db").unwrap();
    }
    for (id, value) in [
        (ParameterId::DATABASE_PAGE_SIZE, 4096_u32),
        (ParameterId::LOG_FILE_SIZE, 64),
        // Pages go to the file all the time.
        (ParameterId::CHECKPOINT_DEPTH_MAX, 64 * 1024),
        (ParameterId::CIRCULAR_LOG, u32::from(circular)),
    ] {
        instance.set_parameter(id, value).unwrap();
    }
    instance.initialize(InitOptions::default()).unwrap();
    instance
}

fn table(name: &str) -> TableSpec {
    TableSpec::new(name)
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::tagged("Text", ColumnKind::LONG_TEXT))
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByText").ascending("Text"))
}

fn insert(table: &mut Table, id: u32) {
    let (key, text) = (table.column_id("Id").unwrap(), table.column_id("Text").unwrap());
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(key, &id.to_le_bytes(), SetFlags::empty()).unwrap();
    // Every other one is stored apart.
    let length = if id.is_multiple_of(2) { 40 } else { 3000 };
    let bytes: Vec<u8> = id.to_string().bytes().cycle().take(length).collect();
    table.set_column(text, &bytes, SetFlags::empty()).unwrap();
    table.update().unwrap();
}

/// A transaction's rows: two come, and one of an earlier transaction goes.
fn change_rows(table: &mut Table, number: u32) {
    insert(table, number * 2);
    insert(table, number * 2 + 1);
    if number >= 20 && is_committed(number - 20) {
        table.move_first().unwrap();
        table.delete().unwrap();
    }
}

/// The rows after a number of transactions.
fn expected_rows(transactions: u32) -> BTreeSet<u32> {
    let mut rows = BTreeSet::new();
    for number in (0..transactions).filter(|n| is_committed(*n)) {
        rows.extend([number * 2, number * 2 + 1]);
        if number >= 20 && is_committed(number - 20) {
            rows.pop_first();
        }
    }
    rows
}

/// The rows of a writer, read by an instance of its own.
fn rows(storage: &MemoryStorage, path: &Path) -> Vec<BTreeSet<u32>> {
    let copy = MemoryStorage::new();
    copy.create_directory(Path::new("/db")).unwrap();
    copy.put(Path::new(DATABASE), storage.get(path).unwrap());
    let instance = start(&copy, true);
    let session = instance.begin_session().unwrap();
    session.attach_database(Path::new(DATABASE)).unwrap();
    let database = session.open_database(Path::new(DATABASE)).unwrap();
    let found = (0..WRITERS)
        .map(|writer| {
            let mut table = database.open_table(&format!("Rows{writer}"), TableMode::empty()).unwrap();
            let id = table.column_id("Id").unwrap();
            let mut rows = BTreeSet::new();
            let mut more = table.move_first();
            while more.is_ok() {
                rows.insert(u32::from_le_bytes(table.get(id).unwrap().unwrap().try_into().unwrap()));
                more = table.move_next();
            }
            rows
        })
        .collect();
    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
    found
}

/// Whether the transaction of a number is not rolled back.
fn is_committed(number: u32) -> bool {
    number % 10 != 9
}

/// Transaction after transaction, each with two tables and some rows, until told to stop; every tenth is rolled back.
fn write(session: &Session, writer: usize, committed: &AtomicU32, stop: &AtomicBool) {
    let database = session.open_database(Path::new(DATABASE)).unwrap();
    let mut rows = database.open_table(&format!("Rows{writer}"), TableMode::empty()).unwrap();
    let mut number = 0;
    while !stop.load(Ordering::Acquire) {
        let transaction = session.transaction().unwrap();
        for half in ["a", "b"] {
            database.create_table(&table(&format!("W{writer}-{number:05}{half}"))).unwrap();
        }
        change_rows(&mut rows, number);
        if !is_committed(number) {
            transaction.rollback().unwrap();
        } else {
            transaction.commit(CommitMode::Durable).unwrap();
            committed.store(number + 1, Ordering::Release);
        }
        number += 1;
    }
}

/// How many transactions of each writer a database holds; each is there as a whole, or not at all.
fn transactions(storage: &MemoryStorage, path: &Path) -> Vec<u32> {
    let reader = DatabaseReader::open(storage, path, DirtyPolicy::Refuse).unwrap();
    let mut bad = Vec::new();
    deep_verify(&reader, &|| false, &mut |finding| {
        if finding.severity > FindingSeverity::Information {
            bad.push(finding);
        }
    })
    .unwrap();
    assert!(bad.is_empty(), "{bad:?}");
    let rows = rows(storage, path);
    let names: Vec<String> = reader.tables().unwrap().into_iter().map(|t| t.name).collect();
    (0..WRITERS)
        .map(|writer| {
            let prefix = format!("W{writer}-");
            let found: Vec<&String> = names.iter().filter(|n| n.starts_with(&prefix)).collect();
            let mut expected = Vec::new();
            let mut number = 0;
            while expected.len() < found.len() {
                if is_committed(number) {
                    expected.push(format!("{prefix}{number:05}a"));
                    expected.push(format!("{prefix}{number:05}b"));
                }
                number += 1;
            }
            assert_eq!(found, expected.iter().collect::<Vec<_>>(), "writer {writer}");
            assert_eq!(rows[writer], expected_rows(number), "writer {writer}");
            number
        })
        .collect()
}

fn restored(storage: &MemoryStorage, set: &str, target: &str) -> Vec<u32> {
    let options =
        RestoreOptions { destination: target.into(), create_path: true, ..RestoreOptions::default() };
    restore(&environment(storage), Path::new(set), &options, &NoProgress).unwrap();
    transactions(storage, &Path::new(target).join("work.edb"))
}

fn run(circular: bool, backup: impl Fn(&Instance, u32) -> Option<String>) {
    let storage = MemoryStorage::new();
    for directory in ["/db", "/sets"] {
        storage.create_directory(Path::new(directory)).unwrap();
    }
    let instance = start(&storage, circular);
    instance.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    let session = instance.begin_session().unwrap();
    let database = session.open_database(Path::new(DATABASE)).unwrap();
    for writer in 0..WRITERS {
        database.create_table(&table(&format!("Rows{writer}"))).unwrap();
    }
    drop(database);
    session.end().unwrap();
    let committed: Vec<AtomicU32> = (0..WRITERS).map(|_| AtomicU32::new(0)).collect();
    let stop = AtomicBool::new(false);
    let mut sets = Vec::new();
    thread::scope(|scope| {
        for (writer, committed) in committed.iter().enumerate() {
            let session = instance.begin_session().unwrap();
            let stop = &stop;
            scope.spawn(move || write(&session, writer, committed, stop));
        }
        for number in 0..4 {
            // Something new since the last one.
            let seen: Vec<u32> = committed.iter().map(|c| c.load(Ordering::Acquire)).collect();
            while committed.iter().zip(&seen).any(|(c, seen)| c.load(Ordering::Acquire) < seen + 5) {
                thread::yield_now();
            }
            let before: Vec<u32> = committed.iter().map(|c| c.load(Ordering::Acquire)).collect();
            if let Some(set) = backup(&instance, number) {
                let after: Vec<u32> = committed.iter().map(|c| c.load(Ordering::Acquire)).collect();
                sets.push((set, before, after));
            }
        }
        stop.store(true, Ordering::Release);
    });
    instance.terminate(TermMode::Complete).unwrap();
    let end = transactions(&storage, Path::new(DATABASE));
    for (place, (set, before, after)) in sets.into_iter().enumerate() {
        let found = restored(&storage, &set, &format!("/restored{place}"));
        for writer in 0..WRITERS {
            let (found, before, after) = (found[writer], before[writer], after[writer]);
            // One transaction more may have been durable, and not yet counted by its writer; ten rolled back ones.
            assert!(found >= before && found <= after + 2, "{set}: {before} <= {found} <= {after}");
            assert!(found <= end[writer]);
        }
    }
}

fn options() -> ReadOptions {
    ReadOptions { retries: ReadRetries::NONE, ..ReadOptions::default() }
}

/// A full backup into a directory of its own, and where it is.
fn full_backup(instance: &Instance, number: u32) -> Option<String> {
    let set = format!("/sets/full{number}");
    instance.environment().storage.create_directory(Path::new(&set)).unwrap();
    backup_instance(instance, Some(Path::new(&set)), BackupFlags::empty(), options(), &NoProgress).unwrap();
    Some(set)
}

#[test]
fn full_backups_while_sessions_write() {
    run(false, full_backup);
}

#[test]
fn full_backups_under_circular_logging() {
    run(true, full_backup);
}

/// The last of the incremental ones carries the set as far as itself.
#[test]
fn incremental_backups_while_sessions_write() {
    run(false, |instance, number| {
        let set = "/sets/all";
        let flags = if number == 0 {
            instance.environment().storage.create_directory(Path::new(set)).unwrap();
            BackupFlags::empty()
        } else {
            BackupFlags::INCREMENTAL
        };
        backup_instance(instance, Some(Path::new(set)), flags, options(), &NoProgress).unwrap();
        (number == 3).then(|| set.to_owned())
    });
}

#[test]
fn atomic_backups_while_sessions_write() {
    run(false, |instance, number| {
        let set = "/sets/atomic";
        if number == 0 {
            instance.environment().storage.create_directory(Path::new(set)).unwrap();
        }
        backup_instance(instance, Some(Path::new(set)), BackupFlags::ATOMIC, options(), &NoProgress).unwrap();
        (number == 3).then(|| format!("{set}/new"))
    });
}
