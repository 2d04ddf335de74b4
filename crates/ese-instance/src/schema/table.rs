//! One version of a table's structure.

use std::collections::HashMap;
use std::sync::Arc;

use ese_btree::TreeRoot;
use ese_btree::live::Tree;
use ese_format::{ObjectId, PageFlags, PageNumber};
use ese_log::record::DatabaseSlot;

use super::TableShared;
use crate::catalog::{
    ColumnDefinition, ColumnFlags, IndexDefinition, IndexFlags, TableDefinition, TableFlags,
};

/// A table as one snapshot sees it: definition, trees, names.
#[doc(alias = "FCB")]
#[doc(alias = "TDB")]
#[derive(Debug)]
pub(crate) struct TableSchema {
    /// Columns (deleted ones included, the template's behind the table's own) and indexes.
    pub(crate) definition: TableDefinition,
    /// The tree of the rows.
    pub(crate) tree: Tree,
    /// All indexes, in the definition's order; the primary one has the table's own tree.
    pub(crate) indexes: Vec<Arc<IndexSchema>>,
    /// What all versions of the table share.
    pub(crate) shared: Arc<TableShared>,
    /// Schema epoch at which this version was read: while it is the session's, nothing can have changed.
    pub(crate) epoch: u64,
    /// Place of the auto-increment column in the definition's list.
    pub(crate) auto_increment: Option<usize>,
    /// Place of the version column.
    pub(crate) version: Option<usize>,
    /// Live columns by their names in lower case.
    columns_by_name: HashMap<String, usize>,
}

/// An index of a [`TableSchema`].
#[derive(Debug)]
pub(crate) struct IndexSchema {
    /// The index.
    pub(crate) definition: IndexDefinition,
    /// Its tree; the table's for the primary index.
    pub(crate) tree: Tree,
}

/// The tree of an index.
pub(crate) fn index_tree(slot: DatabaseSlot, index: &IndexDefinition) -> Tree {
    let mut flags = PageFlags::INDEX;
    flags.set(PageFlags::NON_UNIQUE_KEYS, !index.flags.contains(IndexFlags::UNIQUE));
    let flags = if index.is_primary() { 0 } else { flags.bits() };
    let root = TreeRoot::new(index.root, index.object_id, flags);
    let hints = &index.space_hints;
    Tree { slot, root: root.with_density(hints.initial_density).with_growth(hints.growth()) }
}

/// The tree of a table's long values.
pub(crate) fn long_value_tree(slot: DatabaseSlot, root: PageNumber, object: ObjectId) -> Tree {
    Tree { slot, root: TreeRoot::new(root, object, PageFlags::LONG_VALUE.bits()) }
}

impl TableSchema {
    pub(crate) fn new(
        slot: DatabaseSlot,
        definition: TableDefinition,
        shared: Arc<TableShared>,
        epoch: u64,
    ) -> Self {
        let root = TreeRoot::new(definition.root, definition.object_id, 0);
        let hints = &definition.space_hints;
        let root = root.with_density(hints.initial_density).with_growth(hints.growth());
        let tree = Tree { slot, root };
        let indexes = definition
            .indexes
            .iter()
            .map(|index| Arc::new(IndexSchema { definition: index.clone(), tree: index_tree(slot, index) }))
            .collect();
        let live = || definition.columns.iter().enumerate().filter(|(_, c)| !c.is_deleted());
        let flagged = |flag| live().find(|(_, c)| c.flags.contains(flag)).map(|(place, _)| place);
        let columns_by_name = live().map(|(place, c)| (c.name.to_ascii_lowercase(), place)).collect();
        if let Some(found) = definition.long_values {
            let mut tree = long_value_tree(slot, found.root, found.object_id);
            tree.root = tree.root.with_growth(definition.long_value_hints.growth());
            shared.set_long_values(tree);
        }
        Self {
            auto_increment: flagged(ColumnFlags::AUTO_INCREMENT),
            version: flagged(ColumnFlags::VERSION),
            columns_by_name,
            definition,
            tree,
            indexes,
            shared,
            epoch,
        }
    }

    /// Slot of the table's database.
    pub(crate) fn slot(&self) -> DatabaseSlot {
        self.tree.slot
    }

    /// Object id.
    pub(crate) fn object_id(&self) -> ObjectId {
        self.definition.object_id
    }

    /// A live column by name, letters a–z in either case: its place in the definition's list, and the column.
    pub(crate) fn column(&self, name: &str) -> Option<(usize, &ColumnDefinition)> {
        let place = *self.columns_by_name.get(&name.to_ascii_lowercase())?;
        Some((place, self.definition.columns.get(place)?))
    }

    /// A live column by the number that the engine's interface gives.
    #[doc(alias = "JET_COLUMNID")]
    pub(crate) fn column_by_id(&self, id: u32) -> Option<(usize, &ColumnDefinition)> {
        let columns = &self.definition.columns;
        let place = columns.binary_search_by_key(&id, ColumnDefinition::api_id).ok()?;
        Some((place, columns.get(place).filter(|c| !c.is_deleted())?))
    }

    /// An index by name, letters a–z in either case.
    pub(crate) fn index(&self, name: &str) -> Option<&Arc<IndexSchema>> {
        self.indexes.iter().find(|index| index.definition.name.eq_ignore_ascii_case(name))
    }

    /// The primary index, unless rows are in the order of their insertion.
    pub(crate) fn primary(&self) -> Option<&Arc<IndexSchema>> {
        self.indexes.iter().find(|index| index.definition.is_primary())
    }

    /// The tree of long values, once there is one.
    pub(crate) fn long_values(&self) -> Option<Tree> {
        self.shared.long_values()
    }

    /// Whether columns and indexes may not change.
    pub(crate) fn has_fixed_schema(&self) -> bool {
        self.definition.flags.contains(TableFlags::FIXED_SCHEMA)
    }
}
