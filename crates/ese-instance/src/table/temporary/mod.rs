//! Temporary tables: sorts, and tables of one session without a database of the application.
//!
//! A temporary table begins as a sort: rows are inserted, in memory and in [runs](run) of the temporary database, and take
//! no part in transactions. The first move or seek ends that. The sorted rows are written to a tree of the temporary
//! database. As long as they are only read, that tree is in the order of the rows, numbered from 0; a table that rows are
//! changed in has the tree that tables of databases have, and the changes have versions and are rolled back as theirs.

mod calls;
mod run;
mod sort;
mod sorted;
mod spec;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ese_btree::live::{LiveTrees, TransactionState, Tree};
use ese_format::{JetError, ObjectId, PageFlags, PageNumber, RecordView, TaggedValue};
use parking_lot::Mutex;

use super::Table;
use super::cursor::{Cursor, Location};
use super::error::{Result, TableError};
use super::plan::TablePlan;
use super::tree::RowTree;
use super::update::PrepareKind;
use super::write::check_nulls;
use crate::catalog::TableDefinition;
use crate::error::InstanceError;
use crate::instance::{SortPermit, TEMPORARY_SLOT};
use crate::schema::{TableSchema, TableShared};
use crate::session::{Session, SessionCallGuard, SessionShared};
use crate::state::SessionCall;

pub(super) use calls::TableCall;
pub(super) use sort::{Sort, Sorted};
pub(super) use spec::default_collation;
pub use spec::{TemporaryColumn, TemporaryTableFlags, TemporaryTableSpec};

/// How far a temporary table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Rows are inserted; nothing is sorted yet.
    Filling,
    /// Rows are read, and cannot be changed.
    Sorted,
    /// A table as others are.
    Table,
    /// The rows could not be sorted: it can only be closed.
    Broken,
}

/// What the cursors of a temporary table share.
#[derive(Debug)]
pub(crate) struct TemporaryTable {
    flags: TemporaryTableFlags,
    /// Columns and index, for a table without a tree.
    definition: TableDefinition,
    shared: Arc<TableShared>,
    trees: Arc<LiveTrees>,
    state: Mutex<State>,
    cursors: AtomicUsize,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    sort: Option<Sort>,
    tree: Option<Tree>,
    permit: Option<SortPermit>,
    /// Rows that were sorted.
    sorted: u64,
}

/// A cursor on a temporary table, as its session knows it: closed with it, and when the transaction level that it was opened
/// in is rolled back.
#[derive(Debug)]
pub(crate) struct TemporaryCursor {
    table: Arc<TemporaryTable>,
    closed: AtomicBool,
}

impl TemporaryTable {
    /// One more cursor.
    fn open(self: &Arc<Self>) -> Arc<TemporaryCursor> {
        self.cursors.fetch_add(1, Ordering::AcqRel);
        Arc::new(TemporaryCursor { table: Arc::clone(self), closed: AtomicBool::new(false) })
    }

    fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// Gives everything back.
    fn free(&self, t: Option<&mut TransactionState>) {
        let mut state = self.state.lock();
        state.phase = Phase::Broken;
        state.sort = None;
        state.permit = None;
        let mut trees: Vec<Tree> = state.tree.take().into_iter().collect();
        trees.extend(self.shared.long_values());
        // What cannot be given back goes with the database.
        let _ = self.trees.drop_private_trees(t, &trees);
    }
}

