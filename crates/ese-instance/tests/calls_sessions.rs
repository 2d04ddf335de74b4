//! Parameters of sessions, commits with options, idle work, stopping the service, quotas.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_bed;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CommitFlags, CommitId, CommitMode, CreateOptions, Database, IdleFlags, IdleStatus,
    ParameterId, PrepareKind, Session, SessionParameterId as Id, StopServiceFlags, TableMode, TableSpec,
    TermMode,
};
use live_bed::{Bed, DATABASE, number};

fn with_table(session: &Session) -> Database {
    let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
    let spec = TableSpec::new("rows").column(ColumnSpec::fixed("Id", ColumnKind::LONG));
    database.create_table(&spec).unwrap();
    database
}

fn insert(database: &Database) {
    let mut table = database.open_table("rows", TableMode::empty()).unwrap();
    table.prepare(PrepareKind::Insert).unwrap();
    table.update().unwrap();
}

#[test]
fn parameters_of_sessions() {
    let bed = Bed::new();
    let instance = bed.create(4096, 9600);
    instance.set_parameter(ParameterId::CACHE_PRIORITY, 77_u32).unwrap();
    instance.initialize(Default::default()).unwrap();
    let session = instance.begin_session().unwrap();
    let get = |id| session.parameter(id).unwrap();
    assert_eq!(get(Id::COMMIT_DEFAULT), [0; 4]);
    assert_eq!(get(Id::COMMIT_CONTEXT), [0; 0]);
    assert_eq!(get(Id::OPERATION_CONTEXT), [0, 0, 0, 0x80, 0, 0, 0, 0]);
    assert_eq!(get(Id::CACHE_PRIORITY), [77, 0, 0, 0]);
    assert_eq!(get(Id::CLIENT_ACTION), [0]);
    session.begin().unwrap();
    assert_eq!(get(Id::TRANSACTION_LEVEL), [1, 0, 0, 0]);
    session.rollback().unwrap();
    let set = |id, value: &[u8]| number(session.set_parameter(id, value));
    assert_eq!(set(Id::TRANSACTION_LEVEL, &[0; 4]), -1001);
    for (id, wrong) in [
        (Id::COMMIT_DEFAULT, 3),
        (Id::OPERATION_CONTEXT, 9),
        (Id::CORRELATION_ID, 8),
        (Id::CACHE_PRIORITY, 2),
        (Id::CLIENT_ACTIVITY_ID, 15),
        (Id::TRACE_FLAGS, 0),
        (Id::IO_PRIORITY, 5),
        (Id::COMMIT_CONTEXT_IS_PRIVATE, 1),
        (Id::COMMIT_CONTEXT_NEEDS_CALLBACK, 8),
        (Id::COMMIT_CONTEXT, 30_001),
    ] {
        assert_eq!(set(id, &vec![0; wrong]), -1047, "{id:?}");
    }
    assert_eq!(set(Id::CACHE_PRIORITY, &1001_u32.to_le_bytes()), -1003);
    assert_eq!(set(Id::IO_PRIORITY, &2_u32.to_le_bytes()), -900);
    for unknown in [4096, 4111, 0] {
        assert_eq!(set(Id(unknown), &[0; 4]), -1093);
        assert_eq!(number(session.parameter(Id(unknown))), -1093);
    }
    session.set_parameter(Id::OPERATION_CONTEXT, &[2, 0, 0, 0, 3, 4, 5, 6]).unwrap();
    assert_eq!(get(Id::OPERATION_CONTEXT), [2, 0, 0, 0, 3, 4, 5, 6]);
    session.set_parameter(Id::CLIENT_COMPONENT, b"books\0left out").unwrap();
    let mut buffer = [9; 8];
    assert_eq!(session.read_parameter(Id::CLIENT_COMPONENT, &mut buffer).unwrap(), 6);
    assert_eq!(&buffer, b"books\0\x09\x09");
    assert_eq!(number(session.read_parameter(Id::CLIENT_COMPONENT, &mut buffer[..5])), -1038);
    assert_eq!(number(session.read_parameter(Id::CORRELATION_ID, &mut buffer[..3])), -1047);
    assert_eq!(session.read_parameter(Id::CORRELATION_ID, &mut buffer).unwrap(), 4);
    assert_eq!(number(session.read_parameter(Id::COMMIT_DEFAULT, &mut buffer)), -1047);
    assert_eq!(number(session.read_parameter(Id::TRANSACTION_LEVEL, &mut buffer[..3])), -1047);
    let other = session.duplicate().unwrap();
    assert_ne!(other.id(), session.id());
    assert_eq!(other.parameter(Id::OPERATION_CONTEXT).unwrap(), [0, 0, 0, 0x80, 0, 0, 0, 0]);
}

