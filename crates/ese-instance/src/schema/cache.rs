//! Versions of schemas that are in use, and the counter that says when they go.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ese_format::ObjectId;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::shared::OpenHold;
use super::{NewIndexes, TableSchema, TableShared};

/// Counts the commits that changed a schema, in one instance.
///
/// A snapshot is taken, and the catalog read outside any, under the shared lock; a commit that changed a schema holds the
/// exclusive one and counts. So two transactions with the same epoch see the same schemas, their own changes aside.
#[derive(Debug, Default)]
pub(crate) struct SchemaEpoch {
    epoch: RwLock<u64>,
    updates: AtomicU64,
    /// Indexes that transactions of older epochs do not see. One is added under the exclusive lock; a transaction that changed
    /// rows looks for them and commits under the shared one: so either the index is made of its rows, or it knows that
    /// it has to bring them.
    pub(crate) new_indexes: NewIndexes,
}

impl SchemaEpoch {
    /// Keeps schemas from changing, and gives the epoch.
    pub(crate) fn hold(&self) -> RwLockReadGuard<'_, u64> {
        self.epoch.read_recursive()
    }

    /// How many transactions that changed rows have ended: a transaction that begins afterwards sees them.
    pub(crate) fn updates(&self) -> u64 {
        self.updates.load(Ordering::Acquire)
    }

    /// A transaction that changed rows has ended: its number.
    pub(crate) fn count_update(&self) -> u64 {
        self.updates.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// For a commit that changes schemas: count up once it is done.
    pub(crate) fn advance(&self) -> RwLockWriteGuard<'_, u64> {
        self.epoch.write()
    }
}

/// The tables of one database that were looked at.
#[derive(Debug, Default)]
pub(crate) struct SchemaCache {
    inner: Mutex<Inner>,
    cursors: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Inner {
    epoch: u64,
    by_name: HashMap<String, Arc<TableSchema>>,
    by_object: HashMap<ObjectId, Arc<TableSchema>>,
    shared: HashMap<ObjectId, Arc<TableShared>>,
}

impl Inner {
    fn at(&mut self, epoch: u64) -> Option<&mut Self> {
        if self.epoch < epoch {
            self.epoch = epoch;
            self.by_name.clear();
            self.by_object.clear();
        }
        (self.epoch == epoch).then_some(self)
    }
}

impl SchemaCache {
    /// The table of this name in this epoch.
    pub(crate) fn by_name(&self, epoch: u64, name: &str) -> Option<Arc<TableSchema>> {
        let mut inner = self.inner.lock();
        inner.at(epoch)?.by_name.get(&name.to_ascii_lowercase()).cloned()
    }

    /// The table with this object id in this epoch.
    pub(crate) fn by_object(&self, epoch: u64, object: ObjectId) -> Option<Arc<TableSchema>> {
        let mut inner = self.inner.lock();
        inner.at(epoch)?.by_object.get(&object).cloned()
    }

    /// Keeps a schema for its epoch.
    pub(crate) fn put(&self, schema: &Arc<TableSchema>) {
        let mut inner = self.inner.lock();
        if let Some(inner) = inner.at(schema.epoch) {
            inner.by_name.insert(schema.definition.name.to_ascii_lowercase(), Arc::clone(schema));
            inner.by_object.insert(schema.object_id(), Arc::clone(schema));
        }
    }

    /// How many cursors there are on tables of the database.
    pub(crate) fn cursors(&self) -> usize {
        self.cursors.load(Ordering::Acquire)
    }

    /// Whether a table that is held open is one of the database.
    pub(crate) fn counts(&self, table: &OpenHold) -> bool {
        table.counts_in(&self.cursors)
    }

    /// What all versions of a table share.
    pub(crate) fn shared(&self, object: ObjectId) -> Arc<TableShared> {
        let mut inner = self.inner.lock();
        Arc::clone(inner.shared.entry(object).or_insert_with(|| TableShared::new(object, &self.cursors)))
    }
}
