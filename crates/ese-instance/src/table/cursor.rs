//! Where a cursor stands, and how it moves.

use std::cmp::Ordering;
use std::sync::Arc;

use ese_btree::live::SeekHow;
use ese_format::{JetError, KeyFlags, RecordBuffer, SearchKeyBuffer};
use ese_log::record::TransactionTime;

use super::error::{Result, TableError, TableStatus};
use super::long_values::{LongValueBuffers, ValueSource};
use super::plan::{PlanIndex, TablePlan};
use super::tree::{Place, Reads, RowTree};
use super::update::Prepared;
use crate::database::AttachedDatabase;
use crate::schema::IndexUse;
use crate::session::SessionCallGuard;

/// Where a cursor stands, as the engine's moves understand it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// On the first row, once somebody looks.
    First,
    BeforeFirst,
    AfterLast,
    /// On a row; it may have been deleted meanwhile.
    OnRow,
    /// Where a row with the key that was sought would be.
    OnKey,
}

/// The end of an index range.
#[derive(Clone, Debug)]
pub(super) struct Range {
    key: Vec<u8>,
    inclusive: bool,
    upper: bool,
}

/// What the moves and reads of a [`Table`](super::Table) work with.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) plan: Arc<TablePlan>,
    pub(super) location: Location,
    /// The row: its bookmark, and its bytes as they were last read.
    pub(super) row: Place,
    /// Snapshot in which the row's bytes were read, while nothing can have changed them.
    fresh: Option<TransactionTime>,
    /// Place of the current secondary index in the plan's list.
    pub(super) index: Option<usize>,
    /// Keeps that index from being deleted.
    index_use: Option<IndexUse>,
    /// The entry of the current secondary index.
    pub(super) entry: Place,
    pub(super) range: Option<Range>,
    pub(super) search_key: SearchKeyBuffer,
    pub(super) prepared: Option<Prepared>,
    /// The row being prepared.
    pub(super) copy: RecordBuffer,
    pub(super) buffers: LongValueBuffers,
    pub(super) key_buffer: Vec<u8>,
}

bitflags::bitflags! {
    /// What a seek looks for, one of the first five, and options. Unknown bits are ignored.
    #[doc(alias = "JetSeek")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SeekFlags: u32 {
        /// The first row with the key.
        #[doc(alias = "JET_bitSeekEQ")]
        const EQUAL = 0x1;
        /// The last row below the key.
        #[doc(alias = "JET_bitSeekLT")]
        const LESS = 0x2;
        /// The first row with the key, or the last one below it.
        #[doc(alias = "JET_bitSeekLE")]
        const LESS_OR_EQUAL = 0x4;
        /// The first row with the key, or the first one above it.
        #[doc(alias = "JET_bitSeekGE")]
        const GREATER_OR_EQUAL = 0x8;
        /// The first row above the key.
        #[doc(alias = "JET_bitSeekGT")]
        const GREATER = 0x10;
        /// With [`EQUAL`](Self::EQUAL): limits further moves to the rows with the key.
        #[doc(alias = "JET_bitSetIndexRange")]
        const SET_INDEX_RANGE = 0x20;
        /// With [`EQUAL`](Self::EQUAL): says whether it is the only row with the key.
        #[doc(alias = "JET_bitCheckUniqueness")]
        const CHECK_UNIQUENESS = 0x40;
    }
}

bitflags::bitflags! {
    /// Options of an index range. Unknown bits are ignored.
    #[doc(alias = "JetSetIndexRange")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RangeFlags: u32 {
        /// Rows with the key belong to the range.
        #[doc(alias = "JET_bitRangeInclusive")]
        const INCLUSIVE = 0x1;
        /// The key is the upper end, for moves forwards; otherwise the lower one, for moves backwards.
        #[doc(alias = "JET_bitRangeUpperLimit")]
        const UPPER_LIMIT = 0x2;
        /// Only looks whether the current row is in the range.
        #[doc(alias = "JET_bitRangeInstantDuration")]
        const INSTANT_DURATION = 0x4;
        /// Takes the range away.
        #[doc(alias = "JET_bitRangeRemove")]
        const REMOVE = 0x8;
    }
}

