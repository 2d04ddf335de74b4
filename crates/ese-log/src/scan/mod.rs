//! The state of one generation: where its data ends, what is damaged, what can be set right.

mod chunks;
mod end;
mod geometry;
mod segments;

pub use end::{EndOfLog, LogDefect, LogDefectKind, Repair, RepairAction};
pub(crate) use geometry::Geometry;
pub(crate) use segments::SegmentScan;
