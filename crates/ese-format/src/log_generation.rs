//! Sequence numbers of log files.

use std::fmt;

/// Sequence number of a log file within its stream; the first is 1, 0 means "none".
#[doc(alias = "lGeneration")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogGeneration(pub u32);

impl LogGeneration {
    /// Highest generation of normal running.
    pub const MAX_NORMAL: Self = Self(0x7FFF_F800);
    /// Highest generation that recovery may still use.
    pub const MAX: Self = Self(0x7FFF_FA00);
    /// Highest generation whose file name has five digits under the 8.3 naming rule.
    pub const MAX_SHORT_NAME: Self = Self(0xF_FFFF);

    /// The following generation.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Hexadecimal with `0x`, as file names show it.
impl fmt::Display for LogGeneration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}
