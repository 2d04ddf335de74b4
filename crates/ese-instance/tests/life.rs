//! The life of an instance on files of the original engine: what lies on disk after each step.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_format::{DatabaseHeader, DatabaseState, LogPosition};
use ese_instance::{
    Engine, Environment, InitFlags, InitOptions, Instance, InstanceError, MemoryEventSink, ParameterId,
    TermMode, read_database_header,
};
use ese_io::{MemoryStorage, OpenOptions, Storage};
use ese_log::record::{Record, RecordKind};
use ese_log::{OpenLog, ScanOptions};

const DATABASE: &str = "/db/db.edb";

struct Bed {
    storage: MemoryStorage,
    engine: Engine,
    events: MemoryEventSink,
}

impl Bed {
    fn new(case: &str) -> Option<Self> {
        let folder = testdata::reference(case)?.join("files");
        let storage = MemoryStorage::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            storage.put(Path::new("/db").join(entry.file_name()), std::fs::read(entry.path()).unwrap());
        }
        let events = MemoryEventSink::new();
        let engine = Engine::new(
            Environment::repeatable(Arc::new(storage.clone()), 1_795_353_522_574, 7)
                .with_events(Arc::new(events.clone())),
        );
        Some(Self { storage, engine, events })
    }

    fn create(&self, name: &str) -> Instance {
        let instance = self.engine.create_instance(name).unwrap();
        for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
            instance.set_parameter(id, "/db").unwrap();
        }
        instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, 8192_u32).unwrap();
        instance
    }

    fn start(&self) -> Instance {
        let instance = self.create("life");
        instance.initialize(InitOptions::default()).unwrap();
        instance
    }

    fn header(&self) -> DatabaseHeader {
        let file = self.storage.open(Path::new(DATABASE), OpenOptions::READ).unwrap();
        let pair = read_database_header(&*file).unwrap();
        assert!(pair.stale.is_none(), "both copies are the same");
        pair.header
    }

    /// The records of a log from a position on: kind and position, fill left out.
    fn records(&self, name: &str, start: LogPosition) -> Vec<(RecordKind, LogPosition)> {
        let log = OpenLog::open(&self.storage, &Path::new("/db").join(name), &Default::default()).unwrap();
        let mut reader = log.records(start, ScanOptions { is_current: true, ..ScanOptions::default() });
        let mut found = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            let kind = Record::decode(record.bytes).unwrap().kind();
            if kind != RecordKind::NOP2 {
                found.push((kind, record.position));
            }
        }
        found
    }
}

/// The order and the places of the records of a run without changes, as the original writes them: the start at the
/// beginning of a segment, the attach behind it, the mark of the end, the closing record in a segment of its own.
#[test]
fn start_attach_terminate() {
    let Some(bed) = Bed::new("clean-p8k") else { return };
    let before = bed.header();
    let instance = bed.start();
    assert_eq!(bed.events.take_ids(), [102, 105]);
    let log = instance.log().unwrap();
    // Generation 0x15 ended with Term2 in segment 0xC; the next run begins behind it.
    assert_eq!(log.init_position(), LogPosition::new(0x15, 0xD, 0));
    instance.attach(Path::new(DATABASE)).unwrap();
    assert_eq!(bed.events.take_ids(), [326]);
    assert_eq!(instance.attach(Path::new(DATABASE)).unwrap(), 1, "attached already");

    let attached = bed.header();
    let position = LogPosition::new(0x15, 0xD, 0x268);
    assert_eq!(attached.state(), DatabaseState::DIRTY_SHUTDOWN);
    assert_eq!(attached.attach_position(), position);
    assert_eq!(attached.last_resize_position(), position);
    assert_eq!(attached.consistent_position(), before.consistent_position());
    assert_eq!(attached.detach_position(), LogPosition::NONE);
    for generation in [
        attached.min_required(),
        attached.min_consistent(),
        attached.max_required(),
        attached.max_committed(),
    ] {
        assert_eq!(generation.0, 0x15);
    }
    assert_eq!(attached.max_required_create_time(), log.generation_created());
    assert_eq!(attached.max_committed_create_time(), log.generation_created());
    assert_ne!(attached.header_flush_signature(), before.header_flush_signature());

    instance.terminate(TermMode::Complete).unwrap();
    assert_eq!(bed.events.take_ids(), [103]);
    let after = bed.header();
    assert_eq!(after.state(), DatabaseState::CLEAN_SHUTDOWN);
    assert_eq!((after.min_required().0, after.max_required().0, after.max_committed().0), (0, 0, 0));
    assert_eq!((after.db_time(), after.last_object_id()), (before.db_time(), before.last_object_id()));
    let records = bed.records("edb.log", log.init_position());
    let kinds: Vec<_> = records.iter().map(|r| r.0).collect();
    assert_eq!(
        kinds,
        [
            RecordKind::INIT2,
            RecordKind::ATTACH_DB,
            RecordKind::SET_DB_VERSION,
            RecordKind::SHUT_DOWN_MARK,
            RecordKind::TERM2
        ]
    );
    assert_eq!(records[1].1, position);
    assert_eq!(records[2].1, LogPosition::new(0x15, 0xE, 0));
    assert_eq!(after.consistent_position(), records[3].1);
    assert_eq!(after.detach_position(), records[3].1);
    assert_eq!(records[4].1, LogPosition::new(0x15, 0xF, 0));
    assert!(!bed.storage.exists(Path::new("/db/edb.lck")).unwrap());
}

