//! Tables of an open database.

use std::sync::Arc;

use ese_format::{JetError, ObjectId};

use super::Database;
use crate::builder::schema::TableSpec;
use crate::catalog::{TableDefinition, TableFlags};
use crate::ddl;
use crate::error::InstanceError;
use crate::reader::TableEntry;
use crate::schema::TableSchema;
use crate::session::SessionCallGuard;
use crate::state::SessionCall;

/// What is known of a table without opening it.
#[doc(alias = "JET_OBJECTINFO")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Name.
    pub name: String,
    /// Object id.
    pub object_id: ObjectId,
    /// What can be done with it.
    #[doc(alias = "grbit")]
    pub capabilities: u32,
    /// Flags.
    pub flags: TableFlags,
}

impl Database {
    /// Lets a call in, which must find the database open.
    pub(crate) fn enter(&self, call: SessionCall) -> Result<SessionCallGuard<'_>, InstanceError> {
        let call = self.session.enter(call)?;
        call.check_database(&self.attached)?;
        Ok(call)
    }

    /// A table's schema as the session sees it.
    ///
    /// # Errors
    /// `TableNotFound`; when the catalog cannot be read.
    pub(crate) fn schema(
        &self,
        call: &mut SessionCallGuard<'_>,
        table: &str,
    ) -> Result<Arc<TableSchema>, InstanceError> {
        let missing = || InstanceError::TableNotFound { table: table.to_owned() };
        call.schema(&self.attached, table)?.ok_or_else(missing)
    }

    /// Every table that the session sees, sorted by name; system tables and templates included.
    ///
    /// # Errors
    /// Refused at the door; when the catalog cannot be read.
    #[doc(alias = "JetGetObjectInfo")]
    #[doc(alias = "JET_ObjInfoList")]
    pub fn tables(&self) -> Result<Vec<TableEntry>, InstanceError> {
        self.enter(SessionCall::Ordinary)?.catalog(&self.attached)?.tables()
    }

    /// The names of the tables that the session sees, sorted; without system tables.
    ///
    /// # Errors
    /// As [`tables`](Self::tables).
    pub fn table_names(&self) -> Result<Vec<String>, InstanceError> {
        let tables = self.tables()?.into_iter().filter(|t| !t.flags.contains(TableFlags::SYSTEM));
        Ok(tables.map(|t| t.name).collect())
    }

    /// What is known of a table.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`.
    #[doc(alias = "JetGetObjectInfo")]
    #[doc(alias = "JET_ObjInfoNoStats")]
    pub fn object_info(&self, table: &str) -> Result<ObjectInfo, InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        let schema = self.schema(&mut call, table)?;
        let definition = &schema.definition;
        Ok(ObjectInfo {
            name: definition.name.clone(),
            object_id: definition.object_id,
            capabilities: crate::table::table_capabilities(self.attached.is_read_only()),
            flags: definition.flags,
        })
    }

    /// A table's columns and indexes as the session sees them.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`.
    #[doc(alias = "JetGetColumnInfo")]
    #[doc(alias = "JetGetIndexInfo")]
    pub fn table_definition(&self, table: &str) -> Result<TableDefinition, InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        Ok(self.schema(&mut call, table)?.definition.clone())
    }

    /// Creates a table with its columns and indexes, as part of the session's transaction; outside one, durably.
    ///
    /// # Errors
    /// Refused at the door; `TableDuplicate`; `TableNotFound` for the template; `Definition`, `Structure` with the engine's
    /// number for what cannot be; `Live`. Nothing is created then.
    #[doc(alias = "JetCreateTable")]
    #[doc(alias = "JetCreateTableColumnIndex")]
    #[doc(alias = "JetCreateTableColumnIndex2")]
    #[doc(alias = "JetCreateTableColumnIndex3")]
    #[doc(alias = "JetCreateTableColumnIndex4")]
    #[doc(alias = "JetCreateTableColumnIndex5")]
    pub fn create_table(&self, spec: &TableSpec) -> Result<(), InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        ddl::create_table(&mut call, &self.attached, spec)?;
        Ok(())
    }

    /// Deletes a table that nobody has open.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`, `TableInUse`, `TableLocked`; `Structure` for templates and system tables;
    /// `SchemaConflict`; `Live`.
    #[doc(alias = "JetDeleteTable")]
    #[doc(alias = "JetDeleteTable2")]
    pub fn delete_table(&self, table: &str) -> Result<(), InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        ddl::delete_table(&mut call, &self.attached, table)
    }

    /// Gives a table another name.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`, `TableDuplicate`; `Structure` when its structure is fixed; `Definition` for a
    /// name that cannot be; `SchemaConflict`; `Live`.
    #[doc(alias = "JetRenameTable")]
    pub fn rename_table(&self, table: &str, new_name: &str) -> Result<(), InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        ddl::rename_table(&mut call, &self.attached, table, new_name)
    }

    /// Refuses changes of system tables.
    pub(crate) fn check_not_system(table: &TableSchema) -> Result<(), InstanceError> {
        if table.definition.flags.contains(TableFlags::SYSTEM) {
            return Err(ddl::refuse(table, JetError::FIXED_DDL, "a system table"));
        }
        Ok(())
    }
}
