//! Calls that read the current row, or the one being prepared.

use crate::table::error::Result;
use crate::table::temporary::TableCall;
use crate::table::{
    ColumnRead, EnumerateColumn, EnumerateFlags, EnumeratedColumn, RecordSize, RecordSizeFlags,
    RetrieveFlags, RetrieveOptions, Retrieved, Table, TableStatus, retrieve,
};

impl Table {
    /// Reads a column into `out`, as far as it fits.
    ///
    /// # Errors
    /// `NoCurrentRecord`, `RecordDeleted`; `ColumnNotFound`, `BadColumnId`; `Refused` for options that do not go together;
    /// damaged rows and long values.
    #[doc(alias = "JetRetrieveColumn")]
    pub fn retrieve_column(
        &mut self,
        column: u32,
        out: &mut [u8],
        options: impl Into<RetrieveOptions>,
    ) -> Result<Retrieved> {
        self.allow(TableCall::Read)?;
        let options = options.into();
        self.call(|cursor, call| retrieve::reading(call, |call| cursor.retrieve(call, column, out, &options)))
    }

    /// Reads several columns, one after the other. `Truncated` when one of them was.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column), with the first that fails; what was read before stays.
    #[doc(alias = "JetRetrieveColumns")]
    pub fn retrieve_columns(&mut self, columns: &mut [ColumnRead<'_>]) -> Result<TableStatus> {
        self.allow(TableCall::Read)?;
        self.call(|cursor, call| retrieve::reading(call, |call| cursor.retrieve_columns(call, columns)))
    }

    /// A column's whole value; `None` for null.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column).
    pub fn get(&mut self, column: u32) -> Result<Option<Vec<u8>>> {
        self.get_with(column, RetrieveOptions::default())
    }

    /// A column's value from an offset on; `None` for null.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column).
    pub fn get_with(&mut self, column: u32, options: impl Into<RetrieveOptions>) -> Result<Option<Vec<u8>>> {
        self.allow(TableCall::Read)?;
        let options = options.into();
        self.call(|cursor, call| {
            retrieve::reading(call, |call| {
                let mut value = vec![0; 256];
                let mut found = cursor.retrieve(call, column, &mut value, &options)?;
                if found.status == TableStatus::Truncated {
                    value.resize(found.length, 0);
                    found = cursor.retrieve(call, column, &mut value, &options)?;
                }
                value.truncate(found.length);
                Ok((found.status != TableStatus::Null).then_some(value))
            })
        })
    }

    /// Number of values of a column; of all tagged columns for column 0.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column).
    #[doc(alias = "itagSequence")]
    pub fn count_values(&mut self, column: u32, flags: RetrieveFlags) -> Result<u32> {
        self.allow(TableCall::Read)?;
        self.call(|cursor, call| cursor.count_values(call, column, flags))
    }

    /// The columns of a row: all of them when `columns` is empty. Of values that are stored apart at most `most` bytes are
    /// read. A listed column that the table does not have has the error as its status; the original's call returns the first
    /// such error, and the columns all the same.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column).
    #[doc(alias = "JetEnumerateColumns")]
    pub fn enumerate_columns(
        &mut self,
        columns: &[EnumerateColumn],
        most: usize,
        flags: EnumerateFlags,
    ) -> Result<Vec<EnumeratedColumn>> {
        self.allow(TableCall::Read)?;
        self.call(|cursor, call| retrieve::reading(call, |call| cursor.enumerate(call, columns, most, flags)))
    }

    /// Measures the current row, or the one being prepared.
    ///
    /// # Errors
    /// As [`retrieve_column`](Self::retrieve_column); `UpdateNotPrepared`.
    #[doc(alias = "JetGetRecordSize")]
    #[doc(alias = "JetGetRecordSize2")]
    #[doc(alias = "JetGetRecordSize3")]
    pub fn record_size(&mut self, flags: RecordSizeFlags, size: &mut RecordSize) -> Result<()> {
        self.allow(TableCall::Read)?;
        self.call(|cursor, call| retrieve::reading(call, |call| cursor.record_size(call, flags, size)))
    }

    /// A hint that rows will be read in order; rows are read the same way.
    #[doc(alias = "JetSetTableSequential")]
    #[doc(alias = "JetResetTableSequential")]
    pub const fn set_sequential(&mut self, _sequential: bool) {}
}
