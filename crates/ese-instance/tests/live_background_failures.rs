//! A write that fails on a thread of the instance's own is known before anybody waits for it: the next change is refused where
//! it was the log, and an event tells where it was a database file.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, Database, Engine, Environment, Event, EventId, IndexSpec,
    InitOptions, Instance, ParameterId, PrepareKind, RetrieveFlags, SetFlags, Table, TableMode, TableSpec,
    TermMode,
};
use ese_io::{IoError, IoErrorKind, MemoryStorage, Operation, Proceed, Storage, WatchedStorage};
use live_bed::DATABASE;
use parking_lot::{Condvar, Mutex};

mod live_bed;

/// The ending of files to which writes fail, once one is said.
type BrokenEnding = Arc<Mutex<Option<&'static str>>>;

fn disk() -> (WatchedStorage, BrokenEnding) {
    let inner = MemoryStorage::new();
    inner.create_directory(Path::new("/db")).unwrap();
    let broken = BrokenEnding::default();
    let ending = Arc::clone(&broken);
    let disk = WatchedStorage::new(inner, move |call| {
        let is_broken = |ending: &str| call.path.to_string_lossy().ends_with(ending);
        if call.operation == Operation::Write && ending.lock().is_some_and(is_broken) {
            let error = IoError::new(Operation::Write, IoErrorKind::Device, call.path);
            return Err(error.at(call.offset.unwrap_or(0)));
        }
        Ok(Proceed::Yes)
    });
    (disk, broken)
}

/// The numbers of the events so far, and a bell.
#[derive(Default)]
struct Heard {
    ids: Mutex<Vec<EventId>>,
    bell: Condvar,
}

impl Heard {
    /// Waits for an event; gives up when it certainly does not come.
    fn wait_for(&self, id: EventId) {
        let mut ids = self.ids.lock();
        while !ids.contains(&id) {
            let waited = self.bell.wait_for(&mut ids, Duration::from_secs(60));
            assert!(!waited.timed_out(), "{id:?} did not happen");
        }
    }
}

fn start(disk: &WatchedStorage, heard: &Arc<Heard>, depth: Option<u32>) -> Instance {
    let mut environment = Environment::repeatable(Arc::new(disk.clone()), 1_795_353_522_574, 7);
    let heard = Arc::clone(heard);
    environment.threads = true;
    environment.events = Some(Arc::new(move |event: &Event| {
        heard.ids.lock().push(event.id);
        heard.bell.notify_all();
    }));
    let instance = Engine::new(environment).create_instance("background").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db").unwrap();
    }
    instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, 4096_u32).unwrap();
    if let Some(depth) = depth {
        instance.set_parameter(ParameterId::CHECKPOINT_DEPTH_MAX, depth).unwrap();
    }
    instance.initialize(InitOptions::default()).unwrap();
    instance
}

fn insert(table: &mut Table, number: u32) -> i32 {
    let (id, text) = (table.column_id("Id").unwrap(), table.column_id("Text").unwrap());
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(id, &number.to_le_bytes(), SetFlags::empty()).unwrap();
    table.set_column(text, &[7; 200], SetFlags::empty()).unwrap();
    table.update().err().map_or(0, |error| error.jet_error().0)
}

fn table_in(database: &Database) -> Table {
    let spec = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .column(ColumnSpec::variable("Text", ColumnKind::BINARY, 255))
        .index(IndexSpec::new("ById").ascending("Id").primary());
    database.create_table(&spec).unwrap();
    database.open_table("T", TableMode::default()).unwrap()
}

#[test]
fn a_log_that_cannot_be_written_refuses_the_next_change() {
    let ((disk, broken), heard) = (disk(), Arc::<Heard>::default());
    let instance = start(&disk, &heard, None);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    let mut table = table_in(&database);
    session.begin().unwrap();
    assert_eq!(insert(&mut table, 0), 0);
    session.commit(CommitMode::Durable).unwrap();
    let ending: &str = if disk.exists(Path::new("/db/edb.jtx")).unwrap() { ".jtx" } else { ".log" };
    *broken.lock() = Some(ending);
    session.begin().unwrap();
    // More than may wait; nobody waits for it. The thread fails, and the change after that is refused.
    let mut made = (1..2000).take_while(|number| insert(&mut table, *number) == 0).count();
    heard.wait_for(EventId::LOG_DOWN);
    if made == 1999 {
        assert_eq!(insert(&mut table, 2000), -510);
    } else {
        made += 1;
        table.cancel_update().unwrap_or_default();
        assert_eq!(insert(&mut table, made as u32), -510);
    }
    // Reads go on, commits and changes do not.
    table.cancel_update().unwrap_or_default();
    table.move_first().unwrap();
    let id = table.column_id("Id").unwrap();
    let mut value = [9; 4];
    table.retrieve_column(id, &mut value, RetrieveFlags::empty()).unwrap();
    assert_eq!(value, [0; 4]);
    assert_eq!(session.commit(CommitMode::Lazy).unwrap_err().jet_error().0, -510);
    // What cannot be taken back makes the instance unavailable.
    assert_eq!(session.rollback().unwrap_err().jet_error().0, -510);
    assert_eq!(instance.begin_session().unwrap_err().jet_error().0, -1090);
    drop((table, database, session));
    let _ = instance.terminate(TermMode::Complete);
}

#[test]
fn a_database_that_cannot_be_written_is_told_of() {
    let ((disk, broken), heard) = (disk(), Arc::<Heard>::default());
    let instance = start(&disk, &heard, Some(64 << 10));
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    let mut table = table_in(&database);
    assert!(!heard.ids.lock().contains(&EventId::FILE_WRITE_ERROR));
    *broken.lock() = Some("new.edb");
    session.begin().unwrap();
    assert!((0..2000).all(|number| insert(&mut table, number) == 0));
    let _ = session.commit(CommitMode::Durable);
    heard.wait_for(EventId::FILE_WRITE_ERROR);
    drop((table, database, session));
    instance.terminate(TermMode::Complete).unwrap_err();
}
