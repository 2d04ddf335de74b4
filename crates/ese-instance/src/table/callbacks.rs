//! Callbacks of tables, and what applications store beside cursors and tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bitflags::bitflags;
use ese_format::JetError;
use parking_lot::Mutex;

use super::{Result, Table, TableError};
use crate::call_error::CallError;
use crate::instance::Instance;

bitflags! {
    /// What a callback is called for. Unknown bits are kept, and never happen.
    #[doc(alias = "JET_CBTYP")]
    #[doc(alias = "JET_cbtyp")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TableEvent: u32 {
        /// A counter became zero. Never happens here.
        #[doc(alias = "JET_cbtypFinalize")]
        const FINALIZE = 0x1;
        /// A new row is about to be written.
        #[doc(alias = "JET_cbtypBeforeInsert")]
        const BEFORE_INSERT = 0x2;
        /// A new row was written.
        #[doc(alias = "JET_cbtypAfterInsert")]
        const AFTER_INSERT = 0x4;
        /// A row is about to be written again.
        #[doc(alias = "JET_cbtypBeforeReplace")]
        const BEFORE_REPLACE = 0x8;
        /// A row was written again.
        #[doc(alias = "JET_cbtypAfterReplace")]
        const AFTER_REPLACE = 0x10;
        /// A row is about to be deleted.
        #[doc(alias = "JET_cbtypBeforeDelete")]
        const BEFORE_DELETE = 0x20;
        /// A row was deleted.
        #[doc(alias = "JET_cbtypAfterDelete")]
        const AFTER_DELETE = 0x40;
        /// A default value is to be computed. Never happens here.
        #[doc(alias = "JET_cbtypUserDefinedDefaultValue")]
        const USER_DEFINED_DEFAULT = 0x80;
        /// A cursor with local storage goes (runtime callback).
        #[doc(alias = "JET_cbtypFreeCursorLS")]
        const FREE_CURSOR_STORAGE = 0x200;
        /// A table with local storage goes (runtime callback).
        #[doc(alias = "JET_cbtypFreeTableLS")]
        const FREE_TABLE_STORAGE = 0x400;
        const _ = !0;
    }
}

/// Called for changes of rows, with the cursor that changes them. It may read and, before the change, set columns of the
/// row being prepared. An error before a change keeps it from being done, and is what the call answers; after a change it
/// is ignored.
#[doc(alias = "JET_CALLBACK")]
pub type TableCallback = dyn Fn(&mut Table, TableEvent) -> std::result::Result<(), JetError> + Send + Sync;

/// Called with the local storage of a cursor or a table that goes.
pub type RuntimeCallback = dyn Fn(&Instance, TableEvent, u64) + Send + Sync;

/// Number of a registered callback.
#[doc(alias = "JET_HANDLE")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackId(pub u64);

/// Where local storage is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LocalStorage {
    /// Beside the cursor.
    #[doc(alias = "JET_bitLSCursor")]
    Cursor,
    /// Beside the table, for all its cursors.
    #[doc(alias = "JET_bitLSTable")]
    Table,
}

impl LocalStorage {
    /// From the engine's bits, of which reset (1) does not count: cursor 2 (the default), table 4.
    ///
    /// # Errors
    /// `Instance` (`JET_errInvalidGrbit`) for both.
    pub fn from_bits(bits: u32) -> Result<Self> {
        match bits & 6 {
            6 => Err(refuse(CallError::InvalidFlags { bits })),
            4 => Ok(Self::Table),
            _ => Ok(Self::Cursor),
        }
    }
}

#[derive(Clone)]
struct Registered {
    id: u64,
    events: TableEvent,
    callback: Arc<TableCallback>,
}

/// The callbacks and the local storage that all cursors of a table share.
#[derive(Default)]
pub(crate) struct TableCallbacks {
    /// Events that somebody wants to know of.
    events: AtomicU32,
    last: AtomicU64,
    registered: Mutex<Vec<Registered>>,
    storage: Mutex<Option<(Instance, u64)>>,
}

impl std::fmt::Debug for TableCallbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableCallbacks").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Drop for TableCallbacks {
    fn drop(&mut self) {
        if let Some((instance, storage)) = self.storage.get_mut().take() {
            tell(&instance, TableEvent::FREE_TABLE_STORAGE, storage);
        }
    }
}

impl TableCallbacks {
    fn wants(&self, event: TableEvent) -> bool {
        self.events.load(Ordering::Acquire) & event.bits() != 0
    }

    fn wanted_by(&self, event: TableEvent) -> Vec<Arc<TableCallback>> {
        let registered = self.registered.lock();
        let wanted = registered.iter().filter(|one| one.events.intersects(event));
        wanted.map(|one| Arc::clone(&one.callback)).collect()
    }

    fn changed(&self, registered: &[Registered]) {
        let events = registered.iter().fold(0, |all, one| all | one.events.bits());
        self.events.store(events, Ordering::Release);
    }
}

fn refuse(error: CallError) -> TableError {
    crate::error::InstanceError::from(error).into()
}

fn tell(instance: &Instance, event: TableEvent, storage: u64) {
    if let Some(callback) = instance.runtime_callback() {
        callback(instance, event, storage);
    }
}

