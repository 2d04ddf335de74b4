//! What attach, detach and backup change in a database header. Pure functions; writing is elsewhere.

use ese_format::{
    BackupInfo, BackupInfoKind, DatabaseState, DbTime, LogGeneration, LogPosition, LogTime, ObjectId,
    RawDatabaseHeader, Signature,
};

/// From this update major on a header remembers the position of the last resize.
const UPDATE_WITH_LAST_RESIZE: u32 = 110;
/// From this update major on a header remembers when the highest required log was created.
const UPDATE_WITH_MAX_REQUIRED_TIME: u32 = 150;

/// What an attach writes.
#[derive(Clone, Copy, Debug)]
pub struct AttachFacts {
    /// Slot of the database, 1 to 6.
    pub database_id: u32,
    /// Position of the attach record.
    pub position: LogPosition,
    /// Time of the attach.
    pub time: LogTime,
    /// Signature of the log stream.
    pub log_signature: Signature,
    /// Generation the attach record is in: from here on logs are required.
    pub generation: LogGeneration,
    /// When that generation was created.
    pub generation_created: LogTime,
}

/// Makes a clean header the header of an attached database.
pub fn apply_attach(header: &mut RawDatabaseHeader, facts: &AttachFacts) {
    if header.log_signature() != facts.log_signature {
        // Positions and backups of another stream mean nothing in this one.
        header.set_consistent_position(LogPosition::NONE);
        header.set_last_resize_position(LogPosition::NONE);
        clear_previous_backups(header);
        header.set_log_signature(facts.log_signature);
    }
    header.set_state(DatabaseState::DIRTY_SHUTDOWN);
    header.set_database_id(facts.database_id);
    header.set_attach_position(facts.position);
    header.set_attach_time(facts.time);
    header.set_detach_position(LogPosition::NONE);
    header.set_detach_time(LogTime::NONE);
    header.set_current_full_backup(BackupInfo::NONE);
    header.set_current_snapshot_backup(BackupInfo::NONE);
    header.set_min_required(facts.generation);
    header.set_min_consistent(facts.generation);
    set_committed(header, facts.generation, facts.generation_created);
    if header.update_major() >= UPDATE_WITH_LAST_RESIZE {
        header.set_last_resize_position(facts.position);
    }
}

/// Makes a clean header the header of a database attached without logging: no log can bring it up any more, and its
/// signature is another one, so that nobody tries.
pub fn apply_attach_unlogged(
    header: &mut RawDatabaseHeader,
    database_id: u32,
    time: LogTime,
    signature: Signature,
) {
    header.set_state(DatabaseState::DIRTY_SHUTDOWN);
    header.set_signature(signature);
    header.set_database_id(database_id);
    header.set_attach_time(time);
    header.set_attach_position(LogPosition::NONE);
    header.set_detach_position(LogPosition::NONE);
    header.set_detach_time(LogTime::NONE);
    header.set_current_full_backup(BackupInfo::NONE);
    header.set_current_snapshot_backup(BackupInfo::NONE);
}

/// Raises the upper end of the range of logs that the database needs, after a roll to `generation`.
pub fn apply_roll(header: &mut RawDatabaseHeader, generation: LogGeneration, created: LogTime) {
    if generation > header.max_committed() {
        set_committed(header, generation, created);
    }
}

/// Raises the lower end of the range when the checkpoint has moved.
pub fn apply_checkpoint(header: &mut RawDatabaseHeader, generation: LogGeneration) {
    if generation > header.min_required() {
        header.set_min_required(generation);
    }
    if generation > header.min_consistent() {
        header.set_min_consistent(generation);
    }
}

fn set_committed(header: &mut RawDatabaseHeader, generation: LogGeneration, created: LogTime) {
    header.set_max_required(generation);
    header.set_max_committed(generation);
    header.set_max_committed_create_time(created);
    if header.update_major() >= UPDATE_WITH_MAX_REQUIRED_TIME {
        header.set_max_required_create_time(created);
    }
}

