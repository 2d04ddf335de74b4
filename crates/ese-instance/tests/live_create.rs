//! Databases created by a running instance: sound, with the rows of the engine's own, and rebuilt from the log alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_btree::{Difference, compare_databases};
use ese_format::{ColumnKind, DatabaseState, EngineFormatVersion};
use ese_instance::recovery::{
    MissingCurrentLog, NoRecoveryProgress, RecoveryEnvironment, RecoveryRequest, recover,
};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, DatabaseReader, DirtyPolicy, Engine, Environment, FindingSeverity,
    IndexSpec, InitOptions, Instance, ParameterId, TableSpec, TermMode, deep_verify,
};
use ese_io::{FixedClock, MemoryStorage, OpenOptions, SeededRandomness, Storage};
use ese_log::{LogNames, find_streams};

const DATABASE: &str = "/db/new.edb";

struct Bed {
    storage: MemoryStorage,
    engine: Engine,
}

impl Bed {
    fn new(storage: MemoryStorage) -> Self {
        let engine = Engine::new(Environment {
            storage: Arc::new(storage.clone()),
            clock: Arc::new(FixedClock::new(1_795_353_522_574)),
            randomness: Arc::new(SeededRandomness::new(7)),
            events: None,
        });
        let _ = storage.create_directory(Path::new("/db"));
        Self { storage, engine }
    }

    fn start(&self, page_size: u32, format: u32) -> Instance {
        let instance = self.engine.create_instance("live").unwrap();
        for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
            instance.set_parameter(id, "/db").unwrap();
        }
        instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, page_size).unwrap();
        instance.set_parameter(ParameterId::LOG_FILE_SIZE, 256_u32).unwrap();
        instance.set_parameter(ParameterId::ENGINE_FORMAT_VERSION, format).unwrap();
        instance.initialize(InitOptions::default()).unwrap();
        instance
    }

    fn reader(&self) -> DatabaseReader {
        DatabaseReader::open(&self.storage, Path::new(DATABASE), DirtyPolicy::Refuse).unwrap()
    }
}

fn assert_sound(what: &str, reader: &DatabaseReader) {
    let mut bad = Vec::new();
    deep_verify(reader, &|| false, &mut |finding| {
        if finding.severity > FindingSeverity::Information {
            bad.push(finding);
        }
    })
    .unwrap();
    assert!(bad.is_empty(), "{what}: {bad:?}");
}

/// What lies on disk now.
fn snapshot(storage: &MemoryStorage) -> MemoryStorage {
    let copy = MemoryStorage::new();
    for entry in storage.list(Path::new("/db")).unwrap() {
        copy.put(&entry.path, storage.get(&entry.path).unwrap());
    }
    copy
}

fn books() -> TableSpec {
    TableSpec::new("Books")
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
        .column(ColumnSpec::variable("Title", ColumnKind::TEXT, 200).unicode())
        .column(ColumnSpec::tagged("Review", ColumnKind::LONG_TEXT).unicode().compressed())
        .index(IndexSpec::new("ById").ascending("Id").primary())
        .index(IndexSpec::new("ByTitle").ascending("Title"))
}

#[test]
fn created_databases_are_sound_and_come_back_from_the_log() {
    for page_size in [4096, 8192, 16384, 32768] {
        for format in [8920, 8940, 9180, 9600] {
            let what = format!("{page_size} {format}");
            let bed = Bed::new(MemoryStorage::new());
            let instance = bed.start(page_size, format);
            let session = instance.begin_session().unwrap();
            let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
            let transaction = session.transaction().unwrap();
            database.create_table(&books()).unwrap();
            transaction.commit(CommitMode::Durable).unwrap();
            drop(database);
            session.end().unwrap();
            instance.terminate(TermMode::Complete).unwrap();
            let reader = bed.reader();
            assert_eq!(reader.header().state(), DatabaseState::CLEAN_SHUTDOWN, "{what}");
            let version = EngineFormatVersion(format).versions().unwrap().database;
            assert_eq!(reader.header().version(), version, "{what}");
            assert_sound(&what, &reader);
            let table = reader.table("Books").unwrap();
            assert_eq!(table.columns.len(), 3, "{what}");
            assert_eq!(table.indexes.len(), 2, "{what}");
        }
    }
}

