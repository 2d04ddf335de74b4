//! Calls that change rows: a row in preparation, deletion, counters.

use crate::database::AttachedDatabase;
use crate::session::SessionCallGuard;
use crate::state::SessionCall;
use crate::table::cursor::Cursor;
use crate::table::error::Result;
use crate::table::temporary::TableCall;
use crate::table::{
    ColumnWrite, EscrowFlags, PrepareKind, SetOptions, Table, TableEvent, TableStatus, UpdateFlags,
};

/// Bytes that most bookmarks do not exceed.
const USUAL_KEY: usize = 32;

impl Table {
    /// Begins a row: a new one, or a changed one.
    ///
    /// # Errors
    /// `AlreadyPrepared`; `NoCurrentRecord`, `RecordDeleted`; `Live` for a row that another transaction has changed, and in
    /// read-only transactions; `Refused` (`JET_errPermissionDenied`) for a table open for reading.
    #[doc(alias = "JetPrepareUpdate")]
    pub fn prepare(&mut self, kind: PrepareKind) -> Result<()> {
        self.allow(TableCall::Prepare(kind))?;
        let updatable = self.is_updatable();
        self.call(|cursor, call| cursor.prepare(call, kind, updatable))
    }

    /// Gives up the row being prepared.
    ///
    /// # Errors
    /// `UpdateNotPrepared`; `Live`.
    #[doc(alias = "JET_prepCancel")]
    pub fn cancel_update(&mut self) -> Result<()> {
        self.allow(TableCall::Update)?;
        self.call(Cursor::cancel)
    }

    /// Sets a column of the row being prepared. No bytes mean null, unless [`SetFlags::ZERO_LENGTH`](crate::SetFlags::ZERO_LENGTH) is there.
    ///
    /// # Errors
    /// `UpdateNotPrepared`; `ColumnNotFound`, `BadColumnId`; `Column` for values that the column does not take; `Edit` when
    /// the row becomes too long; `Live`: long columns need a transaction.
    #[doc(alias = "JetSetColumn")]
    pub fn set_column(
        &mut self,
        column: u32,
        data: &[u8],
        options: impl Into<SetOptions>,
    ) -> Result<TableStatus> {
        let options = options.into();
        self.set(|cursor, call, database| cursor.set_column(call, database, column, data, &options))
    }

    /// Sets several columns of the row being prepared, one after the other. The answer is that of the last.
    ///
    /// # Errors
    /// As [`set_column`](Self::set_column), with the first that fails; what was set before stays.
    #[doc(alias = "JetSetColumns")]
    pub fn set_columns(&mut self, columns: &mut [ColumnWrite<'_>]) -> Result<TableStatus> {
        self.set(|cursor, call, database| cursor.set_columns(call, database, columns))
    }

    fn set(
        &mut self,
        set: impl FnOnce(&mut Cursor, &mut SessionCallGuard<'_>, Option<&AttachedDatabase>) -> Result<TableStatus>,
    ) -> Result<TableStatus> {
        self.allow(TableCall::SetColumn)?;
        let updatable = self.is_updatable();
        let mut call = self.session.enter(SessionCall::Ordinary)?;
        self.cursor.level = call.level();
        self.cursor.hear_session()?;
        let database = self.database.as_deref();
        if let Some(database) = database {
            self.cursor.refresh_plan(&mut call, database)?;
        }
        self.cursor.check_updatable(&call, updatable)?;
        set(&mut self.cursor, &mut call, database)
    }

    /// Writes the row being prepared. Returns its bookmark. The cursor stays where it is.
    ///
    /// # Errors
    /// `UpdateNotPrepared`; `Live` for duplicate keys and write conflicts; `Index` for changed primary keys and null keys;
    /// `Column` for nulls that may not be. The row is still being prepared then.
    #[doc(alias = "JetUpdate")]
    pub fn update(&mut self) -> Result<Vec<u8>> {
        self.update_with(UpdateFlags::empty())
    }

    /// As [`update`](Self::update), with options.
    ///
    /// # Errors
    /// As [`update`](Self::update), and `Refused` (`JET_errUpdateMustVersion`).
    #[doc(alias = "JetUpdate2")]
    pub fn update_with(&mut self, flags: UpdateFlags) -> Result<Vec<u8>> {
        self.allow(TableCall::Update)?;
        let mut bookmark = Vec::with_capacity(USUAL_KEY);
        if self.is_being_filled() {
            self.insert_while_filling(&mut bookmark)?;
            return Ok(bookmark);
        }
        let events = self.cursor.prepared.as_ref().map(|prepared| prepared.events());
        self.between(events, |table| table.call(|cursor, call| cursor.update(call, flags, &mut bookmark)))?;
        Ok(bookmark)
    }

    /// Deletes the current row. The cursor stays where it was: moves go on from there.
    ///
    /// # Errors
    /// `NoCurrentRecord`, `RecordDeleted`; `Live` for a row that another transaction has changed.
    #[doc(alias = "JetDelete")]
    pub fn delete(&mut self) -> Result<()> {
        self.allow(TableCall::Delete)?;
        let updatable = self.is_updatable();
        let events = (TableEvent::BEFORE_DELETE, TableEvent::AFTER_DELETE);
        self.between(Some(events), |table| table.call(|cursor, call| cursor.delete(call, updatable)))
    }

    /// Adds to a counter of the current row, beside other transactions that do. Returns what was there before, with what
    /// others have added and not committed. `delta` is a little-endian number of the column's size.
    ///
    /// # Errors
    /// `Live`: outside a transaction, or the row is being changed otherwise; `Column` for a column that is no counter.
    #[doc(alias = "JetEscrowUpdate")]
    pub fn escrow_update(&mut self, column: u32, delta: &[u8]) -> Result<i64> {
        self.escrow_update_with(column, delta, EscrowFlags::empty())
    }

    /// As [`escrow_update`](Self::escrow_update), with options.
    ///
    /// # Errors
    /// As [`escrow_update`](Self::escrow_update).
    pub fn escrow_update_with(&mut self, column: u32, delta: &[u8], flags: EscrowFlags) -> Result<i64> {
        self.allow(TableCall::Escrow)?;
        let updatable = self.is_updatable();
        let database = self.database.clone();
        self.call(|cursor, call| {
            cursor.escrow_update(call, database.as_ref(), column, delta, flags, updatable)
        })
    }
}
