//! One table: its trees, node by node.

use ese_btree::TreeRoot;
use ese_format::{
    ColumnState, LongValueKey, LongValueRoot, Node, ObjectId, PageFlags, PageNumber, RecordView, RootFields,
};

use super::{CompactError, CompactedTable, Copier};
use crate::catalog::{CatalogRowKind, ColumnDefinition, ColumnFlags, IndexFlags, TableDefinition};
use crate::reader::TableEntry;

/// Most pages that a tree can begin with and have no space trees.
#[doc(alias = "cpgSmallSpaceAvailMost")]
const MOST_SINGLE: u32 = 33;
/// Most pages that a table begins with.
const MOST_INITIAL: u32 = 100_000;

/// Where a tree is in the source.
type Source = (PageNumber, ObjectId);

/// The trees of a table in the destination, with where they are in the source.
struct Trees {
    table: TreeRoot,
    indexes: Vec<(Source, TreeRoot)>,
    long_values: Option<(Source, TreeRoot)>,
}

impl Copier<'_> {
    /// Copies a table with its rows.
    pub(super) fn copy_table(&mut self, entry: &TableEntry) -> Result<CompactedTable, CompactError> {
        let definition = self.reader.table_by_object(entry.object_id)?;
        let mut copied = CompactedTable { name: entry.name.clone(), ..CompactedTable::default() };
        let source = self.reader.tree(definition.root, definition.object_id)?;
        let reserved = source.root_fields()?.ok().and_then(|fields| fields.auto_increment);
        let trees = self.create_trees(entry, &definition, reserved)?;
        if let Some((source, tree)) = trees.long_values {
            self.copy_long_values(source, &tree, &mut copied)?;
        }
        let last_number = self.copy_rows(&definition, &trees.table, &mut copied)?;
        for (source, tree) in &trees.indexes {
            copied.source_pages += self.copy_nodes(*source, tree, |_| {
                copied.index_entries += 1;
                Ok(true)
            })?;
        }
        self.set_next_number(&trees.table, reserved, last_number)?;
        Ok(copied)
    }

    /// Makes the trees, empty, and the catalog's rows.
    fn create_trees(
        &mut self,
        entry: &TableEntry,
        definition: &TableDefinition,
        reserved: Option<u64>,
    ) -> Result<Trees, CompactError> {
        let mut rows = self.catalog_rows(entry)?;
        let object = self.builder.next_object()?;
        let secondary = definition.indexes.iter().filter(|index| !index.is_primary()).count() as u32;
        let initial = rows.first().map_or(1, |row| row.row.pages_or_locale);
        // Room for every index in the first extent.
        let pages = initial.max(secondary.saturating_add(1)).min(MOST_INITIAL);
        let multiple = pages > MOST_SINGLE;
        let numbered = definition.columns.iter().any(is_numbered);
        let holds_number = numbered && !multiple && self.builder.header.version().supports_root_fields();
        let number = holds_number.then(|| reserved.unwrap_or(1));
        let parent = PageNumber::DATABASE_ROOT;
        let table = self.builder.writer.create_tree(parent, object, 0, pages, multiple, number)?;
        let mut trees = Trees { table, indexes: Vec::new(), long_values: None };
        let mut objects = Vec::new();
        for copied in &mut rows {
            let (kind, from) =
                (copied.row.kind, (PageNumber(copied.row.type_or_root), ObjectId(copied.row.id)));
            copied.set_table(object);
            match kind {
                CatalogRowKind::TABLE => {
                    copied.set_tree(object, table.root);
                    copied.set_pages(pages);
                    objects.push((object, kind));
                }
                CatalogRowKind::INDEX if from.1 == entry.object_id => copied.set_tree(object, table.root),
                CatalogRowKind::INDEX => {
                    let mut flags = PageFlags::INDEX;
                    let unique = IndexFlags::from_bits_retain(copied.row.flags).contains(IndexFlags::UNIQUE);
                    flags.set(PageFlags::NON_UNIQUE_KEYS, !unique);
                    let tree = self.create_child(&table, flags)?;
                    copied.set_tree(tree.object, tree.root);
                    objects.push((tree.object, kind));
                    trees.indexes.push((from, tree));
                }
                CatalogRowKind::LONG_VALUE => {
                    let tree = self.create_child(&table, PageFlags::LONG_VALUE)?;
                    copied.set_tree(tree.object, tree.root);
                    objects.push((tree.object, kind));
                    trees.long_values = Some((from, tree));
                }
                _ => {}
            }
        }
        for copied in &rows {
            self.add_catalog_row(copied)?;
        }
        for (id, kind) in objects {
            self.add_object(id, object, kind)?;
        }
        Ok(trees)
    }

    fn create_child(&mut self, table: &TreeRoot, flags: PageFlags) -> Result<TreeRoot, CompactError> {
        let object = self.builder.next_object()?;
        Ok(self.builder.writer.create_tree(table.root, object, flags.bits(), 1, false, None)?)
    }

    /// Copies the nodes of a tree that `keep` lets pass, in their order. Returns how many pages were read.
    fn copy_nodes(
        &mut self,
        (root, object): Source,
        target: &TreeRoot,
        mut keep: impl FnMut(&Node<'_>) -> Result<bool, CompactError>,
    ) -> Result<u64, CompactError> {
        let tree = self.reader.tree(root, object)?;
        let mut cursor = tree.cursor();
        let (mut pages, mut page) = (0, None);
        let mut key = Vec::new();
        while cursor.move_next()? {
            let here = cursor.position().map(|(page, _)| page);
            if here != page {
                page = here;
                pages += 1;
                self.page_done()?;
            }
            let Some(node) = cursor.node()? else { break };
            if keep(&node)? {
                key.clear();
                key.extend(node.key().bytes());
                self.builder.writer.insert(target, &key, node.data)?;
            }
        }
        Ok(pages)
    }

    /// Copies the rows. Returns the highest number in the column that the engine numbers.
    fn copy_rows(
        &mut self,
        definition: &TableDefinition,
        target: &TreeRoot,
        copied: &mut CompactedTable,
    ) -> Result<u64, CompactError> {
        let page_size = self.reader.header().page_size();
        let numbered = definition.columns.iter().find(|column| is_numbered(column));
        let mut last = 0;
        copied.source_pages += self.copy_nodes((definition.root, definition.object_id), target, |node| {
            if let Some(column) = numbered {
                let bad = |source| CompactError::Row { table: definition.name.clone(), source };
                let view = RecordView::parse(node.data, page_size).map_err(bad)?;
                let offset = usize::from(column.record_offset.unwrap_or_default());
                let value = view.fixed(column.id, offset, column.slot_size()).map_err(bad)?;
                if let ColumnState::Value(bytes) = value {
                    last = last.max(bytes.iter().rev().fold(0, |n: u64, &byte| n << 8 | u64::from(byte)));
                }
            }
            copied.rows += 1;
            copied.row_bytes += node.data.len() as u64;
            Ok(true)
        })?;
        Ok(last)
    }

    /// Copies the long values that rows refer to.
    fn copy_long_values(
        &mut self,
        source: Source,
        target: &TreeRoot,
        copied: &mut CompactedTable,
    ) -> Result<(), CompactError> {
        let table = copied.name.clone();
        let mut wanted = false;
        copied.source_pages += self.copy_nodes(source, target, |node| {
            let bad = |source| CompactError::LongValue { table: table.clone(), source };
            if LongValueKey::decode(node.key()).map_err(bad)?.offset.is_none() {
                let root = LongValueRoot::decode(node.data).map_err(bad)?;
                wanted = !matches!(root.reference_count, 0 | LongValueRoot::PARTIALLY_DELETED);
                copied.long_values += u64::from(wanted);
            } else if wanted {
                copied.long_value_bytes += node.data.len() as u64;
            }
            Ok(wanted)
        })?;
        Ok(())
    }

    /// No number is given out again: neither one of a row, nor one that the source had reserved.
    fn set_next_number(
        &mut self,
        table: &TreeRoot,
        reserved: Option<u64>,
        last: u64,
    ) -> Result<(), CompactError> {
        let fields = self.builder.writer.root_fields(table.root)?;
        if fields.auto_increment.is_some() {
            let next = last.saturating_add(1).max(reserved.unwrap_or(1));
            let fields = RootFields { auto_increment: Some(next), ..fields };
            self.builder.writer.set_root_fields(table.root, &fields)?;
        }
        Ok(())
    }
}

fn is_numbered(column: &ColumnDefinition) -> bool {
    !column.is_deleted() && column.flags.contains(ColumnFlags::AUTO_INCREMENT)
}
