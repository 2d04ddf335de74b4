//! Creating and deleting indexes.

use std::sync::Arc;

use ese_format::{JetError, PageNumber, PageSize, largest_record};

use super::build_index::build;
use super::catalog_rows::delete_row;
use super::columns::{KEY_MOST, check_not_fixed, find_row_by_name, is_empty};
use super::create_table::{add_index, is_primary};
use super::object_map::remove_object;
use super::space_hints;
use super::{key_limit, refuse};
use crate::builder::BuilderError;
use crate::builder::definition::{IndexedColumn, encode_name, index_row};
use crate::builder::schema::{IndexSpec, Refusal};
use crate::catalog::{
    CatalogRow, CatalogRowKind, ColumnDefinition, ColumnFlags, IndexFlags, TableDefinition, TableFlags,
};
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::schema::{IndexSchema, NewIndex, TableSchema};
use crate::session::SessionCallGuard;

/// Creates an index, and builds it when the table has rows.
///
/// # Errors
/// `Definition`, `Structure`, `SchemaConflict` while others change the structure; `Live`: a duplicate key of a unique index.
pub(crate) fn create_index(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &Arc<TableSchema>,
    spec: &IndexSpec,
    permitted: bool,
) -> Result<(), InstanceError> {
    check_index_wanted(table, permitted)?;
    let row = row_of(database, table, spec)?;
    call.atomically(|call| make(call, database, table, spec, row))
}

/// Creates several indexes, all or none, of a table that the session has for itself.
///
/// # Errors
/// As [`create_index`]; `Structure` when others may open the table.
#[doc(alias = "ErrFILEIBatchCreateIndex")]
pub(crate) fn create_indexes(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &Arc<TableSchema>,
    specs: &[IndexSpec],
    permitted: bool,
) -> Result<(), InstanceError> {
    if !table.shared.is_exclusive_of(call.session.id) {
        let what = "several indexes at once of a table that others may open";
        return Err(refuse(table, JetError::EXCLUSIVE_TABLE_LOCK_REQUIRED, what));
    }
    check_index_wanted(table, permitted)?;
    call.atomically(|call| {
        for spec in specs {
            if spec.flags.contains(IndexFlags::PRIMARY) || spec.unversioned || spec.empty {
                let what = "a primary, empty or unversioned index among several";
                return Err(refuse(table, JetError::INVALID_GRBIT, what));
            }
            let now = call.current_schema(database, table)?;
            let row = row_of(database, &now, spec)?;
            make(call, database, &now, spec, row)?;
        }
        Ok(())
    })
}

/// What is wrong with an index, whatever the columns.
///
/// # Errors
/// `Definition`, `Structure`.
pub(super) fn check_before_columns(
    spec: &IndexSpec,
    table: &str,
    page_size: PageSize,
) -> Result<(), InstanceError> {
    encode_name(&spec.name)?;
    if let Some(Refusal(refused)) = &spec.refused {
        return Err(BuilderError::clone(refused).into());
    }
    let hints = spec.space_hints.map_or(Ok(()), |hints| hints.checked(page_size).map(|_| ()));
    let density = spec.density == 0 || (20..=100).contains(&spec.density);
    let checked = if density { hints } else { Err(JetError::DENSITY_INVALID) };
    let what = "space hints that make no sense";
    checked.map_err(|error| InstanceError::Structure { table: table.to_owned(), what, error })
}

/// Indexes of templates are made with them.
fn check_index_wanted(table: &TableSchema, permitted: bool) -> Result<(), InstanceError> {
    check_not_fixed(table, permitted && !table.definition.flags.contains(TableFlags::TEMPLATE))
}

/// The catalog's row of a new index, without its tree.
fn row_of(
    database: &AttachedDatabase,
    table: &Arc<TableSchema>,
    spec: &IndexSpec,
) -> Result<CatalogRow, InstanceError> {
    check_before_columns(spec, &table.definition.name, database.page_size())?;
    let find = |name: &str| table.column(name).map(|(_, column)| IndexedColumn::of(column));
    let has_default = |(name, _): &(String, bool)| {
        table.column(name).is_some_and(|(_, column)| column.flags.contains(ColumnFlags::DEFAULT))
    };
    let mut row = index_row(spec, &find, table.object_id(), key_limit(database.page_size()))?;
    if spec.empty && spec.segments.iter().any(has_default) {
        let what = "rows without a value have an entry";
        return Err(refuse(table, JetError::INDEX_INVALID_DEF, what));
    }
    let table_density = table.definition.space_hints.initial_density;
    let name = &table.definition.name;
    space_hints::put_into_index(&mut row, spec, name, table_density, database.page_size())?;
    if table.index(spec.name.trim_end_matches(' ')).is_some() {
        let (table, name) = (table.definition.name.clone(), spec.name.clone());
        return Err(BuilderError::PartDuplicate { table, name, index: true }.into());
    }
    if is_primary(&row) && table.primary().is_some() {
        return Err(refuse(table, JetError::INDEX_HAS_PRIMARY, "a second primary index"));
    }
    if table.definition.flags.contains(TableFlags::TEMPLATE) {
        row.flags |= IndexFlags::TEMPLATE.bits();
    }
    Ok(row)
}

