//! The `ese` program: inspect, verify, back up and restore Extensible Storage Engine databases.

mod commands;
mod context;
#[allow(dead_code, reason = "shared by all subcommands")]
mod exit;
#[allow(dead_code, reason = "shared by all subcommands")]
mod failure;
mod fields;
mod file_kind;
#[allow(dead_code, reason = "shared by all subcommands")]
mod output;
mod progress;
mod proof;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Inspect, verify, back up and restore Extensible Storage Engine (ESE, JET Blue) databases
#[derive(Debug, Parser)]
#[command(name = "ese", version, max_term_width = 110)]
struct Program {
    /// Print one JSON object a line instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Print results and errors only: no notes, no progress
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Backup(commands::backup::Arguments),
    Compact(commands::compact::Arguments),
    Demo(commands::demo::Arguments),
    Diff(commands::diff::Arguments),
    Export(commands::export::Arguments),
    Info(commands::info::Arguments),
    Log(commands::log::Arguments),
    Recover(commands::recover::Arguments),
    Restore(commands::restore::Arguments),
    Stats(commands::stats::Arguments),
    Tables(commands::tables::Arguments),
    Verify(commands::verify::Arguments),
}

impl Command {
    fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Backup(arguments) => commands::backup::run(arguments, context),
            Self::Compact(arguments) => commands::compact::run(arguments, context),
            Self::Demo(arguments) => commands::demo::run(arguments, context),
            Self::Diff(arguments) => commands::diff::run(arguments, context),
            Self::Export(arguments) => commands::export::run(arguments, context),
            Self::Recover(arguments) => commands::recover::run(arguments, context),
            Self::Restore(arguments) => commands::restore::run(arguments, context),
            Self::Stats(arguments) => commands::stats::run(arguments, context),
            Self::Tables(arguments) => commands::tables::run(arguments, context),
            Self::Log(arguments) => commands::log::run(arguments, context),
            Self::Info(arguments) => commands::info::run(arguments, context),
            Self::Verify(arguments) => commands::verify::run(arguments, context),
        }
    }
}

fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => return usage(&error).into(),
    };
    let output = Output { json: program.json, quiet: program.quiet };
    let exit = match program.command.run(&Context::new(output)) {
        Ok(exit) => exit,
        Err(failure) => {
            output.failure(&failure);
            failure.exit
        }
    };
    exit.into()
}

/// Answers `--help`, `--version` and a wrong command line.
fn usage(error: &clap::Error) -> Exit {
    if error.use_stderr() && std::env::args_os().any(|a| a == "--json") {
        let text = error.render().to_string();
        let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
        let message = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        let message = message.trim_start_matches("error: ");
        let failure = Failure::new(Exit::Usage, message).advice("see `ese --help`");
        Output { json: true, quiet: true }.failure(&failure);
        return Exit::Usage;
    }
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Clean }
}
