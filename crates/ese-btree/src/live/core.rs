//! What all sessions share, behind one lock.

use std::collections::VecDeque;
use std::sync::Arc;

use ese_format::{DbTime, LogGeneration, LogPosition, ObjectId, PageNumber};
use ese_log::RecordBatch;
use ese_log::record::{
    Begin, BeginLevels, BeginOutermost, DatabaseSlot, EncodeError, Record, SessionId, TransactionTime,
};

use super::change_log::ChangeLog;
use super::search::KNOWN_ROOTS;
use super::version_store::{NOBODY, Reader, VersionStore};
use super::{LiveCounters, LiveError, LiveSettings, TransactionState};
use crate::page_cache::{Fetched, FrameId, PageCache, PageWriteGate};
use crate::tree_write::TreeWriteError;

/// Pages written together when the cache is over its bound.
const WRITTEN_FOR_ROOM: usize = 64;

pub(super) type Result<T> = std::result::Result<T, LiveError>;

/// An attached database.
pub(super) struct Slot {
    pub(super) db_time: DbTime,
    pub(super) last_object: ObjectId,
    pub(super) logged: bool,
    pub(super) gate: Option<Arc<dyn PageWriteGate>>,
    pub(super) largest_page: Option<PageNumber>,
    pub(super) read_only: bool,
    pub(super) versioned: bool,
    pub(super) temporary: bool,
}

/// A session as clean-up sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenSession {
    pub(super) id: SessionId,
    /// Set while it is in a transaction.
    pub(super) begin: Option<TransactionTime>,
    /// Position of the record that begins it; none while nothing is logged.
    pub(super) position: LogPosition,
}

/// Work that has to wait until nobody can see what was before.
#[derive(Clone, Debug)]
pub(super) enum Cleanup {
    /// A committed version.
    Version(u32),
    /// A node that an undone insert left flag-deleted.
    Node { slot: DatabaseSlot, tree: crate::tree_write::TreeRoot, key: Vec<u8>, data: Vec<u8> },
}

/// The last leaf of a tree, as it was some time ago.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastLeaf {
    pub(super) slot: DatabaseSlot,
    pub(super) root: PageNumber,
    pub(super) page: PageNumber,
    pub(super) frame: FrameId,
}

/// Where the descent to a leaf went through its parent.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParentPlace {
    pub(super) page: PageNumber,
    pub(super) frame: FrameId,
    pub(super) line: usize,
}

/// The parent of a leaf whose end rows arrive at, in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownParent {
    pub(super) slot: DatabaseSlot,
    pub(super) root: PageNumber,
    pub(super) leaf: FrameId,
    pub(super) place: ParentPlace,
}

pub(super) struct Core {
    pub(super) settings: LiveSettings,
    pub(super) log: Option<Arc<dyn ChangeLog>>,
    pub(super) cache: PageCache,
    pub(super) slots: Vec<Option<Slot>>,
    pub(super) versions: VersionStore,
    pub(super) sessions: Vec<Option<OpenSession>>,
    pub(super) newest: TransactionTime,
    /// Position of the newest commit.
    pub(super) last_commit: LogPosition,
    /// Oldest first, with the time from which on its effect is what everybody sees.
    pub(super) cleanup: VecDeque<(TransactionTime, Cleanup)>,
    pub(super) counters: LiveCounters,
    pub(super) batch: RecordBatch,
    pub(super) scratch: Vec<u8>,
    pub(super) scratch_key: Vec<u8>,
    /// The last leaves of trees that were appended to lately.
    pub(super) last_leaves: [Option<LastLeaf>; 8],
    /// Of the last descent, unless the root is a leaf.
    pub(super) parent: Option<ParentPlace>,
    pub(super) parents_in_order: [Option<KnownParent>; 8],
    /// Where the page that a move comes to next was last seen.
    pub(super) neighbour: Option<FrameId>,
    /// Where roots were last seen.
    pub(super) roots: [FrameId; KNOWN_ROOTS],
    /// Where a walk through leaves goes on if they lie in order, and how many pages are read at once then.
    pub(super) read_ahead: (DatabaseSlot, PageNumber, u32),
    /// Walks whose next leaves are read by threads of their own.
    pub(super) walks: [super::ahead::Walk; super::ahead::WALKS],
    /// The tree of which a leaf was split last inside, and the key in front of which that was.
    pub(super) last_split: (DatabaseSlot, PageNumber, Vec<u8>),
    /// The page on which a deleted node without versions was met last.
    pub(super) dead_page: Option<(DatabaseSlot, PageNumber)>,
    /// The session of clean-up.
    pub(super) system: Option<TransactionState>,
}

impl Core {
    pub(super) fn new(settings: LiveSettings, log: Option<Arc<dyn ChangeLog>>) -> Self {
        let mut cache = PageCache::new(settings.page_size, settings.cache_bytes);
        if let Some(log) = &log {
            cache.set_write_ahead(Some(Arc::new(super::change_log::LogAhead(Arc::clone(log)))));
        }
        Self {
            newest: TransactionTime(settings.newest_transaction.0.wrapping_add(3) & !3),
            last_commit: LogPosition::NONE,
            settings,
            log,
            cache,
            slots: Vec::new(),
            versions: VersionStore::new(),
            sessions: Vec::new(),
            cleanup: VecDeque::new(),
            counters: LiveCounters::default(),
            batch: RecordBatch::new(),
            scratch: Vec::new(),
            scratch_key: Vec::new(),
            last_leaves: [None; 8],
            parent: None,
            parents_in_order: [None; 8],
            neighbour: None,
            roots: [FrameId::NONE; KNOWN_ROOTS],
            read_ahead: (DatabaseSlot(0), PageNumber::NONE, 1),
            walks: Default::default(),

            last_split: (DatabaseSlot(0), PageNumber::NONE, Vec::new()),
            dead_page: None,
            system: None,
        }
    }

