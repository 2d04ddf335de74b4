//! Replaying log records on pages.
//!
//! [`Redo::apply`] takes the records of a stream one by one, in order, with their positions. Records about whole
//! databases (create, attach, detach) and about the log itself are the caller's: they need headers and files.

mod access;
mod change;
mod create;
mod error;
mod group;
mod kept;
mod maps;
mod merge;
mod node;
mod page_move;
mod parallel;
mod positioned;
mod resize;
mod scan_check;
mod session;
mod split;
mod transactions;
mod version;

use std::sync::Arc;

use ese_format::{DbTime, LogPosition, ObjectId, PageSize};
use ese_io::File;
use ese_log::record::{DatabaseSlot, Record, RecordKind, TransactionTime, VersionOperation};

use crate::page_cache::{PageCache, PageCacheError};
pub use error::{MissingPage, RedoError, RedoErrorKind};
use kept::KeptBytes;
pub use maps::{RedoMapEntry, RedoMaps};
use node::Inserted;
use parallel::Workers;
pub use positioned::PositionedRecords;
use scan_check::ScannedPage;
pub use scan_check::{Divergence, DivergenceKind, Divergences};
pub use session::Session;
use session::Sessions;
pub use version::{Version, VersionList};

/// What redo knows of an attached database.
#[derive(Clone, Debug, Default)]
pub struct RedoDatabase {
    /// Attached in the log, and not available (yet): only its counters are kept.
    pub deferred: bool,
    /// The file may hold changes of logs that have not been replayed yet.
    #[doc(alias = "FContainsDataFromFutureLogs")]
    pub future_data: bool,
    /// Pages of the file were patched: some may be missing or old until more logs are replayed.
    pub patched: bool,
    /// Position of the attach; records up to it do not take part.
    pub attach_position: LogPosition,
    /// Highest update counter seen.
    pub db_time: DbTime,
    /// Highest object id seen.
    pub last_object: ObjectId,
    /// Position of the last change of the file's size.
    pub last_resize: LogPosition,
    /// How often the file grew.
    pub extend_count: u32,
    /// How often it became shorter.
    pub shrink_count: u32,
    /// How often a range was given back.
    pub trim_count: u32,
    /// Ranges were given back before.
    pub was_trimmed: bool,
    /// Pages that are missing or too old so far.
    pub maps: RedoMaps,
}

impl RedoDatabase {
    /// Whether pages were patched, and more logs are needed.
    #[must_use]
    pub fn is_patched(&self) -> bool {
        self.patched
    }

    /// Whether a page may be missing or too old for now.
    #[doc(alias = "FRedoMapNeeded")]
    pub(crate) fn may_lack_pages(&self) -> bool {
        self.future_data || self.patched
    }
}

/// What redo did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedoStatistics {
    /// Records seen.
    pub records: u64,
    /// Page changes made.
    pub changes_applied: u64,
    /// Splits replayed.
    pub splits: u64,
    /// Merges replayed.
    pub merges: u64,
    /// Page and root moves replayed.
    pub page_moves: u64,
    /// Outermost transactions that committed.
    pub commits: u64,
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// Redo has dealt with it.
    Done,
    /// It concerns databases, the instance or a backup: the caller deals with it.
    Caller,
}

/// Redo of one log stream on its databases. See the module's description.
pub struct Redo {
    pub(crate) cache: PageCache,
    databases: Vec<Option<RedoDatabase>>,
    pub(crate) sessions: Sessions,
    position: LogPosition,
    newest_transaction: TransactionTime,
    last_commit: Option<(LogPosition, TransactionTime)>,
    statistics: RedoStatistics,
    demand_extends: bool,
    compare_scans: bool,
    divergences: Divergences,
    /// Room for new data of nodes.
    scratch: Vec<u8>,
    kept: KeptBytes,
    workers: Option<Workers>,
}

impl Redo {
    /// Redo with a cache of `cache_bytes`.
    #[must_use]
    pub fn new(size: PageSize, cache_bytes: usize) -> Self {
        let mut cache = PageCache::new(size, cache_bytes);
        cache.evict_many();
        Self {
            cache,
            databases: Vec::new(),
            sessions: Sessions::default(),
            position: LogPosition::NONE,
            newest_transaction: TransactionTime::default(),
            last_commit: None,
            statistics: RedoStatistics::default(),
            demand_extends: false,
            compare_scans: false,
            divergences: Divergences::default(),
            scratch: Vec::new(),
            kept: KeptBytes::default(),
            workers: None,
        }
    }

