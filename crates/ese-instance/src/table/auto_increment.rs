//! Numbers for auto-increment columns.

use std::sync::Arc;

use ese_btree::live::SeekHow;
use ese_format::{JetError, RecordView, RootFields};

use super::cursor::Cursor;
use super::error::{Result, TableError};
use super::plan::{PlanIndex, TablePlan};
use super::tree::{Place, Reads};
use super::update::nested;
use super::{PrepareKind, Table, UpdateFlags};
use crate::catalog::ColumnDefinition;
use crate::database::AttachedDatabase;
use crate::reader::{ColumnContent, column_content};
use crate::schema::{NumberReserve, TableSchema};
use crate::session::SessionCallGuard;

/// Most numbers that are reserved at once where the root of the table says how far they are reserved.
const MOST_AT_ONCE: u64 = 1000;

/// The next number of the auto-increment column; `take` it, or only look for it.
#[doc(alias = "ErrRECIGetAndIncrAutoincrement")]
pub(super) fn next_auto_increment(
    call: &mut SessionCallGuard<'_>,
    plan: &TablePlan,
    take: bool,
) -> Result<u64> {
    let Some((place, column)) =
        plan.schema.auto_increment.and_then(|place| Some((place, plan.table().columns.get(place)?)))
    else {
        return Ok(0);
    };
    let shared = Arc::clone(&plan.schema.shared);
    let mut numbers = shared.auto_increment.lock();
    if numbers.next == 0 {
        numbers.next = match call.trees().root_fields(&plan.rows.0)?.auto_increment {
            Some(last) => last.saturating_add(1),
            None => highest_number(call, plan, place, column)?.saturating_add(1),
        };
    }
    let number = numbers.next;
    let most = if column.slot_size() == 4 { i32::MAX as u64 } else { i64::MAX as u64 };
    if number >= most {
        let what = "no auto-increment values are left";
        return Err(TableError::refused(what, JetError::OUT_OF_AUTOINCREMENT_VALUES));
    }
    if take {
        if number > numbers.reserved {
            reserve_numbers(call, plan, &mut numbers, most)?;
        }
        numbers.next = number + 1;
    }
    Ok(number)
}

/// Engines of newer formats keep in the root of the table how far numbers are reserved: two at first, and twice as many each
/// time after.
#[doc(alias = "ErrRECILoadAutoIncBatch")]
fn reserve_numbers(
    call: &mut SessionCallGuard<'_>,
    plan: &TablePlan,
    numbers: &mut NumberReserve,
    most: u64,
) -> Result<()> {
    numbers.reserved = u64::MAX;
    let tree = plan.rows.0;
    let fields = call.trees().root_fields(&tree)?;
    let Some(stored) = fields.auto_increment else { return Ok(()) };
    numbers.at_once = (numbers.at_once.max(1) * 2).min(MOST_AT_ONCE);
    let last = stored.max(numbers.next - 1).saturating_add(numbers.at_once).min(most - 1);
    let fields = RootFields { auto_increment: Some(last), ..fields };
    numbers.reserved = 0;
    nested(call, |call| {
        let (trees, state) = call.parts()?;
        Ok(trees.set_root_fields(state, &tree, &fields)?)
    })?;
    numbers.reserved = last;
    Ok(())
}

