#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]
mod live_support;
use live_support::*;
#[test]
fn long() {
    let seconds: u64 = std::env::var("LONG").ok().and_then(|s| s.parse().ok()).unwrap_or(5);
    let start = std::time::Instant::now();
    let mut seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1u64);
    let mut n = 0u64;
    while start.elapsed().as_secs() < seconds {
        let mut r = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let page = [4096, 8192, 16384, 32768][r.below(4) as usize];
        let cache = if r.below(2) == 0 { 0 } else { 1 << 20 };
        let sessions = 1 + r.below(5) as u16;
        let keys = [20, 100, 400, 3000][r.below(4) as usize];
        let largest = [5, 60, 300, 1500][r.below(4) as usize];
        println!("seed {seed} page {page} cache {cache} sessions {sessions} keys {keys} largest {largest}");
        let mut pair = Pair::new(World::new(page, cache, 0), sessions);
        pair.key_count = keys; pair.largest = largest;
        let mut checkpoint = pair.checkpoint();
        for step in 0..3000 {
            pair.step(&mut r);
            n += 1;
            if r.below(60) == 0 { pair.world.log.sync(); }
            if r.below(200) == 0 {
                pair.world.trees.write_back(ese_format::LogPosition::MAX, r.below(30) as usize).unwrap();
                checkpoint = pair.checkpoint();
            }
            if step % 300 == 299 { pair.crash_after(&checkpoint, &mut r); pair.crash(); pair.check_all(0); }
        }
        pair.compare_with_log();
        pair.roll_back_all();
        pair.check_all(0);
        pair.world.trees.clean_versions(usize::MAX).unwrap();
        pair.check_all(0);
        pair.compare_with_log();
        seed += 1;
    }
    println!("{n} steps, {seed} seeds");
}
