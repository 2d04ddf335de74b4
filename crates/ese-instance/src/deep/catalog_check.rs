//! The catalog, and the tables it names.

use std::collections::HashMap;

use ese_btree::Tree;
use ese_format::{DatabaseFlags, ObjectId, PageNumber};

use super::finding::{DeepProblem, FindingSeverity};
use super::multiset::Multiset;
use super::space_check::OwnedRanges;
use super::verifier::{Checker, Place};
use crate::catalog::{
    CATALOG_OBJECT, CATALOG_ROOT, CATALOG_SHADOW_OBJECT, CATALOG_SHADOW_ROOT, ColumnDefinition,
    TableDefinition,
};
use crate::reader::ReaderError;

impl Checker<'_> {
    /// Checks every table of the catalog, the catalog itself among them.
    pub(super) fn check_catalog(&mut self, root_space: Option<&OwnedRanges>) -> Result<(), ReaderError> {
        let tables = self.reader.tables()?;
        let mut roots: HashMap<PageNumber, ObjectId> = HashMap::new();
        for entry in &tables {
            if self.is_interrupted() {
                return Ok(());
            }
            let table = match self.reader.table_by_object(entry.object_id) {
                Ok(table) => table,
                Err(error) => {
                    self.reader_error(entry.object_id, error);
                    continue;
                }
            };
            self.summary.tables += 1;
            self.check_definition(&table, &mut roots);
            self.check_table(&table, root_space);
        }
        self.check_shadow();
        Ok(())
    }

    pub(super) fn reader_error(&mut self, object: ObjectId, error: ReaderError) {
        let place = Place { object: Some(object), page: error.page(), line: None };
        match error {
            ReaderError::Tree(error) => self.error(place, error),
            ReaderError::Record { source, line, .. } => {
                self.error(Place { line: Some(line), ..place }, source);
            }
            ReaderError::Catalog(error) => self.error(place, error),
            // A table that the list names is there; nothing else can go wrong behind an open file.
            _ => self.error(place, DeepProblem::CatalogKey),
        }
    }

    fn check_definition(&mut self, table: &TableDefinition, roots: &mut HashMap<PageNumber, ObjectId>) {
        let trees = std::iter::once((table.root, table.object_id))
            .chain(table.indexes.iter().filter(|i| !i.is_primary()).map(|i| (i.root, i.object_id)))
            .chain(table.long_values.map(|l| (l.root, l.object_id)));
        for (root, object) in trees {
            if roots.insert(root, object).is_some() {
                self.error(Place::object(object), DeepProblem::SharedRoot { root });
            }
        }
        for index in &table.indexes {
            let there =
                |s| table.column_of(s).is_some_and(|(_, c): (usize, &ColumnDefinition)| !c.is_deleted());
            if index.segments.is_empty() || !index.segments.iter().chain(&index.conditions).all(there) {
                let problem = DeepProblem::IndexColumn { index: index.name.clone() };
                self.error(Place::object(index.object_id), problem);
            }
        }
        if matches!(table.object_id, CATALOG_OBJECT | CATALOG_SHADOW_OBJECT) {
            return;
        }
        // Fixed columns lie behind each other without gaps, the template's first.
        let mut fixed: Vec<&ColumnDefinition> = table.columns.iter().filter(|c| c.id.is_fixed()).collect();
        fixed.sort_by_key(|c| c.id);
        let mut end: Option<(u16, usize)> = None;
        for column in fixed {
            let found = usize::from(column.record_offset.unwrap_or_default());
            if let Some((before, expected)) = end {
                // Without the column in between nothing can be said.
                if before + 1 == column.id.0 && expected != found {
                    let problem = DeepProblem::RecordOffset { column: column.id.0, expected, found };
                    self.error(Place::object(table.object_id), problem);
                }
            }
            end = Some((column.id.0, found + column.slot_size()));
        }
    }

    /// The shadow holds the same rows, unless the header says that there is none. The moment when a root page was set is
    /// taken once for each of the two rows when a root moves, so it may differ. Rows of deleted columns may be in the shadow
    /// alone: the engine takes those that it does not need out of the catalog when it opens a table.
    fn check_shadow(&mut self) {
        if self.reader.header().flags().contains(DatabaseFlags::SHADOWING_DISABLED) {
            return;
        }
        let rows = |root, object| -> Option<Multiset> {
            let tree = Tree::open_object(self.reader.source(), root, object).ok()?;
            let mut cursor = tree.cursor();
            let mut rows = Multiset::default();
            while cursor.move_next().ok()? {
                let node = cursor.node().ok()??;
                if !is_deleted_column(node.data) {
                    rows.add([node.prefix, node.suffix], &without_set_time(node.data), 1);
                }
            }
            Some(rows)
        };
        // A tree that cannot be read was reported when it was walked.
        let catalog = rows(CATALOG_ROOT, CATALOG_OBJECT);
        let shadow = rows(CATALOG_SHADOW_ROOT, CATALOG_SHADOW_OBJECT);
        if let (Some(catalog), Some(shadow)) = (catalog, shadow)
            && !catalog.same(&shadow)
        {
            let problem = DeepProblem::Shadow { catalog: catalog.count, shadow: shadow.count };
            self.find(FindingSeverity::Error, Place::object(CATALOG_SHADOW_OBJECT), problem);
        }
    }
}

/// Whether a catalog record is of a deleted column: kind 2 at offset 8, no type at offset 14.
fn is_deleted_column(record: &[u8]) -> bool {
    record.get(8..10) == Some(&[2, 0]) && record.get(14..18) == Some(&[0; 4])
}

/// A catalog record without the value of its column 13, the time when the root page was set: 8 bytes at offset 43.
fn without_set_time(record: &[u8]) -> Vec<u8> {
    let mut record = record.to_vec();
    if record.first().is_some_and(|&last_fixed| last_fixed >= 13)
        && let Some(time) = record.get_mut(43..51)
    {
        time.fill(0);
    }
    record
}
