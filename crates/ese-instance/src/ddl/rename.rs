//! Renaming tables and columns.

use std::sync::Arc;

use ese_format::JetError;

use super::catalog_rows::{is_duplicate, replace_row};
use super::columns::find_row;
use super::create_table::check_transaction_writes;
use super::refuse;
use crate::builder::definition::encode_name;
use crate::catalog::{CatalogRow, CatalogRowKind, TableFlags};
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::schema::TableSchema;
use crate::session::SessionCallGuard;

/// Gives a table another name.
///
/// # Errors
/// `TableNotFound`, `Structure` (also for a name that another table has), `Definition` (the name), `SchemaConflict`; `Live`.
pub(crate) fn rename_table(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    name: &str,
    new_name: &str,
) -> Result<(), InstanceError> {
    check_transaction_writes(call)?;
    encode_name(name)?;
    let stored = encode_name(new_name)?;
    let missing = || InstanceError::TableNotFound { table: name.to_owned() };
    let table = call.schema(database, name)?.ok_or_else(missing)?;
    let fixed = TableFlags::TEMPLATE | TableFlags::FIXED_SCHEMA;
    if table.definition.flags.intersects(fixed) {
        return Err(refuse(&table, JetError::FIXED_DDL, "its structure is fixed"));
    }
    // The engine's answer is that of the catalog's index.
    let taken = || refuse(&table, JetError::KEY_DUPLICATE, "another table has the name");
    if call.schema(database, new_name)?.is_some_and(|other| other.object_id() != table.object_id()) {
        return Err(taken());
    }
    call.atomically(|call| {
        let row = find_row(call, database, &table, CatalogRowKind::TABLE, table.object_id().0)?;
        let row = row.ok_or_else(missing)?;
        call.begin_structure_change(database.slot(), &table.shared)?;
        let renamed = CatalogRow { name: stored, ..row.clone() };
        replace_row(call, database, &row, &renamed)
            .map_err(|error| if is_duplicate(&error) { taken() } else { error })
    })
}

/// Gives a column another name.
///
/// # Errors
/// `InTransaction`, `ColumnNotFound`, `Definition` (the name, or a column of that name), `SchemaConflict`; `Live`.
pub(crate) fn rename_column(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &Arc<TableSchema>,
    name: &str,
    new_name: &str,
) -> Result<(), InstanceError> {
    check_transaction_writes(call)?;
    call.check_no_transaction()?;
    encode_name(name)?;
    let stored = encode_name(new_name)?;
    let missing =
        || InstanceError::ColumnNotFound { table: table.definition.name.clone(), column: name.to_owned() };
    let (place, column) = table.column(name.trim_end_matches(' ')).ok_or_else(missing)?;
    if column.from_template && !table.definition.flags.contains(TableFlags::TEMPLATE) {
        return Err(refuse(table, JetError::FIXED_INHERITED_DDL, "the column is the template's"));
    }
    // The engine's answer is that of the catalog's index.
    let taken = || refuse(table, JetError::KEY_DUPLICATE, "another column has the name");
    if table.column(new_name.trim_end_matches(' ')).is_some_and(|(other, _)| other != place) {
        return Err(taken());
    }
    let id = u32::from(column.id.0);
    call.atomically(|call| {
        let row = find_row(call, database, table, CatalogRowKind::COLUMN, id)?.ok_or_else(missing)?;
        call.begin_structure_change(database.slot(), &table.shared)?;
        let renamed = CatalogRow { name: stored, ..row.clone() };
        replace_row(call, database, &row, &renamed)
            .map_err(|error| if is_duplicate(&error) { taken() } else { error })
    })
}
