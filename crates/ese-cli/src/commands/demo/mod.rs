//! `ese demo`: a small book store with live writers, backed up while they work, restored and proven.

mod shop;
mod words;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ese_backup::{BackupFlags, ReadOptions, RestoreOptions, backup_instance, restore};
use ese_btree::live::LiveCounters;
use ese_format::{EngineFormatVersion, FORMAT_VERSIONS};
use ese_instance::{Environment, TermMode};
use ese_io::{Storage, create_directories};
use serde_json::{Value, json};

use self::shop::{Files, Shop, Sum};
use crate::commands::backup::failure as backup_failure;
use crate::commands::restore::failure as restore_failure;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::BarProgress;
use crate::proof::Proof;

/// Make a small book store with live writers, in the real format, to look at and to play with
///
/// DIR/live gets a database with books, customers and orders, and its logs. Several writers place orders, each a durable
/// transaction; while they work an online backup goes to DIR/backup. It is restored to DIR/restored, verified deeply, and
/// its books are balanced.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Directory for everything; new or empty
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Books in the store
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    books: u32,
    /// Orders to place
    #[arg(long, default_value_t = 2000)]
    orders: u64,
    /// Writers at a time
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    writers: u32,
    /// Page size of the database
    #[arg(long, default_value_t = 8192, value_parser = parse_page_size)]
    page_size: u32,
    /// Engine format version of the files: older ones, down to 8020, can be read by older programs
    #[arg(long, value_name = "N", value_parser = parse_format_version)]
    format_version: Option<u32>,
    /// End without closing the database, as a crash would: for `ese recover`
    #[arg(long)]
    crash: bool,
}

impl Arguments {
    fn files(&self) -> Files {
        Files { page_size: self.page_size, format_version: self.format_version }
    }
}

fn parse_page_size(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(size @ (4096 | 8192 | 16384 | 32768)) => Ok(size),
        _ => Err("4096, 8192, 16384 or 32768".to_owned()),
    }
}

