//! The disk of the logs is full: the reserve logs carry what is under way to its end, nothing new begins, and work goes on when
//! there is room again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CreateOptions, Engine, Environment, IndexSpec, InitOptions, Instance, ParameterId, TableSpec,
    TermMode,
};
use ese_io::{MemoryStorage, Storage, WatchedStorage, full_while};
use live_bed::{Bed, DATABASE, assert_sound};

mod live_bed;

fn start(disk: &WatchedStorage) -> Instance {
    let engine = Engine::new(Environment::repeatable(Arc::new(disk.clone()), 1_795_353_522_574, 7));
    let instance = engine.create_instance("full").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db").unwrap();
    }
    instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, 4096_u32).unwrap();
    instance.set_parameter(ParameterId::LOG_FILE_SIZE, 64_u32).unwrap();
    instance.initialize(InitOptions::default()).unwrap();
    instance
}

fn table(name: &str) -> TableSpec {
    TableSpec::new(name)
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .index(IndexSpec::new("ById").ascending("Id").primary())
}

#[test]
fn a_full_disk() {
    let memory = MemoryStorage::new();
    let full = Arc::new(AtomicBool::new(false));
    let disk = full_while(memory.clone(), "/db", &full);
    disk.create_directory(Path::new("/db")).unwrap();
    let instance = start(&disk);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    assert!(disk.exists(Path::new("/db/edbres00001.jrs")).unwrap());
    let mut made = Vec::new();
    let create = |made: &mut Vec<String>| -> i32 {
        let name = format!("T{:03}", made.len());
        match database.create_table(&table(&name)) {
            Ok(()) => made.push(name),
            Err(error) => return error.jet_error().0,
        }
        0
    };
    assert_eq!(create(&mut made), 0);
    full.store(true, Ordering::Release);
    // The log in use fills up; then a reserve log is taken, and nothing more begins.
    let refused = (0..100).map(|_| create(&mut made)).find(|number| *number != 0);
    assert_eq!(refused, Some(-529));
    assert_eq!(session.begin().unwrap_err().jet_error().0, -529);
    session.begin_read_only().unwrap();
    assert_eq!(database.table_names().unwrap(), made);
    session.rollback().unwrap();
    // Room again.
    full.store(false, Ordering::Release);
    for _ in 0..50 {
        assert_eq!(create(&mut made), 0);
    }
    assert!(disk.exists(Path::new("/db/edbres00001.jrs")).unwrap());
    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
    let bed = Bed::on(memory.clone());
    let names: Vec<_> = bed.reader().tables().unwrap().into_iter().map(|t| t.name).collect();
    assert_eq!(names.iter().filter(|n| n.starts_with('T')).count(), made.len());
    assert_sound("after a full disk", &bed.reader());
}

/// A transaction that goes on until the reserve logs are used up takes the log down: what was committed stays.
#[test]
fn a_disk_full_to_the_last_reserve() {
    let memory = MemoryStorage::new();
    let full = Arc::new(AtomicBool::new(false));
    let disk = full_while(memory.clone(), "/db", &full);
    disk.create_directory(Path::new("/db")).unwrap();
    let instance = start(&disk);
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    database.create_table(&table("Kept")).unwrap();
    let transaction = session.transaction().unwrap();
    full.store(true, Ordering::Release);
    let error = (0..500).find_map(|n| database.create_table(&table(&format!("Lost{n}"))).err());
    let error = error.expect("the log ends").jet_error().0;
    assert!([-510, -529].contains(&error), "{error}");
    drop(transaction);
    drop(database);
    drop(session);
    let error = instance.terminate(TermMode::Complete).unwrap_err().jet_error().0;
    assert!([-1116, -510, -529].contains(&error), "{error}");
    full.store(false, Ordering::Release);
    let instance = start(&disk);
    let session = instance.begin_session().unwrap();
    session.attach_database(Path::new(DATABASE)).unwrap();
    let database = session.open_database(Path::new(DATABASE)).unwrap();
    assert_eq!(database.table_names().unwrap(), ["Kept"]);
    drop(database);
    drop(session);
    instance.terminate(TermMode::Complete).unwrap();
    assert_sound("after a log that ended", &Bed::on(memory.clone()).reader());
}
