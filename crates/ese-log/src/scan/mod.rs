//! The state of one generation: where its data ends, what is damaged, what can be set right.

mod chunks;
mod end;
mod geometry;
mod judged;
mod read_ahead;
mod segments;

pub(crate) use chunks::ChunkReader;
pub use end::{EndOfLog, LogDefect, LogDefectKind, Repair, RepairAction};
pub(crate) use geometry::Geometry;
pub(crate) use judged::judge_all;
pub(crate) use read_ahead::ReadAhead;
pub(crate) use segments::SegmentScan;
