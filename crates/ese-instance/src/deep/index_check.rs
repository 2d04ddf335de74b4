//! Secondary indexes against their table's rows.

use ese_btree::{FilePageSource, Found, LongValueReader, Tree, TreeError};
use ese_format::{ColumnKind, KeyParts, PageNumber, RecordView, SearchKey};

use super::finding::DeepProblem;
use super::multiset::Multiset;
use super::table_check::NoEntries;
use super::tree_check::TreeSpec;
use super::verifier::{Checker, Place};
use crate::catalog::{ColumnFlags, IndexDefinition, IndexFlags, TableDefinition};
use crate::reader::{DatabaseReader, IndexEntryBuilder, RowLayout, ValueReader};

/// What the rows give to an index, added up.
pub(super) struct IndexState<'t> {
    builder: IndexEntryBuilder<'t>,
    form: Comparison,
    rows: Multiset,
    /// For an index with Unicode text: the form when a key is not known after all, and what the rows give to it.
    fallback: Option<(Comparison, Multiset)>,
    /// A row's entries could not be computed: the sums say nothing.
    incomplete: bool,
}

/// How far the entries of an index can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    /// Keys and bookmarks.
    Keys,
    /// Bookmarks only: a segment is Unicode text whose sort keys are not known.
    Bookmarks,
    /// Only that each bookmark is a row's: several Unicode values of a row may collapse into one entry.
    Existence,
}

impl<'t> IndexState<'t> {
    pub(super) fn new(builder: IndexEntryBuilder<'t>) -> Self {
        let columns: Vec<_> = builder.columns().collect();
        let unicode = columns.iter().any(|c| c.kind.is_text() && c.code_page == 1200);
        let several = builder.index().tuple_limits.is_some()
            || columns.iter().any(|c| c.id.is_tagged() && c.flags.contains(ColumnFlags::MULTI_VALUED));
        let without_keys = if several { Comparison::Existence } else { Comparison::Bookmarks };
        let (form, fallback) = match (unicode, builder.index().collation()) {
            (false, _) => (Comparison::Keys, None),
            (true, Ok(_)) => (Comparison::Keys, Some((without_keys, Multiset::default()))),
            (true, Err(_)) => (without_keys, None),
        };
        // Entries that are added later, and indexes over columns that are gone or cannot be indexed.
        let incomplete = !builder.is_complete()
            || builder.index().flags.contains(IndexFlags::DEFERRED_POPULATE)
            || columns.iter().any(|c| matches!(c.kind, ColumnKind::NIL | ColumnKind::SLV));
        Self { builder, form, rows: Multiset::default(), fallback, incomplete }
    }

    pub(super) const fn index(&self) -> &'t IndexDefinition {
        self.builder.index()
    }

    /// Adds what a row gives.
    pub(super) fn add_row(
        &mut self,
        layout: &RowLayout<'t>,
        bookmark: KeyParts<'_>,
        record: &RecordView<'_>,
        values: &mut ValueReader<'_>,
    ) {
        if self.incomplete || self.form == Comparison::Existence {
            return;
        }
        let Ok(entries) = self.builder.entries::<NoEntries>(layout, record, values) else {
            self.incomplete = true;
            return;
        };
        let bookmark = bookmark.to_vec();
        let count = entries.keys.len() + entries.unknown;
        if let Some((_, rows)) = &mut self.fallback {
            rows.add([&[], &[]], &bookmark, count as u64);
        }
        if entries.unknown > 0 && self.form == Comparison::Keys {
            match self.fallback.take() {
                Some((form, rows)) => (self.form, self.rows) = (form, rows),
                None => self.incomplete = true,
            }
            return;
        }
        match self.form {
            Comparison::Keys => {
                for key in &entries.keys {
                    self.rows.add([key, &[]], &bookmark, 1);
                }
            }
            _ => self.rows.add([&[], &[]], &bookmark, count as u64),
        }
    }
}

/// What is looked through to find the entries and rows that do not belong together.
struct IndexTrees<'s> {
    index: Tree<&'s FilePageSource>,
    rows: Tree<&'s FilePageSource>,
    long_values: Option<Tree<&'s FilePageSource>>,
}

impl<'s> IndexTrees<'s> {
    fn open(
        reader: &'s DatabaseReader,
        spec: &TreeSpec<'_>,
        table: &TableDefinition,
    ) -> Result<Self, TreeError> {
        let source = reader.source();
        let long_values = table.long_values.and_then(|l| Tree::open_object(source, l.root, l.object_id).ok());
        Ok(Self {
            index: Tree::open_object(source, spec.root, spec.object)?,
            rows: Tree::open_object(source, table.root, table.object_id)?,
            long_values,
        })
    }

