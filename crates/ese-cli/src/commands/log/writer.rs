//! Output of many lines.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Standard output, buffered: logs have millions of records. Failures keep their place between the lines.
pub(super) struct Writer {
    out: BufWriter<StdoutLock<'static>>,
    output: Output,
}

impl Writer {
    pub(super) fn new(output: Output) -> Self {
        Self { out: BufWriter::with_capacity(1 << 16, io::stdout().lock()), output }
    }

    /// Whether JSON objects are wanted.
    pub(super) fn json(&self) -> bool {
        self.output.json
    }

    /// Prints a line for people.
    pub(super) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.out, "{line}").map_err(|e| broken(&e))
    }

    /// Prints an object for programs.
    pub(super) fn object(&mut self, value: &Value) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.out, value).map_err(|e| broken(&e.into()))?;
        self.out.write_all(b"\n").map_err(|e| broken(&e))
    }

    /// Prints a failure that does not end the command, and returns its exit code.
    pub(super) fn failure(&mut self, failure: &Failure) -> Result<Exit, Failure> {
        if self.output.json {
            self.object(&failure.to_json())?;
        } else {
            self.flush()?;
            self.output.failure(failure);
        }
        Ok(failure.exit)
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|e| broken(&e))
    }
}

fn broken(error: &io::Error) -> Failure {
    // Nobody reads any more (`ese log … | head`): stop without a complaint of ours.
    let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::Clean } else { Exit::Failed };
    Failure::new(exit, format_args!("cannot write to standard output: {error}"))
}
