//! Deleting tables.

use ese_format::{JetError, ObjectId, PageNumber};

use super::catalog_rows::{delete_row, delete_shadow_rows};
use super::create_table::check_transaction_writes;
use super::object_map::remove_object;
use super::refuse;
use crate::catalog::{CatalogRowKind, TableFlags};
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::schema::TableMode;
use crate::session::SessionCallGuard;

/// Deletes a table that nobody has open. Its pages go back to the database when nobody can see it any more.
///
/// # Errors
/// `TableNotFound`, `TableInUse`, `TableLocked`, `Structure`, `SchemaConflict`; `Live`.
pub(crate) fn delete_table(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    name: &str,
) -> Result<(), InstanceError> {
    check_transaction_writes(call)?;
    crate::builder::definition::encode_name(name)?;
    let missing = || InstanceError::TableNotFound { table: name.to_owned() };
    let table = call.schema(database, name)?.ok_or_else(missing)?;
    if table.definition.flags.contains(TableFlags::SYSTEM) {
        return Err(refuse(&table, JetError::CANNOT_DELETE_SYSTEM_TABLE, "system tables stay"));
    }
    call.atomically(|call| {
        let _alone = table.shared.open(name, call.session.id, TableMode::DENY_READ, true)?;
        if table.definition.flags.contains(TableFlags::TEMPLATE) {
            return Err(refuse(&table, JetError::CANNOT_DELETE_TEMPLATE_TABLE, "templates stay"));
        }
        call.begin_structure_change(database.slot(), &table.shared)?;
        let mut rows = Vec::new();
        call.catalog(database)?.visit_rows(table.object_id(), |row| {
            rows.push(row);
            Ok(true)
        })?;
        for row in &rows {
            delete_row(call, database, row)?;
            let is_tree = matches!(
                row.kind,
                CatalogRowKind::TABLE | CatalogRowKind::INDEX | CatalogRowKind::LONG_VALUE
            );
            // The primary index has the table's own entry.
            if is_tree && !(row.kind == CatalogRowKind::INDEX && row.id == row.table.0) {
                remove_object(call, database, ObjectId(row.id))?;
            }
        }
        delete_shadow_rows(call, database, table.object_id())?;
        // The table owns the pages of its indexes and long values.
        let (live, state) = call.parts()?;
        live.delete_tree(state, &table.tree, PageNumber::DATABASE_ROOT)?;
        call.note_deleted(&table.shared);
        Ok(())
    })
}
