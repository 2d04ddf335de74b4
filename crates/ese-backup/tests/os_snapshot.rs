//! Snapshots: files stand still between freeze and thaw while transactions go on, and what is copied then comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_backup::{BackupContext, BackupError, BeginFlags, EndFlags, OsSnapshots, ReadOptions, SnapshotFlags};
use ese_format::{BackupInfoKind, ColumnKind};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, Engine, Environment, Instance, ParameterId, PrepareKind, Session,
    SetOptions, TableMode, TableSpec, TermMode,
};
use ese_io::{MemoryStorage, Storage};

const DATABASE: &str = "/db/a.edb";

fn engine(storage: &MemoryStorage) -> Engine {
    Engine::new(Environment::repeatable(Arc::new(storage.clone()), 1_795_353_522_574, 7))
}

fn start(engine: &Engine, set: impl Fn(&Instance)) -> Instance {
    let instance = engine.create_instance("snapped").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db").unwrap();
    }
    instance.set_parameter(ParameterId::LOG_FILE_SIZE, 64_u32).unwrap();
    instance.set_parameter(ParameterId::CHECKPOINT_DEPTH_MAX, 65_536_u32).unwrap();
    set(&instance);
    instance.initialize(Default::default()).unwrap();
    instance
}

struct Bed {
    storage: MemoryStorage,
    engine: Engine,
    instance: Instance,
    session: Session,
    snapshots: OsSnapshots,
}

impl Bed {
    fn new(set: impl Fn(&Instance)) -> Self {
        let storage = MemoryStorage::new();
        storage.create_directory(Path::new("/db")).unwrap();
        let engine = engine(&storage);
        let instance = start(&engine, set);
        let session = instance.begin_session().unwrap();
        let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
        let spec = TableSpec::new("rows").column(ColumnSpec::fixed("Id", ColumnKind::LONG));
        database.create_table(&spec).unwrap();
        drop(database);
        let snapshots = OsSnapshots::new(&engine);
        Self { storage, engine, instance, session, snapshots }
    }

