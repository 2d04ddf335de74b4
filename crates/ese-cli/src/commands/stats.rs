//! `ese stats`: how an instance works, as its logs show it.

use std::path::PathBuf;

use crate::commands::log;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Show how an instance works, as its logs show it: transactions, bytes of log, amplification, checkpoint lag
///
/// Reads a directory of logs (and the checkpoint beside them), or single log files. Nothing is written.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Directories of logs, or log files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    log::statistics(&arguments.paths, context)
}
