//! Creating tables.

use std::collections::HashSet;
use std::sync::Arc;

use ese_btree::live::Tree;
use ese_format::{JetError, ObjectId, PageFlags, PageNumber, RootFields, default_chunk_size};

use super::catalog_rows::{insert_row, is_duplicate};
use super::key_limit;
use super::locales::count_index;
use super::object_map::add_object;
use super::space_hints;
use crate::builder::BuilderError;
use crate::builder::definition::{
    ColumnPlacer, IndexedColumn, PlacedColumn, column_row, encode_name, find_placed, index_row, table_row,
};
use crate::builder::schema::TableSpec;
use crate::catalog::{
    CatalogRow, CatalogRowKind, ColumnFlags, IndexFlags, SpaceHints, TableFlags, decode_windows_1252,
    encode_windows_1252,
};
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::schema::{TableSchema, TableShared};
use crate::session::SessionCallGuard;

/// Pages that a tree without space trees of its own can have.
pub(super) const MOST_SINGLE_EXTENT_PAGES: u32 = 32;
/// Most pages that a table gets at once.
const MOST_INITIAL_PAGES: u32 = 100_000;

/// Everything of a new table, found sound before the first page changes.
struct Plan<'a> {
    spec: &'a TableSpec,
    template: Option<Arc<TableSchema>>,
    columns: Vec<PlacedColumn<'a>>,
    /// The template's first.
    indexes: Vec<CatalogRow>,
    hints: SpaceHints,
}

/// Creates a table with its columns and indexes.
///
/// # Errors
/// `TableDuplicate`, `TableNotFound` (the template), `Definition`, `Structure`; `Live`.
pub(crate) fn create_table(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    spec: &TableSpec,
) -> Result<Arc<TableShared>, InstanceError> {
    let plan = plan(call, database, spec)?;
    call.atomically(|call| carry_out(call, database, &plan))
}

fn plan<'a>(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    spec: &'a TableSpec,
) -> Result<Plan<'a>, InstanceError> {
    let refuse = |error, what| InstanceError::Structure { table: spec.name.clone(), what, error };
    if spec.flags.contains(TableFlags::TEMPLATE) && spec.template.is_some() {
        return Err(refuse(JetError::CANNOT_NEST_DDL, "a template cannot be derived from another"));
    }
    encode_name(&spec.name)?;
    if spec.density != 0 && !(20..=100).contains(&spec.density) {
        return Err(refuse(JetError::DENSITY_INVALID, "the density is 20 to 100 percent"));
    }
    let page_size = database.page_size();
    let hints = space_hints::of_table(spec, page_size)?;
    if spec.chunk_size.is_some_and(|bytes| bytes > default_chunk_size(page_size)) {
        return Err(refuse(JetError::INVALID_LV_CHUNK_SIZE, "long values are kept in smaller pieces"));
    }
    let template = match &spec.template {
        None => None,
        Some(name) => {
            let missing = || InstanceError::TableNotFound { table: name.clone() };
            let template = call.schema(database, name)?.ok_or_else(missing)?;
            if !template.definition.flags.contains(TableFlags::TEMPLATE) {
                return Err(refuse(
                    JetError::DDL_NOT_INHERITABLE,
                    "derived from a table that is no template",
                ));
            }
            Some(template)
        }
    };
    if call.schema(database, &spec.name)?.is_some() {
        return Err(InstanceError::TableDuplicate { table: spec.name.clone() });
    }
    let mut placer = match &template {
        Some(template) => ColumnPlacer::after(&template.definition, true),
        None => ColumnPlacer::new(),
    };
    let columns = spec.columns.iter().map(|column| placer.place(&spec.name, column));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    for column in &columns {
        column_row(column, ObjectId(0))?;
    }
    let is_template = spec.flags.contains(TableFlags::TEMPLATE);
    let find = |name: &str| {
        let own = find_placed(&columns, name, is_template);
        own.or_else(|| template.as_ref()?.column(name).map(|(_, column)| IndexedColumn::of(column)))
    };
    let mut indexes = match &template {
        Some(template) => inherited_indexes(call, database, template)?,
        None => Vec::new(),
    };
    let mut names: HashSet<Vec<u8>> = indexes.iter().map(|row| row.name.to_ascii_lowercase()).collect();
    let mut has_primary = indexes.iter().any(is_primary);
    for index in &spec.indexes {
        if index.density != 0 && !(20..=100).contains(&index.density) {
            return Err(refuse(JetError::DENSITY_INVALID, "the density is 20 to 100 percent"));
        }
        let mut row = index_row(index, &find, ObjectId(0), key_limit(page_size))?;
        space_hints::put_into_index(&mut row, index, &spec.name, hints.initial_density, page_size)?;
        if !names.insert(row.name.to_ascii_lowercase()) {
            let (table, name) = (spec.name.clone(), index.name.clone());
            return Err(BuilderError::PartDuplicate { table, name, index: true }.into());
        }
        if is_primary(&row) && std::mem::replace(&mut has_primary, true) {
            return Err(refuse(JetError::INDEX_HAS_PRIMARY, "a second primary index"));
        }
        if is_template {
            row.flags |= IndexFlags::TEMPLATE.bits();
        }
        indexes.push(row);
    }
    Ok(Plan { spec, template, columns, indexes, hints })
}

pub(super) fn is_primary(row: &CatalogRow) -> bool {
    row.flags & IndexFlags::PRIMARY.bits() != 0
}

