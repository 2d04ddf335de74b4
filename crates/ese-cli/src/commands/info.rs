//! `ese info`: what a file is and what its header says.

use std::path::PathBuf;

use ese_io::{OpenOptions, Storage};
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Show what files are and what their headers say
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Databases, logs, checkpoints, flush maps, patch files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    for path in &arguments.files {
        context.check_interrupt()?;
        let file = context.storage.open(path, OpenOptions::READ)?;
        let size = file.len()?;
        context.output.result(
            || format!("{}: {size} bytes", path.display()),
            || json!({"schema": "ese-info-1", "path": path.to_string_lossy(), "size": size}),
        )?;
    }
    Ok(Exit::Clean)
}
