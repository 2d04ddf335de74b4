//! Bulk insert alone, the engine and redb in turns, with the processor time that each took. The arguments are the numbers of
//! rows, of rounds, and of older rows with keys beyond them, and the name of a store when only that one is to work.

use std::time::Instant;

use bench_peers::ese_store::EseStore;
use bench_peers::redb_store::RedbStore;
use bench_peers::{Result, Store};

const CACHE: usize = 512 << 20;

/// Seconds of processor time of this process, where the system tells.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn main() -> Result<()> {
    let number = |place| std::env::args().nth(place).map(|text| text.parse::<u64>()).transpose();
    let (rows, rounds) = (number(1)?.unwrap_or(1_000_000), number(2)?.unwrap_or(3));
    let older = number(3)?.unwrap_or(0);
    let only = std::env::args().nth(4);
    for _ in 0..rounds {
        for name in
            ["ese", "redb"].into_iter().filter(|name| only.as_deref().is_none_or(|only| only == *name))
        {
            let directory = tempfile::tempdir()?;
            let store: Box<dyn Store> = match name {
                "ese" => Box::new(EseStore::create(directory.path(), CACHE)?),
                _ => Box::new(RedbStore::create(directory.path(), CACHE)?),
            };
            let beyond: Vec<u64> = (1 << 40..(1 << 40) + older).collect();
            store.insert_durably(&beyond)?;
            let (start, processor) = (Instant::now(), processor_time());
            store.insert_bulk(0..rows)?;
            let (wall, processor) = (start.elapsed().as_secs_f64(), processor_time() - processor);
            println!(
                "{name:<5} {:>9.0} rows per second, {:.2} us of processor time a row",
                rows as f64 / wall,
                processor * 1e6 / rows as f64
            );
        }
    }
    Ok(())
}