#[test]
fn a_second_run_and_a_detach() {
    let Some(bed) = Bed::new("clean-p8k") else { return };
    for _ in 0..3 {
        let instance = bed.start();
        instance.attach(Path::new(DATABASE)).unwrap();
        instance.detach(Path::new(DATABASE)).unwrap();
        let header = bed.header();
        assert_eq!(header.state(), DatabaseState::CLEAN_SHUTDOWN);
        assert_eq!(instance.detach(Path::new(DATABASE)).unwrap_err().jet_error().0, -1203);
        let log = instance.log().unwrap();
        let records = bed.records("edb.log", log.init_position());
        let detach = records.iter().find(|r| r.0 == RecordKind::DETACH_DB).unwrap().1;
        assert_eq!((header.consistent_position(), header.detach_position()), (detach, detach));
        instance.terminate(TermMode::Abrupt).unwrap();
    }
}

#[test]
fn dirty_termination_is_recovered_by_the_next_start() {
    let Some(bed) = Bed::new("clean-p8k") else { return };
    let instance = bed.start();
    instance.attach(Path::new(DATABASE)).unwrap();
    assert_eq!(instance.terminate(TermMode::Dirty).unwrap_err().jet_error().0, -1116);
    assert_eq!(bed.header().state(), DatabaseState::DIRTY_SHUTDOWN);

    let refusing = bed.create("refusing");
    let error =
        refusing.initialize(InitOptions { refuse_recovery: true, ..InitOptions::default() }).unwrap_err();
    assert!(matches!(error, InstanceError::ReplayNeeded { .. }), "{error}");
    // A failed start frees the instance.
    assert_eq!(refusing.initialize(InitOptions::default()).unwrap_err().jet_error().0, -1029);

    let instance = bed.start();
    assert_eq!(bed.header().state(), DatabaseState::CLEAN_SHUTDOWN);
    instance.attach(Path::new(DATABASE)).unwrap();
    instance.terminate(TermMode::Complete).unwrap();
}

#[test]
fn crash_states_of_the_original_are_recovered() {
    for case in ["dirty-exit-p8k", "dirty-exit-lazy-p8k", "dirty-exit-flushed-p8k"] {
        let Some(bed) = Bed::new(case) else { continue };
        let instance = bed.start();
        assert_eq!(bed.events.take_ids(), [102, 300, 302, 105], "{case}");
        instance.attach(Path::new(DATABASE)).unwrap();
        instance.terminate(TermMode::Complete).unwrap();
        assert_eq!(bed.header().state(), DatabaseState::CLEAN_SHUTDOWN, "{case}");
    }
}

