//! Creating and deleting indexes.

use std::sync::Arc;

use ese_format::{JetError, PageNumber};

use super::build_index::build;
use super::catalog_rows::delete_row;
use super::columns::{check_not_fixed, find_row_by_name, is_empty};
use super::create_table::{add_index, is_primary};
use super::object_map::remove_object;
use super::space_hints;
use super::{key_limit, refuse};
use crate::builder::BuilderError;
use crate::builder::definition::{IndexedColumn, index_row};
use crate::builder::schema::IndexSpec;
use crate::catalog::{CatalogRowKind, IndexFlags, TableFlags};
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
    check_not_fixed(table, permitted)?;
    if spec.density != 0 && !(20..=100).contains(&spec.density) {
        return Err(refuse(table, JetError::DENSITY_INVALID, "the density is 20 to 100 percent"));
    }
    let find = |name: &str| table.column(name).map(|(_, column)| IndexedColumn::of(column));
    let mut row = index_row(spec, &find, table.object_id(), key_limit(database.page_size()))?;
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
    call.atomically(|call| {
        if is_primary(&row) {
            call.begin_structure_change(database.slot(), &table.shared)?;
            call.check_rows_are_seen(&table.shared)?;
            if !is_empty(call, table)? {
                return Err(refuse(table, JetError::TABLE_NOT_EMPTY, "a primary index of a table with rows"));
            }
            return add_index(call, database, &table.tree, &row).map(|_| ());
        }
        call.begin_index_creation(database.slot(), &table.shared)?;
        let row = add_index(call, database, &table.tree, &row)?;
        call.schemas_changed();
        let gone = || InstanceError::TableNotFound { table: table.definition.name.clone() };
        let table = call.schema_by_object(database, table.object_id())?.ok_or_else(gone)?;
        match table.indexes.iter().find(|index| index.definition.object_id.0 == row.id) {
            Some(index) => fill(call, database, &table, index),
            None => Ok(()),
        }
    })
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
