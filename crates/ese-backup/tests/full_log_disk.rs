//! A backup does not begin while the disk of the logs is full, and does when there is room again.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ese_backup::{BackupFlags, NoProgress, ReadOptions, backup_instance};
use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CreateOptions, Engine, Environment, IndexSpec, InitOptions, ParameterId, TableSpec, TermMode,
};
use ese_io::{
    Entry, File, FixedClock, IoError, IoErrorKind, MemoryStorage, OpenMode, OpenOptions, Operation, Result,
    SeededRandomness, Storage,
};

/// A disk that takes no new files beside the logs while it is full.
#[derive(Clone)]
struct Disk {
    inner: MemoryStorage,
    full: Arc<AtomicBool>,
}

impl Storage for Disk {
    fn open(&self, path: &Path, options: OpenOptions) -> Result<Arc<dyn File>> {
        let new = options.mode == OpenMode::CreateNew && path.starts_with("/db");
        if self.full.load(Ordering::Acquire) && new {
            return Err(IoError::new(Operation::Open, IoErrorKind::DiskFull, path));
        }
        self.inner.open(path, options)
    }
    fn inspect(&self, path: &Path) -> Result<Entry> {
        self.inner.inspect(path)
    }
    fn list(&self, directory: &Path) -> Result<Vec<Entry>> {
        self.inner.list(directory)
    }
    fn create_directory(&self, path: &Path) -> Result<()> {
        self.inner.create_directory(path)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        self.inner.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.inner.rename(from, to)
    }
    fn sync_directory(&self, path: &Path) -> Result<()> {
        self.inner.sync_directory(path)
    }
}

fn table(name: &str) -> TableSpec {
    TableSpec::new(name)
        .column(ColumnSpec::fixed("Id", ColumnKind::LONG))
        .index(IndexSpec::new("ById").ascending("Id").primary())
}

#[test]
fn no_backup_begins_on_a_full_log_disk() {
    let disk = Disk { inner: MemoryStorage::new(), full: Arc::default() };
    for directory in ["/db", "/set"] {
        disk.create_directory(Path::new(directory)).unwrap();
    }
    let engine = Engine::new(Environment {
        storage: Arc::new(disk.clone()),
        clock: Arc::new(FixedClock::new(1_795_353_522_574)),
        randomness: Arc::new(SeededRandomness::new(7)),
        events: None,
        threads: false,
    });
    let instance = engine.create_instance("full").unwrap();
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db").unwrap();
    }
    instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, 4096_u32).unwrap();
    instance.set_parameter(ParameterId::LOG_FILE_SIZE, 64_u32).unwrap();
    instance.initialize(InitOptions::default()).unwrap();
    let session = instance.begin_session().unwrap();
    let database = session.create_database(Path::new("/db/a.edb"), &CreateOptions::default()).unwrap();
    let backup = || {
        let set = Path::new("/set");
        backup_instance(&instance, Some(set), BackupFlags::empty(), ReadOptions::default(), &NoProgress)
    };

    disk.full.store(true, Ordering::Release);
    let refused = (0..100).find_map(|n| database.create_table(&table(&format!("T{n:03}"))).err());
    assert_eq!(refused.expect("the log fills up").jet_error().0, -529);
    assert_eq!(backup().unwrap_err().jet_error().0, -529);
    assert!(disk.list(Path::new("/set")).unwrap().is_empty(), "nothing of it remains");

    disk.full.store(false, Ordering::Release);
    backup().unwrap();
    drop(database);
    session.end().unwrap();
    instance.terminate(TermMode::Complete).unwrap();
}
