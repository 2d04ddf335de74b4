//! Reading the catalog through the running engine.

use std::sync::Arc;

use ese_btree::TreeRoot;
use ese_btree::live::{LiveTrees, SeekHow, Spot, TransactionState, Tree};
use ese_format::{ObjectId, PageFlags, PageNumber, PageSize};
use ese_log::record::DatabaseSlot;

use super::{SchemaCache, TableSchema};
use crate::catalog::{
    CATALOG_OBJECT, CATALOG_ROOT, CATALOG_SHADOW_OBJECT, CATALOG_SHADOW_ROOT, CatalogRow, CatalogRowKind,
    TableBuilder, TableFlags, decode_windows_1252, encode_windows_1252,
};
use crate::error::InstanceError;
use crate::reader::TableEntry;

/// Index `Name` of MSysObjects.
pub(crate) const NAME_TREE: TreeRoot = TreeRoot::new(PageNumber(7), ObjectId(4), PageFlags::INDEX.bits());
/// Index `RootObjects` of MSysObjects.
pub(crate) const ROOTS_TREE: TreeRoot = TreeRoot::new(PageNumber(10), ObjectId(5), PageFlags::INDEX.bits());

/// The four trees of the catalog of one database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CatalogTrees {
    pub(crate) rows: Tree,
    pub(crate) shadow: Tree,
    pub(crate) names: Tree,
    pub(crate) roots: Tree,
}

impl CatalogTrees {
    pub(crate) const fn of(slot: DatabaseSlot) -> Self {
        Self {
            rows: Tree { slot, root: TreeRoot::new(CATALOG_ROOT, CATALOG_OBJECT, 0) },
            shadow: Tree { slot, root: TreeRoot::new(CATALOG_SHADOW_ROOT, CATALOG_SHADOW_OBJECT, 0) },
            names: Tree { slot, root: NAME_TREE },
            roots: Tree { slot, root: ROOTS_TREE },
        }
    }
}

/// What the keys of all catalog rows of a table begin with.
pub(crate) fn rows_prefix(table: ObjectId) -> Vec<u8> {
    let mut prefix = vec![0x7F];
    prefix.extend_from_slice(&(table.0 ^ 0x8000_0000).to_be_bytes());
    prefix
}

/// The catalog of a database as a session sees it.
pub(crate) struct CatalogView<'a> {
    pub(crate) trees: &'a LiveTrees,
    pub(crate) state: &'a TransactionState,
    pub(crate) slot: DatabaseSlot,
    pub(crate) page_size: PageSize,
}

impl CatalogView<'_> {
    /// The object id of a table.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) fn find(&self, name: &str) -> Result<Option<ObjectId>, InstanceError> {
        let Some(name) = encode_windows_1252(name.trim_end_matches(' ')) else { return Ok(None) };
        let probe = CatalogRow { root_flag: Some(true), name, ..CatalogRow::default() };
        let Ok(Some(key)) = probe.root_key() else { return Ok(None) };
        let mut data = Vec::new();
        if !self.trees.get(self.state, &CatalogTrees::of(self.slot).roots, &key, &mut data)? {
            return Ok(None);
        }
        // The primary key: 7F and the object id with its sign bit flipped, twice; in between the kind.
        let object = data.get(1..5).and_then(|bytes| bytes.first_chunk::<4>());
        Ok(object.map(|bytes| ObjectId(u32::from_be_bytes(*bytes) ^ 0x8000_0000)))
    }

    /// Visits the rows of a table, in the catalog's order, until `visit` returns `false`.
    ///
    /// # Errors
    /// When the catalog cannot be read, and what `visit` returns.
    pub(crate) fn visit_rows(
        &self,
        object: ObjectId,
        mut visit: impl FnMut(CatalogRow) -> Result<bool, InstanceError>,
    ) -> Result<(), InstanceError> {
        let prefix = rows_prefix(object);
        let tree = CatalogTrees::of(self.slot).rows;
        let mut spot = Spot::default();
        let mut found = self.trees.seek(self.state, &tree, &prefix, &[], SeekHow::AtLeast, &mut spot)?;
        while found && spot.key.starts_with(&prefix) {
            if !visit(self.decode(spot.data())?)? {
                break;
            }
            found = self.trees.next(self.state, &tree, &mut spot)?;
        }
        Ok(())
    }

    fn decode(&self, record: &[u8]) -> Result<CatalogRow, InstanceError> {
        CatalogRow::decode(record, self.page_size).map_err(|error| InstanceError::CatalogRecord { error })
    }

    /// A row by its key.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) fn row(&self, key: &[u8]) -> Result<Option<CatalogRow>, InstanceError> {
        let mut data = Vec::new();
        if !self.trees.get(self.state, &CatalogTrees::of(self.slot).rows, key, &mut data)? {
            return Ok(None);
        }
        self.decode(&data).map(Some)
    }

    /// Every table, sorted by name; system tables and templates included.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) fn tables(&self) -> Result<Vec<TableEntry>, InstanceError> {
        let trees = CatalogTrees::of(self.slot);
        let mut spot = Spot::default();
        let mut tables = Vec::new();
        let mut found = self.trees.seek(self.state, &trees.roots, &[], &[], SeekHow::First, &mut spot)?;
        while found {
            if let Some(row) = self.row(spot.data())? {
                tables.push(TableEntry {
                    name: decode_windows_1252(&row.name),
                    object_id: row.table,
                    flags: TableFlags::from_bits_retain(row.flags),
                });
            }
            found = self.trees.next(self.state, &trees.roots, &mut spot)?;
        }
        tables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tables)
    }

    /// A table's definition without its template's columns; `None` when there is no such table.
    fn rows_of(&self, object: ObjectId) -> Result<Option<TableBuilder>, InstanceError> {
        let mut builder: Option<TableBuilder> = None;
        self.visit_rows(object, |row| {
            match &mut builder {
                None if row.kind == CatalogRowKind::TABLE => builder = Some(TableBuilder::new(&row)?),
                None => return Ok(false),
                Some(builder) => builder.push(&row)?,
            }
            Ok(true)
        })?;
        Ok(builder)
    }

    /// The schema of a table, its template's read (or taken from `cache`) first.
    ///
    /// # Errors
    /// When the catalog cannot be read or makes no sense.
    pub(crate) fn schema(
        &self,
        object: ObjectId,
        cache: &SchemaCache,
        epoch: u64,
    ) -> Result<Option<Arc<TableSchema>>, InstanceError> {
        let Some(builder) = self.rows_of(object)? else { return Ok(None) };
        let mut template = None;
        if let Some(name) = builder.template().map(str::to_owned)
            && let Some(found) = self.find(&name)?
            && let Some(rows) = self.rows_of(found)?
        {
            // A template is derived from nothing: no chain, no circle.
            let definition = rows.finish(None)?;
            template = Some(definition);
        }
        let definition = builder.finish(template.as_ref())?;
        let shared = cache.shared(definition.object_id);
        Ok(Some(Arc::new(TableSchema::new(self.slot, definition, shared, epoch))))
    }
}