#[test]
fn options_of_commits() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let database = with_table(&session);
    let commit = |bits| number(session.commit_with(CommitFlags::from_bits_retain(bits), Duration::ZERO));
    for bits in [0x4, 0x40, 0x3, 0x9, 0x11, 0x12, 0xA] {
        assert_eq!(commit(bits), -900, "{bits:#x}");
    }
    // Waiting needs no transaction, committing does.
    for bits in [0x2, 0x8, 0x10] {
        assert_eq!(commit(bits), 0, "{bits:#x}");
    }
    assert_eq!((commit(0), commit(1)), (-1054, -1054));
    let generation = instance.checkpoint_info().unwrap().current.0;
    assert_eq!(commit(0x10), 0);
    assert_eq!(instance.checkpoint_info().unwrap().current.0, generation + 1);
    session.begin().unwrap();
    insert(&database);
    let first = session.commit_with(CommitFlags::LAZY, Duration::ZERO).unwrap().unwrap();
    session.begin().unwrap();
    insert(&database);
    let second = session.commit_with(CommitFlags::empty(), Duration::ZERO).unwrap().unwrap();
    assert!(first.number() < second.number());
    let bytes = second.to_bytes();
    assert_eq!(bytes[..28], instance.log_signature().unwrap().to_bytes());
    assert_eq!(bytes[28..32], [0; 4]);
    assert_eq!(bytes[32..], second.number().to_le_bytes());
    session.begin().unwrap();
    assert_eq!(session.commit_with(CommitFlags::empty(), Duration::ZERO).unwrap(), None);
}

type Told = Arc<Mutex<Vec<(CommitId, bool)>>>;

fn listening(bed: &Bed) -> (ese_instance::Instance, Told) {
    let told = Told::default();
    let instance = bed.create(4096, 9600);
    let to = Arc::clone(&told);
    instance
        .set_durable_commit_callback(Some(Arc::new(move |_: &_, id, down| {
            to.lock().unwrap().push((id, down))
        })))
        .unwrap();
    instance.initialize(Default::default()).unwrap();
    (instance, told)
}

#[test]
fn durable_commits_are_told() {
    let bed = Bed::new();
    let (instance, told) = listening(&bed);
    assert_eq!(number(instance.set_durable_commit_callback(None)), -1030);
    let session = instance.begin_session().unwrap();
    let database = with_table(&session);
    let newest = || told.lock().unwrap().last().map_or(0, |(id, _)| id.number());
    session.begin().unwrap();
    insert(&database);
    let durable = session.commit(CommitMode::Durable).unwrap().unwrap();
    assert!(durable.number() < newest());
    session.begin().unwrap();
    insert(&database);
    let lazy = session.commit(CommitMode::Lazy).unwrap().unwrap();
    assert!(lazy.number() >= newest());
    session.begin().unwrap();
    session.commit(CommitMode::Durable).unwrap();
    assert!(lazy.number() >= newest());
    session.wait_for_last_commit().unwrap();
    assert!(lazy.number() < newest());
    // Without threads a commit that must be durable in a while is so at once.
    session.begin().unwrap();
    insert(&database);
    let timed = session.commit_with(CommitFlags::LAZY, Duration::from_secs(3600)).unwrap().unwrap();
    assert!(timed.number() < newest());
    let all = told.lock().unwrap().clone();
    assert!(all.windows(2).all(|pair| pair[0].0.number() < pair[1].0.number()));
    assert!(all.iter().all(|(id, down)| !down && id.log_signature == durable.log_signature));
}

#[test]
fn sessions_and_instances_can_make_commits_lazy() {
    let bed = Bed::new();
    let (instance, told) = listening(&bed);
    instance.set_parameter(ParameterId::COMMIT_DEFAULT, 1_u32).unwrap();
    let session = instance.begin_session().unwrap();
    assert_eq!(session.parameter(Id::COMMIT_DEFAULT).unwrap(), [1, 0, 0, 0]);
    let database = with_table(&session);
    let newest = || told.lock().unwrap().last().map_or(0, |(id, _)| id.number());
    session.begin().unwrap();
    insert(&database);
    let lazy = session.commit_with(CommitFlags::empty(), Duration::ZERO).unwrap().unwrap();
    assert!(lazy.number() >= newest());
    session.set_parameter(Id::COMMIT_DEFAULT, &[0; 4]).unwrap();
    session.begin().unwrap();
    insert(&database);
    let durable = session.commit_with(CommitFlags::empty(), Duration::ZERO).unwrap().unwrap();
    assert!(durable.number() < newest());
}

