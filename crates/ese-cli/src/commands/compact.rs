//! `ese compact`: a clean database copied into a new file without unused space.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use ese_format::JetError;
use ese_instance::{
    CompactError, CompactOptions, CompactProgress, CompactReport, CompactedTable, compact_database,
};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::commands::export::reader_failure;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Copy a clean database into a new file without unused space
///
/// The source is only read. The destination must not exist; it is removed again when the copy fails or is interrupted, and
/// marked as incomplete until all is there. It needs about as much room as the used pages of the source.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Database to copy, cleanly shut down
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// New database
    #[arg(value_name = "DESTINATION")]
    destination: PathBuf,
    /// List the tables
    #[arg(long, short)]
    tables: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let watcher = Watcher { context, bar: context.output.progress(0, "compact") };
    let (source, destination) = (&arguments.source, &arguments.destination);
    let outcome =
        compact_database(&context.storage, source, destination, &CompactOptions::default(), &watcher);
    watcher.bar.finish_and_clear();
    let report = outcome.map_err(|error| failure(&error, arguments))?;
    context.output.result(|| text(arguments, &report), || object(arguments, &report))?;
    Ok(Exit::Clean)
}

struct Watcher<'a> {
    context: &'a Context,
    bar: ProgressBar,
}

impl CompactProgress for Watcher<'_> {
    fn pages(&self, done: u64, total: u64) -> Result<(), JetError> {
        if !self.bar.is_hidden() {
            self.bar.set_length(total);
            self.bar.set_position(done);
        }
        if self.context.interrupt.load(Ordering::SeqCst) { Err(JetError::TERM_IN_PROGRESS) } else { Ok(()) }
    }
}

fn failure(error: &CompactError, arguments: &Arguments) -> Failure {
    match error {
        CompactError::Stopped(_) => Failure::interrupted(),
        CompactError::Source(error) => reader_failure(error, &arguments.source),
        CompactError::Io(error) => error.clone().into(),
        CompactError::Exists { path } => Failure::jet(error.jet_error(), error)
            .file(path)
            .advice("name a file that does not exist: nothing is overwritten"),
        CompactError::Tree(_) | CompactError::Row { .. } | CompactError::LongValue { .. } => {
            Failure::jet(error.jet_error(), error)
                .file(&arguments.source)
                .advice("`ese verify --deep` tells what is wrong with the source")
        }
        _ => Failure::jet(error.jet_error(), error).file(&arguments.destination),
    }
}

fn text(arguments: &Arguments, report: &CompactReport) -> String {
    let mut text = String::new();
    for table in report.tables.iter().filter(|_| arguments.tables) {
        text += &format!(
            "{}: {} rows, {} long values, {} index entries\n",
            table.name, table.rows, table.long_values, table.index_entries
        );
    }
    let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
    text + &format!(
        "{}: {} tables, {rows} rows; {} bytes, were {}",
        arguments.destination.display(),
        report.tables.len(),
        report.destination_bytes,
        report.source_bytes
    )
}

fn object(arguments: &Arguments, report: &CompactReport) -> Value {
    json!({
        "schema": "ese-compact-1",
        "path": arguments.source.to_string_lossy(),
        "destination": arguments.destination.to_string_lossy(),
        "source_bytes": report.source_bytes,
        "destination_bytes": report.destination_bytes,
        "tables": report.tables.iter().map(table_object).collect::<Vec<_>>(),
    })
}

fn table_object(table: &CompactedTable) -> Value {
    json!({
        "name": table.name,
        "rows": table.rows,
        "row_bytes": table.row_bytes,
        "long_values": table.long_values,
        "long_value_bytes": table.long_value_bytes,
        "index_entries": table.index_entries,
        "source_pages": table.source_pages,
    })
}
