//! The update counter of a database.

use std::fmt;

/// Update counter of a database: each change of a page stamps it with a new, higher value.
#[doc(alias = "DBTIME")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbTime(pub u64);

impl DbTime {
    /// "None" in log records.
    #[doc(alias = "dbtimeNil")]
    pub const NIL: Self = Self(0xFFFF_FFFF_FFFF_FFFF);
    /// Never a page's value.
    #[doc(alias = "dbtimeInvalid")]
    pub const INVALID: Self = Self(0xFFFF_FFFF_FFFF_FFFE);
    /// Page that was shrunk away.
    #[doc(alias = "dbtimeShrunk")]
    pub const SHRUNK: Self = Self(0xFFFF_FFFF_FFFF_FFFD);
    /// Page that was new when a snapshot was reverted.
    #[doc(alias = "dbtimeRevert")]
    pub const REVERTED: Self = Self(0xFFFF_FFFF_FFFF_FFFC);
    /// First value of a new database.
    #[doc(alias = "dbtimeStart")]
    pub const START: Self = Self(0x40);
}

impl fmt::Display for DbTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