fn parse_format_version(text: &str) -> Result<u32, String> {
    let known = || FORMAT_VERSIONS.iter().map(|v| v.engine).filter(|e| *e >= EngineFormatVersion::WINDOWS_10);
    match text.parse() {
        Ok(number) if known().any(|version| version.0 == number) => Ok(number),
        _ => Err(known().map(|version| version.0.to_string()).collect::<Vec<_>>().join(", ")),
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let directory = &arguments.directory;
    if context.storage.exists(directory)? && !context.storage.list(directory)?.is_empty() {
        return Err(Failure::new(Exit::Failed, "the directory is not empty")
            .file(directory)
            .advice("name a new directory, or delete this one: the demo only writes into one of its own"));
    }
    let [live, backup, restored] = ["live", "backup", "restored"].map(|name| directory.join(name));
    create_directories(&context.storage, &live)?;

    let shop = Shop::create(&live, arguments.files(), arguments.books)?;
    say(
        context,
        || format!("created   {}: {}", shop.path().display(), shop.describe()),
        || json!({"step": "created", "path": text(shop.path()), "books": arguments.books}),
    )?;

    let before = shop.counters();
    let (worked, set) = work(&shop, arguments, &backup, context)?;
    let (seconds, conflicts) = (worked.time.as_secs_f64(), worked.conflicts);
    let spent = Spent::between(&before, &shop.counters(), arguments.orders);
    let lag = shop.checkpoint_lag();
    say(
        context,
        || {
            format!(
                "worked    {} orders by {} writers, each durable: {seconds:.1} s, {:.0} a second; {conflicts} conflicts, tried again",
                arguments.orders,
                arguments.writers,
                per_second(arguments.orders, worked.time),
            )
        },
        || json!({"step": "worked", "orders": arguments.orders, "seconds": seconds, "conflicts": conflicts}),
    )?;
    say(context, || spent.text(lag), || spent.object(lag))?;
    say(
        context,
        || format!("backup    {} bytes while they worked, logs {} to {}", set.bytes, set.low, set.high),
        || json!({"step": "backup", "path": text(&backup), "bytes": set.bytes, "generations": {"low": set.low, "high": set.high}}),
    )?;

    let sum = shop.balance()?;
    report_balance(context, "balance", &sum)?;
    if arguments.crash {
        shop.crash();
    } else {
        shop.close(TermMode::Complete)?;
    }

    let progress = BarProgress::new(context, "restore");
    let options =
        RestoreOptions { destination: restored.clone(), create_path: true, ..RestoreOptions::default() };
    let summary =
        restore(&Environment::system(), &backup, &options, &progress).map_err(|e| restore_failure(&e))?;
    drop(progress);
    let mut exit = Exit::Clean;
    for path in &summary.databases {
        let proof = Proof::of(path, context)?;
        if !proof.holds() {
            exit = Exit::Findings;
        }
        say(
            context,
            || format!("restored  {}: {}", path.display(), proof.text()),
            || json!({"step": "restored", "path": text(path), "proof": proof.object()}),
        )?;
        let sum = Shop::open(&restored, path, arguments.files())?.balance_and_close()?;
        report_balance(context, "then", &sum)?;
        if !sum.holds() {
            exit = Exit::Findings;
        }
    }
    if !sum.holds() {
        exit = Exit::Findings;
    }
    context.output.note(advice(arguments, &live));
    Ok(exit)
}

fn say(
    context: &Context,
    line: impl FnOnce() -> String,
    object: impl FnOnce() -> Value,
) -> Result<(), Failure> {
    context.output.result(line, || {
        let mut value = object();
        if let Value::Object(map) = &mut value {
            map.insert("schema".to_owned(), "ese-demo-1".into());
        }
        value
    })
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64().max(1e-9)
}

fn report_balance(context: &Context, step: &str, sum: &Sum) -> Result<(), Failure> {
    say(
        context,
        || {
            let verdict = if sum.holds() { "the books balance" } else { "THE BOOKS DO NOT BALANCE" };
            format!(
                "{step:<9} {} orders of {} copies, {} copies sold: {verdict}",
                sum.orders, sum.ordered, sum.sold
            )
        },
        || json!({"step": step, "orders": sum.orders, "ordered": sum.ordered, "sold": sum.sold, "holds": sum.holds()}),
    )
}

struct Worked {
    time: Duration,
    conflicts: u64,
}

struct Set {
    bytes: u64,
    low: u32,
    high: u32,
}

/// Lets the writers place the orders, and backs up when a third of them is done.
fn work(
    shop: &Shop,
    arguments: &Arguments,
    backup: &Path,
    context: &Context,
) -> Result<(Worked, Set), Failure> {
    let (next, conflicts) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = Instant::now();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..arguments.writers)
            .map(|number| {
                let (next, conflicts) = (&next, &conflicts);
                scope.spawn(move || -> Result<(), Failure> {
                    let mut writer = shop.writer(u64::from(number))?;
                    while next.fetch_add(1, Ordering::Relaxed) < arguments.orders {
                        context.check_interrupt()?;
                        conflicts.fetch_add(writer.order()?, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        while next.load(Ordering::Relaxed) < arguments.orders / 3 && !writers.iter().all(|w| w.is_finished())
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        let progress = BarProgress::new(context, "backup");
        let set = backup_instance(
            shop.instance(),
            Some(backup),
            BackupFlags::empty(),
            ReadOptions::default(),
            &progress,
        )
        .map_err(|e| backup_failure(&e));
        drop(progress);
        for writer in writers {
            writer.join().map_err(|_| Failure::new(Exit::Failed, "a writer died"))??;
        }
        let time = start.elapsed();
        let set = set?;
        let (low, high) = set.logs.map_or((0, 0), |(low, high)| (low.0, high.0));
        let worked = Worked { time, conflicts: conflicts.load(Ordering::Relaxed) };
        Ok((worked, Set { bytes: set.bytes, low, high }))
    })
}

/// What the orders have cost.
struct Spent {
    log_bytes: f64,
    records: f64,
    pages_written: f64,
    hits: f64,
    splits: u64,
}

impl Spent {
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    fn between(before: &LiveCounters, after: &LiveCounters, orders: u64) -> Self {
        let each = |now: u64, then: u64| (now - then) as f64 / orders.max(1) as f64;
        let (hits, reads) = (after.cache_hits - before.cache_hits, after.pages_read - before.pages_read);
        Self {
            log_bytes: each(after.record_bytes, before.record_bytes),
            records: each(after.records, before.records),
            pages_written: each(after.pages_written, before.pages_written),
            hits: 100.0 * hits as f64 / (hits + reads).max(1) as f64,
            splits: after.splits - before.splits,
        }
    }

    fn text(&self, lag: u64) -> String {
        format!(
            "an order  {:.0} bytes in {:.1} log records, {:.2} pages written; {:.2} % of pages found in memory, {} splits; checkpoint {lag} bytes behind",
            self.log_bytes, self.records, self.pages_written, self.hits, self.splits
        )
    }

    fn object(&self, lag: u64) -> Value {
        json!({
            "step": "cost",
            "log_bytes_each": self.log_bytes,
            "records_each": self.records,
            "pages_written_each": self.pages_written,
            "cache_hit_percent": self.hits,
            "splits": self.splits,
            "checkpoint_lag_bytes": lag,
        })
    }
}

fn advice(arguments: &Arguments, live: &Path) -> String {
    let database = live.join("store.edb");
    let (live, database) = (live.display(), database.display());
    let first = if arguments.crash {
        format!(
            "the database was left as a crash leaves it:\n  ese recover {live} --plan\n  ese recover {live} --in-place\n"
        )
    } else {
        String::new()
    };
    format!(
        "{first}look at it:\n  ese tables {database} --columns\n  ese export {database} --table Orders --format csv\n  \
         ese log {live} --timeline\n  ese stats {live}\n  ese verify {database} --deep"
    )
}
