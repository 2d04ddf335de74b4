//! What recovery would do, found out without changing anything.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ese_format::{DatabaseState, JetError, LogGeneration, LogPosition, LogTime, Signature};
use ese_io::{OpenMode, OpenOptions, Storage};
use ese_log::record::{DatabaseSlot, PageRecordFlags, Record, SessionId};

use super::error::RecoveryError;
use super::locate::{Located, databases_of, locate, read_header};
use super::request::{RecoveryProgress, RecoveryRequest, StopAt};
use super::source::{LogSource, check_continuity};
use super::start::{Beginning, Start, find_start};

/// A generation that redo would read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedGeneration {
    /// The generation.
    pub generation: LogGeneration,
    /// Its file.
    pub path: PathBuf,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// A database that the logs name.
#[derive(Clone, Debug)]
pub struct PlannedDatabase {
    /// Path in the log.
    pub logged: String,
    /// The file taken for it; `None` when none was found.
    pub path: Option<PathBuf>,
    /// Whether the log creates it.
    pub created: bool,
    /// State in its header.
    pub state: Option<DatabaseState>,
    /// First and last generation that it requires; 0 when clean.
    pub required: (LogGeneration, LogGeneration),
    /// Last generation with committed changes.
    pub committed: LogGeneration,
    /// What stands in the way, in words.
    pub problem: Option<String>,
    /// Records that change its pages.
    pub page_records: u64,
}

/// A transaction that does not commit in the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Its session.
    pub session: SessionId,
    /// Where it begins; [`LogPosition::NONE`] when that is before the start.
    pub start: LogPosition,
    /// Operations that would be undone.
    pub operations: u64,
}

/// What recovery would do.
#[derive(Clone, Debug, Default)]
pub struct RecoveryPlan {
    /// The stream was closed in order and needs nothing.
    pub clean: bool,
    /// Where redo would begin.
    pub start: LogPosition,
    /// Whether a checkpoint says so.
    pub from_checkpoint: bool,
    /// Last record that would be replayed.
    pub end: LogPosition,
    /// Signature of the stream.
    pub log_signature: Signature,
    /// Generations that would be read.
    pub generations: Vec<PlannedGeneration>,
    /// Generations that a database requires and that are not there.
    pub missing: Vec<LogGeneration>,
    /// Creation time of the last generation.
    pub last_generation_created: LogTime,
    /// The databases.
    pub databases: Vec<PlannedDatabase>,
    /// Databases of the stream beside the logs that the replayed logs do not name: closed before redo begins, and not
    /// touched by it.
    pub untouched: Vec<PathBuf>,
    /// Records that would be read.
    pub records: u64,
    /// Records that change pages.
    pub page_records: u64,
    /// Outermost transactions that commit.
    pub commits: u64,
    /// Position of the last of them.
    pub last_commit: LogPosition,
    /// Transactions that would be undone.
    pub open_transactions: Vec<OpenTransaction>,
    /// Generations with committed changes that are not there: these changes would be lost.
    pub lost: Vec<LogGeneration>,
    /// What recovery would fail with.
    pub failure: Option<(JetError, String)>,
}

/// Sessions as far as the log tells, without pages.
#[derive(Default)]
struct Watch {
    level: u8,
    start: LogPosition,
    operations: u64,
    seen: bool,
}

/// Most generations listed as missing.
const MOST_LISTED: u32 = 10_000;