    pub(super) fn slot(&self, slot: DatabaseSlot) -> Result<&Slot> {
        self.slots.get(usize::from(slot.0)).and_then(Option::as_ref).ok_or(LiveError::Slot(slot))
    }

    pub(super) fn slot_mut(&mut self, slot: DatabaseSlot) -> Result<&mut Slot> {
        self.slots.get_mut(usize::from(slot.0)).and_then(Option::as_mut).ok_or(LiveError::Slot(slot))
    }

    /// The next value of a database's update counter.
    pub(super) fn next_time(&mut self, slot: DatabaseSlot) -> Result<DbTime> {
        let slot = self.slot_mut(slot)?;
        slot.db_time = DbTime(slot.db_time.0.saturating_add(1));
        Ok(slot.db_time)
    }

    /// Whether changes of the database are logged.
    pub(super) fn is_logged(&self, slot: DatabaseSlot) -> Result<bool> {
        Ok(self.slot(slot)?.logged && self.log.is_some())
    }

    /// Who a transaction is when it reads. Outside transactions: what is committed now.
    pub(super) fn reader(&self, t: &TransactionState) -> Reader {
        if t.level() == 0 {
            Reader { owner: NOBODY, time: TransactionTime(self.newest.0.wrapping_add(2)) }
        } else {
            Reader { owner: t.token, time: t.begin }
        }
    }

    /// Fails unless the transaction may change something of a database. Keeps memory within its bounds.
    pub(super) fn may_change(&mut self, t: &TransactionState, slot: DatabaseSlot) -> Result<()> {
        if t.level() == 0 {
            return Err(LiveError::NotInTransaction);
        }
        let found = self.slot(slot)?;
        if t.read_only && !found.temporary {
            return Err(LiveError::TransactionReadOnly);
        }
        if found.read_only {
            return Err(LiveError::DatabaseReadOnly(slot));
        }
        let (_, bytes) = self.versions.size();
        if bytes >= self.settings.version_store_bytes {
            self.clean_versions(usize::MAX)?;
            let (_, bytes) = self.versions.size();
            if bytes >= self.settings.version_store_bytes {
                return Err(LiveError::VersionStoreFull { bytes });
            }
        }
        let (held, most) = self.cache.fill();
        if held > most {
            // Pages that wait for before-images cannot make room by themselves.
            self.write_back(LogPosition::MAX, held - most + WRITTEN_FOR_ROOM)?;
        }
        Ok(())
    }

    /// Starts a batch with what the transaction has begun and not logged yet.
    pub(super) fn begin_batch(&mut self, t: &TransactionState) -> Result<()> {
        self.batch.clear();
        let pending = t.level().saturating_sub(t.logged);
        if pending == 0 {
            return Ok(());
        }
        let levels = BeginLevels::new(t.logged, pending);
        let record = if t.logged == 0 {
            Record::Begin0(BeginOutermost { session: t.id, levels, transaction: t.begin })
        } else {
            Record::Begin(Begin { session: t.id, levels })
        };
        self.push(&record)
    }

    pub(super) fn push(&mut self, record: &Record<'_>) -> Result<()> {
        self.batch.push(record).map_err(|error: EncodeError| LiveError::Encode(error))
    }

    /// Appends the batch that [`begin_batch`](Self::begin_batch) started. Returns the position of its last record.
    pub(super) fn append(&mut self, t: &mut TransactionState) -> Result<LogPosition> {
        self.append_with(t, &mut |_, _| {})
    }

    pub(super) fn append_with(
        &mut self,
        t: &mut TransactionState,
        complete: &mut dyn FnMut(LogPosition, &mut RecordBatch),
    ) -> Result<LogPosition> {
        let Some(log) = &self.log else { return Ok(LogPosition::NONE) };
        let begin = (!t.position.is_none()).then_some(LogGeneration(t.position.generation));
        let appended = log.append(&mut self.batch, begin, complete)?;
        crate::thread_counters::records_appended(self.batch.len(), self.batch.byte_len());
        self.counters.records += self.batch.len() as u64;
        self.counters.record_bytes += self.batch.byte_len() as u64;
        if t.logged == 0 {
            t.position = appended.first;
            if let Some(session) = self.open_session_mut(t.token) {
                session.position = appended.first;
            }
        }
        t.logged = t.level();
        self.cache.set_replay_start(t.position);
        Ok(appended.last)
    }

    pub(super) fn open_session_mut(&mut self, token: u32) -> Option<&mut OpenSession> {
        self.sessions.get_mut(token as usize).and_then(Option::as_mut)
    }

    /// A page that must be there.
    #[inline]
    pub(super) fn fetch(&mut self, slot: DatabaseSlot, page: PageNumber) -> Result<FrameId> {
        Self::there(self.cache.fetch(slot, page)?, page)
    }

    #[inline]
    pub(super) fn there(fetched: Fetched, page: PageNumber) -> Result<FrameId> {
        match fetched {
            Fetched::Page(frame) => Ok(frame),
            Fetched::Uninitialized | Fetched::BeyondEnd => Err(TreeWriteError::MissingPage { page }.into()),
        }
    }

    /// What every reader of now and later sees at least: the begin of the oldest transaction.
    pub(super) fn oldest_reader(&self) -> TransactionTime {
        let now = TransactionTime(self.newest.0.wrapping_add(2));
        let begins = self.sessions.iter().flatten().filter_map(|s| s.begin);
        begins.fold(now, |oldest, begin| if begin.is_before(oldest) { begin } else { oldest })
    }
}
