//! Writing prepared rows with their index entries and long values.

use std::sync::Arc;

use ese_btree::live::{LiveError, SeekHow};
use ese_format::{JetError, LongValueId, RecordBuffer, RecordView, TaggedValue};

use super::cursor::Cursor;
use super::error::{Result, TableError};
use super::long_values::{LongValueBuffers, LongValueEdit, LongValueWriter};
use super::plan::{PlanIndex, TablePlan};
use super::tree::{Place, Reads};
use super::update::{PrepareKind, Prepared, UpdateFlags, gone_is_deleted, nested};
use crate::catalog::{ColumnDefinition, ColumnFlags};
use crate::reader::{ColumnContent, IndexEntries, NullVerdict, column_content};
use crate::session::SessionCallGuard;

impl Cursor {
    pub(super) fn write_insert(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        prepared: &Prepared,
        flags: UpdateFlags,
        bookmark: &mut Vec<u8>,
    ) -> Result<()> {
        if flags.contains(UpdateFlags::NO_VERSION) && !call.created_table(&self.plan.schema.shared) {
            let what = "rows of a table that is there already are versioned";
            return Err(TableError::refused(what, JetError::UPDATE_MUST_VERSION));
        }
        if prepared.kind.takes_original() || !self.plan.secondary.is_empty() || call.level() == 0 {
            return self.write_insert_in_level(call, prepared, bookmark);
        }
        // One node in one tree: no level of its own has to be begun and ended around several changes.
        if !self.plan.temporary {
            call.begin_update(&self.plan.schema)?;
        }
        let (plan, copy, buffers) = (&self.plan, &mut self.copy, &mut self.buffers);
        let saved = complete_row(plan, copy, prepared)?;
        let done = has_no_long_values(copy).and_then(|alone| {
            if !alone {
                return Ok(false);
            }
            new_row_key(plan, copy, buffers, call, bookmark)?;
            let (trees, state) = call.parts()?;
            plan.rows.insert_in_level(trees, state, bookmark, copy.bytes())?;
            Ok(true)
        });
        if !matches!(done, Ok(true))
            && let Some(saved) = saved
        {
            self.copy.load(&saved);
        }
        if done? { Ok(()) } else { self.write_insert_in_level(call, prepared, bookmark) }
    }

    /// Inserts a row with its entries in a transaction level of its own.
    fn write_insert_in_level(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        prepared: &Prepared,
        bookmark: &mut Vec<u8>,
    ) -> Result<()> {
        let plan = &Arc::clone(&self.plan);
        let mut saved = None;
        let done = nested(call, |call| {
            if !plan.temporary {
                call.begin_update(&plan.schema)?;
            }
            let kept = if prepared.kind.takes_original() {
                self.remove_row(call, plan, &prepared.bookmark, &prepared.original)?;
                long_values_of(&RecordView::parse(&prepared.original, plan.page_size)?)?
            } else {
                Vec::new()
            };
            saved = complete_row(plan, &mut self.copy, prepared)?;
            new_row_key(plan, &self.copy, &mut self.buffers, call, bookmark)?;
            self.share_long_values(call, plan, &kept, &prepared.created)?;
            let (trees, state) = call.parts()?;
            plan.rows.insert(trees, state, bookmark, self.copy.bytes())?;
            for index in &plan.secondary {
                let keys = self.entries_of(call, plan, index, None)?.keys;
                let (trees, state) = call.parts()?;
                for key in &keys {
                    index.tree.insert(trees, state, key, bookmark)?;
                }
            }
            Ok(())
        });
        if done.is_err()
            && let Some(saved) = saved
        {
            self.copy.load(&saved);
        }
        done
    }

