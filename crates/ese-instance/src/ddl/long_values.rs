//! The tree of a table's long values, made with the first.

use ese_btree::live::Tree;
use ese_format::{ObjectId, PageFlags, PageNumber};

use super::catalog_rows::insert_row;
use super::create_table::MOST_SINGLE_EXTENT_PAGES;
use super::object_map::add_object;
use crate::catalog::{CatalogRow, CatalogRowKind};
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::schema::TableSchema;
use crate::session::SessionCallGuard;
use crate::state::SessionCall;

/// The tree of a table's long values. The first to ask makes it, in a transaction of its own, so that it is there for
/// everybody whatever becomes of the asker's; only in a table that the asker's transaction created it is part of that.
///
/// # Errors
/// `OutOfSessions`; `Live`.
#[doc(alias = "ErrFILEOpenLVRoot")]
pub(crate) fn long_value_tree(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &TableSchema,
) -> Result<Tree, InstanceError> {
    if let Some(tree) = table.long_values() {
        return Ok(tree);
    }
    let _creating = table.shared.long_values_creation.lock();
    if let Some(tree) = table.long_values() {
        return Ok(tree);
    }
    let growth = table.definition.long_value_hints.growth();
    let mut tree = if call.created_table(&table.shared) {
        // Forgotten when a level was rolled back, perhaps not the one that made it.
        let mut known = None;
        call.catalog(database)?.visit_rows(table.object_id(), |row| {
            if row.kind == CatalogRowKind::LONG_VALUE {
                known = Some(crate::schema::long_value_tree(
                    table.slot(),
                    PageNumber(row.type_or_root),
                    ObjectId(row.id),
                ));
            }
            Ok(known.is_none())
        })?;
        if let Some(mut tree) = known {
            tree.root = tree.root.with_growth(growth);
            table.shared.set_long_values(tree);
            return Ok(tree);
        }
        call.nested(|call| create(call, database, table))?
    } else {
        let other = call.session.instance.new_session()?;
        let mut own = other.shared.enter(SessionCall::Ordinary)?;
        own.nested(|own| create(own, database, table))?
    };
    tree.root = tree.root.with_growth(growth);
    table.shared.set_long_values(tree);
    Ok(tree)
}

fn create(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &TableSchema,
) -> Result<Tree, InstanceError> {
    let slot = table.slot();
    let owner = table.object_id();
    let object = call.trees().new_object_id(slot)?;
    let flags = PageFlags::LONG_VALUE.bits();
    let hints = table.definition.long_value_hints;
    let pages = hints.initial_pages(database.page_size());
    let (live, state) = call.parts()?;
    let multiple = pages > MOST_SINGLE_EXTENT_PAGES;
    let tree = live.create_tree(state, slot, table.tree.root.root, object, flags, pages, multiple)?;
    let row = CatalogRow {
        table: owner,
        kind: CatalogRowKind::LONG_VALUE,
        id: object.0,
        type_or_root: tree.root.root.0,
        space_usage: hints.initial_density,
        pages_or_locale: 1,
        space_hints: hints.to_stored(CatalogRowKind::LONG_VALUE),
        name: b"LV".to_vec(),
        ..CatalogRow::default()
    };
    insert_row(call, database, row)?;
    add_object(call, database, object, owner, CatalogRowKind::LONG_VALUE)?;
    Ok(tree)
}
