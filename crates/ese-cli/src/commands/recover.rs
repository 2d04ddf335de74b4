//! `ese recover`: brings dirty databases to a consistent state from their logs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ese_format::{DatabaseHeaderPair, JetError, LogGeneration, LogPosition, LogTime, Signature};
use ese_instance::recovery::{
    MappedDatabase, MissingCurrentLog, RecoveryEnvironment, RecoveryError, RecoveryPhase, RecoveryPlan,
    RecoveryProgress, RecoveryReport, RecoveryRequest, RecoveryResult, StopAt, copy_for_recovery, plan,
    recover,
};
use ese_io::{EntryKind, OpenOptions, Storage, SystemClock, SystemRandomness};
use ese_log::{BaseName, LogExtension, LogNames, choose_extension, find_streams};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// Bring dirty databases to a consistent state by replaying their logs
///
/// Databases are found beside the logs, or beside the database given, by name and by signature; the paths inside the
/// logs, which are those of another machine, are never opened. Exit codes: 0 done, 4 an unrestored backup copy, 5
/// required logs are missing, 6 committed changes would be lost (see --accept-lost-logs).
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("mode").required(true))]
pub(crate) struct Arguments {
    /// Directory with logs and databases, or a database file
    path: PathBuf,
    /// Directory of the logs, where it is another one
    #[arg(long, value_name = "DIR")]
    logs: Option<PathBuf>,
    /// Base name of the log files, where there are several streams
    #[arg(long, value_name = "NAME")]
    base: Option<String>,
    /// Checkpoint file, where it is not beside the logs
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Where a database is: its path (or only its file name) in the log, and the file
    #[arg(long, value_name = "LOGGED=FILE", value_parser = mapping)]
    map: Vec<(String, PathBuf)>,
    /// Show what would be done; change nothing
    #[arg(long, group = "mode")]
    plan: bool,
    /// Copy everything into this new directory and recover the copy
    #[arg(long, group = "mode", value_name = "DIR")]
    to: Option<PathBuf>,
    /// Change the files where they are
    #[arg(long, group = "mode")]
    in_place: bool,
    /// Stop in front of a log position (GENERATION,SECTOR,BYTE in hexadecimal) or at a time (2026-11-22T13:19:51Z).
    /// With undo (and --to): the copied logs end there
    #[arg(long, value_name = "POSITION|TIME", value_parser = stop)]
    stop_at: Option<StopAt>,
    /// Replay only: databases stay dirty, open transactions stay open, more logs can follow
    #[arg(long)]
    without_undo: bool,
    /// Go on though logs with committed changes are missing at the end: these changes are lost
    #[arg(long)]
    accept_lost_logs: bool,
    /// Delete damaged logs that no database requires, with everything behind them
    #[arg(long, requires = "accept_lost_logs")]
    delete_damaged_logs: bool,
    /// Leave out databases that the logs know and that cannot be found
    #[arg(long)]
    ignore_missing_databases: bool,
    /// Accept copies from a backup set that were never restored
    #[arg(long)]
    accept_backup_copies: bool,
    /// Go on without a current log although a database may need it; where none does, recovery goes on anyway
    #[arg(long)]
    accept_missing_current_log: bool,
    /// Compare the pages that scans of other copies of the database have logged, also those that replay does not touch
    #[arg(long)]
    compare_scans: bool,
    /// Page cache in MiB
    #[arg(long, default_value_t = 256, value_name = "MIB")]
    cache: usize,
}

fn mapping(text: &str) -> Result<(String, PathBuf), String> {
    let (logged, file) = text.rsplit_once('=').ok_or("expected LOGGED=FILE")?;
    Ok((logged.to_owned(), PathBuf::from(file)))
}

fn stop(text: &str) -> Result<StopAt, String> {
    if text.contains('T') { time(text).map(StopAt::TimeMs) } else { position(text).map(StopAt::Position) }
}

/// Milliseconds since 1970 of `2026-11-22T13:19:51Z`, always UTC.
fn time(text: &str) -> Result<i64, String> {
    let bad = || format!("{text}: expected a time like 2026-11-22T13:19:51Z");
    let parts: Vec<u32> = text
        .trim_end_matches('Z')
        .split(['-', 'T', ':'])
        .map(|part| part.parse().map_err(|_| bad()))
        .collect::<Result<_, _>>()?;
    let &[year, month, day, hour, minute, second] = parts.as_slice() else { return Err(bad()) };
    let byte = |value: u32| u8::try_from(value).map_err(|_| bad());
    let year = byte(year.checked_sub(1900).ok_or_else(bad)?)?;
    let time = LogTime([byte(second)?, byte(minute)?, byte(hour)?, byte(day)?, byte(month)?, year, 1, 0]);
    time.to_unix_ms().ok_or_else(bad)
}

