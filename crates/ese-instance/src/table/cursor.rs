//! Where a cursor stands, and how it moves.

use std::cmp::Ordering;
use std::sync::Arc;

use ese_btree::live::SeekHow;
use ese_format::{JetError, RecordBuffer, SearchKeyBuffer};
use ese_log::record::TransactionTime;

use super::callbacks::CursorStorage;
use super::error::{Result, TableError};
use super::filter::ReadyFilter;
use super::long_values::{LongValueBuffers, ValueSource};
use super::plan::{PlanIndex, TablePlan};
use super::tree::{Place, Reads, RowTree};
use super::update::Prepared;
use crate::database::AttachedDatabase;
use crate::schema::IndexUse;
use crate::session::{CursorLink, SessionCallGuard};

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
    pub(super) key: Vec<u8>,
    pub(super) inclusive: bool,
    pub(super) upper: bool,
}

/// What the primary index keeps while another one is current.
#[derive(Debug, Default)]
pub(super) struct ParkedIndex {
    pub(super) range: Option<Range>,
    /// Its search key, whose bytes the first key made on the other index overwrites: they share a buffer.
    pub(super) key: Vec<u8>,
}

/// What the moves and reads of a [`Table`](super::Table) work with.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) plan: Arc<TablePlan>,
    pub(super) location: Location,
    /// Where the cursor stands among the rows while a secondary index is current: it can be on a row and on no entry, and the
    /// other way round.
    pub(super) row_location: Location,
    /// The row: its bookmark, and its bytes as they were last read.
    pub(super) row: Place,
    /// Snapshot in which the row's bytes were read, while nothing can have changed them.
    pub(super) fresh: Option<TransactionTime>,
    /// Place of the current secondary index in the plan's list.
    pub(super) index: Option<usize>,
    /// Keeps that index from being deleted, where no link does.
    pub(super) index_use: Option<IndexUse>,
    /// The entry of the current secondary index.
    pub(super) entry: Place,
    pub(super) range: Option<Range>,
    /// Range and search key of the primary index while a secondary one is current.
    pub(super) parked: ParkedIndex,
    pub(super) search_key: SearchKeyBuffer,
    /// What rows have to be like for moves to stop there.
    pub(super) filters: Vec<ReadyFilter>,
    pub(super) prepared: Option<Prepared>,
    /// The row being prepared.
    pub(super) copy: RecordBuffer,
    pub(super) buffers: LongValueBuffers,
    /// What the application stores beside the cursor.
    pub(super) storage: CursorStorage,
    pub(super) key_buffer: Vec<u8>,
    /// Level of transactions at which the application made the call.
    pub(super) level: u8,
    /// What the session knows of the cursor; none for one that works inside a call.
    pub(super) link: Option<Arc<CursorLink>>,
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

