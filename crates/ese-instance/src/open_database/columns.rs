//! Columns of tables of an open database.

use super::Database;
use crate::builder::schema::ColumnSpec;
use crate::ddl;
use crate::error::InstanceError;
use crate::state::SessionCall;

impl Database {
    /// Adds a column to a table; its number.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`; `Definition`, `Structure` with the engine's number for what cannot be;
    /// `SchemaConflict`; `Live`.
    #[doc(alias = "JetAddColumn")]
    pub fn add_column(&self, table: &str, column: &ColumnSpec) -> Result<u32, InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        let schema = self.schema(&mut call, table)?;
        Self::check_not_system(&schema)?;
        let permitted = schema.shared.permits_structure_changes(call.session.id);
        ddl::add_column(&mut call, &self.attached, &schema, column, permitted)
    }

    /// Deletes a column that no index needs.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`, `ColumnNotFound`; `Structure`; `SchemaConflict`; `Live`.
    #[doc(alias = "JetDeleteColumn")]
    #[doc(alias = "JetDeleteColumn2")]
    pub fn delete_column(&self, table: &str, column: &str) -> Result<(), InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        let schema = self.schema(&mut call, table)?;
        Self::check_not_system(&schema)?;
        ddl::delete_column(&mut call, &self.attached, &schema, column, false)
    }

    /// Gives a column that no index needs another default value, in bytes. Rows that do not have the column have the new one,
    /// too. Nobody else may have the table open.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`, `ColumnNotFound`; `Structure`, `Definition` for a value that cannot be; `TableInUse`,
    /// `TableLocked`; `SchemaConflict`; `Live`.
    #[doc(alias = "JetSetColumnDefaultValue")]
    pub fn set_column_default(&self, table: &str, column: &str, value: &[u8]) -> Result<(), InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        let schema = self.schema(&mut call, table)?;
        Self::check_not_system(&schema)?;
        ddl::set_column_default(&mut call, &self.attached, &schema, column, value)
    }

    /// Gives a column another name. Outside transactions only.
    ///
    /// # Errors
    /// Refused at the door; `InTransaction`; `TableNotFound`, `ColumnNotFound`; `Definition`; `SchemaConflict`; `Live`.
    #[doc(alias = "JetRenameColumn")]
    pub fn rename_column(&self, table: &str, column: &str, new_name: &str) -> Result<(), InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        let schema = self.schema(&mut call, table)?;
        Self::check_not_system(&schema)?;
        ddl::rename_column(&mut call, &self.attached, &schema, column, new_name)
    }
}