fn position(text: &str) -> Result<LogPosition, String> {
    let mut parts = text.split([',', ':']);
    let mut next = |what: &str| -> Result<u32, String> {
        let part = parts.next().unwrap_or("0").trim_start_matches("0x");
        u32::from_str_radix(part, 16).map_err(|_| format!("{what}: not a hexadecimal number"))
    };
    let (generation, sector, byte) = (next("generation")?, next("sector")?, next("byte")?);
    let short = |value: u32| u16::try_from(value).map_err(|_| "sector and byte have 16 bits".to_owned());
    Ok(LogPosition::new(generation, short(sector)?, short(byte)?))
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let storage = &context.storage;
    let request = request(arguments, storage)?;
    let progress = Bar::new(context.output, Arc::clone(&context.interrupt));
    let planned = plan(&request, storage, &progress).map_err(|e| failure(&e, &request))?;
    if arguments.plan {
        progress.finish();
        return show_plan(&planned, &request, context.output);
    }
    // What cannot succeed is told before anything is copied or changed.
    if let Some((error, text)) = planned.failure.clone().filter(|_| arguments.stop_at.is_none()) {
        let hopeless =
            matches!(error, JetError::REQUIRED_LOG_FILES_MISSING | JetError::COMMITTED_LOG_FILES_MISSING);
        if hopeless {
            return Err(advise(Failure::jet(error, text)));
        }
    }
    let environment = RecoveryEnvironment {
        storage: Arc::new(context.storage),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
    };
    let request = match &arguments.to {
        Some(target) => copy_for_recovery(&request, &planned, storage, target, &progress)
            .map_err(|e| failure(&e, &request))?,
        None => request,
    };
    let report = recover(&request, &environment, &progress).map_err(|e| failure(&e, &request))?;
    progress.finish();
    show_report(&report, &planned, context.output)
}

/// The request that the command line stands for.
fn request(arguments: &Arguments, storage: &dyn Storage) -> Result<RecoveryRequest, Failure> {
    let inspected = storage.inspect(&arguments.path)?;
    let is_directory = inspected.kind == EntryKind::Directory;
    let directory = if is_directory {
        arguments.path.clone()
    } else {
        let parent = arguments.path.parent().filter(|p| !p.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).to_path_buf()
    };
    let logs = arguments.logs.clone().unwrap_or_else(|| directory.clone());
    let (base, extension) = stream(arguments, storage, &logs)?;
    let short = has_short_names(storage, &logs, &base)?;
    let names = LogNames { base, extension, short_generations: short };
    let mut request = RecoveryRequest::soft(&logs, names);
    if let Some(checkpoint) = &arguments.checkpoint {
        request.checkpoint.clone_from(checkpoint);
    }
    if !request.locations.directories.contains(&directory) {
        request.locations.directories.insert(0, directory);
    }
    if !is_directory {
        let signature = signature(storage, &arguments.path)?;
        request.locations.mapped.push(MappedDatabase {
            logged: arguments.path.file_name().and_then(|n| n.to_str()).map(str::to_owned),
            signature,
            path: arguments.path.clone(),
        });
    }
    for (logged, path) in &arguments.map {
        request
            .locations
            .mapped
            .insert(0, MappedDatabase { logged: Some(logged.clone()), signature: None, path: path.clone() });
    }
    request.stop_at = arguments.stop_at;
    // Only a copy's logs are cut.
    request.cut_log = arguments.to.is_some();
    request.without_undo = arguments.without_undo;
    request.accept_lost_logs = arguments.accept_lost_logs;
    request.delete_out_of_range_logs = arguments.delete_damaged_logs;
    request.ignore_missing_databases = arguments.ignore_missing_databases;
    request.accept_backup_copies = arguments.accept_backup_copies;
    request.missing_current_log = match arguments.accept_missing_current_log || arguments.accept_lost_logs {
        true => MissingCurrentLog::Accept,
        false => MissingCurrentLog::WhenCovered,
    };
    request.compare_scans = arguments.compare_scans;
    request.cache_bytes = arguments.cache.saturating_mul(1 << 20);
    Ok(request)
}

