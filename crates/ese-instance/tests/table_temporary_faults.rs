//! Temporary tables whose file fails: calls end in errors, the databases and the instance do not suffer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CreateOptions, Engine, Environment, InitOptions, Instance, ParameterId, PrepareKind, Session,
    SetFlags, TableError, TableMode, TableSpec, TemporaryColumn, TemporaryTableFlags, TemporaryTableSpec,
    TermMode,
};
use ese_io::{FailingStorage, Fault, IoErrorKind, MemoryStorage, Operation, Storage};

fn start(storage: &FailingStorage) -> (Engine, Instance, Session) {
    let engine = Engine::new(Environment::repeatable(Arc::new(storage.clone()), 1_795_353_522_574, 7));
    let instance = engine.create_instance("faults").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db").unwrap();
    }
    instance.set_parameter(ParameterId::LOG_FILE_SIZE, 1024_u32).unwrap();
    instance.set_parameter(ParameterId::CACHE_SIZE_MAX, 256_u32).unwrap();
    instance.initialize(InitOptions::default()).unwrap();
    let session = instance.begin_session().unwrap();
    (engine, instance, session)
}

/// Sorts rows that need more memory than there is, reads them, changes some, closes.
fn work(session: &Session) -> Result<u64, TableError> {
    let spec = TemporaryTableSpec {
        columns: vec![TemporaryColumn::key(ColumnKind::LONG), TemporaryColumn::new(ColumnKind::BINARY)],
        flags: TemporaryTableFlags::INDEXED | TemporaryTableFlags::UPDATABLE,
        ..TemporaryTableSpec::default()
    };
    let (mut table, _) = session.open_temporary_table(&spec)?;
    for i in 0..12_000_i32 {
        table.prepare(PrepareKind::Insert)?;
        table.set_column(1, &(i * 7919 % 12_000).to_le_bytes(), SetFlags::empty())?;
        table.set_column(128, &[1; 120], SetFlags::empty())?;
        table.update()?;
    }
    let mut rows = 0;
    let mut moved = table.move_first();
    while moved.is_ok() {
        rows += 1;
        if rows % 500 == 0 {
            table.prepare(PrepareKind::Replace)?;
            table.set_column(128, &[2; 200], SetFlags::empty())?;
            table.update()?;
        }
        moved = table.move_next();
    }
    match moved {
        Err(TableError::NoCurrentRecord) => Ok(rows),
        other => other.map(|()| rows),
    }
}

#[test]
fn every_kind_of_failure() {
    let operations: &'static [Operation] =
        &[Operation::Open, Operation::Read, Operation::Write, Operation::Length];
    let mut failed = 0;
    for nth in [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987] {
        let storage = FailingStorage::new(MemoryStorage::new());
        storage.create_directory(Path::new("/db")).unwrap();
        let (_engine, instance, session) = start(&storage);
        let path = Path::new("/db/rows.edb");
        let database = session.create_database(path, &CreateOptions::default()).unwrap();
        let spec = TableSpec::new("T").column(ColumnSpec::fixed("Id", ColumnKind::LONG));
        database.create_table(&spec).unwrap();
        storage.plan(Fault::nth(nth, IoErrorKind::DiskFull).of(operations));
        let outcome = work(&session);
        storage.clear();
        match &outcome {
            Ok(rows) => assert_eq!(*rows, 12_000),
            Err(error) => {
                failed += 1;
                assert_eq!(error.jet_error().0, -1808, "call {nth}: {error}");
            }
        }
        // The database goes on.
        let mut table = database.open_table("T", TableMode::empty()).unwrap();
        for i in 0..100_i32 {
            table.prepare(PrepareKind::Insert).unwrap();
            table.set_column(1, &i.to_le_bytes(), SetFlags::empty()).unwrap();
            table.update().unwrap();
        }
        drop((table, database));
        session.end().unwrap();
        instance.terminate(TermMode::default()).unwrap();
        assert!(!storage.exists(Path::new("/db/tmp.edb")).unwrap(), "call {nth}");
        // And so does the next instance, with temporary tables of its own.
        let (_engine, instance, session) = start(&storage);
        assert_eq!(work(&session).unwrap(), 12_000);
        session.end().unwrap();
        instance.terminate(TermMode::default()).unwrap();
    }
    assert!(failed >= 8, "{failed}: the failures were met");
}
