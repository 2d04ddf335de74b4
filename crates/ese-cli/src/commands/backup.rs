//! `ese backup`: a backup set of a database, through an engine instance or without touching it.

use std::path::{Path, PathBuf};

use ese_backup::{
    BackupError, BackupFlags, BackupSummary, ReadOnlyOptions, ReadOptions, backup_instance, backup_read_only,
};
use ese_instance::{
    Engine, Environment, InitOptions, Instance, InstanceError, ParameterId, TermMode, engine_format_for,
    read_database_header,
};
use ese_io::{OpenOptions, Storage};
use ese_log::{BaseName, find_streams};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::BarProgress;

mod prove;

/// Back up a database into a directory
///
/// Runs an engine instance on the database's log stream: every page and log is verified, logs that the set makes
/// unneeded are deleted, and the database's header remembers the backup. With --read-only nothing but the set is
/// written.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Database file
    #[arg(value_name = "DB")]
    database: PathBuf,
    /// Directory for the set; empty or new unless --atomic or --incremental
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Keep the set that is there until the new one is complete
    #[arg(long)]
    atomic: bool,
    /// Logs only, into the directory of the last full backup
    #[arg(long)]
    incremental: bool,
    /// Directory of the logs [default: the database's directory]
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,
    /// Directory of the checkpoint [default: the log directory]
    #[arg(long, value_name = "DIR")]
    system_dir: Option<PathBuf>,
    /// First part of the log names [default: of the only stream there, or edb]
    #[arg(long, value_name = "NAME")]
    base: Option<String>,
    /// Leave database and logs as they are: a cleanly closed database becomes a restorable set with a log of its own
    #[arg(long, conflicts_with = "incremental")]
    read_only: bool,
    /// Restore the set to a place that is deleted afterwards, verify the restored database deeply and compare it page
    /// by page with the one that was backed up
    #[arg(long, conflicts_with = "incremental")]
    prove: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let summary = if arguments.read_only {
        let options = ReadOnlyOptions {
            atomic: arguments.atomic,
            create_path: true,
            base_name: arguments.base.as_deref().map(base_name).transpose()?,
        };
        let progress = BarProgress::new(context, "backup");
        backup_read_only(&Environment::system(), &arguments.database, &arguments.to, &options, &progress)
            .map_err(|e| failure(&e))?
    } else {
        through_instance(arguments, context)?
    };
    context.output.result(|| text(arguments, &summary), || object(arguments, &summary))?;
    if arguments.prove { prove::run(&arguments.database, &summary, context) } else { Ok(Exit::Clean) }
}

fn through_instance(arguments: &Arguments, context: &Context) -> Result<BackupSummary, Failure> {
    let instance = start(arguments, context)?;
    let result = instance.attach(&arguments.database).map_err(|e| instance_failure(&e)).and_then(|_| {
        context.check_interrupt()?;
        let mut flags = BackupFlags::empty();
        flags.set(BackupFlags::ATOMIC, arguments.atomic);
        flags.set(BackupFlags::INCREMENTAL, arguments.incremental);
        let progress = BarProgress::new(context, "backup");
        backup_instance(&instance, Some(&arguments.to), flags, ReadOptions::default(), &progress)
            .map_err(|e| failure(&e))
    });
    // Closed cleanly whether the backup succeeded or not; the backup's own failure is the one to tell.
    let closed = instance.terminate(TermMode::Complete).map_err(|e| instance_failure(&e));
    let summary = result?;
    closed?;
    Ok(summary)
}

/// Starts an instance on the log stream that the database belongs to.
fn start(arguments: &Arguments, context: &Context) -> Result<Instance, Failure> {
    let file = context.storage.open(&arguments.database, OpenOptions::READ)?;
    let header = read_database_header(&*file).map_err(|e| instance_failure(&e))?.header;
    drop(file);
    let beside = arguments.database.parent().filter(|p| !p.as_os_str().is_empty());
    let logs = arguments.log_dir.as_deref().or(beside).unwrap_or(Path::new("."));
    let system = arguments.system_dir.as_deref().unwrap_or(logs);
    let base = match &arguments.base {
        Some(text) => Some(base_name(text)?),
        None => only_stream(&context.storage, logs)?,
    };
    let engine = Engine::new(Environment::system());
    let instance = engine.create_instance("ese").map_err(|e| instance_failure(&e))?;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let set = |id, value: ese_instance::ParameterValue| {
        instance.set_parameter(id, value).map_err(|e| instance_failure(&e))
    };
    set(ParameterId::LOG_FILE_PATH, text(logs).into())?;
    set(ParameterId::SYSTEM_PATH, text(system).into())?;
    match &base {
        Some(base) => set(ParameterId::BASE_NAME, base.as_str().into())?,
        // A new stream is one that the engine of the database reads.
        None => set(ParameterId::ENGINE_FORMAT_VERSION, engine_format_for(&header).0.into())?,
    }
    set(ParameterId::DATABASE_PAGE_SIZE, header.page_size().bytes().into())?;
    set(ParameterId::CREATE_PATH_IF_NOT_EXIST, true.into())?;
    // Changing a database that was left open is for `ese recover`, where it is asked for.
    let options = InitOptions { refuse_recovery: true, ..InitOptions::default() };
    instance.initialize(options).map_err(|e| instance_failure(&e))?;
    Ok(instance)
}