fn stream(
    arguments: &Arguments,
    storage: &dyn Storage,
    logs: &Path,
) -> Result<(BaseName, LogExtension), Failure> {
    let jet = |e: ese_log::LogError| Failure::jet(e.jet_error(), e);
    if let Some(base) = &arguments.base {
        let base = BaseName::new(base).map_err(|e| Failure::new(Exit::Usage, e))?;
        let extension = choose_extension(storage, logs, logs, &base, LogExtension::Legacy).map_err(jet)?;
        return Ok((base, extension));
    }
    let mut streams = find_streams(storage, logs).map_err(jet)?;
    match (streams.pop(), streams.pop()) {
        (Some(stream), None) => Ok(stream),
        (None, _) => Err(Failure::jet(JetError::MISSING_LOG_FILE, "no logs are here")
            .file(logs)
            .advice("name the directory of the logs with --logs")),
        (Some(_), Some(_)) => Err(Failure::new(Exit::Usage, "there is more than one log stream")
            .file(logs)
            .advice("choose one with --base")),
    }
}

/// Five-digit names are read and written when the directory has them.
fn has_short_names(storage: &dyn Storage, logs: &Path, base: &BaseName) -> Result<bool, Failure> {
    let entries = storage.list(logs)?;
    Ok(entries.iter().any(|entry| {
        let name = entry.path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        matches!(
            ese_log::LogFileName::parse(base, name).map(|n| n.kind),
            Some(ese_log::LogFileKind::Archived { digits: ese_log::GenerationDigits::Five, .. })
        )
    }))
}

fn signature(storage: &dyn Storage, path: &Path) -> Result<Option<Signature>, Failure> {
    let file = storage.open(path, OpenOptions::READ)?;
    let mut bytes = vec![0; 2 * 32768];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(DatabaseHeaderPair::probe(&bytes).ok().map(|pair| pair.header.signature()))
}

fn failure(error: &RecoveryError, request: &RecoveryRequest) -> Failure {
    if matches!(error, RecoveryError::Interrupted { .. }) {
        return Failure::interrupted();
    }
    let failure = Failure::jet(error.jet_error(), error).file(&request.log_directory);
    advise(failure)
}

/// What helps, for the failures that people meet.
fn advise(failure: Failure) -> Failure {
    match failure.exit {
        Exit::RequiredLogsMissing => failure.advice(
            "bring the missing logs into the log directory; without them the database cannot be recovered",
        ),
        Exit::WouldLoseData => failure.advice(
            "bring the missing logs, or repeat with --accept-lost-logs to give up the changes in them",
        ),
        Exit::RecoveryNeeded => failure.advice("restore the backup set with `ese restore`"),
        _ => failure,
    }
}

fn show_plan(plan: &RecoveryPlan, request: &RecoveryRequest, output: Output) -> Result<Exit, Failure> {
    output.result(|| plan_text(plan, request), || plan_json(plan))?;
    Ok(match &plan.failure {
        Some((error, _)) => Exit::for_jet_error(*error),
        None => Exit::Clean,
    })
}

fn plan_text(plan: &RecoveryPlan, request: &RecoveryRequest) -> String {
    let untouched = plan
        .untouched
        .iter()
        .map(|p| format!("untouched  {}: the replayed logs do not name it", p.display()));
    if plan.clean {
        return "nothing to do: the log stream was closed in order, and the checkpoint stands at its end"
            .to_owned();
    }
    let mut lines = Vec::new();
    let by = if plan.from_checkpoint {
        "by the checkpoint"
    } else {
        "the lowest log; there is no usable checkpoint"
    };
    lines.push(format!("start      {} ({by})", plan.start));
    lines.push(format!("end        {}", plan.end));
    lines.push(format!("logs       {}", ranges(plan.generations.iter().map(|g| g.generation))));
    if !plan.missing.is_empty() {
        lines.push(format!("missing    {}", ranges(plan.missing.iter().copied())));
    }
    for database in &plan.databases {
        let file = database.path.as_ref().map_or_else(|| "-".to_owned(), |p| p.display().to_string());
        lines.push(format!("database   {} -> {file}", database.logged));
        if let Some(state) = database.state {
            let name = state.name().map_or_else(|| state.0.to_string(), str::to_owned);
            lines.push(format!(
                "             state {name}, {} page changes in the logs",
                database.page_records
            ));
        }
        if database.required.1.0 != 0 {
            lines.push(format!(
                "             requires {}, committed up to {:#x}",
                span(database.required),
                database.committed.0
            ));
        }
        if let Some(problem) = &database.problem {
            lines.push(format!("             {problem}"));
        }
    }
    lines.extend(untouched);
    lines.push(format!(
        "redo       {} records, {} of them change pages, {} transactions commit",
        plan.records, plan.page_records, plan.commits
    ));
    if request.without_undo {
        lines.push("undo       left out".to_owned());
    } else if plan.open_transactions.is_empty() {
        lines.push("undo       nothing".to_owned());
    }
    for transaction in &plan.open_transactions {
        lines.push(format!(
            "undo       session {}: {} operations since {}",
            transaction.session, transaction.operations, transaction.start
        ));
    }
    if !plan.lost.is_empty() {
        lines.push(format!("lost       committed changes in {}", ranges(plan.lost.iter().copied())));
    }
    if let Some((error, text)) = &plan.failure {
        lines.push(format!("fails      {text} [{error}]"));
    }
    lines.push("nothing was changed; repeat with --to DIR or --in-place".to_owned());
    lines.join("\n")
}

