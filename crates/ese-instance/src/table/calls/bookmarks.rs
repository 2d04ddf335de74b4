//! Calls that tell where a cursor is, and go back there: bookmarks, entries of secondary indexes, keys.

use crate::table::error::Result;
use crate::table::temporary::TableCall;
use crate::table::{Table, TableError};

impl Table {
    /// The current row's bookmark: its primary key.
    ///
    /// # Errors
    /// `NoCurrentRecord`.
    #[doc(alias = "JetGetBookmark")]
    pub fn bookmark(&mut self) -> Result<Vec<u8>> {
        self.allow(TableCall::Bookmark)?;
        self.call(|cursor, _| {
            cursor.check_was_on_row()?;
            Ok(cursor.bookmark_here())
        })
    }

    /// Goes to a row by its bookmark, in whatever index is current.
    ///
    /// # Errors
    /// `RecordDeleted` when it is gone; `NoCurrentRecord` when it has no entry in the current index; `Refused`
    /// (`JET_errInvalidBookmark`) for no bytes.
    #[doc(alias = "JetGotoBookmark")]
    pub fn goto_bookmark(&mut self, bookmark: &[u8]) -> Result<()> {
        self.allow(TableCall::Bookmark)?;
        self.call(|cursor, call| cursor.goto_bookmark(call, bookmark, 1))
    }

    /// Key and bookmark of the current entry of a secondary index.
    ///
    /// # Errors
    /// `NoCurrentIndex` on the primary one; `NoCurrentRecord`.
    #[doc(alias = "JetGetSecondaryIndexBookmark")]
    pub fn secondary_bookmark(&mut self) -> Result<(Vec<u8>, Vec<u8>)> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, call| {
            if cursor.index.is_none() {
                return Err(TableError::NoCurrentIndex);
            }
            cursor.read_entry(call)?;
            Ok((cursor.entry.key().to_vec(), cursor.entry.data().to_vec()))
        })
    }

    /// Goes to an entry of the current secondary index. `permit_virtual`: when it is gone, moves go on from where it was.
    ///
    /// # Errors
    /// `RecordDeleted` when it is gone, or another row has the key in a unique index; `NoCurrentIndex`; `Refused`
    /// (`JET_errInvalidBookmark`).
    #[doc(alias = "JetGotoSecondaryIndexBookmark")]
    #[doc(alias = "JET_bitBookmarkPermitVirtualCurrency")]
    pub fn goto_secondary_bookmark(
        &mut self,
        key: &[u8],
        bookmark: &[u8],
        permit_virtual: bool,
    ) -> Result<()> {
        self.allow(TableCall::OnlyDatabases)?;
        self.call(|cursor, call| cursor.goto_entry(call, key, bookmark, permit_virtual))
    }

    /// The key of the current row in the current index.
    ///
    /// # Errors
    /// `NoCurrentRecord`.
    #[doc(alias = "JetRetrieveKey")]
    pub fn current_key(&mut self) -> Result<Vec<u8>> {
        self.allow(TableCall::SearchKey)?;
        if self.is_being_filled() {
            // There is no row yet, and none is asked for.
            return Ok(Vec::new());
        }
        self.call(|cursor, call| {
            cursor.read_entry(call)?;
            cursor.key_here(call)
        })
    }
}
