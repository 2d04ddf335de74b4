//! Table cursors: moving, seeking, reading and changing rows.
//!
//! A [`Table`] is a cursor on a table of an open database, or on a temporary table. It stands on a row, before the first, or
//! after the last, in the order of its current index; it may have a row in preparation.
//!
//! * Moves and seeks: [`Table::move_first`] …, [`Table::make_key`], [`Table::seek`], [`Table::set_index_range`].
//! * Reading: [`Table::retrieve_column`], [`Table::get`], [`Table::enumerate_columns`].
//! * Changing: [`Table::prepare`], [`Table::set_column`], [`Table::update`], [`Table::delete`], [`Table::escrow_update`].
//!
//! A change is a transaction level of its own: what fails is taken back as a whole. Long values are stored apart in the
//! table's tree for them: new ones when they are set, so that they need a transaction; those that a row does not refer to any
//! more go with the update. Callbacks are not made.

mod auto_increment;
mod callbacks;
mod cursor;
mod enumerate;
mod error;
mod filter;
mod info;
mod intersect;
mod lists;
mod long_values;
mod plan;
mod position;
mod preread;
mod retrieve;
mod seek;
mod set_column;
mod set_long;
mod statistics;
mod temporary;
mod tree;
mod update;
mod write;
mod zero;

use std::sync::Arc;

use ese_format::KeyFlags;

pub(crate) use auto_increment::number_rows;
pub(crate) use callbacks::TableCallbacks;
pub use callbacks::{CallbackId, LocalStorage, RuntimeCallback, TableCallback, TableEvent};
pub use cursor::{RangeFlags, SeekFlags};
pub use enumerate::{
    EnumerateColumn, EnumerateFlags, EnumeratedColumn, EnumeratedValue, RecordSize, RecordSizeFlags,
};
pub use error::{TableError, TableStatus};
pub use filter::{ColumnFilter, FilterOperator};
pub use info::TaggedColumnCount;
pub use lists::{ColumnList, ColumnListFlags, IndexList, ListNames, ObjectList};
pub use position::RecordPosition;
pub use preread::{IndexRange, KeyColumn, PrereadFlags};
pub use retrieve::{RetrieveFlags, RetrieveOptions, Retrieved};
pub use set_column::{SetFlags, SetOptions};
pub use statistics::IndexStatistics;
pub(crate) use temporary::TemporaryCursor;
pub use temporary::{TemporaryColumn, TemporaryTableFlags, TemporaryTableSpec};
pub use update::{PrepareKind, UpdateFlags};
pub(crate) use zero::{ZeroCounter, delete_zero_rows};

use crate::catalog::TableDefinition;
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::instance::Instance;
use crate::open_database::Database;
use crate::parameter::ParameterId;
use crate::quota::{CursorTicket, Limits};
use crate::schema::{OpenedTable, TableMode, TableSchema};
use crate::session::{SessionCallGuard, SessionShared};
use crate::state::SessionCall;
use cursor::{Cursor, Location};
use error::Result;
use plan::TablePlan;
use temporary::TableCall;

/// Bytes that most bookmarks do not exceed.
const USUAL_KEY: usize = 32;

/// A cursor on a table.
#[doc(alias = "JET_TABLEID")]
#[derive(Debug)]
pub struct Table {
    session: Arc<SessionShared>,
    /// None for a temporary table.
    database: Option<Arc<AttachedDatabase>>,
    opened: Option<OpenedTable>,
    temporary: Option<Arc<TemporaryCursor>>,
    cursor: Cursor,
}

impl Database {
    /// Opens a table. The cursor stands on the first row.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`; `TableLocked`, `TableInUse`; `InvalidFlags`.
    #[doc(alias = "JetOpenTable")]
    pub fn open_table(&self, table: &str, mode: TableMode) -> Result<Table> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        let schema = self.schema(&mut call, table)?;
        let mut opened = schema.shared.open(&schema.definition.name, self.session.id, mode, false)?;
        opened.hold(take_cursor(&self.session.instance, &schema)?);
        let wide = self.attached.version().supports_long_value_id_64();
        let plan = TablePlan::new(schema, self.attached.page_size(), wide);
        drop(call);
        let mut cursor = Cursor::new(Arc::new(plan));
        cursor.link = Some(self.session.cursors.add());
        Ok(Table {
            session: Arc::clone(&self.session),
            database: Some(Arc::clone(&self.attached)),
            opened: Some(opened),
            temporary: None,
            cursor,
        })
    }
}

