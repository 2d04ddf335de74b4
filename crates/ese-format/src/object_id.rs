//! Object ids: which tree a page belongs to.

use std::fmt;

/// Id of a tree (table, index, long values). Written into each of its pages.
#[doc(alias = "OBJID")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
