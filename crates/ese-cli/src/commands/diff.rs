//! `ese diff`: whether two database files hold the same pages.

use std::path::PathBuf;

use ese_btree::{CompareError, Difference, compare_databases};
use ese_io::{OpenOptions, Storage};
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Compare two database files page by page
///
/// Pages are the same when page number, update counter, links, flags, object id, external header and nodes in order are.
/// Checksums, flush types, the version bit of nodes and the bytes of free space are not compared. Exit code 3 when the
/// files differ.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// First database
    a: PathBuf,
    /// Second database
    b: PathBuf,
    /// Compare pages only, not the fields of the header
    #[arg(long)]
    pages_only: bool,
    /// Print at most this many differences
    #[arg(long, default_value_t = 100)]
    limit: u64,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let open = |path: &PathBuf| -> Result<_, Failure> { Ok(context.storage.open(path, OpenOptions::READ)?) };
    let (a, b) = (open(&arguments.a)?, open(&arguments.b)?);
    let output = context.output;
    let mut printed = 0;
    let mut outcome = Ok(());
    let comparison = compare_databases(&a, &b, |difference| {
        let is_field = matches!(difference, Difference::HeaderField { .. });
        if outcome.is_err() || printed >= arguments.limit || is_field && arguments.pages_only {
            return;
        }
        printed += 1;
        outcome = output.result(|| difference, || to_json(difference));
    })
    .map_err(|error| match error {
        CompareError::Io(error) => error.into(),
        other => Failure::jet(other.jet_error(), other),
    })?;
    outcome?;
    let differs = comparison.different_pages > 0 || comparison.different_fields > 0 && !arguments.pages_only;
    output.result(
        || {
            format!(
                "{} pages compared, {} differ; {} header fields differ; {} pages unused in both",
                comparison.pages, comparison.different_pages, comparison.different_fields, comparison.unused
            )
        },
        || {
            json!({
                "schema": "ese-diff-1",
                "kind": "summary",
                "pages": comparison.pages,
                "different_pages": comparison.different_pages,
                "different_fields": comparison.different_fields,
                "unused": comparison.unused,
                "same": !differs,
            })
        },
    )?;
    Ok(if differs { Exit::Findings } else { Exit::Clean })
}

fn to_json(difference: &Difference) -> serde_json::Value {
    match difference {
        Difference::HeaderField { field, a, b } => {
            json!({ "schema": "ese-diff-1", "kind": "header", "field": field, "a": a, "b": b })
        }
        Difference::Page { page, difference } => json!({
            "schema": "ese-diff-1",
            "kind": "page",
            "page": page.0,
            "difference": difference.to_string(),
        }),
    }
}