#[test]
fn log_directories_in_every_condition() {
    let number = |bed: &Bed, flags| {
        let options = InitOptions { flags, ..InitOptions::default() };
        let instance = bed.create("conditions");
        let result = instance.initialize(options).map_err(|e| e.jet_error().0);
        if result.is_ok() {
            instance.terminate(TermMode::Complete).unwrap();
        }
        result
    };
    let logs = |bed: &Bed| -> Vec<_> {
        let entries = bed.storage.list(Path::new("/db")).unwrap();
        entries.into_iter().map(|e| e.path).filter(|p| p.extension().is_some_and(|e| e == "log")).collect()
    };
    // A new stream, unless one must be there.
    let Some(bed) = Bed::new("clean-p8k") else { return };
    for log in logs(&bed) {
        bed.storage.remove(&log).unwrap();
    }
    assert_eq!(number(&bed, InitFlags::LOG_STREAM_MUST_EXIST), Err(-528));
    assert_eq!(number(&bed, InitFlags::empty()), Ok(()));
    assert_eq!(bed.records("edb.log", LogPosition::NONE)[0], (RecordKind::INIT2, LogPosition::new(1, 1, 0)));
    // Archived logs without a current one.
    let Some(bed) = Bed::new("clean-p8k") else { return };
    bed.storage.remove(Path::new("/db/edb.log")).unwrap();
    assert_eq!(number(&bed, InitFlags::empty()), Err(-528));
    // No checkpoint: everything is replayed, and found closed.
    let Some(bed) = Bed::new("clean-p8k") else { return };
    bed.storage.remove(Path::new("/db/edb.chk")).unwrap();
    assert_eq!(number(&bed, InitFlags::empty()), Ok(()));
    // Pages of another size than the logs'.
    let Some(bed) = Bed::new("clean-p4k") else { return };
    assert_eq!(number(&bed, InitFlags::empty()), Err(-1213));
    // A damaged current log.
    let Some(bed) = Bed::new("clean-p8k") else { return };
    let mut bytes = bed.storage.get("/db/edb.log").unwrap();
    bytes[4096 + 50] ^= 1;
    bytes[4096 + 51] ^= 2;
    bed.storage.put("/db/edb.log", bytes);
    assert_eq!(number(&bed, InitFlags::empty()), Err(-501));
}

#[test]
fn databases_that_cannot_be_attached() {
    let Some(bed) = Bed::new("clean-p8k") else { return };
    let instance = bed.start();
    let attach = |path: &str| instance.attach(Path::new(path)).map_err(|e| e.jet_error().0);
    assert_eq!(attach("/db/none.edb"), Err(-1811));
    bed.storage.put("/db/junk.edb", vec![7; 100_000]);
    assert_eq!(attach("/db/junk.edb"), Err(-1206));
    let put = |case: &str, file: &str, target: &str| {
        let Some(folder) = testdata::reference(case) else { return false };
        bed.storage.put(target, std::fs::read(folder.join(file)).unwrap());
        true
    };
    if put("dirty-exit-p8k", "files/db.edb", "/db/dirty.edb") {
        assert_eq!(attach("/db/dirty.edb"), Err(-550));
    }
    if put("backup-full-incr-p8k", "backup_0/db.edb", "/db/copy.edb") {
        assert_eq!(attach("/db/copy.edb"), Err(-544));
        assert!(bed.events.take_ids().contains(&619));
    }
    if put("clean-p4k", "files/db.edb", "/db/small.edb") {
        assert_eq!(attach("/db/small.edb"), Err(-1213));
    }
    // Another stream's database: its past means nothing here.
    if put("restore", "files/db.edb", "/x") || put("clean-p8k-efv8920", "files/db.edb", "/db/other.edb") {
        assert_eq!(attach("/db/other.edb"), Ok(1));
        let file = &instance.databases()[0];
        assert_eq!(file.header().consistent_position(), LogPosition::NONE);
        assert_eq!(file.header().log_signature(), instance.log().unwrap().signature());
    }
    // A seventh database finds no slot.
    for n in 0..6 {
        put("clean-p8k", "files/db.edb", &format!("/db/copy{n}.edb"));
    }
    let results: Vec<_> = (0..6).map(|n| attach(&format!("/db/copy{n}.edb"))).collect();
    assert_eq!(results, [Ok(2), Ok(3), Ok(4), Ok(5), Ok(6), Err(-1805)]);
    instance.terminate(TermMode::Complete).unwrap();
}

#[test]
fn instances_beside_each_other() {
    let Some(bed) = Bed::new("clean-p8k") else { return };
    let first = bed.start();
    assert_eq!(bed.engine.create_instance("life").unwrap_err().jet_error().0, -1086);
    let second = bed.create("second");
    assert_eq!(second.initialize(InitOptions::default()).unwrap_err().jet_error().0, -1085);
    let third = bed.create("third");
    third.set_parameter(ParameterId::MAX_TEMPORARY_TABLES, 0_u32).unwrap();
    assert_eq!(third.initialize(InitOptions::default()).unwrap_err().jet_error().0, -1083);
    // Another process has neither paths nor names in common, but the files.
    let other = Engine::new(first.environment().clone());
    let stranger = other.create_instance("stranger").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        stranger.set_parameter(id, "/db").unwrap();
    }
    stranger.set_parameter(ParameterId::DATABASE_PAGE_SIZE, 8192_u32).unwrap();
    let error = stranger.initialize(InitOptions::default()).unwrap_err();
    assert!(matches!(&error, InstanceError::Io(e) if e.kind == ese_io::IoErrorKind::InUse), "{error}");
    first.terminate(TermMode::Complete).unwrap();
}
