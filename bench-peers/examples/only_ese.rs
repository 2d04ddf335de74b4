#![allow(missing_docs)]
use bench_peers::Store;
use bench_peers::ese_store::EseStore;
use std::time::Instant;
fn main() {
    let d = tempfile::tempdir().unwrap();
    let s = EseStore::create(d.path(), 512 << 20).unwrap();
    let n = 200_000u64;
    let t = Instant::now();
    s.insert_bulk(0..n).unwrap();
    println!("bulk {:.0}/s", n as f64 / t.elapsed().as_secs_f64());
    let keys: Vec<u64> = (0..200_000u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) % n).collect();
    let t = Instant::now();
    s.read(&keys).unwrap();
    println!("reads {:.0}/s", keys.len() as f64 / t.elapsed().as_secs_f64());
    let t = Instant::now();
    s.scan().unwrap();
    println!("scan {:.0}/s", n as f64 / t.elapsed().as_secs_f64());
}
