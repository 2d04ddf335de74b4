//! One table: its trees, rows and long values.

use std::collections::HashMap;

use ese_btree::{LongValueReader, Tree, TreeError};
use ese_format::{
    KeyParts, LongValueId, LongValueKey, LongValueRoot, PageFlags, RecordError, RecordView, decompress_value,
};

use super::finding::{DeepProblem, FindingSeverity};
use super::index_check::IndexState;
use super::multiset::Multiset;
use super::record_check::FixedEnds;
use super::space_check::OwnedRanges;
use super::tree_check::TreeSpec;
use super::verifier::{Checker, Place};
use crate::catalog::{IndexFlags, TableDefinition};
use crate::reader::{IndexEntryBuilder, RowLayout, ValueReader};

/// Why a row's index entries cannot be computed. What is wrong with the record or long value is reported where it is
/// checked.
pub(super) struct NoEntries;

impl From<RecordError> for NoEntries {
    fn from(_: RecordError) -> Self {
        Self
    }
}

impl From<TreeError> for NoEntries {
    fn from(_: TreeError) -> Self {
        Self
    }
}

/// The long value being walked through.
struct OpenValue {
    id: LongValueId,
    size: u32,
    next: u32,
    encrypted: bool,
}

impl Checker<'_> {
    /// Checks a table with everything that belongs to it.
    pub(super) fn check_table(&mut self, table: &TableDefinition, root_space: Option<&OwnedRanges>) {
        let database_root = ese_format::PageNumber(1);
        let spec =
            TreeSpec { root: table.root, object: table.object_id, kind: PageFlags::empty(), owned: None };
        let space = self.check_space_below(&spec, root_space, database_root);
        let spec = TreeSpec { owned: space.as_ref(), ..spec };
        let counted = self.check_long_values(table, space.as_ref());
        let layout = RowLayout::new(table);
        let mut indexes: Vec<IndexState<'_>> = table
            .indexes
            .iter()
            .filter(|i| !i.is_primary())
            .map(|i| IndexState::new(IndexEntryBuilder::new(&layout, i)))
            .collect();
        let referenced = self.check_rows(&spec, &layout, &mut indexes);
        for state in &mut indexes {
            let index = state.index();
            let unique = index.flags.contains(IndexFlags::UNIQUE);
            let kind =
                PageFlags::INDEX | if unique { PageFlags::empty() } else { PageFlags::NON_UNIQUE_KEYS };
            let spec = TreeSpec { root: index.root, object: index.object_id, kind, owned: None };
            let own = self.check_space_below(&spec, space.as_ref(), table.root);
            self.check_index(&TreeSpec { owned: own.as_ref(), ..spec }, table, &layout, state);
        }
        if self.is_interrupted() {
            return;
        }
        if counted.is_some_and(|counted| !counted.same(&referenced)) {
            self.locate_references(table);
        }
    }

    fn check_space_below(
        &mut self,
        spec: &TreeSpec<'_>,
        parent: Option<&OwnedRanges>,
        parent_root: ese_format::PageNumber,
    ) -> Option<OwnedRanges> {
        // Without the parent's space a tree's own is checked alone; an empty list would contradict everything.
        match parent {
            Some(parent) => self.check_space(spec, Some(parent), parent_root),
            None => None,
        }
    }

    /// Rows: records, keys, and what they give to indexes. Returns the references to long values.
    fn check_rows<'t>(
        &mut self,
        spec: &TreeSpec<'_>,
        layout: &RowLayout<'t>,
        indexes: &mut [IndexState<'t>],
    ) -> Multiset {
        let table = layout.table();
        let page_size = self.reader.header().page_size();
        let tree =
            table.long_values.and_then(|l| Tree::open_object(self.reader.source(), l.root, l.object_id).ok());
        let chunks = tree.as_ref().map(|t| LongValueReader::new(t, table.chunk_size(page_size)));
        let mut values = ValueReader::new(chunks);
        let fixed = FixedEnds::new(&table.columns);
        let primary = table.primary_index().map(|index| IndexEntryBuilder::new(layout, index));
        let mut references = Multiset::default();
        let mut rows = 0;
        self.walk_tree(spec, &mut |checker, page, view| {
            for (line, node) in view.nodes().enumerate() {
                // Unreadable nodes were reported with the page's structure.
                let Ok(node) = node else { continue };
                if node.is_deleted() {
                    continue;
                }
                rows += 1;
                let place = Place::line(spec.object, page, line);
                let record = match RecordView::parse(node.data, page_size) {
                    Ok(record) => record,
                    Err(error) => {
                        checker.error(place, error);
                        continue;
                    }
                };
                checker.check_record(place, layout, &fixed, &record, &mut values, &mut |id| {
                    references.add([&id.0.to_le_bytes(), &[]], &[], 1);
                });
                let right = match &primary {
                    None => node.key().len() == 4,
                    Some(primary) => match primary.entries::<NoEntries>(layout, &record, &mut values) {
                        Ok(entries) if entries.unknown == 0 => entries.keys.iter().any(|k| node.key() == **k),
                        _ => true,
                    },
                };
                if !right {
                    checker.error(place, DeepProblem::PrimaryKey);
                }
                for index in indexes.iter_mut() {
                    index.add_row(layout, node.key(), &record, &mut values);
                }
            }
        });
        self.summary.rows += rows;
        references
    }

    /// The tree of long values; returns, for each value, as many members as it counts references.
    fn check_long_values(
        &mut self,
        table: &TableDefinition,
        space: Option<&OwnedRanges>,
    ) -> Option<Multiset> {
        let Some(tree) = table.long_values else { return Some(Multiset::default()) };
        let chunk_size = table.chunk_size(self.reader.header().page_size()).max(1);
        let spec =
            TreeSpec { root: tree.root, object: tree.object_id, kind: PageFlags::LONG_VALUE, owned: None };
        let own = self.check_space_below(&spec, space, table.root);
        let spec = TreeSpec { owned: own.as_ref(), ..spec };
        let mut counted = Multiset::default();
        let mut open: Option<OpenValue> = None;
        let mut plain = Vec::new();
        self.walk_tree(&spec, &mut |checker, page, view| {
            for (line, node) in view.nodes().enumerate() {
                let Ok(node) = node else { continue };
                if node.is_deleted() {
                    continue;
                }
                let place = Place::line(spec.object, page, line);
                let key = match LongValueKey::decode(node.key()) {
                    Ok(key) => key,
                    Err(error) => {
                        checker.error(place, error);
                        continue;
                    }
                };
                match key.offset {
                    None => {
                        checker.close_value(place, open.take());
                        checker.summary.long_values += 1;
                        match LongValueRoot::decode(node.data) {
                            Err(error) => checker.error(place, error),
                            Ok(root) => {
                                if matches!(root.reference_count, 0 | LongValueRoot::PARTIALLY_DELETED) {
                                    let what = "nothing refers to it any more";
                                    let problem = DeepProblem::LongValue { id: key.id, what };
                                    checker.find(FindingSeverity::Information, place, problem);
                                }
                                let times = match root.reference_count {
                                    LongValueRoot::PARTIALLY_DELETED => 0,
                                    count => u64::from(count),
                                };
                                counted.add([&key.id.0.to_le_bytes(), &[]], &[], times);
                                let encrypted = !root.flags.is_empty();
                                // What is half deleted has no complete set of chunks.
                                let whole = root.reference_count != LongValueRoot::PARTIALLY_DELETED;
                                open = whole.then_some(OpenValue {
                                    id: key.id,
                                    size: root.size,
                                    next: 0,
                                    encrypted,
                                });
                            }
                        }
                    }
                    Some(offset) => {
                        let fits =
                            open.as_ref().filter(|v| v.id == key.id && v.next == offset && offset < v.size);
                        let Some(value) = fits else {
                            let what = "a chunk that does not follow the one before";
                            checker.error(place, DeepProblem::LongValue { id: key.id, what });
                            continue;
                        };
                        let expected = chunk_size.min(value.size - offset) as usize;
                        if !value.encrypted && node.data.len() != expected {
                            plain.clear();
                            let good = node.data.len() < expected
                                && decompress_value(node.data, expected, &mut plain).is_ok()
                                && plain.len() == expected;
                            if !good {
                                let what = "a chunk that does not yield what it stands for";
                                checker.error(place, DeepProblem::LongValue { id: key.id, what });
                            }
                        }
                        if let Some(value) = &mut open {
                            value.next = offset.saturating_add(chunk_size);
                        }
                    }
                }
            }
        });
        self.close_value(Place::object(spec.object), open);
        Some(counted)
    }

    /// The chunks of a value reach to its end.
    fn close_value(&mut self, place: Place, value: Option<OpenValue>) {
        if let Some(value) = value.filter(|v| v.next < v.size) {
            let what = "its chunks end before its size";
            self.error(place, DeepProblem::LongValue { id: value.id, what });
        }
    }

    /// Counts the references one by one, after their sums differed.
    fn locate_references(&mut self, table: &TableDefinition) {
        let page_size = self.reader.header().page_size();
        let mut found: HashMap<LongValueId, u64> = HashMap::new();
        let Ok(rows) = Tree::open_object(self.reader.source(), table.root, table.object_id) else { return };
        let mut cursor = rows.cursor();
        while cursor.move_next().unwrap_or(false) {
            let Ok(Some(node)) = cursor.node() else { continue };
            let Ok(record) = RecordView::parse(node.data, page_size) else { continue };
            for tagged in record.tagged_columns().flatten() {
                for value in tagged.values().flatten() {
                    if let ese_format::TaggedValue::Separated(id) = value {
                        *found.entry(id).or_default() += 1;
                    }
                }
            }
        }
        if let Some(tree) =
            table.long_values.and_then(|l| Tree::open_object(self.reader.source(), l.root, l.object_id).ok())
        {
            let mut cursor = tree.cursor();
            while cursor.move_next().unwrap_or(false) {
                let Ok(Some(node)) = cursor.node() else { continue };
                let Some(id) = root_id(node.key()) else { continue };
                let Ok(root) = LongValueRoot::decode(node.data) else { continue };
                let references = found.remove(&id).unwrap_or_default();
                let deleted = root.reference_count == LongValueRoot::PARTIALLY_DELETED && references == 0;
                if u64::from(root.reference_count) != references && !deleted {
                    let (page, line) = cursor.position().unwrap_or_default();
                    let expected = root.reference_count;
                    let problem = DeepProblem::References { id, expected, found: references };
                    let place = Place::line(tree.object_id(), page, line);
                    // Too few references leak space; too many would free what is still in use.
                    let severity = if references < u64::from(expected) {
                        FindingSeverity::Warning
                    } else {
                        FindingSeverity::Error
                    };
                    self.find(severity, place, problem);
                }
            }
        }
        let mut missing: Vec<_> = found.into_iter().collect();
        missing.sort_unstable();
        for (id, _) in missing {
            let what = "rows refer to it, but it is not there";
            self.error(Place::object(table.object_id), DeepProblem::LongValue { id, what });
        }
    }
}

fn root_id(key: KeyParts<'_>) -> Option<LongValueId> {
    LongValueKey::decode(key).ok().filter(|k| k.offset.is_none()).map(|k| k.id)
}
