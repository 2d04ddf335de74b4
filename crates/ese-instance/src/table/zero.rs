//! Rows that go when a counter of theirs is zero.

use std::sync::Arc;

use ese_format::RecordView;

use super::cursor::Cursor;
use super::error::{Result, TableError};
use super::plan::TablePlan;
use crate::database::AttachedDatabase;
use crate::reader::{ColumnContent, column_content};
use crate::schema::TableSchema;
use crate::session::SessionCallGuard;

/// A counter that a transaction has made zero, in a column whose rows go then.
#[doc(alias = "JET_bitColumnDeleteOnZero")]
#[derive(Clone, Debug)]
pub(crate) struct ZeroCounter {
    pub(super) database: Arc<AttachedDatabase>,
    pub(super) table: Arc<TableSchema>,
    pub(super) bookmark: Vec<u8>,
    /// Place of the column in the definition's list.
    pub(super) place: usize,
}

/// Deletes the rows whose counters are zero still, each in a transaction of its own: what somebody else has changed or is
/// changing stays until a counter of it becomes zero again.
#[doc(alias = "FINALIZETASK")]
pub(crate) fn delete_zero_rows(call: &mut SessionCallGuard<'_>, counters: Vec<ZeroCounter>) -> Result<()> {
    for counter in counters {
        match super::update::nested(call, |call| delete_zero_row(call, &counter)) {
            Ok(())
            | Err(TableError::RecordDeleted | TableError::NoCurrentRecord | TableError::Instance(_)) => {}
            Err(TableError::Live(error)) if error.jet_error() == ese_format::JetError::WRITE_CONFLICT => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn delete_zero_row(call: &mut SessionCallGuard<'_>, counter: &ZeroCounter) -> Result<()> {
    let schema = call.current_schema(&counter.database, &counter.table)?;
    let wide = counter.database.version().supports_long_value_id_64();
    let plan = Arc::new(TablePlan::new(schema, counter.database.page_size(), wide));
    let mut cursor = Cursor::new(Arc::clone(&plan));
    cursor.goto_bookmark(call, &counter.bookmark, 1)?;
    cursor.lock_row(call)?;
    cursor.read_row(call)?;
    let view = RecordView::parse(cursor.row.data(), plan.page_size)?;
    let zero = match column_content(plan.table(), &view, counter.place)? {
        Some(ColumnContent::Value(value)) => value.iter().all(|&byte| byte == 0),
        _ => false,
    };
    if zero { cursor.delete(call, true) } else { Ok(()) }
}
