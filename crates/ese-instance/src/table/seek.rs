//! Search keys, seeks, ranges, and going to rows by bookmarks.

use std::sync::Arc;

use ese_btree::live::SeekHow;
use ese_format::{JetError, KeyFlags};

use super::cursor::{Cursor, Location, Range, RangeFlags, SeekFlags, replaced};
use super::error::{Result, TableError, TableStatus};
use super::plan::PlanIndex;
use super::tree::{Place, Reads};
use crate::session::SessionCallGuard;

impl Cursor {
    /// Makes a search key, segment by segment. A range that is in force ends at it from now on.
    pub(super) fn make_key(&mut self, data: &[u8], flags: KeyFlags) -> Result<()> {
        let made = self.make_search_key(data, flags);
        if let Some(range) = &mut self.range {
            range.key.clear();
            range.key.extend_from_slice(self.search_key.key());
        }
        made
    }

    fn make_search_key(&mut self, data: &[u8], flags: KeyFlags) -> Result<()> {
        let index = match self.index {
            Some(place) => self.plan.secondary.get(place),
            None => self.plan.primary.as_ref(),
        };
        let Some(index) = index else {
            if !flags.contains(KeyFlags::NORMALIZED_KEY) {
                return Err(TableError::NoCurrentIndex);
            }
            let rules = ese_format::KeyRules::DEFAULT;
            return Ok(self.search_key.push(&[], &rules, data, flags)?);
        };
        let starts = flags.contains(KeyFlags::NEW_KEY) && !flags.contains(KeyFlags::NORMALIZED_KEY);
        if let (Some(bytes), true) = (index.placeholder, starts) {
            self.search_key.set_first(&bytes);
            let flags = flags.difference(KeyFlags::NEW_KEY);
            return Ok(self.search_key.push(&index.segments, &index.search_rules, data, flags)?);
        }
        Ok(self.search_key.push(&index.segments, &index.search_rules, data, flags)?)
    }

    pub(super) fn seek(&mut self, call: &mut SessionCallGuard<'_>, flags: SeekFlags) -> Result<TableStatus> {
        let relation = flags.bits() & 0x1F;
        if relation == 0 {
            return Err(TableError::parameter("a seek without a relation"));
        }
        if !self.search_key.is_prepared() {
            return Err(TableError::KeyNotMade);
        }
        self.cancel_for_move(call)?;
        self.forget_range();
        self.note_navigation();
        let mut key = replaced(std::mem::take(&mut self.key_buffer), self.search_key.key());
        self.search_key.reset();
        let outcome = if self.plan.sorted {
            self.seek_sorted(call, &key, flags)
        } else {
            self.seek_key(call, &mut key, flags)
        };
        self.key_buffer = key;
        outcome
    }

    fn seek_key(
        &mut self,
        call: &SessionCallGuard<'_>,
        key: &mut Vec<u8>,
        flags: SeekFlags,
    ) -> Result<TableStatus> {
        let not_equal = |equal: bool| if equal { TableStatus::Done } else { TableStatus::SeekNotEqual };
        if flags.intersects(SeekFlags::LESS | SeekFlags::LESS_OR_EQUAL) {
            let less = flags.contains(SeekFlags::LESS);
            if !less
                && self.seek_place(call, key, &[], SeekHow::AtLeast)?
                && self.current_key() == *key
                && self.passes_equal(call, key)?
            {
                return Ok(TableStatus::Done);
            }
            if self.seek_place(call, key, &[], SeekHow::Below)? && self.pass_backwards(call)? {
                return Ok(not_equal(less));
            }
            return Err(self.miss(call, key, Location::BeforeFirst)?);
        }
        if flags.contains(SeekFlags::GREATER_OR_EQUAL) {
            if self.seek_place(call, key, &[], SeekHow::AtLeast)? && self.pass_forwards(call)? {
                return Ok(not_equal(self.current_key() == *key));
            }
            return Err(self.miss(call, key, Location::AfterLast)?);
        }
        if flags.contains(SeekFlags::GREATER) {
            // The lowest key above this one.
            key.push(0);
            let found = self.seek_place(call, key, &[], SeekHow::AtLeast)? && self.pass_forwards(call)?;
            key.pop();
            if found {
                return Ok(TableStatus::Done);
            }
            return Err(self.miss(call, key, Location::AfterLast)?);
        }
        let at_least = self.seek_place(call, key, &[], SeekHow::AtLeast)?;
        if !at_least && !self.tree().is_unique() {
            // Where keys can be there several times, the end was reached in search of one.
            return Err(self.miss(call, key, Location::AfterLast)?);
        }
        let found = at_least && self.current_key() == *key;
        if !(found && self.passes_equal(call, key)?) {
            return Err(self.stand_on_key(key));
        }
        if flags.contains(SeekFlags::CHECK_UNIQUENESS) && self.is_only_entry(call)? {
            return Ok(TableStatus::UniqueKey);
        }
        if flags.contains(SeekFlags::SET_INDEX_RANGE) {
            self.range = Some(Range { key: key.clone(), inclusive: true, upper: true });
        }
        Ok(TableStatus::Done)
    }

