//! Sessions: transactions, and the databases that are open in them.
//!
//! A session is used by one thread at a time; a call that finds another inside is refused with
//! `JET_errSessionSharingViolation`, and so is one that would begin, commit or roll back a level of a transaction that
//! another thread began. A transaction that was begun in a session with a [context](Session::set_context) goes from thread
//! to thread.
//!
//! ```
//! use ese_format::ColumnKind;
//! use ese_instance::{ColumnSpec, CommitMode, CreateOptions, Engine, Environment, IndexSpec, InitOptions, ParameterId, TableSpec};
//! use ese_io::MemoryStorage;
//! # use std::sync::Arc;
//!
//! # fn main() -> Result<(), ese_instance::InstanceError> {
//! let engine = Engine::new(Environment::system().with_storage(Arc::new(MemoryStorage::new())));
//! let instance = engine.create_instance("books")?;
//! for path in [ParameterId::SYSTEM_PATH, ParameterId::LOG_FILE_PATH] {
//!     instance.set_parameter(path, "/books")?;
//! }
//! instance.set_parameter(ParameterId::CREATE_PATH_IF_NOT_EXIST, true)?;
//! instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, 8192_u32)?;
//! instance.initialize(InitOptions::default())?;
//! let session = instance.begin_session()?;
//! let database = session.create_database("/books/books.edb".as_ref(), &CreateOptions::default())?;
//! let transaction = session.transaction()?;
//! database.create_table(
//!     &TableSpec::new("Books")
//!         .column(ColumnSpec::fixed("Id", ColumnKind::LONG).auto_increment())
//!         .index(IndexSpec::new("ById").ascending("Id").primary()),
//! )?;
//! transaction.commit(CommitMode::Durable)?;
//! assert!(database.table_names()?.contains(&"Books".to_owned()));
//! drop(database);
//! session.end()?;
//! instance.terminate(Default::default())?;
//! # Ok(())
//! # }
//! ```

mod call;
mod commit;
mod cursors;
mod databases;
mod flags;
mod idle;
mod parameters;
mod table;
mod transaction;

pub(crate) use call::{SessionCallGuard, SessionInner};
pub use commit::CommitFlags;
pub(crate) use cursors::{CursorLink, SessionCursors};
pub use flags::{DatabaseFlags, DatabaseStatus, DetachFlags, RollbackFlags, TransactionFlags};
pub use idle::{IdleFlags, IdleStatus};
pub use parameters::SessionParameterId;
pub(crate) use parameters::SessionParameters;
pub(crate) use table::SessionTable;
pub(crate) use transaction::MOST_LEVELS;
pub use transaction::{CommitId, CommitMode, Transaction};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use ese_btree::live::LiveTrees;
use ese_log::record::{DatabaseSlot, SessionId};
use parking_lot::Mutex;

use crate::error::InstanceError;
use crate::instance::Instance;
use crate::log::InstanceLog;
use crate::parameter::ParameterId;
use crate::state::SessionCall;

/// A session of an instance.
///
/// Dropping it ends it: what it has not committed is rolled back.
#[doc(alias = "JET_SESID")]
#[derive(Debug)]
pub struct Session {
    pub(crate) shared: Arc<SessionShared>,
}

/// What a session's handles share.
pub(crate) struct SessionShared {
    pub(crate) instance: Instance,
    pub(crate) trees: Arc<LiveTrees>,
    /// None when the instance does not log.
    pub(crate) log: Option<Arc<InstanceLog>>,
    pub(crate) id: SessionId,
    /// Levels of transactions it is in, for those who count.
    level: AtomicU8,
    /// Slots of the databases that its transaction has changed, a bit for each.
    changed: AtomicU8,
    ended: AtomicBool,
    /// Its cursors, as far as ends of transactions concern them.
    pub(crate) cursors: SessionCursors,
    inner: Mutex<SessionInner>,
}

