//! Creating tables.

use std::collections::HashSet;
use std::sync::Arc;

use ese_btree::live::{LiveError, Tree};
use ese_format::{JetError, ObjectId, PageFlags, PageNumber, RootFields, default_chunk_size, largest_record};

use super::catalog_rows::{insert_row, is_duplicate};
use super::columns::{KEY_MOST, is_too_new};
use super::indexes::check_before_columns;
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
use crate::schema::{TableMode, TableSchema, TableShared};
use crate::session::SessionCallGuard;

/// Pages that a tree without space trees of its own can have.
pub(super) const MOST_SINGLE_EXTENT_PAGES: u32 = 32;
/// Name of the row of a table's callback.
#[doc(alias = "szTableCallback")]
const CALLBACK_NAME: &[u8] = b"CB";
/// No name of a callback is as long.
const LONGEST_CALLBACK: usize = 255;
/// Most pages that a table gets at once.
const MOST_INITIAL_PAGES: u32 = 100_000;

/// A new table, found sound before the first page changes.
struct Plan<'a> {
    spec: &'a TableSpec,
    template: Option<Arc<TableSchema>>,
    hints: SpaceHints,
}

/// The columns and indexes of a new table. The engine looks at them once the table is there: a name that is taken comes first.
struct Parts<'a> {
    columns: Vec<PlacedColumn<'a>>,
    /// The template's first.
    indexes: Vec<CatalogRow>,
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
    if spec.impossible {
        return Err(refuse(JetError::INVALID_GRBIT, "system tables, and templates with special rules"));
    }
    if spec.indexes.iter().any(|index| index.unclear_locale) {
        return Err(refuse(JetError::INVALID_PARAMETER, "a locale without the option for it"));
    }
    encode_name(&spec.name)?;
    let page_size = database.page_size();
    let template = match &spec.template {
        None => None,
        Some(name) => {
            encode_name(name)?;
            let missing = || InstanceError::TableNotFound { table: name.clone() };
            let template = call.schema(database, name)?.ok_or_else(missing)?;
            drop(template.shared.open(name, call.session.id, TableMode::READ_ONLY, false)?);
            if !template.definition.flags.contains(TableFlags::TEMPLATE) {
                return Err(refuse(
                    JetError::DDL_NOT_INHERITABLE,
                    "derived from a table that is no template",
                ));
            }
            Some(template)
        }
    };
    let hints = space_hints::of_table(spec, page_size)?;
    if spec.chunk_size.is_some_and(|bytes| bytes > default_chunk_size(page_size)) {
        return Err(refuse(JetError::INVALID_LV_CHUNK_SIZE, "long values are kept in smaller pieces"));
    }
    check_transaction_writes(call)?;
    if call.schema(database, &spec.name)?.is_some() {
        return Err(InstanceError::TableDuplicate { table: spec.name.clone() });
    }
    Ok(Plan { spec, template, hints })
}

/// Refuses changes in a transaction for reading.
///
/// # Errors
/// `Live`.
pub(super) fn check_transaction_writes(call: &SessionCallGuard<'_>) -> Result<(), InstanceError> {
    let state = call.state()?;
    if state.level() > 0 && state.is_read_only() {
        return Err(LiveError::TransactionReadOnly.into());
    }
    Ok(())
}

