//! Adding and deleting columns.

use std::sync::Arc;

use ese_btree::live::{SeekHow, Spot};
use ese_format::{ColumnId, ColumnKind, EngineFormatVersion, JetError, PageSize, largest_record};

use super::catalog_rows::{insert_row, is_duplicate, replace_row};
use super::create_table::{add_auto_increment, same_name};
use super::refuse;
use crate::builder::BuilderError;
use crate::builder::definition::{ColumnPlacer, column_row};
use crate::builder::schema::{ColumnPlacement, ColumnSpec};
use crate::catalog::{CatalogRow, CatalogRowKind, ColumnDefinition, ColumnFlags, TableFlags};
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::schema::TableSchema;
use crate::session::SessionCallGuard;
use crate::table::{TableError, number_rows};

/// Longest key where nothing else is said.
pub(super) const KEY_MOST: usize = 255;

/// Adds a column; its number as the engine's interface gives it. `permitted`: the table was opened so that a fixed
/// structure may be changed.
///
/// # Errors
/// `Structure`, `Definition`, `SchemaConflict`; `Live`.
pub(crate) fn add_column(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &Arc<TableSchema>,
    spec: &ColumnSpec,
    permitted: bool,
) -> Result<u32, InstanceError> {
    check_not_fixed(table, permitted)?;
    check_version(table, database, spec)?;
    let is_template = table.definition.flags.contains(TableFlags::TEMPLATE);
    if is_template && spec.placement != ColumnPlacement::Tagged {
        return Err(refuse(table, JetError::FIXED_DDL, "templates get tagged columns only"));
    }
    let mut placer = ColumnPlacer::after(&table.definition, false);
    let placed = placer.place(&table.definition.name, spec)?;
    let exclusive = table.shared.is_exclusive_of(call.session.id);
    if !exclusive && spec.flags.intersects(ColumnFlags::ESCROW_UPDATE | ColumnFlags::AUTO_INCREMENT) {
        let what = "escrow and auto-increment columns are added to a table that nobody else has open";
        return Err(refuse(table, JetError::EXCLUSIVE_TABLE_LOCK_REQUIRED, what));
    }
    if placed.record_offset.is_some()
        && usize::from(placer.fixed_end()) > longest_row(table, database.page_size())
    {
        return Err(refuse(table, JetError::RECORD_TOO_BIG, "its fixed columns are too long"));
    }
    let object = table.object_id();
    let mut row = CatalogRow { table: object, ..column_row(&placed, object)? };
    let mut api_id = u32::from(placed.id.0);
    if is_template {
        row.flags |= ColumnFlags::TEMPLATE.bits();
        api_id |= 0x8000_0000;
    }
    call.atomically(|call| {
        if spec.flags.contains(ColumnFlags::ESCROW_UPDATE) && !is_empty(call, table)? {
            return Err(refuse(table, JetError::TABLE_NOT_EMPTY, "escrow columns are added to empty tables"));
        }
        call.begin_structure_change(database.slot(), &table.shared)?;
        insert_row(call, database, row).map_err(|error| {
            if is_duplicate(&error) {
                let (table, name) = (table.definition.name.clone(), spec.name.clone());
                BuilderError::PartDuplicate { table, name, index: false }.into()
            } else {
                error
            }
        })?;
        if spec.flags.contains(ColumnFlags::AUTO_INCREMENT) {
            add_auto_increment(call, database, &table.tree)?;
            number_rows(call, database, table).map_err(|error| match error {
                TableError::Instance(error) => *error,
                TableError::Live(error) => error.into(),
                error => refuse(table, error.jet_error(), "its rows cannot be numbered"),
            })?;
        }
        Ok(())
    })?;
    Ok(api_id)
}

/// Refuses a column that the database's format does not have.
///
/// # Errors
/// `Structure`.
fn check_version(
    table: &TableSchema,
    database: &AttachedDatabase,
    spec: &ColumnSpec,
) -> Result<(), InstanceError> {
    if is_too_new(database, spec) {
        let error = JetError::ENGINE_FORMAT_VERSION_PARAM_TOO_LOW_FOR_REQUESTED_FEATURE;
        return Err(refuse(table, error, "64-bit escrow columns need a newer format"));
    }
    Ok(())
}

/// Whether the database's format is too old for a column.
pub(super) fn is_too_new(database: &AttachedDatabase, spec: &ColumnSpec) -> bool {
    spec.kind == ColumnKind::LONG_LONG
        && spec.flags.contains(ColumnFlags::ESCROW_UPDATE)
        && !database.version().has_feature(EngineFormatVersion::ESCROW_64)
}

