//! Work that follows commits: pages written back, versions cleaned, the checkpoint moved.

use std::sync::Arc;

use ese_btree::PageCacheError;
use ese_btree::live::{LiveError, LiveTrees};

use super::Instance;
use crate::background::{Signal, Worker};
use crate::error::InstanceError;
use crate::event::{EventId, EventLog};
use crate::log::InstanceLog;
use crate::state::InstanceState;

/// Pages written at most after one commit.
const PAGES_AT_ONCE: usize = 256;
/// Depths of log behind the tip from which on commits help the thread that writes pages.
const MOST_BEHIND: u64 = 16;
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
            let behind = log.distance(log.checkpoint(), log.tip());
            if behind <= running.checkpoint_depth {
                return Ok(());
            }
            if let Some(worker) = running.maintenance.as_ref().filter(|worker| worker.is_alive()) {
                worker.wake();
                if behind <= MOST_BEHIND * running.checkpoint_depth {
                    return Ok(());
                }
                // Whoever makes work faster than it is done helps with it.
                let (trees, tip) = (Arc::clone(&running.trees), log.tip());
                let goal = log.back_from(tip, running.checkpoint_depth);
                trees.write_back(goal, PAGES_AT_ONCE / 4)?;
                return Ok(());
            }
            (Arc::clone(&running.trees), Arc::clone(log), running.checkpoint_depth)
        };
        move_on(&trees, &log, depth, &|| false)
    }

    /// Starts the thread that does it, where the environment allows threads.
    pub(super) fn start_maintenance(&self) -> Option<Worker> {
        if !self.environment().threads {
            return None;
        }
        let signal: Arc<Signal> = Arc::default();
        let (shared, ends) = (Arc::downgrade(&self.shared), Arc::clone(&signal));
        Worker::start("ese pages", &signal, move || {
            let Some(shared) = shared.upgrade() else { return false };
            let (trees, log, depth, events) = {
                let running = shared.running.read();
                let Some(running) = running.as_ref() else { return true };
                let Some(log) = &running.log else { return false };
                (
                    Arc::clone(&running.trees),
                    Arc::clone(log),
                    running.checkpoint_depth,
                    running.events.clone(),
                )
            };
            drop(shared);
            let done = move_on(&trees, &log, depth, &|| ends.has_ended());
            if let Err(error) = &done {
                // Commits do it themselves from now on, and tell; whoever watches knows at once.
                tracing::debug!(%error, "pages are not written in the background any more");
                report_failed_write(&events, error);
            }
            done.is_ok()
        })
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

/// Tells of a database file that could not be written. A log that could not has told of itself.
fn report_failed_write(events: &EventLog, error: &InstanceError) {
    let io = match error {
        InstanceError::Io(io) | InstanceError::Live(LiveError::Cache(PageCacheError::Io(io))) => io,
        _ => return,
    };
    let offset = io.offset.unwrap_or_default().to_string();
    let number = error.jet_error().0.to_string();
    events.report(EventId::FILE_WRITE_ERROR, [io.path.display().to_string(), offset, number]);
}

/// Writes pages that need the log from more than `depth` bytes behind the tip, and moves the checkpoint, unless `ends` says
/// that there is no time for it.
fn move_on(
    trees: &LiveTrees,
    log: &InstanceLog,
    depth: u64,
    ends: &dyn Fn() -> bool,
) -> Result<(), InstanceError> {
    let tip = log.tip();
    if log.distance(log.checkpoint(), tip) <= depth {
        return Ok(());
    }
    trees.clean_versions(VERSIONS_AT_ONCE)?;
    // A step further than the depth, so that the next commits have nothing to do.
    let goal = log.back_from(tip, depth - depth / STEPS);
    while !ends() && trees.write_back(goal, PAGES_AT_ONCE)? == PAGES_AT_ONCE {}
    let step = (depth / STEPS).max(u64::from(4096_u32));
    let reached = trees.oldest_needed().unwrap_or(tip);
    if !ends() && log.distance(log.checkpoint(), reached) >= step {
        log.advance_checkpoint()?;
    }
    Ok(())
}
