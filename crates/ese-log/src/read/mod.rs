//! Reading logs: one file, one generation, a stream of generations.

mod continuity;
mod generation;
mod open;
mod repair;
mod stream;

pub use continuity::check_follows;
pub use generation::{GenerationReader, RawRecord};
pub use open::{OpenLog, ScanOptions};
pub use repair::SectorWrite;
pub(crate) use repair::apply_repairs;
pub use stream::{StreamEnd, StreamItem, StreamOptions, StreamReader};
