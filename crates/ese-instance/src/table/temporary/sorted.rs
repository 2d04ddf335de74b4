//! Reading sorted rows that are no table: they are numbered, and searched by halving.

use ese_btree::live::SeekHow;
use ese_format::{JetError, RecordView};

use super::super::cursor::{Cursor, Location, SeekFlags};
use super::super::error::{Result, TableError, TableStatus};
use super::super::tree::{Place, Reads};
use crate::session::SessionCallGuard;

impl Cursor {
    /// The key by which a row was sorted.
    #[doc(alias = "ErrIsamSortRetrieveKey")]
    fn key_of_sorted(&mut self, call: &SessionCallGuard<'_>, row: &[u8], key: &mut Vec<u8>) -> Result<()> {
        let plan = std::sync::Arc::clone(&self.plan);
        let Some(primary) = &plan.primary else { return Err(TableError::NoCurrentIndex) };
        let row = RecordView::parse(row, plan.page_size)?;
        let mut values = Self::values(&mut self.buffers, &plan, None, call)?;
        primary.keys.base_key(plan.table(), &row, &mut values, key)?;
        Ok(())
    }

    /// The key of the current row: in sorted rows that by which they are sorted.
    pub(in crate::table) fn key_here(&mut self, call: &SessionCallGuard<'_>) -> Result<Vec<u8>> {
        if !self.plan.sorted {
            return Ok(self.current_key().to_vec());
        }
        let mut key = Vec::new();
        let row = self.row.data().to_vec();
        self.key_of_sorted(call, &row, &mut key)?;
        Ok(key)
    }

    /// Bookmark of the current row.
    #[doc(alias = "ErrIsamSortGetBookmark")]
    pub(in crate::table) fn bookmark_here(&self) -> Vec<u8> {
        let mut bookmark = self.row.key().to_vec();
        if self.plan.sorted {
            // Where sorted rows are named, it is by a number of the machine.
            bookmark.reverse();
        }
        bookmark
    }

    /// Goes to a sorted row by its bookmark.
    #[doc(alias = "ErrIsamSortGotoBookmark")]
    pub(in crate::table) fn goto_sorted(
        &mut self,
        call: &SessionCallGuard<'_>,
        bookmark: &[u8],
    ) -> Result<()> {
        let Ok(number) = <[u8; 4]>::try_from(bookmark) else {
            let what = "a bookmark of another length";
            return Err(TableError::refused(what, JetError::INVALID_BOOKMARK));
        };
        let mut key = number;
        key.reverse();
        self.range = None;
        if self.seek_place(call, &key, &[], SeekHow::AtLeast)? && self.row.key() == key {
            return Ok(());
        }
        self.location = Location::AfterLast;
        Err(TableError::NoCurrentRecord)
    }

    /// Looks for a key among sorted rows.
    #[doc(alias = "ErrIsamSortSeek")]
    pub(in crate::table) fn seek_sorted(
        &mut self,
        call: &SessionCallGuard<'_>,
        wanted: &[u8],
        flags: SeekFlags,
    ) -> Result<TableStatus> {
        let reads = Reads { trees: call.trees(), state: call.state()? };
        let mut place = Place::default();
        let tree = self.plan.rows;
        let mut end = 0;
        if tree.seek(&reads, &[], &[], SeekHow::Last, &mut place)? {
            end = place.key().first_chunk().map_or(0, |key| u32::from_be_bytes(*key) + 1);
        }
        if end == 0 {
            return Err(TableError::RecordNotFound);
        }
        // The first row that is not below the key, and whether it has it.
        let (mut low, mut high, mut equal) = (0, end, false);
        let (mut key, mut row) = (Vec::new(), Vec::new());
        while low < high {
            let middle = low + (high - low) / 2;
            let reads = Reads { trees: call.trees(), state: call.state()? };
            tree.get(&reads, &middle.to_be_bytes(), &mut row)?;
            self.key_of_sorted(call, &row, &mut key)?;
            if *key < *wanted {
                low = middle + 1;
            } else {
                equal = key == wanted;
                high = middle;
            }
        }
        let position = if flags.contains(SeekFlags::LESS) {
            low.checked_sub(1)
        } else if flags.contains(SeekFlags::LESS_OR_EQUAL) {
            if equal { Some(low) } else { low.checked_sub(1) }
        } else if flags.contains(SeekFlags::GREATER_OR_EQUAL) {
            Some(low)
        } else if flags.contains(SeekFlags::GREATER) {
            Some(if equal { low + 1 } else { low })
        } else {
            (equal).then_some(low)
        };
        let Some(position) = position.filter(|&position| position < end) else {
            let below = flags.intersects(SeekFlags::LESS | SeekFlags::LESS_OR_EQUAL);
            // An equal key that is not there leaves the cursor on the row behind.
            let stay = (!below && low < end && !equal).then_some(low);
            match stay {
                Some(position) => {
                    self.seek_place(call, &position.to_be_bytes(), &[], SeekHow::AtLeast)?;
                }
                None => self.location = if below { Location::BeforeFirst } else { Location::AfterLast },
            }
            return Err(TableError::RecordNotFound);
        };
        self.seek_place(call, &position.to_be_bytes(), &[], SeekHow::AtLeast)?;
        // Whether the key is another one is not said.
        Ok(TableStatus::Done)
    }
}
