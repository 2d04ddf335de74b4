//! The index entries of a row of an existing file.

use ese_btree::TreeError;
use ese_format::{RecordError, RecordView};

use super::{IndexEntries, IndexKeys, RowLayout, ValueReader};
use crate::catalog::{ColumnDefinition, IndexDefinition};

/// How to compute the keys of an index: prepared once for many rows.
#[derive(Debug)]
pub struct IndexEntryBuilder<'t> {
    index: &'t IndexDefinition,
    columns: Vec<&'t ColumnDefinition>,
    keys: IndexKeys,
}

impl<'t> IndexEntryBuilder<'t> {
    /// Prepares for an index of the layout's table.
    #[must_use]
    pub fn new(layout: &RowLayout<'t>, index: &'t IndexDefinition) -> Self {
        let table = layout.table();
        Self {
            index,
            columns: index.segments.iter().filter_map(|s| Some(table.column_of(s)?.1)).collect(),
            keys: IndexKeys::new(table, index),
        }
    }

    /// The index.
    #[must_use]
    pub const fn index(&self) -> &'t IndexDefinition {
        self.index
    }

    /// The columns of the segments.
    pub fn columns(&self) -> impl Iterator<Item = &'t ColumnDefinition> + '_ {
        self.columns.iter().copied()
    }

    /// Whether every segment and condition names a column that is there.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.keys.is_complete()
    }

    /// The entries of a row.
    ///
    /// # Errors
    /// When the record, or a long value that is indexed, cannot be read.
    pub fn entries<E: From<RecordError> + From<TreeError>>(
        &self,
        layout: &RowLayout<'t>,
        record: &RecordView<'_>,
        values: &mut ValueReader<'_>,
    ) -> Result<IndexEntries, E> {
        self.keys.entries(layout.table(), record, values)
    }
}
