//! An instance with one database, in memory.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_instance::{
    AttachOptions, CreateOptions, Database, DatabaseReader, DirtyPolicy, Engine, Environment,
    FindingSeverity, InitOptions, Instance, ParameterId, Session, Table, TableError, TableMode, TermMode,
    deep_verify,
};
use ese_io::{MemoryStorage, Storage};

pub const DATABASE: &str = "/db/rows.edb";

pub struct Bed {
    page_size: u32,
    format: u32,
    pub storage: MemoryStorage,
    pub engine: Engine,
    pub instance: Instance,
    pub session: Session,
    pub database: Database,
}

impl Bed {
    pub fn new(page_size: u32) -> Self {
        Self::with_format(page_size, 8920)
    }

    pub fn with_format(page_size: u32, format: u32) -> Self {
        let storage = MemoryStorage::new();
        storage.create_directory(Path::new("/db")).unwrap();
        let (engine, instance, session) = Self::start(&storage, page_size, format);
        let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
        Self { page_size, format, storage, engine, instance, session, database }
    }

    /// With parameters of its own.
    pub fn with_parameters(page_size: u32, format: u32, set: impl Fn(&Instance)) -> Self {
        let storage = MemoryStorage::new();
        storage.create_directory(Path::new("/db")).unwrap();
        let (engine, instance, session) = Self::start_with(&storage, page_size, format, set);
        let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
        Self { page_size, format, storage, engine, instance, session, database }
    }

    /// Where the instance may have threads of its own.
    pub fn on_threads(page_size: u32) -> Self {
        let storage = MemoryStorage::new();
        storage.create_directory(Path::new("/db")).unwrap();
        let (engine, instance, session) = Self::start_on(&storage, page_size, 8920, true, |_| {});
        let database = session.create_database(Path::new(DATABASE), &CreateOptions::default()).unwrap();
        Self { page_size, format: 8920, storage, engine, instance, session, database }
    }

    fn start(storage: &MemoryStorage, page_size: u32, format: u32) -> (Engine, Instance, Session) {
        Self::start_with(storage, page_size, format, |_| {})
    }

    fn start_with(
        storage: &MemoryStorage,
        page_size: u32,
        format: u32,
        set: impl Fn(&Instance),
    ) -> (Engine, Instance, Session) {
        Self::start_on(storage, page_size, format, false, set)
    }

    fn start_on(
        storage: &MemoryStorage,
        page_size: u32,
        format: u32,
        threads: bool,
        set: impl Fn(&Instance),
    ) -> (Engine, Instance, Session) {
        let environment = Environment::repeatable(Arc::new(storage.clone()), 1_795_353_522_574, 7);
        let engine = Engine::new(Environment { threads, ..environment });
        let instance = engine.create_instance("rows").unwrap();
        for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
            instance.set_parameter(id, "/db").unwrap();
        }
        instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, page_size).unwrap();
        instance.set_parameter(ParameterId::LOG_FILE_SIZE, 1024_u32).unwrap();
        instance.set_parameter(ParameterId::ENGINE_FORMAT_VERSION, format).unwrap();
        set(&instance);
        instance.initialize(InitOptions::default()).unwrap();
        let session = instance.begin_session().unwrap();
        (engine, instance, session)
    }

    pub fn open(&self, table: &str) -> Table {
        self.database.open_table(table, TableMode::empty()).unwrap()
    }

    /// Leaves everything as a crash does, and starts again: the logs are replayed.
    pub fn crash(self) -> Self {
        let Self { page_size, format, storage, engine, instance, session, database } = self;
        assert_eq!(instance.terminate(TermMode::Dirty).unwrap_err().jet_error().0, -1116);
        drop((database, session, instance, engine));
        Self::reopen(page_size, format, storage, AttachOptions::default())
    }

    /// Ends cleanly, and attaches the database again.
    pub fn restart(self, options: AttachOptions) -> Self {
        let Self { page_size, format, storage, engine: _engine, instance, session, database } = self;
        drop(database);
        session.end().unwrap();
        instance.terminate(TermMode::default()).unwrap();
        Self::reopen(page_size, format, storage, options)
    }

    fn reopen(page_size: u32, format: u32, storage: MemoryStorage, options: AttachOptions) -> Self {
        let (engine, instance, session) = Self::start(&storage, page_size, format);
        session.attach_database_with(Path::new(DATABASE), &options).unwrap();
        let database = session.open_database(Path::new(DATABASE)).unwrap();
        Self { page_size, format, storage, engine, instance, session, database }
    }

    /// Closes everything, and verifies the database deeply.
    pub fn finish(self) {
        let Self { storage, engine: _engine, instance, session, database, .. } = self;
        drop(database);
        session.end().unwrap();
        instance.terminate(TermMode::default()).unwrap();
        let reader = DatabaseReader::open(&storage, Path::new(DATABASE), DirtyPolicy::Refuse).unwrap();
        let mut bad = Vec::new();
        deep_verify(&reader, &|| false, &mut |finding| {
            if finding.severity > FindingSeverity::Information {
                bad.push(finding);
            }
        })
        .unwrap();
        assert!(bad.is_empty(), "{bad:?}");
    }
}

/// The engine's number of an outcome; 0 for success.
pub fn number<T>(outcome: Result<T, TableError>) -> i32 {
    outcome.err().map_or(0, |error| error.jet_error().0)
}
