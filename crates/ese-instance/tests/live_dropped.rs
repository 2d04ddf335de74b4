//! An instance that is dropped as a crash leaves it gives everything back: files, locks, memory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::{Arc, Weak};

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, Engine, Environment, IndexSpec, InitOptions, ParameterId,
    PrepareKind, SetFlags, TableMode, TableSpec,
};
use ese_io::{SimulatedDisk, Storage, Survival};

/// What still holds the storage after work, a loss of power or not, and a drop of everything.
fn left(cut: bool, in_transaction: bool, open_update: bool) -> Weak<dyn Storage> {
    let disk = SimulatedDisk::with_sector_size(4096);
    disk.put("/db/README", b"");
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let weak = Arc::downgrade(&storage);
    let engine = Engine::new(Environment::repeatable(storage, 1_795_353_522_574, 7));
    let instance = engine.create_instance("dropped").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db").unwrap();
    }
    instance.initialize(InitOptions::default()).unwrap();
    let session = instance.begin_session().unwrap();
    let path = Path::new("/db/new.edb");
    let database = session.create_database(path, &CreateOptions::default()).unwrap();
    let table = TableSpec::new("T")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
        .column(ColumnSpec::tagged("Text", ColumnKind::LONG_TEXT))
        .index(IndexSpec::new("ById").ascending("Id").primary());
    database.create_table(&table).unwrap();
    let mut table = database.open_table("T", TableMode::default()).unwrap();
    let text = table.column_id("Text").unwrap();
    session.begin().unwrap();
    table.prepare(PrepareKind::Insert).unwrap();
    table.set_column(text, &[b'x'; 9000], SetFlags::empty()).unwrap();
    table.update().unwrap();
    if !in_transaction {
        session.commit(CommitMode::Lazy).unwrap();
    }
    if open_update && in_transaction {
        table.prepare(PrepareKind::Insert).unwrap();
        table.set_column(text, &[b'y'; 90], SetFlags::empty()).unwrap();
    }
    if cut {
        disk.cut_power_at(disk.steps() + 1, Survival::Nothing);
        let _ = instance.flush_log();
    }
    drop(instance);
    drop((table, database));
    drop(session);
    drop(engine);
    weak
}

#[test]
fn everything_is_given_back() {
    let mut held = Vec::new();
    for cut in [false, true] {
        for in_transaction in [false, true] {
            for open_update in [false, true] {
                if left(cut, in_transaction, open_update).strong_count() > 0 {
                    held.push((cut, in_transaction, open_update));
                }
            }
        }
    }
    assert!(held.is_empty(), "(power cut, in a transaction, in an update): {held:?}");
}
