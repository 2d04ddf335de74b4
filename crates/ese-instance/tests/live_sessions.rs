//! Sessions: which refusal wins, who may use one, how transactions end, and how instances end with sessions in them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::thread;

use ese_format::{ColumnKind, DatabaseState, JetError};
use ese_instance::{
    AttachOptions, ColumnSpec, CommitMode, CreateOptions, IndexSpec, InitOptions, Instance, ParameterId,
    Session, TableSpec, TermMode,
};
use live_bed::{Bed, DATABASE, assert_sound, number};

mod live_bed;

fn start(bed: &Bed) -> Instance {
    bed.start(8192, 9600)
}

fn table(name: &str) -> TableSpec {
    TableSpec::new(name)
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .index(IndexSpec::new("ById").ascending("Id").primary())
}

#[test]
fn refusals_in_the_engines_order() {
    let bed = Bed::new();
    let instance = bed.create(8192, 9600);
    assert_eq!(number(instance.begin_session()), -1029);
    instance.set_parameter(ParameterId::MAX_SESSIONS, 2_u32).unwrap();
    instance.initialize(InitOptions::default()).unwrap();
    let first = instance.begin_session().unwrap();
    let second = instance.begin_session().unwrap();
    // The engine's own sessions come from the same store, and leave some of it.
    let more: Vec<_> = (0..65).map(|_| instance.begin_session().unwrap()).collect();
    assert_eq!(number(instance.begin_session()), -1101);
    drop(more);
    assert_ne!(first.id(), second.id());
    drop(second);
    let second = instance.begin_session().unwrap();
    assert_eq!(number(first.commit(CommitMode::Durable)), -1054);
    assert_eq!(number(first.rollback()), -1054);
    assert_eq!(number(first.open_database(Path::new(""))), -1217);
    assert_eq!(number(first.open_database(Path::new("/db/none.edb"))), -1203);
    first.begin().unwrap();
    assert_eq!(number(first.create_database(Path::new(DATABASE), &CreateOptions::default())), -1108);
    assert_eq!(number(first.attach_database(Path::new(DATABASE))), -1108);
    assert_eq!(number(first.detach_database(Path::new(DATABASE))), -1108);
    assert_eq!(number(first.wait_for_last_commit()), 0);
    for _ in 1..7 {
        first.begin().unwrap();
    }
    assert_eq!(first.level().unwrap(), 7);
    assert_eq!(number(first.begin()), -1103);
    first.rollback_all().unwrap();
    assert_eq!(first.level().unwrap(), 0);

    // Stop of the service: only what winds down gets in.
    first.begin().unwrap();
    instance.stop_service();
    assert_eq!(number(first.begin()), -1329);
    assert_eq!(number(first.commit(CommitMode::Durable)), -1329);
    assert_eq!(number(instance.begin_session()), -1329);
    assert_eq!(first.level().unwrap(), 1);
    first.rollback().unwrap();
    // A fatal error beats it for the calls that wind down, too.
    instance.set_fatal(JetError::DISK_IO);
    assert_eq!(number(first.begin()), -1329);
    assert_eq!(number(first.rollback()), -1090);
    assert_eq!(number(instance.terminate(TermMode::Complete)), -1116);
    drop((first, second));
}