/// Numbers the rows of a table that got its auto-increment column, in the order of the primary index.
#[doc(alias = "ErrFILEIUpdateAutoInc")]
pub(crate) fn number_rows(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    table: &Arc<TableSchema>,
) -> Result<()> {
    let schema = call.current_schema(database, table)?;
    let Some(place) = schema.auto_increment else { return Ok(()) };
    let wide = database.version().supports_long_value_id_64();
    let plan = Arc::new(TablePlan::new(schema, database.page_size(), wide));
    let Some(column) = plan.table().columns.get(place) else { return Ok(()) };
    let (id, size) = (column.id, column.slot_size().min(8));
    let mut cursor = Cursor::new(Arc::clone(&plan));
    let (mut last, mut bookmark) = (0_u64, Vec::new());
    let mut moved = cursor.move_first(call);
    while moved.is_ok() {
        cursor.prepare(call, PrepareKind::ReplaceNoLock, true)?;
        last += 1;
        let number = last.to_le_bytes();
        cursor.copy.set_fixed(&*plan, id, number.get(..size))?;
        if let Some(prepared) = &mut cursor.prepared {
            prepared.mark(place);
        }
        cursor.update(call, UpdateFlags::empty(), &mut bookmark)?;
        moved = cursor.move_by(call, 1, false);
    }
    moved.or_else(|error| if matches!(error, TableError::NoCurrentRecord) { Ok(()) } else { Err(error) })?;
    *plan.schema.shared.auto_increment.lock() = NumberReserve::default();
    let tree = plan.rows.0;
    let fields = call.trees().root_fields(&tree)?;
    if fields.auto_increment.is_none() {
        return Ok(());
    }
    let (trees, state) = call.parts()?;
    Ok(trees.set_root_fields(state, &tree, &RootFields { auto_increment: Some(last), ..fields })?)
}

impl Table {
    /// Takes a number of the auto-increment column without a row: nobody else gets it.
    ///
    /// # Errors
    /// `Refused`: a table without such a column (`JET_errInvalidOperation`), or one whose root does not keep how far numbers
    /// are reserved (`JET_errFeatureNotAvailable`).
    #[doc(alias = "ErrRECRetrieveAndReserveAutoInc")]
    pub fn reserve_number(&mut self) -> Result<u64> {
        self.call(|cursor, call| {
            let plan = Arc::clone(&cursor.plan);
            if plan.schema.auto_increment.is_none() {
                return Err(TableError::refused("no column to be numbered", JetError::INVALID_OPERATION));
            }
            if call.trees().root_fields(&plan.rows.0)?.auto_increment.is_none() {
                let what = "the table does not keep how far numbers are reserved";
                return Err(TableError::refused(what, JetError::FEATURE_NOT_AVAILABLE));
            }
            next_auto_increment(call, &plan, true)
        })
    }
}

/// The highest number that any row has.
#[doc(alias = "ErrRECIInitAutoIncOldFormat")]
fn highest_number(
    call: &SessionCallGuard<'_>,
    plan: &TablePlan,
    place: usize,
    column: &ColumnDefinition,
) -> Result<u64> {
    let reads = Reads { trees: call.trees(), state: call.state()? };
    let number_of = |row: &[u8]| -> Result<u64> {
        let view = RecordView::parse(row, plan.page_size)?;
        Ok(match column_content(plan.table(), &view, place)? {
            Some(ColumnContent::Value(value)) => {
                let number = value.iter().rev().fold(0_u64, |n, &byte| n << 8 | u64::from(byte));
                // Negative numbers lie below all that are given out.
                if number >> (8 * column.slot_size().min(8) - 1) == 0 { number } else { 0 }
            }
            _ => 0,
        })
    };
    let mut row = Place::default();
    let sorted = |index: &&PlanIndex| {
        let definition = plan.table().indexes.get(index.place);
        let first = definition.and_then(|index| index.segments.first());
        first.is_some_and(|segment| plan.table().column_of(segment).is_some_and(|(found, _)| found == place))
    };
    let by_number = plan.primary.iter().chain(&plan.secondary).find(sorted);
    if let Some(index) = by_number {
        let descending = index.segments.first().is_some_and(|segment| segment.descending);
        let how = if descending { SeekHow::First } else { SeekHow::Last };
        let mut entry = Place::default();
        if index.tree.seek(&reads, &[], &[], how, &mut entry)? {
            let mut bytes = entry.data().to_vec();
            if index.tree.root() != plan.rows.root() {
                plan.rows.get(&reads, entry.data(), &mut bytes)?;
            }
            return number_of(&bytes);
        }
        return Ok(0);
    }
    let mut highest = 0;
    let mut found = plan.rows.seek(&reads, &[], &[], SeekHow::First, &mut row)?;
    while found {
        highest = highest.max(number_of(row.data())?);
        found = plan.rows.next(&reads, &mut row)?;
    }
    Ok(highest)
}
