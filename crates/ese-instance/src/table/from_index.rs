//! Reading columns from the keys of the current index, where keys keep them.

use std::sync::Arc;

use ese_format::{JetError, RecordView, value_from_key};

use super::cursor::{Cursor, Location};
use super::error::{Result, TableError, TableStatus};
use super::plan::{PlanIndex, TablePlan};
use super::retrieve::{RetrieveFlags, give};
use super::update::hidden_edits;
use crate::catalog::ColumnFlags;
use crate::session::SessionCallGuard;

/// What the index had to say.
pub(super) struct FromIndex {
    /// The value was in the key: status and length of what was given. Otherwise the row has it.
    pub(super) given: Option<(TableStatus, usize)>,
    /// Number of the value that the entry stands for, as far as anybody looked.
    pub(super) instance: Option<u32>,
}

impl Cursor {
    /// A column from the key of the current entry, or (with an option) from that of the row.
    #[doc(alias = "ErrRECIRetrieveFromIndex")]
    pub(super) fn retrieve_from_index(
        &mut self,
        call: &SessionCallGuard<'_>,
        id: u32,
        flags: RetrieveFlags,
        offset: u32,
        out: &mut [u8],
    ) -> Result<FromIndex> {
        if flags.contains(RetrieveFlags::FROM_INDEX | RetrieveFlags::FROM_PRIMARY_BOOKMARK) {
            return Err(TableError::flags());
        }
        let plan = Arc::clone(&self.plan);
        let (place, column) = plan.column(id)?;
        let secondary = self.index.and_then(|place| plan.secondary.get(place));
        if secondary.is_none() && (self.location != Location::OnRow || plan.primary.is_none() || plan.sorted)
        {
            return Ok(FromIndex { given: None, instance: Some(1) });
        }
        let primary = secondary.is_some() && flags.contains(RetrieveFlags::FROM_PRIMARY_BOOKMARK);
        let found = if primary { plan.primary.as_ref() } else { secondary.or(plan.primary.as_ref()) };
        // Rows in the order of their insertion have no columns in their keys.
        let Some(index) = found else { return Err(TableError::ColumnNotFound { id }) };
        let segments =
            plan.table().indexes.get(index.place).map(|i| i.segments.as_slice()).unwrap_or_default();
        let position =
            segments.iter().position(|s| plan.table().column_of(s).is_some_and(|(found, _)| found == place));
        let Some(position) = position else { return Err(TableError::ColumnNotFound { id }) };
        if index.keys.is_substring() && position == 0 && !flags.contains(RetrieveFlags::TUPLE) {
            let error = JetError::INDEX_TUPLES_CANNOT_RETRIEVE_FROM_INDEX;
            return Err(TableError::Column { column: id, what: "only substrings are indexed", error });
        }
        // Where the cursor stands on the key it need not be there any more.
        let stands = self.location == Location::OnRow && (!primary || self.row_location == Location::OnRow);
        if !stands {
            self.read_entry(call)?;
        }
        let key = match (primary, secondary.is_some(), stands) {
            (true, _, false) => self.entry.data(),
            (false, true, _) => self.entry.key(),
            _ => self.row.key(),
        };
        let value = value_in(index, position, key);
        let asks_tag = secondary.is_some() && flags.contains(RetrieveFlags::INSTANCE);
        let Some(value) = value else {
            let multi_valued = column.flags.contains(ColumnFlags::MULTI_VALUED);
            let instance = self.instance_of_entry(call, &plan, index, multi_valued)?;
            return Ok(FromIndex { given: None, instance: Some(instance) });
        };
        let long = column.kind.is_long_value();
        let given = match &value {
            None => (TableStatus::Null, 0),
            Some(value) => give(value, if long { offset as usize } else { 0 }, out),
        };
        let mut instance = None;
        if asks_tag {
            let multi_valued = column.flags.contains(ColumnFlags::MULTI_VALUED) && value.is_some();
            instance = Some(self.instance_of_entry(call, &plan, index, multi_valued)?);
        }
        Ok(FromIndex { given: Some(given), instance })
    }

    /// Number of the value that the current entry stands for.
    fn instance_of_entry(
        &mut self,
        call: &SessionCallGuard<'_>,
        plan: &Arc<TablePlan>,
        index: &PlanIndex,
        multi_valued: bool,
    ) -> Result<u32> {
        if !multi_valued {
            return Ok(1);
        }
        self.read_row(call)?;
        self.read_entry(call)?;
        self.read_row(call)?;
        let tree = plan.long_values();
        let mut values = Self::values(&mut self.buffers, plan, tree.as_ref(), call)?;
        values.hidden = hidden_edits(self.prepared.as_ref());
        let row = RecordView::parse(self.row.data(), plan.page_size)?;
        let mut key = Vec::new();
        let mut instance = 1;
        while index
            .keys
            .key_of_instance(plan.table(), &row, instance as usize, &mut values, &mut key)?
            .is_some()
        {
            if key == self.entry.key() {
                return Ok(instance);
            }
            instance += 1;
        }
        if index.keys.is_substring() {
            return Ok(1);
        }
        let what = "an entry that its row does not give";
        Err(TableError::refused(what, JetError::SECONDARY_INDEX_CORRUPTED))
    }
}

/// A column's value as a key has it; `None` when the key may have been cut, and for text.
fn value_in(index: &PlanIndex, position: usize, key: &[u8]) -> Option<Option<Vec<u8>>> {
    let rules = index.keys.rules();
    let shortest = ese_format::KeyRules::DEFAULT_KEY_MOST;
    if key.len() == rules.key_most && rules.key_most >= shortest {
        return None;
    }
    let segment = index.segments.get(position)?;
    let chunked = segment.kind.kind.is_text_or_binary() && !segment.kind.fixed;
    if chunked && rules.segment_most.is_some_and(|most| most < rules.key_most) {
        return None;
    }
    value_from_key(key, &index.segments, position, rules)
}
