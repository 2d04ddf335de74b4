//! System parameters: numbers, names, defaults, ranges, and when they can be set.

mod descriptor;
mod set;
mod table;

pub use descriptor::{
    DefaultValue, FixedAfter, ParameterDescriptor, ParameterId, ParameterKind, ParameterRemarks, Scope,
};
pub use set::{ParameterError, ParameterSet, ParameterStage, ParameterValue};
pub(crate) use set::{check_range, normalized};
pub use table::PARAMETERS;
