//! An instance over a storage in memory.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_btree::{Difference, compare_databases};
use ese_instance::recovery::{
    MissingCurrentLog, NoRecoveryProgress, RecoveryEnvironment, RecoveryError, RecoveryReport,
    RecoveryRequest, recover,
};
use ese_instance::{
    DatabaseReader, DirtyPolicy, Engine, Environment, FindingSeverity, InitOptions, Instance, InstanceError,
    ParameterId, deep_verify,
};
use ese_io::{MemoryStorage, OpenOptions, Storage};
use ese_log::{LogNames, find_streams};

/// Where the database is.
pub(crate) const DATABASE: &str = "/db/new.edb";

/// A storage and an engine on it.
pub(crate) struct Bed {
    pub(crate) storage: MemoryStorage,
    pub(crate) engine: Engine,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::on(MemoryStorage::new())
    }

    pub(crate) fn on(storage: MemoryStorage) -> Self {
        let engine = Engine::new(Environment::repeatable(Arc::new(storage.clone()), 1_795_353_522_574, 7));
        let _ = storage.create_directory(Path::new("/db"));
        Self { storage, engine }
    }

    /// An instance that is not initialised.
    pub(crate) fn create(&self, page_size: u32, format: u32) -> Instance {
        let instance = self.engine.create_instance("live").unwrap();
        for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
            instance.set_parameter(id, "/db").unwrap();
        }
        instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, page_size).unwrap();
        instance.set_parameter(ParameterId::LOG_FILE_SIZE, 256_u32).unwrap();
        instance.set_parameter(ParameterId::ENGINE_FORMAT_VERSION, format).unwrap();
        instance
    }

    pub(crate) fn start(&self, page_size: u32, format: u32) -> Instance {
        let instance = self.create(page_size, format);
        instance.initialize(InitOptions::default()).unwrap();
        instance
    }

    pub(crate) fn reader(&self) -> DatabaseReader {
        DatabaseReader::open(&self.storage, Path::new(DATABASE), DirtyPolicy::Refuse).unwrap()
    }

    /// The same files in a storage of their own: what lies on disk now.
    pub(crate) fn snapshot(&self) -> Self {
        let copy = MemoryStorage::new();
        for entry in self.storage.list(Path::new("/db")).unwrap() {
            if let Some(bytes) = self.storage.get(&entry.path) {
                copy.put(&entry.path, bytes);
            }
        }
        Self::on(copy)
    }

    /// Replays the log, beside the files.
    pub(crate) fn recover(&self) {
        self.try_recover().unwrap();
    }

    /// As [`recover`](Self::recover), which may fail.
    pub(crate) fn try_recover(&self) -> Result<RecoveryReport, RecoveryError> {
        let (base, extension) = find_streams(&self.storage, Path::new("/db")).unwrap()[0].clone();
        let names = LogNames { base, extension, short_generations: true };
        let mut request = RecoveryRequest::soft(Path::new("/db"), names);
        request.missing_current_log = MissingCurrentLog::Accept;
        request.locations.directories.push("/db".into());
        let environment =
            RecoveryEnvironment::repeatable(Arc::new(self.storage.clone()), 1_795_353_522_574, 1);
        recover(&request, &environment, &NoRecoveryProgress)
    }

    /// Pages that are not the same in the other's database.
    pub(crate) fn page_differences(&self, other: &Self) -> Vec<String> {
        let open = |bed: &Self| bed.storage.open(Path::new(DATABASE), OpenOptions::READ).unwrap();
        let mut differences = Vec::new();
        compare_databases(&open(self), &open(other), |difference| {
            if matches!(difference, Difference::Page { .. }) {
                differences.push(difference.to_string());
            }
        })
        .unwrap();
        differences
    }

    pub(crate) fn remove(&self, path: &str) {
        self.storage.remove(Path::new(path)).unwrap();
    }
}

pub(crate) fn assert_sound(what: &str, reader: &DatabaseReader) {
    let mut bad = Vec::new();
    deep_verify(reader, &|| false, &mut |finding| {
        if finding.severity > FindingSeverity::Information {
            bad.push(finding);
        }
    })
    .unwrap();
    assert!(bad.is_empty(), "{what}: {bad:?}");
}

/// The engine's number; 0 for success.
pub(crate) fn number<T>(result: Result<T, InstanceError>) -> i32 {
    result.err().map_or(0, |error| error.jet_error().0)
}
