//! Processes that are killed while they work, on real files; and proof that what is missing afterwards is noticed.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;

use engine_model::killed::{check, kill_rounds};

const SEEDS: [u64; 4] = [40, 41, 42, 47];

#[test]
fn what_was_acknowledged_survives() {
    let program = Path::new(env!("CARGO_BIN_EXE_engine-model"));
    for seed in SEEDS {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let report = kill_rounds(program, directory.path(), seed, 6, 300).unwrap();
        println!("{report:?}");
        assert_eq!(report.kills, 6);
        assert!(report.acknowledged > 10 && report.transactions >= report.acknowledged, "{report:?}");
    }
}

#[test]
fn a_lost_transaction_is_noticed() {
    let program = Path::new(env!("CARGO_BIN_EXE_engine-model"));
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    kill_rounds(program, directory.path(), 43, 1, 100).unwrap();
    check(directory.path(), 43, &BTreeMap::new()).unwrap();
    let promised = BTreeMap::from([(0, 1_000_000)]);
    let error = check(directory.path(), 43, &promised).unwrap_err().to_string();
    assert!(error.contains("1000000 was acknowledged"), "{error}");
}
