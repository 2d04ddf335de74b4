//! A backup does not begin while the disk of the logs is full, and does when there is room again.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ese_backup::{BackupFlags, NoProgress, ReadOptions, backup_instance};
use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CreateOptions, Engine, Environment, IndexSpec, InitOptions, ParameterId, TableSpec, TermMode,
};
use ese_io::{MemoryStorage, Storage, full_while};

fn table(name: &str) -> TableSpec {
    TableSpec::new(name)
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .index(IndexSpec::new("ById").ascending("Id").primary())
}

#[test]
fn no_backup_begins_on_a_full_log_disk() {
    let full = Arc::new(AtomicBool::new(false));
    let disk = full_while(MemoryStorage::new(), "/db", &full);
    for directory in ["/db", "/set"] {
        disk.create_directory(Path::new(directory)).unwrap();
    }
    let engine = Engine::new(Environment::repeatable(Arc::new(disk.clone()), 1_795_353_522_574, 7));
    let instance = engine.create_instance("full").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db").unwrap();
    }
    instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, 4096_u32).unwrap();
    instance.set_parameter(ParameterId::LOG_FILE_SIZE, 64_u32).unwrap();
    instance.initialize(InitOptions::default()).unwrap();
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new("/db/a.edb"), &CreateOptions::default()).unwrap();
    let backup = || {
        let set = Path::new("/set");
        backup_instance(&instance, Some(set), BackupFlags::empty(), ReadOptions::default(), &NoProgress)
    };

    full.store(true, Ordering::Release);
    let refused = (0..100).find_map(|n| database.create_table(&table(&format!("T{n:03}"))).err());
    assert_eq!(refused.expect("the log fills up").jet_error().0, -529);
    assert_eq!(backup().unwrap_err().jet_error().0, -529);
    assert!(disk.list(Path::new("/set")).unwrap().is_empty(), "nothing of it remains");

    full.store(false, Ordering::Release);
    backup().unwrap();
    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
}
