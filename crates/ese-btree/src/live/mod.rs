//! Live trees: changes under transactions, with versions, logged; reading at a snapshot; clean-up and write back.
//!
//! [`LiveTrees`] is shared by all sessions of an instance. Everything it knows is behind one lock, which each call takes
//! once; nothing waits for a disk inside but reads of pages, writes that make room, and a full log buffer. Waiting until a
//! commit is durable is the caller's, outside ([`ChangeLog::flush_to`]): that is how commits share a flush.
//!
//! A transaction sees what had committed when it began, and its own changes. Who changes a node first wins; the other gets
//! [`LiveError::WriteConflict`]. Nothing but reading ahead runs on threads of its own,
//! and that only when [asked for](LiveTrees::read_ahead_on_threads): commits clean up a little, and the owner calls
//! [`LiveTrees::clean_versions`] and [`LiveTrees::write_back`] when it sees fit. The same calls make the same writes.

mod ahead;
mod change;
mod change_log;
mod core;
mod error;
mod fraction;
mod maintain;
mod page_copy;
mod private;
mod records;
mod room;
mod search;
mod settings;
mod size;
mod space;
mod spot;
mod store;
mod transaction;
mod undo;
mod version_store;
mod view;

use std::sync::Arc;

use parking_lot::Mutex;

pub use change_log::ChangeLog;
pub use error::LiveError;
pub use settings::{LiveCounters, LiveSettings, SlotFacts, Tree};
pub use spot::{SeekHow, Spot};
pub use transaction::TransactionState;

/// The trees of all attached databases. See the [module](self)'s description.
pub struct LiveTrees {
    core: Mutex<core::Core>,
}

impl std::fmt::Debug for LiveTrees {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveTrees").finish_non_exhaustive()
    }
}

impl LiveTrees {
    /// No databases yet. Without `log` nothing is logged, as in databases that say so themselves.
    #[must_use]
    pub fn new(settings: LiveSettings, log: Option<Arc<dyn ChangeLog>>) -> Self {
        Self { core: Mutex::new(core::Core::new(settings, log)) }
    }
}