/// Whether rows have been found in a range.
impl Range {
    fn holds(&self, key: &[u8]) -> bool {
        match key.cmp(&self.key) {
            Ordering::Equal => self.inclusive,
            Ordering::Greater => !self.upper,
            Ordering::Less => self.upper,
        }
    }
}

impl Cursor {
    pub(super) fn new(plan: Arc<TablePlan>) -> Self {
        let copy = RecordBuffer::new(plan.page_size, plan.row_limit);
        Self {
            plan,
            location: Location::First,
            row: Place::default(),
            fresh: None,
            index: None,
            index_use: None,
            entry: Place::default(),
            range: None,
            search_key: SearchKeyBuffer::default(),
            prepared: None,
            copy,
            buffers: LongValueBuffers::default(),
            key_buffer: Vec::new(),
        }
    }

    /// Goes on with the table's structure as the session sees it now.
    pub(super) fn refresh_plan(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        database: &AttachedDatabase,
    ) -> Result<()> {
        let schema = call.current_schema(database, &self.plan.schema)?;
        if Arc::ptr_eq(&schema, &self.plan.schema) {
            return Ok(());
        }
        let plan = TablePlan::new(schema, self.plan.page_size, self.plan.wide_ids);
        self.index = match self.index.and_then(|place| self.plan.secondary.get(place)) {
            None => None,
            Some(old) => {
                let root = old.tree.root();
                let found = plan.secondary.iter().position(|index| index.tree.root() == root);
                if found.is_none() {
                    self.location = Location::BeforeFirst;
                    self.index_use = None;
                }
                found
            }
        };
        self.plan = Arc::new(plan);
        self.fresh = None;
        Ok(())
    }

    /// The current index; `None` in a table whose rows are in the order of their insertion.
    pub(super) fn current_index(&self) -> Option<&PlanIndex> {
        match self.index {
            Some(place) => self.plan.secondary.get(place),
            None => self.plan.primary.as_ref(),
        }
    }

    /// The tree that moves go through.
    pub(super) fn tree(&self) -> &RowTree {
        match self.index.and_then(|place| self.plan.secondary.get(place)) {
            Some(index) => &index.tree,
            None => &self.plan.rows,
        }
    }

    pub(super) fn place(&self) -> &Place {
        if self.index.is_some() { &self.entry } else { &self.row }
    }

    /// Key of the row or entry that the cursor stands on.
    pub(super) fn current_key(&self) -> &[u8] {
        self.place().key()
    }

