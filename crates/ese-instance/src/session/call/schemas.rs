//! The tables that a call works on: their structure as the session sees it, and the right to change it or their rows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ese_format::ObjectId;
use ese_log::record::DatabaseSlot;

use super::SessionCallGuard;
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::schema::{CatalogView, TableSchema, TableShared};
use crate::table::ZeroCounter;

impl SessionCallGuard<'_> {
    /// Lets the transaction change rows of a table. Cheap after the first time.
    ///
    /// # Errors
    /// `SchemaConflict`: the table's structure is not the one that the transaction sees.
    pub(crate) fn begin_update(&mut self, table: &TableSchema) -> Result<(), InstanceError> {
        let key = (table.slot().0, table.object_id());
        if self.inner.last_updated == Some(key) {
            return Ok(());
        }
        if self.inner.updated.contains(&key) {
            self.inner.last_updated = Some(key);
            return Ok(());
        }
        table.shared.begin_update(self.session.id, self.inner.epoch)?;
        self.inner.updated.insert(key);
        self.inner.last_updated = Some(key);
        self.session.changed.fetch_or(1 << table.slot().0, Ordering::AcqRel);
        self.inner.touched.push(Arc::clone(&table.shared));
        Ok(())
    }

    /// Lets the transaction change the structure of a table, or make or delete it.
    ///
    /// # Errors
    /// `SchemaConflict`.
    pub(crate) fn begin_structure_change(
        &mut self,
        slot: DatabaseSlot,
        table: &Arc<TableShared>,
    ) -> Result<(), InstanceError> {
        self.session.changed.fetch_or(1 << slot.0, Ordering::AcqRel);
        table.begin_structure_change(self.session.id, self.inner.epoch)?;
        self.inner.touched.push(Arc::clone(table));
        self.schemas_changed();
        Ok(())
    }

    /// Lets the transaction make a secondary index of a table, while others change rows.
    ///
    /// # Errors
    /// `SchemaConflict` while another changes the structure.
    pub(crate) fn begin_index_creation(
        &mut self,
        slot: DatabaseSlot,
        table: &Arc<TableShared>,
    ) -> Result<(), InstanceError> {
        self.session.changed.fetch_or(1 << slot.0, Ordering::AcqRel);
        table.begin_index_creation(self.session.id, self.inner.epoch)?;
        self.inner.touched.push(Arc::clone(table));
        self.schemas_changed();
        Ok(())
    }

    /// Remembers that the transaction has made a table.
    pub(crate) fn note_created(&mut self, table: &Arc<TableShared>) {
        self.inner.created.push(Arc::clone(table));
    }

    /// Remembers that the transaction has deleted a table: nobody opens it until that is taken back.
    pub(crate) fn note_deleted(&mut self, table: &Arc<TableShared>) {
        table.set_deleted(true);
        let level = self.level();
        self.inner.deleted.push((level, Arc::clone(table)));
    }

    /// Remembers a counter that is zero.
    pub(crate) fn note_zero(&mut self, counter: ZeroCounter) {
        self.inner.zeros.push(counter);
    }

    /// The counters that are zero, once the outermost transaction is over.
    pub(crate) fn take_zeros(&mut self) -> Vec<ZeroCounter> {
        std::mem::take(&mut self.inner.zeros)
    }

    /// Whether the transaction has made a table.
    pub(crate) fn created_table(&self, table: &Arc<TableShared>) -> bool {
        self.inner.created.iter().any(|made| Arc::ptr_eq(made, table))
    }

    /// Makes sure that the transaction sees every committed row of a table.
    ///
    /// # Errors
    /// `SchemaConflict` when rows may have changed since it began.
    pub(crate) fn check_rows_are_seen(&self, table: &TableShared) -> Result<(), InstanceError> {
        table.check_rows_are_seen(self.inner.seen_updates)
    }

    /// The transaction has changed a schema: what was read before does not count any more.
    pub(crate) fn schemas_changed(&mut self) {
        self.inner.changed_schemas = true;
        self.inner.own_schemas.clear();
    }

    /// The catalog of a database as the session sees it.
    pub(crate) fn catalog<'a>(
        &'a self,
        database: &AttachedDatabase,
    ) -> Result<CatalogView<'a>, InstanceError> {
        Ok(CatalogView {
            trees: &self.session.trees,
            state: self.state()?,
            slot: database.slot(),
            page_size: database.page_size(),
        })
    }

    /// The schema of a table by name, as the session sees it; `None` when it sees no such table.
    ///
    /// # Errors
    /// When the catalog cannot be read or makes no sense.
    pub(crate) fn schema(
        &mut self,
        database: &AttachedDatabase,
        name: &str,
    ) -> Result<Option<Arc<TableSchema>>, InstanceError> {
        let epochs = self.session.instance.schema_epoch();
        let held = epochs.hold();
        if self.sees(*held)
            && let Some(known) = database.schemas().by_name(*held, name.trim_end_matches(' '))
        {
            return Ok(Some(known));
        }
        match self.catalog(database)?.find(name)? {
            Some(object) => self.read_schema(database, object, *held),
            None => Ok(None),
        }
    }

    /// The schema of a table by its object id, as the session sees it.
    ///
    /// # Errors
    /// As [`schema`](Self::schema).
    pub(crate) fn schema_by_object(
        &mut self,
        database: &AttachedDatabase,
        object: ObjectId,
    ) -> Result<Option<Arc<TableSchema>>, InstanceError> {
        let epochs = self.session.instance.schema_epoch();
        let held = epochs.hold();
        self.read_schema(database, object, *held)
    }

    /// Whether the session sees what everybody sees who begins now.
    fn sees(&self, epoch: u64) -> bool {
        !self.inner.changed_schemas && (self.level() == 0 || self.inner.epoch == epoch)
    }

    fn read_schema(
        &mut self,
        database: &AttachedDatabase,
        object: ObjectId,
        epoch: u64,
    ) -> Result<Option<Arc<TableSchema>>, InstanceError> {
        if self.sees(epoch) {
            if let Some(known) = database.schemas().by_object(epoch, object) {
                return Ok(Some(known));
            }
            let schema = self.catalog(database)?.schema(object, database.schemas(), epoch)?;
            if let Some(schema) = &schema {
                database.schemas().put(schema);
            }
            return Ok(schema);
        }
        let key = (database.id(), object);
        if let Some(known) = self.inner.own_schemas.get(&key) {
            return Ok(Some(Arc::clone(known)));
        }
        // A schema with changes of the transaction itself is of no epoch: it must not outlive a rollback.
        let own = if self.inner.changed_schemas { u64::MAX } else { self.inner.epoch };
        let schema = self.catalog(database)?.schema(object, database.schemas(), own)?;
        if let Some(schema) = &schema {
            self.inner.own_schemas.insert(key, Arc::clone(schema));
        }
        Ok(schema)
    }

    /// Whether a transaction certainly goes on with the schema `known`. False says nothing.
    #[inline]
    pub(crate) fn keeps_schema(&self, known: &TableSchema) -> bool {
        self.level() > 0 && !self.inner.changed_schemas && known.epoch == self.inner.epoch
    }

    /// The schema to go on with, for somebody who holds `known`: the same one as long as nothing has changed.
    ///
    /// # Errors
    /// As [`schema`](Self::schema); `TableNotFound` when the table is gone.
    pub(crate) fn current_schema(
        &mut self,
        database: &AttachedDatabase,
        known: &Arc<TableSchema>,
    ) -> Result<Arc<TableSchema>, InstanceError> {
        let epochs = self.session.instance.schema_epoch();
        let held = epochs.hold();
        let now = if self.level() > 0 { self.inner.epoch } else { *held };
        if !self.inner.changed_schemas && known.epoch == now {
            return Ok(Arc::clone(known));
        }
        let gone = || InstanceError::TableNotFound { table: known.definition.name.clone() };
        self.read_schema(database, known.object_id(), *held)?.ok_or_else(gone)
    }
}