/// Finds out what recovery would do. Nothing is changed.
///
/// # Errors
/// When nothing can be said at all: no logs, or none that can be opened. What stands in the way later is part of the
/// plan.
pub fn plan(
    request: &RecoveryRequest,
    storage: &dyn Storage,
    progress: &dyn RecoveryProgress,
) -> Result<RecoveryPlan, RecoveryError> {
    let mut source = LogSource::open(storage, request)?;
    let start = match find_start(storage, request, &mut source)? {
        Beginning::Clean(position) => {
            let signature = source.current.as_ref().map(|log| log.header().signature());
            let mut plan = RecoveryPlan {
                clean: true,
                start: position,
                end: position,
                log_signature: signature.unwrap_or_default(),
                ..RecoveryPlan::default()
            };
            plan.find_untouched(request, storage)?;
            return Ok(plan);
        }
        Beginning::Start(start) => start,
    };
    let mut plan = RecoveryPlan {
        start: start.position,
        from_checkpoint: start.from_checkpoint,
        log_signature: start.log.header().signature(),
        ..RecoveryPlan::default()
    };
    let mut scan = Scan { request, storage, start: &start, plan: &mut plan, slots: BTreeMap::new() };
    for entry in &start.attachments {
        let fixed = &entry.fixed;
        scan.database(DatabaseSlot(fixed.database_id()), entry.path(), Some(fixed.signature()), false)?;
    }
    let outcome = scan.logs(&source, progress);
    if let Err(error) = outcome {
        if matches!(error, RecoveryError::Interrupted { .. }) {
            return Err(error);
        }
        plan.failure = Some((error.jet_error(), error.to_string()));
    }
    plan.find_untouched(request, storage)?;
    plan.judge(request);
    Ok(plan)
}

struct Scan<'a> {
    request: &'a RecoveryRequest,
    storage: &'a dyn Storage,
    start: &'a Start,
    plan: &'a mut RecoveryPlan,
    /// Index of the database of each slot.
    slots: BTreeMap<DatabaseSlot, usize>,
}

