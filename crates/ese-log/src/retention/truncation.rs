//! The arithmetic of backups: which generations a set needs, and which may be deleted after it.

use std::ops::Range;

use ese_format::{BackupInfo, LogGeneration};

/// Kind of a backup, as far as logs are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackupExtent {
    /// Databases and the logs that make the copies consistent.
    Full,
    /// All logs since the last backup.
    Incremental,
}

/// An incremental backup that would leave a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("log generation {missing} is gone, and no backup holds it")]
pub struct MissingSinceBackup {
    /// The first generation that is missing.
    pub missing: LogGeneration,
}

/// The generations of a full set, `[checkpoint when the backup began, generation being written after the roll)`.
#[doc(alias = "BKLgenCopyMic")]
#[must_use]
pub fn full_copy_range(checkpoint_at_begin: LogGeneration, current: LogGeneration) -> Range<u32> {
    checkpoint_at_begin.0..current.0.max(checkpoint_at_begin.0)
}

/// The generations of an incremental set: every archived one up to the roll. Each attached database must have been
/// backed up to the generation before at least.
///
/// `databases` holds the last full and the last incremental backup of each attached database.
///
/// # Errors
/// [`MissingSinceBackup`] (`JET_errMissingFileToBackup`) when logs between the last backup and the lowest one on disk
/// are gone.
pub fn incremental_copy_range<'a>(
    lowest: LogGeneration,
    current: LogGeneration,
    databases: impl IntoIterator<Item = (&'a BackupInfo, &'a BackupInfo)>,
) -> Result<Range<u32>, MissingSinceBackup> {
    for (full, incremental) in databases {
        let covered = full.high_generation.max(incremental.high_generation);
        if lowest.0 > covered.saturating_add(1) {
            return Err(MissingSinceBackup { missing: LogGeneration(covered.saturating_add(1)) });
        }
    }
    Ok(lowest.0..current.0.max(lowest.0))
}

/// What a truncation looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TruncationState {
    /// Lowest archived generation.
    pub lowest: LogGeneration,
    /// Generation of the checkpoint, read back from its file after the roll.
    pub checkpoint: LogGeneration,
    /// The first generation that the backup did not copy: the one being written when it rolled.
    pub copied_up_to: LogGeneration,
    /// What was backed up.
    pub extent: BackupExtent,
}

/// The generations that a truncation deletes, ascending; an empty range when there are none.
///
/// `left_out` holds, for each attached and logged database that this backup did not copy completely, its last full backup:
/// it still needs its old logs, all of them when it was never backed up. Counts for full backups only. Databases that are not
/// attached hold nothing back.
#[doc(alias = "ErrLGTruncateLog")]
#[must_use]
pub fn truncation_range<'a>(
    state: TruncationState,
    left_out: impl IntoIterator<Item = &'a BackupInfo>,
) -> Range<u32> {
    let mut end = state.checkpoint.0.min(state.copied_up_to.0);
    if state.extent == BackupExtent::Full {
        end = left_out.into_iter().fold(end, |end, info| end.min(info.high_generation));
    }
    state.lowest.0.min(end)..end
}

/// The generations that a database needs: to become consistent, and to lose nothing. Ranges are half-open; both are
/// empty for a database that was shut down in order.
#[must_use]
pub fn needed_generations(
    min_required: u32,
    max_required: u32,
    max_committed: u32,
) -> (Range<u32>, Range<u32>) {
    if min_required == 0 {
        return (0..0, 0..0);
    }
    let end = |last: u32| last.saturating_add(1).max(min_required);
    (min_required..end(max_required), min_required..end(max_committed.max(max_required)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backed_up(high_generation: u32) -> BackupInfo {
        BackupInfo { high_generation, ..BackupInfo::NONE }
    }

    fn truncate(extent: BackupExtent, checkpoint: u32, copied: u32, left_out: &[u32]) -> Range<u32> {
        let infos: Vec<BackupInfo> = left_out.iter().map(|&high| backed_up(high)).collect();
        let state = TruncationState {
            lowest: LogGeneration(3),
            checkpoint: LogGeneration(checkpoint),
            copied_up_to: LogGeneration(copied),
            extent,
        };
        truncation_range(state, &infos)
    }

    #[test]
    fn the_lowest_bound_decides() {
        use BackupExtent::{Full, Incremental};
        assert_eq!(truncate(Full, 9, 12, &[]), 3..9);
        assert_eq!(truncate(Full, 12, 10, &[]), 3..10);
        assert_eq!(truncate(Full, 9, 12, &[7, 20]), 3..7);
        // Never backed up: nothing may go.
        assert!(truncate(Full, 9, 12, &[0]).is_empty());
        assert_eq!(truncate(Incremental, 9, 12, &[0]), 3..9);
        assert!(truncate(Full, 2, 12, &[]).is_empty());
        assert!(truncate(Full, 3, 12, &[]).is_empty());
    }

    #[test]
    fn ranges_of_sets() {
        assert_eq!(full_copy_range(LogGeneration(4), LogGeneration(9)), 4..9);
        let (full, none) = (backed_up(6), BackupInfo::NONE);
        let incremental = |lowest, infos: &[(&BackupInfo, &BackupInfo)]| {
            incremental_copy_range(LogGeneration(lowest), LogGeneration(12), infos.iter().copied())
        };
        assert_eq!(incremental(7, &[(&full, &none)]), Ok(7..12));
        assert_eq!(incremental(5, &[(&full, &none)]), Ok(5..12));
        let missing = LogGeneration(7);
        assert_eq!(incremental(8, &[(&full, &none)]), Err(MissingSinceBackup { missing }));
        assert_eq!(incremental(8, &[(&full, &backed_up(7))]), Ok(8..12));
        assert!(incremental(2, &[(&none, &none)]).is_err());
        assert_eq!(incremental(1, &[(&none, &none)]), Ok(1..12));
    }

    #[test]
    fn needs_of_a_database() {
        assert_eq!(needed_generations(0, 0, 0), (0..0, 0..0));
        assert_eq!(needed_generations(8, 14, 16), (8..15, 8..17));
        assert_eq!(needed_generations(8, 3, 0), (8..8, 8..8));
    }
}