/// The longest row of a table.
#[doc(alias = "CbRecordMost")]
pub(super) fn longest_row(table: &TableSchema, page_size: PageSize) -> usize {
    let key_most = table.primary().map_or(KEY_MOST, |index| usize::from(index.definition.key_most));
    largest_record(page_size, key_most)
}

/// Whether the session sees no rows.
pub(super) fn is_empty(call: &SessionCallGuard<'_>, table: &TableSchema) -> Result<bool, InstanceError> {
    let mut spot = Spot::default();
    Ok(!call.trees().seek(call.state()?, &table.tree, &[], &[], SeekHow::First, &mut spot)?)
}

/// Deletes a column. Its row stays, so that its number is not used again, and so does the place of a fixed one. `own`: a
/// template's column of that name is none.
///
/// # Errors
/// `Structure`, `ColumnNotFound`, `SchemaConflict`; `Live`.
pub(crate) fn delete_column(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &Arc<TableSchema>,
    name: &str,
    own: bool,
) -> Result<(), InstanceError> {
    check_not_fixed(table, false)?;
    let missing = || missing_column(table, name);
    let (place, column) = column_of_table(table, name)?;
    if column.from_template && own {
        return Err(missing());
    }
    if column.from_template {
        return Err(refuse(table, JetError::FIXED_INHERITED_DDL, "the column is the template's"));
    }
    let id = column.id;
    call.atomically(|call| {
        let row =
            find_row(call, database, table, CatalogRowKind::COLUMN, u32::from(id.0))?.ok_or_else(missing)?;
        if is_indexed(table, place) {
            return Err(refuse(table, JetError::COLUMN_IN_USE, "an index needs the column"));
        }
        call.begin_structure_change(database.slot(), &table.shared)?;
        let mut stub = CatalogRow { type_or_root: 0, name: stub_name(table, id).into_bytes(), ..row.clone() };
        if stub.flags & ColumnFlags::USER_DEFINED_DEFAULT.bits() != 0 {
            stub.flags &= !(ColumnFlags::USER_DEFINED_DEFAULT | ColumnFlags::DEFAULT).bits();
        }
        replace_row(call, database, &row, &stub)
    })
}

fn missing_column(table: &TableSchema, name: &str) -> InstanceError {
    InstanceError::ColumnNotFound { table: table.definition.name.clone(), column: name.to_owned() }
}

/// A live column by name.
///
/// # Errors
/// `ColumnNotFound`.
pub(super) fn column_of_table<'a>(
    table: &'a TableSchema,
    name: &str,
) -> Result<(usize, &'a ColumnDefinition), InstanceError> {
    table.column(name.trim_end_matches(' ')).ok_or_else(|| missing_column(table, name))
}

/// Whether an index needs the column at a place of the definition's list.
#[doc(alias = "FFILEIsIndexColumn")]
pub(super) fn is_indexed(table: &TableSchema, place: usize) -> bool {
    table.definition.indexes.iter().any(|index| {
        let mut columns = index.segments.iter().chain(&index.conditions);
        columns.any(|s| table.definition.column_of(s).is_some_and(|(found, _)| found == place))
    })
}

/// Refuses a change of a structure that is fixed.
///
/// # Errors
/// `Structure`.
pub(crate) fn check_not_fixed(table: &TableSchema, permitted: bool) -> Result<(), InstanceError> {
    if table.has_fixed_schema() && !permitted {
        return Err(refuse(table, JetError::FIXED_DDL, "its structure is fixed"));
    }
    Ok(())
}

/// The name of a deleted column.
fn stub_name(table: &TableSchema, column: ColumnId) -> String {
    format!("JetStub_{}_{}", table.object_id(), column.0)
}

/// The catalog's row of a part of a table.
pub(super) fn find_row(
    call: &SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &TableSchema,
    kind: CatalogRowKind,
    id: u32,
) -> Result<Option<CatalogRow>, InstanceError> {
    let probe = CatalogRow { table: table.object_id(), kind, id, ..CatalogRow::default() };
    match probe.key() {
        Ok(key) => call.catalog(database)?.row(&key),
        Err(_) => Ok(None),
    }
}

/// The catalog's row of a part of a table, by name.
pub(super) fn find_row_by_name(
    call: &SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &TableSchema,
    kind: CatalogRowKind,
    name: &str,
) -> Result<Option<CatalogRow>, InstanceError> {
    let mut found = None;
    call.catalog(database)?.visit_rows(table.object_id(), |row| {
        if row.kind == kind && same_name(&row.name, name) {
            found = Some(row);
        }
        Ok(found.is_none())
    })?;
    Ok(found)
}
