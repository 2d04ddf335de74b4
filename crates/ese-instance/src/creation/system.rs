//! The system tables of a new database.

use std::sync::Arc;

use ese_btree::live::LiveTrees;
use ese_format::{EngineFormatVersion, PageNumber};

use crate::builder::system::{
    CATALOG_OBJECTS, CATALOG_PAGES, SHADOW_PAGES, catalog_rows, locale_rows, locales_table, objects_table,
};
use crate::catalog::{CATALOG_OBJECT, CATALOG_ROOT, CATALOG_SHADOW_OBJECT};
use crate::database::AttachedDatabase;
use crate::ddl::{self, insert_row, object_map};
use crate::error::InstanceError;
use crate::schema::{CatalogTrees, NAME_TREE, ROOTS_TREE};
use crate::session::SessionCallGuard;

/// The catalog, its shadow, its indexes, and the rows about them.
pub(super) fn create_catalog(
    call: &mut SessionCallGuard<'_>,
    database: &Arc<AttachedDatabase>,
) -> Result<(), InstanceError> {
    let slot = database.slot();
    let trees: Arc<LiveTrees> = Arc::clone(call.trees());
    let root = PageNumber::DATABASE_ROOT;
    for (parent, object, flags, pages, wanted) in [
        (root, CATALOG_OBJECT, 0, CATALOG_PAGES, CatalogTrees::of(slot).rows),
        (root, CATALOG_SHADOW_OBJECT, 0, SHADOW_PAGES, CatalogTrees::of(slot).shadow),
        (CATALOG_ROOT, NAME_TREE.object, NAME_TREE.flags, 3, CatalogTrees::of(slot).names),
        (CATALOG_ROOT, ROOTS_TREE.object, ROOTS_TREE.flags, 3, CatalogTrees::of(slot).roots),
    ] {
        let made = trees.create_tree(call.state_mut()?, slot, parent, object, flags, pages, true)?;
        if made != wanted {
            return Err(InstanceError::Unsupported { what: "a new catalog that is not where it must be" });
        }
    }
    // The number of the database root is 1; those of the catalog follow.
    while trees.facts(slot)?.last_object_id < ROOTS_TREE.object {
        trees.new_object_id(slot)?;
    }
    for row in catalog_rows(ddl::key_limit(database.page_size()))? {
        insert_row(call, database, row)?;
    }
    Ok(())
}

/// MSysObjids, with the objects of the catalog.
pub(super) fn create_object_map(
    call: &mut SessionCallGuard<'_>,
    database: &Arc<AttachedDatabase>,
) -> Result<(), InstanceError> {
    ddl::create_table(call, database, &objects_table())?;
    call.atomically(|call| {
        for (object, table, kind) in CATALOG_OBJECTS {
            object_map::add_object(call, database, object, table, kind)?;
        }
        Ok(())
    })
}

/// MSysLocales, with the rows of a database without indexes of Unicode text.
pub(super) fn create_locales(
    call: &mut SessionCallGuard<'_>,
    database: &Arc<AttachedDatabase>,
) -> Result<(), InstanceError> {
    let wide = database.version().has_feature(EngineFormatVersion::KEY_VALUE_STORE_V2);
    ddl::create_table(call, database, &locales_table(wide))?;
    let missing = || InstanceError::TableNotFound { table: ddl::locales::LOCALES_TABLE.to_owned() };
    let tree = call.schema(database, ddl::locales::LOCALES_TABLE)?.ok_or_else(missing)?.tree;
    let page_size = database.page_size();
    call.atomically(|call| {
        for (name, kind, value) in locale_rows(wide) {
            let (key, record) =
                (ddl::locales::key(name)?, ddl::locales::record(name, kind, value, page_size)?);
            call.nested(|call| {
                let (live, state) = call.parts()?;
                Ok(live.insert(state, &tree, &key, &record)?)
            })?;
        }
        Ok(())
    })
}
