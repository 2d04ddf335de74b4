//! What is known of a parameter.

use std::fmt;

use bitflags::bitflags;

use super::table::PARAMETERS;

/// Number of a parameter. Unknown numbers are kept; using one is refused.
#[doc(alias = "JET_param")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterId(pub u32);

impl ParameterId {
    /// The table's row for this number, or `None` for a number the engine does not know.
    #[must_use]
    pub fn descriptor(self) -> Option<&'static ParameterDescriptor> {
        PARAMETERS.binary_search_by_key(&self, |d| d.id).ok().and_then(|i| PARAMETERS.get(i))
    }
}

impl fmt::Display for ParameterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.descriptor() {
            Some(d) => write!(f, "{} ({})", d.name, self.0),
            None => write!(f, "parameter {}", self.0),
        }
    }
}

/// What a parameter's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// Number.
    Integer,
    /// Zero or not.
    Boolean,
    /// Set of bits.
    #[doc(alias = "Grbit")]
    Flags,
    /// Number that must be a power of two.
    BlockSize,
    /// Address; a library in safe code has no use for it and accepts only 0.
    Pointer,
    /// Text.
    Text,
    /// Path of a file or of a folder.
    Path,
    /// Path of a folder.
    Folder,
    /// Computed by the engine or of a form of its own.
    Computed,
}

impl ParameterKind {
    /// Whether the value is text.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Path | Self::Folder)
    }
}

/// Whose value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One value for all instances.
    Process,
    /// One value an instance.
    Instance,
}

/// From when on the value cannot be changed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixedAfter {
    /// Once the process has chosen between one and several instances.
    ProcessInit,
    /// Once the instance is initialised.
    InstanceInit,
    /// Never.
    Never,
}

/// Value of a parameter nobody has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// A number.
    Number(u64),
    /// A text.
    Text(&'static str),
    /// The engine computes it; there is nothing to hand out before it runs.
    Computed,
}

bitflags! {
    /// Peculiarities of a parameter.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ParameterRemarks: u8 {
        /// While `EnableAdvanced` is 0 a change is silently ignored.
        const ADVANCED = 1;
        /// Accepted, without effect.
        const IGNORED = 2;
        /// Cannot be set.
        const READ_ONLY = 4;
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct ParameterDescriptor {
    /// Number.
    pub id: ParameterId,
    /// The engine's name.
    pub name: &'static str,
    /// What the value is.
    pub kind: ParameterKind,
    /// Whose value it is.
    pub scope: Scope,
    /// From when on it is fixed.
    pub fixed_after: FixedAfter,
    /// Smallest number, or fewest characters.
    pub minimum: u64,
    /// Largest number, or most characters; both inclusive.
    pub maximum: u64,
    /// Value when nobody has set it.
    pub default: DefaultValue,
    /// Peculiarities.
    pub remarks: ParameterRemarks,
}
