//! Durable commits from one and eight threads, bulk insert, point reads and a scan: the engine beside redb and SQLite.
//!
//! Targets: durable commits at least as fast as both, the others at least as fast as redb. The stores take turns, another
//! one begins each round; every part of a round works on new databases or on the rows that the part before it left. Reads and
//! scan are done twice: right after the bulk, while a store may still be writing its pages, and after it was opened again.
#![allow(missing_docs)]

use std::path::Path;
use std::time::{Duration, Instant};

use bench_peers::ese_store::EseStore;
use bench_peers::redb_store::RedbStore;
use bench_peers::sqlite_store::SqliteStore;
use bench_peers::{Failure, ROW_LEN, Result, Store};

const CACHE: usize = 512 << 20;
const BULK_ROWS: u64 = 1_000_000;
const READS: usize = 300_000;
const COMMITS: u64 = 2_000;
const THREADS: u64 = 8;
const ROUNDS: usize = 5;
/// Durable rows have keys beyond the bulk's.
const FIRST_DURABLE: u64 = 1 << 40;

type Open = fn(&Path) -> Result<Box<dyn Store>>;

const STORES: [(&str, Open); 3] = [
    ("ese", |directory| Ok(Box::new(EseStore::create(directory, CACHE)?))),
    ("redb", |directory| Ok(Box::new(RedbStore::create(directory, CACHE)?))),
    ("SQLite, WAL", |directory| Ok(Box::new(SqliteStore::create(directory, CACHE)?))),
];

const PARTS: [(&str, u64); 7] = [
    ("durable commits, 1 thread", COMMITS),
    ("durable commits, 8 threads", COMMITS),
    ("bulk insert", BULK_ROWS),
    ("point reads", READS as u64),
    ("scan", BULK_ROWS),
    ("point reads, opened again", READS as u64),
    ("scan, opened again", BULK_ROWS),
];

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn check(found: u64, rows: u64) -> Result<()> {
    if found == rows * ROW_LEN as u64 { Ok(()) } else { Err(format!("{found} bytes of {rows} rows").into()) }
}

/// Keys spread over the bulk's, the same for every store.
fn scattered(count: usize) -> Vec<u64> {
    (0..count as u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) % BULK_ROWS).collect()
}

fn round(open: Open, directory: &Path) -> Result<Vec<Duration>> {
    let owned = open(directory)?;
    let store = owned.as_ref();
    let one: Vec<u64> = (FIRST_DURABLE..FIRST_DURABLE + COMMITS).collect();
    let single = timed(|| store.insert_durably(&one))?;
    let many = timed(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    scope.spawn(move || {
                        let first = FIRST_DURABLE + (1 + thread) * COMMITS;
                        let keys: Vec<u64> = (first..first + COMMITS / THREADS).collect();
                        store.insert_durably(&keys)
                    })
                })
                .collect();
            threads.into_iter().try_for_each(|t| t.join().map_err(|_| Failure::from("a thread died"))?)
        })
    })?;
    let bulk = timed(|| store.insert_bulk(0..BULK_ROWS))?;
    let keys = scattered(READS);
    let read = |store: &dyn Store| timed(|| check(store.read(&keys)?, READS as u64));
    let look = |store: &dyn Store| timed(|| check(store.scan()?, BULK_ROWS + 2 * COMMITS));
    let (reads, scan) = (read(store)?, look(store)?);
    // Once more when nothing is left to be written, and all of it has been read once.
    let owned = owned.reopen()?;
    let store = owned.as_ref();
    look(store)?;
    read(store)?;
    Ok(vec![single, many, bulk, reads, scan, read(store)?, look(store)?])
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn main() -> Result<()> {
    let mut times = vec![vec![Vec::new(); PARTS.len()]; STORES.len()];
    for turn in 0..ROUNDS {
        for place in 0..STORES.len() {
            let index = (turn + place) % STORES.len();
            let (Some((_, open)), Some(times)) = (STORES.get(index), times.get_mut(index)) else { continue };
            let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
            for (all, time) in times.iter_mut().zip(round(*open, directory.path())?) {
                all.push(time);
            }
        }
    }
    println!(
        "{:<30}{}",
        "per second, median of rounds",
        STORES.map(|(name, _)| format!("{name:>16}")).concat()
    );
    for (part, (name, count)) in PARTS.iter().enumerate() {
        let rates = times.iter_mut().map(|parts| {
            let times = parts.get_mut(part).map(std::mem::take).unwrap_or_default();
            let mut times: Vec<Duration> = times;
            times.sort_unstable();
            let median = times.get(times.len() / 2).copied().unwrap_or_default();
            format!("{:>16.0}", *count as f64 / median.as_secs_f64())
        });
        println!("{name:<30}{}", rates.collect::<String>());
    }
    Ok(())
}
