//! Rows of the catalog: put in, replaced, taken out, in all its trees.

use ese_btree::live::{LiveError, SeekHow, Spot};
use ese_format::{DatabaseFlags, EngineFormatVersion, JetError, ObjectId};

use crate::catalog::{CatalogRow, CatalogRowKind};
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::schema::{CatalogTrees, rows_prefix};
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
    if has_shadow(database) {
        call.nested(|call| {
            let (live, state) = call.parts()?;
            Ok(live.insert(state, &trees.shadow, &stored.key, &stored.record)?)
        })?;
    }
    Ok(row)
}

/// Whether there is a second copy of the catalog: not in a database that was created without.
#[doc(alias = "FShadowingOff")]
fn has_shadow(database: &AttachedDatabase) -> bool {
    !database.header().flags().contains(DatabaseFlags::SHADOWING_DISABLED)
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
    if !has_shadow(database) {
        return Ok(());
    }
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
    if !has_shadow(database) {
        return Ok(());
    }
    call.nested(|call| {
        let (live, state) = call.parts()?;
        match live.delete(state, &trees.shadow, &stored.key, &[]) {
            Err(LiveError::KeyMissing { .. }) => Ok(()),
            outcome => Ok(outcome?),
        }
    })
}

/// Takes out what the shadow still has of a table whose rows are gone. Rows of deleted columns are such: an engine that opens
/// a table takes those that it does not need out of the catalog, and leaves them in the shadow.
///
/// # Errors
/// `Live`.
pub(super) fn delete_shadow_rows(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: ObjectId,
) -> Result<(), InstanceError> {
    if !has_shadow(database) {
        return Ok(());
    }
    let prefix = rows_prefix(table);
    let shadow = CatalogTrees::of(database.slot()).shadow;
    call.nested(|call| {
        let (live, state) = call.parts()?;
        let mut spot = Spot::default();
        let mut found = live.seek(state, &shadow, &prefix, &[], SeekHow::AtLeast, &mut spot)?;
        while found && spot.key.starts_with(&prefix) {
            live.delete(state, &shadow, &spot.key, &[])?;
            found = live.next(state, &shadow, &mut spot)?;
        }
        Ok(())
    })
}

/// Whether an error says that a key is there already.
pub(crate) fn is_duplicate(error: &InstanceError) -> bool {
    matches!(error, InstanceError::Live(live) if live.jet_error() == JetError::KEY_DUPLICATE)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use ese_format::ColumnKind;
    use ese_io::MemoryStorage;

    use super::*;
    use crate::state::SessionCall;
    use crate::{
        ColumnSpec, CreateOptions, DatabaseReader, DirtyPolicy, Engine, Environment, FindingSeverity,
        InitOptions, ParameterId, TableSpec, TermMode, deep_verify,
    };

    /// The number of problems in a database of whose table a column's row is only in the shadow: of the deleted column 256,
    /// as the original leaves it, or of the column 257.
    fn problems(delete_table: bool, column: u32) -> usize {
        let storage = MemoryStorage::new();
        let environment = Environment::system().with_storage(Arc::new(storage.clone()));
        let instance = Engine::new(environment).create_instance("shadow").unwrap();
        for path in [ParameterId::SYSTEM_PATH, ParameterId::LOG_FILE_PATH] {
            instance.set_parameter(path, "/db").unwrap();
        }
        instance.set_parameter(ParameterId::CREATE_PATH_IF_NOT_EXIST, true).unwrap();
        instance.initialize(InitOptions::default()).unwrap();
        let session = instance.begin_session().unwrap();
        let path = Path::new("/db/shadow.edb");
        let database = session.create_database(path, &CreateOptions::default()).unwrap();
        let spec = TableSpec::new("T")
            .column(ColumnSpec::tagged("Gone", ColumnKind::LONG))
            .column(ColumnSpec::tagged("Stays", ColumnKind::LONG));
        database.create_table(&spec).unwrap();
        database.delete_column("T", "Gone").unwrap();
        let table = database.object_info("T").unwrap().object_id;
        let mut call = session.shared.enter(SessionCall::Ordinary).unwrap();
        call.atomically(|call| {
            let mut rows = Vec::new();
            call.catalog(&database.attached)?.visit_rows(table, |row| {
                rows.push(row);
                Ok(true)
            })?;
            let row =
                rows.into_iter().find(|row| row.kind == CatalogRowKind::COLUMN && row.id == column).unwrap();
            let stored = StoredRow::of(&row, &database.attached)?;
            let trees = CatalogTrees::of(database.attached.slot());
            let (live, state) = call.parts()?;
            live.delete(state, &trees.names, &stored.name_key, &[])?;
            Ok(live.delete(state, &trees.rows, &stored.key, &[])?)
        })
        .unwrap();
        drop(call);
        if delete_table {
            database.delete_table("T").unwrap();
        }
        drop(database);
        session.end().unwrap();
        instance.terminate(TermMode::Complete).unwrap();
        let reader = DatabaseReader::open(&storage, path, DirtyPolicy::Refuse).unwrap();
        let mut found = 0;
        deep_verify(&reader, &|| false, &mut |finding| {
            found += usize::from(finding.severity > FindingSeverity::Information);
        })
        .unwrap();
        found
    }

    #[test]
    fn rows_of_deleted_columns_may_be_in_the_shadow_alone_and_go_with_their_table() {
        assert_eq!(problems(false, 256), 0);
        assert_eq!(problems(true, 256), 0);
    }

    #[test]
    fn canary_a_row_in_the_shadow_alone() {
        assert_ne!(problems(false, 257), 0);
    }
}