#[test]
fn a_session_is_used_by_one_thread() {
    let bed = Bed::new();
    let instance = start(&bed);
    let session = instance.begin_session().unwrap();
    let elsewhere = |use_it: &(dyn Fn(&Session) -> i32 + Sync)| {
        thread::scope(|scope| scope.spawn(|| use_it(&session)).join().unwrap())
    };
    assert_eq!(elsewhere(&|s| number(s.begin().and_then(|()| s.rollback()))), 0);
    session.begin().unwrap();
    assert_eq!(elsewhere(&|s| number(s.begin())), -1910);
    assert_eq!(elsewhere(&|s| number(s.commit(CommitMode::Durable))), -1910);
    // What takes no part in the transaction is let in.
    assert_eq!(elsewhere(&|s| number(s.level())), 0);
    assert_eq!(elsewhere(&|s| number(s.try_end())), -1910);
    // A context that comes later changes nothing, and keeps the session from being ended.
    assert_eq!((number(session.set_context(0)), number(session.set_context(u64::MAX))), (-1003, -1003));
    session.set_context(7).unwrap();
    assert_eq!(number(session.set_context(7)), -1912);
    assert_eq!(elsewhere(&|s| number(s.commit(CommitMode::Durable))), -1910);
    assert_eq!(elsewhere(&|s| number(s.reset_context())), -1913);
    assert_eq!(number(session.try_end()), -1914);
    session.rollback().unwrap();
    session.begin().unwrap();
    session.reset_context().unwrap();
    assert_eq!(number(session.reset_context()), -1913);
    // The transaction is of the context now: whoever has set it goes on, whichever thread that is.
    assert_eq!(number(session.rollback()), -1910);
    assert_eq!(elsewhere(&|s| number(s.set_context(8).and_then(|()| s.commit(CommitMode::Durable)))), -1910);
    assert_eq!(number(session.try_end()), -1914);
    drop(session);
    let session = instance.begin_session().unwrap();
    session.set_context(7).unwrap();
    session.begin().unwrap();
    session.reset_context().unwrap();
    let elsewhere = |use_it: &(dyn Fn(&Session) -> i32 + Sync)| {
        thread::scope(|scope| scope.spawn(|| use_it(&session)).join().unwrap())
    };
    let carry = |s: &Session| {
        s.set_context(7)?;
        s.begin()?;
        s.commit(CommitMode::Durable)?;
        s.reset_context()
    };
    assert_eq!(elsewhere(&|s| number(carry(s))), 0);
    assert_eq!(elsewhere(&|s| number(s.try_end())), 0);
    instance.terminate(TermMode::Complete).unwrap();
}

#[test]
fn databases_open_and_close() {
    let bed = Bed::new();
    let instance = start(&bed);
    let (a, b) = (instance.begin_session().unwrap(), instance.begin_session().unwrap());
    let path = Path::new(DATABASE);
    assert_eq!(number(a.create_database(Path::new(""), &CreateOptions::default())), -1217);
    let database = a.create_database(path, &CreateOptions::default()).unwrap();
    assert_eq!(number(b.create_database(path, &CreateOptions::default())), -1201);
    assert_eq!(number(b.detach_database(path)), -1202);
    assert_eq!(number(b.open_database_exclusively(path)), -1202);
    database.close().unwrap();
    let alone = b.open_database_exclusively(path).unwrap();
    assert_eq!(number(a.open_database(path)), -1207);
    let twice = b.open_database(path).unwrap();
    drop(alone);
    drop(a.open_database(path).unwrap());
    drop(twice);
    drop(a.open_database(path).unwrap());
    a.detach_database(path).unwrap();
    assert_eq!(number(a.open_database(path)), -1203);
    assert_eq!(number(a.create_database(path, &CreateOptions::default())), -1201, "the file is there");
    a.attach_database_with(path, &AttachOptions::default().read_only()).unwrap();
    let before = bed.storage.get(DATABASE).unwrap();
    let database = a.open_database(path).unwrap();
    assert!(database.tables().unwrap().len() >= 4);
    assert!(database.create_table(&table("T")).is_err());
    drop(database);
    a.detach_database(path).unwrap();
    assert_eq!(bed.storage.get(DATABASE).unwrap(), before, "a database attached for reading stays as it is");
    drop(a.create_database(path, &CreateOptions::default().overwrite()).unwrap());
    // Several databases, and a slot that is used again.
    for n in 1..6 {
        drop(a.create_database(Path::new(&format!("/db/{n}.edb")), &CreateOptions::default()).unwrap());
    }
    assert_eq!(number(a.create_database(Path::new("/db/7.edb"), &CreateOptions::default())), -1805);
    b.detach_database(Path::new("/db/3.edb")).unwrap();
    let again = a.create_database(Path::new("/db/7.edb"), &CreateOptions::default()).unwrap();
    again.create_table(&table("Seven")).unwrap();
    drop((again, a, b));
    instance.terminate(TermMode::Complete).unwrap();
    assert_sound("the first of six", &bed.reader());
}

