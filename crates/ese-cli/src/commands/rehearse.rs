//! `ese rehearse`: backup, verification, restore and comparison on a copy of a database.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Parser;
use ese_instance::read_database_header;
use ese_io::{AlignedBuffer, OpenMode, OpenOptions, Storage, create_directories, remove_tree};
use serde_json::json;

use crate::Program;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Bytes copied at a time.
const PIECE: usize = 1 << 20;
/// Files that a rehearsal leaves at most; more is not its directory.
const MAX_FILES: usize = 100_000;

/// Prove on a copy that a database can be backed up and restored
///
/// Copies a cleanly closed database, backs the copy up through an engine instance, verifies the set, restores it to another
/// place, and compares the restored database with the original page by page. The original is only read. The commands are
/// printed as they are run.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Database file
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// Directory to work in, which is made [default: a new one among the temporary files]
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Leave copy, set and restored database there
    #[arg(long)]
    keep: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let work = arguments
        .work
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("ese-rehearsal-{}", std::process::id())));
    if context.storage.exists(&work)? {
        return Err(Failure::new(Exit::Failed, "the directory to work in is there already")
            .file(&work)
            .advice("remove it, or name another one with --work"));
    }
    let result = rehearse(arguments, &work, context);
    if !arguments.keep {
        remove_tree(&context.storage, &work, MAX_FILES)?;
    }
    result
}

fn rehearse(arguments: &Arguments, work: &Path, context: &Context) -> Result<Exit, Failure> {
    let original = &arguments.database;
    let name = original.file_name().unwrap_or(original.as_os_str());
    let (source, set, restored) = (work.join("source"), work.join("set"), work.join("restored"));
    let copy = source.join(name);
    create_directories(&context.storage, &source)?;
    step(context, format_args!("copy {} {}", original.display(), copy.display()));
    copy_file(original, &copy, context)?;
    let commands: [&[&dyn AsRef<std::ffi::OsStr>]; 4] = [
        &[&"backup", &copy, &"--to", &set],
        &[&"verify", &set],
        &[&"restore", &set, &"--to", &restored, &"--verify"],
        &[&"diff", original, &restored.join(name), &"--pages-only"],
    ];
    for command in commands {
        context.check_interrupt()?;
        let words: Vec<OsString> = command.iter().map(|w| w.as_ref().to_owned()).collect();
        let shown: Vec<_> = words.iter().map(|w| w.to_string_lossy()).collect();
        step(context, format_args!("ese {}", shown.join(" ")));
        let program = Program::try_parse_from(std::iter::once("ese".into()).chain(words))
            .map_err(|error| Failure::new(Exit::Usage, error))?;
        let exit = program.command.run(context)?;
        if exit != Exit::Clean {
            return Ok(exit);
        }
    }
    context.output.result(
        || format!("proven: {} can be backed up and restored, page for page", original.display()),
        || {
            json!({
                "schema": "ese-rehearse-1",
                "path": original.to_string_lossy(),
                "proven": true,
                "work": arguments.keep.then(|| work.to_string_lossy()),
            })
        },
    )?;
    Ok(Exit::Clean)
}

fn step(context: &Context, text: impl std::fmt::Display) {
    context.output.note(format_args!("$ {text}"));
}

/// Copies a closed database.
fn copy_file(from: &Path, to: &Path, context: &Context) -> Result<(), Failure> {
    let source = context.storage.open(from, OpenOptions::READ)?;
    let header =
        read_database_header(&*source).map_err(|error| super::backup::instance_failure(&error))?.header;
    if let Some(error) = header.state().attach_error(header.is_part_of_backup()) {
        return Err(Failure::jet(error, "the database was not closed cleanly").file(from));
    }
    let target = context.storage.open(to, OpenOptions::new(OpenMode::CreateNew))?;
    let mut buffer = AlignedBuffer::new(PIECE);
    let mut offset = 0;
    loop {
        context.check_interrupt()?;
        let count = source.read_at(offset, &mut buffer)?;
        if count == 0 {
            return Ok(target.sync()?);
        }
        target.write_at(offset, buffer.get(..count).unwrap_or_default())?;
        offset += count as u64;
    }
}
