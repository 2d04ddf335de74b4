//! The log is rolled by another session while a database is being created or attached: the headers of the generations that begin
//! behind the record name the database, although nothing else knows it yet.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_format::{ColumnKind, LogHeaderChecks, LogPosition};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, Engine, Environment, IndexSpec, InitOptions, Instance,
    ParameterId, PrepareKind, SetFlags, TableMode, TableSpec, TermMode,
};
use ese_io::{MemoryStorage, Operation, Proceed, Storage, WatchedStorage};
use ese_log::OpenLog;
use live_bed::DATABASE;
use parking_lot::Mutex;

mod live_bed;

const SECOND: &str = "/db/second.edb";

/// What happens once, in front of the first write to the second database.
type Event = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

fn interrupted(inner: &MemoryStorage, event: &Event) -> WatchedStorage {
    let event = Arc::clone(event);
    WatchedStorage::new(inner.clone(), move |call| {
        if call.operation == Operation::Write && call.path == Path::new(SECOND) {
            let event = event.lock().take();
            if let Some(event) = event {
                event();
            }
        }
        Ok(Proceed::Yes)
    })
}

fn start(disk: &WatchedStorage) -> Instance {
    let engine = Engine::new(Environment::repeatable(Arc::new(disk.clone()), 1_795_353_522_574, 7));
    let instance = engine.create_instance("interrupted").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db").unwrap();
    }
    instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, 4096_u32).unwrap();
    instance.set_parameter(ParameterId::LOG_FILE_SIZE, 64_u32).unwrap();
    instance.initialize(InitOptions::default()).unwrap();
    instance
}

/// A session of its own inserts more than two generations hold.
fn roll(instance: &Instance, first: i32) {
    let session = instance.begin_session().unwrap();
    let database = session.open_database(Path::new(DATABASE)).unwrap();
    let mut table = database.open_table("T", TableMode::default()).unwrap();
    let (id, text) = (table.column_id("Id").unwrap(), table.column_id("Text").unwrap());
    for number in first..first + 800 {
        session.begin().unwrap();
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(id, &number.to_le_bytes(), SetFlags::empty()).unwrap();
        table.set_column(text, &[7; 100], SetFlags::empty()).unwrap();
        table.update().unwrap();
        session.commit(CommitMode::Lazy).unwrap();
    }
    session.wait_for_last_commit().unwrap();
}

/// The generations that are there, with the position at which their headers say that the second database was attached.
fn named(disk: &MemoryStorage) -> Vec<(u32, Option<LogPosition>)> {
    let is_log = |path: &PathBuf| path.extension().is_some_and(|e| e == "jtx" || e == "log");
    let mut all = Vec::new();
    for path in disk.list(Path::new("/db")).unwrap().into_iter().map(|e| e.path).filter(is_log) {
        let Ok(log) = OpenLog::open(disk, &path, &LogHeaderChecks::default()) else { continue };
        let attachments = log.header().attachments().unwrap();
        let second = attachments.iter().find(|entry| entry.path() == SECOND);
        all.push((log.header().generation().0, second.map(|entry| entry.fixed.attach_position())));
    }
    all.sort_unstable();
    all
}

/// What every header behind the attachment must say.
fn assert_named(disk: &MemoryStorage, before: u32) {
    let all = named(disk);
    let position = all.iter().rev().find_map(|(_, position)| *position).expect("it is attached");
    let behind: Vec<_> = all.iter().filter(|(g, _)| *g > position.generation).collect();
    assert!(position.generation >= before && behind.len() >= 2, "the log was rolled meanwhile: {all:?}");
    assert!(behind.iter().all(|(_, found)| *found == Some(position)), "{all:?}");
}

#[test]
fn a_database_is_named_from_its_record_on() {
    let memory = MemoryStorage::new();
    memory.create_directory(Path::new("/db")).unwrap();
    let event = Event::default();
    let disk = interrupted(&memory, &event);
    let instance = start(&disk);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    let table = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::variable("Text", ColumnKind::BINARY, 255))
        .index(IndexSpec::new("ById").ascending("Id").primary());
    database.create_table(&table).unwrap();
    let newest = || named(&memory).last().map_or(0, |(g, _)| *g);

    // While it is created.
    let before = newest();
    let other = instance.clone();
    *event.lock() = Some(Box::new(move || roll(&other, 0)));
    let second = session.create_database(Path::new(SECOND), &CreateOptions::default()).unwrap();
    assert!(event.lock().is_none());
    assert_named(&memory, before);

    // While it is attached.
    drop(second);
    session.detach_database(Path::new(SECOND)).unwrap();
    roll(&instance, 10_000);
    let before = newest();
    let other = instance.clone();
    *event.lock() = Some(Box::new(move || roll(&other, 20_000)));
    session.attach_database(Path::new(SECOND)).unwrap();
    assert!(event.lock().is_none());
    assert_named(&memory, before);

    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
}
