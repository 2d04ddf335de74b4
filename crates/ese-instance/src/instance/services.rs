//! What an instance keeps beside its state: who is to be called, what is counted, what runs in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;

use super::Instance;
use super::durable_commit::DurableCommits;
use crate::error::InstanceError;
use crate::quota::Quota;
use crate::state::{EntryError, InstanceState};
use crate::table::RuntimeCallback;

#[derive(Default)]
pub(super) struct Services {
    pub(super) durable: DurableCommits,
    pub(super) quota: Arc<Quota>,
    runtime_callback: RwLock<Option<Arc<RuntimeCallback>>>,
    /// Nothing may run in the background.
    background_stopped: AtomicBool,
}

impl Instance {
    /// Sets who is told when cursors and tables with local storage go; `None` for nobody. Before the initialisation only.
    ///
    /// # Errors
    /// Refused at the door.
    #[doc(alias = "JET_paramRuntimeCallback")]
    pub fn set_runtime_callback(&self, callback: Option<Arc<RuntimeCallback>>) -> Result<(), InstanceError> {
        let _call = self.enter(InstanceState::check_without_init)?;
        if self.state().initialized {
            return Err(EntryError::AlreadyInitialized.into());
        }
        *self.shared.services.runtime_callback.write() = callback;
        Ok(())
    }

    pub(crate) fn runtime_callback(&self) -> Option<Arc<RuntimeCallback>> {
        self.shared.services.runtime_callback.read().clone()
    }

    pub(crate) fn quota(&self) -> &Arc<Quota> {
        &self.shared.services.quota
    }

    /// Whether scans and defragmentations may go on.
    pub(crate) fn background_tasks_allowed(&self) -> bool {
        !self.shared.services.background_stopped.load(Ordering::Acquire) && self.state().initialized
    }

    pub(super) fn stop_background_tasks(&self) {
        self.shared.services.background_stopped.store(true, Ordering::Release);
    }

    pub(super) fn allow_background_tasks(&self) {
        self.shared.services.background_stopped.store(false, Ordering::Release);
    }
}
