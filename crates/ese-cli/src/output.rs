//! What the program prints: results on standard output, everything else on standard error.
//!
//! Under `--json` each result and each error is one JSON object on one line of standard output, so that the output of
//! several files is JSON Lines. Nothing else is printed then.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;

/// Where and how results are printed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Output {
    /// JSON objects instead of text.
    pub(crate) json: bool,
    /// Results and errors only: no notes, no progress.
    pub(crate) quiet: bool,
}

impl Output {
    /// Prints a result: `text` for people, the object for programs. Only the one that is wanted is made.
    pub(crate) fn result<T: Display>(
        self,
        text: impl FnOnce() -> T,
        json: impl FnOnce() -> Value,
    ) -> Result<(), Failure> {
        if self.json { self.line(json()) } else { self.line(text()) }
    }

    /// Prints one line of result, whatever the mode. For large results printed piecemeal.
    pub(crate) fn line(self, line: impl Display) -> Result<(), Failure> {
        writeln!(io::stdout().lock(), "{line}").map_err(|e| {
            // Nobody reads any more (`ese info … | head`): stop without a complaint of ours.
            let exit = if e.kind() == io::ErrorKind::BrokenPipe { Exit::Clean } else { Exit::Failed };
            Failure::new(exit, format_args!("cannot write to standard output: {e}"))
        })
    }

    /// Prints a remark for people on standard error; programs and quiet people get none.
    pub(crate) fn note(self, text: impl Display) {
        if !self.json && !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Prints a failure: an object on standard output for programs, lines on standard error for people. A closed pipe
    /// (exit [`Exit::Clean`]) prints nothing.
    pub(crate) fn failure(self, failure: &Failure) {
        if failure.exit == Exit::Clean {
            return;
        }
        if self.json {
            let _ = writeln!(io::stdout().lock(), "{}", failure.to_json());
        } else {
            let _ = writeln!(io::stderr().lock(), "{}", failure.to_text());
        }
    }

    /// A progress bar over `total` bytes; invisible when standard error is no terminal, under `--json` and `--quiet`.
    pub(crate) fn progress(self, total_bytes: u64, label: impl Into<String>) -> ProgressBar {
        let target = if self.json || self.quiet || !io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let bar = ProgressBar::with_draw_target(Some(total_bytes), target).with_message(label.into());
        let style = ProgressStyle::with_template(
            "{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}",
        );
        if let Ok(style) = style {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        bar
    }
}
