//! Setting several columns of the row being prepared in one call.

use super::cursor::Cursor;
use super::error::{Result, TableError, TableStatus};
use super::long_values::LONGEST;
use super::set_column::SetOptions;
use super::update::PrepareKind;
use crate::database::AttachedDatabase;
use crate::session::SessionCallGuard;

/// One of several columns that are set together.
#[doc(alias = "JET_SETCOLUMN")]
#[derive(Debug)]
pub struct ColumnWrite<'a> {
    /// Column.
    pub column: u32,
    /// The value. No bytes mean null, unless [`SetFlags::ZERO_LENGTH`](crate::SetFlags::ZERO_LENGTH) is there.
    pub data: &'a [u8],
    /// Where and how it is set.
    pub options: SetOptions,
    /// Afterwards, when it was set: whether anything is to be told.
    #[doc(alias = "err")]
    pub status: TableStatus,
}

impl<'a> ColumnWrite<'a> {
    /// The first value of a column.
    #[must_use]
    pub fn new(column: u32, data: &'a [u8]) -> Self {
        Self { column, data, options: SetOptions::default(), status: TableStatus::Done }
    }
}

impl Cursor {
    /// Several columns, one after the other, until one fails. The answer is that of the last.
    pub(super) fn set_columns(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        database: Option<&AttachedDatabase>,
        columns: &mut [ColumnWrite<'_>],
    ) -> Result<TableStatus> {
        if self.prepared.as_ref().is_none_or(|prepared| prepared.kind == PrepareKind::ReadOnlyCopy) {
            return Err(TableError::UpdateNotPrepared);
        }
        if columns.iter().any(|column| column.data.len() as u64 > LONGEST) {
            return Err(TableError::parameter("a value longer than any can be"));
        }
        let mut status = TableStatus::Done;
        for column in columns {
            status = self.set_column(call, database, column.column, column.data, &column.options)?;
            column.status = status;
        }
        Ok(status)
    }
}
