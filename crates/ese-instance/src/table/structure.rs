//! The structure of a cursor's table: columns and indexes come, go and change their names, by the rules for cursors. What a cursor
//! may do depends on how it was opened; where it stands afterwards is part of the answer.

use std::sync::Arc;

use ese_format::JetError;

use super::Table;
use super::cursor::{Cursor, Location};
use super::error::{Result, TableError};
use super::temporary::TableCall;
use crate::builder::schema::{ColumnSpec, IndexSpec, TableSpec};
use crate::catalog::TableFlags;
use crate::database::AttachedDatabase;
use crate::ddl;
use crate::error::InstanceError;
use crate::open_database::Database;
use crate::schema::{TableMode, TableSchema};
use crate::session::SessionCallGuard;
use crate::state::SessionCall;

impl Database {
    /// Creates a table, and opens it so that nobody else has it. A fixed structure may be changed through this cursor, that
    /// of a template not. The cursor is closed when the transaction is rolled back.
    ///
    /// # Errors
    /// As [`create_table`](Self::create_table) and [`open_table`](Self::open_table).
    #[doc(alias = "JetCreateTable")]
    #[doc(alias = "JetCreateTableColumnIndex")]
    #[doc(alias = "JetCreateTableColumnIndex2")]
    #[doc(alias = "JetCreateTableColumnIndex3")]
    #[doc(alias = "JetCreateTableColumnIndex4")]
    #[doc(alias = "JetCreateTableColumnIndex5")]
    pub fn create_and_open_table(&self, spec: &TableSpec) -> Result<Table> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        if self.attached.is_read_only() {
            return Err(TableError::refused("the database is read-only", JetError::PERMISSION_DENIED));
        }
        ddl::create_table(&mut call, &self.attached, spec)?;
        let schema = self.schema(&mut call, spec.name().trim_end_matches(' '))?;
        let permits =
            spec.flags.contains(TableFlags::FIXED_SCHEMA) && !spec.flags.contains(TableFlags::TEMPLATE);
        let opened = schema.shared.open_new(spec.name(), call.session.id, permits)?;
        self.cursor_on(call, schema, opened)
    }
}

/// Who asks for a change of the structure.
#[derive(Clone, Copy)]
struct Asker {
    /// The cursor was opened so that a fixed structure may be changed.
    permitted: bool,
    /// The cursor keeps everybody else from the table.
    alone: bool,
    updatable: bool,
}

/// Refuses locales without the option for them.
fn check_locales(indexes: &[IndexSpec]) -> Result<()> {
    if indexes.iter().any(|index| index.unclear_locale) {
        let what = "a locale without the option for it";
        return Err(TableError::refused(what, JetError::INVALID_PARAMETER));
    }
    Ok(())
}

