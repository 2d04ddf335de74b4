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
mod calls;
mod cursor;
mod describe;
mod enumerate;
mod error;
mod filter;
mod from_index;
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
mod set_columns;
mod set_long;
mod statistics;
mod structure;
mod temporary;
mod tree;
mod update;
mod write;
mod zero;

use std::sync::Arc;

pub(crate) use auto_increment::number_rows;
pub(crate) use callbacks::TableCallbacks;
pub use callbacks::{CallbackId, LocalStorage, RuntimeCallback, TableCallback, TableEvent};
pub use cursor::{RangeFlags, SeekFlags};
pub(crate) use describe::table_capabilities;
pub use describe::{ColumnInfo, ColumnName, IndexInfo, TableInfo};
pub use enumerate::{
    EnumerateColumn, EnumerateFlags, EnumeratedColumn, EnumeratedValue, RecordSize, RecordSizeFlags,
};
pub use error::{TableError, TableStatus};
pub use filter::{ColumnFilter, FilterOperator};
pub use info::TaggedColumnCount;
pub use lists::{ColumnList, ColumnListFlags, IndexList, ListNames, ObjectList};
pub use position::RecordPosition;
pub use preread::{IndexRange, KeyColumn, PrereadFlags};
pub use retrieve::{ColumnRead, RetrieveFlags, RetrieveOptions, Retrieved};
pub use set_column::{SetFlags, SetOptions};
pub use set_columns::ColumnWrite;
pub use statistics::IndexStatistics;
pub(crate) use temporary::TemporaryCursor;
pub use temporary::{TemporaryColumn, TemporaryTableFlags, TemporaryTableSpec};
pub use update::{EscrowFlags, PrepareKind, UpdateFlags};
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
        mode.check()?;
        let schema = self.schema(&mut call, table)?;
        let opened = schema.shared.open(&schema.definition.name, self.session.id, mode, false)?;
        self.cursor_on(call, schema, opened)
    }

    /// A cursor on a table that was opened.
    fn cursor_on(
        &self,
        call: SessionCallGuard<'_>,
        schema: Arc<TableSchema>,
        mut opened: OpenedTable,
    ) -> Result<Table> {
        opened.hold(take_cursor(&self.session.instance, &schema)?);
        let wide = self.attached.version().supports_long_value_id_64();
        let plan = TablePlan::new(schema, self.attached.page_size(), wide);
        let level = call.level();
        drop(call);
        let mut cursor = Cursor::new(Arc::new(plan));
        cursor.link = Some(self.session.cursors.add(level, Some(opened.share())));
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
        self.cursor.level = call.level();
        self.cursor.hear_session()?;
        if let Some(database) = &self.database {
            self.cursor.refresh_plan(&mut call, database)?;
        }
        act(&mut self.cursor, &mut call)
    }

    /// Refuses a call on a cursor that a rollback has closed.
    ///
    /// # Errors
    /// `Refused`: `JET_errInvalidTableId`.
    fn check_open(&self) -> Result<()> {
        self.cursor.link.as_ref().map_or(Ok(()), |link| cursor::check_open(link))
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
            self.check_open()?;
            let mut second = schema.shared.open(&schema.definition.name, self.session.id, mode, false)?;
            second.hold(take_cursor(&self.session.instance, schema)?);
            opened = Some(second);
        }
        let mut cursor = Cursor::new(Arc::clone(&self.cursor.plan));
        cursor.location = Location::First;
        if self.cursor.link.is_some() {
            let level = self.session.enter(SessionCall::Ordinary)?.level();
            cursor.link = Some(self.session.cursors.add(level, opened.as_ref().map(OpenedTable::share)));
        }
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

    /// Closes the cursor. A row being prepared is given up.
    ///
    /// # Errors
    /// Refused at the door; `Live`; `Refused` when a rollback has closed it.
    #[doc(alias = "JetCloseTable")]
    pub fn close(mut self) -> Result<()> {
        self.check_open()?;
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

impl Drop for Table {
    fn drop(&mut self) {
        // Long values of a row that was never written.
        if self.cursor.prepared.is_some() {
            let _ = self.call(Cursor::cancel);
        }
        self.cursor.index_use = None;
        if let Some(link) = &self.cursor.link {
            link.close();
        }
        self.close_temporary();
    }
}
