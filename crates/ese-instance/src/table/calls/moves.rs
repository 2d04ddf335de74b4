//! Calls that move a cursor: steps, seeks by a search key, ranges.

use ese_format::KeyFlags;

use crate::table::cursor::{Cursor, RangeFlags, SeekFlags};
use crate::table::error::Result;
use crate::table::temporary::TableCall;
use crate::table::{Table, TableError, TableStatus};

impl Table {
    /// Moves to the first row of the current index, and takes a range away.
    ///
    /// # Errors
    /// `NoCurrentRecord` when there is none; refused at the door; `Live`.
    #[doc(alias = "JetMove")]
    #[doc(alias = "JET_MoveFirst")]
    pub fn move_first(&mut self) -> Result<()> {
        self.allow(TableCall::Move)?;
        self.end_insertion(true)?;
        self.go(Cursor::move_first)
    }

    /// Moves to the last row of the current index, and takes a range away.
    ///
    /// # Errors
    /// As [`move_first`](Self::move_first).
    #[doc(alias = "JET_MoveLast")]
    pub fn move_last(&mut self) -> Result<()> {
        self.allow(TableCall::Move)?;
        self.end_insertion(true)?;
        self.go(Cursor::move_last)
    }

    /// Moves to the next row.
    ///
    /// # Errors
    /// `NoCurrentRecord` behind the last, or behind the range; the cursor stands after the last row then.
    #[doc(alias = "JET_MoveNext")]
    pub fn move_next(&mut self) -> Result<()> {
        if self.temporary.is_some() {
            return self.move_by(1, false);
        }
        self.go(Cursor::move_next)
    }

    /// Moves to the row before.
    ///
    /// # Errors
    /// `NoCurrentRecord` before the first, or before the range; the cursor stands before the first row then.
    #[doc(alias = "JET_MovePrevious")]
    pub fn move_previous(&mut self) -> Result<()> {
        self.move_by(-1, false)
    }

    /// Moves by a number of rows, or of different keys; 0 only looks whether the row is there.
    ///
    /// # Errors
    /// `NoCurrentRecord` when there are not so many; `RecordDeleted` for 0 when the row is gone.
    #[doc(alias = "JetMove")]
    #[doc(alias = "JET_bitMoveKeyNE")]
    pub fn move_by(&mut self, rows: i32, to_other_keys: bool) -> Result<()> {
        let kind = if rows < 0 { TableCall::MoveBack } else { TableCall::Move };
        self.allow(kind)?;
        if self.is_being_filled() {
            self.end_insertion(rows > 0)?;
            self.allow(kind)?;
        }
        if rows == 0 {
            // It goes nowhere: a rollback does not take the place away.
            return self.call(|cursor, call| cursor.move_by(call, rows, to_other_keys));
        }
        self.go(|cursor, call| cursor.move_by(call, rows, to_other_keys))
    }

    /// Adds a segment to the search key of the current index.
    ///
    /// # Errors
    /// `SearchKey`; `NoCurrentIndex`; refused at the door.
    #[doc(alias = "JetMakeKey")]
    pub fn make_key(&mut self, data: &[u8], flags: KeyFlags) -> Result<()> {
        self.allow(TableCall::SearchKey)?;
        self.call(|cursor, _| cursor.make_key(data, flags))
    }

    /// Looks for a row by the search key, which is used up.
    ///
    /// # Errors
    /// `KeyNotMade`; `RecordNotFound`, and the cursor stands where the row would be; `Live`.
    #[doc(alias = "JetSeek")]
    pub fn seek(&mut self, flags: SeekFlags) -> Result<TableStatus> {
        self.allow(TableCall::Seek)?;
        if self.is_being_filled() {
            self.end_insertion(false)?;
            self.check_sorted_rows()?;
            self.allow(TableCall::Seek)?;
        }
        self.call(|cursor, call| cursor.seek(call, flags))
    }

    /// Limits moves by the search key, which is used up.
    ///
    /// # Errors
    /// `NoCurrentRecord` when the current row lies outside; `KeyNotMade`; `NoCurrentIndex`; `Refused` for taking away a range
    /// that is not there.
    #[doc(alias = "JetSetIndexRange")]
    pub fn set_index_range(&mut self, flags: RangeFlags) -> Result<()> {
        self.allow(TableCall::SetRange)?;
        self.call(|cursor, call| cursor.set_index_range(call, flags))
    }

    /// The search key, used up or not.
    ///
    /// # Errors
    /// `KeyNotMade` when there never was one.
    #[doc(alias = "JetRetrieveKey")]
    #[doc(alias = "JET_bitRetrieveCopy")]
    pub fn search_key(&mut self) -> Result<Vec<u8>> {
        self.allow(TableCall::SearchKey)?;
        self.call(|cursor, _| match cursor.search_key.key() {
            [] => Err(TableError::KeyNotMade),
            key => Ok(key.to_vec()),
        })
    }
}
