//! One call inside a session.

mod schemas;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, ThreadId};

use ese_btree::live::{LiveError, LiveTrees, TransactionState};
use ese_format::{JetError, LogPosition, ObjectId};
use ese_log::record::SessionId;
use parking_lot::MutexGuard;

use super::{SessionParameters, SessionShared};
use crate::call_error::CallError;
use crate::database::AttachedDatabase;
use crate::ddl::bring_entries;
use crate::error::InstanceError;
use crate::schema::{NewIndex, TableSchema, TableShared};
use crate::state::SessionCall;
use crate::table::{TemporaryCursor, ZeroCounter};

/// The thread of the call. Each call asks, and the standard library counts references for its answer.
fn this_thread() -> ThreadId {
    thread_local! {
        static ID: ThreadId = thread::current().id();
    }
    ID.with(|id| *id)
}

#[cold]
const fn has_ended(session: SessionId) -> InstanceError {
    InstanceError::InvalidSession { session }
}

/// Who goes on with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The thread that began it.
    Thread(ThreadId),
    /// Whichever thread has given the session this context.
    Context(u64),
}

/// The state of a session, of which one call at a time has a hold.
pub(crate) struct SessionInner {
    /// `None` once the session has ended.
    state: Option<TransactionState>,
    /// What the session is used for now, and the thread that said so.
    context: Option<(u64, ThreadId)>,
    /// Who began the transaction.
    owner: Option<Owner>,
    /// Schema epoch of the transaction's snapshot.
    epoch: u64,
    /// The transaction has changed a schema: its own version is another than everybody's.
    changed_schemas: bool,
    /// Schemas that only this transaction sees.
    own_schemas: HashMap<(u8, ObjectId), Arc<TableSchema>>,
    /// Count of updating commits when the transaction began: those that it certainly sees.
    seen_updates: u64,
    /// Tables whose rows or structure the transaction has changed.
    touched: Vec<Arc<TableShared>>,
    /// Tables that the transaction has made.
    created: Vec<Arc<TableShared>>,
    /// Tables that it has deleted, with the level in which they were.
    deleted: Vec<(u8, Arc<TableShared>)>,
    /// Indexes that it has made of tables that others change, with the level in which they were made.
    new_indexes: Vec<(u8, Arc<NewIndex>)>,
    /// Tables whose rows it may change, and the one that was asked for last.
    updated: HashSet<(u8, ObjectId)>,
    last_updated: Option<(u8, ObjectId)>,
    /// Counters that the transaction has made zero, of rows that go then.
    zeros: Vec<ZeroCounter>,
    /// Last commit record of a level-0 commit.
    pub(super) last_commit: LogPosition,
    /// Cursors on temporary tables that are open, with the level in which they were opened.
    temporary: Vec<(u8, Arc<TemporaryCursor>)>,
    pub(super) parameters: SessionParameters,
    /// Databases that are open, with how often.
    pub(super) databases: Vec<(Arc<AttachedDatabase>, u32)>,
}

impl SessionInner {
    pub(super) fn new(state: TransactionState, parameters: SessionParameters) -> Self {
        Self {
            state: Some(state),
            context: None,
            owner: None,
            epoch: 0,
            changed_schemas: false,
            own_schemas: HashMap::new(),
            seen_updates: 0,
            touched: Vec::new(),
            created: Vec::new(),
            deleted: Vec::new(),
            new_indexes: Vec::new(),
            updated: HashSet::new(),
            last_updated: None,
            zeros: Vec::new(),
            last_commit: LogPosition::NONE,
            temporary: Vec::new(),
            parameters,
            databases: Vec::new(),
        }
    }

    /// Whether the one who calls may begin, commit and roll back levels of the transaction.
    fn is_owner(&self) -> bool {
        match self.owner {
            None => true,
            Some(Owner::Thread(thread)) => thread == this_thread(),
            Some(Owner::Context(context)) => self.context == Some((context, this_thread())),
        }
    }

    pub(super) fn take_state(&mut self) -> Option<TransactionState> {
        self.state.take()
    }
}

/// A call that is inside a session: nobody else is until it is dropped.
pub(crate) struct SessionCallGuard<'a> {
    pub(crate) session: &'a SessionShared,
    pub(super) inner: MutexGuard<'a, SessionInner>,
}