    /// Whether the row that was found, or another one with its key, passes the filters.
    fn passes_equal(&mut self, call: &SessionCallGuard<'_>, key: &[u8]) -> Result<bool> {
        Ok(self.filters.is_empty() || self.pass_forwards(call)? && self.current_key() == key)
    }

    /// Stands where a row with the key would be.
    fn stand_on_key(&mut self, key: &[u8]) -> TableError {
        let place = if self.index.is_some() { &mut self.entry } else { &mut self.row };
        place.set(key, &[]);
        self.fresh = None;
        self.stand(Location::OnKey);
        TableError::RecordNotFound
    }

    /// Nothing was found in the direction of a seek: the cursor is at that end of the index; or where the key would be, when
    /// there is no row at all from which a move could have come to the end.
    #[doc(alias = "ErrBTDown")]
    fn miss(&mut self, call: &SessionCallGuard<'_>, key: &[u8], end: Location) -> Result<TableError> {
        let landed = self.seek_place(call, key, &[], SeekHow::AtLeast)?
            || self.seek_place(call, &[], &[], SeekHow::Last)?;
        if landed && self.passes_filters()? {
            self.stand(end);
            return Ok(TableError::RecordNotFound);
        }
        Ok(self.stand_on_key(key))
    }

    fn is_only_entry(&self, call: &SessionCallGuard<'_>) -> Result<bool> {
        if self.tree().is_unique() {
            return Ok(true);
        }
        let reads = Reads { trees: call.trees(), state: call.state()? };
        let mut beside = self.place().clone();
        Ok(!self.tree().next(&reads, &mut beside)? || beside.key() != self.current_key())
    }

    pub(super) fn set_index_range(&mut self, call: &SessionCallGuard<'_>, flags: RangeFlags) -> Result<()> {
        // Sorted rows know no removal.
        if flags.contains(RangeFlags::REMOVE) && !self.plan.sorted {
            if self.range.is_none() {
                let what = "there is no range to remove";
                return Err(TableError::refused(what, JetError::INVALID_OPERATION));
            }
            self.forget_range();
            return Ok(());
        }
        if self.current_index().is_none() {
            return Err(TableError::NoCurrentIndex);
        }
        if !self.search_key.is_prepared() {
            return Err(TableError::KeyNotMade);
        }
        self.range = Some(Range {
            key: self.search_key.key().to_vec(),
            inclusive: flags.contains(RangeFlags::INCLUSIVE),
            upper: flags.contains(RangeFlags::UPPER_LIMIT),
        });
        self.search_key.reset();
        let result = self.check_has_place(call).and_then(|()| self.check_range(call));
        if flags.contains(RangeFlags::INSTANT_DURATION) {
            self.forget_range();
        }
        result
    }

    /// Takes the range away and forgets the search key: the cursor goes elsewhere.
    pub(super) fn reset_for_goto(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        self.cancel_for_move(call)?;
        self.forget_range();
        self.search_key.reset();
        Ok(())
    }

    pub(super) fn set_current_index(&mut self, name: Option<&str>) -> Result<()> {
        let name = name.filter(|name| !name.is_empty());
        let table = self.plan.table();
        let is_named = |index: &PlanIndex| {
            let index = table.indexes.get(index.place);
            index.is_some_and(|index| name.is_some_and(|name| index.name.eq_ignore_ascii_case(name)))
        };
        let wanted = match name {
            None => None,
            Some(_) if self.plan.primary.as_ref().is_some_and(is_named) => None,
            Some(_) => match self.plan.secondary.iter().position(is_named) {
                Some(place) => Some(place),
                None => {
                    let what = "the table has no such index";
                    return Err(TableError::refused(what, JetError::INDEX_NOT_FOUND));
                }
            },
        };
        if wanted == self.index {
            return Ok(());
        }
        self.go_through(wanted);
        Ok(())
    }

    /// Range and search key of the index that becomes the current one.
    pub(super) fn change_parked(&mut self, wanted: Option<usize>) {
        match (self.index, wanted) {
            (None, Some(_)) => {
                self.parked.range = self.range.take();
                self.parked.key = self.search_key.key().to_vec();
                self.search_key.clear();
            }
            (Some(_), None) => {
                self.range = self.parked.range.take();
                let mut key = std::mem::take(&mut self.parked.key);
                for (byte, over) in key.iter_mut().zip(self.search_key.key()) {
                    *byte = *over;
                }
                self.search_key.leave(&key);
                if let Some(range) = &mut self.range {
                    range.key = key;
                }
            }
            // The other index goes on with the buffer of this one.
            _ => {
                self.range = None;
                self.search_key.reset();
            }
        }
    }

