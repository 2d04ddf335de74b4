//! Transaction logs of the Extensible Storage Engine.

mod naming;
pub mod record;

pub use naming::{
    BaseName, GenerationDigits, InvalidBaseName, LogExtension, LogFileKind, LogFileName, LogNames,
};