    /// The keys of a row in a secondary index: of `row`, as it was before `hidden`, or of the one being prepared.
    fn entries_of(
        &mut self,
        call: &SessionCallGuard<'_>,
        plan: &TablePlan,
        index: &PlanIndex,
        row: Option<(&[u8], &[LongValueEdit])>,
    ) -> Result<IndexEntries> {
        let (is_new, hidden) = (row.is_none(), row.map_or(&[][..], |(_, hidden)| hidden));
        let tree = plan.long_values();
        let mut values = Self::values(&mut self.buffers, plan, tree.as_ref(), call)?;
        values.hidden = hidden;
        let view = RecordView::parse(row.map_or(self.copy.bytes(), |(row, _)| row), plan.page_size)?;
        let entries = if index.keys.is_single() {
            let mut entries = IndexEntries::default();
            let mut key = Vec::new();
            if let Some(nulls) = index.keys.base_key(plan.table(), &view, &mut values, &mut key)? {
                let verdict = index.keys.judge_nulls(nulls);
                entries.null_segment = verdict == NullVerdict::Disallowed;
                if verdict != NullVerdict::Ignored {
                    entries.keys.push(key);
                }
            }
            entries
        } else {
            index.keys.entries(plan.table(), &view, &mut values)?
        };
        if let Some(error) = entries.error {
            return Err(error.into());
        }
        if is_new && entries.null_segment {
            return Err(null_key(plan, index));
        }
        if is_new && entries.truncated {
            let limit = index.keys.rules().key_most;
            return Err(ese_format::KeyError::Truncated { limit }.into());
        }
        Ok(entries)
    }

    /// Counts references to long values: those that the row being prepared has and that are neither new nor the original
    /// row's get one more, those of the original that it has no more one less.
    fn share_long_values(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        plan: &TablePlan,
        original: &[LongValueId],
        created: &[LongValueId],
    ) -> Result<()> {
        let mut now = long_values_of(&self.copy.view()?)?;
        if now.is_empty() && original.is_empty() {
            return Ok(());
        }
        let Some(tree) = plan.long_values() else {
            let what = "the table has no long values";
            return Err(TableError::LongValue { id: now.first().map_or(0, |id| id.0), what });
        };
        let (trees, state) = call.parts()?;
        let (chunk_size, buffers) = (plan.chunk_size, &mut self.buffers);
        let mut writer = LongValueWriter { trees, state, tree: &tree, chunk_size, buffers, edits: None };
        for id in original {
            match now.iter().position(|kept| kept == id) {
                Some(place) => {
                    now.swap_remove(place);
                }
                None => writer.dereference(*id)?,
            }
        }
        for id in now {
            if created.contains(&id) {
                // A rollback may have taken it away.
                writer.root(id)?;
            } else {
                writer.reference(id)?;
            }
        }
        Ok(())
    }

    pub(super) fn write_replace(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        prepared: &Prepared,
        flags: UpdateFlags,
    ) -> Result<()> {
        if flags.contains(UpdateFlags::NO_VERSION) {
            let what = "replaced rows are versioned";
            return Err(TableError::refused(what, JetError::UPDATE_MUST_VERSION));
        }
        let plan = Arc::clone(&self.plan);
        let saved = self.copy.bytes().to_vec();
        let done = nested(call, |call| {
            if !plan.temporary {
                call.begin_update(&plan.schema)?;
            }
            let mut now = Vec::new();
            if prepared.kind == PrepareKind::ReplaceNoLock {
                let (trees, state) = call.parts()?;
                gone_is_deleted(plan.rows.write_lock(trees, state, &prepared.bookmark))?;
                let reads = Reads { trees, state };
                if !plan.rows.get(&reads, &prepared.bookmark, &mut now)? {
                    return Err(TableError::RecordDeleted);
                }
                if prepared.compare && now != prepared.original {
                    return Err(LiveError::WriteConflict { root: plan.rows.root() }.into());
                }
            }
            if prepared.is_unchanged() {
                return Ok(());
            }
            if now.is_empty() {
                let reads = Reads { trees: call.trees(), state: call.state()? };
                if !plan.rows.get(&reads, &prepared.bookmark, &mut now)? {
                    return Err(TableError::RecordDeleted);
                }
            }
            self.count_version(&plan, &now)?;
            let affects = |index: &PlanIndex| {
                prepared.affects(index) || index.keys.places().any(|place| Some(place) == plan.schema.version)
            };
            if let Some(primary) = plan.primary.as_ref().filter(|primary| affects(primary)) {
                let mut key = Vec::new();
                new_row_key(&plan, &self.copy, &mut self.buffers, call, &mut key)?;
                if key != prepared.bookmark {
                    let what = "a replaced row keeps its primary key";
                    return Err(index_error(&plan, primary, what, JetError::RECORD_PRIMARY_CHANGED));
                }
            }
            for index in plan.secondary.iter().filter(|index| affects(index)) {
                let old = self.entries_of(call, &plan, index, Some((&now, &prepared.edits)))?.keys;
                let new = self.entries_of(call, &plan, index, None)?.keys;
                let (trees, state) = call.parts()?;
                for key in old.iter().filter(|key| new.binary_search(key).is_err()) {
                    delete_entry(index.tree.delete(trees, state, key, &prepared.bookmark), &plan, index)?;
                }
                for key in new.iter().filter(|key| old.binary_search(key).is_err()) {
                    index.tree.insert(trees, state, key, &prepared.bookmark)?;
                }
            }
            let original = long_values_of(&RecordView::parse(&now, plan.page_size)?)?;
            self.share_long_values(call, &plan, &original, &prepared.created)?;
            let (trees, state) = call.parts()?;
            plan.rows.replace(trees, state, &prepared.bookmark, self.copy.bytes())
        });
        if done.is_err() {
            self.copy.load(&saved);
        }
        done
    }