    /// Whether the log is of an engine that did not log how files grow.
    #[doc(alias = "FOlderDemandExtendDb")]
    pub fn set_demand_extends(&mut self, yes: bool) {
        self.demand_extends = yes;
    }

    /// Puts a database into its slot. A deferred one has no file.
    ///
    /// # Errors
    /// When the file's length cannot be had.
    pub fn attach(
        &mut self,
        slot: DatabaseSlot,
        database: RedoDatabase,
        file: Option<Arc<dyn File>>,
    ) -> Result<(), PageCacheError> {
        if let Some(file) = file {
            self.cache.attach(slot, file)?;
        }
        let index = usize::from(slot.0);
        if self.databases.len() <= index {
            self.databases.resize_with(index + 1, || None);
        }
        if let Some(place) = self.databases.get_mut(index) {
            *place = Some(database);
        }
        Ok(())
    }

    /// Writes and forgets a database. Sessions lose its versions.
    ///
    /// # Errors
    /// What writing its pages answers; the database stays then.
    pub fn detach(&mut self, slot: DatabaseSlot) -> Result<Option<RedoDatabase>, PageCacheError> {
        let Some(place) = self.databases.get_mut(usize::from(slot.0)) else { return Ok(None) };
        let Some(database) = place.take() else { return Ok(None) };
        if !database.deferred
            && let Err(error) = self.cache.detach(slot)
        {
            if let Some(place) = self.databases.get_mut(usize::from(slot.0)) {
                *place = Some(database);
            }
            return Err(error);
        }
        for session in self.sessions.iter_mut() {
            session.versions.drop_database(slot);
        }
        Ok(Some(database))
    }

    /// The attached databases, in the order of their slots.
    pub fn databases(&self) -> impl Iterator<Item = (DatabaseSlot, &RedoDatabase)> {
        (0..=u8::MAX).zip(&self.databases).filter_map(|(slot, d)| Some((DatabaseSlot(slot), d.as_ref()?)))
    }