/// A crash right after the last commit, the database file gone: the log brings every page back as it was.
#[test]
fn the_log_alone_brings_a_created_database_back() {
    for (page_size, format) in [(4096, 9600), (8192, 9600), (16384, 9180), (32768, 8920)] {
        let what = format!("{page_size} {format}");
        let bed = Bed::new(MemoryStorage::new());
        let instance = bed.start(page_size, format);
        let session = instance.begin_session().unwrap();
        let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
        for n in 0..20 {
            let spec = TableSpec::new(&format!("T{n}"))
                .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
                .column(ColumnSpec::tagged("Text", ColumnKind::LONG_TEXT))
                .index(IndexSpec::new("ById").ascending("Id").primary())
                .index(IndexSpec::new("ByText").ascending("Text"));
            database.create_table(&spec).unwrap();
        }
        database.delete_table("T3").unwrap();
        database.rename_table("T4", "Renamed").unwrap();
        database.delete_index("T5", "ByText").unwrap();
        database.add_column("T5", &ColumnSpec::variable("More", ColumnKind::TEXT, 20)).unwrap();
        database.delete_column("T5", "Text").unwrap();
        let open = session.transaction().unwrap();
        database.create_table(&books()).unwrap();
        session.wait_for_all_commits().unwrap_err();
        // What the log holds at this moment, the open transaction's part too.
        instance.flush_log().unwrap();
        let crashed = snapshot(&bed.storage);
        crashed.remove(Path::new(DATABASE)).unwrap();
        // The engine goes on to a clean end without the open transaction.
        drop(open);
        drop(database);
        session.end().unwrap();
        instance.terminate(TermMode::Complete).unwrap();

        recover_from_log(&crashed);
        let after = Bed { storage: crashed.clone(), engine: bed.engine.clone() };
        let reader = after.reader();
        assert_sound(&what, &reader);
        let names: Vec<_> = reader.tables().unwrap().into_iter().map(|t| t.name).collect();
        assert!(
            names.contains(&"Renamed".to_owned()) && !names.contains(&"T3".to_owned()),
            "{what}: {names:?}"
        );
        assert!(!names.contains(&"Books".to_owned()), "{what}: {names:?}");
        assert_eq!(bed.reader().tables().unwrap(), reader.tables().unwrap(), "{what}");

        // The whole life, the clean end included: page for page.
        let whole = snapshot(&bed.storage);
        for file in [DATABASE, "/db/edb.chk"] {
            whole.remove(Path::new(file)).unwrap();
        }
        recover_from_log(&whole);
        assert_eq!(page_differences(&bed.storage, &whole), Vec::<String>::new(), "{what}");
    }
}

fn recover_from_log(storage: &MemoryStorage) {
    let (base, extension) = find_streams(storage, Path::new("/db")).unwrap()[0].clone();
    let names = LogNames { base, extension, short_generations: true };
    let mut request = RecoveryRequest::soft(Path::new("/db"), names);
    request.missing_current_log = MissingCurrentLog::Accept;
    request.locations.directories.push("/db".into());
    let environment = RecoveryEnvironment {
        storage: Arc::new(storage.clone()),
        clock: Arc::new(FixedClock::new(1_795_353_522_574)),
        randomness: Arc::new(SeededRandomness::new(1)),
    };
    recover(&request, &environment, &NoRecoveryProgress).unwrap();
}

fn page_differences(a: &MemoryStorage, b: &MemoryStorage) -> Vec<String> {
    let open = |storage: &MemoryStorage| storage.open(Path::new(DATABASE), OpenOptions::READ).unwrap();
    let mut differences = Vec::new();
    compare_databases(&open(a), &open(b), |difference| {
        if matches!(difference, Difference::Page { .. }) {
            differences.push(difference.to_string());
        }
    })
    .unwrap();
    differences
}
