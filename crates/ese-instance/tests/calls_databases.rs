//! Databases in sessions: options of creating, attaching, opening and detaching, and what closing one means for cursors.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_bed;

use std::path::Path;

use ese_format::ColumnKind;
use ese_instance::recovery::{MappedDatabase, NoRecoveryProgress};
use ese_instance::{
    AttachOptions, ColumnSpec, CommitFlags, CreateOptions, DatabaseFlags, DatabaseStatus, DetachFlags,
    InitFlags, InitOptions, ParameterId, RollbackFlags, Session, TableMode, TableSpec, TermMode,
    TransactionFlags,
};
use ese_io::Storage;
use live_bed::{Bed, DATABASE, number};

const OTHER: &str = "/db/other.edb";

fn table() -> TableSpec {
    TableSpec::new("rows").column(ColumnSpec::fixed("Id", ColumnKind::LONG))
}

fn attach(session: &Session, bits: u32) -> i32 {
    let options = AttachOptions::from_flags(DatabaseFlags::from_bits_retain(bits));
    match session.attach_database_with(Path::new(DATABASE), &options) {
        Ok(status) => status.jet_error().0,
        Err(error) => error.jet_error().0,
    }
}

#[test]
fn options_of_databases() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let path = Path::new(DATABASE);
    let create = |bits| {
        session.create_database(path, &CreateOptions::from_flags(DatabaseFlags::from_bits_retain(bits)))
    };
    assert_eq!(number(create(0x40)), -1208);
    create(0x0010_0001).unwrap().close().unwrap();
    assert_eq!(number(create(0x200)), -1201, "it is attached");
    assert_eq!((attach(&session, 0), attach(&session, 1)), (1007, 1007));
    assert_eq!(number(session.detach_database_with(Some(path), DetachFlags::FORCE)), -1219);
    session.detach_database_with(Some(path), DetachFlags::from_bits_retain(2)).unwrap();
    assert_eq!((attach(&session, 0x40), attach(&session, 0x401)), (-1208, -900));
    assert_eq!(number(session.attach_database(Path::new(""))), -1217);
    assert_eq!(number(session.attach_database(Path::new(&"x".repeat(300)))), -1217);
    assert_eq!(number(create(0)), -1201, "the file is there");
    assert_eq!((attach(&session, 1), attach(&session, 0)), (0, 1007));
    let (database, status) = session.open_database_with(path, DatabaseFlags::empty()).unwrap();
    assert_eq!(status, DatabaseStatus::Done);
    assert_eq!(number(database.create_table(&table())), -1809);
    database.close().unwrap();
    session.create_database(Path::new(OTHER), &CreateOptions::default()).unwrap().close().unwrap();
    // None: all of them, one after the other.
    session.begin().unwrap();
    assert_eq!(number(session.detach_database_with(None, DetachFlags::empty())), -1108);
    session.rollback().unwrap();
    session.detach_database_with(None, DetachFlags::empty()).unwrap();
    assert!(instance.databases().is_empty());
}

#[test]
fn a_database_without_logging_beside_one_with() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let logged = session.create_database(Path::new(OTHER), &CreateOptions::default()).unwrap();
    let flags = DatabaseFlags::RECOVERY_OFF | DatabaseFlags::VERSIONING_OFF;
    let path = Path::new(DATABASE);
    let database = session.create_database(path, &CreateOptions::from_flags(flags)).unwrap();
    session.begin().unwrap();
    database.create_table(&table()).unwrap();
    logged.create_table(&table()).unwrap();
    session.commit_with(CommitFlags::empty(), Default::default()).unwrap();
    assert_eq!(instance.attach_info(), [Path::new(OTHER)]);
    database.close().unwrap();
    session.detach_database(path).unwrap();
    // It is clean, and an ordinary database from now on.
    assert_eq!(attach(&session, 0), 0);
    assert_eq!(instance.attach_info().len(), 2);
    let database = session.open_database(path).unwrap();
    assert_eq!(database.table_names().unwrap(), ["rows"]);
    database.delete_table("rows").unwrap();
    database.close().unwrap();
    session.detach_database(path).unwrap();
    let overwrite = CreateOptions::from_flags(flags | DatabaseFlags::OVERWRITE_EXISTING);
    session.create_database(path, &overwrite).unwrap().create_table(&table()).unwrap();
    drop(logged);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    assert_eq!(attach(&session, 0), 0);
    assert_eq!(session.open_database(path).unwrap().table_names().unwrap(), ["rows"]);
}