impl Scan<'_> {
    fn database(
        &mut self,
        slot: DatabaseSlot,
        logged: String,
        signature: Option<Signature>,
        created: bool,
    ) -> Result<(), RecoveryError> {
        if let Some(known) = self.plan.databases.iter().position(|d| d.logged == logged) {
            self.slots.insert(slot, known);
            return Ok(());
        }
        let signature = signature.filter(|s| !s.is_none());
        let mut database = PlannedDatabase {
            logged,
            path: None,
            created,
            state: None,
            required: (LogGeneration(0), LogGeneration(0)),
            committed: LogGeneration(0),
            problem: None,
            page_records: 0,
        };
        match locate(self.storage, &self.request.locations, &database.logged, signature)? {
            Located::At(path) => {
                let file = self.storage.open(&path, OpenOptions::new(OpenMode::Read))?;
                match read_header(&*file, self.start.page_size)? {
                    Ok(header) => {
                        database.state = Some(header.state());
                        database.required = (header.min_required(), header.max_required());
                        database.committed = header.max_committed();
                        if header.log_signature() != self.plan.log_signature {
                            database.problem = Some("belongs to another log stream".to_owned());
                        } else if signature.is_some_and(|s| s != header.signature()) {
                            database.problem = Some("has another signature".to_owned());
                        } else if header.is_part_of_backup()
                            && header.current_full_backup().high_generation == 0
                            && !self.request.accept_backup_copies
                        {
                            database.problem =
                                Some("is a copy from a backup set; restore the set".to_owned());
                        }
                    }
                    Err(error) => database.problem = Some(error.to_string()),
                }
                database.path = Some(path);
            }
            Located::CreateAt(path) if created => {
                database.path = Some(path);
                database.problem = Some("not there; it would be created".to_owned());
            }
            Located::CreateAt(_) | Located::Nowhere => {
                database.problem = Some("no file was found for it".to_owned());
            }
            Located::LeftOut => database.problem = Some("left out".to_owned()),
        }
        self.slots.insert(slot, self.plan.databases.len());
        self.plan.databases.push(database);
        Ok(())
    }

    fn logs(&mut self, source: &LogSource, progress: &dyn RecoveryProgress) -> Result<(), RecoveryError> {
        let mut sessions: BTreeMap<SessionId, Watch> = BTreeMap::new();
        let mut position = self.start.position;
        let mut generation = LogGeneration(position.generation);
        let total: u64 =
            source.generations().iter().filter(|(g, ..)| *g >= generation).map(|(.., len)| len).sum();
        let mut done = 0;
        let mut previous = None;
        let outcome = loop {
            let opened = match source.generation(self.storage, generation) {
                Ok(Some(opened)) => opened,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            if let Some((log, end)) = &previous
                && let Err(error) = check_continuity(log, end, &opened.log)
            {
                break Err(error);
            }
            progress.generation(generation, done, total);
            let header = opened.log.header();
            let bytes = header.file_size();
            done += bytes;
            let path = opened.log.path().to_path_buf();
            self.plan.generations.push(PlannedGeneration { generation, path, bytes });
            self.plan.last_generation_created = header.create_time();
            let mut reader = opened.log.records(position, opened.options);
            let mut count = 0_u32;
            let stopped = loop {
                match reader.next() {
                    Ok(Some(raw)) => {
                        if let Some(StopAt::Position(limit)) = self.request.stop_at
                            && raw.position >= limit
                        {
                            break Ok(true);
                        }
                        count = count.wrapping_add(1);
                        if count.is_multiple_of(4096) && progress.stop_requested() {
                            break Err(RecoveryError::Interrupted { position: raw.position });
                        }
                        self.plan.records += 1;
                        self.plan.end = raw.position;
                        if let Ok(record) = Record::decode(raw.bytes)
                            && let Err(error) = self.record(&record, raw.position, &mut sessions)
                        {
                            break Err(error);
                        }
                    }
                    Ok(None) => break Ok(false),
                    Err(error) => break Err(error.into()),
                }
            };
            match stopped {
                Ok(true) => break Ok(()),
                Ok(false) => {}
                Err(error) => break Err(error),
            }
            let end = match reader.finish() {
                Ok(end) => end,
                Err(error) => break Err(error.into()),
            };
            if opened.is_current {
                break Ok(());
            }
            previous = Some((opened.log, end));
            generation = LogGeneration(generation.0.saturating_add(1));
            position = LogPosition::new(generation.0, 0, 0);
        };
        for (session, watch) in sessions.into_iter().filter(|(_, w)| w.level > 0) {
            self.plan.open_transactions.push(OpenTransaction {
                session,
                start: watch.start,
                operations: watch.operations,
            });
        }
        outcome
    }

    fn record(
        &mut self,
        record: &Record<'_>,
        position: LogPosition,
        sessions: &mut BTreeMap<SessionId, Watch>,
    ) -> Result<(), RecoveryError> {
        let mut begin = |session, from: u8, count: u8| {
            let watch = sessions.entry(session).or_default();
            if from == 0 {
                *watch = Watch { start: position, seen: true, ..Watch::default() };
            }
            if watch.seen {
                watch.level = from.saturating_add(count);
            }
        };
        match record {
            Record::Begin0(r) => begin(r.session, r.levels.from(), r.levels.count()),
            Record::Begin(r) => begin(r.session, r.levels.from(), r.levels.count()),
            Record::Commit(r) => sessions.entry(r.session).or_default().level = r.level_after,
            Record::Commit0(r) => {
                sessions.remove(&r.session);
                self.plan.commits += 1;
                self.plan.last_commit = position;
            }
            Record::Rollback(r) => {
                let watch = sessions.entry(r.session).or_default();
                watch.level = watch.level.saturating_sub(r.level_count);
            }
            Record::Init(_)
            | Record::Term(_)
            | Record::Term2(_)
            | Record::RecoveryQuit(_)
            | Record::RecoveryQuit2(_)
            | Record::RecoveryQuitKeepAttachments(_) => sessions.clear(),
            Record::CreateDatabase(r) => {
                let logged = r.logged_path().to_text().into_owned();
                self.database(r.database, logged, Some(r.signature), true)?;
            }
            Record::AttachDatabase(r) => {
                let logged = r.logged_path().to_text().into_owned();
                self.database(r.database, logged, Some(r.signature), false)?;
            }
            Record::Insert(r) => self.page(&r.node.page, true, sessions),
            Record::FlagInsert(r) => self.page(&r.node.page, true, sessions),
            Record::FlagInsertAndReplaceData(r) => self.page(&r.node.page, true, sessions),
            Record::FlagDelete(r) => self.page(&r.node.page, true, sessions),
            Record::Replace(r) | Record::ReplaceDiff(r) => self.page(&r.node.page, true, sessions),
            Record::Delta(r) => self.page(&r.node.page, true, sessions),
            Record::Delta64(r) => self.page(&r.node.page, true, sessions),
            Record::Undo(r) => {
                self.page(&r.node.page, false, sessions);
                let watch = sessions.entry(r.node.page.session).or_default();
                watch.operations = watch.operations.saturating_sub(1);
            }
            Record::Delete(r) => self.page(&r.node.page, false, sessions),
            Record::SetExternalHeader(r) => self.page(&r.node.page, false, sessions),
            Record::EmptyTree(r) => self.page(&r.node.page, false, sessions),
            Record::Scrub(r) => self.page(&r.node.page, false, sessions),
            Record::Split(r) => self.page(&r.page, false, sessions),
            Record::Merge(r) => self.page(&r.page, false, sessions),
            Record::PageMove(r) => self.page(&r.page, false, sessions),
            Record::CreateSingleExtentFdp(r) => self.page(&r.page, false, sessions),
            Record::CreateMultipleExtentFdp(r) => self.page(&r.page, false, sessions),
            Record::ConvertFdp2(r) => self.page(&r.convert.page, false, sessions),
            _ => {}
        }
        Ok(())
    }

    fn page(
        &mut self,
        prefix: &ese_log::record::PagePrefix,
        can_be_undone: bool,
        sessions: &mut BTreeMap<SessionId, Watch>,
    ) {
        self.plan.page_records += 1;
        let index = self.slots.get(&prefix.database).copied();
        if let Some(database) = index.and_then(|i| self.plan.databases.get_mut(i)) {
            database.page_records += 1;
        }
        if can_be_undone && prefix.level > 0 && prefix.flags.contains(PageRecordFlags::VERSIONED) {
            sessions.entry(prefix.session).or_default().operations += 1;
        }
    }
}