impl std::fmt::Debug for SessionShared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("level", &self.level.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl Instance {
    /// Begins a session.
    ///
    /// # Errors
    /// Refused at the door; `OutOfSessions`.
    #[doc(alias = "JetBeginSession")]
    pub fn begin_session(&self) -> Result<Session, InstanceError> {
        let _call = self.enter(crate::state::InstanceState::check_call)?;
        self.new_session()
    }

    /// A session without a look at the door: for the instance's own work.
    pub(crate) fn new_session(&self) -> Result<Session, InstanceError> {
        let (trees, sessions) = self.live().ok_or(crate::state::EntryError::NotInitialized)?;
        let log = self.log();
        let parameters = || {
            let number = |id| u32::try_from(self.parameter_number(id)).unwrap_or_default();
            SessionParameters::new(number(ParameterId::COMMIT_DEFAULT), number(ParameterId::CACHE_PRIORITY))
        };
        let shared = sessions.add(|id| {
            let inner = SessionInner::new(trees.open_session(id), parameters());
            Arc::new(SessionShared {
                instance: self.clone(),
                trees: Arc::clone(&trees),
                log: log.clone(),
                id,
                level: AtomicU8::new(0),
                changed: AtomicU8::new(0),
                ended: AtomicBool::new(false),
                cursors: SessionCursors::default(),
                inner: Mutex::new(inner),
            })
        })?;
        Ok(Session { shared })
    }
}

impl Session {
    /// The instance.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.shared.instance
    }

    /// Another session of the same instance.
    ///
    /// # Errors
    /// Refused at the door; `OutOfSessions`.
    #[doc(alias = "JetDupSession")]
    pub fn duplicate(&self) -> Result<Self, InstanceError> {
        drop(self.shared.enter(SessionCall::Ordinary)?);
        self.instance().begin_session()
    }

    /// Version of the engine whose files are written, as one number: major 4 bits, minor 4, build 16, service pack 8 from
    /// the highest on.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JetGetVersion")]
    pub fn engine_version(&self) -> Result<u32, InstanceError> {
        drop(self.shared.enter(SessionCall::Ordinary)?);
        Ok(10 << 28 | 17763 << 8)
    }

    /// Number of the session in the log.
    #[must_use]
    #[doc(alias = "procid")]
    pub fn id(&self) -> SessionId {
        self.shared.id
    }

    /// Levels of transactions that the session is in.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JetGetSessionInfo")]
    #[doc(alias = "JET_sesparamTransactionLevel")]
    pub fn level(&self) -> Result<u8, InstanceError> {
        Ok(self.shared.enter(SessionCall::WindingDown)?.level())
    }

    /// Gives the session a context, which is neither 0 nor all ones, until [`reset_context`](Self::reset_context). A
    /// transaction that begins then is of this context: whichever thread has set it goes on.
    ///
    /// # Errors
    /// Refused at the door; `Call` for a number that no context can be, and when there is a context already.
    #[doc(alias = "JetSetSessionContext")]
    pub fn set_context(&self, context: u64) -> Result<(), InstanceError> {
        Ok(self.shared.enter(SessionCall::Ordinary)?.set_context(context)?)
    }

    /// Takes the context away. Only the thread that has set it can.
    ///
    /// # Errors
    /// Refused at the door; `Call` when this thread has set none.
    #[doc(alias = "JetResetSessionContext")]
    pub fn reset_context(&self) -> Result<(), InstanceError> {
        Ok(self.shared.enter(SessionCall::WindingDown)?.reset_context()?)
    }

    /// Ends the session. What it has not committed is rolled back, its tables and databases are closed.
    ///
    /// # Errors
    /// As [`try_end`](Self::try_end); the session is gone all the same.
    pub fn end(self) -> Result<(), InstanceError> {
        self.try_end()
    }

    /// As [`end`](Self::end), for a session that goes on when that is refused.
    ///
    /// # Errors
    /// Refused at the door; `Call` (`JET_errSessionInUse`) while it has a context; `SessionSharingViolation` for a transaction
    /// of another thread; `Live` when a rollback failed, which makes the instance unavailable.
    #[doc(alias = "JetEndSession")]
    pub fn try_end(&self) -> Result<(), InstanceError> {
        self.shared.end(false)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A session that cannot be rolled back has made its instance unavailable.
        let _ = self.shared.end(true);
    }
}

impl SessionShared {
    /// Whether the session is in a transaction.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.level.load(Ordering::Acquire) != 0
    }

    /// Whether the session's transaction has changed a database.
    pub(crate) fn has_changed(&self, slot: DatabaseSlot) -> bool {
        self.changed.load(Ordering::Acquire) >> slot.0 & 1 != 0
    }

    /// Waits until the call that is inside, if there is one, has left.
    pub(crate) fn wait_for_call(&self) {
        drop(self.inner.lock());
    }

    /// `forced`: whoever used it does not any more.
    fn end(&self, forced: bool) -> Result<(), InstanceError> {
        if self.ended.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut result = Ok(());
        match self.enter(SessionCall::WindingDown) {
            Ok(mut call) => {
                if !forced {
                    call.check_end()?;
                }
                call.disown();
                while call.level() > 0 {
                    result = call.rollback();
                    if result.is_err() {
                        break;
                    }
                }
                call.close_temporary_from(0);
                call.close_databases();
            }
            // The instance is gone, and with it whatever was begun.
            Err(InstanceError::Entry(_)) => {}
            Err(error) => return Err(error),
        }
        self.close();
        result
    }

    /// Takes the session out of the instance's list.
    pub(crate) fn close(&self) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some((_, sessions)) = self.instance.live() {
            sessions.remove(self.id);
        }
        if let Some(state) = self.inner.lock().take_state() {
            // A rollback that fails has been reported, and has made the instance unavailable.
            if let Err(error) = self.trees.close_session(state) {
                self.instance.set_fatal(error.jet_error());
            }
        }
    }
}
