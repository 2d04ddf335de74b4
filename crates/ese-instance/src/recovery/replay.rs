//! Redo of a whole stream.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_btree::{Handled, PositionedRecords, Redo};
use ese_format::{
    AttachmentEntry, BackupInfoKind, DatabaseState, LogGeneration, LogPosition, LogTime, LogVersion,
    PageSize, Signature,
};
use ese_io::{OpenMode, OpenOptions};
use ese_log::record::{Backup2, BackupPhase, BackupScope, DatabaseSlot, Record};
use ese_log::{EndOfLog, OpenLog};

use super::attach::AttachSource;
use super::database::{CleanAt, Expected, HeaderFile, Slot, SlotState, make_clean};
use super::error::{DeferReason, RecoveryError};
use super::feed::{Feed, FeedRequest, Step};
use super::finish::spill_path;
use super::gate::Gate;
use super::owned_size::owned_last_page;
use super::report::DatabaseOutcome;
use super::request::{
    RecoveryEnvironment, RecoveryMode, RecoveryPhase, RecoveryProgress, RecoveryRequest, StopAt,
};
use super::source::{Generation, LogSource, first_position};
use super::start::Start;
use crate::database::{BackupStamp, apply_backup};

/// Bytes of logs below which a thread of their own gains nothing.
const WORTH_A_THREAD: u64 = 8 << 20;

/// Length of the logs from `generation` on.
fn log_bytes_from(source: &LogSource, generation: LogGeneration) -> u64 {
    source.generations().iter().filter(|(g, ..)| *g >= generation).map(|(.., len)| len).sum()
}

/// Redo of a stream on the databases it attaches.
pub(super) struct Replay<'r> {
    pub(super) request: &'r RecoveryRequest,
    pub(super) environment: &'r RecoveryEnvironment,
    pub(super) progress: &'r dyn RecoveryProgress,
    pub(super) redo: Redo,
    pub(super) gate: Arc<Gate>,
    pub(super) slots: BTreeMap<DatabaseSlot, Slot>,
    pub(super) page_size: PageSize,
    pub(super) log_signature: Signature,
    /// Databases whose first pages are in no record can be created as Windows 7 does it; not so as older engines do.
    pub(super) implicit_creation: bool,
    /// Position of the record at hand.
    pub(super) position: LogPosition,
    pub(super) generation: LogGeneration,
    pub(super) generation_created: LogTime,
    /// Position of the last ShutDownMark since an instance began.
    pub(super) shut_down_mark: Option<LogPosition>,
    /// The record that ended an instance, when nothing but fill followed it.
    pub(super) ended: Option<LogPosition>,
    /// Whether the last record that is no fill was a ShutDownMark.
    pub(super) last_was_shut_down_mark: bool,
    /// Databases that were detached on the way.
    pub(super) detached: Vec<DatabaseOutcome>,
    /// Files that replay itself has made.
    pub(super) made: BTreeSet<PathBuf>,
    pub(super) last_log: Option<OpenLog>,
    pub(super) last_end: Option<EndOfLog>,
    /// The last log is the one that was being written.
    pub(super) ended_in_current: bool,
    pub(super) stopped: bool,
    /// Redo is to stop in front of the next record.
    pub(super) stop_pending: bool,
    /// The first position that was not replayed; none where the stop lies between two generations.
    pub(super) stop_position: LogPosition,
    /// Damaged logs that no database requires were deleted.
    pub(super) removed_logs: bool,
    /// A record of the generation was replayed.
    entered: bool,
    /// Where the checkpoint is.
    pub(super) checkpoint: LogPosition,
    /// Bytes of log that had been replayed when the checkpoint was looked at last, and the position then.
    pub(super) advanced_at: u64,
    pub(super) written_up_to: LogPosition,
    pub(super) generations: u64,
    pub(super) log_bytes: u64,
}

