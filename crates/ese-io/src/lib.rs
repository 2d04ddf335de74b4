//! The storage that every crate above does its I/O through, and nothing else.
//!
//! Two small traits, [`Storage`] (names) and [`File`] (bytes), with [`Clock`] and [`Randomness`] beside them. The same
//! code above runs on
//!
//! | storage | for |
//! |---|---|
//! | [`OsStorage`] | the operating system's files, past the page cache where asked |
//! | [`MemoryStorage`] | files in memory |
//! | [`OverlayStorage`] | somebody's files that must not change: what is changed goes elsewhere, block by block |
//! | [`SimulatedDisk`] | a disk that loses its power and keeps none, some or torn parts of what was not synced |
//! | [`CountingStorage`], [`FailingStorage`], [`WatchedStorage`] | around any other: counts of calls and bytes; calls that fail as planned; calls that a closure looks at first |
//!
//! [`replace_durably`] and its neighbours are the only places that know in which order to sync what.

mod aligned;
mod clock;
mod counting;
mod direct;
mod durable;
mod error;
mod failing;
mod fault;
mod file;
mod full;
mod locks;
mod memory;
mod name;
mod os;
mod overlay;
pub mod simulated;
mod sparse;
mod storage;
mod tree;
mod watched;

pub use aligned::{AlignedBuffer, DIRECT_ALIGNMENT};
pub use clock::{Clock, FixedClock, Randomness, SeededRandomness, SystemClock, SystemRandomness};
pub use counting::{Count, CountingStorage, Counts};
pub use durable::{
    REPLACEMENT_SUFFIX, create_directories, remove_durably, remove_tree, rename_durably, replace_durably,
    replace_durably_with,
};
pub use error::{IoError, IoErrorKind, Operation, Result};
pub use failing::FailingStorage;
pub use fault::{Effect, Fault};
pub use file::{File, Lock};
pub use full::full_while;
pub use memory::MemoryStorage;
pub use name::{find_name, same_name};
pub use os::OsStorage;
pub use overlay::OverlayStorage;
pub use simulated::{CrashPoint, SimulatedDisk, Survival, crash_everywhere, fail_everywhere};
pub use storage::{Entry, EntryKind, OpenMode, OpenOptions, Storage, parent_directory};
pub use watched::{Proceed, StorageCall, WatchedStorage};
