//! Live trees against a model with snapshot isolation: several sessions, nested levels, conflicts, rollback, clean-up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod live_support;

use live_support::{Pair, Random, World};

fn run(seed: u64, page_bytes: u32, cache_bytes: usize, steps: usize, sessions: u16) {
    let mut pair = Pair::new(World::new(page_bytes, cache_bytes, 0), sessions);
    let mut random = Random(seed);
    for step in 0..steps {
        pair.step(&mut random);
        if step % 500 == 0 {
            for s in 0..usize::from(sessions) {
                pair.check_all(s);
            }
        }
    }
    pair.compare_with_log();
    pair.roll_back_all();
    pair.check_all(0);
    pair.world.trees.clean_versions(usize::MAX).unwrap();
    pair.check_all(0);
    assert_eq!(pair.world.trees.counters().versions, 0);
    pair.compare_with_log();
}

#[test]
fn one_session() {
    run(0x1234_5678_9ABC, 4096, 1 << 20, 8000, 1);
}

#[test]
fn several_sessions() {
    for seed in 1..5_u64 {
        run(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), 4096, 1 << 20, 8000, 4);
        run(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), 32768, 0, 4000, 3);
    }
}

#[test]
fn a_cache_that_is_too_small() {
    run(0x00C0_FFEE, 4096, 0, 10_000, 3);
}

#[test]
fn crashes() {
    for seed in 1..4_u64 {
        let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut pair = Pair::new(World::new(4096, if seed % 2 == 0 { 0 } else { 1 << 20 }, 0), 3);
        let mut random = Random(seed);
        for step in 0..4000 {
            pair.step(&mut random);
            if random.below(40) == 0 {
                pair.world.log.sync();
            }
            if step % 100 == 0 {
                pair.crash();
            }
        }
    }
}
