//! Columns of a row, in the order of their numbers.

use std::ops::Range;

use ese_format::{ColumnState, RecordError, RecordView, TaggedColumn};

use crate::catalog::{ColumnDefinition, ColumnFlags, TableDefinition, TableFlags};

/// What a row has for a column that is not null.
#[derive(Clone, Copy, Debug)]
pub enum ColumnContent<'a> {
    /// The value of a fixed or variable column.
    Value(&'a [u8]),
    /// Nothing is stored; the column's default value applies.
    Default(&'a [u8]),
    /// A tagged column with all its values.
    Tagged(TaggedColumn<'a>),
}

/// How to find the columns of a table's rows: prepared once for many rows.
#[derive(Debug)]
pub struct RowLayout<'t> {
    table: &'t TableDefinition,
    /// The table's own columns, then its template's.
    parts: [Part; 2],
    is_template: bool,
}

#[derive(Debug)]
struct Part {
    /// Fixed and variable columns, as places in the table's list.
    untagged: Range<usize>,
    tagged: Range<usize>,
    /// Tagged columns with a default value.
    tagged_defaults: Vec<usize>,
}

impl<'t> RowLayout<'t> {
    /// Prepares for the rows of `table`.
    #[must_use]
    pub fn new(table: &'t TableDefinition) -> Self {
        let own = table.columns.partition_point(|c| !c.from_template);
        let part = |range: Range<usize>| {
            let columns = table.columns.get(range.clone()).unwrap_or_default();
            let tagged = range.start + columns.partition_point(|c| !c.id.is_tagged());
            let tagged_defaults = (tagged..range.end)
                .filter(|&i| table.columns.get(i).is_some_and(|c| default_of(c).is_some()))
                .collect();
            Part { untagged: range.start..tagged, tagged: tagged..range.end, tagged_defaults }
        };
        Self {
            table,
            parts: [part(0..own), part(own..table.columns.len())],
            is_template: table.flags.contains(TableFlags::TEMPLATE),
        }
    }

    /// The table.
    #[must_use]
    pub const fn table(&self) -> &'t TableDefinition {
        self.table
    }

    /// What `record` has for the column at place `column` of the table's list; `None` when it is null, deleted or
    /// unknown.
    ///
    /// # Errors
    /// When the part of the record that is looked at is broken.
    pub fn content<'a>(
        &self,
        record: &RecordView<'a>,
        column: usize,
    ) -> Result<Option<ColumnContent<'a>>, RecordError>
    where
        't: 'a,
    {
        column_content(self.table, record, column)
    }

    /// Calls `visit` with each column of `record` that is not null, in the order of the table's list.
    ///
    /// # Errors
    /// When the record is broken, and whatever `visit` returns.
    pub fn visit<'a, E: From<RecordError>>(
        &self,
        record: &RecordView<'a>,
        mut visit: impl FnMut(usize, &'t ColumnDefinition, ColumnContent<'a>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        't: 'a,
    {
        for (place, part) in self.parts.iter().enumerate() {
            for index in part.untagged.clone() {
                let Some(column) = self.table.columns.get(index).filter(|c| !c.is_deleted()) else {
                    continue;
                };
                if let Some(content) = untagged(record, column)? {
                    visit(index, column, content)?;
                }
            }
            if part.tagged.is_empty() {
                continue;
            }
            let mut defaults = part.tagged_defaults.iter().copied().peekable();
            for tagged in record.tagged_columns() {
                let tagged = tagged?;
                let from_template = tagged.from_template || self.is_template;
                if from_template != (place == 1) {
                    continue;
                }
                let Some(index) = self.tagged_index(part, &tagged) else { continue };
                while let Some(default) = defaults.next_if(|&d| d < index) {
                    self.visit_default(default, &mut visit)?;
                }
                let _ = defaults.next_if_eq(&index);
                let Some(column) = self.table.columns.get(index).filter(|c| !c.is_deleted()) else {
                    continue;
                };
                if !tagged.is_null() {
                    visit(index, column, ColumnContent::Tagged(tagged))?;
                }
            }
            for default in defaults {
                self.visit_default(default, &mut visit)?;
            }
        }
        Ok(())
    }

    fn visit_default<'a, E>(
        &self,
        index: usize,
        visit: &mut impl FnMut(usize, &'t ColumnDefinition, ColumnContent<'a>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        't: 'a,
    {
        match self.table.columns.get(index).and_then(|c| Some((c, default_of(c)?))) {
            Some((column, value)) => visit(index, column, ColumnContent::Default(value)),
            None => Ok(()),
        }
    }

    /// Place of a tagged column in the table's list.
    fn tagged_index(&self, part: &Part, tagged: &TaggedColumn<'_>) -> Option<usize> {
        let columns = self.table.columns.get(part.tagged.clone())?;
        // Ids are nearly always consecutive.
        let guess = usize::from(tagged.id.0.checked_sub(columns.first()?.id.0)?);
        if columns.get(guess).is_some_and(|c| c.id == tagged.id) {
            return Some(part.tagged.start + guess);
        }
        let found = columns.binary_search_by_key(&tagged.id, |c| c.id).ok()?;
        Some(part.tagged.start + found)
    }
}

/// What `record` has for the column at place `column` of the table's list; `None` when it is null, deleted or unknown.
///
/// # Errors
/// When the part of the record that is looked at is broken.
pub fn column_content<'a>(
    table: &'a TableDefinition,
    record: &RecordView<'a>,
    column: usize,
) -> Result<Option<ColumnContent<'a>>, RecordError> {
    let Some(definition) = table.columns.get(column).filter(|c| !c.is_deleted()) else {
        return Ok(None);
    };
    if !definition.id.is_tagged() {
        return untagged(record, definition);
    }
    let is_template = table.flags.contains(TableFlags::TEMPLATE);
    let marked = definition.from_template && !is_template;
    let found = match record.tagged(definition.id, marked)? {
        // Rows of a template itself may carry the mark or not.
        None if is_template => record.tagged(definition.id, true)?,
        found => found,
    };
    Ok(match found {
        Some(tagged) if tagged.is_null() => None,
        Some(tagged) => Some(ColumnContent::Tagged(tagged)),
        None => default_of(definition).map(ColumnContent::Default),
    })
}

fn untagged<'a>(
    record: &RecordView<'a>,
    column: &'a ColumnDefinition,
) -> Result<Option<ColumnContent<'a>>, RecordError> {
    let state = if column.id.is_fixed() {
        let offset = usize::from(column.record_offset.unwrap_or(u16::MAX));
        record.fixed(column.id, offset, column.slot_size())?
    } else {
        record.variable(column.id)?
    };
    Ok(match state {
        ColumnState::Value(value) => Some(ColumnContent::Value(value)),
        ColumnState::Null => None,
        ColumnState::Absent => default_of(column).map(ColumnContent::Default),
    })
}

/// The default value of a live column that has one in the file.
pub(crate) fn default_of(column: &ColumnDefinition) -> Option<&[u8]> {
    if column.is_deleted() || !column.flags.contains(ColumnFlags::DEFAULT) {
        return None;
    }
    column.default_value.as_deref()
}