impl<'r> Replay<'r> {
    pub(super) fn new(
        request: &'r RecoveryRequest,
        environment: &'r RecoveryEnvironment,
        progress: &'r dyn RecoveryProgress,
        start: &Start,
    ) -> Self {
        let gate = Arc::new(Gate::default());
        let mut redo = Redo::new(start.page_size, request.cache_bytes);
        redo.cache().set_write_ahead(Some(Arc::clone(&gate) as _));
        let header = start.log.header();
        redo.set_demand_extends(!header.version().has_segments());
        redo.compare_scans(request.compare_scans);
        let (storage, path) = (Arc::clone(&environment.storage), spill_path(request));
        redo.cache().set_spill(Some(Arc::new(move || {
            storage.open(&path, OpenOptions::new(OpenMode::CreateOrTruncate))
        })));
        Self {
            request,
            environment,
            progress,
            redo,
            gate,
            slots: BTreeMap::new(),
            page_size: start.page_size,
            log_signature: header.signature(),
            implicit_creation: header.version() >= LogVersion::checksum_records(15, 0),
            position: start.position,
            generation: header.generation(),
            generation_created: header.create_time(),
            shut_down_mark: None,
            ended: None,
            last_was_shut_down_mark: false,
            detached: Vec::new(),
            last_log: None,
            last_end: None,
            ended_in_current: false,
            stopped: false,
            stop_pending: false,
            stop_position: LogPosition::NONE,
            removed_logs: false,
            made: BTreeSet::new(),
            entered: false,
            checkpoint: start.position,
            advanced_at: 0,
            written_up_to: LogPosition::NONE,
            generations: 0,
            log_bytes: 0,
        }
    }

    pub(super) fn put_slot(&mut self, slot: Slot) {
        self.slots.insert(slot.slot, slot);
    }

    pub(super) fn is_open(&self, path: &Path) -> bool {
        self.slots.values().any(|s| matches!(&s.state, SlotState::Attached(h) if h.path == path))
    }

    /// The databases that take part.
    pub(super) fn attached(&self) -> impl Iterator<Item = (&Slot, &Arc<HeaderFile>)> {
        self.slots.values().filter_map(|slot| match &slot.state {
            SlotState::Attached(header) => Some((slot, header)),
            SlotState::Deferred(_) => None,
        })
    }

    /// Attaches what the list says and replays to the end of the logs.
    pub(super) fn run(&mut self, source: &LogSource, start: &Start) -> Result<(), RecoveryError> {
        self.progress.phase(RecoveryPhase::Redo);
        for entry in &start.attachments {
            self.attach_entry(entry)?;
        }
        let request = FeedRequest {
            generation: self.generation,
            position: start.position,
            judge_first: self.may_delete_logs(),
        };
        let storage = &*self.environment.storage;
        let threads = self.threads(source);
        let parallel = threads > 1;
        let prefetch = if parallel { self.redo.cache().start_prefetch() } else { None };
        if parallel {
            self.redo.start_workers(threads - 1);
        }
        let outcome = std::thread::scope(|scope| {
            let feed = Feed::start(source, storage, request, parallel.then_some(scope), prefetch);
            self.replay_all(source, start, feed)
        });
        self.redo.cache().end_prefetch();
        // A change that failed was met before whatever ended this.
        self.redo.end_workers()?;
        outcome
    }

    /// Threads that are of use: with more than one, the log is read ahead on one of its own, and pages are changed by
    /// others.
    fn threads(&self, source: &LogSource) -> usize {
        match self.request.threads {
            0 if log_bytes_from(source, self.generation) < WORTH_A_THREAD => 1,
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        }
    }

    fn replay_all(
        &mut self,
        source: &LogSource,
        start: &Start,
        mut feed: Feed<'_>,
    ) -> Result<(), RecoveryError> {
        let total = log_bytes_from(source, self.generation);
        let mut is_current = false;
        while let Some(step) = feed.next() {
            match step {
                Step::Generation(opened) => {
                    self.progress.generation(opened.log.generation(), self.log_bytes, total);
                    is_current = opened.is_current;
                    if !self.begin_generation(opened) {
                        self.ended_in_current = is_current;
                        return Ok(());
                    }
                }
                Step::Records(batch) => {
                    let batch = Arc::new(batch);
                    let outcome = self.replay_batch(&batch);
                    let used = outcome.and_then(|()| Ok(self.redo.end_batch()?));
                    let outcome = used.map(|used| {
                        let own = Arc::try_unwrap(batch).ok();
                        own.into_iter().chain(used).for_each(|batch| feed.give_back(batch));
                    });
                    outcome.map_err(|error| self.refine_damage(self.generation, error))?;
                    if self.stopped {
                        self.ended_in_current = is_current;
                        return Ok(());
                    }
                }
                Step::End(end) => {
                    self.last_end = Some(*end);
                    self.ended_in_current = is_current;
                    if !is_current {
                        self.advance_checkpoint()?;
                    }
                }
                Step::Damaged(error) => return Err(self.refine_damage(self.generation, error)),
                Step::Unusable(generation, error) => {
                    self.ended_in_current = false;
                    return self.give_up_logs(source, generation, start.position, error);
                }
            }
        }
        Ok(())
    }