#[test]
fn the_last_close_takes_the_cursors_with_it() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let path = Path::new(DATABASE);
    let first = session.create_database(path, &CreateOptions::default()).unwrap();
    first.create_table(&table()).unwrap();
    let second = session.open_database(path).unwrap();
    let mut cursor = second.open_table("rows", TableMode::empty()).unwrap();
    first.close().unwrap();
    assert_eq!(cursor.count(0).unwrap(), 0);
    assert_eq!(number(session.detach_database(path)), -1202);
    second.close().unwrap();
    assert_eq!(cursor.count(0).unwrap_err().jet_error().0, -1310);
    session.detach_database(path).unwrap();
    assert_eq!(attach(&session, 0), 0, "nobody holds the file, whatever is left of handles");
    assert_eq!(cursor.close().err().map_or(0, |error| error.jet_error().0), -1310);
}

#[test]
fn paths_of_new_databases() {
    let bed = Bed::new();
    let instance = bed.create(4096, 9600);
    instance.set_parameter(ParameterId::CREATE_PATH_IF_NOT_EXIST, true).unwrap();
    instance.initialize(Default::default()).unwrap();
    let session = instance.begin_session().unwrap();
    let path = Path::new("/far/away/new.edb");
    session.create_database(path, &CreateOptions::default()).unwrap();
    assert!(bed.storage.get(path).is_some());
    let other = Bed::new();
    let instance = other.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    assert_eq!(number(session.create_database(path, &CreateOptions::default())), -1023);
}

#[test]
fn options_of_transactions() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let begin = |bits| number(session.begin_with(TransactionFlags::from_bits_retain(bits)));
    let rollback = |bits| number(session.rollback_with(RollbackFlags::from_bits_retain(bits)));
    assert_eq!([1, 2, 4, 0xFF00].map(begin), [0; 4]);
    assert_eq!([2, 3, 4, 0x40].map(rollback), [-900; 4]);
    assert_eq!((rollback(0x20), session.level().unwrap()), (0, 3));
    assert_eq!((rollback(1), session.level().unwrap()), (0, 0));
    assert_eq!((rollback(0), rollback(2)), (-1054, -900));
    // A time until the commit is durable goes with lazy commits only.
    let wait = std::time::Duration::from_millis(5);
    assert_eq!(number(session.commit_with(CommitFlags::empty(), wait)), -1054);
    assert_eq!(begin(0), 0);
    assert_eq!(number(session.commit_with(CommitFlags::empty(), wait)), -1003);
    assert_eq!(number(session.commit_with(CommitFlags::LAZY, wait)), 0);
}

/// The logs bring a database back that is gone, at another place; what the map does not name is left out.
#[test]
fn recovery_to_another_place() {
    for (bits, others) in [(0, false), (0x20, true)] {
        let bed = Bed::new();
        let instance = bed.start(4096, 9600);
        let session = instance.begin_session().unwrap();
        for path in [DATABASE, OTHER] {
            let database = session.create_database(Path::new(path), &CreateOptions::default()).unwrap();
            database.create_table(&table()).unwrap();
        }
        session.end().unwrap();
        instance.terminate(TermMode::Abrupt).unwrap();
        for gone in [DATABASE, OTHER, "/db/edb.chk"] {
            bed.storage.remove(Path::new(gone)).unwrap();
        }
        let instance = bed.create(4096, 9600);
        let moved = Path::new("/db/moved.edb");
        let map =
            MappedDatabase { logged: Some(DATABASE.to_owned()), signature: None, path: moved.to_owned() };
        let options = InitOptions { flags: InitFlags::from_bits_retain(bits), ..InitOptions::default() };
        instance.initialize_mapped(options, &[map], &NoRecoveryProgress).unwrap();
        assert!(bed.storage.get(DATABASE).is_none());
        assert_eq!(bed.storage.get(OTHER).is_some(), others);
        let session = instance.begin_session().unwrap();
        session.attach_database(moved).unwrap();
        assert_eq!(session.open_database(moved).unwrap().table_names().unwrap(), ["rows"]);
    }
}