impl Table {
    /// Has a callback called for changes of the table's rows, by whichever cursor, until it is unregistered or the database is
    /// detached.
    ///
    /// # Errors
    /// Refused at the door; `Instance`: no event is an invalid parameter; not possible on temporary tables.
    #[doc(alias = "JetRegisterCallback")]
    pub fn register_callback(
        &mut self,
        events: TableEvent,
        callback: Arc<TableCallback>,
    ) -> Result<CallbackId> {
        let callbacks = self.shared_callbacks()?;
        if events.is_empty() {
            return Err(refuse(CallError::InvalidParameter { what: "a callback for nothing" }));
        }
        let id = callbacks.last.fetch_add(1, Ordering::AcqRel) + 1;
        let registered = &mut *callbacks.registered.lock();
        registered.push(Registered { id, events, callback });
        callbacks.changed(registered);
        Ok(CallbackId(id))
    }

    /// Ends what [`register_callback`](Self::register_callback) began.
    ///
    /// # Errors
    /// Refused at the door; `Instance` (an invalid parameter) for a number that is none.
    #[doc(alias = "JetUnregisterCallback")]
    pub fn unregister_callback(&mut self, id: CallbackId) -> Result<()> {
        let callbacks = self.shared_callbacks()?;
        let registered = &mut *callbacks.registered.lock();
        let Some(place) = registered.iter().position(|one| one.id == id.0) else {
            return Err(refuse(CallError::InvalidParameter { what: "no such callback" }));
        };
        registered.remove(place);
        callbacks.changed(registered);
        Ok(())
    }

    /// Stores a number of the application beside the cursor or the table. The runtime callback of the instance is told when
    /// it goes.
    ///
    /// # Errors
    /// Refused at the door; `Instance`: without a runtime callback, and when there is one already.
    #[doc(alias = "JetSetLS")]
    pub fn set_local_storage(&mut self, storage: u64, place: LocalStorage) -> Result<()> {
        self.check_runtime_callback()?;
        let set = |held: &mut Option<(Instance, u64)>, instance: &Instance| match held {
            Some(_) => Err(refuse(CallError::LocalStorageSet)),
            None => {
                *held = Some((instance.clone(), storage));
                Ok(())
            }
        };
        let instance = self.session.instance.clone();
        match place {
            LocalStorage::Cursor => set(&mut self.cursor.storage.0, &instance),
            LocalStorage::Table => set(&mut self.shared_callbacks()?.storage.lock(), &instance),
        }
    }

    /// Forgets what is stored; nobody is told.
    ///
    /// # Errors
    /// Refused at the door; `Instance` without a runtime callback.
    #[doc(alias = "JET_bitLSReset")]
    pub fn reset_local_storage(&mut self, place: LocalStorage) -> Result<Option<u64>> {
        self.check_runtime_callback()?;
        let held = match place {
            LocalStorage::Cursor => self.cursor.storage.0.take(),
            LocalStorage::Table => self.shared_callbacks()?.storage.lock().take(),
        };
        Ok(held.map(|(_, storage)| storage))
    }

    /// What is stored beside the cursor or the table.
    ///
    /// # Errors
    /// Refused at the door; `Instance` when nothing is.
    #[doc(alias = "JetGetLS")]
    pub fn local_storage(&mut self, place: LocalStorage) -> Result<u64> {
        let held = match place {
            LocalStorage::Cursor => self.cursor.storage.0.as_ref().map(|(_, storage)| *storage),
            LocalStorage::Table => {
                self.shared_callbacks()?.storage.lock().as_ref().map(|(_, storage)| *storage)
            }
        };
        held.ok_or_else(|| refuse(CallError::LocalStorageNotSet))
    }

    fn check_runtime_callback(&self) -> Result<()> {
        let _call = self.session.enter(crate::state::SessionCall::Ordinary)?;
        match self.session.instance.runtime_callback() {
            Some(_) => Ok(()),
            None => Err(refuse(CallError::NoRuntimeCallback)),
        }
    }

    fn shared_callbacks(&self) -> Result<Arc<TableCallbacks>> {
        self.check_open()?;
        let _call = self.session.enter(crate::state::SessionCall::Ordinary)?;
        match &self.opened {
            Some(opened) => Ok(Arc::clone(opened.callbacks())),
            None => {
                Err(TableError::refused("temporary tables have no callbacks", JetError::ILLEGAL_OPERATION))
            }
        }
    }

    /// Calls whoever wants to know; the first refusal is the answer.
    fn happens(&mut self, event: TableEvent) -> Result<()> {
        let Some(opened) = &self.opened else { return Ok(()) };
        let callbacks = opened.callbacks();
        if !callbacks.wants(event) {
            return Ok(());
        }
        for callback in callbacks.wanted_by(event) {
            callback(self, event).map_err(|error| refuse(CallError::Callback { error }))?;
        }
        Ok(())
    }

    /// Changes rows between two events.
    #[inline]
    pub(super) fn between<R>(
        &mut self,
        events: Option<(TableEvent, TableEvent)>,
        change: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        let Some((before, after)) = events else { return change(self) };
        self.happens(before)?;
        let answer = change(self)?;
        // The change stands.
        let _ = self.happens(after);
        Ok(answer)
    }
}

/// What is stored beside a cursor. Somebody is told when it goes.
#[derive(Default)]
pub(super) struct CursorStorage(Option<(Instance, u64)>);

impl std::fmt::Debug for CursorStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CursorStorage").field(&self.0.as_ref().map(|(_, storage)| storage)).finish()
    }
}

impl Drop for CursorStorage {
    fn drop(&mut self) {
        if let Some((instance, storage)) = self.0.take() {
            tell(&instance, TableEvent::FREE_CURSOR_STORAGE, storage);
        }
    }
}
