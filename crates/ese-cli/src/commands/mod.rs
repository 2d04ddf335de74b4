//! The subcommands, one file each: `Arguments` (clap) and `run(arguments, context)`.

pub(crate) mod export;
pub(crate) mod info;
pub(crate) mod log;
pub(crate) mod tables;
pub(crate) mod verify;
