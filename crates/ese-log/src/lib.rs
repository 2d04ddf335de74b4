//! Transaction logs of the Extensible Storage Engine.

mod naming;

pub use naming::{
    BaseName, GenerationDigits, InvalidBaseName, LogExtension, LogFileKind, LogFileName, LogNames,
};
