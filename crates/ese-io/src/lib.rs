//! The storage that every crate above does its I/O through, and nothing else.
//!
//! Two small traits, [`Storage`] (names) and [`File`] (bytes), with [`Clock`] and [`Randomness`] beside them. The same
//! code above runs on the operating system's files, in memory, on a read-only overlay and on a simulated disk that
//! loses, tears and reorders what was not synced.

mod clock;
mod error;
mod file;
mod memory;
mod os;
mod storage;

pub use clock::{Clock, FixedClock, Randomness, SeededRandomness, SystemClock, SystemRandomness};
pub use error::{IoError, IoErrorKind, Operation, Result};
pub use file::{File, Lock};
pub use memory::MemoryStorage;
pub use os::OsStorage;
pub use storage::{Entry, EntryKind, OpenMode, OpenOptions, Storage};
