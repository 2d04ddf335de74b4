//! Stopping the service of an instance, wholly or in parts.

use bitflags::bitflags;

use super::Instance;
use crate::call_error::CallError;
use crate::error::InstanceError;
use crate::parameter::ParameterId;
use crate::state::EntryError;

/// Log bytes that the checkpoint may lag once the service has stopped, so that little is left for termination.
const STOPPED_CHECKPOINT_DEPTH: u64 = 16 << 10;

bitflags! {
    /// Which part of the service stops. None: all of it. Unknown bits are kept, and refused.
    #[doc(alias = "JET_bitStopServiceAll")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct StopServiceFlags: u32 {
        /// Scans and defragmentations in the background.
        #[doc(alias = "JET_bitStopServiceBackgroundUserTasks")]
        const BACKGROUND_TASKS = 0x2;
        /// Changed pages are written as soon as possible.
        #[doc(alias = "JET_bitStopServiceQuiesceCaches")]
        const QUIESCE_CACHES = 0x4;
        /// The log is closed. Not available.
        #[doc(alias = "JET_bitStopServiceStopAndEmitLog")]
        const STOP_AND_EMIT_LOG = 0x8;
        /// What was stopped goes on.
        #[doc(alias = "JET_bitStopServiceResume")]
        const RESUME = 0x8000_0000;
        const _ = !0;
    }
}

impl Instance {
    /// Stops the service: from now on ordinary calls are refused. Not reversible; a running backup goes on.
    #[doc(alias = "JetStopService")]
    #[doc(alias = "JetStopServiceInstance")]
    pub fn stop_service(&self) {
        self.stop_background_tasks();
        self.set_checkpoint_depth(STOPPED_CHECKPOINT_DEPTH);
        self.shared.gate.update(|s| s.stop_service = true);
    }

    /// Stops parts of the service, or lets them go on.
    ///
    /// # Errors
    /// `Call`: unknown bits, closing the log together with anything else, or to let nothing in particular go on; closing the log
    /// is not available. Refused at the door: a service that was stopped as a whole does not go on.
    #[doc(alias = "JetStopServiceInstance2")]
    pub fn stop_service_with(&self, flags: StopServiceFlags) -> Result<(), InstanceError> {
        type Flags = StopServiceFlags;
        let parts = Flags::BACKGROUND_TASKS | Flags::QUIESCE_CACHES;
        let known = parts | Flags::STOP_AND_EMIT_LOG | Flags::RESUME;
        if flags.bits() & !known.bits() != 0
            || (flags.contains(Flags::STOP_AND_EMIT_LOG) && flags != Flags::STOP_AND_EMIT_LOG)
        {
            return Err(CallError::InvalidFlags { bits: flags.bits() }.into());
        }
        if flags.contains(Flags::STOP_AND_EMIT_LOG) {
            return Err(CallError::NotAvailable { what: "closing the log of a running instance" }.into());
        }
        if flags.is_empty() {
            self.stop_service();
            return Ok(());
        }
        if flags.contains(Flags::RESUME) {
            if self.state().stop_service {
                return Err(EntryError::StopRequested.into());
            }
            if flags.contains(Flags::QUIESCE_CACHES) {
                self.set_checkpoint_depth(self.parameters().number(ParameterId::CHECKPOINT_DEPTH_MAX));
            }
            if flags.contains(Flags::BACKGROUND_TASKS) {
                self.allow_background_tasks();
            }
            return Ok(());
        }
        if flags.contains(Flags::BACKGROUND_TASKS) {
            self.stop_background_tasks();
        }
        if flags.contains(Flags::QUIESCE_CACHES) {
            self.set_checkpoint_depth(0);
            self.maintain()?;
        }
        Ok(())
    }

    fn set_checkpoint_depth(&self, bytes: u64) {
        if let Some(running) = &mut *self.shared.running.write() {
            running.checkpoint_depth = bytes;
        }
    }
}
