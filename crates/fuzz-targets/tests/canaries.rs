//! Planted defects: the runner must find a target that panics and one that allocates without bound, and keep the input.
//! (A hang is looked for in a process of its own, in `hang.rs`.)
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fuzz_targets::Target;
use fuzz_targets::runner::{Limits, Outcome, run};

/// The panic hook and the address space belong to the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn limits(folder: &Path) -> Limits {
    let time = Duration::from_secs(600);
    Limits { inputs: 20_000, artifacts: folder.to_path_buf(), ..Limits::long(time) }
}

fn no_hang(_: &Target, _: &Path) {
    panic!("no hang here");
}

fn zeros() -> Vec<Vec<u8>> {
    vec![vec![0; 64]]
}

#[test]
fn a_panic_is_found_and_its_input_kept() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    fn bad(data: &[u8]) {
        if data.len() > 40 && data[40] == 0x80 {
            panic!("planted");
        }
    }
    let target = Target { name: "bad", run: bad, samples: zeros };
    let Outcome::Panicked(file, message) = run(&target, &limits(folder.path()), no_hang) else {
        panic!("not found")
    };
    assert_eq!(std::fs::read(&file).unwrap()[40], 0x80);
    assert!(message.contains("planted") && message.contains("canaries.rs"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_allocation_by_an_unchecked_number_is_found() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    fn bad(data: &[u8]) {
        if let Some(bytes) = data.first_chunk::<4>() {
            std::hint::black_box(vec![0_u8; u32::from_le_bytes(*bytes) as usize]);
        }
    }
    let target = Target { name: "bad", run: bad, samples: zeros };
    assert!(matches!(run(&target, &limits(folder.path()), no_hang), Outcome::Allocated(_)));
}

#[test]
fn a_good_target_is_clean_and_a_run_repeats() {
    let _alone = alone();
    static SEEN: Mutex<Vec<u64>> = Mutex::new(Vec::new());
    let folder = tempfile::tempdir().unwrap();
    fn good(data: &[u8]) {
        let sum = data.iter().fold(0_u64, |s, b| s.wrapping_mul(31).wrapping_add(u64::from(*b)));
        SEEN.lock().unwrap().push(sum);
    }
    let target = Target { name: "good", run: good, samples: zeros };
    let limits = Limits { inputs: 500, ..limits(folder.path()) };
    assert_eq!(run(&target, &limits, no_hang), Outcome::Clean(502));
    let first = std::mem::take(&mut *SEEN.lock().unwrap());
    assert_eq!(run(&target, &limits, no_hang), Outcome::Clean(502));
    assert_eq!(first, *SEEN.lock().unwrap());
}