    /// The sessions in the order of their numbers.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter()
    }

    /// The page cache.
    pub fn cache(&mut self) -> &mut PageCache {
        &mut self.cache
    }

    /// What was done so far.
    #[must_use]
    pub fn statistics(&self) -> RedoStatistics {
        self.statistics
    }

    /// Position and time of the last outermost commit.
    #[must_use]
    pub fn last_commit(&self) -> Option<(LogPosition, TransactionTime)> {
        self.last_commit
    }

    /// Newest transaction time seen.
    #[must_use]
    pub fn newest_transaction(&self) -> TransactionTime {
        self.newest_transaction
    }

    /// Forgets all sessions: the instance ended, or another begins.
    pub fn end_sessions(&mut self) {
        let sessions: Vec<_> = self.sessions.iter().map(|s| s.id).collect();
        for session in sessions {
            self.unpin_from(session, 0);
        }
        self.sessions.clear();
    }

    /// Fails when a database still has pages that later records should have explained.
    ///
    /// # Errors
    /// [`RedoErrorKind::Unreconciled`] with the page that was met first.
    pub fn check_maps(&self, slot: DatabaseSlot) -> Result<(), RedoError> {
        let Some((page, entry, count)) = self.database(slot).and_then(|d| d.maps.oldest()) else {
            return Ok(());
        };
        let (position, jet) = (entry.position, entry.error);
        let kind = RedoErrorKind::Unreconciled { slot, page, position, jet, count };
        Err(RedoError { position: self.position, kind })
    }

    /// Replays the record `bytes` at `position`.
    ///
    /// # Errors
    /// [`RedoError`]; the pages are those of the records before, and redo must not go on.
    pub fn apply(&mut self, bytes: &[u8], position: LogPosition) -> Result<Handled, RedoError> {
        let record =
            Record::decode(bytes).map_err(|e| RedoError { position, kind: RedoErrorKind::Record(e) })?;
        self.apply_record(&record, bytes, position)
    }

    /// As [`apply`](Self::apply), for a record that has been decoded from `bytes`.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_record(
        &mut self,
        record: &Record<'_>,
        bytes: &[u8],
        position: LogPosition,
    ) -> Result<Handled, RedoError> {
        self.leave_batch();
        self.replay(record, bytes, position)
    }

    fn replay(
        &mut self,
        record: &Record<'_>,
        bytes: &[u8],
        position: LogPosition,
    ) -> Result<Handled, RedoError> {
        self.position = position;
        self.statistics.records += 1;
        self.cache.begin_operation();
        self.cache.set_replay_start(LogPosition::NONE);
        let outcome = match scope_of(record) {
            Scope::Pages if self.hands_over() => Ok(()),
            Scope::Nothing => Ok(()),
            _ => self.recall(),
        };
        outcome
            .and_then(|()| self.dispatch(record, bytes))
            .map_err(|kind| self.first_error(RedoError { position, kind }))
    }

    /// As [`apply_record`](Self::apply_record), for the record at `index` of a batch, which was decoded from there. Changes
    /// of pages may be made later, and be an error of a later call.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn apply_in_batch(
        &mut self,
        record: &Record<'_>,
        batch: &Arc<PositionedRecords>,
        index: usize,
    ) -> Result<Handled, RedoError> {
        let Some((position, bytes)) = batch.get(index) else { return Ok(Handled::Done) };
        self.set_batch(batch, index);
        self.replay(record, bytes, position)
    }

    fn dispatch(&mut self, record: &Record<'_>, raw: &[u8]) -> Result<Handled, RedoErrorKind> {
        match record {
            Record::Insert(r) => {
                let key = [r.key_prefix, r.key_suffix];
                let inserted = Inserted { node: &r.node, key, data: r.data, replaced: None };
                self.insert(record, &inserted, raw)?;
            }
            Record::FlagInsert(r) => {
                let key = [r.key, &[]];
                let inserted = Inserted { node: &r.node, key, data: r.data, replaced: None };
                self.insert(record, &inserted, raw)?;
            }
            Record::FlagInsertAndReplaceData(r) => {
                let (key, replaced) = ([r.key, &[]], Some(r.replace_version));
                let inserted = Inserted { node: &r.node, key, data: r.data, replaced };
                self.insert(record, &inserted, raw)?;
            }
            Record::FlagDelete(r) => self.overwrite(record, &r.node, VersionOperation::FLAG_DELETE, raw)?,
            Record::Replace(r) | Record::ReplaceDiff(r) => {
                self.overwrite(record, &r.node, VersionOperation::REPLACE, raw)?;
            }
            Record::Delete(r) => self.change(record, &r.node, raw)?,
            Record::SetExternalHeader(r) => self.change(record, &r.node, raw)?,
            Record::UndoInfo(r) => self.undo_info(r)?,
            Record::Undo(r) => self.undo(r, raw)?,
            Record::Delta(_) | Record::Delta64(_) => self.delta(record, raw)?,
            Record::EmptyTree(r) => self.empty_tree(r, raw)?,
            Record::Scrub(r) => self.scrub(r, raw)?,
            Record::Begin(r) => self.begin(r.session, r.levels, None),
            Record::Begin0(r) => self.begin(r.session, r.levels, Some(r.transaction)),
            Record::Commit(r) => self.commit(r.session, r.level_after, None),
            Record::Commit0(r) => self.commit(r.session, r.level_after, Some(r.commit_time)),
            Record::Rollback(r) => self.rollback(r.session, r.level_count),
            Record::Refresh(r) => self.refresh(r.session, r.transaction),
            Record::MacroBegin(r) => self.begin_macro(r),
            Record::MacroCommit(r) => self.commit_macro(r)?,
            Record::MacroAbort(r) => self.abort_macro(r),
            Record::Split(r) if r.image.is_some() => {
                self.keep_for_macro(r.page.session, r.page.database, r.page.db_time, r.fields.object, raw);
            }
            Record::Merge(r) if r.image.is_some() => {
                self.keep_for_macro(r.page.session, r.page.database, r.page.db_time, r.fields.object, raw);
            }
            Record::RootPageMove(r) => {
                self.keep_for_macro(r.session, r.database, r.db_time, r.object, raw);
            }
            Record::PageMove(r) => self.page_move(r, raw)?,
            Record::CreateSingleExtentFdp(r) => self.create_single_extent(r)?,
            Record::CreateMultipleExtentFdp(r) => self.create_multiple_extent(r)?,
            Record::ConvertFdp2(r) => self.convert(r)?,
            Record::NewPage(r) => self.new_page(r)?,
            Record::ExtendDatabase(r) => self.extend(r)?,
            Record::ShrinkDatabase(r) | Record::ShrinkDatabase2(r) => self.shrink(r, None)?,
            Record::ShrinkDatabase3(r) => self.shrink(&r.shrink, Some(r.db_time))?,
            Record::TrimDatabase(r) => self.trim(r)?,
            Record::ExtentFreed(r) => self.extent_freed(r, None),
            Record::ExtentFreed2(r) => self.extent_freed(&r.freed, Some(r.db_time)),
            Record::FreeFdp(r) => {
                if self.newest_transaction.is_before(r.commit_time) {
                    self.newest_transaction = r.commit_time;
                }
            }
            Record::PagePatchRequest(r) => {
                self.condition(r.database, r.db_time, node::NO_OBJECT, true);
            }
            Record::ScanCheck(r) => self.scan_check(&ScannedPage::old(r))?,
            Record::ScanCheck2(r) => self.scan_check(&ScannedPage::new(r))?,
            Record::Nop
            | Record::Nop2(_)
            | Record::Trace(_)
            | Record::JetOperation(_)
            | Record::ForceWriteLog(_)
            | Record::ForceLogRollover(_)
            | Record::MacroInfo(_)
            | Record::MacroInfo2(_)
            | Record::Checksum(_)
            | Record::MultiSector(_)
            | Record::End
            | Record::ExternalRestore(_)
            | Record::ExternalRestore2(_)
            | Record::CommitContext(_)
            | Record::SignalAttach(_)
            | Record::Ignored(..) => {}
            Record::Init(_)
            | Record::Term(_)
            | Record::Term2(_)
            | Record::RecoveryQuit(_)
            | Record::RecoveryQuit2(_)
            | Record::RecoveryQuitKeepAttachments(_)
            | Record::RecoveryUndo
            | Record::RecoveryUndo2(_)
            | Record::ShutDownMark
            | Record::CreateDatabase(_)
            | Record::CreateDatabaseFinish(_)
            | Record::AttachDatabase(_)
            | Record::DetachDatabase(_)
            | Record::ReAttach(_)
            | Record::SetDatabaseVersion(_)
            | Record::FullBackup(_)
            | Record::IncrementalBackup(_)
            | Record::Backup(_)
            | Record::Backup2(_) => return Ok(Handled::Caller),
            Record::Split(_) | Record::Merge(_) | Record::ConvertFdp(_) => {
                return Err(RedoErrorKind::OldVersion(record.kind()));
            }
            other => return Err(RedoErrorKind::Unsupported(other.kind())),
        }
        Ok(Handled::Done)
    }
}

