//! The database both sides use.

use std::path::{Path, PathBuf};

use ese_format::ColumnKind;
use ese_instance::{
    ColumnSpec, CommitMode, CreateOptions, Database, Engine, Environment, IndexSpec, InitOptions, Instance,
    ParameterId, PrepareKind, Session, SetFlags, Table, TableMode, TableSpec,
};

use super::{ACCOUNTS, BALANCE};

pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Result<T> = std::result::Result<T, Failure>;

pub(super) fn database_path(directory: &Path) -> PathBuf {
    directory.join("killed.edb")
}

/// Starts an instance: what a killed one left is recovered.
pub(super) fn start(directory: &Path, seed: u64) -> Result<Instance> {
    let instance = Engine::new(Environment::system()).create_instance("killed")?;
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, directory.to_string_lossy().as_ref())?;
    }
    // Small, so that logs roll, pages leave memory and checkpoints move all the time.
    for (id, value) in [
        (ParameterId::DATABASE_PAGE_SIZE, 4096_u32 << (seed % 4)),
        (ParameterId::LOG_FILE_SIZE, 256),
        (ParameterId::CHECKPOINT_DEPTH_MAX, 512 << 10),
        (ParameterId::CACHE_SIZE_MAX, 128),
        (ParameterId::CIRCULAR_LOG, u32::from((seed / 4).is_multiple_of(2))),
    ] {
        instance.set_parameter(id, value)?;
    }
    instance.initialize(InitOptions::default())?;
    Ok(instance)
}

/// A session with the database open; it is made and filled when it is not there.
pub(super) fn open(instance: &Instance, directory: &Path) -> Result<(Session, Database)> {
    let path = database_path(directory);
    let session = instance.begin_session()?;
    if instance.databases().iter().all(|database| database.path() != path) {
        if path.exists() {
            session.attach_database(&path)?;
        } else {
            drop(session.create_database(&path, &CreateOptions::default())?);
        }
    }
    let database = session.open_database(&path)?;
    if database.table_names()?.is_empty() {
        session.begin()?;
        fill(&database)?;
        session.commit(CommitMode::Durable)?;
    }
    Ok((session, database))
}

fn fill(database: &Database) -> Result<()> {
    database.create_table(
        &TableSpec::new("Accounts")
            .column(ColumnSpec::fixed("Number", ColumnKind::LONG))
            .column(ColumnSpec::fixed("Balance", ColumnKind::LONG_LONG))
            .index(IndexSpec::new("ByNumber").ascending("Number").primary()),
    )?;
    database.create_table(
        &TableSpec::new("Counters")
            .column(ColumnSpec::fixed("Thread", ColumnKind::LONG))
            .column(ColumnSpec::fixed("Last", ColumnKind::LONG))
            .index(IndexSpec::new("ByThread").ascending("Thread").primary()),
    )?;
    database.create_table(
        &TableSpec::new("Journal")
            .column(ColumnSpec::fixed("Thread", ColumnKind::LONG))
            .column(ColumnSpec::fixed("Number", ColumnKind::LONG))
            .column(ColumnSpec::tagged("Body", ColumnKind::LONG_BINARY))
            .index(IndexSpec::new("ByThread").ascending("Thread").ascending("Number").primary())
            .index(IndexSpec::new("ByNumber").descending("Number").ascending("Thread").unique()),
    )?;
    let mut accounts = Rows::open(database, "Accounts", ["Number", "Balance"])?;
    for number in 0..ACCOUNTS {
        accounts.put(PrepareKind::Insert, [&number.to_le_bytes(), &BALANCE.to_le_bytes()])?;
    }
    Ok(())
}

/// A table with the columns the work uses, in their order.
pub(super) struct Rows<const N: usize> {
    pub(super) table: Table,
    columns: [u32; N],
}

impl<const N: usize> Rows<N> {
    pub(super) fn open(database: &Database, name: &str, columns: [&str; N]) -> Result<Self> {
        let mut table = database.open_table(name, TableMode::default())?;
        let mut ids = [0; N];
        for (id, name) in ids.iter_mut().zip(columns) {
            *id = table.column_id(name)?;
        }
        Ok(Self { table, columns: ids })
    }

    /// Inserts a row or replaces the current one. The update is given up when it is refused.
    pub(super) fn put(
        &mut self,
        kind: PrepareKind,
        values: [&[u8]; N],
    ) -> std::result::Result<(), ese_instance::TableError> {
        self.table.prepare(kind)?;
        for (column, value) in self.columns.into_iter().zip(values) {
            self.table.set_column(column, value, SetFlags::empty())?;
        }
        match self.table.update() {
            Ok(_) => Ok(()),
            Err(error) => {
                self.table.cancel_update()?;
                Err(error)
            }
        }
    }

    /// A value of the current row.
    pub(super) fn bytes(&mut self, column: usize) -> Result<Vec<u8>> {
        let id = self.columns.get(column).ok_or("no such column")?;
        Ok(self.table.get(*id)?.unwrap_or_default())
    }

    pub(super) fn long(&mut self, column: usize) -> Result<i32> {
        Ok(i32::from_le_bytes(*self.bytes(column)?.first_chunk().ok_or("a number of fewer than 4 bytes")?))
    }

    pub(super) fn long_long(&mut self, column: usize) -> Result<i64> {
        Ok(i64::from_le_bytes(*self.bytes(column)?.first_chunk().ok_or("a number of fewer than 8 bytes")?))
    }
}
