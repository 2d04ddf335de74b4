//! The engine of this workspace.

use std::path::{Path, PathBuf};

use ese_format::{ColumnKind, KeyFlags};
use ese_instance::{
    ColumnSpec, ColumnWrite, CommitMode, CreateOptions, Database, Engine, Environment, IndexSpec,
    InitOptions, Instance, ParameterId, PrepareKind, RetrieveFlags, SeekFlags, Session, Table, TableMode,
    TableSpec, TermMode,
};

use crate::{ROW_LEN, Result, Store, row};

const PAGE_SIZE: usize = 8192;

/// A database of the engine with one table.
pub struct EseStore {
    instance: Instance,
    path: PathBuf,
    directory: PathBuf,
    cache_bytes: usize,
}

/// An instance with its files in `directory`.
fn start(directory: &Path, cache_bytes: usize) -> Result<Instance> {
    let instance = Engine::new(Environment::system()).create_instance("bench")?;
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, directory.to_string_lossy().as_ref())?;
    }
    for (id, value) in [
        (ParameterId::DATABASE_PAGE_SIZE, PAGE_SIZE),
        (ParameterId::CACHE_SIZE_MAX, cache_bytes / PAGE_SIZE),
        // A transaction of a million rows has a million versions.
        (ParameterId::MAX_VER_PAGES, 1 << 14),
        (ParameterId::CIRCULAR_LOG, 1),
    ] {
        instance.set_parameter(id, u32::try_from(value)?)?;
    }
    instance.initialize(InitOptions::default())?;
    Ok(instance)
}

impl EseStore {
    /// A new database in `directory`, with `cache_bytes` of cache.
    ///
    /// # Errors
    /// What the engine answers.
    pub fn create(directory: &Path, cache_bytes: usize) -> Result<Self> {
        let instance = start(directory, cache_bytes)?;
        let path = directory.join("rows.edb");
        let session = instance.begin_session()?;
        let database = session.create_database(&path, &CreateOptions::default())?;
        database.create_table(
            &TableSpec::new("Rows")
                .density(100)
                .column(ColumnSpec::fixed("Key", ColumnKind::LONG_LONG))
                .column(ColumnSpec::variable("Value", ColumnKind::BINARY, 255))
                .index(IndexSpec::new("ByKey").ascending("Key").primary()),
        )?;
        Ok(Self { instance, path, directory: directory.to_owned(), cache_bytes })
    }

    fn open(&self) -> Result<Cursor> {
        let session = self.instance.begin_session()?;
        let database = session.open_database(&self.path)?;
        let mut table = database.open_table("Rows", TableMode::default())?;
        let (key, value) = (table.column_id("Key")?, table.column_id("Value")?);
        Ok(Cursor { table, key, value, _database: database, session })
    }
}

/// A session with its table; fields go in this order.
struct Cursor {
    table: Table,
    key: u32,
    value: u32,
    _database: Database,
    session: Session,
}

impl Cursor {
    fn insert(&mut self, key: u64) -> Result<()> {
        self.table.prepare(PrepareKind::Insert)?;
        let (number, value) = (key.to_le_bytes(), row(key));
        let mut columns = [ColumnWrite::new(self.key, &number), ColumnWrite::new(self.value, &value)];
        self.table.set_columns(&mut columns)?;
        self.table.update()?;
        Ok(())
    }

    fn value_len(&mut self) -> Result<u64> {
        let mut value = [0; ROW_LEN];
        let found = self.table.retrieve_column(self.value, &mut value, RetrieveFlags::empty())?;
        std::hint::black_box(value);
        Ok(found.length as u64)
    }
}

impl Store for EseStore {
    fn insert_durably(&self, keys: &[u64]) -> Result<()> {
        let mut cursor = self.open()?;
        for &key in keys {
            cursor.session.begin()?;
            cursor.insert(key)?;
            cursor.session.commit(CommitMode::Durable)?;
        }
        Ok(())
    }

    fn insert_bulk(&self, keys: std::ops::Range<u64>) -> Result<()> {
        let mut cursor = self.open()?;
        cursor.session.begin()?;
        for key in keys {
            cursor.insert(key)?;
        }
        cursor.session.commit(CommitMode::Durable)?;
        Ok(())
    }

    fn read(&self, keys: &[u64]) -> Result<u64> {
        let mut cursor = self.open()?;
        cursor.session.begin_read_only()?;
        let mut bytes = 0;
        for &key in keys {
            cursor.table.make_key(&key.to_le_bytes(), KeyFlags::NEW_KEY)?;
            cursor.table.seek(SeekFlags::EQUAL)?;
            bytes += cursor.value_len()?;
        }
        cursor.session.commit(CommitMode::Lazy)?;
        Ok(bytes)
    }

    fn scan(&self) -> Result<u64> {
        let mut cursor = self.open()?;
        cursor.session.begin_read_only()?;
        let mut bytes = 0;
        let mut found = cursor.table.move_first();
        while found.is_ok() {
            bytes += cursor.value_len()?;
            found = cursor.table.move_next();
        }
        cursor.session.commit(CommitMode::Lazy)?;
        Ok(bytes)
    }

    fn reopen(self: Box<Self>) -> Result<Box<dyn Store>> {
        let Self { instance, path, directory, cache_bytes } = *self;
        instance.terminate(TermMode::Complete)?;
        drop(instance);
        let instance = start(&directory, cache_bytes)?;
        instance.begin_session()?.attach_database(&path)?;
        Ok(Box::new(Self { instance, path, directory, cache_bytes }))
    }
}
