//! Online streaming backup, restore and verification.

mod progress;

pub use progress::{NoProgress, Progress};