/// What a clean detach writes.
#[derive(Clone, Copy, Debug)]
pub struct DetachFacts {
    /// Position of the detach record, or of the mark that opens a termination.
    pub position: LogPosition,
    /// Time of the detach.
    pub time: LogTime,
    /// Highest update counter handed out.
    pub db_time: DbTime,
    /// Highest object id handed out.
    pub last_object_id: ObjectId,
}

/// Makes the header of an attached database a clean one.
pub fn apply_detach(header: &mut RawDatabaseHeader, facts: &DetachFacts) {
    if header.state() != DatabaseState::DIRTY_AND_PATCHED_SHUTDOWN {
        header.set_state(DatabaseState::CLEAN_SHUTDOWN);
    }
    header.set_db_time(facts.db_time);
    header.set_last_object_id(facts.last_object_id);
    header.set_consistent_position(facts.position);
    header.set_consistent_time(facts.time);
    header.set_detach_position(facts.position);
    header.set_detach_time(facts.time);
    if header.update_major() >= UPDATE_WITH_LAST_RESIZE {
        header.set_last_resize_position(facts.position);
    }
    let none = LogGeneration(0);
    header.set_min_required(none);
    header.set_max_required(none);
    header.set_min_consistent(none);
    header.set_max_committed(none);
    header.set_recovering_generation(none);
    header.set_max_committed_create_time(LogTime::NONE);
    header.set_max_required_create_time(LogTime::NONE);
}

/// Which of the four remembered backups a finished backup becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackupStamp {
    /// Full, logs truncated.
    Full,
    /// Full, logs kept.
    Copy,
    /// Logs only, logs truncated.
    Incremental,
    /// Logs only, logs kept.
    Differential,
}

impl BackupStamp {
    /// From the kind of backup and whether it truncated logs.
    #[must_use]
    pub const fn new(full: bool, truncated: bool) -> Self {
        match (full, truncated) {
            (true, true) => Self::Full,
            (true, false) => Self::Copy,
            (false, true) => Self::Incremental,
            (false, false) => Self::Differential,
        }
    }
}

/// Remembers a finished backup. A header that already holds a newer mark in that place is left alone; says whether it
/// changed.
///
/// A truncating full backup forgets the incremental and differential ones before it; a truncating normal backup also
/// forgets a snapshot in progress.
pub fn apply_backup(
    header: &mut RawDatabaseHeader,
    stamp: BackupStamp,
    kind: BackupInfoKind,
    info: BackupInfo,
) -> bool {
    // A surrogate backup is remembered as the snapshot it stands for.
    let kind = if kind == BackupInfoKind::SURROGATE { BackupInfoKind::OS_SNAPSHOT } else { kind };
    let known = match stamp {
        BackupStamp::Full => header.previous_full_backup(),
        BackupStamp::Copy => header.previous_copy_backup(),
        BackupStamp::Incremental => header.previous_incremental_backup(),
        BackupStamp::Differential => header.previous_differential_backup(),
    };
    if known.mark > info.mark {
        return false;
    }
    match stamp {
        BackupStamp::Full => {
            header.set_previous_full_backup(info);
            header.set_previous_full_backup_kind(kind);
            header.set_previous_incremental_backup(BackupInfo::NONE);
            header.set_previous_incremental_backup_kind(BackupInfoKind::NORMAL);
            header.set_previous_differential_backup(BackupInfo::NONE);
            header.set_previous_differential_backup_kind(BackupInfoKind::NORMAL);
        }
        BackupStamp::Copy => {
            header.set_previous_copy_backup(info);
            header.set_previous_copy_backup_kind(kind);
        }
        BackupStamp::Incremental => {
            header.set_previous_incremental_backup(info);
            header.set_previous_incremental_backup_kind(kind);
        }
        BackupStamp::Differential => {
            header.set_previous_differential_backup(info);
            header.set_previous_differential_backup_kind(kind);
        }
    }
    let truncated = matches!(stamp, BackupStamp::Full | BackupStamp::Incremental);
    if truncated && kind == BackupInfoKind::NORMAL {
        header.set_current_snapshot_backup(BackupInfo::NONE);
    }
    true
}