    /// The version column counts on from the row as it is stored.
    fn count_version(&mut self, plan: &Arc<TablePlan>, now: &[u8]) -> Result<()> {
        let Some(place) = plan.schema.version else { return Ok(()) };
        let Some(column) = plan.table().columns.get(place) else { return Ok(()) };
        let view = RecordView::parse(now, plan.page_size)?;
        let count = match column_content(plan.table(), &view, place)? {
            Some(ColumnContent::Value(value) | ColumnContent::Default(value)) => {
                value.iter().rev().fold(0_u64, |n, &byte| n << 8 | u64::from(byte)).wrapping_add(1)
            }
            _ => 1,
        };
        let bytes = count.to_le_bytes();
        let value = bytes.get(..column.slot_size().min(8)).unwrap_or_default();
        Ok(self.copy.set_fixed(&**plan, column.id, Some(value))?)
    }

    /// Deletes a row and its index entries; its long values stay.
    pub(super) fn remove_row(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        plan: &TablePlan,
        bookmark: &[u8],
        row: &[u8],
    ) -> Result<()> {
        let (trees, state) = call.parts()?;
        gone_is_deleted(plan.rows.write_lock(trees, state, bookmark))?;
        for index in &plan.secondary {
            let keys = self.entries_of(call, plan, index, Some((row, &[])))?.keys;
            let (trees, state) = call.parts()?;
            for key in &keys {
                delete_entry(index.tree.delete(trees, state, key, bookmark), plan, index)?;
            }
        }
        let (trees, state) = call.parts()?;
        plan.rows.delete(trees, state, bookmark, &[])
    }
}

fn index_error(plan: &TablePlan, index: &PlanIndex, what: &'static str, error: JetError) -> TableError {
    let name = plan.table().indexes.get(index.place).map(|index| index.name.clone());
    TableError::Index { index: name.unwrap_or_default(), what, error }
}

fn null_key(plan: &TablePlan, index: &PlanIndex) -> TableError {
    index_error(plan, index, "a key must not be null", JetError::NULL_KEY_DISALLOWED)
}

/// An entry that should be there and is not: the index is damaged.
fn delete_entry(result: Result<()>, plan: &TablePlan, index: &PlanIndex) -> Result<()> {
    match result {
        Err(TableError::Live(LiveError::KeyMissing { .. })) => {
            let what = "an entry of a row is missing";
            Err(index_error(plan, index, what, JetError::SECONDARY_INDEX_CORRUPTED))
        }
        other => other,
    }
}

