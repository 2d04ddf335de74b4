//! Bulk insert, point reads and a scan of the engine alone, to be looked at with a profiler.

use std::time::Instant;

use bench_peers::ese_store::EseStore;
use bench_peers::{Result, Store};

const ROWS: u64 = 200_000;

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn timed(what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    work()?;
    println!("{what:<12} {:>10.0} per second", ROWS as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let store = EseStore::create(directory.path(), 512 << 20)?;
    timed("bulk insert", || store.insert_bulk(0..ROWS))?;
    let keys: Vec<u64> = (0..ROWS).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) % ROWS).collect();
    timed("point reads", || store.read(&keys).map(|_| ()))?;
    timed("scan", || store.scan().map(|_| ()))
}
