//! `ese restore`: the databases of a backup set, brought up with its logs.

use std::path::{Path, PathBuf};

use ese_backup::{RestoreError, RestoreMapEntry, RestoreOptions, RestoreSummary, restore};
use ese_instance::Environment;
use ese_log::BaseName;
use serde_json::{Value, json};

use crate::commands::backup;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::BarProgress;
use crate::proof::Proof;

/// Restore the databases of a backup set
///
/// The set is only read. A database that is there under the same name is replaced when the restored one is complete.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Directory of the set, or the one that holds it as `new` or `old`
    #[arg(value_name = "SET")]
    set: PathBuf,
    /// Directory for the databases
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Directory of the logs: newer ones there are replayed too, and the new current log is made there
    /// [default: the directory of the databases]
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// Place of one database: its file name in the set, `=`, its new path
    #[arg(long, value_name = "NAME=PATH")]
    map: Vec<String>,
    /// First part of the log names [default: of the only stream in the set]
    #[arg(long, value_name = "NAME")]
    base: Option<String>,
    /// Check every file of the set against its manifest first, and verify the restored databases deeply
    #[arg(long)]
    verify: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let options = RestoreOptions {
        destination: arguments.to.clone(),
        map: arguments.map.iter().map(|text| map_entry(text)).collect::<Result<_, _>>()?,
        log_directory: arguments.log_dir.clone(),
        base_name: arguments.base.as_deref().map(base_name).transpose()?,
        create_path: true,
        find_databases: true,
        verify: arguments.verify,
        ..RestoreOptions::default()
    };
    let progress = BarProgress::new(context, "restore");
    let summary = restore(&Environment::system(), &arguments.set, &options, &progress)
        .map_err(|error| failure(&error))?;
    drop(progress);
    context.output.result(|| text(&summary), || object(arguments, &summary))?;
    let mut exit = Exit::Clean;
    for path in summary.databases.iter().filter(|_| arguments.verify) {
        let proof = Proof::of(path, context)?;
        if !proof.holds() {
            exit = Exit::Findings;
        }
        context.output.result(
            || format!("{}: {}", path.display(), proof.text()),
            || json!({"schema": "ese-proof-1", "path": path.to_string_lossy(), "proof": proof.object()}),
        )?;
    }
    Ok(exit)
}

fn map_entry(text: &str) -> Result<RestoreMapEntry, Failure> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok(RestoreMapEntry { name: name.to_owned(), path: path.into() })
        }
        _ => Err(Failure::new(Exit::Usage, format_args!("--map {text}: NAME=PATH is needed"))),
    }
}

fn base_name(text: &str) -> Result<BaseName, Failure> {
    BaseName::new(text).map_err(|e| Failure::new(Exit::Usage, e))
}

/// A failed restore as the user is told.
pub(crate) fn failure(error: &RestoreError) -> Failure {
    let failure = Failure::jet(error.jet_error(), error);
    match error {
        RestoreError::Io(error) => error.clone().into(),
        RestoreError::Copy(error) => backup::failure(error),
        RestoreError::Instance(error) => backup::instance_failure(error),
        RestoreError::Stopped => Failure::interrupted(),
        RestoreError::SetNotFound { path } => {
            failure.file(path).advice("name the directory that holds database, logs and *.pat of the set")
        }
        RestoreError::PatchFileMissing { path } => failure.file(path).advice(
            "the set is not complete; if the database file is there, `ese recover` can bring up a copy of it with the logs",
        ),
        RestoreError::LogMissing { path, generation } => failure.file(path).at("generation", generation.0),
        RestoreError::StartTooHigh { path, required, found }
        | RestoreError::EndTooLow { path, required, found } => failure
            .file(path)
            .expected(required.0)
            .found(found.0)
            .exit(Exit::RequiredLogsMissing)
            .advice("find the missing log generations and put them into the set's directory"),
        RestoreError::ExistingLogSignature { path } | RestoreError::ExistingLogNotContiguous { path } => {
            failure.file(path).advice(
                "the log directory holds logs that do not continue the set: choose an empty one with --log-dir",
            )
        }
        RestoreError::ManifestMismatch { path, expected, found, .. } => {
            failure.file(path).expected(expected.clone()).found(found.clone())
        }
        RestoreError::SetLogSignature { path }
        | RestoreError::SetLogNotContiguous { path, .. }
        | RestoreError::GenerationMismatch { path, .. }
        | RestoreError::DatabaseHeader { path, .. }
        | RestoreError::DatabaseTooShort { path, .. }
        | RestoreError::NotABackup { path }
        | RestoreError::BadTrailer { path, .. }
        | RestoreError::TrailerMismatch { path, .. }
        | RestoreError::DatabaseMissing { path, .. }
        | RestoreError::InvalidPath { path, .. } => failure.file(path),
        RestoreError::Page { path, page, .. } => failure.file(path).at("page", page.0),
        _ => failure,
    }
}

fn text(summary: &RestoreSummary) -> String {
    let databases = summary.databases.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
    format!(
        "{}: restored {databases} ({} bytes, logs {} to {})",
        summary.set.display(),
        summary.bytes,
        summary.logs.0,
        summary.last_replayed
    )
}

fn object(arguments: &Arguments, summary: &RestoreSummary) -> Value {
    let path = |p: &Path| Value::from(p.to_string_lossy().into_owned());
    json!({
        "schema": "ese-restore-1",
        "path": path(&arguments.set),
        "set": path(&summary.set),
        "databases": summary.databases.iter().map(|p| path(p)).collect::<Vec<_>>(),
        "generations": {"low": summary.logs.0.0, "high": summary.logs.1.0, "last_replayed": summary.last_replayed.0},
        "bytes": summary.bytes,
    })
}