/// Fails when a column that must not be null is.
#[doc(alias = "ErrRECIIllegalNulls")]
pub(super) fn check_nulls(plan: &TablePlan, row: &RecordView<'_>) -> Result<()> {
    let is_required = |column: &ColumnDefinition| {
        column.flags.intersects(ColumnFlags::NOT_NULL | ColumnFlags::AUTO_INCREMENT)
            && !column.flags.contains(ColumnFlags::DEFAULT)
            && !column.is_deleted()
    };
    for (place, column) in plan.table().columns.iter().enumerate().filter(|(_, c)| is_required(c)) {
        if column_content(plan.table(), row, place)?.is_some() {
            continue;
        }
        let error = if column.flags.contains(ColumnFlags::AUTO_INCREMENT) {
            JetError::AUTO_INCREMENT_NOT_SET
        } else {
            JetError::NULL_INVALID
        };
        return Err(TableError::Column { column: column.api_id(), what: "must not be null", error });
    }
    Ok(())
}

/// Whether a row refers to no long values.
fn has_no_long_values(row: &RecordBuffer) -> Result<bool> {
    let view = row.view()?;
    Ok(view.tagged_count()? == 0 || long_values_of(&view)?.is_empty())
}

/// Looks whether the row being prepared may be a new one, and sets what the engine sets. Its bytes before that, if they are
/// others now.
fn complete_row(plan: &TablePlan, row: &mut RecordBuffer, prepared: &Prepared) -> Result<Option<Vec<u8>>> {
    check_nulls(plan, &row.view()?)?;
    if let Some(place) = plan.schema.version
        && !prepared.is_marked(place)
        && let Some(column) = plan.table().columns.get(place)
    {
        let saved = row.bytes().to_vec();
        let zeros = vec![0; column.slot_size()];
        row.set_fixed(plan, column.id, Some(&zeros))?;
        return Ok(Some(saved));
    }
    Ok(None)
}

/// The key of a new row: that of the primary index, or the next number.
fn new_row_key(
    plan: &Arc<TablePlan>,
    row: &RecordBuffer,
    buffers: &mut LongValueBuffers,
    call: &mut SessionCallGuard<'_>,
    bookmark: &mut Vec<u8>,
) -> Result<()> {
    let Some(index) = &plan.primary else {
        let number = next_row_number(call, plan)?;
        bookmark.clear();
        bookmark.extend_from_slice(&number.to_be_bytes());
        return Ok(());
    };
    let row = RecordView::parse(row.bytes(), plan.page_size)?;
    // Only tagged columns have values elsewhere.
    let tree = if row.tagged_count()? == 0 { None } else { plan.long_values() };
    let mut values = Cursor::values(buffers, plan, tree.as_ref(), call)?;
    let nulls = index.keys.base_key(plan.table(), &row, &mut values, bookmark)?;
    match nulls.map(|nulls| index.keys.judge_nulls(nulls)) {
        Some(NullVerdict::Disallowed) => Err(null_key(plan, index)),
        _ => Ok(()),
    }
}

/// The long values that a row refers to.
pub(super) fn long_values_of(row: &RecordView<'_>) -> Result<Vec<LongValueId>> {
    let mut ids = Vec::new();
    for column in row.tagged_columns() {
        let column = column?;
        if !column.flags.contains(ese_format::TaggedFlags::LONG_VALUE) {
            continue;
        }
        for value in column.values() {
            if let TaggedValue::Separated(id) = value? {
                ids.push(id);
            }
        }
    }
    Ok(ids)
}

/// The next key of a table without primary index.
fn next_row_number(call: &SessionCallGuard<'_>, plan: &TablePlan) -> Result<u32> {
    let mut next = plan.schema.shared.next_row.lock();
    let number = match *next {
        Some(number) => number,
        None => {
            let mut place = Place::default();
            let reads = Reads { trees: call.trees(), state: call.state()? };
            let found = plan.rows.seek(&reads, &[], &[], SeekHow::Last, &mut place)?;
            let last = place.key().first_chunk::<4>().filter(|_| found);
            last.map_or(0, |bytes| u64::from(u32::from_be_bytes(*bytes))) + 1
        }
    };
    let out = TableError::refused("no row numbers are left", JetError::OUT_OF_SEQUENTIAL_INDEX_VALUES);
    let key = u32::try_from(number).map_err(|_| out)?;
    *next = Some(number + 1);
    Ok(key)
}
