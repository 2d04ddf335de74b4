//! SQLite in WAL mode.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};

use crate::{Result, Store, row};

/// A SQLite database with one table. Every call opens a connection of its own, as threads must.
pub struct SqliteStore {
    path: PathBuf,
    cache_bytes: usize,
}

impl SqliteStore {
    /// A new database in `directory`, with `cache_bytes` of cache a connection.
    ///
    /// # Errors
    /// What SQLite answers.
    pub fn create(directory: &Path, cache_bytes: usize) -> Result<Self> {
        let store = Self { path: directory.join("rows.sqlite"), cache_bytes };
        store
            .connect()?
            .execute_batch("CREATE TABLE rows (key INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;")?;
        Ok(store)
    }

    fn connect(&self) -> Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(Duration::from_secs(600))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Negative: KiB.
        connection.pragma_update(None, "cache_size", -i64::try_from(self.cache_bytes >> 10)?)?;
        Ok(connection)
    }
}

impl Store for SqliteStore {
    fn insert_durably(&self, keys: &[u64]) -> Result<()> {
        let mut connection = self.connect()?;
        for &key in keys {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction
                .prepare_cached("INSERT INTO rows VALUES (?1, ?2)")?
                .execute(params![key.cast_signed(), &row(key)[..]])?;
            transaction.commit()?;
        }
        Ok(())
    }

    fn insert_bulk(&self, keys: std::ops::Range<u64>) -> Result<()> {
        let mut connection = self.connect()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO rows VALUES (?1, ?2)")?;
            for key in keys {
                insert.execute(params![key.cast_signed(), &row(key)[..]])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read(&self, keys: &[u64]) -> Result<u64> {
        let connection = self.connect()?;
        let mut select = connection.prepare_cached("SELECT value FROM rows WHERE key = ?1")?;
        let mut bytes = 0;
        for &key in keys {
            let len = select.query_row(params![key.cast_signed()], |found| {
                Ok(std::hint::black_box(found.get_ref(0)?.as_blob()?).len() as u64)
            })?;
            bytes += len;
        }
        Ok(bytes)
    }

    fn scan(&self) -> Result<u64> {
        let connection = self.connect()?;
        let mut select = connection.prepare_cached("SELECT key, value FROM rows ORDER BY key")?;
        let mut found = select.query(())?;
        let mut bytes = 0;
        while let Some(entry) = found.next()? {
            bytes += std::hint::black_box(entry.get_ref(1)?.as_blob()?).len() as u64;
        }
        Ok(bytes)
    }

    fn reopen(self: Box<Self>) -> Result<Box<dyn Store>> {
        // The last connection that was closed has moved everything to the database file.
        Ok(self)
    }
}
