//! Format versions: which engine writes what, which feature needs what, what is accepted.

mod accept;
mod features;
mod setting;
mod table;

pub use setting::{EngineFormatSetting, UnknownEngineFormat};
pub use table::{
    DatabaseVersion, EngineFormatVersion, FORMAT_VERSIONS, FlushMapVersion, FormatVersions, LogVersion,
};