/// Counts one more cursor of a table.
///
/// # Errors
/// `Call`: as many cursors, or tables, as there may be.
fn take_cursor(
    instance: &Instance,
    schema: &TableSchema,
) -> std::result::Result<CursorTicket, InstanceError> {
    let limits = Limits {
        cursors: instance.parameter_number(ParameterId::MAX_CURSORS),
        tables: instance.parameter_number(ParameterId::MAX_OPEN_TABLES),
    };
    Ok(instance.quota().take((schema.slot(), schema.object_id()), limits)?)
}

impl Table {
    /// Lets a call in and does something with the cursor, on the table's structure as the session sees it now.
    #[inline]
    fn call<R>(
        &mut self,
        act: impl FnOnce(&mut Cursor, &mut SessionCallGuard<'_>) -> Result<R>,
    ) -> Result<R> {
        let mut call = self.session.enter(SessionCall::Ordinary)?;
        if let Some(database) = &self.database {
            self.cursor.refresh_plan(&mut call, database)?;
        }
        self.cursor.level = call.level();
        self.cursor.hear_session();
        act(&mut self.cursor, &mut call)
    }

    /// As [`call`](Self::call), for calls that go somewhere.
    fn go<R>(&mut self, act: impl FnOnce(&mut Cursor, &mut SessionCallGuard<'_>) -> Result<R>) -> Result<R> {
        self.call(|cursor, call| {
            cursor.note_navigation();
            act(cursor, call)
        })
    }

    /// Whether rows may be changed through this cursor.
    fn is_updatable(&self) -> bool {
        self.opened.as_ref().is_none_or(|opened| opened.mode().is_updatable())
            && self.database.as_ref().is_none_or(|database| !database.is_read_only())
    }

    /// Another cursor on the same table, before the first row, on the primary index.
    ///
    /// # Errors
    /// Refused at the door; as opening the table.
    #[doc(alias = "JetDupCursor")]
    pub fn duplicate(&mut self) -> Result<Self> {
        self.allow(TableCall::Duplicate)?;
        let mut opened = None;
        if let Some(mine) = &self.opened {
            let schema = &self.cursor.plan.schema;
            // One more of the same session, whatever the first one keeps others from.
            let mode = mine.mode().difference(TableMode::DENY_READ | TableMode::DENY_WRITE);
            let mode = mode.difference(TableMode::PERMIT_STRUCTURE_CHANGES);
            let mut second = schema.shared.open(&schema.definition.name, self.session.id, mode, false)?;
            second.hold(take_cursor(&self.session.instance, schema)?);
            opened = Some(second);
        }
        let mut cursor = Cursor::new(Arc::clone(&self.cursor.plan));
        cursor.location = Location::First;
        cursor.link = self.cursor.link.as_ref().map(|_| self.session.cursors.add());
        let temporary = self.duplicate_temporary()?;
        Ok(Self {
            session: Arc::clone(&self.session),
            database: self.database.clone(),
            opened,
            temporary,
            cursor,
        })
    }

    /// The table's columns and indexes as the session sees them.
    ///
    /// # Errors
    /// Refused at the door; when the catalog cannot be read.
    #[doc(alias = "JetGetTableInfo")]
    #[doc(alias = "JetGetTableColumnInfo")]
    #[doc(alias = "JetGetTableIndexInfo")]
    pub fn definition(&mut self) -> Result<TableDefinition> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, _| Ok(cursor.plan.table().clone()))
    }

