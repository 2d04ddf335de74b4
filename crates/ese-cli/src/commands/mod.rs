//! The subcommands, one file each: `Arguments` (clap) and `run(arguments, context)`.

pub(crate) mod info;
pub(crate) mod verify;