    /// Adds rows, each in a durable transaction.
    fn insert(&self, rows: std::ops::Range<u32>) {
        let database = self.session.open_database(Path::new(DATABASE)).unwrap();
        let mut table = database.open_table("rows", TableMode::empty()).unwrap();
        let column = table.column_id("Id").unwrap();
        for row in rows {
            self.session.begin().unwrap();
            table.prepare(PrepareKind::Insert).unwrap();
            table.set_column(column, &row.to_le_bytes(), SetOptions::default()).unwrap();
            table.update().unwrap();
            self.session.commit(CommitMode::Durable).unwrap();
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.storage.get(Path::new(DATABASE)).unwrap().to_vec()
    }

    fn logs(&self) -> usize {
        self.instance.log().unwrap().discover().unwrap().archived.len()
    }
}

fn number<T>(outcome: Result<T, BackupError>) -> i32 {
    outcome.err().map_or(0, |error| error.jet_error().0)
}

const CONTINUE: SnapshotFlags = SnapshotFlags::CONTINUE_AFTER_THAW;

#[test]
fn files_stand_still_and_what_is_copied_comes_back() {
    let bed = Bed::new(|_| {});
    bed.insert(0..2000);
    let id = bed.snapshots.prepare(CONTINUE).unwrap();
    let infos = bed.snapshots.freeze(id).unwrap();
    assert_eq!((infos.len(), infos[0].databases.as_slice()), (1, &[DATABASE.into()][..]));
    let frozen = bed.bytes();
    bed.insert(2000..6000);
    // Only the headers, which follow the log, may have changed.
    assert_eq!(bed.bytes()[8192..frozen.len()], frozen[8192..]);
    let infos = bed.snapshots.freeze_info(id).unwrap();
    assert_eq!(infos[0].name, "snapped");
    // The logs are copied later than the database.
    let copy = MemoryStorage::new();
    copy.create_directory(Path::new("/db")).unwrap();
    for entry in bed.storage.list(Path::new("/db")).unwrap() {
        copy.put(&entry.path, bed.storage.get(&entry.path).unwrap());
    }
    copy.put(Path::new(DATABASE), frozen);
    assert_eq!(bed.instance.detach(Path::new(DATABASE)).unwrap_err().jet_error().0, -505);
    bed.snapshots.thaw(id).unwrap();
    bed.insert(6000..8000);
    let before = bed.logs();
    assert!(before > 2);
    bed.snapshots.truncate_logs(id, false).unwrap();
    assert_eq!(bed.logs(), before);
    bed.snapshots.truncate_logs_of(id, &bed.instance, true).unwrap();
    assert!(bed.logs() < before);
    bed.snapshots.end(id).unwrap();
    let header = bed.instance.databases()[0].header();
    assert_eq!(header.previous_full_backup_kind(), BackupInfoKind::OS_SNAPSHOT);
    assert!(!header.previous_full_backup().is_none());
    bed.session.end().unwrap();
    bed.instance.terminate(TermMode::Complete).unwrap();

    let engine = engine(&copy);
    let instance = start(&engine, |_| {});
    let session = instance.begin_session().unwrap();
    session.attach_database(Path::new(DATABASE)).unwrap();
    let database = session.open_database(Path::new(DATABASE)).unwrap();
    let mut table = database.open_table("rows", TableMode::empty()).unwrap();
    let rows = table.compute_statistics().unwrap()[0].entries;
    assert_eq!(rows, 6000);
}

#[test]
fn calls_have_their_moments() {
    let bed = Bed::new(|_| {});
    let snapshots = &bed.snapshots;
    assert_eq!(number(snapshots.prepare(SnapshotFlags::from_bits_retain(0x10))), -900);
    let id = snapshots.prepare(SnapshotFlags::empty()).unwrap();
    let unknown = ese_backup::SnapshotId(99);
    for call in [
        number(snapshots.freeze(unknown)),
        number(snapshots.thaw(unknown)),
        number(snapshots.end(unknown)),
        number(snapshots.abort(unknown)),
        number(snapshots.truncate_logs(unknown, true)),
        number(snapshots.freeze_info(unknown)),
        number(snapshots.prepare_instance(unknown, &bed.instance)),
    ] {
        assert_eq!(call, -2404);
    }
    assert_eq!(number(snapshots.thaw(id)), -2401);
    assert_eq!(number(snapshots.truncate_logs(id, true)), -2401);
    snapshots.freeze(id).unwrap();
    assert_eq!(number(snapshots.freeze(id)), -2401);
    assert_eq!(number(snapshots.end(id)), -2401);
    assert_eq!(number(snapshots.prepare_instance(id, &bed.instance)), -2401);
    // No other snapshot or backup beside it.
    let other = snapshots.prepare(SnapshotFlags::EXPLICIT_PREPARE).unwrap();
    assert_eq!(number(snapshots.prepare_instance(other, &bed.instance)), -2403);
    snapshots.abort(other).unwrap();
    // A second one of all instances has none; it stays a snapshot.
    let other = snapshots.prepare(SnapshotFlags::empty()).unwrap();
    assert_eq!(snapshots.freeze(other).unwrap().len(), 0);
    snapshots.thaw(other).unwrap();
    let backup = BackupContext::new(&bed.instance, ReadOptions::default());
    assert_eq!(number(backup.begin(BeginFlags::empty())), -505);
    // It is over with the thaw.
    snapshots.thaw(id).unwrap();
    assert_eq!(number(snapshots.end(id)), -2404);
    assert!(!bed.instance.databases()[0].header().previous_full_backup().is_none());
    backup.begin(BeginFlags::empty()).unwrap();
    let id = snapshots.prepare(SnapshotFlags::empty()).unwrap();
    assert_eq!(number(snapshots.freeze(id)), -2403);
    backup.end(EndFlags::ABORT).unwrap();
    assert_eq!(snapshots.freeze(id).unwrap().len(), 0, "the instance was let go");
    snapshots.abort(id).unwrap();
    // What is prepared takes part, and in one snapshot only; backups go on until the freeze.
    let id = snapshots.prepare(SnapshotFlags::empty()).unwrap();
    assert_eq!(snapshots.freeze_info(id).unwrap().len(), 1);
    assert_eq!(number(snapshots.prepare_instance(id, &bed.instance)), -2403);
    backup.begin(BeginFlags::empty()).unwrap();
    backup.end(EndFlags::ABORT).unwrap();
    snapshots.end(id).unwrap();
    let id = snapshots.prepare(SnapshotFlags::EXPLICIT_PREPARE | CONTINUE).unwrap();
    assert_eq!(snapshots.freeze(id).unwrap().len(), 0);
    snapshots.thaw(id).unwrap();
    assert_eq!(number(snapshots.truncate_logs_of(id, &bed.instance, true)), -1);
    snapshots.truncate_logs(id, true).unwrap();
    snapshots.end(id).unwrap();
    bed.insert(0..10);
    bed.instance.detach(Path::new(DATABASE)).unwrap();
    assert_eq!(bed.engine.instances().len(), 1);
    bed.session.end().unwrap();
    bed.instance.terminate(TermMode::Complete).unwrap();
    assert_eq!(number(snapshots.prepare(SnapshotFlags::empty())), -1029);
}

#[test]
fn copies_and_logs_only() {
    let bed = Bed::new(|_| {});
    let snapshots = &bed.snapshots;
    let id = snapshots.prepare(SnapshotFlags::INCREMENTAL).unwrap();
    assert_eq!(number(snapshots.freeze(id)), -560);
    snapshots.abort(id).unwrap();
    let id = snapshots.prepare(SnapshotFlags::COPY | CONTINUE).unwrap();
    snapshots.freeze(id).unwrap();
    snapshots.thaw(id).unwrap();
    assert_eq!(number(snapshots.truncate_logs(id, true)), -2401);
    snapshots.end(id).unwrap();
    let header = bed.instance.databases()[0].header();
    assert!(header.previous_full_backup().is_none());
    assert_eq!(header.previous_copy_backup_kind(), BackupInfoKind::OS_SNAPSHOT);
    for flags in [SnapshotFlags::empty(), SnapshotFlags::INCREMENTAL] {
        let id = snapshots.prepare(flags).unwrap();
        snapshots.freeze(id).unwrap();
        snapshots.thaw(id).unwrap();
    }
    let header = bed.instance.databases()[0].header();
    assert_eq!(header.previous_incremental_backup_kind(), BackupInfoKind::OS_SNAPSHOT);
    let circular = Bed::new(|instance| instance.set_parameter(ParameterId::CIRCULAR_LOG, true).unwrap());
    let id = circular.snapshots.prepare(SnapshotFlags::INCREMENTAL).unwrap();
    assert_eq!(number(circular.snapshots.freeze(id)), -526);
    let id = circular.snapshots.prepare(SnapshotFlags::empty()).unwrap();
    circular.snapshots.freeze(id).unwrap();
    circular.snapshots.thaw(id).unwrap();
}

#[test]
fn a_freeze_that_takes_too_long_is_over() {
    let bed = Bed::new(|instance| instance.set_parameter(ParameterId::OS_SNAPSHOT_TIMEOUT, 0_u32).unwrap());
    let id = bed.snapshots.prepare(CONTINUE).unwrap();
    bed.snapshots.freeze(id).unwrap();
    // The thread that keeps writers out gives up by itself.
    let waits = || bed.snapshots.truncate_logs(id, true).unwrap_err().to_string().contains("frozen");
    while waits() {
        std::thread::yield_now();
    }
    assert_eq!(number(bed.snapshots.thaw(id)), -2402);
    assert_eq!(number(bed.snapshots.end(id)), -2401);
    bed.snapshots.abort(id).unwrap();
    assert!(bed.instance.databases()[0].header().previous_full_backup().is_none());
    bed.instance.detach(Path::new(DATABASE)).unwrap();
}
