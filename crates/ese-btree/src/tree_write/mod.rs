//! Changing trees: insert, replace, delete, splits, merges, and the space that pages come from and go back to.
//!
//! [`TreeWriter`] works on any [`PageStore`]. Each change of pages is first a value, [`PageChange`], which the store is
//! told before the pages change ([`PageStore::record`]). [`PageChange::record`] makes its log records, one or a macro;
//! [`PageChange::apply`] carries it out with the functions that replay uses on these records: what is logged is exactly
//! what is done.

mod apply;
mod cached;
mod change;
mod error;
mod extents;
mod free;
mod merge;
mod record;
mod size;
mod split;
mod store;
mod tidy;
mod tree;
mod writer;

pub use cached::CachedPages;
pub use change::{LeafChange, MergeLevel, MergePlan, PageChange, SplitLevel, SplitPlan};
pub use error::TreeWriteError;
pub use free::SpaceNote;
pub use record::{RecordContext, record_extension};
pub use size::TreeSpace;
pub use store::PageStore;
pub use tidy::{LeafMark, TidyWay};
pub use tree::{ExtentGrowth, TreeRoot};
pub use writer::{NodeChange, Place, Step, TreeWriter};
