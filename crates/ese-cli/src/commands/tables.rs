//! `ese tables`: what tables a database has.

use std::path::PathBuf;

use ese_instance::{DatabaseReader, DirtyPolicy, ReaderError, TableDefinition};
use serde_json::{Value, json};

use crate::commands::export::reader_failure;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// List the tables of a database with their columns and indexes
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Database file
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// Only this table
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// Include system tables
    #[arg(long)]
    system: bool,
    /// List columns and indexes, too
    #[arg(long, short)]
    columns: bool,
    /// Count the rows of each table: reads every page
    #[arg(long)]
    count: bool,
    /// Read a database that is not cleanly shut down as it is, without its logs
    #[arg(long)]
    dirty: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let reader = open(&arguments.database, arguments.dirty, context)?;
    let fail = |error: &_| reader_failure(error, &arguments.database);
    let tables = reader.tables().map_err(|e| fail(&e))?;
    let mut found = false;
    let mut exit = Exit::Clean;
    for entry in tables {
        context.check_interrupt()?;
        match &arguments.table {
            Some(name) if !entry.name.eq_ignore_ascii_case(name) => continue,
            None if entry.flags.contains(ese_instance::TableFlags::SYSTEM) && !arguments.system => continue,
            _ => {}
        }
        found = true;
        let table = reader.table_by_object(entry.object_id).map_err(|e| fail(&e))?;
        // A table that cannot be read to its end does not hide the others.
        let (rows, error) = match arguments.count.then(|| count(&reader, &table)) {
            None => (None, None),
            Some(Ok(rows)) => (Some(rows), None),
            Some(Err(error)) => (None, Some(error)),
        };
        context
            .output
            .result(|| text(&table, rows, arguments.columns), || object(&table, rows, error.as_ref()))?;
        if let Some(error) = error {
            exit = exit.and(Exit::Findings);
            if !context.output.json {
                context.output.failure(&fail(&error));
            }
        }
    }
    match &arguments.table {
        Some(name) if !found => Err(fail(&ReaderError::NoSuchTable { name: name.clone() })),
        _ => Ok(exit),
    }
}

/// Opens a database for reading; says so when it is not clean.
pub(crate) fn open(
    path: &std::path::Path,
    dirty: bool,
    context: &Context,
) -> Result<DatabaseReader, Failure> {
    let policy = if dirty { DirtyPolicy::ReadAsItIs } else { DirtyPolicy::Refuse };
    let reader =
        DatabaseReader::open(&context.storage, path, policy).map_err(|e| reader_failure(&e, path))?;
    if !reader.header().is_clean() {
        context.output.note(format_args!(
            "warning: {} is not complete by itself (state {}): changes that only its logs hold are missing",
            path.display(),
            reader.header().state()
        ));
    }
    Ok(reader)
}

fn count(reader: &DatabaseReader, table: &TableDefinition) -> Result<u64, ReaderError> {
    let tree = reader.tree(table.root, table.object_id)?;
    let mut cursor = tree.cursor();
    let mut rows = 0;
    while cursor.move_next()? {
        rows += 1;
    }
    Ok(rows)
}

fn text(table: &TableDefinition, rows: Option<u64>, columns: bool) -> String {
    use std::fmt::Write as _;
    let live = table.columns.iter().filter(|c| !c.is_deleted());
    let mut text = format!(
        "{}: {} columns, {} indexes, object {}, root page {}",
        table.name,
        live.clone().count(),
        table.indexes.len(),
        table.object_id,
        table.root
    );
    if let Some(rows) = rows {
        let _ = write!(text, ", {rows} rows");
    }
    if let Some(template) = &table.template {
        let _ = write!(text, ", derived from {template}");
    }
    if columns {
        for column in live {
            let _ = write!(text, "\n  {:5} {} {}", column.id, column.name, column.kind);
            if column.kind.is_text() {
                let _ = write!(text, " (code page {})", column.code_page);
            }
        }
        for index in &table.indexes {
            let primary = if index.is_primary() { " (primary)" } else { "" };
            let _ = write!(text, "\n  index {} {}{primary}", index.name, key_text(table, index));
        }
    }
    text
}

/// The columns of an index with their directions: `+a,-b`.
pub(crate) fn key_text(table: &TableDefinition, index: &ese_instance::IndexDefinition) -> String {
    let names = index.segments.iter().map(|segment| {
        let name = table.column_of(segment).map_or("?", |(_, c)| c.name.as_str());
        format!("{}{name}", if segment.descending { '-' } else { '+' })
    });
    names.collect::<Vec<_>>().join(",")
}

fn object(table: &TableDefinition, rows: Option<u64>, error: Option<&ReaderError>) -> Value {
    let columns: Vec<Value> = table
        .columns
        .iter()
        .filter(|c| !c.is_deleted())
        .map(|c| {
            json!({
                "name": c.name, "id": c.api_id(), "type": c.kind.to_string(), "code_page": c.code_page,
                "max_size": c.max_size, "flags": c.api_flags(),
            })
        })
        .collect();
    let indexes: Vec<Value> = table
        .indexes
        .iter()
        .map(|i| {
            json!({
                "name": i.name, "object_id": i.object_id.0, "root_page": i.root.0,
                "key": key_text(table, i), "flags": i.api_flags(),
            })
        })
        .collect();
    json!({
        "schema": "ese-table-1", "table": table.name, "object_id": table.object_id.0,
        "root_page": table.root.0, "system": table.is_system(), "template": table.template,
        "rows": rows, "error": error.map(ToString::to_string),
        "jet_error": error.map(|e| e.jet_error().0), "page": error.and_then(|e| e.page()).map(|p| p.0),
        "columns": columns, "indexes": indexes,
    })
}
