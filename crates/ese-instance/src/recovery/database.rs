//! A database of the log: its header, kept in step with what redo does.

use std::path::PathBuf;
use std::sync::Arc;

use ese_btree::RedoDatabase;
use ese_format::{
    BackupInfo, DatabaseHeader, DatabaseState, DbTime, LogGeneration, LogPosition, LogTime, ObjectId,
    Signature,
};
use ese_io::{Clock, File, IoError, Randomness};
use ese_log::record::DatabaseSlot;
use parking_lot::Mutex;

use super::error::DeferReason;
use super::request::RecoveryEnvironment;

/// What the log says about an attached database.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub(super) attach_position: LogPosition,
    pub(super) consistent_position: LogPosition,
    pub(super) signature: Signature,
    /// Signature of the stream that the database belonged to before this attach.
    pub(super) previous_log_signature: Option<Signature>,
    pub(super) db_time: DbTime,
    pub(super) last_object: ObjectId,
    pub(super) largest_pages: u32,
}

/// A slot of the log.
pub(super) struct Slot {
    pub(super) slot: DatabaseSlot,
    pub(super) logged: String,
    pub(super) expected: Expected,
    pub(super) state: SlotState,
}

/// Whether the database of a slot takes part.
pub(super) enum SlotState {
    /// It does.
    Attached(Arc<HeaderFile>),
    /// It does not, for now.
    Deferred(DeferReason),
}

/// A header and the file it belongs to.
pub(super) struct HeaderFile {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn File>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    pub(super) state: Mutex<HeaderState>,
}

/// The header in memory and how far it is on disk.
pub(super) struct HeaderState {
    pub(super) header: DatabaseHeader,
    /// Changed since it was written.
    pub(super) changed: bool,
    /// The highest required generation on disk.
    pub(super) durable_required: LogGeneration,
    /// The highest required generation that the file came with.
    pub(super) initial_required: LogGeneration,
    /// The highest committed generation that the file came with.
    pub(super) initial_committed: LogGeneration,
    /// Creation time of the former.
    pub(super) initial_required_time: LogTime,
    /// Creation time of the latter.
    pub(super) initial_committed_time: LogTime,
}

impl HeaderState {
    /// Counts how often redo changed the size of the file.
    pub(super) fn count_resizes(&mut self, database: &RedoDatabase, clock: &dyn Clock) {
        let now = LogTime::from_unix_ms(clock.unix_ms());
        let header = &mut self.header;
        if database.extend_count > 0 {
            let count = header.extend_count().wrapping_add(database.extend_count);
            header.set_extend_count(count);
            header.set_extend_time(now);
        }
        if database.shrink_count > 0 {
            let count = header.shrink_count().wrapping_add(database.shrink_count);
            header.set_shrink_count(count);
            header.set_shrink_time(now);
        }
        let count = header.trim_count().wrapping_add(database.trim_count);
        header.set_trim_count(count);
    }
}

impl HeaderFile {
    pub(super) fn new(
        path: PathBuf,
        file: Arc<dyn File>,
        header: DatabaseHeader,
        environment: &RecoveryEnvironment,
    ) -> Self {
        let state = HeaderState {
            durable_required: header.max_required(),
            initial_required: header.max_required(),
            initial_committed: header.max_committed(),
            initial_required_time: header.max_required_create_time(),
            initial_committed_time: header.max_committed_create_time(),
            header,
            changed: false,
        };
        let (clock, randomness) = (Arc::clone(&environment.clock), Arc::clone(&environment.randomness));
        Self { path, file, clock, randomness, state: Mutex::new(state) }
    }

    /// Writes both copies, the first one first, each made durable.
    pub(super) fn write(&self) -> Result<(), IoError> {
        let mut state = self.state.lock();
        // Each write has a signature of its own. The flush map is not kept up to date: a signature that it does not have
        // makes it invalid.
        if !state.header.header_flush_signature().is_none() {
            let fresh = self.signature();
            state.header.set_header_flush_signature(fresh);
            let fresh = self.signature();
            state.header.set_flush_map_flush_signature(fresh);
        }
        let page = state.header.write();
        self.file.write_at(0, &page)?;
        self.file.sync()?;
        self.file.write_at(page.len() as u64, &page)?;
        self.file.sync()?;
        state.durable_required = state.header.max_required();
        state.changed = false;
        Ok(())
    }

    fn signature(&self) -> Signature {
        Signature {
            random: self.randomness.next_u32(),
            created: LogTime::from_unix_ms(self.clock.unix_ms()),
            computer_name: [0; 16],
        }
    }

