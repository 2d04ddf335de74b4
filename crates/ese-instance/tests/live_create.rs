//! Databases created by a running instance: sound, with the rows of the engine's own, and rebuilt from the log alone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_format::{ColumnKind, DatabaseState, EngineFormatVersion};
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, DatabaseReader, DirtyPolicy, Engine, Environment, FindingSeverity,
    IndexSpec, InitOptions, Instance, ParameterId, TableSpec, TermMode, deep_verify,
};
use ese_io::{FixedClock, MemoryStorage, SeededRandomness, Storage};

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
