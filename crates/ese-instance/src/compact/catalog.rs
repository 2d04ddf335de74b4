//! The catalog's rows of a table, with everything in them that is not known too.

use ese_format::{ObjectId, PageNumber, SearchKey};

use super::{CompactError, Copier};
use crate::catalog::{CATALOG_OBJECT, CATALOG_ROOT, CatalogRow, CatalogRowKind};
use crate::reader::TableEntry;

/// A row of the source's catalog.
pub(super) struct CopiedRow {
    pub(super) row: CatalogRow,
    record: Vec<u8>,
}

/// Where a fixed column of the catalog stands in its records.
const TABLE: usize = 4;
const ID: usize = 10;
const TYPE_OR_ROOT: usize = 14;
const PAGES: usize = 26;

impl CopiedRow {
    /// The row of another table.
    pub(super) fn set_table(&mut self, table: ObjectId) {
        self.row.table = table;
        self.set(TABLE, table.0);
    }

    /// The row of another tree.
    pub(super) fn set_tree(&mut self, object: ObjectId, root: PageNumber) {
        self.row.id = object.0;
        self.row.type_or_root = root.0;
        self.set(ID, object.0);
        self.set(TYPE_OR_ROOT, root.0);
    }

    /// Another number of pages that the tree begins with.
    pub(super) fn set_pages(&mut self, pages: u32) {
        self.row.pages_or_locale = pages;
        self.set(PAGES, pages);
    }

    fn set(&mut self, offset: usize, value: u32) {
        if let Some(place) = self.record.get_mut(offset..offset + 4) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }
}

impl Copier<'_> {
    /// The rows of a table: itself, columns, indexes, long values, callbacks.
    pub(super) fn catalog_rows(&self, entry: &TableEntry) -> Result<Vec<CopiedRow>, CompactError> {
        let catalog = self.reader.tree(CATALOG_ROOT, CATALOG_OBJECT)?;
        let page_size = self.reader.header().page_size();
        let mut cursor = catalog.cursor();
        let mut prefix = vec![0x7F];
        prefix.extend_from_slice(&(entry.object_id.0 ^ 0x8000_0000).to_be_bytes());
        cursor.seek(SearchKey::key(&prefix))?;
        let mut rows = Vec::new();
        while let Some(node) = cursor.node()? {
            let bad = |source| CompactError::Row { table: entry.name.clone(), source };
            let row = CatalogRow::decode(node.data, page_size).map_err(bad)?;
            if row.table != entry.object_id {
                break;
            }
            rows.push(CopiedRow { row, record: node.data.to_vec() });
            cursor.move_next()?;
        }
        Ok(rows)
    }

    pub(super) fn add_catalog_row(&mut self, copied: &CopiedRow) -> Result<(), CompactError> {
        Ok(self.builder.add_catalog_record(&copied.row, &copied.record)?)
    }

    /// A tree of the destination is known under its number.
    pub(super) fn add_object(
        &mut self,
        object: ObjectId,
        table: ObjectId,
        kind: CatalogRowKind,
    ) -> Result<(), CompactError> {
        Ok(self.builder.add_object(object, table, kind)?)
    }

    /// MSysLocales: which sort orders the copied indexes have.
    pub(super) fn copy_locales(&mut self, entries: &[TableEntry]) -> Result<(), CompactError> {
        let entry = entries.iter().find(|entry| entry.name.eq_ignore_ascii_case("MSysLocales"));
        let (Some(entry), Some(target)) = (entry, self.builder.locales_tree()) else { return Ok(()) };
        let definition = self.reader.table_by_object(entry.object_id)?;
        let tree = self.reader.tree(definition.root, definition.object_id)?;
        let mut cursor = tree.cursor();
        while cursor.move_next()? {
            let Some(node) = cursor.node()? else { break };
            let key = node.key().to_vec();
            if self.builder.writer.contains(&target, &key, &[])? {
                self.builder.writer.replace(&target, &key, node.data)?;
            } else {
                self.builder.writer.insert(&target, &key, node.data)?;
            }
        }
        Ok(())
    }
}