    /// Number of a column, by its name.
    ///
    /// # Errors
    /// `ColumnNotFound` (as `Instance`); refused at the door.
    #[doc(alias = "JET_COLUMNID")]
    pub fn column_id(&mut self, name: &str) -> Result<u32> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, _| {
            let found = cursor.plan.schema.column(name).map(|(_, column)| column.api_id());
            found.ok_or_else(|| {
                crate::InstanceError::ColumnNotFound {
                    table: cursor.plan.table().name.clone(),
                    column: name.to_owned(),
                }
                .into()
            })
        })
    }

    /// Moves to the first row of the current index, and takes a range away.
    ///
    /// # Errors
    /// `NoCurrentRecord` when there is none; refused at the door; `Live`.
    #[doc(alias = "JetMove")]
    #[doc(alias = "JET_MoveFirst")]
    pub fn move_first(&mut self) -> Result<()> {
        self.allow(TableCall::Move)?;
        self.end_insertion(true)?;
        self.go(Cursor::move_first)
    }

    /// Moves to the last row of the current index, and takes a range away.
    ///
    /// # Errors
    /// As [`move_first`](Self::move_first).
    #[doc(alias = "JET_MoveLast")]
    pub fn move_last(&mut self) -> Result<()> {
        self.allow(TableCall::Move)?;
        self.end_insertion(true)?;
        self.go(Cursor::move_last)
    }

    /// Moves to the next row.
    ///
    /// # Errors
    /// `NoCurrentRecord` behind the last, or behind the range; the cursor stands after the last row then.
    #[doc(alias = "JET_MoveNext")]
    pub fn move_next(&mut self) -> Result<()> {
        if self.temporary.is_some() {
            return self.move_by(1, false);
        }
        self.go(Cursor::move_next)
    }

    /// Moves to the row before.
    ///
    /// # Errors
    /// `NoCurrentRecord` before the first, or before the range; the cursor stands before the first row then.
    #[doc(alias = "JET_MovePrevious")]
    pub fn move_previous(&mut self) -> Result<()> {
        self.move_by(-1, false)
    }

    /// Moves by a number of rows, or of different keys; 0 only looks whether the row is there.
    ///
    /// # Errors
    /// `NoCurrentRecord` when there are not so many; `RecordDeleted` for 0 when the row is gone.
    #[doc(alias = "JetMove")]
    #[doc(alias = "JET_bitMoveKeyNE")]
    pub fn move_by(&mut self, rows: i32, to_other_keys: bool) -> Result<()> {
        let kind = if rows < 0 { TableCall::MoveBack } else { TableCall::Move };
        self.allow(kind)?;
        if self.is_being_filled() {
            self.end_insertion(rows > 0)?;
            self.allow(kind)?;
        }
        self.go(|cursor, call| cursor.move_by(call, rows, to_other_keys))
    }

    /// Adds a segment to the search key of the current index.
    ///
    /// # Errors
    /// `SearchKey`; `NoCurrentIndex`; refused at the door.
    #[doc(alias = "JetMakeKey")]
    pub fn make_key(&mut self, data: &[u8], flags: KeyFlags) -> Result<()> {
        self.allow(TableCall::SearchKey)?;
        self.call(|cursor, _| cursor.make_key(data, flags))
    }

    /// Looks for a row by the search key, which is used up.
    ///
    /// # Errors
    /// `KeyNotMade`; `RecordNotFound`, and the cursor stands where the row would be; `Live`.
    #[doc(alias = "JetSeek")]
    pub fn seek(&mut self, flags: SeekFlags) -> Result<TableStatus> {
        self.allow(TableCall::Seek)?;
        if self.is_being_filled() {
            self.end_insertion(false)?;
            self.check_sorted_rows()?;
            self.allow(TableCall::Seek)?;
        }
        self.go(|cursor, call| cursor.seek(call, flags))
    }

    /// Limits moves by the search key, which is used up.
    ///
    /// # Errors
    /// `NoCurrentRecord` when the current row lies outside; `KeyNotMade`; `NoCurrentIndex`; `Refused` for taking away a range
    /// that is not there.
    #[doc(alias = "JetSetIndexRange")]
    pub fn set_index_range(&mut self, flags: RangeFlags) -> Result<()> {
        self.allow(TableCall::SetRange)?;
        self.call(|cursor, call| cursor.set_index_range(call, flags))
    }

    /// Name of the current index; `None` when rows are in the order of their insertion.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JetGetCurrentIndex")]
    pub fn current_index(&mut self) -> Result<Option<String>> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, _| {
            let index = cursor.current_index().and_then(|index| cursor.plan.table().indexes.get(index.place));
            Ok(index.map(|index| index.name.clone()))
        })
    }

    /// Chooses the order of moves and seeks: an index by name, or (`None`) the primary one. The cursor stands on the first row.
    ///
    /// # Errors
    /// `Refused` with `JET_errIndexNotFound`; refused at the door.
    #[doc(alias = "JetSetCurrentIndex")]
    #[doc(alias = "JET_bitMoveFirst")]
    pub fn set_current_index(&mut self, name: Option<&str>) -> Result<()> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, call| {
            cursor.cancel_for_move(call)?;
            if let Err(error) = cursor.set_current_index(call, name) {
                // The order before is gone, unless it is that of the rows.
                cursor.set_current_index(call, None)?;
                return Err(error);
            }
            cursor.location = Location::First;
            cursor.keeps_row = false;
            Ok(())
        })
    }

    /// As [`set_current_index`](Self::set_current_index), and the cursor stays on its row: on the entry of value number
    /// `instance` (from 1).
    ///
    /// # Errors
    /// `NoCurrentRecord` when it is on no row, or the row has no entry in the index; `RecordDeleted`.
    #[doc(alias = "JetSetCurrentIndex2")]
    #[doc(alias = "JetSetCurrentIndex3")]
    #[doc(alias = "JetSetCurrentIndex4")]
    #[doc(alias = "JET_bitNoMove")]
    pub fn set_current_index_no_move(&mut self, name: Option<&str>, instance: u32) -> Result<()> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, call| {
            cursor.cancel_for_move(call)?;
            if let Err(error) = cursor.check_was_on_row(call) {
                if name.is_some_and(|name| !name.is_empty()) {
                    cursor.set_current_index(call, name)?;
                }
                return Err(error);
            }
            let bookmark = cursor.row.key().to_vec();
            if let Err(error) = cursor.set_current_index(call, name) {
                cursor.set_current_index(call, None)?;
                return Err(error);
            }
            cursor.note_navigation();
            cursor.goto_bookmark(call, &bookmark, instance.max(1) as usize)
        })
    }

    /// The current row's bookmark: its primary key.
    ///
    /// # Errors
    /// `NoCurrentRecord`.
    #[doc(alias = "JetGetBookmark")]
    pub fn bookmark(&mut self) -> Result<Vec<u8>> {
        self.allow(TableCall::Bookmark)?;
        self.call(|cursor, call| {
            cursor.check_was_on_row(call)?;
            Ok(cursor.bookmark_here())
        })
    }

    /// Goes to a row by its bookmark, in whatever index is current.
    ///
    /// # Errors
    /// `RecordDeleted` when it is gone; `NoCurrentRecord` when it has no entry in the current index; `Refused`
    /// (`JET_errInvalidBookmark`) for no bytes.
    #[doc(alias = "JetGotoBookmark")]
    pub fn goto_bookmark(&mut self, bookmark: &[u8]) -> Result<()> {
        self.allow(TableCall::Bookmark)?;
        self.go(|cursor, call| cursor.goto_bookmark(call, bookmark, 1))
    }

    /// Key and bookmark of the current entry of a secondary index.
    ///
    /// # Errors
    /// `NoCurrentIndex` on the primary one; `NoCurrentRecord`.
    #[doc(alias = "JetGetSecondaryIndexBookmark")]
    pub fn secondary_bookmark(&mut self) -> Result<(Vec<u8>, Vec<u8>)> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, call| {
            if cursor.index.is_none() {
                return Err(TableError::NoCurrentIndex);
            }
            cursor.check_on_entry(call)?;
            if !cursor.at_place(call, |tree, reads, place| tree.refresh(reads, place))? {
                return Err(TableError::RecordDeleted);
            }
            Ok((cursor.entry.key().to_vec(), cursor.entry.data().to_vec()))
        })
    }

    /// Goes to an entry of the current secondary index. `permit_virtual`: when it is gone, moves go on from where it was.
    ///
    /// # Errors
    /// `RecordDeleted` when it is gone, or another row has the key in a unique index; `NoCurrentIndex`; `Refused`
    /// (`JET_errInvalidBookmark`).
    #[doc(alias = "JetGotoSecondaryIndexBookmark")]
    #[doc(alias = "JET_bitBookmarkPermitVirtualCurrency")]
    pub fn goto_secondary_bookmark(
        &mut self,
        key: &[u8],
        bookmark: &[u8],
        permit_virtual: bool,
    ) -> Result<()> {
        self.allow(TableCall::OnlyDatabases)?;
        self.go(|cursor, call| cursor.goto_entry(call, key, bookmark, permit_virtual))
    }

    /// The key of the current row in the current index.
    ///
    /// # Errors
    /// `NoCurrentRecord`.
    #[doc(alias = "JetRetrieveKey")]
    pub fn current_key(&mut self) -> Result<Vec<u8>> {
        self.allow(TableCall::SearchKey)?;
        if self.is_being_filled() {
            // There is no row yet, and none is asked for.
            return Ok(Vec::new());
        }
        self.call(|cursor, call| {
            cursor.check_on_entry(call)?;
            cursor.key_here(call)
        })
    }

    /// The search key, used up or not.
    ///
    /// # Errors
    /// `KeyNotMade` when there never was one.
    #[doc(alias = "JetRetrieveKey")]
    #[doc(alias = "JET_bitRetrieveCopy")]
    pub fn search_key(&mut self) -> Result<Vec<u8>> {
        self.allow(TableCall::SearchKey)?;
        self.call(|cursor, _| match cursor.search_key.key() {
            [] => Err(TableError::KeyNotMade),
            key => Ok(key.to_vec()),
        })
    }

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

    /// Sets a column of the row being prepared. No bytes mean null, unless [`SetFlags::ZERO_LENGTH`] is there.
    ///
    /// # Errors
    /// `UpdateNotPrepared`; `ColumnNotFound`, `BadColumnId`; `Column` for values that the column does not take; `Edit` when
    /// the row becomes too long; `Live`: long columns need a transaction.
    #[doc(alias = "JetSetColumn")]
    #[doc(alias = "JetSetColumns")]
    pub fn set_column(
        &mut self,
        column: u32,
        data: &[u8],
        options: impl Into<SetOptions>,
    ) -> Result<TableStatus> {
        self.allow(TableCall::SetColumn)?;
        let options = options.into();
        let updatable = self.is_updatable();
        let mut call = self.session.enter(SessionCall::Ordinary)?;
        let database = self.database.as_deref();
        if let Some(database) = database {
            self.cursor.refresh_plan(&mut call, database)?;
        }
        self.cursor.check_updatable(&call, updatable)?;
        self.cursor.set_column(&mut call, database, column, data, &options)
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

    /// Adds to a counter of the current row, beside other transactions that do. Returns what was there before, as this
    /// transaction sees it. `delta` is a little-endian number of the column's size.
    ///
    /// # Errors
    /// `Live`: outside a transaction, or the row is being changed otherwise; `Column` for a column that is no counter.
    #[doc(alias = "JetEscrowUpdate")]
    pub fn escrow_update(&mut self, column: u32, delta: &[u8]) -> Result<i64> {
        self.allow(TableCall::Escrow)?;
        let updatable = self.is_updatable();
        let database = self.database.clone();
        self.call(|cursor, call| cursor.escrow_update(call, database.as_ref(), column, delta, updatable))
    }

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

    /// Reads a column into `out`, as far as it fits.
    ///
    /// # Errors
    /// `NoCurrentRecord`, `RecordDeleted`; `ColumnNotFound`, `BadColumnId`; `Refused` for options that do not go together;
    /// damaged rows and long values.
    #[doc(alias = "JetRetrieveColumn")]
    #[doc(alias = "JetRetrieveColumns")]
    pub fn retrieve_column(
        &mut self,
        column: u32,
        out: &mut [u8],
        options: impl Into<RetrieveOptions>,
    ) -> Result<Retrieved> {
        self.allow(TableCall::Read)?;
        let options = options.into();
        self.call(|cursor, call| retrieve::reading(call, |call| cursor.retrieve(call, column, out, &options)))
    }

    /// A column's whole value; `None` for null.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column).
    pub fn get(&mut self, column: u32) -> Result<Option<Vec<u8>>> {
        self.get_with(column, RetrieveOptions::default())
    }

    /// A column's value from an offset on; `None` for null.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column).
    pub fn get_with(&mut self, column: u32, options: impl Into<RetrieveOptions>) -> Result<Option<Vec<u8>>> {
        self.allow(TableCall::Read)?;
        let options = options.into();
        self.call(|cursor, call| {
            retrieve::reading(call, |call| {
                let mut value = vec![0; 256];
                let mut found = cursor.retrieve(call, column, &mut value, &options)?;
                if found.status == TableStatus::Truncated {
                    value.resize(found.length, 0);
                    found = cursor.retrieve(call, column, &mut value, &options)?;
                }
                value.truncate(found.length);
                Ok((found.status != TableStatus::Null).then_some(value))
            })
        })
    }

    /// Number of values of a column; of all tagged columns for column 0.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column).
    #[doc(alias = "itagSequence")]
    pub fn count_values(&mut self, column: u32, flags: RetrieveFlags) -> Result<u32> {
        self.allow(TableCall::Read)?;
        self.call(|cursor, call| cursor.count_values(call, column, flags))
    }

    /// The columns of a row: all of them when `columns` is empty. Of values that are stored apart at most `most` bytes are
    /// read.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column).
    #[doc(alias = "JetEnumerateColumns")]
    pub fn enumerate_columns(
        &mut self,
        columns: &[EnumerateColumn],
        most: usize,
        flags: EnumerateFlags,
    ) -> Result<Vec<EnumeratedColumn>> {
        self.allow(TableCall::Read)?;
        self.call(|cursor, call| retrieve::reading(call, |call| cursor.enumerate(call, columns, most, flags)))
    }

    /// Measures the current row, or the one being prepared.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column); `UpdateNotPrepared`.
    #[doc(alias = "JetGetRecordSize")]
    #[doc(alias = "JetGetRecordSize2")]
    #[doc(alias = "JetGetRecordSize3")]
    pub fn record_size(&mut self, flags: RecordSizeFlags, size: &mut RecordSize) -> Result<()> {
        self.allow(TableCall::Read)?;
        self.call(|cursor, call| retrieve::reading(call, |call| cursor.record_size(call, flags, size)))
    }

    /// A hint that rows will be read in order; rows are read the same way.
    #[doc(alias = "JetSetTableSequential")]
    #[doc(alias = "JetResetTableSequential")]
    pub const fn set_sequential(&mut self, _sequential: bool) {}

    /// Closes the cursor. A row being prepared is given up.
    ///
    /// # Errors
    /// Refused at the door; `Live`.
    #[doc(alias = "JetCloseTable")]
    pub fn close(mut self) -> Result<()> {
        if self.cursor.prepared.is_some() {
            match self.cancel_update() {
                // It went with a transaction.
                Err(TableError::UpdateNotPrepared) => {}
                cancelled => cancelled?,
            }
        }
        Ok(())
    }
}

/// A row that is gone is nobody's: to lock it is no error.
fn deleted_is_locked(locked: Result<()>) -> Result<()> {
    match locked {
        Err(TableError::RecordDeleted) => Ok(()),
        other => other,
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // Long values of a row that was never written.
        if self.cursor.prepared.is_some() {
            let _ = self.call(Cursor::cancel);
        }
        if let Some(link) = &self.cursor.link {
            link.close();
        }
        self.close_temporary();
    }
}