impl TemporaryCursor {
    /// Closes the cursor; with the last one the table goes.
    pub(crate) fn close(&self, t: Option<&mut TransactionState>) {
        if !self.closed.swap(true, Ordering::AcqRel) && self.table.cursors.fetch_sub(1, Ordering::AcqRel) == 1
        {
            self.table.free(t);
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Session {
    /// Opens a temporary table. Returns it with the numbers of its columns, in the order given.
    ///
    /// It begins as a sort: rows are inserted, and the first move or seek ends that. Afterwards the rows can be read, and
    /// searched when the table is [indexed](TemporaryTableFlags::INDEXED) or [scrollable](TemporaryTableFlags::SCROLLABLE);
    /// they can be changed only in a table that is [updatable](TemporaryTableFlags::UPDATABLE) or became a table because it
    /// is large. Tables without key columns, with long values, or that are [to be tables](TemporaryTableFlags::FORCE_MATERIALIZATION)
    /// are tables from the beginning. Rows of sorts are no part of transactions, rows of tables are.
    ///
    /// When the transaction level that it was opened in is rolled back, it is closed.
    ///
    /// # Errors
    /// `Refused` with the engine's numbers for options that do not go together and columns that cannot be; `Instance`:
    /// `TooManySorts`, and what the file system answers when the temporary database cannot be made.
    #[doc(alias = "JetOpenTempTable")]
    #[doc(alias = "JetOpenTempTable2")]
    #[doc(alias = "JetOpenTempTable3")]
    #[doc(alias = "JetOpenTemporaryTable")]
    #[doc(alias = "JetOpenTemporaryTable2")]
    pub fn open_temporary_table(&self, spec: &TemporaryTableSpec) -> Result<(Table, Vec<u32>)> {
        Table::open_temporary_on(Arc::clone(&self.shared), spec)
    }
}

impl Table {
    #[doc(alias = "ErrIsamOpenTempTable")]
    pub(super) fn open_temporary_on(
        session: Arc<SessionShared>,
        spec: &TemporaryTableSpec,
    ) -> Result<(Self, Vec<u32>)> {
        let mut call = session.enter(SessionCall::Ordinary)?;
        let instance = &session.instance;
        let page_size = instance.parameters().page_size();
        if !instance.has_temporary_tables() {
            return Err(InstanceError::TooManySorts { limit: 0 }.into());
        }
        let flags = spec.flags;
        let cannot = || {
            let what = "a sort that is gone through once is no table";
            TableError::refused(what, JetError::CANNOT_MATERIALIZE_FORWARD_ONLY_SORT)
        };
        let forward_only = flags.contains(TemporaryTableFlags::FORWARD_ONLY);
        let table_wanted = TemporaryTableFlags::INDEXED
            | TemporaryTableFlags::UPDATABLE
            | TemporaryTableFlags::SCROLLABLE
            | TemporaryTableFlags::FORCE_MATERIALIZATION;
        if forward_only && flags.intersects(table_wanted) {
            return Err(cannot());
        }
        let trees = instance.temporary_database()?;
        let permit = instance.permit_sort()?;
        let (definition, ids) = spec::definition(spec, page_size)?;
        let long = spec.columns.iter().any(|column| column.kind.is_long_value());
        let is_table = definition.indexes.is_empty()
            || long && !flags.contains(TemporaryTableFlags::INTRINSIC_LONG_VALUES)
            || flags.contains(TemporaryTableFlags::FORCE_MATERIALIZATION);
        if is_table && forward_only {
            return Err(cannot());
        }
        let keeps_duplicates = forward_only && !flags.contains(TemporaryTableFlags::UNIQUE);
        let table = Arc::new(TemporaryTable {
            flags,
            shared: TableShared::new(ObjectId(0), &Arc::default()),
            state: Mutex::new(State {
                phase: Phase::Filling,
                sort: Some(Sort::new(Arc::clone(&trees), page_size, keeps_duplicates)),
                tree: None,
                permit: Some(permit),
                sorted: 0,
            }),
            trees,
            definition,
            cursors: AtomicUsize::new(0),
        });
        if is_table {
            let mut state = table.state.lock();
            state.tree = Some(table.new_tree()?);
            state.phase = Phase::Table;
            state.sort = None;
            state.permit = None;
        }
        let mut cursor = Cursor::new(table.plan(page_size, true));
        cursor.stand(Location::BeforeFirst);
        let temporary = table.open();
        call.add_temporary(&temporary);
        drop(call);
        Ok((Self { session, database: None, opened: None, temporary: Some(temporary), cursor }, ids))
    }

    /// Another cursor on the same temporary table.
    pub(super) fn duplicate_temporary(&self) -> Result<Option<Arc<TemporaryCursor>>> {
        let Some(mine) = &self.temporary else { return Ok(None) };
        let mut call = self.session.enter(SessionCall::Ordinary)?;
        let other = mine.table.open();
        call.add_temporary(&other);
        Ok(Some(other))
    }

    /// Closes the cursor on a temporary table.
    pub(super) fn close_temporary(&mut self) {
        let Some(cursor) = self.temporary.take() else { return };
        // When the session is gone it has closed its cursors; when another thread is inside, it will.
        if let Ok(mut call) = self.session.enter(SessionCall::WindingDown) {
            call.close_temporary(&cursor);
        }
    }

    /// Whether rows are being inserted into a sort.
    #[inline]
    pub(super) fn is_being_filled(&self) -> bool {
        self.temporary.as_ref().is_some_and(|cursor| cursor.table.phase() == Phase::Filling)
    }

    /// The first move or seek ends the insertion into a sort. `forwards`: the call moves on from in front of the first row.
    #[doc(alias = "ErrTTEndInsert")]
    #[inline]
    pub(super) fn end_insertion(&mut self, forwards: bool) -> Result<()> {
        if self.is_being_filled() { self.end_filling(forwards) } else { Ok(()) }
    }

    fn end_filling(&mut self, forwards: bool) -> Result<()> {
        let Some(temporary) = self.temporary.clone() else { return Ok(()) };
        let table = &temporary.table;
        self.cursor.prepared = None;
        let page_size = self.cursor.plan.page_size;
        match table.end_insertion(page_size) {
            Ok(plan) => self.cursor.plan = plan,
            Err(error) => {
                table.free(None);
                return Err(error);
            }
        }
        let on_first = table.phase() == Phase::Sorted && !forwards;
        self.cursor.stand(if on_first { Location::First } else { Location::BeforeFirst });
        Ok(())
    }

    /// Puts the prepared row into a sort.
    #[doc(alias = "ErrIsamSortUpdate")]
    pub(super) fn insert_while_filling(&mut self, bookmark: &mut Vec<u8>) -> Result<()> {
        let Some(temporary) = self.sort_of_filling() else { return Ok(()) };
        self.call(|cursor, call| cursor.sort_prepared(call, &temporary, bookmark))
    }

    /// The table, while rows are inserted into its sort.
    pub(super) fn sort_of_filling(&self) -> Option<Arc<TemporaryCursor>> {
        self.temporary.clone().filter(|_| self.is_being_filled())
    }

    /// Inserts a row with one value, in the only column of a sort.
    pub(super) fn insert_value(&mut self, value: &[u8]) -> Result<()> {
        self.call(|cursor, call| {
            cursor.prepare(call, PrepareKind::Insert, true)?;
            let plan = Arc::clone(&cursor.plan);
            let Some(column) = plan.table().columns.first() else { return Ok(()) };
            if column.kind.is_long_value() {
                let target = plan.target(column);
                cursor.copy.set_tagged(&target, 1, Some(TaggedValue::Plain(value)))?;
            } else {
                cursor.copy.set_variable(&*plan, column.id, Some(value))?;
            }
            Ok(())
        })?;
        self.insert_while_filling(&mut Vec::new())
    }

    /// Fails when no row was sorted.
    pub(super) fn check_sorted_rows(&self) -> Result<()> {
        let Some(cursor) = &self.temporary else { return Ok(()) };
        let state = cursor.table.state.lock();
        let none = state.phase == Phase::Sorted && state.sorted == 0;
        if none { Err(TableError::RecordNotFound) } else { Ok(()) }
    }

    /// How many rows were sorted; 0 of a temporary table that is a table.
    ///
    /// # Errors
    /// `Refused` (`JET_errIllegalOperation`) while rows are inserted into a sort.
    #[doc(alias = "ErrIsamSortGetTableInfo")]
    #[doc(alias = "JetGetTableInfo")]
    pub fn sorted_row_count(&self) -> Result<u64> {
        self.allow(TableCall::Information)?;
        Ok(self.temporary.as_ref().map_or(0, |cursor| cursor.table.state.lock().sorted))
    }
}

impl TemporaryTable {
    fn new_tree(&self) -> Result<Tree> {
        Ok(self.trees.create_private_tree(TEMPORARY_SLOT, PageNumber::DATABASE_ROOT, 0, 16, true)?)
    }

    /// The plan of cursors: with the tree, once there is one, and as the phase has it.
    fn plan(&self, page_size: ese_format::PageSize, indexed: bool) -> Arc<TablePlan> {
        let mut definition = self.definition.clone();
        let state_of = |tree: Tree| (tree.root.root, tree.root.object);
        let tree = self.state.lock();
        let sorted = tree.phase == Phase::Sorted;
        let (root, object) = tree.tree.map_or((PageNumber::NONE, ObjectId(0)), state_of);
        drop(tree);
        (definition.root, definition.object_id) = (root, object);
        for index in &mut definition.indexes {
            (index.root, index.object_id) = (root, object);
        }
        if !indexed {
            definition.indexes.clear();
        }
        let schema = TableSchema::new(TEMPORARY_SLOT, definition, Arc::clone(&self.shared), 0);
        let intrinsic = self.flags.contains(TemporaryTableFlags::INTRINSIC_LONG_VALUES);
        Arc::new(TablePlan::temporary(Arc::new(schema), page_size, sorted, intrinsic))
    }

    /// Sorts the rows, and makes the tree that they are read from.
    fn end_insertion(&self, page_size: ese_format::PageSize) -> Result<Arc<TablePlan>> {
        let mut state = self.state.lock();
        let Some(sort) = state.sort.take() else {
            return Err(TableError::refused("the rows are sorted already", JetError::INTERNAL_ERROR));
        };
        let searched = TemporaryTableFlags::SCROLLABLE | TemporaryTableFlags::INDEXED;
        let is_table = self.flags.contains(TemporaryTableFlags::UPDATABLE)
            || self.flags.intersects(searched) && sort.overflows();
        let by_key = is_table && self.flags.contains(TemporaryTableFlags::INDEXED);
        let mut sorted = sort.finish()?;
        let tree = self.new_tree()?;
        state.tree = Some(tree);
        let mut number = 0_u32;
        while sorted.advance()? {
            let position = number.to_be_bytes();
            let key = if by_key { sorted.key() } else { &position[..] };
            self.trees.insert_private(&tree, key, sorted.row())?;
            let out = || TableError::refused("too many rows", JetError::OUT_OF_SEQUENTIAL_INDEX_VALUES);
            number = number.checked_add(1).ok_or_else(out)?;
        }
        if is_table {
            state.phase = Phase::Table;
            state.permit = None;
            if !by_key {
                *self.shared.next_row.lock() = Some(u64::from(number) + 1);
            }
        } else {
            state.phase = Phase::Sorted;
            state.sorted = number.into();
        }
        drop(state);
        Ok(self.plan(page_size, !is_table || by_key))
    }
}

impl Cursor {
    /// Puts the row being prepared into a sort.
    pub(super) fn sort_prepared(
        &mut self,
        call: &SessionCallGuard<'_>,
        temporary: &TemporaryCursor,
        key: &mut Vec<u8>,
    ) -> Result<()> {
        self.make_sort_key(call, key)?;
        if let Some(sort) = &mut temporary.table.state.lock().sort {
            sort.insert(key, self.copy.bytes())?;
        }
        self.prepared = None;
        key.clear();
        Ok(())
    }

    /// The key of the row being prepared.
    fn make_sort_key(&mut self, call: &SessionCallGuard<'_>, key: &mut Vec<u8>) -> Result<()> {
        if self.prepared.is_none() {
            return Err(TableError::UpdateNotPrepared);
        }
        let plan = Arc::clone(&self.plan);
        let row = RecordView::parse(self.copy.bytes(), plan.page_size)?;
        check_nulls(&plan, &row)?;
        let Some(primary) = &plan.primary else { return Err(TableError::NoCurrentIndex) };
        let tree = plan.long_values();
        let mut values = Self::values(&mut self.buffers, &plan, tree.as_ref(), call)?;
        primary.keys.base_key(plan.table(), &row, &mut values, key)?;
        Ok(())
    }
}

impl TablePlan {
    /// The tree of a temporary table's long values, made if need be.
    #[doc(alias = "ErrFILECreateLVRoot")]
    pub(super) fn temporary_long_values(&self, trees: &LiveTrees) -> Result<RowTree> {
        if self.intrinsic_only {
            let what = "long values stay in the rows of this table";
            return Err(TableError::refused(what, JetError::CANNOT_SEPARATE_INTRINSIC_LV));
        }
        let shared = &self.schema.shared;
        let _creating = shared.long_values_creation.lock();
        if let Some(tree) = shared.long_values() {
            return Ok(RowTree(tree));
        }
        let flags = PageFlags::LONG_VALUE.bits();
        let tree = trees.create_private_tree(TEMPORARY_SLOT, self.rows.root(), flags, 1, false)?;
        shared.set_long_values(tree);
        Ok(RowTree(tree))
    }
}