    /// Makes the header durable if pages changed in `generation` are about to be written and it does not say so yet.
    pub(super) fn require(&self, generation: LogGeneration) -> Result<(), IoError> {
        if self.state.lock().durable_required < generation {
            self.write()?;
        }
        Ok(())
    }

    /// A generation is being replayed: what is required and committed reaches it.
    pub(super) fn enter_generation(&self, generation: LogGeneration, created: LogTime) {
        let mut state = self.state.lock();
        let header = &mut state.header;
        header.set_recovering_generation(generation);
        if generation > header.max_required() {
            header.set_max_required(generation);
            if header.version().supports_max_required_time() {
                header.set_max_required_create_time(created);
            }
        }
        if generation > header.max_committed() {
            header.set_max_committed(generation);
            header.set_max_committed_create_time(created);
        }
        if header.state() == DatabaseState::DIRTY_AND_PATCHED_SHUTDOWN && generation >= header.max_required()
        {
            header.set_state(DatabaseState::DIRTY_SHUTDOWN);
        }
        state.changed = true;
    }
}

/// Positions that a clean header is given.
#[derive(Clone, Copy, Debug)]
pub(super) struct CleanAt {
    pub(super) position: LogPosition,
    pub(super) db_time: DbTime,
    pub(super) last_object: ObjectId,
    pub(super) hard: bool,
}

/// Raises the counters of a header; they never fall.
pub(super) fn raise_counters(header: &mut DatabaseHeader, db_time: DbTime, last_object: ObjectId) {
    let (db_time, last_object) = (db_time.max(header.db_time()), last_object.max(header.last_object_id()));
    header.set_db_time(db_time);
    header.set_last_object_id(last_object);
}

/// Makes a header that of a cleanly detached database.
pub(super) fn make_clean(header: &mut DatabaseHeader, at: CleanAt, clock: &dyn Clock) {
    if header.state() != DatabaseState::DIRTY_AND_PATCHED_SHUTDOWN {
        header.set_state(DatabaseState::CLEAN_SHUTDOWN);
    }
    let now = LogTime::from_unix_ms(clock.unix_ms());
    raise_counters(header, at.db_time, at.last_object);
    header.set_consistent_position(at.position);
    header.set_consistent_time(now);
    header.set_detach_position(at.position);
    header.set_detach_time(now);
    if header.version().supports_last_resize() {
        header.set_last_resize_position(at.position);
    }
    header.set_min_required(LogGeneration(0));
    header.set_max_required(LogGeneration(0));
    header.set_min_consistent(LogGeneration(0));
    header.set_max_committed(LogGeneration(0));
    header.set_recovering_generation(LogGeneration(0));
    header.set_pre_redo_min_consistent(LogGeneration(0));
    header.set_pre_redo_min_required(LogGeneration(0));
    header.set_max_committed_create_time(LogTime::NONE);
    header.set_max_required_create_time(LogTime::NONE);
    if !header.current_full_backup().is_none() {
        header.set_current_full_backup(BackupInfo::NONE);
    }
    if at.hard {
        header.set_previous_full_backup(BackupInfo::NONE);
        header.set_previous_incremental_backup(BackupInfo::NONE);
        header.set_previous_copy_backup(BackupInfo::NONE);
        header.set_previous_differential_backup(BackupInfo::NONE);
    }
}

/// What a header becomes when its database takes part in redo.
pub(super) struct AttachAt {
    pub(super) slot: DatabaseSlot,
    pub(super) position: LogPosition,
    pub(super) generation: LogGeneration,
    pub(super) generation_created: LogTime,
    pub(super) log_signature: Signature,
}

/// Makes a header that of an attached database. A dirty one keeps its ranges.
pub(super) fn make_attached(header: &mut DatabaseHeader, at: &AttachAt, clock: &dyn Clock) {
    let was_clean = header.is_clean();
    if header.state() != DatabaseState::DIRTY_AND_PATCHED_SHUTDOWN {
        header.set_state(DatabaseState::DIRTY_SHUTDOWN);
    }
    if header.attach_position() != at.position || was_clean {
        header.set_attach_position(at.position);
        header.set_attach_time(LogTime::from_unix_ms(clock.unix_ms()));
        header.set_detach_position(LogPosition::NONE);
        header.set_detach_time(LogTime::NONE);
    }
    header.set_database_id(at.slot.0.into());
    header.set_log_signature(at.log_signature);
    if was_clean {
        header.set_min_required(at.generation);
        header.set_min_consistent(at.generation);
        header.set_max_required(at.generation);
        header.set_max_committed(at.generation);
        header.set_max_committed_create_time(at.generation_created);
        if header.version().supports_max_required_time() {
            header.set_max_required_create_time(at.generation_created);
        }
    }
    header.set_recovering_generation(at.generation);
}
