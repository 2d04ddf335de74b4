//! Bulk insert, point reads and a scan of the engine alone, to be looked at with a profiler. The first argument is the number
//! of rows; with a second one `insert` only the insert is done.

use std::time::Instant;

use bench_peers::ese_store::EseStore;
use bench_peers::{Result, Store};

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn timed(what: &str, rows: u64, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    work()?;
    println!("{what:<12} {:>10.0} per second", rows as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> Result<()> {
    let rows: u64 = std::env::args().nth(1).map_or(Ok(200_000), |rows| rows.parse())?;
    let directory = tempfile::tempdir()?;
    let store = EseStore::create(directory.path(), 512 << 20)?;
    timed("bulk insert", rows, || store.insert_bulk(0..rows))?;
    if std::env::args().any(|argument| argument == "insert") {
        return Ok(());
    }
    let keys: Vec<u64> = (0..rows).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) % rows).collect();
    timed("point reads", rows, || store.read(&keys).map(|_| ()))?;
    timed("scan", rows, || store.scan().map(|_| ()))
}
