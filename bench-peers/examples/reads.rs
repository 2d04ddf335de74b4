//! Point reads and scans of the engine, beside redb's on the same rows: `reads [rows [rounds [ese|redb]]]`, for a profiler.

use std::time::{Duration, Instant};

use bench_peers::ese_store::EseStore;
use bench_peers::redb_store::RedbStore;
use bench_peers::{Result, Store};

const CACHE: usize = 512 << 20;
const READS: u64 = 300_000;

/// Time on a processor, and time waited for one, where the system tells.
fn processor_time() -> Option<(Duration, Duration)> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok().map(Duration::from_nanos));
    Some((numbers.next()??, numbers.next()??))
}

/// Keeps the shortest time on a processor, and returns how long the work was held up by something else than other processes:
/// locks and disks.
fn timed(best: &mut Duration, work: impl FnOnce() -> Result<u64>) -> Result<Duration> {
    let (start, before) = (Instant::now(), processor_time());
    work()?;
    let elapsed = start.elapsed();
    let (busy, queued) = match (before, processor_time()) {
        (Some(before), Some(after)) if after.0 > before.0 => (after.0 - before.0, after.1 - before.1),
        _ => (elapsed, Duration::ZERO),
    };
    *best = busy.min(*best);
    Ok(elapsed.saturating_sub(busy + queued))
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let only = arguments.next();
    let directories = [tempfile::tempdir()?, tempfile::tempdir()?];
    let [first, second] = &directories;
    let mut stores: Vec<(&str, Box<dyn Store>)> = Vec::new();
    if only.as_deref() != Some("redb") {
        stores.push(("ese", Box::new(EseStore::create(first.path(), CACHE)?)));
    }
    if only.as_deref() != Some("ese") {
        stores.push(("redb", Box::new(RedbStore::create(second.path(), CACHE)?)));
    }
    let keys: Vec<u64> = (0..READS).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) % rows).collect();
    let mut best = vec![(Duration::MAX, Duration::MAX); stores.len()];
    // The engine last: what it goes on to write is still to be written when reading begins.
    for (_, store) in stores.iter().rev() {
        store.insert_bulk(0..rows)?;
    }
    for round in 0..rounds {
        for ((name, store), (reads, scan)) in stores.iter().zip(&mut best) {
            let held_up = (timed(reads, || store.read(&keys))?, timed(scan, || store.scan())?);
            if round == 0 {
                println!(
                    "{name:<6} just after the insert held up for {:?}, a scan then for {:?}",
                    held_up.0, held_up.1
                );
            }
        }
    }
    for ((name, _), (reads, scan)) in stores.iter().zip(&best) {
        let nanoseconds = |time: &Duration, count: u64| time.as_secs_f64() * 1e9 / count as f64;
        println!(
            "{name:<6} read {:>7.1} ns, row of a scan {:>6.1} ns",
            nanoseconds(reads, READS),
            nanoseconds(scan, rows)
        );
    }
    Ok(())
}