#[test]
fn idle_calls() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let database = with_table(&session);
    let idle = |bits| session.idle(IdleFlags::from_bits_retain(bits));
    for bits in [0, 2, 0x12] {
        assert_eq!(idle(bits).unwrap().jet_error().0, 1058, "{bits:#x}");
    }
    assert_eq!(idle(4).unwrap(), IdleStatus::Nothing);
    assert_eq!(idle(0x20).unwrap(), IdleStatus::Nothing);
    assert_eq!(idle(0x40).unwrap(), IdleStatus::Nothing);
    for bits in [1, 3, 0x10] {
        assert_eq!(number(idle(bits)), -900, "{bits:#x}");
    }
    let reader = session.duplicate().unwrap();
    reader.begin_read_only().unwrap();
    session.begin().unwrap();
    insert(&database);
    session.commit(CommitMode::Lazy).unwrap();
    assert_eq!(idle(0x40).unwrap().jet_error().0, 321);
    reader.rollback().unwrap();
    assert_eq!(idle(2).unwrap(), IdleStatus::NoActivity);
    assert_eq!(idle(0x40).unwrap(), IdleStatus::Nothing);
}

#[test]
fn a_service_stops_in_parts_or_for_good() {
    let bed = Bed::new();
    let instance = bed.start(4096, 9600);
    let session = instance.begin_session().unwrap();
    let database = with_table(&session);
    let stop = |bits| number(instance.stop_service_with(StopServiceFlags::from_bits_retain(bits)));
    for bits in [1, 0x10, 0xA, 0x8000_0008] {
        assert_eq!(stop(bits), -900, "{bits:#x}");
    }
    assert_eq!(stop(8), -1001);
    for bits in [2, 4, 0x8000_0006, 0x8000_0000] {
        assert_eq!(stop(bits), 0, "{bits:#x}");
        session.begin().unwrap();
        insert(&database);
        session.commit(CommitMode::Durable).unwrap();
    }
    // Caches that are to be quiet keep nothing back for long.
    assert_eq!(stop(4), 0);
    session.begin().unwrap();
    insert(&database);
    session.begin().unwrap();
    assert_eq!(stop(0), 0);
    assert_eq!(stop(0x8000_0002), -1329);
    assert_eq!(number(session.commit(CommitMode::Durable)), -1329);
    assert_eq!(number(session.idle(IdleFlags::empty())), -1329);
    assert_eq!(number(instance.begin_session()), -1329);
    session.rollback_all().unwrap();
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
}

#[test]
fn cursors_and_tables_are_limited() {
    let bed = Bed::new();
    let instance = bed.create(4096, 9600);
    instance.set_parameter(ParameterId::MAX_CURSORS, 3_u32).unwrap();
    instance.set_parameter(ParameterId::MAX_OPEN_TABLES, 2_u32).unwrap();
    instance.set_parameter(ParameterId::MAX_SESSIONS, 2_u32).unwrap();
    instance.initialize(Default::default()).unwrap();
    let session = instance.begin_session().unwrap();
    let database = with_table(&session);
    for name in ["second", "third"] {
        database.create_table(&TableSpec::new(name)).unwrap();
    }
    let open = |name| database.open_table(name, TableMode::empty());
    let numbered = |result: Result<_, ese_instance::TableError>| {
        result.map(|table: ese_instance::Table| drop(table)).err().map_or(0, |e| e.jet_error().0)
    };
    let mut first = open("rows").unwrap();
    let second = open("second").unwrap();
    assert_eq!(numbered(open("third")), -1311);
    let third = first.duplicate().unwrap();
    assert_eq!(numbered(first.duplicate()), -1013);
    assert_eq!(numbered(open("rows")), -1013);
    drop(second);
    assert_eq!(numbered(open("third")), 0);
    drop((first, third));
    let limit = instance.parameters().number(ParameterId::MAX_SESSIONS) + 65;
    let others: Vec<_> = (1..limit).map(|_| instance.begin_session().unwrap()).collect();
    assert_eq!(number(instance.begin_session()), -1101);
    assert_eq!(number(others[0].duplicate()), -1101);
}