    fn attach_entry(&mut self, entry: &AttachmentEntry) -> Result<(), RecoveryError> {
        let fixed = &entry.fixed;
        let expected = Expected {
            attach_position: fixed.attach_position(),
            consistent_position: fixed.consistent_position(),
            signature: fixed.signature(),
            previous_log_signature: None,
            db_time: fixed.db_time(),
            last_object: fixed.last_object_id(),
            largest_pages: fixed.max_pages(),
        };
        self.attach(DatabaseSlot(fixed.database_id()), entry.path(), expected, AttachSource::List)
    }

    /// A generation is on; `false` when redo stops in front of it.
    fn begin_generation(&mut self, opened: Generation) -> bool {
        let log = opened.log;
        let created = log.header().create_time();
        let too_late = match self.request.stop_at {
            Some(StopAt::TimeMs(limit)) => created.to_unix_ms().is_some_and(|t| t > limit),
            Some(StopAt::Position(limit)) => limit <= first_position(&log),
            None => false,
        };
        if too_late || self.stop_pending {
            // The stop lies between two generations: nothing of this one is replayed.
            self.stopped = true;
            return false;
        }
        self.generations += 1;
        self.generation = log.generation();
        self.generation_created = created;
        self.log_bytes += log.header().file_size();
        self.last_log = Some(log);
        self.entered = false;
        true
    }

    fn replay_batch(&mut self, batch: &Arc<PositionedRecords>) -> Result<(), RecoveryError> {
        for (index, (position, bytes)) in batch.records().enumerate() {
            let reached = matches!(self.request.stop_at, Some(StopAt::Position(limit)) if position >= limit);
            if reached || self.stop_pending {
                self.stopped = true;
                self.stop_position = position;
                break;
            }
            self.position = position;
            if !self.entered {
                self.enter_generation()?;
                self.entered = true;
            }
            if index.is_multiple_of(4096) && self.progress.stop_requested() {
                return Err(RecoveryError::Interrupted { position });
            }
            self.replay_record(bytes, position, (batch, index))?;
        }
        Ok(())
    }

    /// The first record of a generation: headers learn of it, and what a file may hold from later logs shrinks.
    fn enter_generation(&mut self) -> Result<(), RecoveryError> {
        let generation = self.generation;
        let mut past = Vec::new();
        for (slot, header) in self.attached() {
            let state = header.state.lock();
            let (required, committed) = (state.initial_required, state.initial_committed);
            let expected = if required == committed && state.header.max_required_create_time().is_none() {
                state.initial_committed_time
            } else {
                state.initial_required_time
            };
            drop(state);
            if generation == required && !expected.is_none() && expected != self.generation_created {
                return Err(RecoveryError::RequiredLogsMissing {
                    database: header.path.clone(),
                    first: generation,
                    last: required,
                    found: format!(
                        "generation {generation} was created {}, the one required {expected}",
                        self.generation_created
                    ),
                });
            }
            header.enter_generation(generation, self.generation_created);
            if generation > required {
                past.push(slot.slot);
            }
        }
        for slot in past {
            if let Some(database) = self.redo.database_mut(slot)
                && database.future_data
            {
                database.future_data = false;
                if !database.is_patched() {
                    self.redo.check_maps(slot)?;
                }
            }
        }
        Ok(())
    }

