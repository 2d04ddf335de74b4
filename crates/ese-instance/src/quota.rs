//! How many cursors and tables an instance has open, and how many it may.

use std::collections::HashMap;
use std::sync::Arc;

use ese_format::ObjectId;
use ese_log::record::DatabaseSlot;
use parking_lot::Mutex;

use crate::call_error::CallError;

/// The limits in force.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Cursors.
    pub(crate) cursors: u64,
    /// Tables with cursors.
    pub(crate) tables: u64,
}

/// What is open.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    cursors: u64,
    /// Cursors of each table.
    tables: HashMap<(DatabaseSlot, ObjectId), u64>,
}

/// One cursor that counts. Given back when dropped.
#[derive(Debug)]
pub(crate) struct CursorTicket {
    quota: Arc<Quota>,
    table: (DatabaseSlot, ObjectId),
}

impl Quota {
    /// Counts one more cursor.
    ///
    /// # Errors
    /// `TooManyOpenTables` before `OutOfCursors`.
    pub(crate) fn take(
        self: &Arc<Self>,
        table: (DatabaseSlot, ObjectId),
        limits: Limits,
    ) -> Result<CursorTicket, CallError> {
        let inner = &mut *self.inner.lock();
        if !inner.tables.contains_key(&table) && inner.tables.len() as u64 >= limits.tables {
            return Err(CallError::TooManyOpenTables { limit: limits.tables });
        }
        if inner.cursors >= limits.cursors {
            return Err(CallError::OutOfCursors { limit: limits.cursors });
        }
        inner.cursors += 1;
        *inner.tables.entry(table).or_default() += 1;
        Ok(CursorTicket { quota: Arc::clone(self), table })
    }
}

impl Drop for CursorTicket {
    fn drop(&mut self) {
        let inner = &mut *self.quota.inner.lock();
        inner.cursors = inner.cursors.saturating_sub(1);
        if let Some(count) = inner.tables.get_mut(&self.table) {
            *count -= 1;
            if *count == 0 {
                inner.tables.remove(&self.table);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_cursors_are_counted_apart() {
        let quota = Arc::new(Quota::default());
        let table = |n| (DatabaseSlot(1), ObjectId(n));
        let limits = Limits { cursors: 3, tables: 2 };
        let first = quota.take(table(7), limits).unwrap();
        let second = quota.take(table(8), limits).unwrap();
        assert_eq!(quota.take(table(9), limits).unwrap_err().jet_error().0, -1311);
        let third = quota.take(table(7), limits).unwrap();
        assert_eq!(quota.take(table(7), limits).unwrap_err().jet_error().0, -1013);
        drop((first, third));
        let ninth = quota.take(table(9), limits).unwrap();
        assert_eq!(quota.take(table(7), limits).unwrap_err().jet_error().0, -1311);
        drop((second, ninth));
        assert!(quota.inner.lock().tables.is_empty());
    }
}
