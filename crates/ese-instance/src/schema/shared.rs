//! What all versions of a table share.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ese_btree::live::Tree;
use ese_format::{ObjectId, PageNumber};
use ese_log::record::SessionId;
use parking_lot::{Mutex, RwLock};

use crate::error::InstanceError;
use crate::quota::CursorTicket;
use crate::table::TableCallbacks;

bitflags::bitflags! {
    /// How a table is opened. Unknown bits are refused.
    #[doc(alias = "JET_bitTable")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TableMode: u32 {
        /// Nobody else may change it.
        #[doc(alias = "JET_bitTableDenyWrite")]
        const DENY_WRITE = 0x1;
        /// Nobody else may open it.
        #[doc(alias = "JET_bitTableDenyRead")]
        const DENY_READ = 0x2;
        /// For reading.
        #[doc(alias = "JET_bitTableReadOnly")]
        const READ_ONLY = 0x4;
        /// For changes; the default.
        #[doc(alias = "JET_bitTableUpdatable")]
        const UPDATABLE = 0x8;
        /// The structure may be changed though it is fixed. Needs [`DENY_READ`](Self::DENY_READ).
        #[doc(alias = "JET_bitTablePermitDDL")]
        const PERMIT_STRUCTURE_CHANGES = 0x10;
        /// A hint, ignored.
        #[doc(alias = "JET_bitTableNoCache")]
        const NO_CACHE = 0x20;
        /// A hint, ignored.
        #[doc(alias = "JET_bitTablePreread")]
        const PREREAD = 0x40;
        /// A hint, ignored.
        #[doc(alias = "JET_bitTableOpportuneRead")]
        const OPPORTUNE_READ = 0x80;
        /// Indexes of text in the order of another version of the sorting tables are no obstacle.
        #[doc(alias = "JET_bitTableAllowOutOfDate")]
        const ALLOW_OUT_OF_DATE = 0x100;
        /// Rows will be read in order.
        #[doc(alias = "JET_bitTableSequential")]
        const SEQUENTIAL = 0x8000;
        /// Class of the table, 1 to 31: a hint, ignored.
        #[doc(alias = "JET_bitTableClass1")]
        const CLASS = 0x001F_0000;
    }
}

impl TableMode {
    /// Whether the bits go together.
    ///
    /// # Errors
    /// `InvalidFlags`.
    pub(crate) fn check(self) -> Result<(), InstanceError> {
        let unknown = Self::from_bits(self.bits()).is_none();
        let permit_without_deny =
            self.contains(Self::PERMIT_STRUCTURE_CHANGES) && !self.contains(Self::DENY_READ);
        let alone_for_reading = !self.contains(Self::PERMIT_STRUCTURE_CHANGES)
            && self.contains(Self::DENY_READ | Self::READ_ONLY);
        if unknown || permit_without_deny || alone_for_reading {
            return Err(InstanceError::InvalidFlags { bits: self.bits() });
        }
        Ok(())
    }

    /// Whether rows may be changed.
    pub(crate) const fn is_updatable(self) -> bool {
        !self.contains(Self::READ_ONLY)
    }
}

/// Numbers of an auto-increment column that are to be given out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NumberReserve {
    /// The next one; 0 until the table looked for it.
    pub(crate) next: u64,
    /// The last one that is reserved.
    pub(crate) reserved: u64,
    /// How many were reserved the last time.
    pub(crate) at_once: u64,
}

/// What all versions of a table share while its database is attached.
#[derive(Debug)]
pub(crate) struct TableShared {
    object: ObjectId,
    /// How many cursors there are on all tables of the database.
    cursors: Arc<AtomicUsize>,
    state: Mutex<State>,
    long_values: RwLock<Option<Tree>>,
    callbacks: Arc<TableCallbacks>,
    /// Held while the tree of long values is made, so that two sessions do not make two.
    pub(crate) long_values_creation: Mutex<()>,
    /// Numbers of the auto-increment column.
    pub(crate) auto_increment: Mutex<NumberReserve>,
    /// Next number of a long value; `None` until the table looked for it.
    pub(crate) next_long_value: Mutex<Option<u64>>,
    /// Next key of a table without primary index; `None` until the table looked for it.
    pub(crate) next_row: Mutex<Option<u64>>,
}