    fn replay_record(
        &mut self,
        bytes: &[u8],
        position: LogPosition,
        (batch, index): (&Arc<PositionedRecords>, usize),
    ) -> Result<(), RecoveryError> {
        let record = Record::decode(bytes)
            .map_err(|e| ese_btree::RedoError { position, kind: ese_btree::RedoErrorKind::Record(e) })?;
        if !matches!(record, Record::Nop | Record::Nop2(_) | Record::Checksum(_)) {
            self.ended = None;
            self.last_was_shut_down_mark = false;
        }
        if self.redo.apply_in_batch(&record, batch, index)? == Handled::Done {
            return Ok(());
        }
        match record {
            Record::Init(init) => {
                self.stop_after(init.time);
                self.redo.end_sessions();
                self.shut_down_mark = None;
            }
            Record::Term(_) | Record::RecoveryQuit(_) => self.instance_ended(position)?,
            Record::Term2(quit) | Record::RecoveryQuit2(quit) => {
                self.instance_ended(position)?;
                self.stop_after(Some(quit.time));
            }
            Record::RecoveryQuitKeepAttachments(_) => {
                self.redo.end_sessions();
                self.ended = Some(position);
            }
            Record::ShutDownMark => {
                self.shut_down_mark = Some(position);
                self.last_was_shut_down_mark = true;
            }
            Record::CreateDatabase(record) => self.create(&record, position)?,
            Record::CreateDatabaseFinish(record) => {
                if let Some(header) = self.header_of(record.database) {
                    let mut state = header.state.lock();
                    if state.header.state() == DatabaseState::JUST_CREATED {
                        state.header.set_state(DatabaseState::DIRTY_SHUTDOWN);
                    }
                    drop(state);
                    header.write()?;
                }
            }
            Record::AttachDatabase(record) => {
                let consistent = record.consistent;
                let expected = Expected {
                    attach_position: position,
                    consistent_position: if consistent >= position { LogPosition::NONE } else { consistent },
                    signature: record.signature,
                    previous_log_signature: Some(record.log_signature),
                    largest_pages: record.largest_page_count,
                    ..Expected::default()
                };
                let logged = record.logged_path().to_text().into_owned();
                self.attach(record.database, logged, expected, AttachSource::Record)?;
            }
            Record::DetachDatabase(record) => {
                let at = self.shut_down_mark.unwrap_or(position);
                self.detach(record.database, at)?;
            }
            Record::ReAttach(record) => {
                if let Some(header) = self.header_of(record.database) {
                    let now = LogTime::from_unix_ms(self.environment.clock.unix_ms());
                    let mut state = header.state.lock();
                    state.header.set_reattach_time(now);
                    state.header.set_reattach_position(position);
                    state.changed = true;
                }
            }
            Record::SetDatabaseVersion(record) => {
                if let Some(header) = self.header_of(record.database) {
                    let mut state = header.state.lock();
                    state.header.set_format_version(record.major);
                    state.header.set_update_major(record.update_major);
                    state.header.set_update_minor(record.update_minor);
                    drop(state);
                    header.write()?;
                }
            }
            Record::Backup2(record) if record.phase == BackupPhase::UPDATE_HEADER => {
                self.stamp_backup(&record, position);
            }
            _ => {}
        }
        Ok(())
    }

    /// A backup was complete: the header remembers it, as it did where the backup was made.
    fn stamp_backup(&mut self, record: &Backup2<'_>, position: LogPosition) {
        let Some(header) = self.header_of(record.database) else { return };
        let mut state = header.state.lock();
        if position <= state.header.attach_position() {
            return;
        }
        let scope = record.scope;
        let full = scope != BackupScope::INCREMENTAL && scope != BackupScope::DIFFERENTIAL;
        let truncated = scope == BackupScope::INCREMENTAL || scope == BackupScope::FULL;
        let kind = BackupInfoKind(record.method.0);
        let stamp = BackupStamp::new(full, truncated);
        state.changed |= apply_backup(&mut state.header, stamp, kind, record.details);
    }

    fn stop_after(&mut self, time: Option<LogTime>) {
        if let Some(StopAt::TimeMs(limit)) = self.request.stop_at
            && time.and_then(LogTime::to_unix_ms).is_some_and(|t| t > limit)
        {
            self.stop_pending = true;
        }
    }

    fn header_of(&self, slot: DatabaseSlot) -> Option<Arc<HeaderFile>> {
        match &self.slots.get(&slot)?.state {
            SlotState::Attached(header) => Some(Arc::clone(header)),
            SlotState::Deferred(_) => None,
        }
    }

