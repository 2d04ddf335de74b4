//! `ese verify`: checks every checksum of databases, logs, checkpoints, flush maps, patch files and backup sets.

mod backup_set;
mod database;
mod deep;
mod flush_map;
mod header_pair;
mod log;
mod report;

use std::path::{Path, PathBuf};

use ese_backup::MANIFEST_NAME;
use ese_format::FileKind;
use ese_io::{EntryKind, OpenOptions, Storage};

use self::report::{FileReport, Verdict};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::file_kind::{kind_name, read_start};

/// Check every checksum of databases, logs, checkpoints, flush maps, patch files and backup sets
///
/// Files are only read. A directory stands for every file in it and below; a backup set is looked at as a
/// whole, too. Prints one result a file; exits with 3 when
/// something was found.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Files and directories
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Databases: also check trees, space, catalog, records, long values and indexes against each other
    #[arg(long)]
    deep: bool,
}

/// Runs the command. A path that fails does not keep the others from being verified.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut exit = Exit::Clean;
    for path in &arguments.paths {
        exit = exit.and(match verify_path(path, context, arguments.deep) {
            Ok(exit) => exit,
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            Err(failure) => {
                context.output.failure(&failure);
                failure.exit
            }
        });
    }
    Ok(exit)
}

fn verify_path(path: &Path, context: &Context, deep: bool) -> Result<Exit, Failure> {
    if context.storage.inspect(path)?.kind == EntryKind::Directory {
        return verify_directory(path, context, deep, 0);
    }
    let report = verify_file(path, context, deep)?;
    let exit = match report.verdict {
        Verdict::Clean => Exit::Clean,
        Verdict::Findings => Exit::Findings,
        Verdict::NotVerified => Exit::UnsupportedFormat,
    };
    context.output.result(|| report.to_text(), || report.to_json())?;
    Ok(exit)
}

/// Directories inside directories that are followed: a guard against endless links.
const MAX_DEPTH: usize = 16;

/// Verifies every file below a directory. Files that are none of the engine's are told but do no harm.
fn verify_directory(path: &Path, context: &Context, deep: bool, depth: usize) -> Result<Exit, Failure> {
    let mut exit = Exit::Clean;
    if let Some(report) = backup_set::verify(path, context)? {
        context.output.result(|| report.to_text(), || report.to_json())?;
        if report.verdict == Verdict::Findings {
            exit = Exit::Findings;
        }
    }
    for entry in context.storage.list(path)? {
        context.check_interrupt()?;
        exit = exit.and(match entry.kind {
            EntryKind::Directory if depth < MAX_DEPTH => {
                verify_directory(&entry.path, context, deep, depth + 1)?
            }
            EntryKind::Directory => Exit::Clean,
            // Looked at with the set as a whole.
            EntryKind::File if entry.path.file_name().is_some_and(|n| n == MANIFEST_NAME) => Exit::Clean,
            EntryKind::File => match verify_file(&entry.path, context, deep) {
                Ok(report) => {
                    context.output.result(|| report.to_text(), || report.to_json())?;
                    match report.verdict {
                        Verdict::Clean => Exit::Clean,
                        Verdict::Findings => Exit::Findings,
                        Verdict::NotVerified if report.kind == "unknown" => Exit::Clean,
                        Verdict::NotVerified => Exit::UnsupportedFormat,
                    }
                }
                Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
                Err(failure) => {
                    context.output.failure(&failure);
                    failure.exit
                }
            },
        });
    }
    Ok(exit)
}

fn verify_file(path: &Path, context: &Context, deep: bool) -> Result<FileReport, Failure> {
    context.check_interrupt()?;
    let file = context.storage.open(path, OpenOptions::READ)?;
    let start = read_start(file.as_ref())?;
    let (kind, _) = FileKind::detect(&start);
    let name = kind_name(kind, path);
    let mut report = FileReport::new(path, name);
    match kind {
        FileKind::Database | FileKind::TemporaryDatabase => {
            database::verify(file.as_ref(), context, &mut report)?;
            if deep {
                deep::verify(&file, context, &mut report)?;
            }
        }
        FileKind::Log => log::verify(file, &mut report)?,
        FileKind::Checkpoint => header_pair::verify_checkpoint(&start, &mut report),
        FileKind::FlushMap => flush_map::verify(file.as_ref(), context, &mut report)?,
        FileKind::PatchFile => header_pair::verify_patch(&start, &mut report),
        // Prepared and reserved logs hold nothing that could be wrong; an empty patch file is what engines write.
        FileKind::Blank | FileKind::BlankLogPattern => {}
        FileKind::Empty if name == "patch" => {
            report
                .remarks
                .push("empty, as engines write it since the trailer page took its place".to_owned());
        }
        _ => report.verdict = Verdict::NotVerified,
    }
    Ok(report)
}
