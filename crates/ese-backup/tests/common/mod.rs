//! A running instance on the files of a reference case, in memory.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::path::Path;
use std::sync::Arc;

use ese_backup::{BackupContext, ReadOptions, ReadRetries};
use ese_instance::{
    Engine, Environment, InitOptions, Instance, MemoryEventSink, ParameterId, ParameterValue,
};
use ese_io::{MemoryStorage, Storage};

pub const DIRECTORY: &str = "/db";
pub const DATABASE: &str = "/db/db.edb";

/// An instance with its surroundings.
pub struct Bed {
    pub storage: MemoryStorage,
    pub events: MemoryEventSink,
    pub engine: Engine,
    pub instance: Instance,
}

/// Copies the files of a case into a storage, below [`DIRECTORY`].
pub fn load(case: &str) -> Option<MemoryStorage> {
    let folder = testdata::reference(case)?.join("files");
    let storage = MemoryStorage::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let target = Path::new(DIRECTORY).join(entry.file_name());
        storage.put(target, std::fs::read(entry.path()).unwrap());
    }
    Some(storage)
}

pub fn environment(storage: &MemoryStorage, events: &MemoryEventSink) -> Environment {
    Environment::repeatable(Arc::new(storage.clone()), 1_795_353_522_574, 7)
        .with_events(Arc::new(events.clone()))
}

/// An instance that is created and has its paths, not initialised.
pub fn created(storage: &MemoryStorage) -> Bed {
    let events = MemoryEventSink::new();
    let engine = Engine::new(environment(storage, &events));
    let instance = engine.create_instance("test").unwrap();
    let bed = Bed { storage: storage.clone(), events, engine, instance };
    bed.set(ParameterId::LOG_FILE_PATH, DIRECTORY);
    bed.set(ParameterId::SYSTEM_PATH, DIRECTORY);
    bed.set(ParameterId::DATABASE_PAGE_SIZE, 8192_u32);
    bed
}

/// An instance that runs with the database attached.
pub fn running(case: &str) -> Option<Bed> {
    let bed = created(&load(case)?);
    bed.start();
    Some(bed)
}

impl Bed {
    pub fn set(&self, id: ParameterId, value: impl Into<ParameterValue>) {
        self.instance.set_parameter(id, value).unwrap();
    }

    pub fn start(&self) {
        self.instance.initialize(InitOptions::default()).unwrap();
        self.instance.attach(Path::new(DATABASE)).unwrap();
        let _ = self.events.take();
    }

    /// Reads without second attempts: a damaged page costs no time.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions { retries: ReadRetries::NONE, ..ReadOptions::default() }
    }

    pub fn context(&self) -> Arc<BackupContext> {
        BackupContext::new(&self.instance, self.read_options())
    }

    pub fn make_directory(&self, path: &str) {
        self.storage.create_directory(Path::new(path)).unwrap();
    }

    /// Names in a directory.
    pub fn names(&self, path: &str) -> Vec<String> {
        names(&self.storage, path)
    }
}

pub fn names(storage: &MemoryStorage, path: &str) -> Vec<String> {
    let entries = storage.list(Path::new(path)).unwrap();
    entries.iter().map(|e| e.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Every file and directory with content below the root, to tell whether anything changed.
pub fn snapshot(storage: &MemoryStorage, path: &str) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(path).to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in storage.list(&directory).unwrap_or_default() {
            let content = storage.get(&entry.path);
            if content.is_none() {
                open.push(entry.path.clone());
            }
            found.push((entry.path.to_str().unwrap().to_owned(), content));
        }
    }
    found.sort();
    found
}