/// Forgets all four remembered backups: after a hard recovery, or in a new log stream.
pub fn clear_previous_backups(header: &mut RawDatabaseHeader) {
    header.set_previous_full_backup(BackupInfo::NONE);
    header.set_previous_full_backup_kind(BackupInfoKind::NORMAL);
    header.set_previous_incremental_backup(BackupInfo::NONE);
    header.set_previous_incremental_backup_kind(BackupInfoKind::NORMAL);
    header.set_previous_copy_backup(BackupInfo::NONE);
    header.set_previous_copy_backup_kind(BackupInfoKind::NORMAL);
    header.set_previous_differential_backup(BackupInfo::NONE);
    header.set_previous_differential_backup_kind(BackupInfoKind::NORMAL);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(generation: u32) -> BackupInfo {
        BackupInfo {
            mark: LogPosition::new(generation, 1, 0),
            time: LogTime([1; 8]),
            low_generation: generation,
            high_generation: generation + 1,
        }
    }

    #[test]
    fn a_truncating_full_backup_forgets_incrementals_and_keeps_the_copy() {
        let mut header = RawDatabaseHeader::default();
        let normal = BackupInfoKind::NORMAL;
        assert!(apply_backup(&mut header, BackupStamp::Copy, normal, info(3)));
        assert!(apply_backup(&mut header, BackupStamp::Incremental, normal, info(4)));
        assert!(apply_backup(&mut header, BackupStamp::Differential, BackupInfoKind::OS_SNAPSHOT, info(5)));
        assert!(apply_backup(&mut header, BackupStamp::Full, normal, info(6)));
        assert_eq!(header.previous_full_backup(), info(6));
        assert_eq!(header.previous_copy_backup(), info(3));
        assert!(header.previous_incremental_backup().is_none());
        assert!(header.previous_differential_backup().is_none());
        assert_eq!(header.previous_differential_backup_kind(), normal);
    }

    #[test]
    fn a_newer_mark_stays() {
        let mut header = RawDatabaseHeader::default();
        assert!(apply_backup(&mut header, BackupStamp::Full, BackupInfoKind::SURROGATE, info(6)));
        assert_eq!(header.previous_full_backup_kind(), BackupInfoKind::OS_SNAPSHOT);
        assert!(!apply_backup(&mut header, BackupStamp::Full, BackupInfoKind::NORMAL, info(5)));
        assert_eq!(header.previous_full_backup(), info(6));
    }

    #[test]
    fn attach_to_another_stream_forgets_the_old_one() {
        let mut header = RawDatabaseHeader::default();
        header.set_update_major(110);
        header.set_log_signature(Signature { random: 1, ..Signature::NONE });
        header.set_consistent_position(info(9).mark);
        apply_backup(&mut header, BackupStamp::Full, BackupInfoKind::NORMAL, info(2));
        let facts = AttachFacts {
            database_id: 1,
            position: info(3).mark,
            time: LogTime([2; 8]),
            log_signature: Signature { random: 2, ..Signature::NONE },
            generation: LogGeneration(3),
            generation_created: LogTime([3; 8]),
        };
        let mut same = header;
        same.set_log_signature(facts.log_signature);
        apply_attach(&mut same, &facts);
        assert_eq!(same.consistent_position(), info(9).mark);
        assert_eq!(same.previous_full_backup(), info(2));

        apply_attach(&mut header, &facts);
        assert_eq!(header.state(), DatabaseState::DIRTY_SHUTDOWN);
        assert_eq!(header.consistent_position(), LogPosition::NONE);
        assert!(header.previous_full_backup().is_none());
        assert_eq!((header.min_required().0, header.max_required().0, header.max_committed().0), (3, 3, 3));
        assert_eq!(header.last_resize_position(), facts.position);
        assert_eq!(header.max_required_create_time(), LogTime::NONE, "not in this format");
    }
}
