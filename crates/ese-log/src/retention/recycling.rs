//! Circular logging: which archived generations may go when a new one begins.

use std::ops::Range;

use ese_format::LogGeneration;

/// Generations kept below the checkpoint, so that its ups and downs do not make logs come and go.
const MARGIN: u32 = 2;
/// With flush maps the checkpoint moves in steps of this many percent of its depth.
#[doc(alias = "s_pctCheckpointDelay")]
const FLUSH_MAP_PERCENT: u64 = 20;

/// What circular logging looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecyclingState {
    /// Lowest archived generation.
    pub lowest: LogGeneration,
    /// Generation of the checkpoint as it is on disk.
    pub checkpoint: LogGeneration,
    /// Generation being closed.
    pub tip: LogGeneration,
    /// Lowest generation that a backup going on needs; `None` when there is none.
    pub backup_floor: Option<LogGeneration>,
    /// Whether lost flushes are tracked in flush maps.
    pub keeps_flush_maps: bool,
}

/// What circular logging does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recycling {
    /// The generation whose file becomes the next log.
    pub reuse: LogGeneration,
    /// Generations to be deleted after that, in ascending order, stopping at the first failure.
    pub delete: Range<u32>,
}

/// Decides what circular logging does when a new generation begins; `None`: nothing.
///
/// The file of the lowest generation is taken for the next log when the checkpoint, and a backup going on, are beyond
/// it. What is left below the checkpoint, less a margin, is deleted, but not during a backup. What remains is always
/// contiguous.
#[must_use]
pub fn plan_recycling(state: RecyclingState) -> Option<Recycling> {
    let RecyclingState { lowest, checkpoint, tip, backup_floor, keeps_flush_maps } = state;
    let needed_by_backup = backup_floor.is_some_and(|floor| lowest >= floor);
    if lowest.0 == 0 || lowest >= checkpoint || needed_by_backup {
        return None;
    }
    let mut margin = MARGIN;
    if keeps_flush_maps {
        let depth = u64::from(tip.0.saturating_sub(checkpoint.0));
        // At most a fifth of a 32-bit number.
        margin += u32::try_from(depth * FLUSH_MAP_PERCENT / 100).unwrap_or(u32::MAX - MARGIN);
    }
    let first = lowest.0 + 1;
    let end = if backup_floor.is_some() { first } else { checkpoint.0.saturating_sub(margin).max(first) };
    Some(Recycling { reuse: lowest, delete: first..end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(
        lowest: u32,
        checkpoint: u32,
        tip: u32,
        floor: Option<u32>,
        maps: bool,
    ) -> Option<(u32, Range<u32>)> {
        plan_recycling(RecyclingState {
            lowest: LogGeneration(lowest),
            checkpoint: LogGeneration(checkpoint),
            tip: LogGeneration(tip),
            backup_floor: floor.map(LogGeneration),
            keeps_flush_maps: maps,
        })
        .map(|r| (r.reuse.0, r.delete))
    }

    #[test]
    fn what_goes() {
        assert_eq!(plan(5, 5, 9, None, false), None);
        assert_eq!(plan(0, 5, 9, None, false), None);
        assert_eq!(plan(5, 6, 9, None, false), Some((5, 6..6)));
        assert_eq!(plan(5, 8, 9, None, false), Some((5, 6..6)));
        assert_eq!(plan(5, 9, 9, None, false), Some((5, 6..7)));
        assert_eq!(plan(5, 20, 22, None, false), Some((5, 6..18)));
        // Ten generations deep: two more are kept.
        assert_eq!(plan(5, 20, 30, None, true), Some((5, 6..16)));
        // A backup: recycling below its logs goes on, deleting does not.
        assert_eq!(plan(5, 20, 22, Some(8), false), Some((5, 6..6)));
        assert_eq!(plan(8, 20, 22, Some(8), false), None);
    }

    #[test]
    fn never_the_checkpoint_nor_a_hole() {
        for lowest in 1..12 {
            for checkpoint in 0..12 {
                for tip in checkpoint..14 {
                    for maps in [false, true] {
                        let Some((reuse, delete)) = plan(lowest, checkpoint, tip, None, maps) else {
                            continue;
                        };
                        assert!(reuse < checkpoint && delete.start == reuse + 1);
                        assert!(delete.is_empty() || delete.end < checkpoint);
                    }
                }
            }
        }
    }
}