impl RecoveryPlan {
    /// Looks for databases of the stream that the replayed logs do not name.
    fn find_untouched(
        &mut self,
        request: &RecoveryRequest,
        storage: &dyn Storage,
    ) -> Result<(), RecoveryError> {
        let named = |path: &PathBuf| self.databases.iter().any(|d| d.path.as_ref() == Some(path));
        let found = databases_of(storage, &request.locations, self.log_signature)?;
        self.untouched = found.into_iter().filter(|path| !named(path)).collect();
        Ok(())
    }

    /// Compares what databases need with what is there.
    fn judge(&mut self, request: &RecoveryRequest) {
        let found: std::collections::BTreeSet<u32> =
            self.generations.iter().map(|g| g.generation.0).collect();
        let last = found.last().copied().unwrap_or(0);
        let mut missing = std::collections::BTreeSet::new();
        let mut lost = std::collections::BTreeSet::new();
        for database in &self.databases {
            let (first_required, last_required) = (database.required.0.0, database.required.1.0);
            if first_required != 0 && last_required >= first_required {
                let end = last_required.min(first_required.saturating_add(MOST_LISTED));
                missing.extend((first_required..=end).filter(|g| !found.contains(g)));
            }
            if database.committed.0 > last.max(last_required) {
                let from = last.max(last_required) + 1;
                lost.extend(from..=database.committed.0.min(from.saturating_add(MOST_LISTED)));
            }
        }
        self.missing = missing.into_iter().map(LogGeneration).collect();
        self.lost = lost.into_iter().map(LogGeneration).collect();
        if self.failure.is_some() {
            return;
        }
        if let Some(first) = self.missing.first() {
            let text = format!("required log generation {first} is missing");
            self.failure = Some((JetError::REQUIRED_LOG_FILES_MISSING, text));
        } else if let Some(first) = self.lost.first()
            && !request.accept_lost_logs
        {
            let text = format!("log generation {first} with committed changes is missing");
            self.failure = Some((JetError::COMMITTED_LOG_FILES_MISSING, text));
        }
    }
}
