//! Work that follows commits: pages written back, versions cleaned, the checkpoint moved.

use std::sync::Arc;

use super::Instance;
use crate::error::InstanceError;
use crate::state::InstanceState;

/// Pages written at most after one commit.
const PAGES_AT_ONCE: usize = 256;
/// Versions looked at after one commit.
const VERSIONS_AT_ONCE: usize = 64;
/// The checkpoint moves in steps of this part of its depth, so that its file is not written all the time.
const STEPS: u64 = 4;

impl Instance {
    /// Keeps the log that recovery would need short: writes pages that have been waiting longest once the log behind them
    /// is longer than the parameter `CheckpointDepthMax`, and moves the checkpoint. Called after commits; does little most
    /// of the time.
    ///
    /// # Errors
    /// `Live`, `Log`, or a storage error.
    pub(crate) fn maintain(&self) -> Result<(), InstanceError> {
        let (trees, log, depth) = {
            let running = self.shared.running.read();
            let Some(running) = running.as_ref() else { return Ok(()) };
            let Some(log) = &running.log else { return Ok(()) };
            (Arc::clone(&running.trees), Arc::clone(log), running.checkpoint_depth)
        };
        let tip = log.tip();
        if log.distance(log.checkpoint(), tip) <= depth {
            return Ok(());
        }
        trees.clean_versions(VERSIONS_AT_ONCE)?;
        // A step further than the depth, so that the next commits have nothing to do.
        let goal = log.back_from(tip, depth - depth / STEPS);
        while trees.write_back(goal, PAGES_AT_ONCE)? == PAGES_AT_ONCE {}
        let step = (depth / STEPS).max(u64::from(4096_u32));
        let reached = trees.oldest_needed().unwrap_or(tip);
        if log.distance(log.checkpoint(), reached) >= step {
            log.advance_checkpoint()?;
        }
        Ok(())
    }

    /// Bytes of log between the checkpoint and the tip: what recovery would read after a crash now. `None` without a log.
    #[must_use]
    pub fn checkpoint_lag(&self) -> Option<u64> {
        let log = self.log()?;
        Some(log.distance(log.checkpoint(), log.tip()))
    }

    /// Does what can be done while nothing else is: cleans versions, writes pages, moves the checkpoint. Whether there is
    /// more to do.
    ///
    /// # Errors
    /// Refused at the door; `Live`, `Log`, or a storage error.
    #[doc(alias = "JetIdle")]
    pub fn idle(&self) -> Result<bool, InstanceError> {
        let _call = self.enter(InstanceState::check_call)?;
        let (trees, _) = self.live().ok_or(crate::state::EntryError::NotInitialized)?;
        let more_versions = trees.clean_versions(usize::MAX)?;
        let Some(log) = self.log() else { return Ok(more_versions) };
        let written = trees.write_back(log.tip(), PAGES_AT_ONCE)?;
        log.advance_checkpoint()?;
        Ok(more_versions || written == PAGES_AT_ONCE)
    }
}
