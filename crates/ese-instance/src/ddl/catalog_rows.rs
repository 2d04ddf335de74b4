//! Rows of the catalog: put in, replaced, taken out, in all its trees.

use ese_btree::live::LiveError;
use ese_format::{EngineFormatVersion, JetError};

use crate::catalog::{CatalogRow, CatalogRowKind};
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::schema::CatalogTrees;
use crate::session::SessionCallGuard;

/// Object ids below are hard-wired.
pub(super) const FIRST_DYNAMIC_OBJECT: u32 = 6;
/// Windows' file times count from 1601.
const FILE_TIME_EPOCH_MS: i64 = 11_644_473_600_000;

/// A row with its stored forms.
struct StoredRow {
    key: Vec<u8>,
    record: Vec<u8>,
    name_key: Vec<u8>,
    root_key: Option<Vec<u8>>,
}

impl StoredRow {
    fn of(row: &CatalogRow, database: &AttachedDatabase) -> Result<Self, InstanceError> {
        let no_key = |_| InstanceError::Unsupported { what: "a catalog row without a key" };
        let record =
            row.encode(database.page_size()).map_err(|error| InstanceError::Definition(error.into()))?;
        Ok(Self {
            key: row.key().map_err(no_key)?,
            record,
            name_key: row.name_key().map_err(no_key)?,
            root_key: row.root_key().map_err(no_key)?,
        })
    }
}

/// Adds a row: to the catalog with its indexes, then to the shadow, each a transaction level of its own.
///
/// # Errors
/// `Live` with the number for a duplicate when there is one with this name.
pub(crate) fn insert_row(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    mut row: CatalogRow,
) -> Result<CatalogRow, InstanceError> {
    let tree_row =
        matches!(row.kind, CatalogRowKind::TABLE | CatalogRowKind::INDEX | CatalogRowKind::LONG_VALUE);
    if tree_row
        && row.table.0 >= FIRST_DYNAMIC_OBJECT
        && database.version().has_feature(EngineFormatVersion::NON_REVERTABLE_TABLE_DELETE)
    {
        let since_1601 =
            call.session.instance.environment().clock.unix_ms().saturating_add(FILE_TIME_EPOCH_MS);
        row.root_set_time = Some(u64::try_from(since_1601).unwrap_or(0).saturating_mul(10_000));
    }
    let stored = StoredRow::of(&row, database)?;
    let trees = CatalogTrees::of(database.slot());
    call.nested(|call| {
        let (live, state) = call.parts()?;
        live.insert(state, &trees.rows, &stored.key, &stored.record)?;
        if let Some(root_key) = &stored.root_key {
            live.insert(state, &trees.roots, root_key, &stored.key)?;
        }
        Ok(live.insert(state, &trees.names, &stored.name_key, &stored.key)?)
    })?;
    call.nested(|call| {
        let (live, state) = call.parts()?;
        Ok(live.insert(state, &trees.shadow, &stored.key, &stored.record)?)
    })?;
    Ok(row)
}

/// Replaces a row; its key stays.
///
/// # Errors
/// As [`insert_row`].
pub(crate) fn replace_row(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    old: &CatalogRow,
    new: &CatalogRow,
) -> Result<(), InstanceError> {
    let (before, after) = (StoredRow::of(old, database)?, StoredRow::of(new, database)?);
    let trees = CatalogTrees::of(database.slot());
    call.nested(|call| {
        let (live, state) = call.parts()?;
        live.replace(state, &trees.rows, &after.key, &after.record)?;
        if before.root_key != after.root_key {
            if let Some(key) = &before.root_key {
                live.delete(state, &trees.roots, key, &[])?;
            }
            if let Some(key) = &after.root_key {
                live.insert(state, &trees.roots, key, &after.key)?;
            }
        }
        if before.name_key != after.name_key {
            live.delete(state, &trees.names, &before.name_key, &[])?;
            live.insert(state, &trees.names, &after.name_key, &after.key)?;
        }
        Ok(())
    })?;
    call.nested(|call| {
        let (live, state) = call.parts()?;
        Ok(live.replace(state, &trees.shadow, &after.key, &after.record)?)
    })
}

/// Takes a row out.
///
/// # Errors
/// `Live`.
pub(crate) fn delete_row(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    row: &CatalogRow,
) -> Result<(), InstanceError> {
    let stored = StoredRow::of(row, database)?;
    let trees = CatalogTrees::of(database.slot());
    call.nested(|call| {
        let (live, state) = call.parts()?;
        if let Some(key) = &stored.root_key {
            live.delete(state, &trees.roots, key, &[])?;
        }
        live.delete(state, &trees.names, &stored.name_key, &[])?;
        Ok(live.delete(state, &trees.rows, &stored.key, &[])?)
    })?;
    call.nested(|call| {
        let (live, state) = call.parts()?;
        // A database whose shadow is switched off has none.
        match live.delete(state, &trees.shadow, &stored.key, &[]) {
            Err(LiveError::KeyMissing { .. }) => Ok(()),
            outcome => Ok(outcome?),
        }
    })
}

/// Whether an error says that a key is there already.
pub(crate) fn is_duplicate(error: &InstanceError) -> bool {
    matches!(error, InstanceError::Live(live) if live.jet_error() == JetError::KEY_DUPLICATE)
}