type Change<'a, R> =
    dyn FnMut(&mut SessionCallGuard<'_>, &AttachedDatabase, &Arc<TableSchema>, Asker) -> Result<R> + 'a;

impl Table {
    fn change_structure<R>(&mut self, change: &mut Change<'_, R>) -> Result<R> {
        self.allow(TableCall::OnlyDatabases)?;
        let mode = self.opened.as_ref().map_or(TableMode::empty(), |opened| opened.mode());
        let asker = Asker {
            permitted: mode.contains(TableMode::PERMIT_STRUCTURE_CHANGES),
            alone: mode.contains(TableMode::DENY_READ),
            updatable: self.is_updatable(),
        };
        let Some(database) = self.database.clone() else {
            return Err(TableError::refused("no table of a database", JetError::ILLEGAL_OPERATION));
        };
        self.call(|cursor, call| {
            let schema = Arc::clone(&cursor.plan.schema);
            Database::check_not_system(&schema)?;
            change(call, &database, &schema, asker)
        })
    }

    /// Fails unless the structure may be changed through this cursor now.
    ///
    /// # Errors
    /// Refused at the door; `Refused` when the cursor or the transaction is for reading; `Instance` for a fixed structure.
    pub fn check_structure(&mut self) -> Result<()> {
        self.change_structure(&mut |call, _, schema, asker| {
            Cursor::check_structure_updatable(call, asker.updatable)?;
            Ok(ddl::check_not_fixed(schema, asker.permitted)?)
        })
    }

    fn stand_before_first(&mut self) {
        self.cursor.stand(Location::BeforeFirst);
        self.cursor.forget_row();
    }

    /// Adds a column; its number. The cursor stands before the first row then.
    ///
    /// # Errors
    /// As [`Database::add_column`]; `Refused` when the cursor or the transaction is for reading; `Instance` (`InTransaction`) for
    /// a column without a version in a transaction, when others may open the table.
    #[doc(alias = "JetAddColumn")]
    pub fn add_column(&mut self, column: &ColumnSpec) -> Result<u32> {
        let number = self.change_structure(&mut |call, database, schema, asker| {
            Cursor::check_structure_updatable(call, asker.updatable)?;
            ddl::check_not_fixed(schema, asker.permitted)?;
            if column.unversioned && !asker.alone {
                call.check_no_transaction()?;
            }
            Ok(ddl::add_column(call, database, schema, column, asker.permitted)?)
        })?;
        self.stand_before_first();
        Ok(number)
    }

    /// Deletes a column that no index needs. The cursor stands before the first row then. `own`: only one of the table itself,
    /// whatever its template has.
    ///
    /// # Errors
    /// As [`Database::delete_column`]; `Refused` when the cursor or the transaction is for reading.
    #[doc(alias = "JetDeleteColumn")]
    #[doc(alias = "JetDeleteColumn2")]
    #[doc(alias = "JET_bitDeleteColumnIgnoreTemplateColumns")]
    pub fn delete_column(&mut self, column: &str, own: bool) -> Result<()> {
        self.change_structure(&mut |call, database, schema, asker| {
            crate::builder::definition::encode_name(column).map_err(InstanceError::from)?;
            Cursor::check_structure_updatable(call, asker.updatable)?;
            Ok(ddl::delete_column(call, database, schema, column, own)?)
        })?;
        self.stand_before_first();
        Ok(())
    }

    /// Gives a column another name. Outside transactions only.
    ///
    /// # Errors
    /// As [`Database::rename_column`].
    #[doc(alias = "JetRenameColumn")]
    pub fn rename_column(&mut self, column: &str, new_name: &str) -> Result<()> {
        self.change_structure(&mut |call, database, schema, _| {
            Ok(ddl::rename_column(call, database, schema, column, new_name)?)
        })
    }

    /// Creates an index and fills it with the table's rows. The cursor stays where it is.
    ///
    /// # Errors
    /// As [`Database::create_index`]; `Refused` when the cursor or the transaction is for reading; `Instance` (`InTransaction`) for
    /// an index without a version in a transaction, when others may open the table.
    #[doc(alias = "JetCreateIndex")]
    #[doc(alias = "JetCreateIndex2")]
    #[doc(alias = "JetCreateIndex3")]
    #[doc(alias = "JetCreateIndex4")]
    pub fn create_index(&mut self, index: &IndexSpec) -> Result<()> {
        check_locales(std::slice::from_ref(index))?;
        self.change_structure(&mut |call, database, schema, asker| {
            if index.unversioned && !asker.alone {
                call.check_no_transaction()?;
            }
            Cursor::check_structure_updatable(call, asker.updatable)?;
            Ok(ddl::create_index(call, database, schema, index, asker.permitted)?)
        })
    }

    /// Creates several indexes, all or none, outside transactions, of a table that the session has for itself. One alone is
    /// made as by [`create_index`](Self::create_index).
    ///
    /// # Errors
    /// As [`create_index`](Self::create_index); `Instance`: `InTransaction`, `Structure` when others may open the table.
    #[doc(alias = "JetCreateIndex2")]
    #[doc(alias = "JetCreateIndex3")]
    #[doc(alias = "JetCreateIndex4")]
    pub fn create_indexes(&mut self, indexes: &[IndexSpec]) -> Result<()> {
        if let [index] = indexes {
            return self.create_index(index);
        }
        check_locales(indexes)?;
        self.change_structure(&mut |call, database, schema, asker| {
            Cursor::check_structure_updatable(call, asker.updatable)?;
            call.check_no_transaction()?;
            Ok(ddl::create_indexes(call, database, schema, indexes, asker.permitted)?)
        })
    }

    /// Deletes a secondary index that is no cursor's current one.
    ///
    /// # Errors
    /// As [`Database::delete_index`]; `Refused` when the cursor or the transaction is for reading.
    #[doc(alias = "JetDeleteIndex")]
    pub fn delete_index(&mut self, index: &str) -> Result<()> {
        self.change_structure(&mut |call, database, schema, asker| {
            crate::builder::definition::encode_name(index).map_err(InstanceError::from)?;
            Cursor::check_structure_updatable(call, asker.updatable)?;
            Ok(ddl::delete_index(call, database, schema, index)?)
        })
    }
}
