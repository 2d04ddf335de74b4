//! Indexes that are made, or were, while transactions go on that do not see them: each of those brings the entries of the
//! rows that it has changed when it commits.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use ese_btree::live::Tree;
use ese_log::record::SessionId;
use parking_lot::Mutex;

use super::TableShared;
use crate::catalog::{IndexDefinition, TableDefinition};

/// The transaction that makes it goes on.
const NOT_COMMITTED: u64 = u64::MAX;

/// An index that some transactions do not see.
#[derive(Debug)]
pub(crate) struct NewIndex {
    /// The table.
    shared: Weak<TableShared>,
    creator: SessionId,
    /// The table's columns, as whoever makes the index sees them.
    pub(crate) table: TableDefinition,
    pub(crate) index: IndexDefinition,
    /// The tree of the rows.
    pub(crate) rows: Tree,
    pub(crate) tree: Tree,
    /// Held while the index is filled.
    pub(crate) building: Mutex<()>,
    /// It was taken back.
    gone: AtomicBool,
    /// Schema epoch from which on everybody sees it.
    epoch: AtomicU64,
}

impl NewIndex {
    pub(crate) fn new(
        shared: &Arc<TableShared>,
        creator: SessionId,
        table: TableDefinition,
        index: IndexDefinition,
        rows: Tree,
        tree: Tree,
    ) -> Self {
        let (building, gone, epoch) = (Mutex::new(()), AtomicBool::new(false), AtomicU64::new(NOT_COMMITTED));
        Self { shared: Arc::downgrade(shared), creator, table, index, rows, tree, building, gone, epoch }
    }

    /// The table, while its database is attached.
    pub(crate) fn shared(&self) -> Option<Arc<TableShared>> {
        self.shared.upgrade()
    }

    /// Whether a transaction of `session` that sees the schemas of `epoch` does not know it.
    pub(crate) fn is_unknown_to(&self, session: SessionId, epoch: u64) -> bool {
        let since = self.epoch.load(Ordering::Acquire);
        !self.is_gone() && epoch < since && !(since == NOT_COMMITTED && self.creator == session)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// It was taken back.
    pub(crate) fn take_back(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// It is everybody's from an epoch on.
    pub(crate) fn commit(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Release);
    }
}

/// The indexes that some transactions do not see, of all tables of an instance.
#[derive(Debug, Default)]
pub(crate) struct NewIndexes {
    any: AtomicBool,
    list: Mutex<Vec<Arc<NewIndex>>>,
}

impl NewIndexes {
    /// Adds one.
    pub(crate) fn add(&self, index: &Arc<NewIndex>) {
        let mut list = self.list.lock();
        list.retain(|known| !known.is_gone() && known.shared.strong_count() > 0);
        list.push(Arc::clone(index));
        self.any.store(true, Ordering::Release);
    }

    /// Those of some tables that a transaction does not know.
    pub(crate) fn unknown_to(
        &self,
        session: SessionId,
        epoch: u64,
        tables: &[Arc<TableShared>],
    ) -> Vec<Arc<NewIndex>> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let of_these = |index: &NewIndex| tables.iter().any(|t| index.shared.as_ptr() == Arc::as_ptr(t));
        let list = self.list.lock();
        let unknown = list.iter().filter(|index| index.is_unknown_to(session, epoch) && of_these(index));
        unknown.cloned().collect()
    }
}
