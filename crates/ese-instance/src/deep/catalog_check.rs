//! The catalog, and the tables it names.

use std::collections::{BTreeSet, HashMap};

use ese_btree::Tree;
use ese_format::{DatabaseFlags, ObjectId, PageNumber, RecordView, TaggedValue};

use super::finding::{DeepProblem, FindingSeverity};
use super::multiset::Multiset;
use super::space_check::OwnedRanges;
use super::verifier::{Checker, Place};
use crate::catalog::{
    CATALOG_OBJECT, CATALOG_ROOT, CATALOG_SHADOW_OBJECT, CATALOG_SHADOW_ROOT, ColumnDefinition,
    TableDefinition,
};
use crate::reader::{ColumnContent, ReaderError, RowLayout};

/// A tree's object id, its table's, and what kind of catalog row it has.
type Owner = (u32, u32, u32);

impl Checker<'_> {
    /// Checks every table of the catalog, the catalog itself among them.
    pub(super) fn check_catalog(&mut self, root_space: Option<&OwnedRanges>) -> Result<(), ReaderError> {
        let tables = self.reader.tables()?;
        let mut roots: HashMap<PageNumber, ObjectId> = HashMap::new();
        let mut owners: BTreeSet<Owner> = BTreeSet::new();
        let mut owner_table = None;
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
            let id = table.object_id.0;
            owners.insert((id, id, 1));
            owners.extend(table.indexes.iter().filter(|i| !i.is_primary()).map(|i| (i.object_id.0, id, 3)));
            owners.extend(table.long_values.map(|l| (l.object_id.0, id, 4)));
            if table.is_system() && table.name == "MSysObjids" {
                owner_table = Some(table.clone());
            }
            self.check_table(&table, root_space);
        }
        self.check_shadow();
        if let Some(table) = owner_table {
            self.check_owners(&table, owners);
        }
        Ok(())
    }

    /// MSysObjids has a row for every tree with its table; the engine only prints what is wrong there.
    fn check_owners(&mut self, table: &TableDefinition, mut expected: BTreeSet<Owner>) {
        let page_size = self.reader.header().page_size();
        let layout = RowLayout::new(table);
        let place_of = |name: &str| table.columns.iter().position(|c| c.name == name);
        let (Some(id), Some(owner), Some(kind)) =
            (place_of("objid"), place_of("objidTable"), place_of("type"))
        else {
            return;
        };
        // A tree that cannot be read was reported when it was walked.
        let Ok(tree) = Tree::open_object(self.reader.source(), table.root, table.object_id) else { return };
        let mut cursor = tree.cursor();
        while cursor.move_next().unwrap_or(false) {
            let Ok(Some(node)) = cursor.node() else { continue };
            let Ok(record) = RecordView::parse(node.data, page_size) else { continue };
            let number = |place| match layout.content(&record, place) {
                Ok(Some(ColumnContent::Tagged(tagged))) => match tagged.values().next() {
                    Some(Ok(TaggedValue::Plain(bytes))) => {
                        bytes.iter().rev().fold(0u32, |value, &b| value << 8 | u32::from(b))
                    }
                    _ => 0,
                },
                _ => 0,
            };
            let found = (number(id), number(owner), number(kind));
            if !expected.remove(&found) {
                let (page, line) = cursor.position().unwrap_or_default();
                let place = Place::line(table.object_id, page, line);
                let problem = DeepProblem::Owner {
                    object: ObjectId(found.0),
                    what: "is in MSysObjids but not in the catalog",
                };
                self.find(FindingSeverity::Warning, place, problem);
            }
        }
        for (object, ..) in expected {
            let problem = DeepProblem::Owner { object: ObjectId(object), what: "is not in MSysObjids" };
            self.find(FindingSeverity::Warning, Place::object(table.object_id), problem);
        }
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
    /// taken once for each of the two rows when a root moves, so it may differ.
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
                rows.add([node.prefix, node.suffix], &without_set_time(node.data), 1);
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