/// A range of generations: `0xa-0x13`.
fn span((first, last): (LogGeneration, LogGeneration)) -> String {
    if first == last { format!("{:#x}", first.0) } else { format!("{:#x}-{:#x}", first.0, last.0) }
}

/// Generations as ranges: `0x1-0x4, 0x7`.
fn ranges(generations: impl Iterator<Item = LogGeneration>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for generation in generations {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == generation.0 => *last = generation.0,
            _ => ranges.push((generation.0, generation.0)),
        }
    }
    let texts: Vec<String> = ranges
        .iter()
        .map(|(a, b)| if a == b { format!("{a:#x}") } else { format!("{a:#x}-{b:#x}") })
        .collect();
    texts.join(", ")
}

fn plan_json(plan: &RecoveryPlan) -> Value {
    let numbers = |list: &[LogGeneration]| list.iter().map(|g| g.0).collect::<Vec<_>>();
    json!({
        "schema": "ese-recover-1",
        "kind": "plan",
        "clean": plan.clean,
        "start": plan.start.to_string(),
        "from_checkpoint": plan.from_checkpoint,
        "end": plan.end.to_string(),
        "generations": plan.generations.iter().map(|g| g.generation.0).collect::<Vec<_>>(),
        "missing": numbers(&plan.missing),
        "lost": numbers(&plan.lost),
        "records": plan.records,
        "page_records": plan.page_records,
        "commits": plan.commits,
        "last_commit": plan.last_commit.to_string(),
        "databases": plan.databases.iter().map(|d| json!({
            "logged": d.logged,
            "path": d.path,
            "state": d.state.and_then(|s| s.name()),
            "required": [d.required.0.0, d.required.1.0],
            "committed": d.committed.0,
            "problem": d.problem,
            "page_records": d.page_records,
        })).collect::<Vec<_>>(),
        "untouched": plan.untouched,
        "open_transactions": plan.open_transactions.iter().map(|t| json!({
            "session": t.session.0,
            "start": t.start.to_string(),
            "operations": t.operations,
        })).collect::<Vec<_>>(),
        "jet_error": plan.failure.as_ref().map(|(e, _)| e.0),
        "error": plan.failure.as_ref().map(|(_, text)| text),
    })
}

fn show_report(report: &RecoveryReport, plan: &RecoveryPlan, output: Output) -> Result<Exit, Failure> {
    output.result(|| report_text(report, plan), || report_json(report))?;
    Ok(Exit::Clean)
}

const fn result_name(result: RecoveryResult) -> &'static str {
    match result {
        RecoveryResult::AlreadyClean => "nothing to do: the log stream was closed in order",
        RecoveryResult::Recovered => "recovered",
        RecoveryResult::RecoveredWithLoss => "recovered; committed changes in missing logs are lost",
        RecoveryResult::RecoveredLogsRemoved => {
            "recovered; damaged logs that no database required were deleted"
        }
        RecoveryResult::RedoneOnly => "replayed without undo; databases are dirty",
        RecoveryResult::RedoneOnlyClean => "replayed without undo; databases are clean",
    }
}