impl SessionShared {
    /// Lets a call in, with the engine's refusals in the engine's order.
    ///
    /// # Errors
    /// `InvalidSession` for one that has ended; refused at the door; `SessionSharingViolation` when another call is inside.
    #[inline]
    pub(crate) fn enter(&self, call: SessionCall) -> Result<SessionCallGuard<'_>, InstanceError> {
        match self.enter_plainly() {
            Some(inner) => Ok(SessionCallGuard { session: self, inner }),
            None => self.enter_carefully(call),
        }
    }

    /// The most frequent case: nothing speaks against the call.
    #[inline]
    fn enter_plainly(&self) -> Option<MutexGuard<'_, SessionInner>> {
        let inner = self.inner.try_lock()?;
        // Looked at behind the session's lock, as in the other case.
        let plain = self.instance.is_open() && !self.ended.load(Ordering::Acquire) && inner.state.is_some();
        plain.then_some(inner)
    }

    /// Looks at everything that can speak against the call.
    #[inline(never)]
    fn enter_carefully(&self, call: SessionCall) -> Result<SessionCallGuard<'_>, InstanceError> {
        if self.ended.load(Ordering::Acquire) {
            return Err(InstanceError::InvalidSession { session: self.id });
        }
        let inner = self.inner.try_lock();
        // Whoever locks the door takes the session's lock afterwards, so that this look counts as long as the lock is held.
        self.instance.look(|state| state.check_session(call))?;
        let Some(inner) = inner else {
            return Err(InstanceError::SessionSharingViolation { session: self.id });
        };
        if inner.state.is_none() {
            return Err(InstanceError::InvalidSession { session: self.id });
        }
        Ok(SessionCallGuard { session: self, inner })
    }
}