#[derive(Debug, Default)]
struct State {
    opens: Vec<Open>,
    last_open: u64,
    /// Sessions that have changed rows in the transactions they are in.
    updaters: HashSet<SessionId>,
    /// The session that has changed the structure in the transaction it is in.
    structure: Option<SessionId>,
    /// Sessions that have made indexes in the transactions they are in.
    index_creators: HashSet<SessionId>,
    /// Schema epoch that the last change of the structure began, indexes made beside changes of rows aside.
    structure_epoch: u64,
    /// Number of the last ended transaction that changed rows.
    last_update: u64,
    /// It was deleted, perhaps by a transaction that goes on.
    deleted: bool,
    /// A table is derived from it: as a template it may not be changed any more.
    is_static: bool,
    /// Root pages of the indexes that cursors go through, one for each cursor.
    current_indexes: Vec<PageNumber>,
}

/// A cursor's going through an index; over when dropped.
#[derive(Debug)]
pub(crate) struct IndexUse {
    shared: Arc<TableShared>,
    root: PageNumber,
}

impl Drop for IndexUse {
    fn drop(&mut self) {
        let indexes = &mut self.shared.state.lock().current_indexes;
        if let Some(place) = indexes.iter().position(|root| *root == self.root) {
            indexes.swap_remove(place);
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Open {
    id: u64,
    session: SessionId,
    mode: TableMode,
}

/// What keeps a table open, until it is released or dropped.
#[derive(Debug)]
pub(crate) struct OpenHold {
    shared: Arc<TableShared>,
    /// Counts the cursor; system work does not count.
    ticket: Mutex<Option<CursorTicket>>,
    id: u64,
    released: AtomicBool,
}

impl OpenHold {
    /// Whether the table is one of those that `cursors` counts.
    pub(super) fn counts_in(&self, cursors: &Arc<AtomicUsize>) -> bool {
        Arc::ptr_eq(&self.shared.cursors, cursors)
    }

    /// Closes the table, once.
    pub(crate) fn release(&self) {
        if self.released.swap(true, Ordering::AcqRel) {
            return;
        }
        self.ticket.lock().take();
        self.shared.cursors.fetch_sub(1, Ordering::AcqRel);
        self.shared.state.lock().opens.retain(|open| open.id != self.id);
    }
}

/// A table held open; closed when dropped.
#[derive(Debug)]
pub(crate) struct OpenedTable {
    hold: Arc<OpenHold>,
    mode: TableMode,
}

impl OpenedTable {
    /// How it is open.
    pub(crate) const fn mode(&self) -> TableMode {
        self.mode
    }

    /// Gives the cursor's ticket back when the cursor goes.
    pub(crate) fn hold(&mut self, ticket: CursorTicket) {
        *self.hold.ticket.lock() = Some(ticket);
    }

    /// What keeps it open, for somebody else who may close it.
    pub(crate) fn share(&self) -> Arc<OpenHold> {
        Arc::clone(&self.hold)
    }

    /// Who wants to know of changes of rows.
    pub(crate) fn callbacks(&self) -> &Arc<TableCallbacks> {
        &self.hold.shared.callbacks
    }
}

impl Drop for OpenedTable {
    fn drop(&mut self) {
        self.hold.release();
    }
}

impl TableShared {
    pub(crate) fn new(object: ObjectId, cursors: &Arc<AtomicUsize>) -> Arc<Self> {
        Arc::new(Self {
            object,
            cursors: Arc::clone(cursors),
            state: Mutex::default(),
            long_values: RwLock::new(None),
            callbacks: Arc::default(),
            long_values_creation: Mutex::new(()),
            auto_increment: Mutex::default(),
            next_long_value: Mutex::new(None),
            next_row: Mutex::new(None),
        })
    }

    /// Notes that a cursor goes through an index.
    pub(crate) fn use_index(self: &Arc<Self>, root: PageNumber) -> IndexUse {
        self.state.lock().current_indexes.push(root);
        IndexUse { shared: Arc::clone(self), root }
    }

    /// Whether any cursor goes through an index.
    pub(crate) fn is_index_used(&self, root: PageNumber) -> bool {
        self.state.lock().current_indexes.contains(&root)
    }

    /// The tree of long values.
    pub(crate) fn long_values(&self) -> Option<Tree> {
        *self.long_values.read()
    }

    pub(crate) fn set_long_values(&self, tree: Tree) {
        self.long_values.write().get_or_insert(tree);
    }

    /// Forgets the tree of long values: the transaction that made it was rolled back.
    pub(crate) fn forget_long_values(&self) {
        *self.long_values.write() = None;
    }

    /// Opens the table for a session, with the engine's rules: locks of other sessions first, then those that are wanted.
    /// `delete`: no cursor at all may be open.
    ///
    /// # Errors
    /// `InvalidFlags`, `TableLocked`, `TableInUse`.
    pub(crate) fn open(
        self: &Arc<Self>,
        name: &str,
        session: SessionId,
        mode: TableMode,
        delete: bool,
    ) -> Result<OpenedTable, InstanceError> {
        mode.check()?;
        self.open_checked(name, session, mode, delete)
    }

    /// Opens a table that the session has just made.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_new(
        self: &Arc<Self>,
        name: &str,
        session: SessionId,
        permits: bool,
    ) -> Result<OpenedTable, InstanceError> {
        let mut opened = self.open_checked(name, session, TableMode::DENY_READ, false)?;
        if permits {
            opened.mode |= TableMode::PERMIT_STRUCTURE_CHANGES;
        }
        Ok(opened)
    }

    fn open_checked(
        self: &Arc<Self>,
        name: &str,
        session: SessionId,
        mode: TableMode,
        delete: bool,
    ) -> Result<OpenedTable, InstanceError> {
        let locked = || InstanceError::TableLocked { table: name.to_owned() };
        let in_use = || InstanceError::TableInUse { table: name.to_owned() };
        let state = &mut *self.state.lock();
        let others = |open: &&Open| open.session != session;
        let denies_read = |open: &Open| open.mode.contains(TableMode::DENY_READ);
        let denies_write = |open: &Open| open.mode.contains(TableMode::DENY_WRITE);
        if state.deleted {
            return Err(locked());
        }
        if state.opens.iter().filter(others).any(denies_read) {
            return Err(locked());
        }
        if mode.is_updatable() && state.opens.iter().filter(others).any(denies_write) {
            return Err(locked());
        }
        if mode.contains(TableMode::DENY_WRITE)
            && (state.opens.iter().any(denies_write)
                || state.opens.iter().filter(others).any(|open| open.mode.is_updatable()))
        {
            return Err(in_use());
        }
        if mode.contains(TableMode::DENY_READ)
            && state.opens.iter().any(|open| delete || open.session != session)
        {
            return Err(in_use());
        }
        let changing =
            state.structure.is_some() || !state.updaters.is_empty() || !state.index_creators.is_empty();
        if mode.contains(TableMode::PERMIT_STRUCTURE_CHANGES) && (state.is_static || changing) {
            return Err(in_use());
        }
        state.last_open += 1;
        let id = state.last_open;
        state.opens.push(Open { id, session, mode });
        self.cursors.fetch_add(1, Ordering::AcqRel);
        let shared = Arc::clone(self);
        let hold = OpenHold { shared, ticket: Mutex::new(None), id, released: AtomicBool::new(false) };
        Ok(OpenedTable { hold: Arc::new(hold), mode })
    }

    /// Whether a session has the table for itself.
    pub(crate) fn is_exclusive_of(&self, session: SessionId) -> bool {
        let state = self.state.lock();
        state.opens.iter().any(|open| open.session == session && open.mode.contains(TableMode::DENY_READ))
    }

    /// Whether a session has the table open so that a fixed structure may be changed.
    pub(crate) fn permits_structure_changes(&self, session: SessionId) -> bool {
        let permit = TableMode::PERMIT_STRUCTURE_CHANGES;
        self.state.lock().opens.iter().any(|open| open.session == session && open.mode.contains(permit))
    }

    /// Notes that it was deleted, or that this was taken back.
    pub(crate) fn set_deleted(&self, deleted: bool) {
        self.state.lock().deleted = deleted;
    }

    /// A table is derived from this one.
    pub(crate) fn make_static(&self) {
        self.state.lock().is_static = true;
    }

    /// Lets a session change rows in its transaction, which sees the schema of `epoch`.
    ///
    /// # Errors
    /// `SchemaConflict` when another transaction, or one that this one does not see, changed the structure: it would leave
    /// the rows without entries in the new indexes.
    pub(crate) fn begin_update(&self, session: SessionId, epoch: u64) -> Result<(), InstanceError> {
        let state = &mut *self.state.lock();
        if state.structure.is_some_and(|other| other != session) || state.structure_epoch > epoch {
            return Err(InstanceError::SchemaConflict { object: self.object });
        }
        state.updaters.insert(session);
        Ok(())
    }

    /// Lets a session change the structure in its transaction.
    ///
    /// # Errors
    /// `SchemaConflict` while another transaction changes rows or the structure, or when this one does not see the latest
    /// structure.
    pub(crate) fn begin_structure_change(&self, session: SessionId, epoch: u64) -> Result<(), InstanceError> {
        let state = &mut *self.state.lock();
        if state.updaters.iter().any(|other| *other != session)
            || state.index_creators.iter().any(|other| *other != session)
            || state.structure.is_some_and(|other| other != session)
            || state.structure_epoch > epoch
        {
            return Err(InstanceError::SchemaConflict { object: self.object });
        }
        state.structure = Some(session);
        Ok(())
    }

    /// Lets a session make a secondary index in its transaction, while others change rows.
    ///
    /// # Errors
    /// `SchemaConflict` while another transaction changes the structure, or when this one does not see the latest structure.
    pub(crate) fn begin_index_creation(&self, session: SessionId, epoch: u64) -> Result<(), InstanceError> {
        let state = &mut *self.state.lock();
        if state.structure.is_some_and(|other| other != session) || state.structure_epoch > epoch {
            return Err(InstanceError::SchemaConflict { object: self.object });
        }
        state.index_creators.insert(session);
        Ok(())
    }

    /// Whether a transaction that began when `updates` of them had ended sees all rows.
    ///
    /// # Errors
    /// `SchemaConflict` when rows may have changed since.
    pub(crate) fn check_rows_are_seen(&self, updates: u64) -> Result<(), InstanceError> {
        if self.state.lock().last_update > updates {
            return Err(InstanceError::SchemaConflict { object: self.object });
        }
        Ok(())
    }

    /// The outermost transaction of a session is over. `committed`: the epoch that its changes of schemas begin; `update`:
    /// its number among those that changed rows.
    pub(crate) fn end_transaction(&self, session: SessionId, committed: Option<u64>, update: u64) {
        let state = &mut *self.state.lock();
        if state.updaters.remove(&session) {
            state.last_update = state.last_update.max(update);
        }
        state.index_creators.remove(&session);
        if state.structure == Some(session) {
            state.structure = None;
            if let Some(epoch) = committed {
                state.structure_epoch = epoch;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SessionId = SessionId(5);
    const B: SessionId = SessionId(6);

    fn number<T>(result: Result<T, InstanceError>) -> i32 {
        result.err().map_or(0, |e| e.jet_error().0)
    }

    #[test]
    fn locks_of_tables() {
        let table = TableShared::new(ObjectId(8), &Arc::default());
        let open = |session, mode| table.open("t", session, mode, false);
        let plain = open(A, TableMode::empty()).unwrap();
        assert_eq!(number(open(B, TableMode::DENY_READ)), -1304);
        assert_eq!(number(open(B, TableMode::DENY_WRITE)), -1304);
        let reader = open(B, TableMode::READ_ONLY).unwrap();
        let deny_write = open(A, TableMode::DENY_WRITE).unwrap();
        assert_eq!(number(open(A, TableMode::DENY_WRITE)), -1304);
        assert_eq!(number(open(B, TableMode::UPDATABLE)), -1302);
        drop((plain, reader, deny_write));
        let alone = open(A, TableMode::DENY_READ).unwrap();
        assert!(table.is_exclusive_of(A));
        assert_eq!(number(open(B, TableMode::READ_ONLY)), -1302);
        assert_eq!(number(open(A, TableMode::empty())), 0);
        let again = open(A, TableMode::DENY_READ).unwrap();
        drop(alone);
        assert!(table.is_exclusive_of(A));
        drop(again);
        assert_eq!(number(open(A, TableMode::PERMIT_STRUCTURE_CHANGES)), -900);
        assert_eq!(number(open(A, TableMode::DENY_READ | TableMode::READ_ONLY)), -900);
        assert_eq!(number(open(A, TableMode::from_bits_retain(0x1000_0000))), -900);
        let own = open(A, TableMode::empty()).unwrap();
        assert_eq!(number(table.open("t", A, TableMode::DENY_READ, true)), -1304);
        drop(own);
        assert_eq!(number(table.open("t", A, TableMode::DENY_READ, true)), 0);
    }

    #[test]
    fn structure_and_rows_exclude_each_other() {
        let table = TableShared::new(ObjectId(8), &Arc::default());
        table.begin_update(A, 1).unwrap();
        assert_eq!(number(table.begin_structure_change(B, 1)), -1102);
        table.begin_structure_change(A, 1).unwrap();
        assert_eq!(number(table.begin_update(B, 1)), -1102);
        table.end_transaction(A, Some(2), 7);
        assert_eq!(number(table.check_rows_are_seen(6)), -1102);
        table.check_rows_are_seen(7).unwrap();
        assert_eq!(number(table.begin_update(B, 1)), -1102, "a transaction that does not see the change");
        table.begin_update(B, 2).unwrap();
        table.end_transaction(B, None, 8);
        table.begin_structure_change(A, 2).unwrap();
        table.end_transaction(A, None, 9);
        table.begin_update(B, 2).unwrap();
    }
}
