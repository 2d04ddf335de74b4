//! `ese info`: what a file is and what its header says.

mod checkpoint;
mod database;
mod flush_map;
mod log;
mod patch;
mod report;

use std::path::{Path, PathBuf};

use ese_format::{FileKind, FileKindEvidence, FileType};
use ese_io::{File, OpenOptions, Storage};

use self::report::Report;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::file_kind::{kind_description, kind_name, read_start};

/// Show what files are and what their headers say
///
/// Works on databases, logs, checkpoints, flush maps, patch files and reserved logs; the content decides, not the name.
/// Files are only read. Exits with 3 when something about a file is wrong that leaves it readable.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Files to show
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print every header field by its documented name (--json always does)
    #[arg(long, short)]
    all: bool,
    /// Show a header whose checksum is wrong
    #[arg(long)]
    unverified: bool,
}

/// Runs the command. A file that fails does not keep the others from being shown.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut exit = Exit::Clean;
    for path in &arguments.files {
        context.check_interrupt()?;
        let shown = match inspect(path, arguments.unverified, context) {
            Ok(report) => {
                let mut shown = report.exit();
                context.output.result(|| report.to_text(arguments.all), || report.to_json())?;
                if matches!(report.kind, FileKind::Unknown | FileKind::Other(_)) {
                    shown = Exit::UnsupportedFormat;
                }
                shown
            }
            Err(failure) => {
                context.output.failure(&failure);
                failure.exit
            }
        };
        exit = exit.and(shown);
    }
    Ok(exit)
}

fn inspect(path: &Path, unverified: bool, context: &Context) -> Result<Report, Failure> {
    let file = context.storage.open(path, OpenOptions::READ)?;
    let start = read_start(file.as_ref())?;
    let (kind, evidence) = FileKind::detect(&start);
    let mut report = Report::new(path, file.len()?, kind, evidence);
    let filled = match kind {
        FileKind::Database | FileKind::TemporaryDatabase => {
            database::fill(&mut report, file.as_ref(), &start, unverified)
        }
        FileKind::Log => log::fill(&mut report, &start, unverified),
        FileKind::Checkpoint => checkpoint::fill(&mut report, &start, unverified),
        FileKind::FlushMap => flush_map::fill(&mut report, &start, unverified),
        FileKind::PatchFile => patch::fill(&mut report, &start),
        FileKind::Blank | FileKind::BlankLogPattern => {
            blank(&mut report, file.as_ref(), &start, context)?;
            Ok(())
        }
        FileKind::Other(FileType(number)) => {
            report.line("file type", number);
            Ok(())
        }
        _ => Ok(()),
    };
    match filled {
        Ok(()) => Ok(report),
        Err(error) => Err(Failure::header(&error, path).at("kind", kind_name(kind, path)).advice(
            if evidence == FileKindEvidence::Content {
                "the header is lost; what follows it looks sound: run `ese verify`"
            } else {
                "`ese info --unverified` shows the damaged header; `ese verify` tells the extent of the damage"
            },
        )),
    }
}

/// A file of zeros or of the fill pattern: whether it is so to its end.
fn blank(report: &mut Report, file: &dyn File, start: &[u8], context: &Context) -> Result<(), Failure> {
    // Both patterns repeat after 512 bytes.
    let pattern = start.get(..start.len().min(512)).unwrap_or_default().to_vec();
    let mut offset = start.len() as u64;
    let mut buffer = vec![0; 1 << 20];
    while offset < report.size {
        context.check_interrupt()?;
        let read = file.read_at(offset, &mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        if let Some(at) = bytes.iter().zip(pattern.iter().cycle()).position(|(a, b)| a != b) {
            report.line("content from", format_args!("byte {}", offset + at as u64));
            report.more("content_from", offset + at as u64);
            // Zeros at the start of something else say nothing.
            report.kind = FileKind::Unknown;
            return Ok(());
        }
        offset += bytes.len() as u64;
    }
    report.line("content", format_args!("none: {}", kind_description(kind_name(report.kind, &report.path))));
    Ok(())
}