/// The base name of the only log stream in a directory; `None` where there is none.
fn only_stream(storage: &dyn Storage, directory: &Path) -> Result<Option<BaseName>, Failure> {
    if !storage.exists(directory)? {
        return Ok(None);
    }
    let mut names: Vec<BaseName> = find_streams(storage, directory)
        .map_err(|e| Failure::jet(e.jet_error(), &e).file(directory))?
        .into_iter()
        .map(|(base, _)| base)
        .collect();
    names.dedup();
    match names.len() {
        0 | 1 => Ok(names.pop()),
        _ => {
            let names = names.iter().map(BaseName::as_str).collect::<Vec<_>>().join(", ");
            Err(Failure::new(Exit::Usage, format_args!("several log streams: {names}"))
                .file(directory)
                .advice("say with --base which one the database belongs to"))
        }
    }
}

fn base_name(text: &str) -> Result<BaseName, Failure> {
    BaseName::new(text).map_err(|e| Failure::new(Exit::Usage, e))
}

/// A failed instance as the user is told.
pub(crate) fn instance_failure(error: &InstanceError) -> Failure {
    let failure = Failure::jet(error.jet_error(), error);
    match error {
        InstanceError::Io(error) => error.clone().into(),
        InstanceError::Header { path, .. }
        | InstanceError::DatabaseTooShort { path, .. }
        | InstanceError::ZeroCounter { path, .. } => failure.file(path),
        InstanceError::Space { path, page, .. } => failure.file(path).at("page", page.0),
        InstanceError::ReplayNeeded { directory, .. } => failure
            .file(directory)
            .advice("replay the logs with `ese recover`, or back the database up as it is after that"),
        InstanceError::MissingCurrentLog { directory, .. } => failure.file(directory),
        _ => failure,
    }
}

/// A failed backup as the user is told.
pub(crate) fn failure(error: &BackupError) -> Failure {
    let failure = Failure::jet(error.jet_error(), error);
    match error {
        BackupError::Io(error) => error.clone().into(),
        BackupError::Instance(error) => instance_failure(error),
        BackupError::Stopped => Failure::interrupted(),
        BackupError::Page { path, page, verdict } => {
            let failure = failure.file(path).at("page", page.0);
            match verdict {
                ese_format::PageVerdict::Bad { expected, found, .. } => {
                    failure.expected(expected.to_string()).found(found.to_string())
                }
                ese_format::PageVerdict::WrongPageNumber { expected, found, .. } => {
                    failure.expected(expected.0).found(found.0)
                }
                _ => failure,
            }
        }
        BackupError::LogVerify { path, segment, .. } => failure.file(path).at("segment", *segment),
        BackupError::MissingFile { path } => failure.file(path),
        BackupError::InvalidPath { path, .. } => failure.file(path),
        BackupError::DirectoryNotEmpty { entry, .. } => {
            failure.file(entry).advice("choose an empty directory, or --atomic to replace sets in turn")
        }
        BackupError::MissingFullBackup { database } => {
            failure.file(database).advice("make a full backup first: the same command without --incremental")
        }
        _ => failure,
    }
}

fn text(arguments: &Arguments, summary: &BackupSummary) -> String {
    let directory = summary.directory.as_deref().unwrap_or(&arguments.to);
    let logs = summary.logs.map_or_else(String::new, |(low, high)| format!(", logs {low} to {high}"));
    format!(
        "{}: backed up to {} ({} bytes{logs})",
        arguments.database.display(),
        directory.display(),
        summary.bytes
    )
}

fn object(arguments: &Arguments, summary: &BackupSummary) -> Value {
    let path = |p: &Path| Value::from(p.to_string_lossy().into_owned());
    json!({
        "schema": "ese-backup-1",
        "path": path(&arguments.database),
        "set": summary.directory.as_deref().map(path),
        "databases": summary.databases.iter().map(|p| path(p)).collect::<Vec<_>>(),
        "generations": summary.logs.map(|(low, high)| json!({"low": low.0, "high": high.0})),
        "bytes": summary.bytes,
        "read_only": arguments.read_only,
    })
}
