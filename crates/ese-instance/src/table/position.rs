//! Counting rows, and where among them a row is.

use ese_btree::live::SeekHow;

use super::Table;
use super::cursor::{Cursor, Location};
use super::error::{Result, TableError};
use super::temporary::TableCall;
use super::tree::{Place, Reads};
use crate::session::SessionCallGuard;

/// Up to so many rows are counted; among more a position is an estimate, as the engine's always are.
const MOST_COUNTED: u64 = 4096;

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

    /// Where the current row is: counted in a small tree, estimated in a large one.
    fn position(&mut self, call: &mut SessionCallGuard<'_>) -> Result<RecordPosition> {
        self.check_unfiltered()?;
        self.check_has_place(call)?;
        let (tree, here) = (self.tree(), self.place());
        let reads = Reads { trees: call.trees(), state: call.state()? };
        let (before, total) = tree.estimate(&reads, here)?;
        if total > MOST_COUNTED {
            return Ok(RecordPosition { before, total });
        }
        let mut position = RecordPosition::default();
        let mut place = Place::default();
        let unique = tree.is_unique();
        let mut found = tree.seek(&reads, &[], &[], SeekHow::First, &mut place)?;
        while found {
            position.total += 1;
            let order = place.key().cmp(here.key());
            let order = if unique { order } else { order.then_with(|| place.data().cmp(here.data())) };
            if order.is_lt() {
                position.before += 1;
            }
            found = tree.next(&reads, &mut place)?;
        }
        Ok(position)
    }

    fn goto_position(&mut self, call: &mut SessionCallGuard<'_>, wanted: RecordPosition) -> Result<()> {
        self.check_unfiltered()?;
        if wanted.before > wanted.total {
            return Err(TableError::parameter("more rows before than there are"));
        }
        self.reset_for_goto(call)?;
        match self.move_first(call) {
            Err(TableError::NoCurrentRecord) => return Err(TableError::RecordNotFound),
            other => other?,
        }
        let total = self.position(call)?.total;
        if total > MOST_COUNTED {
            let (before, all) = (wanted.before, wanted.total.max(1));
            if self.at_place(call, |tree, reads, place| tree.seek_share(reads, before, all, place))? {
                return Ok(());
            }
            return self.move_last(call);
        }
        let share = u128::from(wanted.before) * u128::from(total) / u128::from(wanted.total.max(1));
        let skip = u64::try_from(share).unwrap_or(total).min(total.saturating_sub(1));
        for _ in 0..skip {
            if !self.next_for_count(call)? {
                break;
            }
        }
        Ok(())
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

    /// Where the current row is among those of the current index: counted in a small table, estimated in a large one.
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
        self.go(|cursor, call| cursor.goto_position(call, position))
    }
}
