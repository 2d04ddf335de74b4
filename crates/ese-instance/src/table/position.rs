//! Counting rows, and where among them a row is.

use super::Table;
use super::cursor::{Cursor, Location};
use super::error::{Result, TableError};
use super::temporary::TableCall;
use super::tree::Reads;
use crate::session::SessionCallGuard;

/// Where a row is among those of its index.
#[doc(alias = "JET_RECPOS")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordPosition {
    /// Rows before it.
    #[doc(alias = "centriesLT")]
    pub before: u64,
    /// All rows.
    #[doc(alias = "centriesTotal")]
    pub total: u64,
}

impl Cursor {
    /// Rows from the current one on, in the range; at most `most` when that is not 0. The cursor comes back to its row.
    #[doc(alias = "ErrDIRIndexRecordCount")]
    fn count(&mut self, call: &mut SessionCallGuard<'_>, most: u64) -> Result<u64> {
        self.check_unfiltered()?;
        let put_off = self.location == Location::First;
        match self.check_on_entry(call) {
            Err(TableError::NoCurrentRecord) if put_off => return Ok(0),
            on => on?,
        }
        // An entry that is gone has nothing behind it, as far as counting goes.
        let row_location = self.row_location;
        self.read_entry(call)?;
        let (row, entry) = (self.row.clone(), self.entry.clone());
        let mut count = 1;
        let mut result = Ok(());
        while most == 0 || count < most {
            match self.next_for_count(call) {
                Ok(true) => count += 1,
                Ok(false) => break,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        (self.row, self.entry) = (row, entry);
        self.location = Location::OnRow;
        self.row_location = if self.index.is_some() { row_location } else { Location::OnRow };
        self.range = None;
        self.forget_row();
        result.map(|()| count)
    }

    /// Where the current row is, by the lines of the pages on the way to it.
    #[doc(alias = "ErrDIRGetPosition")]
    fn position(&mut self, call: &mut SessionCallGuard<'_>) -> Result<RecordPosition> {
        self.check_unfiltered()?;
        self.check_has_place(call)?;
        let reads = Reads { trees: call.trees(), state: call.state()? };
        let (before, total) = self.tree().estimate(&reads, self.place())?;
        Ok(RecordPosition { before, total })
    }

    #[doc(alias = "ErrDIRGotoPosition")]
    fn goto_position(&mut self, call: &mut SessionCallGuard<'_>, wanted: RecordPosition) -> Result<()> {
        self.check_unfiltered()?;
        if wanted.before > wanted.total {
            return Err(TableError::parameter("more rows before than there are"));
        }
        self.reset_for_goto(call)?;
        self.note_navigation();
        let (before, all) = (wanted.before, wanted.total);
        if self.at_place(call, |tree, reads, place| tree.seek_share(reads, before, all, place))? {
            return Ok(());
        }
        match self.move_last(call) {
            Err(TableError::NoCurrentRecord) => {
                self.stand(Location::BeforeFirst);
                Err(TableError::RecordNotFound)
            }
            moved => moved,
        }
    }
}

impl Table {
    /// Number of rows from the current one on, within the range; at most `most` when that is not 0. The range is gone
    /// afterwards.
    ///
    /// # Errors
    /// `NoCurrentRecord` when the cursor is on no row; an empty table has 0 rows.
    #[doc(alias = "JetIndexRecordCount")]
    #[doc(alias = "JetIndexRecordCount2")]
    pub fn count(&mut self, most: u64) -> Result<u64> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, call| cursor.count(call, most))
    }

    /// Where the current row is among those of the current index, by estimate: as if all pages of a level had as many lines as
    /// the ones on the way to the row. Exact where one page holds all; rows that are deleted and not yet gone count.
    ///
    /// # Errors
    /// `NoCurrentRecord`.
    #[doc(alias = "JetGetRecordPosition")]
    pub fn record_position(&mut self) -> Result<RecordPosition> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(Cursor::position)
    }

    /// Goes to the row at a position, or to the one at the same share of as many rows as there are.
    ///
    /// # Errors
    /// `RecordNotFound` in an empty table; `Refused` for a position that cannot be.
    #[doc(alias = "JetGotoPosition")]
    pub fn goto_position(&mut self, position: RecordPosition) -> Result<()> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, call| cursor.goto_position(call, position))
    }
}