/// What a record needs to be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// No page.
    Nothing,
    /// Pages whose changes may be made elsewhere.
    Pages,
    /// Anything: everything before it must have been done.
    All,
}

/// Whatever is not known to need less needs all.
fn scope_of(record: &Record<'_>) -> Scope {
    match record {
        Record::Begin(_)
        | Record::Begin0(_)
        | Record::Commit(_)
        | Record::Commit0(_)
        | Record::Rollback(_)
        | Record::Refresh(_)
        | Record::MacroBegin(_)
        | Record::MacroAbort(_)
        | Record::Split(_)
        | Record::Merge(_)
        | Record::RootPageMove(_)
        | Record::ExtentFreed(_)
        | Record::ExtentFreed2(_)
        | Record::FreeFdp(_)
        | Record::PagePatchRequest(_)
        | Record::Nop
        | Record::Nop2(_)
        | Record::Trace(_)
        | Record::JetOperation(_)
        | Record::ForceWriteLog(_)
        | Record::ForceLogRollover(_)
        | Record::MacroInfo(_)
        | Record::MacroInfo2(_)
        | Record::Checksum(_)
        | Record::MultiSector(_)
        | Record::End
        | Record::CommitContext(_)
        | Record::SignalAttach(_)
        | Record::Ignored(..) => Scope::Nothing,
        Record::Insert(_)
        | Record::FlagInsert(_)
        | Record::FlagInsertAndReplaceData(_)
        | Record::FlagDelete(_)
        | Record::Replace(_)
        | Record::ReplaceDiff(_)
        | Record::Delete(_)
        | Record::UndoInfo(_)
        | Record::Undo(_)
        | Record::Delta(_)
        | Record::Delta64(_)
        | Record::SetExternalHeader(_)
        | Record::MacroCommit(_)
        | Record::NewPage(_)
        // They look first whether there is anything to do.
        | Record::ExtendDatabase(_)
        | Record::ScanCheck(_)
        | Record::ScanCheck2(_) => Scope::Pages,
        _ => Scope::All,
    }
}

/// Types that redo refuses though the reader accepts them.
#[must_use]
pub fn is_refused(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::BEGIN_DT | RecordKind::PREP_COMMIT | RecordKind::PREP_ROLLBACK)
}