    /// An instance ended in order: its databases are complete.
    fn instance_ended(&mut self, position: LogPosition) -> Result<(), RecoveryError> {
        self.redo.end_sessions();
        let at = self.shut_down_mark.unwrap_or(position);
        let slots: Vec<DatabaseSlot> = self.slots.keys().copied().collect();
        for slot in slots {
            self.detach(slot, at)?;
        }
        self.shut_down_mark = None;
        self.ended = Some(position);
        Ok(())
    }

    /// Writes a database, makes its header clean and forgets it.
    pub(super) fn detach(&mut self, slot: DatabaseSlot, at: LogPosition) -> Result<(), RecoveryError> {
        let Some(taken) = self.slots.remove(&slot) else { return Ok(()) };
        let SlotState::Attached(header) = taken.state else {
            self.redo.detach(slot)?;
            return Ok(());
        };
        if header.state.lock().header.state() == DatabaseState::JUST_CREATED {
            // Its creation did not come to an end: nobody was told of it, and it goes.
            self.redo.detach(slot)?;
            self.gate.remove(slot);
            let path = header.path.clone();
            drop(header);
            return Ok(ese_io::remove_durably(&*self.environment.storage, &path)?);
        }
        if self.redo.database(slot).is_some_and(|d| !d.future_data && !d.is_patched()) {
            self.redo.check_maps(slot)?;
        }
        if let Some(last) = owned_last_page(self.redo.cache(), slot)? {
            self.redo.cache().resize(slot, last)?;
        }
        let Some(database) = self.redo.detach(slot)? else { return Ok(()) };
        {
            let mut state = header.state.lock();
            let hard = matches!(self.request.mode, RecoveryMode::Hard { .. });
            let clean =
                CleanAt { position: at, db_time: database.db_time, last_object: database.last_object, hard };
            state.count_resizes(&database, &*self.environment.clock);
            make_clean(&mut state.header, clean, &*self.environment.clock);
        }
        header.write()?;
        self.gate.remove(slot);
        self.detached.retain(|d| d.path != header.path);
        self.detached.push(DatabaseOutcome::of(&taken.logged, &header));
        Ok(())
    }

    /// The last generation replayed must reach what each database needs.
    pub(super) fn check_ranges(&mut self) -> Result<bool, RecoveryError> {
        let last = self.generation;
        let mut lost = false;
        for (slot, header) in self.attached() {
            self.redo.check_maps(slot.slot)?;
            let state = header.state.lock();
            if state.initial_required > last {
                return Err(RecoveryError::RequiredLogsMissing {
                    database: header.path.clone(),
                    first: state.header.min_required(),
                    last: state.initial_required,
                    found: format!("the logs end with generation {last}"),
                });
            }
            if state.initial_committed > last {
                if !self.request.accept_lost_logs {
                    return Err(RecoveryError::CommittedLogsMissing {
                        database: header.path.clone(),
                        committed: state.initial_committed,
                        last,
                    });
                }
                lost = true;
            }
        }
        if lost {
            for (_, header) in self.attached() {
                let mut state = header.state.lock();
                if state.header.max_committed() > last {
                    state.header.set_max_committed(last);
                    state.header.set_max_committed_create_time(self.generation_created);
                    state.changed = true;
                }
            }
        }
        Ok(lost)
    }

    /// A database that the log has attached must be there at the end.
    pub(super) fn check_deferred(&self) -> Result<(), RecoveryError> {
        for slot in self.slots.values() {
            let SlotState::Deferred(reason) = &slot.state else { continue };
            // Consistent at a later position it needs nothing of what was replayed.
            let tolerated = *reason == DeferReason::ConsistentLater
                || self.request.ignore_missing_databases
                    && matches!(reason, DeferReason::Missing | DeferReason::NotMapped)
                || *reason == DeferReason::NotMapped
                    && matches!(self.request.mode, RecoveryMode::Hard { .. });
            if !tolerated {
                return Err(RecoveryError::DatabaseMismatch {
                    logged: slot.logged.clone(),
                    reason: reason.clone(),
                });
            }
        }
        Ok(())
    }
}
