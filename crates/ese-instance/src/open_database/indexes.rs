//! Indexes of tables of an open database.

use super::Database;
use crate::builder::schema::IndexSpec;
use crate::ddl;
use crate::error::InstanceError;
use crate::state::SessionCall;

impl Database {
    /// Creates an index and fills it with the table's rows.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`; `Definition`, `Structure` with the engine's number for what cannot be;
    /// `SchemaConflict` while other sessions change rows; `Live`.
    #[doc(alias = "JetCreateIndex")]
    #[doc(alias = "JetCreateIndex2")]
    #[doc(alias = "JetCreateIndex3")]
    #[doc(alias = "JetCreateIndex4")]
    pub fn create_index(&self, table: &str, index: &IndexSpec) -> Result<(), InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        let schema = self.schema(&mut call, table)?;
        Self::check_not_system(&schema)?;
        let permitted = schema.shared.permits_structure_changes(call.session.id);
        ddl::create_index(&mut call, &self.attached, &schema, index, permitted)
    }

    /// Deletes a secondary index.
    ///
    /// # Errors
    /// Refused at the door; `TableNotFound`, `IndexNotFound`; `Structure`; `SchemaConflict`; `Live`.
    #[doc(alias = "JetDeleteIndex")]
    pub fn delete_index(&self, table: &str, index: &str) -> Result<(), InstanceError> {
        let mut call = self.enter(SessionCall::Ordinary)?;
        let schema = self.schema(&mut call, table)?;
        Self::check_not_system(&schema)?;
        ddl::delete_index(&mut call, &self.attached, &schema, index)
    }
}