    /// Goes to a row by its bookmark, and to its entry in the current index: that of value number `instance`.
    #[doc(alias = "ErrRECIGotoBookmark")]
    pub(super) fn goto_bookmark(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        bookmark: &[u8],
        instance: usize,
    ) -> Result<()> {
        if self.plan.sorted {
            return self.goto_sorted(call, bookmark);
        }
        if bookmark.is_empty() {
            let what = "a bookmark without bytes";
            return Err(TableError::refused(what, JetError::INVALID_BOOKMARK));
        }
        self.reset_for_goto(call)?;
        let plan = Arc::clone(&self.plan);
        let reads = Reads { trees: call.trees(), state: call.state()? };
        let mut row = Place::default();
        row.set(bookmark, &[]);
        if !plan.rows.refresh(&reads, &mut row)? {
            // The cursor stays where it is.
            return Err(TableError::RecordDeleted);
        }
        self.row = row;
        self.fresh = None;
        if self.index.is_none() {
            self.location = Location::OnRow;
        }
        self.row_location = Location::OnRow;
        let Some(index) = self.index.and_then(|place| plan.secondary.get(place)) else { return Ok(()) };
        let mut key = std::mem::take(&mut self.key_buffer);
        // Only an index of several values of one column has entries to choose from.
        let instance = if index.keys.is_single() { 1 } else { instance };
        let outcome = match self.entry_key(call, index, instance, &mut key) {
            Ok(true) => {
                // Whether the entry is there is seen when somebody asks for it.
                self.note_navigation();
                let data = if index.tree.is_unique() { &[][..] } else { bookmark };
                self.entry.set(&key, data);
                let reads = Reads { trees: call.trees(), state: call.state()? };
                index.tree.refresh(&reads, &mut self.entry)?;
                self.location = Location::OnRow;
                Ok(())
            }
            Ok(false) => {
                self.leave_entry(Location::BeforeFirst);
                Err(TableError::NoCurrentRecord)
            }
            Err(error) => Err(error),
        };
        self.key_buffer = key;
        outcome
    }

    /// The key of the current row in an index; false when the row has no entry there.
    fn entry_key(
        &mut self,
        call: &SessionCallGuard<'_>,
        index: &PlanIndex,
        instance: usize,
        key: &mut Vec<u8>,
    ) -> Result<bool> {
        let tree = self.plan.long_values();
        let plan = Arc::clone(&self.plan);
        let mut values = Self::values(&mut self.buffers, &plan, tree.as_ref(), call)?;
        let row = ese_format::RecordView::parse(self.row.data(), plan.page_size)?;
        if index.keys.is_substring() {
            return Ok(match index.keys.first_substring_key(plan.table(), &row, &mut values)? {
                Some(first) => {
                    key.clear();
                    key.extend_from_slice(&first);
                    true
                }
                None => false,
            });
        }
        match index.keys.key_of_instance(plan.table(), &row, instance, &mut values, key)? {
            None => Err(TableError::refused("the row has no such value", JetError::BAD_ITAG_SEQUENCE)),
            Some(None) => Ok(false),
            Some(Some(nulls)) => Ok(index.keys.judge_nulls(nulls) != crate::reader::NullVerdict::Ignored),
        }
    }

    /// Goes to an entry of the current secondary index.
    #[doc(alias = "ErrIsamGotoIndexBookmark")]
    pub(super) fn goto_entry(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        key: &[u8],
        bookmark: &[u8],
        permit_virtual: bool,
    ) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let Some(index) = self.index.and_then(|place| plan.secondary.get(place)) else {
            return Err(TableError::NoCurrentIndex);
        };
        let unique = index.tree.is_unique();
        if key.is_empty() || !unique && bookmark.is_empty() {
            let what = "a bookmark without bytes";
            return Err(TableError::refused(what, JetError::INVALID_BOOKMARK));
        }
        self.reset_for_goto(call)?;
        let data = if unique { &[][..] } else { bookmark };
        let mut entry = Place::default();
        entry.set(key, data);
        let reads = Reads { trees: call.trees(), state: call.state()? };
        if !index.tree.refresh(&reads, &mut entry)? {
            if permit_virtual {
                self.entry.set(key, data);
                self.fresh = None;
                self.stand(Location::OnKey);
            }
            return Err(TableError::RecordDeleted);
        }
        self.entry = entry;
        self.row.set(self.entry.data(), &[]);
        self.fresh = None;
        self.stand(Location::OnRow);
        if unique && !bookmark.is_empty() && self.entry.data() != bookmark {
            return Err(TableError::RecordDeleted);
        }
        Ok(())
    }
}
