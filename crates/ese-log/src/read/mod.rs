//! Reading logs: one file, one generation, a stream of generations.

mod generation;
mod open;

pub use generation::{GenerationReader, RawRecord};
pub use open::{OpenLog, ScanOptions};
