//! redb.

use std::path::{Path, PathBuf};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use crate::{Result, Store, row};

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");

/// A redb database with one table.
pub struct RedbStore {
    database: Database,
    path: PathBuf,
    cache_bytes: usize,
}

impl RedbStore {
    /// A new database in `directory`, with `cache_bytes` of cache.
    ///
    /// # Errors
    /// What redb answers.
    pub fn create(directory: &Path, cache_bytes: usize) -> Result<Self> {
        let path = directory.join("rows.redb");
        let database = Database::builder().set_cache_size(cache_bytes).create(&path)?;
        let transaction = database.begin_write()?;
        transaction.open_table(ROWS)?;
        transaction.commit()?;
        Ok(Self { database, path, cache_bytes })
    }
}

impl Store for RedbStore {
    fn insert_durably(&self, keys: &[u64]) -> Result<()> {
        for &key in keys {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.open_table(ROWS)?.insert(key, &row(key)[..])?;
            transaction.commit()?;
        }
        Ok(())
    }

    fn insert_bulk(&self, keys: std::ops::Range<u64>) -> Result<()> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(ROWS)?;
            for key in keys {
                table.insert(key, &row(key)[..])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read(&self, keys: &[u64]) -> Result<u64> {
        let table = self.database.begin_read()?.open_table(ROWS)?;
        let mut bytes = 0;
        for &key in keys {
            let found = table.get(key)?.ok_or("a row is missing")?;
            bytes += std::hint::black_box(found.value()).len() as u64;
        }
        Ok(bytes)
    }

    fn scan(&self) -> Result<u64> {
        let table = self.database.begin_read()?.open_table(ROWS)?;
        let mut bytes = 0;
        for entry in table.iter()? {
            bytes += std::hint::black_box(entry?.1.value()).len() as u64;
        }
        Ok(bytes)
    }

    fn reopen(self: Box<Self>) -> Result<Box<dyn Store>> {
        let Self { database, path, cache_bytes } = *self;
        drop(database);
        let database = Database::builder().set_cache_size(cache_bytes).open(&path)?;
        Ok(Box::new(Self { database, path, cache_bytes }))
    }
}