#[test]
fn ends_of_instances() {
    let path = Path::new(DATABASE);
    for mode in [TermMode::Complete, TermMode::Abrupt, TermMode::StopBackup, TermMode::Dirty] {
        let bed = Bed::new();
        let instance = start(&bed);
        let session = instance.begin_session().unwrap();
        let database = session.create_database(path, &CreateOptions::default()).unwrap();
        database.create_table(&table("Kept")).unwrap();
        session.begin().unwrap();
        database.create_table(&table("Open")).unwrap();
        if mode != TermMode::Dirty {
            assert_eq!(number(instance.terminate(mode)), -1059, "{mode:?}");
            // Nothing was shut down.
            database.create_table(&table("More")).unwrap();
            session.rollback().unwrap();
        }
        let dirty = mode == TermMode::Dirty;
        assert_eq!(number(instance.terminate(mode)), if dirty { -1116 } else { 0 }, "{mode:?}");
        drop((database, session));
        if !dirty {
            assert_eq!(bed.reader().header().state(), DatabaseState::CLEAN_SHUTDOWN, "{mode:?}");
            assert_sound(&format!("{mode:?}"), &bed.reader());
        }
        // The next start finds everything that was committed, and nothing else.
        let instance = start(&bed);
        let session = instance.begin_session().unwrap();
        session.attach_database(path).unwrap();
        let database = session.open_database(path).unwrap();
        assert_eq!(database.table_names().unwrap(), ["Kept"], "{mode:?}");
        database.create_table(&table("Next")).unwrap();
        drop((database, session));
        instance.terminate(TermMode::Complete).unwrap();
        assert_sound(&format!("{mode:?}, again"), &bed.reader());
    }
}

/// The checkpoint follows: what recovery would replay stays short however much is logged, and a crash at any moment is
/// recovered from it.
#[test]
fn the_checkpoint_follows() {
    let bed = Bed::new();
    let instance = bed.create(4096, 9600);
    instance.set_parameter(ParameterId::LOG_FILE_SIZE, 64_u32).unwrap();
    instance.set_parameter(ParameterId::CHECKPOINT_DEPTH_MAX, 128_u32 * 1024).unwrap();
    instance.initialize(InitOptions::default()).unwrap();
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    let log = instance.log().unwrap();
    let mut crashes = Vec::new();
    for n in 0..400 {
        database.create_table(&table(&format!("T{n}"))).unwrap();
        session.begin().unwrap();
        session.commit(CommitMode::Lazy).unwrap();
        let behind = log.generation().0 - log.read_checkpoint().unwrap().generation;
        assert!(behind <= 4, "table {n}: {behind} generations of 64 KiB");
        if n % 80 == 79 {
            crashes.push((n, bed.snapshot()));
        }
    }
    assert!(log.generation().0 > 8, "{:?}", log.generation());
    for (n, crashed) in crashes {
        crashed.recover();
        let reader = crashed.reader();
        let tables = reader.tables().unwrap().iter().filter(|t| t.name.starts_with('T')).count();
        assert_eq!(tables, n + 1);
        assert_sound(&format!("crash after table {n}"), &reader);
    }
    // A transaction that is open holds the checkpoint.
    session.begin().unwrap();
    database.create_table(&table("Open")).unwrap();
    let other = instance.begin_session().unwrap();
    let theirs = other.open_database(Path::new(DATABASE)).unwrap();
    for n in 0..100 {
        theirs.create_table(&table(&format!("U{n}"))).unwrap();
    }
    let crashed = bed.snapshot();
    crashed.recover();
    assert!(crashed.reader().tables().unwrap().iter().all(|t| t.name != "Open"));
    assert_sound("with an open transaction", &crashed.reader());
    session.rollback().unwrap();
    drop((theirs, database, other, session));
    instance.terminate(TermMode::Complete).unwrap();
}