fn report_text(report: &RecoveryReport, _plan: &RecoveryPlan) -> String {
    let mut lines = vec![result_name(report.result).to_owned()];
    if report.result == RecoveryResult::AlreadyClean {
        return lines.join("\n");
    }
    lines.push(format!("replayed    {} to {}, {} records", report.start, report.end, report.redo.records));
    lines.push(format!("changes     {} page changes made", report.redo.changes_applied));
    lines.push(format!(
        "undone      {} operations of {} transactions",
        report.undo.operations, report.undo.transactions
    ));
    if let Some(position) = report.last_commit {
        lines.push(format!(
            "last commit {position}, in the generation created {}",
            report.last_generation_created
        ));
    }
    for database in &report.databases {
        let state = database.state.name().map_or_else(|| database.state.0.to_string(), str::to_owned);
        lines.push(format!("database    {} ({state}), was {}", database.path.display(), database.logged));
    }
    if report.divergences.count > 0 {
        lines.push(format!(
            "diverges    {} of {} pages that scans of other copies had read are not the same here",
            report.divergences.count, report.divergences.compared
        ));
    }
    for page in &report.divergences.pages {
        lines.push(format!(
            "             database {}, page {}: {:?}, update counter {} there, {} here, scanned at {} [{}]",
            page.slot,
            page.page,
            page.kind,
            page.expected,
            page.found,
            page.position,
            page.jet_error()
        ));
    }
    for database in &report.databases {
        lines.push(format!("next        ese verify {}", database.path.display()));
    }
    lines.join("\n")
}

fn report_json(report: &RecoveryReport) -> Value {
    let time = |time: LogTime| if time.is_none() { Value::Null } else { time.to_string().into() };
    json!({
        "schema": "ese-recover-1",
        "kind": "result",
        "result": match report.result {
            RecoveryResult::AlreadyClean => "already_clean",
            RecoveryResult::Recovered => "recovered",
            RecoveryResult::RecoveredWithLoss => "recovered_with_loss",
            RecoveryResult::RecoveredLogsRemoved => "recovered_logs_removed",
            RecoveryResult::RedoneOnly => "redone_only",
            RecoveryResult::RedoneOnlyClean => "redone_only_clean",
        },
        "jet_error": report.result.jet_error().0,
        "start": report.start.to_string(),
        "end": report.end.to_string(),
        "generations": report.generations,
        "log_bytes": report.log_bytes,
        "records": report.redo.records,
        "page_changes": report.redo.changes_applied,
        "commits": report.redo.commits,
        "last_commit": report.last_commit.map(|p| p.to_string()),
        "last_generation_created": time(report.last_generation_created),
        "undone_transactions": report.undo.transactions,
        "undone_operations": report.undo.operations,
        "scanned_pages_compared": report.divergences.compared,
        "scanned_pages_different": report.divergences.count,
        "divergences": report.divergences.pages.iter().map(|d| json!({
            "position": d.position.to_string(),
            "database": d.slot.0,
            "page": d.page.0,
            "jet_error": d.jet_error().0,
            "expected_dbtime": d.expected.0,
            "found_dbtime": d.found.0,
        })).collect::<Vec<_>>(),
        "databases": report.databases.iter().map(|d| json!({
            "logged": d.logged,
            "path": d.path,
            "state": d.state.name(),
            "db_time": d.db_time.0,
            "consistent": d.consistent_position.to_string(),
            "required": [d.required.0.0, d.required.1.0],
        })).collect::<Vec<_>>(),
    })
}

/// Shows how far recovery is, and passes Ctrl-C on.
struct Bar {
    output: Output,
    interrupt: Arc<AtomicBool>,
    bar: Mutex<Option<ProgressBar>>,
}

impl Bar {
    fn new(output: Output, interrupt: Arc<AtomicBool>) -> Self {
        Self { output, interrupt, bar: Mutex::new(None) }
    }

    fn finish(&self) {
        if let Some(bar) = self.bar.lock().ok().and_then(|mut bar| bar.take()) {
            bar.finish_and_clear();
        }
    }
}

impl RecoveryProgress for Bar {
    fn phase(&self, phase: RecoveryPhase) {
        if matches!(phase, RecoveryPhase::Undo | RecoveryPhase::Finish) {
            self.finish();
        }
    }

    fn generation(&self, generation: LogGeneration, done_bytes: u64, total_bytes: u64) {
        let Ok(mut bar) = self.bar.lock() else { return };
        let bar = bar.get_or_insert_with(|| self.output.progress(total_bytes, "replay"));
        bar.set_length(total_bytes);
        bar.set_position(done_bytes);
        bar.set_message(format!("generation {:#x}", generation.0));
    }

    fn stop_requested(&self) -> bool {
        self.interrupt.load(Ordering::SeqCst)
    }
}
