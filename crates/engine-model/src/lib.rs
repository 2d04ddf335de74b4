//! Random work of several sessions against a model in memory, with loss of power and orderly restarts between.
//!
//! The model is as simple as it can be: every key has a list of changes, and who sees which of them is a comparison of
//! numbers. The engine runs on a simulated disk. After each step both must have given the same answer; after each restart the
//! database must hold what some prefix of the commits left, with every durable one in it. Backups are taken piece by piece while
//! the sessions work; restored, they must hold what was committed when the log was rolled for them.

mod backup;
mod chain;
mod dice;
mod edit;
mod engine;
pub mod killed;
mod model;
mod run;
mod tidy;

pub use model::{Model, Refusal, Row};
pub use run::{Difference, Options, Report, run};
