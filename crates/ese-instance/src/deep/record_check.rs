//! One record against its table.

use ese_format::{ColumnId, LongValueId, RecordError, RecordView, TaggedValue};

use super::finding::{DeepProblem, FindingSeverity};
use super::verifier::{Checker, Place};
use crate::catalog::{ColumnDefinition, ColumnFlags};
use crate::reader::{ColumnContent, RowLayout, ValueReader};

/// Fixed columns of a table: where the slots up to each column end.
pub(super) struct FixedEnds {
    /// By column number; `None` where the table has no such column.
    ends: Vec<Option<usize>>,
}

impl FixedEnds {
    pub(super) fn new(columns: &[ColumnDefinition]) -> Self {
        let mut ends = vec![None; 128];
        for column in columns.iter().filter(|c| c.id.is_fixed()) {
            if let Some(slot) = ends.get_mut(usize::from(column.id.0)) {
                *slot = column.record_offset.map(|offset| usize::from(offset) + column.slot_size());
            }
        }
        if let Some(none) = ends.first_mut() {
            *none = Some(4);
        }
        Self { ends }
    }

    fn end(&self, last: u8) -> Option<usize> {
        self.ends.get(usize::from(last)).copied().flatten()
    }
}

impl Checker<'_> {
    /// Checks a record; every reference to a long value goes to `references`.
    pub(super) fn check_record(
        &mut self,
        place: Place,
        layout: &RowLayout<'_>,
        fixed: &FixedEnds,
        record: &RecordView<'_>,
        values: &mut ValueReader<'_>,
        references: &mut dyn FnMut(LongValueId),
    ) {
        match fixed.end(record.last_fixed()) {
            Some(end) if end != record.fixed_values_end() => {
                let what = "the fixed columns end elsewhere than the table says";
                let column = u32::from(record.last_fixed());
                self.error(place, DeepProblem::Column { column, what });
            }
            Some(_) => {}
            None => {
                let what = "the record has more fixed columns than the table";
                let column = u32::from(record.last_fixed());
                self.find(FindingSeverity::Warning, place, DeepProblem::Column { column, what });
            }
        }
        let mut variable = (128..=u16::from(record.last_variable())).map(|id| record.variable(ColumnId(id)));
        if let Some(Err(error)) = variable.find(Result::is_err) {
            self.error(place, error);
            return;
        }
        if let Err(error) = self.check_columns(place, layout, record, values, references) {
            self.error(place, error);
        }
    }

    fn check_columns(
        &mut self,
        place: Place,
        layout: &RowLayout<'_>,
        record: &RecordView<'_>,
        values: &mut ValueReader<'_>,
        references: &mut dyn FnMut(LongValueId),
    ) -> Result<(), RecordError> {
        // The visit below passes over columns that the table does not have.
        let table = layout.table();
        let is_template = table.flags.contains(crate::catalog::TableFlags::TEMPLATE);
        for tagged in record.tagged_columns() {
            let tagged = tagged?;
            let from_template = tagged.from_template || is_template;
            let wanted = u32::from(tagged.id.0) | if from_template { 0x8000_0000 } else { 0 };
            if table.columns.binary_search_by_key(&wanted, ColumnDefinition::api_id).is_err() {
                let what = "the table has no such column";
                self.find(FindingSeverity::Warning, place, DeepProblem::Column { column: wanted, what });
            }
            // Deleted columns' long values count as well.
            for value in tagged.values() {
                if let TaggedValue::Separated(id) = value? {
                    references(id);
                }
            }
        }
        for (index, column) in table.columns.iter().enumerate() {
            let required = column.flags.contains(ColumnFlags::NOT_NULL)
                && !column.flags.intersects(ColumnFlags::DEFAULT | ColumnFlags::USER_DEFINED_DEFAULT);
            if required && !column.is_deleted() && layout.content(record, index)?.is_none() {
                let what = "is null and may not be";
                self.error(place, DeepProblem::Column { column: column.api_id(), what });
            }
        }
        layout.visit(record, |_, column, content| -> Result<(), RecordError> {
            let ColumnContent::Tagged(tagged) = content else { return Ok(()) };
            for value in tagged.values() {
                match value? {
                    TaggedValue::Separated(_) => {}
                    TaggedValue::Plain(bytes) => {
                        let size = column.kind.fixed_size();
                        if !bytes.is_empty() && size.is_some_and(|size| size != bytes.len()) {
                            let what = "a value has not the size of its type";
                            self.error(place, DeepProblem::Column { column: column.api_id(), what });
                        }
                    }
                    value @ TaggedValue::Compressed(_) => {
                        values.read::<LocalError>(column.id, value, |_| {}).map_err(|e| e.0)?;
                    }
                }
            }
            Ok(())
        })
    }
}

/// A compressed value inside a record has nothing to do with trees.
struct LocalError(RecordError);

impl From<RecordError> for LocalError {
    fn from(error: RecordError) -> Self {
        Self(error)
    }
}

impl From<ese_btree::TreeError> for LocalError {
    fn from(_: ese_btree::TreeError) -> Self {
        Self(RecordError::LongValueId { column: 0, len: 0 })
    }
}
