//! Calls that reserve the current row.

use crate::table::error::Result;
use crate::table::temporary::TableCall;
use crate::table::{Table, TableError};

impl Table {
    /// Reserves the right to change the current row until the transaction ends.
    ///
    /// # Errors
    /// `Live`: outside a transaction, and for a row that another transaction has changed; `NoCurrentRecord`.
    #[doc(alias = "JetGetLock")]
    #[doc(alias = "JET_bitWriteLock")]
    pub fn lock_for_write(&mut self) -> Result<()> {
        self.allow(TableCall::OnlyDatabases)?;
        let updatable = self.is_updatable();
        self.call(|cursor, call| {
            if call.level() == 0 {
                return Err(ese_btree::live::LiveError::NotInTransaction.into());
            }
            cursor.check_updatable(call, updatable)?;
            cursor.check_on_row(call)?;
            deleted_is_locked(cursor.lock_row(call))
        })
    }

    /// Keeps others from changing the current row until the transaction ends. Others may do the same.
    ///
    /// # Errors
    /// As [`lock_for_write`](Self::lock_for_write).
    #[doc(alias = "JET_bitReadLock")]
    pub fn lock_for_read(&mut self) -> Result<()> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, call| {
            if call.level() == 0 {
                return Err(ese_btree::live::LiveError::NotInTransaction.into());
            }
            cursor.check_on_row(call)?;
            deleted_is_locked(cursor.lock_row_for_reading(call))
        })
    }
}

/// A row that is gone is nobody's: to lock it is no error.
fn deleted_is_locked(locked: Result<()>) -> Result<()> {
    match locked {
        Err(TableError::RecordDeleted) => Ok(()),
        other => other,
    }
}