impl SessionCallGuard<'_> {
    /// The trees.
    #[inline]
    pub(crate) fn trees(&self) -> &Arc<LiveTrees> {
        &self.session.trees
    }

    /// The state of the session's transactions, for reads.
    ///
    /// # Errors
    /// None in fact: a session that has ended is not entered.
    #[inline]
    pub(crate) fn state(&self) -> Result<&TransactionState, InstanceError> {
        self.inner.state.as_ref().ok_or_else(|| has_ended(self.session.id))
    }

    /// The state of the session's transactions, for changes.
    ///
    /// # Errors
    /// None in fact.
    pub(crate) fn state_mut(&mut self) -> Result<&mut TransactionState, InstanceError> {
        let id = self.session.id;
        self.inner.state.as_mut().ok_or_else(|| has_ended(id))
    }

    /// The trees, and the state of the session's transactions.
    ///
    /// # Errors
    /// None in fact.
    pub(crate) fn parts(&mut self) -> Result<(&LiveTrees, &mut TransactionState), InstanceError> {
        let session = self.session;
        Ok((&session.trees, self.inner.state.as_mut().ok_or_else(|| has_ended(session.id))?))
    }

    /// Levels of transactions that the session is in.
    #[inline]
    pub(crate) fn level(&self) -> u8 {
        self.session.level.load(Ordering::Acquire)
    }

    /// Gives the session a context, for this thread.
    ///
    /// # Errors
    /// `Call`: a context that none can be, and one that is set already.
    pub(super) fn set_context(&mut self, context: u64) -> Result<(), CallError> {
        if matches!(context, 0 | u64::MAX) {
            return Err(CallError::InvalidParameter { what: "a context that no session can have" });
        }
        if self.inner.context.is_some() {
            return Err(CallError::SessionContextSet);
        }
        self.inner.context = Some((context, this_thread()));
        Ok(())
    }

    /// Takes the context away that this thread has given.
    ///
    /// # Errors
    /// `Call` when it has not.
    pub(super) fn reset_context(&mut self) -> Result<(), CallError> {
        if self.inner.context.is_none_or(|(_, thread)| thread != this_thread()) {
            return Err(CallError::SessionContextNotSet);
        }
        self.inner.context = None;
        Ok(())
    }

    /// Refuses to end a session that is in use, or whose transaction belongs to another thread.
    ///
    /// # Errors
    /// `Call`, `SessionSharingViolation`.
    pub(super) fn check_end(&self) -> Result<(), InstanceError> {
        if self.inner.context.is_some() {
            return Err(CallError::SessionInUse.into());
        }
        match self.inner.owner {
            // Whoever the transaction was for is gone.
            Some(Owner::Context(_)) => Ok(()),
            _ => self.check_owner(),
        }
    }

    /// Whatever the transaction was begun for: it ends now, with its session.
    pub(super) fn disown(&mut self) {
        self.inner.owner = None;
    }

    /// Refuses whoever may not go on with the transaction.
    ///
    /// # Errors
    /// `SessionSharingViolation`.
    fn check_owner(&self) -> Result<(), InstanceError> {
        match self.inner.is_owner() {
            true => Ok(()),
            false => Err(InstanceError::SessionSharingViolation { session: self.session.id }),
        }
    }

    /// Refuses a call inside a transaction.
    ///
    /// # Errors
    /// `InTransaction`.
    pub(crate) fn check_no_transaction(&self) -> Result<(), InstanceError> {
        if self.level() > 0 { Err(InstanceError::InTransaction) } else { Ok(()) }
    }

    /// Refuses a call outside transactions.
    ///
    /// # Errors
    /// `Live`.
    pub(super) fn check_in_transaction(&self) -> Result<(), InstanceError> {
        if self.level() > 0 { Ok(()) } else { Err(LiveError::NotInTransaction.into()) }
    }

    /// Begins a transaction, nested when there is one.
    ///
    /// # Errors
    /// `SessionSharingViolation` when another thread is in a transaction; `Live`: too deep, or nothing new may begin because
    /// the disk is full.
    pub(crate) fn begin(&mut self, read_only: bool) -> Result<(), InstanceError> {
        let outermost = self.level() == 0;
        self.check_owner()?;
        if outermost
            && !read_only
            && let Some(log) = &self.session.log
        {
            log.check_space()?;
        }
        let session = self.session;
        let epochs = session.instance.schema_epoch();
        let epoch = epochs.hold();
        let seen_updates = epochs.updates();
        session.trees.begin(self.state_mut()?, read_only)?;
        if outermost {
            self.inner.seen_updates = seen_updates;
            self.inner.epoch = *epoch;
            self.inner.owner = Some(match self.inner.context {
                Some((context, _)) => Owner::Context(context),
                None => Owner::Thread(this_thread()),
            });
        }
        drop(epoch);
        session.level.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Commits one level. The position of the record to be flushed, when it was the outermost and anything was logged.
    ///
    /// # Errors
    /// `SessionSharingViolation` for another thread's transaction; `Live`; the transaction goes on then.
    pub(crate) fn commit(&mut self) -> Result<Option<LogPosition>, InstanceError> {
        let session = self.session;
        self.check_owner()?;
        let outermost = self.level() == 1;
        let position =
            if outermost { self.commit_outermost()? } else { session.trees.commit(self.state_mut()?)? };
        let level = self.level().saturating_sub(1);
        for (opened, _) in &mut self.inner.temporary {
            *opened = level.min(*opened);
        }
        for (made, _) in &mut self.inner.new_indexes {
            *made = level.min(*made);
        }
        for (gone, _) in &mut self.inner.deleted {
            *gone = level.min(*gone);
        }
        self.lower_level();
        if let Some(position) = position {
            self.inner.last_commit = self.inner.last_commit.max(position);
        }
        Ok(position)
    }

    /// Commits the outermost level, with the entries of its rows in indexes that it does not see.
    fn commit_outermost(&mut self) -> Result<Option<LogPosition>, InstanceError> {
        let session = self.session;
        if self.inner.touched.is_empty() && !self.inner.changed_schemas {
            let position = session.trees.commit(self.state_mut()?)?;
            self.forget_transaction(None);
            return Ok(position);
        }
        let epochs = session.instance.schema_epoch();
        let mut brought: Vec<Arc<NewIndex>> = Vec::new();
        loop {
            let held = epochs.hold();
            for index in self.unknown_indexes(&brought) {
                bring_entries(self, &index)?;
                brought.push(index);
            }
            if !self.inner.changed_schemas {
                let position = session.trees.commit(self.state_mut()?)?;
                drop(held);
                self.forget_transaction(None);
                return Ok(position);
            }
            // Whoever fills an index reads schemas, which the exclusive lock keeps it from: it is waited for before.
            drop(held);
            let mut epoch = epochs.advance();
            if !self.unknown_indexes(&brought).is_empty() {
                continue;
            }
            let position = session.trees.commit(self.state_mut()?)?;
            *epoch += 1;
            let new = *epoch;
            for (_, index) in self.inner.new_indexes.drain(..) {
                index.commit(new);
            }
            drop(epoch);
            self.forget_transaction(Some(new));
            return Ok(position);
        }
    }

    /// Indexes of the tables that the transaction has changed, and that it does not see; `but` those.
    fn unknown_indexes(&self, but: &[Arc<NewIndex>]) -> Vec<Arc<NewIndex>> {
        let indexes = &self.session.instance.schema_epoch().new_indexes;
        let mut unknown = indexes.unknown_to(self.session.id, self.inner.epoch, &self.inner.touched);
        unknown.retain(|index| !but.iter().any(|known| Arc::ptr_eq(known, index)));
        unknown
    }

    /// Announces an index to those who change rows of its table: what they commit from now on they bring themselves. Gives
    /// a view of what is committed by now.
    pub(crate) fn announce_index(
        &mut self,
        index: &Arc<NewIndex>,
    ) -> Result<TransactionState, InstanceError> {
        let level = self.level();
        self.inner.new_indexes.push((level, Arc::clone(index)));
        let session = self.session;
        let epochs = session.instance.schema_epoch();
        let epoch = epochs.advance();
        epochs.new_indexes.add(index);
        let view = session.trees.latest_view(self.state()?);
        drop(epoch);
        Ok(view)
    }

    /// Takes a level's changes back in the trees; nobody brings entries to an index that goes with them.
    fn roll_back_trees(&mut self) -> Result<(), InstanceError> {
        let (session, level) = (self.session, self.level());
        let made = &mut self.inner.new_indexes;
        let first = made.iter().position(|(made, _)| *made >= level);
        let Some(first) = first else { return Ok(session.trees.rollback(self.state_mut()?)?) };
        let gone = made.split_off(first);
        let _epoch = session.instance.schema_epoch().advance();
        for (_, index) in gone {
            index.take_back();
        }
        Ok(session.trees.rollback(self.state_mut()?)?)
    }

    /// Rolls one level back.
    ///
    /// # Errors
    /// `SessionSharingViolation` for another thread's transaction; `Live`; the instance is unavailable then.
    pub(crate) fn rollback(&mut self) -> Result<(), InstanceError> {
        self.check_owner()?;
        let session = self.session;
        let outermost = self.level() == 1;
        if let Err(error) = self.roll_back_trees() {
            if error.jet_error() != JetError::NOT_IN_TRANSACTION {
                session.instance.set_fatal(error.jet_error());
            }
            return Err(error);
        }
        self.inner.own_schemas.clear();
        let level = self.level();
        self.inner.deleted.retain(|(deleted, table)| {
            if *deleted >= level {
                table.set_deleted(false);
            }
            *deleted < level
        });
        for table in &self.inner.created {
            // The tree may have been made in this level; if not, the catalog says so.
            table.forget_long_values();
        }
        if outermost {
            self.inner.zeros.clear();
            self.forget_transaction(None);
        }
        self.close_temporary_from(self.level());
        self.lower_level();
        Ok(())
    }

    /// A cursor on a temporary table was opened.
    pub(crate) fn add_temporary(&mut self, cursor: &Arc<TemporaryCursor>) {
        let level = self.level();
        self.inner.temporary.push((level, Arc::clone(cursor)));
    }

    /// Closes a cursor on a temporary table.
    pub(crate) fn close_temporary(&mut self, cursor: &Arc<TemporaryCursor>) {
        self.inner.temporary.retain(|(_, known)| !Arc::ptr_eq(known, cursor));
        cursor.close(self.inner.state.as_mut());
    }

    /// Closes the cursors on temporary tables that were opened in a level of transactions, or a deeper one.
    pub(super) fn close_temporary_from(&mut self, level: u8) {
        let inner = &mut *self.inner;
        let state = &mut inner.state;
        inner.temporary.retain(|(opened, cursor)| {
            let stays = *opened < level;
            if !stays {
                cursor.close(state.as_mut());
            }
            stays
        });
    }

    fn lower_level(&mut self) {
        if self.session.level.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.inner.owner = None;
        }
    }

    fn forget_transaction(&mut self, committed_epoch: Option<u64>) {
        let updates = if self.inner.touched.is_empty() {
            0
        } else {
            self.session.instance.schema_epoch().count_update()
        };
        for table in self.inner.touched.drain(..) {
            table.end_transaction(self.session.id, committed_epoch, updates);
        }
        self.session.changed.store(0, Ordering::Release);
        self.inner.created.clear();
        self.inner.deleted.clear();
        self.inner.new_indexes.clear();
        self.inner.updated.clear();
        self.inner.last_updated = None;
        self.inner.own_schemas.clear();
        self.inner.changed_schemas = false;
    }
}