/// Refuses a call on a cursor that its session has closed.
///
/// # Errors
/// `Refused`: `JET_errInvalidTableId`.
#[inline]
pub(super) fn check_open(link: &CursorLink) -> Result<()> {
    if link.is_closed_by_session() {
        let what = "the cursor was closed together with the database, or by a rollback of the transaction of its opening";
        return Err(TableError::refused(what, JetError::INVALID_TABLE_ID));
    }
    Ok(())
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
            row_location: Location::First,
            row: Place::default(),
            fresh: None,
            index: None,
            index_use: None,
            entry: Place::default(),
            range: None,
            parked: ParkedIndex::default(),
            search_key: SearchKeyBuffer::default(),
            filters: Vec::new(),
            prepared: None,
            copy,
            buffers: LongValueBuffers::default(),
            storage: CursorStorage::default(),
            key_buffer: Vec::new(),
            level: 0,
            link: None,
        }
    }

    /// Does what ends of transactions since the last call ask for.
    #[inline]
    pub(super) fn hear_session(&mut self) -> Result<()> {
        if self.link.as_ref().is_some_and(|link| link.has_news()) { self.hear_news() } else { Ok(()) }
    }

    #[cold]
    fn hear_news(&mut self) -> Result<()> {
        let Some(link) = self.link.clone() else { return Ok(()) };
        check_open(&link)?;
        link.news_are_heard();
        if link.take_lost_update() {
            self.prepared = None;
        }
        if let (Some(level), Some(prepared)) = (link.take_lost_changes(), &mut self.prepared) {
            prepared.edits.retain(|edit| edit.level < level);
        }
        if link.take_lost_index() {
            self.go_through(None);
        }
        if link.take_lost_place() {
            self.leave_entry(Location::BeforeFirst);
            self.fresh = None;
        }
        Ok(())
    }

    /// Makes a secondary index (its place in the plan's list) the current one, or the order of the rows.
    pub(super) fn go_through(&mut self, index: Option<usize>) {
        self.change_parked(index);
        self.index = index;
        self.hold_index();
        self.stand(Location::BeforeFirst);
        self.fresh = None;
    }

    /// Keeps the current index from being deleted, and no other.
    fn hold_index(&mut self) {
        let index = self.index.and_then(|place| self.plan.secondary.get(place));
        let held = index.map(|index| self.plan.schema.shared.use_index(index.tree.root()));
        match &self.link {
            Some(link) => link.goes_through(held.map(|held| (self.level, held))),
            None => self.index_use = held,
        }
    }

    /// Leaves the entry of a secondary index, and not the row; without one the row.
    pub(super) const fn leave_entry(&mut self, location: Location) {
        self.location = location;
    }

    /// Where the cursor stands among the rows, whatever the index.
    #[inline]
    pub(super) const fn table_location(&self) -> Location {
        if self.index.is_some() { self.row_location } else { self.location }
    }

    /// Goes somewhere, in the index and among the rows.
    pub(super) const fn stand(&mut self, location: Location) {
        self.location = location;
        self.row_location = location;
    }

    /// Takes ranges away.
    #[doc(alias = "FUCBResetIndexRange")]
    pub(super) fn forget_range(&mut self) {
        self.range = None;
        self.parked.range = None;
    }

    /// Remembers at which level of transactions the cursor goes where it will stand.
    #[doc(alias = "FUCBSetLevelNavigate")]
    pub(super) fn note_navigation(&self) {
        if let Some(link) = &self.link {
            link.navigated(self.level);
        }
    }

    /// The update is over.
    pub(super) fn note_update_over(&self) {
        if let Some(link) = &self.link {
            link.prepared(None);
        }
    }

    /// Goes on with the table's structure as the session sees it now.
    #[inline]
    pub(super) fn refresh_plan(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        database: &AttachedDatabase,
    ) -> Result<()> {
        if call.keeps_schema(&self.plan.schema) { Ok(()) } else { self.renew_plan(call, database) }
    }

    #[inline(never)]
    fn renew_plan(&mut self, call: &mut SessionCallGuard<'_>, database: &AttachedDatabase) -> Result<()> {
        let schema = call.current_schema(database, &self.plan.schema)?;
        if Arc::ptr_eq(&schema, &self.plan.schema) {
            return Ok(());
        }
        let plan = TablePlan::new(schema, self.plan.page_size, self.plan.wide_ids);
        let had_index = self.index.is_some();
        self.index = match self.index.and_then(|place| self.plan.secondary.get(place)) {
            None => None,
            Some(old) => {
                let root = old.tree.root();
                let found = plan.secondary.iter().position(|index| index.tree.root() == root);
                if found.is_none() {
                    self.stand(Location::BeforeFirst);
                }
                found
            }
        };
        let lost_index = self.index.is_none() && had_index;
        if self.prepared.is_none() && plan.row_limit != self.copy.limit() {
            self.copy = RecordBuffer::new(plan.page_size, plan.row_limit);
        }
        self.plan = Arc::new(plan);
        self.fresh = None;
        if lost_index {
            self.hold_index();
        }
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
    #[inline]
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
            self.stand(Location::OnRow);
        }
        Ok(found)
    }

    pub(super) fn seek_place(
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
        if self.table_location() == Location::First { self.go_first(call) } else { Ok(()) }
    }

    /// Goes to the first entry of the index when that was put off. Without a look at the row: among the rows of a table whose
    /// secondary index is current the cursor is where it was.
    fn settle_entry(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        if self.location == Location::First {
            let row_location = self.row_location;
            self.go_first(call)?;
            if self.index.is_some() {
                self.row_location = row_location;
            }
        }
        Ok(())
    }

    fn go_first(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        if self.seek_place(call, &[], &[], SeekHow::First)? && self.pass_forwards(call)? {
            return Ok(());
        }
        self.location = Location::First;
        Err(TableError::NoCurrentRecord)
    }

    /// Goes to the next row that passes the filters unless the current one does. False when there is none.
    pub(super) fn pass_forwards(&mut self, call: &SessionCallGuard<'_>) -> Result<bool> {
        while !self.passes_filters()? {
            let outside = |range: &Range| range.upper && !range.holds(self.row.key());
            if self.range.as_ref().is_some_and(outside) {
                self.range = None;
                return Ok(false);
            }
            if !self.at_place(call, |tree, reads, place| tree.next(reads, place))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// As [`pass_forwards`](Self::pass_forwards), backwards.
    pub(super) fn pass_backwards(&mut self, call: &SessionCallGuard<'_>) -> Result<bool> {
        while !self.passes_filters()? {
            let outside = |range: &Range| !range.upper && !range.holds(self.row.key());
            if self.range.as_ref().is_some_and(outside) {
                self.range = None;
                return Ok(false);
            }
            if !self.at_place(call, |tree, reads, place| tree.previous(reads, place))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Fails unless the cursor stands on a row.
    pub(super) fn check_on_row(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        self.settle(call)?;
        if self.table_location() == Location::OnRow { Ok(()) } else { Err(TableError::NoCurrentRecord) }
    }

    /// Fails unless the cursor stands on a row and was there already: a first row that nobody has looked at does not count.
    #[doc(alias = "ErrDIRGetBookmark")]
    pub(super) fn check_was_on_row(&self) -> Result<()> {
        if self.table_location() == Location::OnRow { Ok(()) } else { Err(TableError::NoCurrentRecord) }
    }

    /// Fails unless the cursor stands on an entry of the current index; without a secondary one on a row.
    pub(super) fn check_on_entry(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        self.settle_entry(call)?;
        if self.location == Location::OnRow { Ok(()) } else { Err(TableError::NoCurrentRecord) }
    }

    /// As [`check_on_entry`](Self::check_on_entry); where a row with a key that was sought would be will do.
    pub(super) fn check_has_place(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        self.settle_entry(call)?;
        let on = matches!(self.location, Location::OnRow | Location::OnKey);
        if on { Ok(()) } else { Err(TableError::NoCurrentRecord) }
    }

    /// Makes sure that the entry of the current index is there; without a secondary one, the row.
    pub(super) fn read_entry(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        self.check_on_entry(call)?;
        let row_location = self.row_location;
        let there = self.at_place(call, |tree, reads, place| tree.refresh(reads, place))?;
        if self.index.is_some() {
            self.row_location = row_location;
        }
        if there { Ok(()) } else { Err(TableError::RecordDeleted) }
    }

    /// Makes the bytes of the current row those that the transaction sees now.
    #[doc(alias = "ErrDIRGet")]
    #[inline]
    pub(super) fn read_row(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        // Bytes that are fresh are those of a row that the cursor stands on.
        if self.table_location() == Location::OnRow && self.fresh.is_some() && !self.plan.temporary {
            let state = call.state()?;
            if self.fresh == state.snapshot() && !state.has_changed() {
                return Ok(());
            }
        }
        self.read_row_again(call)
    }

    #[inline(never)]
    fn read_row_again(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        self.check_on_row(call)?;
        let reads = Reads { trees: call.trees(), state: call.state()? };
        let snapshot = reads.state.snapshot().filter(|_| !reads.state.has_changed());
        // Going to the first row may have read it.
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
        Ok(ValueSource { reads, tree, chunk_size: plan.chunk_size, buffers, hidden: &[] })
    }

    fn leave(&mut self, location: Location) -> TableError {
        self.stand(location);
        TableError::NoCurrentRecord
    }

    /// Leaves the entry, for where the range ends, when its key is outside.
    pub(super) fn check_range(&mut self, call: &SessionCallGuard<'_>) -> Result<()> {
        let sorted = if self.plan.sorted { Some(self.key_here(call)?) } else { None };
        let Some(range) = &self.range else { return Ok(()) };
        if range.holds(sorted.as_deref().unwrap_or(self.current_key())) {
            return Ok(());
        }
        let location = if range.upper { Location::AfterLast } else { Location::BeforeFirst };
        self.range = None;
        self.leave_entry(location);
        Err(TableError::NoCurrentRecord)
    }

    pub(super) fn move_first(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        self.cancel_for_move(call)?;
        self.forget_range();
        if self.seek_place(call, &[], &[], SeekHow::First)? && self.pass_forwards(call)? {
            return Ok(());
        }
        Err(self.leave(Location::BeforeFirst))
    }

    pub(super) fn move_last(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        self.cancel_for_move(call)?;
        self.forget_range();
        if self.seek_place(call, &[], &[], SeekHow::Last)? && self.pass_backwards(call)? {
            return Ok(());
        }
        Err(self.leave(Location::AfterLast))
    }

    /// One row forwards, of those that pass the filters; `other_key`: to the next one with another key.
    #[doc(alias = "ErrDIRNext")]
    fn step_forwards(&mut self, call: &SessionCallGuard<'_>, other_key: bool) -> Result<()> {
        self.settle_entry(call)?;
        let found = match self.location {
            Location::AfterLast => false,
            Location::BeforeFirst | Location::First => self.seek_place(call, &[], &[], SeekHow::First)?,
            Location::OnKey => self.seek_from_place(call, false, SeekHow::Above)?,
            // Nothing lies between a key and the key with a zero added.
            Location::OnRow if other_key && !self.tree().is_unique() => {
                self.seek_from_place(call, true, SeekHow::AtLeast)?
            }
            Location::OnRow => self.at_place(call, |tree, reads, place| tree.next(reads, place))?,
        };
        if !(found && self.pass_forwards(call)?) {
            return Err(TableError::NoCurrentRecord);
        }
        if self.range.as_ref().is_some_and(|range| range.upper) {
            self.check_range(call)?;
        }
        Ok(())
    }

    /// One row backwards, of those that pass the filters.
    #[doc(alias = "ErrDIRPrev")]
    fn step_backwards(&mut self, call: &SessionCallGuard<'_>, other_key: bool) -> Result<()> {
        self.settle_entry(call)?;
        let found = match self.location {
            Location::BeforeFirst | Location::First => false,
            Location::AfterLast => self.seek_place(call, &[], &[], SeekHow::Last)?,
            Location::OnKey => self.seek_from_place(call, false, SeekHow::Below)?,
            Location::OnRow if other_key && !self.tree().is_unique() => {
                let key = replaced(std::mem::take(&mut self.key_buffer), self.current_key());
                let found = self.seek_place(call, &key, &[], SeekHow::Below);
                self.key_buffer = key;
                found?
            }
            Location::OnRow => self.at_place(call, |tree, reads, place| tree.previous(reads, place))?,
        };
        if !(found && self.pass_backwards(call)?) {
            return Err(TableError::NoCurrentRecord);
        }
        if self.range.as_ref().is_some_and(|range| !range.upper) {
            self.check_range(call)?;
        }
        Ok(())
    }

    /// A seek by the key of the place, with a zero added or not; and by its data, where entries are told apart by them.
    fn seek_from_place(&mut self, call: &SessionCallGuard<'_>, zero: bool, how: SeekHow) -> Result<bool> {
        let mut key = replaced(std::mem::take(&mut self.key_buffer), self.current_key());
        let data = if zero || self.tree().is_unique() { Vec::new() } else { self.place().data().to_vec() };
        if zero {
            key.push(0);
        }
        let found = self.seek_place(call, &key, &data, how);
        self.key_buffer = key;
        found
    }

    /// To the next row, the most frequent of all moves.
    #[inline]
    pub(super) fn move_next(&mut self, call: &mut SessionCallGuard<'_>) -> Result<()> {
        let plain = self.location == Location::OnRow
            && self.prepared.is_none()
            && self.range.is_none()
            && self.filters.is_empty();
        if plain && self.at_place(call, |tree, reads, place| tree.next(reads, place))? {
            return Ok(());
        }
        self.move_by(call, 1, false)
    }

    pub(super) fn move_by(
        &mut self,
        call: &mut SessionCallGuard<'_>,
        rows: i32,
        other_key: bool,
    ) -> Result<()> {
        if rows == 0 && !self.filters.is_empty() && self.index.is_none() {
            let what = "only moves that go somewhere are filtered";
            return Err(TableError::refused(what, JetError::FILTERED_MOVE_NOT_SUPPORTED));
        }
        self.cancel_for_move(call)?;
        if rows == 0 {
            self.check_on_entry(call)?;
            let there = self.at_place(call, |tree, reads, place| tree.refresh(reads, place))?;
            return if there { Ok(()) } else { Err(TableError::RecordDeleted) };
        }
        for _ in 0..rows.unsigned_abs() {
            let moved = if rows > 0 {
                self.step_forwards(call, other_key)
            } else {
                self.step_backwards(call, other_key)
            };
            if let Err(error) = moved {
                self.stand(if rows > 0 { Location::AfterLast } else { Location::BeforeFirst });
                return Err(error);
            }
        }
        Ok(())
    }

    /// The next row, for counting: without a look at prepared updates, filters and the like.
    pub(super) fn next_for_count(&mut self, call: &SessionCallGuard<'_>) -> Result<bool> {
        match self.step_forwards(call, false) {
            Ok(()) => Ok(true),
            Err(TableError::NoCurrentRecord) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A buffer with other bytes in it.
pub(super) fn replaced(mut buffer: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    buffer.clear();
    buffer.extend_from_slice(bytes);
    buffer
}