/// Checks the columns, then the indexes.
fn plan_parts<'a>(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    plan: &Plan<'a>,
) -> Result<Parts<'a>, InstanceError> {
    let Plan { spec, template, hints } = plan;
    let refuse = |error, what| InstanceError::Structure { table: spec.name.clone(), what, error };
    let page_size = database.page_size();
    let mut placer = match template {
        Some(template) => ColumnPlacer::after(&template.definition, true),
        None => ColumnPlacer::new(),
    };
    let own_key = spec.indexes.iter().find(|index| index.flags.contains(IndexFlags::PRIMARY));
    let key_most = own_key.map_or(KEY_MOST, |index| usize::from(index.key_most));
    let longest = largest_record(page_size, key_most);
    let mut columns = Vec::new();
    let mut late = None;
    for column in &spec.columns {
        let placed = placer.place(&spec.name, column)?;
        if is_too_new(database, column) {
            let error = JetError::ENGINE_FORMAT_VERSION_PARAM_TOO_LOW_FOR_REQUESTED_FEATURE;
            return Err(refuse(error, "64-bit escrow columns need a newer format"));
        }
        match column_row(&placed, ObjectId(0)) {
            // Found when the table is opened, once everything is there.
            Err(error) if error.jet_error() == JetError::INVALID_BUFFER_SIZE => {
                late.get_or_insert(error);
            }
            row => drop(row?),
        }
        let size = column.asked_size.unwrap_or(column.max_size) as usize;
        if placed.record_offset.is_some_and(|offset| usize::from(offset) + size > longest) {
            return Err(refuse(JetError::RECORD_TOO_BIG, "the fixed columns are too long"));
        }
        columns.push(placed);
    }
    if columns.is_empty() && !spec.indexes.is_empty() {
        return Err(refuse(JetError::INVALID_CREATE_INDEX, "indexes of a table without columns of its own"));
    }
    let is_template = spec.flags.contains(TableFlags::TEMPLATE);
    let find = |name: &str| {
        let own = find_placed(&columns, name, is_template);
        own.or_else(|| template.as_ref()?.column(name).map(|(_, column)| IndexedColumn::of(column)))
    };
    let mut indexes = match template {
        Some(template) => inherited_indexes(call, database, template)?,
        None => Vec::new(),
    };
    let mut names: HashSet<Vec<u8>> = indexes.iter().map(|row| row.name.to_ascii_lowercase()).collect();
    let mut has_primary = indexes.iter().any(is_primary);
    for index in &spec.indexes {
        check_before_columns(index, &spec.name, page_size)?;
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
    match late {
        Some(error) => Err(error.into()),
        None => Ok(Parts { columns, indexes }),
    }
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
    let parts = plan_parts(call, database, plan)?;
    let inherited = parts.indexes.iter().filter(|row| row.flags & IndexFlags::DERIVED.bits() != 0);
    for row in inherited {
        add_index(call, database, &tree, row)?;
    }
    let is_template = spec.flags.contains(TableFlags::TEMPLATE);
    for column in &parts.columns {
        let mut row = CatalogRow { table: object, ..column_row(column, object)? };
        if is_template {
            row.flags |= ColumnFlags::TEMPLATE.bits();
        }
        insert_row(call, database, row)?;
    }
    for row in parts.indexes.iter().filter(|row| row.flags & IndexFlags::DERIVED.bits() == 0) {
        add_index(call, database, &tree, row)?;
    }
    if let Some((events, name)) = &spec.callback {
        insert_row(call, database, callback_row(object, *events, name)?)?;
    }
    let counts = |flags: ColumnFlags| flags.contains(ColumnFlags::AUTO_INCREMENT);
    let inherits_count =
        plan.template.as_ref().is_some_and(|t| t.definition.columns.iter().any(|c| counts(c.flags)));
    if inherits_count || parts.columns.iter().any(|column| counts(column.spec.flags)) {
        add_auto_increment(call, database, &tree)?;
    }
    Ok(shared)
}

/// The row of a table's callback.
///
/// # Errors
/// `Definition`: no events, or a name that cannot be kept.
#[doc(alias = "ErrCATAddTableCallback")]
fn callback_row(table: ObjectId, events: u32, name: &str) -> Result<CatalogRow, InstanceError> {
    let stored = encode_windows_1252(name).filter(|stored| stored.len() < LONGEST_CALLBACK && events != 0);
    let refused = || InstanceError::Structure {
        table: table.to_string(),
        what: "a callback for nothing, or of too long a name",
        error: JetError::INVALID_PARAMETER,
    };
    Ok(CatalogRow {
        table,
        kind: CatalogRowKind::CALLBACK,
        id: u32::from(CatalogRowKind::CALLBACK.0),
        name: CALLBACK_NAME.to_vec(),
        flags: events,
        template: Some(stored.ok_or_else(refused)?),
        ..CatalogRow::default()
    })
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