    /// A tree call at the cursor's place. Moves that find nothing leave the place alone.
    pub(super) fn at_place(
        &mut self,
        call: &SessionCallGuard<'_>,
        step: impl FnOnce(&RowTree, &Reads<'_>, &mut Place) -> Result<bool>,
    ) -> Result<bool> {
        let reads = Reads { trees: call.trees(), state: call.state()? };
        let snapshot = reads.state.snapshot().filter(|_| !reads.state.has_changed());
        let plan = &self.plan;
        let found = match self.index.and_then(|place| plan.secondary.get(place)) {
            Some(index) => {
                let found = step(&index.tree, &reads, &mut self.entry)?;
                if found {
                    self.row.set(self.entry.data(), &[]);
                    self.fresh = None;
                }
                found
            }
            None => {
                let found = step(&plan.rows, &reads, &mut self.row)?;
                if found {
                    self.fresh = snapshot;
                }
                found
            }
        };
        if found {
            self.location = Location::OnRow;
        }
        Ok(found)
    }

    fn seek_place(
        &mut self,
        call: &SessionCallGuard<'_>,
        key: &[u8],
        data: &[u8],
        how: SeekHow,
    ) -> Result<bool> {
        self.at_place(call, |tree, reads, place| tree.seek(reads, key, data, how, place))
    }

    /// Goes to the first row when that was put off.
    #[doc(alias = "ErrDIRIRefresh")]
    pub(super) fn settle(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        if self.location == Location::First && !self.seek_place(call, &[], &[], SeekHow::First)? {
            return Err(TableError::NoCurrentRecord);
        }
        Ok(())
    }

    /// Fails unless the cursor stands on a row.
    pub(super) fn check_on_row(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        self.settle(call)?;
        if self.location == Location::OnRow { Ok(()) } else { Err(TableError::NoCurrentRecord) }
    }

    /// Makes the bytes of the current row those that the transaction sees now.
    #[doc(alias = "ErrDIRGet")]
    pub(super) fn read_row(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        self.check_on_row(call)?;
        let reads = Reads { trees: call.trees(), state: call.state()? };
        let snapshot = reads.state.snapshot().filter(|_| !reads.state.has_changed());
        if snapshot.is_some() && self.fresh == snapshot && !self.plan.temporary {
            return Ok(());
        }
        self.fresh = None;
        if !self.plan.rows.refresh(&reads, &mut self.row)? {
            return Err(TableError::RecordDeleted);
        }
        self.fresh = snapshot;
        Ok(())
    }

    /// Forgets the bytes of the row: somebody may have changed them.
    pub(super) const fn forget_row(&mut self) {
        self.fresh = None;
    }

    /// A reader of the table's values.
    pub(super) fn values<'a>(
        buffers: &'a mut LongValueBuffers,
        plan: &TablePlan,
        tree: Option<&'a RowTree>,
        call: &'a SessionCallGuard<'_>,
    ) -> Result<ValueSource<'a>> {
        let reads = Reads { trees: call.trees(), state: call.state()? };
        Ok(ValueSource { reads, tree, chunk_size: plan.chunk_size, buffers })
    }

    fn leave(&mut self, location: Location) -> TableError {
        self.location = location;
        TableError::NoCurrentRecord
    }

    fn check_range(&mut self) -> Result<()> {
        let Some(range) = &self.range else { return Ok(()) };
        if range.holds(self.current_key()) {
            return Ok(());
        }
        let location = if range.upper { Location::AfterLast } else { Location::BeforeFirst };
        self.range = None;
        Err(self.leave(location))
    }

    pub(super) fn move_first(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        self.cancel_for_move(call)?;
        self.range = None;
        if self.seek_place(call, &[], &[], SeekHow::First)? {
            return Ok(());
        }
        Err(self.leave(Location::BeforeFirst))
    }

    pub(super) fn move_last(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        self.cancel_for_move(call)?;
        self.range = None;
        if self.seek_place(call, &[], &[], SeekHow::Last)? {
            return Ok(());
        }
        Err(self.leave(Location::AfterLast))
    }

    /// One row forwards; `other_key`: to the next one with another key.
    #[doc(alias = "ErrDIRNext")]
    fn step_forwards(&mut self, call: &SessionCallGuard<'_>, other_key: bool) -> Result<()> {
        if self.location == Location::First {
            self.settle(call).map_err(|error| match error {
                TableError::NoCurrentRecord => self.leave(Location::AfterLast),
                other => other,
            })?;
        }
        let found = match self.location {
            Location::AfterLast => false,
            Location::BeforeFirst | Location::First => self.seek_place(call, &[], &[], SeekHow::First)?,
            Location::OnKey => {
                let key = std::mem::take(&mut self.key_buffer);
                let key = replaced(key, self.current_key());
                let found = self.seek_place(call, &key, &[], SeekHow::Above);
                self.key_buffer = key;
                found?
            }
            Location::OnRow if other_key && !self.tree().is_unique() => {
                let mut key = replaced(std::mem::take(&mut self.key_buffer), self.current_key());
                // Nothing lies between a key and the key with a zero added.
                key.push(0);
                let found = self.seek_place(call, &key, &[], SeekHow::AtLeast);
                self.key_buffer = key;
                found?
            }
            Location::OnRow => self.at_place(call, |tree, reads, place| tree.next(reads, place))?,
        };
        if !found {
            return Err(self.leave(Location::AfterLast));
        }
        if self.range.as_ref().is_some_and(|range| range.upper) {
            self.check_range()?;
        }
        Ok(())
    }

    /// One row backwards.
    #[doc(alias = "ErrDIRPrev")]
    fn step_backwards(&mut self, call: &SessionCallGuard<'_>, other_key: bool) -> Result<()> {
        if self.location == Location::First {
            self.settle(call).map_err(|error| match error {
                TableError::NoCurrentRecord => self.leave(Location::BeforeFirst),
                other => other,
            })?;
        }
        let found = match self.location {
            Location::BeforeFirst | Location::First => false,
            Location::AfterLast => self.seek_place(call, &[], &[], SeekHow::Last)?,
            Location::OnKey => {
                let key = replaced(std::mem::take(&mut self.key_buffer), self.current_key());
                let found = self.seek_place(call, &key, &[], SeekHow::Below);
                self.key_buffer = key;
                found?
            }
            Location::OnRow if other_key && !self.tree().is_unique() => {
                let key = replaced(std::mem::take(&mut self.key_buffer), self.current_key());
                let found = self.seek_place(call, &key, &[], SeekHow::Below);
                self.key_buffer = key;
                found?
            }
            Location::OnRow => self.at_place(call, |tree, reads, place| tree.previous(reads, place))?,
        };
        if !found {
            return Err(self.leave(Location::BeforeFirst));
        }
        if self.range.as_ref().is_some_and(|range| !range.upper) {
            self.check_range()?;
        }
        Ok(())
    }

    pub(super) fn move_by(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        rows: i32,
        other_key: bool,
    ) -> Result<()> {
        self.cancel_for_move(call)?;
        if rows == 0 {
            self.settle(call)?;
            if self.location != Location::OnRow {
                return Err(TableError::NoCurrentRecord);
            }
            let there = self.at_place(call, |tree, reads, place| tree.refresh(reads, place))?;
            return if there { Ok(()) } else { Err(TableError::RecordDeleted) };
        }
        for _ in 0..rows.unsigned_abs() {
            if rows > 0 {
                self.step_forwards(call, other_key)?;
            } else {
                self.step_backwards(call, other_key)?;
            }
        }
        Ok(())
    }

    /// The next row, for counting: without a look at prepared updates.
    pub(super) fn next_for_count(&mut self, call: &SessionCallGuard<'_>) -> Result<bool> {
        match self.step_forwards(call, false) {
            Ok(()) => Ok(true),
            Err(TableError::NoCurrentRecord) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a search key, segment by segment.
    pub(super) fn make_key(&mut self, data: &[u8], flags: KeyFlags) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let index = match self.index {
            Some(place) => plan.secondary.get(place),
            None => plan.primary.as_ref(),
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
            return Ok(self.search_key.push(&index.segments, index.keys.rules(), data, flags)?);
        }
        Ok(self.search_key.push(&index.segments, index.keys.rules(), data, flags)?)
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
        self.range = None;
        let mut key = replaced(std::mem::take(&mut self.key_buffer), self.search_key.key());
        self.search_key.reset();
        let outcome = self.seek_key(call, &mut key, flags);
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
        if flags.contains(SeekFlags::LESS) || flags.contains(SeekFlags::LESS_OR_EQUAL) {
            if !flags.contains(SeekFlags::LESS)
                && self.seek_place(call, key, &[], SeekHow::AtLeast)?
                && self.current_key() == *key
            {
                return Ok(TableStatus::Done);
            }
            if self.seek_place(call, key, &[], SeekHow::Below)? {
                return Ok(not_equal(flags.contains(SeekFlags::LESS)));
            }
            self.location = Location::BeforeFirst;
            return Err(TableError::RecordNotFound);
        }
        if flags.contains(SeekFlags::GREATER_OR_EQUAL) {
            if self.seek_place(call, key, &[], SeekHow::AtLeast)? {
                return Ok(not_equal(self.current_key() == *key));
            }
            self.location = Location::AfterLast;
            return Err(TableError::RecordNotFound);
        }
        if flags.contains(SeekFlags::GREATER) {
            // The lowest key above this one.
            key.push(0);
            if self.seek_place(call, key, &[], SeekHow::AtLeast)? {
                return Ok(TableStatus::Done);
            }
            self.location = Location::AfterLast;
            return Err(TableError::RecordNotFound);
        }
        if !self.seek_place(call, key, &[], SeekHow::AtLeast)? || self.current_key() != *key {
            let place = if self.index.is_some() { &mut self.entry } else { &mut self.row };
            place.set(key, &[]);
            self.fresh = None;
            self.location = Location::OnKey;
            return Err(TableError::RecordNotFound);
        }
        if flags.contains(SeekFlags::CHECK_UNIQUENESS) && self.is_only_entry(call)? {
            return Ok(TableStatus::UniqueKey);
        }
        if flags.contains(SeekFlags::SET_INDEX_RANGE) {
            self.range = Some(Range { key: key.clone(), inclusive: true, upper: true });
        }
        Ok(TableStatus::Done)
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
        if flags.contains(RangeFlags::REMOVE) {
            if self.range.take().is_none() {
                let what = "there is no range to remove";
                return Err(TableError::refused(what, JetError::INVALID_OPERATION));
            }
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
        let result = match self.settle(call) {
            Ok(()) if matches!(self.location, Location::OnRow | Location::OnKey) => self.check_range(),
            Ok(()) => Err(TableError::NoCurrentRecord),
            Err(error) => Err(error),
        };
        if flags.contains(RangeFlags::INSTANT_DURATION) {
            self.range = None;
        }
        result
    }

    /// Takes the range away and forgets the search key: the cursor goes elsewhere.
    pub(super) fn reset_for_goto(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        self.cancel_for_move(call)?;
        self.range = None;
        self.search_key.reset();
        Ok(())
    }

    pub(super) fn set_current_index(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        name: Option<&str>,
    ) -> Result<()> {
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
        self.cancel_for_move(call)?;
        self.index = wanted;
        let index = wanted.and_then(|place| self.plan.secondary.get(place));
        self.index_use = index.map(|index| self.plan.schema.shared.use_index(index.tree.root()));
        self.range = None;
        self.search_key.clear();
        self.location = Location::BeforeFirst;
        self.fresh = None;
        Ok(())
    }

    /// Goes to a row by its bookmark, and to its entry in the current index: that of value number `instance`.
    #[doc(alias = "ErrRECIGotoBookmark")]
    pub(super) fn goto_bookmark(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        bookmark: &[u8],
        instance: usize,
    ) -> Result<()> {
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
        self.location = Location::OnRow;
        let Some(index) = self.index.and_then(|place| plan.secondary.get(place)) else { return Ok(()) };
        let mut key = std::mem::take(&mut self.key_buffer);
        let found = self.entry_key(call, index, instance, &mut key);
        let outcome = match found {
            Ok(true) => {
                let mut entry = std::mem::take(&mut self.entry);
                let reads = Reads { trees: call.trees(), state: call.state()? };
                let data = if index.tree.is_unique() { &[][..] } else { bookmark };
                let there = index.tree.seek(&reads, &key, data, SeekHow::AtLeast, &mut entry)?
                    && entry.key() == key
                    && entry.data() == bookmark;
                self.entry = entry;
                if there {
                    Ok(())
                } else {
                    self.location = Location::BeforeFirst;
                    Err(TableError::NoCurrentRecord)
                }
            }
            Ok(false) => {
                self.location = Location::BeforeFirst;
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
        self.entry.set(key, data);
        self.fresh = None;
        let reads = Reads { trees: call.trees(), state: call.state()? };
        if !index.tree.refresh(&reads, &mut self.entry)? {
            self.entry.set(key, data);
            self.location = if permit_virtual { Location::OnKey } else { Location::BeforeFirst };
            return Err(TableError::RecordDeleted);
        }
        self.row.set(self.entry.data(), &[]);
        self.location = Location::OnRow;
        if unique && !bookmark.is_empty() && self.entry.data() != bookmark {
            return Err(TableError::RecordDeleted);
        }
        Ok(())
    }
}

/// A buffer with other bytes in it.
fn replaced(mut buffer: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    buffer.clear();
    buffer.extend_from_slice(bytes);
    buffer
}
