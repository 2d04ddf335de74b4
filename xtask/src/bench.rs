//! `cargo xtask bench`: the benches, one after the other.

use std::time::Duration;

use crate::step::{cargo, run};

/// The bench beside other stores, which is a program of its own and takes no filter.
const PEERS: &str = "stores";

/// Runs all benches, or those whose name contains the filter; `stores` is the one beside redb and SQLite.
pub(crate) fn run_task(filter: &[String]) -> bool {
    let limit = Duration::from_secs(4 * 3600);
    let only_peers = matches!(filter, [name] if name == PEERS);
    let mut succeeded = true;
    if !only_peers {
        let mut command = cargo(&["bench", "--locked", "--package", "benches"]);
        if !filter.is_empty() {
            command.arg("--").args(filter);
        }
        succeeded = run(&mut command, limit, |_| {});
    }
    if filter.is_empty() || only_peers {
        let mut command = cargo(&["bench", "--locked", "--package", "bench-peers"]);
        succeeded &= run(&mut command, limit, |_| {});
    }
    succeeded
}