    fn values(&self, chunk_size: u32) -> ValueReader<'_> {
        ValueReader::new(self.long_values.as_ref().map(|tree| LongValueReader::new(tree, chunk_size)))
    }
}

impl Checker<'_> {
    /// Walks an index and compares what it holds with what the rows gave.
    pub(super) fn check_index<'t>(
        &mut self,
        spec: &TreeSpec<'_>,
        table: &'t TableDefinition,
        layout: &RowLayout<'t>,
        state: &IndexState<'t>,
    ) {
        let mut stored = Multiset::default();
        let mut entries = 0;
        self.walk_tree(spec, &mut |_, _, view| {
            for node in view.nodes().flatten().filter(|n| !n.is_deleted()) {
                entries += 1;
                let key = if state.form == Comparison::Keys {
                    [node.prefix, node.suffix]
                } else {
                    [&[][..], &[][..]]
                };
                stored.add(key, node.data, 1);
            }
        });
        self.summary.index_entries += entries;
        if self.is_interrupted() {
            return;
        }
        if state.form != Comparison::Keys {
            self.summary.indexes_by_bookmark += 1;
        }
        let differs = !state.incomplete && state.form != Comparison::Existence && !stored.same(&state.rows);
        if differs {
            let problem = DeepProblem::IndexEntries {
                index: state.index().name.clone(),
                expected: state.rows.count,
                found: stored.count,
            };
            self.error(Place::object(spec.object), problem);
        }
        if differs || state.form == Comparison::Existence {
            self.locate_stale(spec, table, layout, state);
        }
        if differs && state.form == Comparison::Keys {
            self.locate_missing(spec, table, layout, state);
        }
    }

    /// Entries that no row gives.
    fn locate_stale<'t>(
        &mut self,
        spec: &TreeSpec<'_>,
        table: &'t TableDefinition,
        layout: &RowLayout<'t>,
        state: &IndexState<'t>,
    ) {
        let Ok(trees) = IndexTrees::open(self.reader, spec, table) else { return };
        let page_size = self.reader.header().page_size();
        let mut values = trees.values(table.chunk_size(page_size));
        let mut entries = trees.index.cursor();
        let mut row = trees.rows.cursor();
        while entries.move_next().unwrap_or(false) {
            let Ok(Some(entry)) = entries.node() else { continue };
            let there = match row.seek(SearchKey::key(entry.data)) {
                Ok(Found::Equal) => match row.node() {
                    Ok(Some(node)) if state.form == Comparison::Keys => {
                        RecordView::parse(node.data, page_size).is_ok_and(|record| {
                            let given = state.builder.entries::<NoEntries>(layout, &record, &mut values);
                            given.is_ok_and(|given| given.keys.iter().any(|k| entry.key() == **k))
                        })
                    }
                    _ => true,
                },
                Ok(_) => false,
                // The table's own damage was reported.
                Err(_) => true,
            };
            if !there {
                let (page, line) = entries.position().unwrap_or_default();
                let problem = DeepProblem::StaleEntry { index: state.index().name.clone() };
                self.error(Place::line(spec.object, page, line), problem);
            }
        }
    }

    /// Rows whose entry is not there.
    fn locate_missing<'t>(
        &mut self,
        spec: &TreeSpec<'_>,
        table: &'t TableDefinition,
        layout: &RowLayout<'t>,
        state: &IndexState<'t>,
    ) {
        let Ok(trees) = IndexTrees::open(self.reader, spec, table) else { return };
        let page_size = self.reader.header().page_size();
        let mut values = trees.values(table.chunk_size(page_size));
        let mut entry = trees.index.cursor();
        let mut row = trees.rows.cursor();
        while row.move_next().unwrap_or(false) {
            let Ok(Some(node)) = row.node() else { continue };
            let bookmark = node.key().to_vec();
            let Ok(record) = RecordView::parse(node.data, page_size) else { continue };
            let Ok(given) = state.builder.entries::<NoEntries>(layout, &record, &mut values) else {
                continue;
            };
            for key in &given.keys {
                let found = entry.seek(SearchKey { key, data: &bookmark });
                let there = match found {
                    Ok(Found::Equal) => {
                        entry.node().is_ok_and(|n| n.is_some_and(|n| n.data == bookmark.as_slice()))
                    }
                    Ok(_) => false,
                    Err(_) => true,
                };
                if !there {
                    let (page, line) = row.position().unwrap_or((PageNumber::NONE, 0));
                    let problem = DeepProblem::MissingEntry { index: state.index().name.clone() };
                    self.error(Place::line(table.object_id, page, line), problem);
                }
            }
        }
    }
}
