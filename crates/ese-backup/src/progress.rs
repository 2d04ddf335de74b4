//! How long work tells how far it is, and learns that it should stop.

/// Receives the progress of long work. Called from several threads.
///
/// Libraries report, binaries show: nothing here prints.
pub trait Progress: Sync {
    /// The work begins; it will handle about `total_bytes`.
    fn begin(&self, total_bytes: u64) {
        let _ = total_bytes;
    }

    /// So many more bytes are done.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }

    /// The work is complete. Not called after a failure.
    fn complete(&self) {}

    /// Whether the work should stop: it then cleans up and fails as interrupted.
    fn stop_requested(&self) -> bool {
        false
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}
