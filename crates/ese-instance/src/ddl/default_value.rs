//! Giving a column another default value.

use std::sync::Arc;

use ese_format::JetError;

use super::catalog_rows::replace_row;
use super::columns::{column_of_table, find_row};
use super::refuse;
use crate::builder::Value;
use crate::builder::definition::pad;
use crate::catalog::{CatalogRow, CatalogRowKind, ColumnFlags};
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::schema::{TableMode, TableSchema};
use crate::session::SessionCallGuard;

/// Longest default value.
const LONGEST: usize = 255;

/// Gives a column that no index needs another default value. Nobody else may have the table open.
///
/// # Errors
/// `ColumnNotFound`, `Structure`, `Definition` for a value that the column cannot hold, `TableInUse`, `SchemaConflict`; `Live`.
pub(crate) fn set_column_default(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &Arc<TableSchema>,
    name: &str,
    value: &[u8],
) -> Result<(), InstanceError> {
    crate::builder::definition::encode_name(name)?;
    if value.is_empty() {
        return Err(refuse(table, JetError::NULL_INVALID, "a default value is not null"));
    }
    let _alone = table.shared.open(&table.definition.name, call.session.id, TableMode::DENY_READ, false)?;
    let (place, column) = column_of_table(table, name)?;
    if super::columns::is_indexed(table, place) {
        return Err(refuse(table, JetError::COLUMN_IN_USE, "an index needs the column"));
    }
    let most = if column.max_size == 0 { LONGEST } else { LONGEST.min(column.max_size as usize) };
    if value.len() > most {
        return Err(refuse(
            table,
            JetError::DEFAULT_VALUE_TOO_BIG,
            "a default value that the column cannot hold",
        ));
    }
    let Some(mut bytes) = Value::Bytes(value.to_vec()).encode(column)? else {
        return Err(refuse(table, JetError::NULL_INVALID, "a default value is not null"));
    };
    pad(&mut bytes, column);
    let id = u32::from(column.id.0);
    let missing =
        || InstanceError::ColumnNotFound { table: table.definition.name.clone(), column: name.to_owned() };
    call.atomically(|call| {
        let row = find_row(call, database, table, CatalogRowKind::COLUMN, id)?.ok_or_else(missing)?;
        call.begin_structure_change(database.slot(), &table.shared)?;
        let flags = row.flags | ColumnFlags::DEFAULT.bits();
        let changed = CatalogRow { flags, default_value: Some(bytes), ..row.clone() };
        replace_row(call, database, &row, &changed)
    })
}