/// The rows of a template's indexes, as a derived table has them.
fn inherited_indexes(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    template: &TableSchema,
) -> Result<Vec<CatalogRow>, InstanceError> {
    let mut rows = Vec::new();
    call.catalog(database)?.visit_rows(template.object_id(), |row| {
        if row.kind == CatalogRowKind::INDEX {
            let flags = row.flags & !IndexFlags::TEMPLATE.bits() | IndexFlags::DERIVED.bits();
            rows.push(CatalogRow { flags, ..row });
        }
        Ok(true)
    })?;
    Ok(rows)
}

fn carry_out(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    plan: &Plan<'_>,
) -> Result<Arc<TableShared>, InstanceError> {
    let spec = plan.spec;
    let slot = database.slot();
    let object = call.trees().new_object_id(slot)?;
    let shared = database.schemas().shared(object);
    call.begin_structure_change(slot, &shared)?;
    call.note_created(&shared);
    if let Some(template) = &plan.template {
        template.shared.make_static();
    }
    let page_size = database.page_size();
    let pages = plan.hints.initial_pages(page_size).min(MOST_INITIAL_PAGES);
    let (live, state) = call.parts()?;
    let multiple = pages > MOST_SINGLE_EXTENT_PAGES;
    let tree = live.create_tree(state, slot, PageNumber::DATABASE_ROOT, object, 0, pages, multiple)?;
    let row = CatalogRow {
        space_usage: plan.hints.initial_density,
        pages_or_locale: plan.hints.initial_bytes / page_size.bytes(),
        space_hints: plan.hints.to_stored(CatalogRowKind::TABLE),
        long_value_hints: match spec.long_value_hints {
            Some(hints) => hints.checked(page_size).ok().and_then(SpaceHints::to_deferred),
            None => None,
        },
        chunk_size: spec.chunk_size.filter(|&bytes| bytes != 0),
        separation_threshold: spec.separation_threshold.filter(|&bytes| bytes != 0),
        ..table_row(spec, object, tree.root.root)?
    };
    insert_row(call, database, row).map_err(|error| {
        if is_duplicate(&error) { InstanceError::TableDuplicate { table: spec.name.clone() } } else { error }
    })?;
    add_object(call, database, object, object, CatalogRowKind::TABLE)?;
    let inherited = plan.indexes.iter().filter(|row| row.flags & IndexFlags::DERIVED.bits() != 0);
    for row in inherited {
        add_index(call, database, &tree, row)?;
    }
    let is_template = spec.flags.contains(TableFlags::TEMPLATE);
    for column in &plan.columns {
        let mut row = CatalogRow { table: object, ..column_row(column, object)? };
        if is_template {
            row.flags |= ColumnFlags::TEMPLATE.bits();
        }
        insert_row(call, database, row)?;
    }
    for row in plan.indexes.iter().filter(|row| row.flags & IndexFlags::DERIVED.bits() == 0) {
        add_index(call, database, &tree, row)?;
    }
    let counts = |flags: ColumnFlags| flags.contains(ColumnFlags::AUTO_INCREMENT);
    let inherits_count =
        plan.template.as_ref().is_some_and(|t| t.definition.columns.iter().any(|c| counts(c.flags)));
    if inherits_count || plan.columns.iter().any(|column| counts(column.spec.flags)) {
        add_auto_increment(call, database, &tree)?;
    }
    Ok(shared)
}

/// Makes the tree of a secondary index of a table, and its rows. `row` has no object id nor root page yet.
pub(super) fn add_index(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &Tree,
    row: &CatalogRow,
) -> Result<CatalogRow, InstanceError> {
    let owner = table.root.object;
    let (object, root) = if is_primary(row) {
        (owner, table.root.root)
    } else {
        let object = call.trees().new_object_id(table.slot)?;
        let pages = space_hints::initial_pages(row, database.page_size()).min(MOST_INITIAL_PAGES);
        let mut flags = PageFlags::INDEX;
        flags.set(PageFlags::NON_UNIQUE_KEYS, row.flags & IndexFlags::UNIQUE.bits() == 0);
        let (live, state) = call.parts()?;
        let (owner, flags) = (table.root.root, flags.bits());
        let multiple = pages > MOST_SINGLE_EXTENT_PAGES;
        let tree = live.create_tree(state, table.slot, owner, object, flags, pages, multiple)?;
        (object, tree.root.root)
    };
    let row = CatalogRow { table: owner, id: object.0, type_or_root: root.0, ..row.clone() };
    let name = decode_windows_1252(&row.name);
    let row = insert_row(call, database, row).map_err(|error| {
        if is_duplicate(&error) {
            BuilderError::PartDuplicate { table: owner.to_string(), name, index: true }.into()
        } else {
            error
        }
    })?;
    if object != owner {
        add_object(call, database, object, owner, CatalogRowKind::INDEX)?;
    }
    count_index(call, database, &row)?;
    Ok(row)
}

/// Gives a root page the field that the numbers of an auto-increment column come from, where the format has it.
pub(super) fn add_auto_increment(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    tree: &Tree,
) -> Result<(), InstanceError> {
    if !database.version().supports_root_fields() {
        return Ok(());
    }
    let fields = call.trees().root_fields(tree)?;
    let (live, state) = call.parts()?;
    let fields = RootFields { auto_increment: Some(fields.auto_increment.unwrap_or(0)), ..fields };
    Ok(live.set_root_fields(state, tree, &fields)?)
}

/// A name as the catalog compares it.
pub(crate) fn same_name(stored: &[u8], name: &str) -> bool {
    encode_windows_1252(name.trim_end_matches(' ')).is_some_and(|name| stored.eq_ignore_ascii_case(&name))
}
