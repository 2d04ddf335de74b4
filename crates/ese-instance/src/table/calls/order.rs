//! Calls that choose the order of the rows: the current index.

use crate::table::Table;
use crate::table::cursor::Location;
use crate::table::error::Result;
use crate::table::temporary::TableCall;

impl Table {
    /// Name of the current index; `None` when rows are in the order of their insertion.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JetGetCurrentIndex")]
    pub fn current_index(&mut self) -> Result<Option<String>> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, _| {
            let index = cursor.current_index().and_then(|index| cursor.plan.table().indexes.get(index.place));
            Ok(index.map(|index| index.name.clone()))
        })
    }

    /// Chooses the order of moves and seeks: an index by name, or (`None`) the primary one. The cursor stands on the first row.
    ///
    /// # Errors
    /// `Refused` with `JET_errIndexNotFound`; refused at the door.
    #[doc(alias = "JetSetCurrentIndex")]
    #[doc(alias = "JET_bitMoveFirst")]
    pub fn set_current_index(&mut self, name: Option<&str>) -> Result<()> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, call| {
            cursor.check_unfiltered()?;
            cursor.cancel_for_move(call)?;
            if let Err(error) = cursor.set_current_index(name) {
                // The order before is gone, unless it is that of the rows.
                cursor.set_current_index(None)?;
                return Err(error);
            }
            cursor.stand(Location::First);
            Ok(())
        })
    }

    /// As [`set_current_index`](Self::set_current_index), and the cursor stays on its row: on the entry of value number
    /// `instance` (from 1).
    ///
    /// # Errors
    /// `NoCurrentRecord` when it is on no row, or the row has no entry in the index; `RecordDeleted`.
    #[doc(alias = "JetSetCurrentIndex2")]
    #[doc(alias = "JetSetCurrentIndex3")]
    #[doc(alias = "JetSetCurrentIndex4")]
    #[doc(alias = "JET_bitNoMove")]
    pub fn set_current_index_no_move(&mut self, name: Option<&str>, instance: u32) -> Result<()> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, call| {
            cursor.check_unfiltered()?;
            cursor.check_was_on_row()?;
            let bookmark = cursor.row.key().to_vec();
            if let Err(error) = cursor.set_current_index(name) {
                cursor.set_current_index(None)?;
                return Err(error);
            }
            cursor.goto_bookmark(call, &bookmark, instance.max(1) as usize)
        })
    }
}
