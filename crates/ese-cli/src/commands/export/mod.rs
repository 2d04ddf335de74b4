//! `ese export`: the rows of a database, streamed.

mod canonical;
mod error;
mod rows;
mod text;
mod typed;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use ese_instance::{DatabaseReader, ReaderError, TableDefinition, TableFlags};

use self::error::ExportError;
use crate::commands::tables::open;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Export the rows of a database, deterministically, in constant memory
///
/// jsonl: one object a row, values by type. csv: one table with a header line. canonical: the schema, every row with
/// its stored bytes in hexadecimal, every index entry and a digest of each index; two databases with the same content
/// give the same text.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Database file
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// Only this table
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Form of the output
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Write here instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Include system tables
    #[arg(long)]
    system: bool,
    /// Canonical form: leave out the lines of index entries, keep the digests
    #[arg(long)]
    no_index_keys: bool,
    /// Read a database that is not cleanly shut down as it is, without its logs
    #[arg(long)]
    dirty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One JSON object a row
    Jsonl,
    /// Comma-separated values of one table
    Csv,
    /// Schema, stored bytes and index entries
    Canonical,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let reader = open(&arguments.database, arguments.dirty, context)?;
    let failure = |e: ReaderError| reader_failure(&e, &arguments.database);
    let mut tables = reader.tables().map_err(failure)?;
    match &arguments.table {
        Some(name) => {
            tables.retain(|t| t.name.eq_ignore_ascii_case(name));
            if tables.is_empty() {
                return Err(failure(ReaderError::NoSuchTable { name: name.clone() }));
            }
        }
        None => tables.retain(|t| arguments.system || !t.flags.contains(TableFlags::SYSTEM)),
    }
    if arguments.format == Format::Csv && tables.len() != 1 {
        let text = format_args!("csv holds one table, and this would be {}", tables.len()).to_string();
        return Err(
            Failure::new(Exit::Usage, text).advice("choose one with --table; `ese tables` lists them")
        );
    }
    let mut out: BufWriter<Box<dyn Write>> = BufWriter::with_capacity(
        256 * 1024,
        match &arguments.output {
            Some(path) => Box::new(std::fs::File::create(path).map_err(|e| {
                Failure::new(Exit::Failed, format_args!("cannot create the output: {e}")).file(path)
            })?),
            None => Box::new(io::stdout().lock()),
        },
    );
    let written = (|| -> Result<(), ExportError> {
        if arguments.format == Format::Canonical {
            writeln!(out, "{{\"tables\":{}}}", tables.len())?;
        }
        for entry in &tables {
            if context.check_interrupt().is_err() {
                return Err(ExportError::Interrupted);
            }
            let table = reader.table_by_object(entry.object_id)?;
            export_table(&reader, &table, arguments, context, &mut out)?;
        }
        Ok(out.flush()?)
    })();
    match written {
        Ok(()) => Ok(Exit::Clean),
        Err(ExportError::Interrupted) => Err(Failure::interrupted()),
        Err(ExportError::Reader(error)) => Err(failure(error)),
        Err(ExportError::Write(error)) => {
            let closed = error.kind() == io::ErrorKind::BrokenPipe;
            let exit = if closed { Exit::Clean } else { Exit::Failed };
            Err(Failure::new(exit, format_args!("cannot write the output: {error}")))
        }
    }
}

fn export_table(
    reader: &DatabaseReader,
    table: &TableDefinition,
    arguments: &Arguments,
    context: &Context,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    match arguments.format {
        Format::Canonical => canonical::export(reader, table, !arguments.no_index_keys, context, out),
        Format::Jsonl => typed::export_json_lines(reader, table, context, out),
        Format::Csv => typed::export_csv(reader, table, context, out),
    }
}

/// What a reader's error is for the user.
pub(crate) fn reader_failure(error: &ReaderError, path: &Path) -> Failure {
    let mut failure = Failure::jet(error.jet_error(), error).file(path);
    if let Some(page) = error.page() {
        failure = failure.at("page", page.0);
    }
    if matches!(error, ReaderError::NotClean { .. }) {
        failure = failure.advice(
            "replay its logs with `ese recover`, or read it as it is with --dirty (recent changes may be missing)",
        );
    }
    failure
}