fn make(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &Arc<TableSchema>,
    spec: &IndexSpec,
    row: CatalogRow,
) -> Result<(), InstanceError> {
    if is_primary(&row) {
        call.begin_structure_change(database.slot(), &table.shared)?;
        call.check_rows_are_seen(&table.shared)?;
        if !is_empty(call, table)? {
            return Err(refuse(table, JetError::TABLE_NOT_EMPTY, "a primary index of a table with rows"));
        }
        let key_most = row.key_most.map_or(KEY_MOST, usize::from);
        if fixed_end(&table.definition) > largest_record(database.page_size(), key_most) {
            let what = "its fixed columns are too long beside such keys";
            return Err(refuse(table, JetError::RECORD_TOO_BIG, what));
        }
        return add_index(call, database, &table.tree, &row).map(|_| ());
    }
    call.begin_index_creation(database.slot(), &table.shared)?;
    let row = add_index(call, database, &table.tree, &row)?;
    call.schemas_changed();
    let gone = || InstanceError::TableNotFound { table: table.definition.name.clone() };
    let table = call.schema_by_object(database, table.object_id())?.ok_or_else(gone)?;
    match table.indexes.iter().find(|index| index.definition.object_id.0 == row.id) {
        Some(index) if !spec.empty => fill(call, database, &table, index),
        _ => Ok(()),
    }
}

/// End of the fixed columns in a row.
fn fixed_end(table: &TableDefinition) -> usize {
    let end = |column: &ColumnDefinition| Some(usize::from(column.record_offset?) + column.slot_size());
    table.columns.iter().filter_map(end).max().unwrap_or(0)
}

/// Fills a new index from the rows that are committed, and those of the transaction. What others commit from now on they
/// bring themselves.
fn fill(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &TableSchema,
    index: &IndexSchema,
) -> Result<(), InstanceError> {
    let definition = index.definition.clone();
    let (rows, tree) = (table.tree, index.tree);
    let id = call.session.id;
    let new = NewIndex::new(&table.shared, id, table.definition.clone(), definition, rows, tree);
    let new = Arc::new(new);
    let building = new.building.lock();
    let view = call.announce_index(&new)?;
    let built = build(call, database.page_size(), table, index, &view);
    if built.is_err() {
        new.take_back();
    }
    drop(building);
    built
}

/// Deletes an index. Its pages go back to the table when nobody can see it any more.
///
/// # Errors
/// `Structure`, `IndexNotFound`, `SchemaConflict`; `Live`.
pub(crate) fn delete_index(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &Arc<TableSchema>,
    name: &str,
) -> Result<(), InstanceError> {
    check_not_fixed(table, false)?;
    let missing =
        || InstanceError::IndexNotFound { table: table.definition.name.clone(), index: name.to_owned() };
    let index = table.index(name.trim_end_matches(' ')).ok_or_else(missing)?;
    if index.definition.flags.contains(IndexFlags::DERIVED) {
        return Err(refuse(table, JetError::FIXED_INHERITED_DDL, "the index is the template's"));
    }
    if index.definition.is_primary() {
        return Err(refuse(table, JetError::INDEX_MUST_STAY, "the primary index stays"));
    }
    let tree = index.tree;
    if table.shared.is_index_used(tree.root.root) {
        return Err(refuse(table, JetError::INDEX_IN_USE, "the index is the current one of a cursor"));
    }
    let owner: PageNumber = table.tree.root.root;
    call.atomically(|call| {
        let row =
            find_row_by_name(call, database, table, CatalogRowKind::INDEX, name)?.ok_or_else(missing)?;
        call.begin_structure_change(database.slot(), &table.shared)?;
        delete_row(call, database, &row)?;
        remove_object(call, database, tree.root.object)?;
        let (live, state) = call.parts()?;
        Ok(live.delete_tree(state, &tree, owner)?)
    })
}
