//! Going through the rows of a table.

use ese_btree::{LongValueReader, TreeError};
use ese_format::{KeyParts, RecordError, RecordView};
use ese_instance::{DatabaseReader, ReaderError, RowLayout, TableDefinition, ValueReader};

use super::error::ExportError;
use crate::context::Context;

/// Why one row cannot be exported: the place is added by [`for_each_row`].
pub(crate) enum RowError {
    Record(RecordError),
    Tree(TreeError),
    Write(std::io::Error),
}

impl From<RecordError> for RowError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<TreeError> for RowError {
    fn from(error: TreeError) -> Self {
        Self::Tree(error)
    }
}

impl From<std::io::Error> for RowError {
    fn from(error: std::io::Error) -> Self {
        Self::Write(error)
    }
}

/// Calls `visit` with each row's key and record, in primary order; returns the number of rows.
pub(crate) fn for_each_row(
    reader: &DatabaseReader,
    table: &TableDefinition,
    context: &Context,
    mut visit: impl FnMut(
        KeyParts<'_>,
        &RecordView<'_>,
        &RowLayout<'_>,
        &mut ValueReader<'_>,
    ) -> Result<(), RowError>,
) -> Result<u64, ExportError> {
    let layout = RowLayout::new(table);
    let page_size = reader.header().page_size();
    let long_values = match table.long_values {
        Some(tree) => Some(reader.tree(tree.root, tree.object_id)?),
        None => None,
    };
    let chunks = long_values.as_ref().map(|tree| LongValueReader::new(tree, table.chunk_size(page_size)));
    let mut values = ValueReader::new(chunks);
    let tree = reader.tree(table.root, table.object_id)?;
    let mut cursor = tree.cursor();
    let mut rows = 0u64;
    while cursor.move_next()? {
        if rows.is_multiple_of(1024) && context.check_interrupt().is_err() {
            return Err(ExportError::Interrupted);
        }
        let Some(node) = cursor.node()? else { break };
        let done = RecordView::parse(node.data, page_size)
            .map_err(RowError::from)
            .and_then(|record| visit(node.key(), &record, &layout, &mut values));
        match done {
            Ok(()) => {}
            Err(RowError::Record(source)) => {
                let (page, line) = cursor.position().unwrap_or_default();
                return Err(ReaderError::Record { page, line, source }.into());
            }
            Err(RowError::Tree(error)) => return Err(error.into()),
            Err(RowError::Write(error)) => return Err(error.into()),
        }
        rows += 1;
    }
    Ok(rows)
}
