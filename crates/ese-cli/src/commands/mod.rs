//! The subcommands, one file each: `Arguments` (clap) and `run(arguments, context)`.

pub(crate) mod backup;
pub(crate) mod compact;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod info;
pub(crate) mod log;
pub(crate) mod recover;
pub(crate) mod restore;
pub(crate) mod stats;
pub(crate) mod tables;
pub(crate) mod verify;
