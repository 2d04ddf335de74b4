//! Work of several threads in a process of its own, on real files, that is killed; and what must be there afterwards.
//!
//! The simulated disk of the other runs repeats every step and so has one thread only. Here the threads of the instance and
//! those of its sessions run as the system lets them. What the process has acknowledged on its output must have survived,
//! transactions must be there as wholes, and the database must be sound; then the next process goes on with the same files.

mod backups;
mod campaign;
mod check;
mod schema;
mod store;
mod work;

pub use campaign::{KillReport, kill_rounds};
pub use check::check;
pub use work::work;

use crate::dice::Dice;

/// Rows money is moved between; their sum never changes.
const ACCOUNTS: i32 = 24;
/// What each has at first.
const BALANCE: i64 = 1_000;
/// Rows of the journal that each thread leaves standing.
const KEPT: i32 = 40;
/// Added to the number of a transaction that is rolled back: no such row may ever be seen.
const ROLLED_BACK: i32 = 1_000_000_000;
/// Printed when the work begins.
const READY: &str = "ready";

/// What a row of the journal holds: any other bytes are somebody else's.
fn body(thread: i32, number: i32) -> Vec<u8> {
    let mut dice = Dice(u64::from(thread.cast_unsigned()) << 32 | u64::from(number.cast_unsigned()));
    let most = if dice.once_in(8) { 20_000 } else { 400 };
    let len = usize::try_from(dice.below(most)).unwrap_or_default() + 1;
    dice.bytes(len)
}
