//! Shows the progress of long work as a bar, and hands the user's interruption to it.

use std::sync::atomic::Ordering;

use ese_backup::Progress;
use indicatif::ProgressBar;

use crate::context::Context;

/// A progress bar that stops the work when the user interrupts. Invisible where [`Output::progress`] says so.
///
/// [`Output::progress`]: crate::output::Output::progress
pub(crate) struct BarProgress<'a> {
    context: &'a Context,
    bar: ProgressBar,
}

impl<'a> BarProgress<'a> {
    /// A bar with a label, of unknown length until the work begins.
    pub(crate) fn new(context: &'a Context, label: impl Into<String>) -> Self {
        Self { context, bar: context.output.progress(0, label) }
    }
}

impl Progress for BarProgress<'_> {
    fn begin(&self, total_bytes: u64) {
        self.bar.set_length(total_bytes);
        self.bar.set_position(0);
    }

    fn advance(&self, bytes: u64) {
        if !self.bar.is_hidden() {
            self.bar.inc(bytes);
        }
    }

    fn stop_requested(&self) -> bool {
        self.context.interrupt.load(Ordering::SeqCst)
    }
}

impl Drop for BarProgress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
