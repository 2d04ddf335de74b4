//! Appends that are refused because the checkpoint is too far behind.

use ese_format::LogGeneration;

use crate::record::RecordKind;

/// What may lie between checkpoint and tip at least.
#[doc(alias = "lgenCheckpointTooDeepMin")]
const DEPTH_MIN: u32 = 0x20;

/// Why an append is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooDeep {
    Checkpoint,
    Transaction,
}

/// Whether a record may be appended with the tip at `tip` and the checkpoint at `checkpoint`. `begin` is the generation in
/// which the session's transaction began.
pub(crate) fn check_depth(
    kind: RecordKind,
    tip: LogGeneration,
    checkpoint: LogGeneration,
    begin: Option<LogGeneration>,
    limit: u32,
) -> Result<(), TooDeep> {
    let depth = tip.0.saturating_sub(checkpoint.0);
    let transaction = begin.map_or(0, |begin| tip.0.saturating_sub(begin.0));
    let near = depth > limit.saturating_sub(DEPTH_MIN / 2);
    if !near && transaction <= limit / 2 || kind == RecordKind::INIT2 {
        return Ok(());
    }
    if ends_work(kind) && depth <= limit.saturating_sub(DEPTH_MIN / 4) {
        return Ok(());
    }
    Err(if near { TooDeep::Checkpoint } else { TooDeep::Transaction })
}

/// Records that end transactions or the instance go a little further.
fn ends_work(kind: RecordKind) -> bool {
    matches!(
        kind,
        RecordKind::COMMIT0
            | RecordKind::ROLLBACK
            | RecordKind::UNDO
            | RecordKind::UNDO_INFO
            | RecordKind::SHUT_DOWN_MARK
            | RecordKind::TERM2
            | RecordKind::TRACE
            | RecordKind::NOP
            | RecordKind::RECOVERY_UNDO2
            | RecordKind::RECOVERY_QUIT2
            | RecordKind::RECOVERY_QUIT_KEEP_ATTACHMENTS
            | RecordKind::MACRO_ABORT
            | RecordKind::DETACH_DB
            | RecordKind::FORCE_LOG_ROLLOVER
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_for_ends_only() {
        let check = |kind, tip, begin: Option<u32>| {
            check_depth(kind, LogGeneration(tip), LogGeneration(100), begin.map(LogGeneration), 0x100)
        };
        assert_eq!(check(RecordKind::INSERT, 100 + 0x100 - 16, None), Ok(()));
        assert_eq!(check(RecordKind::INSERT, 101 + 0x100 - 16, None), Err(TooDeep::Checkpoint));
        assert_eq!(check(RecordKind::COMMIT0, 100 + 0x100 - 8, None), Ok(()));
        assert_eq!(check(RecordKind::COMMIT0, 101 + 0x100 - 8, None), Err(TooDeep::Checkpoint));
        assert_eq!(check(RecordKind::INIT2, 1000, None), Ok(()));
        assert_eq!(check(RecordKind::INSERT, 100 + 0x80, Some(100)), Ok(()));
        assert_eq!(check(RecordKind::INSERT, 101 + 0x80, Some(100)), Err(TooDeep::Transaction));
        assert_eq!(check(RecordKind::ROLLBACK, 101 + 0x80, Some(100)), Ok(()));
    }
}
