//! Attached databases, pages on their way out, clean-up.

use std::collections::VecDeque;
use std::sync::Arc;

use ese_format::{LogPosition, PageNumber};
use ese_io::File;
use ese_log::record::{DatabaseSlot, FreedTreeKind, TransactionTime};

use super::core::{Cleanup, Core, Result, Slot};
use super::search::{Leaf, Way};
use super::store::LiveStore;
use super::version_store::Change;
use super::{LiveCounters, LiveError, LiveTrees, SlotFacts, TransactionState, Tree};
use crate::page_cache::FrameId;
use crate::tree_write::{TreeRoot, TreeWriter};

/// Work for clean-up beyond which nothing is added that is only tidy.
const MOST_NOTED: usize = 10_000;

impl LiveTrees {
    /// Puts a database file into a slot.
    ///
    /// # Errors
    /// [`LiveError::Slot`] when it is taken; when the file's length cannot be had.
    pub fn attach(&self, slot: DatabaseSlot, file: Arc<dyn File>, facts: SlotFacts) -> Result<()> {
        let mut core = self.core.lock();
        if core.slot(slot).is_ok() {
            return Err(LiveError::Slot(slot));
        }
        core.cache.attach(slot, file)?;
        core.cache.set_gate(slot, facts.gate.clone())?;
        if facts.temporary {
            core.cache.set_scratch(slot)?;
        }
        let index = usize::from(slot.0);
        if core.slots.len() <= index {
            core.slots.resize_with(index + 1, || None);
        }
        if let Some(place) = core.slots.get_mut(index) {
            *place = Some(Slot {
                db_time: facts.db_time,
                last_object: facts.last_object_id,
                logged: facts.logged,
                gate: facts.gate,
                largest_page: facts.largest_page,
                read_only: facts.read_only,
                versioned: facts.versioned,
                temporary: facts.temporary,
            });
        }
        Ok(())
    }

    /// Writes everything, makes it durable and empties the slot. No transaction may have changed the database and be open.
    ///
    /// # Errors
    /// What the log or the file system answers; the slot is not emptied then.
    pub fn detach(&self, slot: DatabaseSlot) -> Result<SlotFacts> {
        self.core.lock().clean_slot(slot)?;
        self.flush(slot)?;
        let mut core = self.core.lock();
        let facts = core.facts(slot)?;
        core.cache.abandon(slot);
        if let Some(place) = core.slots.get_mut(usize::from(slot.0)) {
            *place = None;
        }
        Ok(facts)
    }

    /// Empties a slot without writing: what has changed is lost, or left to recovery.
    pub fn abandon(&self, slot: DatabaseSlot) {
        let mut core = self.core.lock();
        for work in core.take_cleanup_of(slot) {
            if let Cleanup::Version(index) = work {
                core.versions.remove(index);
            }
        }
        core.cache.abandon(slot);
        if let Some(place) = core.slots.get_mut(usize::from(slot.0)) {
            *place = None;
        }
    }

    /// Writes every changed page of a database and makes the file durable. Waits for a [gate](SlotFacts::gate) that keeps
    /// pages back.
    ///
    /// # Errors
    /// What the log or the file system answers.
    pub fn flush(&self, slot: DatabaseSlot) -> Result<()> {
        loop {
            let left = {
                let mut core = self.core.lock();
                core.slot(slot)?;
                core.cache.begin_operation();
                let frames = core.cache.changed_of(slot);
                core.write_prepared(&frames)?;
                core.cache.sync(slot)?;
                core.cache.changed_of(slot).len()
            };
            if left == 0 {
                return Ok(());
            }
            std::thread::yield_now();
        }
    }

    /// What the header of a database must know.
    ///
    /// # Errors
    /// [`LiveError::Slot`].
    pub fn facts(&self, slot: DatabaseSlot) -> Result<SlotFacts> {
        let mut core = self.core.lock();
        core.slot(slot)?;
        core.cache.settle_length(slot)?;
        core.facts(slot)
    }

    /// The oldest log position that recovery would need: the begin of the oldest transaction that is open, or has changed a
    /// page that is not in its file yet. `None`: nothing. Pages that were written count as being in their files; see
    /// [`checkpoint_position`](Self::checkpoint_position).
    #[must_use]
    pub fn oldest_needed(&self) -> Option<LogPosition> {
        self.core.lock().oldest_needed()
    }

    /// As [`oldest_needed`](Self::oldest_needed), and the files are durable up to there: the checkpoint may move to it.
    ///
    /// # Errors
    /// What the file system answers.
    pub fn checkpoint_position(&self) -> Result<Option<LogPosition>> {
        let (position, commit, files, log) = {
            let mut core = self.core.lock();
            (core.oldest_needed(), core.last_commit, core.cache.take_unsynced()?, core.log.clone())
        };
        // The checkpoint must be in the durable log; and what is in the files of transactions that it leaves behind must
        // have committed for good.
        if let Some(log) = log {
            log.flush_to(position.unwrap_or(commit).max(commit))?;
        }
        for file in files {
            file.sync().map_err(crate::PageCacheError::Io)?;
        }
        Ok(position)
    }

    /// Writes pages for which the log is needed from before `older_than`, the oldest first, at most `budget_pages`. Returns how
    /// many were written; they are not durable yet.
    ///
    /// # Errors
    /// What the log or the file system answers.
    pub fn write_back(&self, older_than: LogPosition, budget_pages: usize) -> Result<usize> {
        let (mut frames, position, log) = {
            let mut core = self.core.lock();
            let frames = core.prepare_write_back(older_than, budget_pages)?;
            let position = frames.iter().map(|&frame| core.cache.last_change(frame)).max();
            (frames, position.unwrap_or_default(), core.log.clone())
        };
        if frames.is_empty() {
            return Ok(0);
        }
        // Others go on while the disk works.
        if let Some(log) = log {
            log.flush_to(position)?;
        }
        let pending = {
            let mut core = self.core.lock();
            core.cache.begin_operation();
            // What has changed again would have to wait for the log again.
            frames.retain(|&frame| core.cache.last_change(frame) <= position);
            core.cache.begin_writes(&frames)?
        };
        let written = pending.write();
        self.core.lock().cache.settle_writes();
        Ok(written?)
    }

    /// Forgets versions that nobody can see, at most `budget`, and removes what they kept. Whether there is more to do.
    ///
    /// # Errors
    /// Errors of pages and of the log; what is left is done another time.
    #[doc(alias = "ErrVERRCEClean")]
    pub fn clean_versions(&self, budget: usize) -> Result<bool> {
        self.core.lock().clean_versions(budget)
    }

    /// Whether every leaf of a tree keeps as much space free as rolling back the open transactions may claim. Reads the
    /// whole tree: for tests.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub fn keeps_room_for_rollbacks(&self, tree: &Tree) -> Result<bool> {
        let mut core = self.core.lock();
        let mut leaf = core.descend(tree, &[], &[])?;
        loop {
            let reserved = core.reserved_on(tree, &leaf)?;
            let image = core.cache.page(leaf.frame);
            if reserved > image.uncommitted_free() || reserved > image.free() {
                return Ok(false);
            }
            let page = image.next();
            if page.is_none() {
                return Ok(true);
            }
            core.cache.begin_operation();
            let frame = core.fetch(tree.slot, page)?;
            leaf = Leaf { frame, page, line: 0, exact: false };
        }
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> LiveCounters {
        let core = self.core.lock();
        let (pages_read, pages_written) = core.cache.transfers();
        let (versions, version_bytes) = core.versions.size();
        LiveCounters {
            cache_hits: core.cache.hits(),
            pages_read,
            pages_read_ahead: core.cache.read_before_asked(),
            pages_written,
            pages_cached: core.cache.fill().0 as u64,
            versions: versions as u64,
            version_bytes: version_bytes as u64,
            ..core.counters
        }
    }
}

impl Core {
    fn facts(&self, slot: DatabaseSlot) -> Result<SlotFacts> {
        let found = self.slot(slot)?;
        Ok(SlotFacts {
            db_time: found.db_time,
            last_object_id: found.last_object,
            logged: found.logged,
            gate: found.gate.clone(),
            largest_page: found.largest_page,
            read_only: found.read_only,
            versioned: found.versioned,
            temporary: found.temporary,
            last_page: self.cache.last_page(slot).unwrap_or(PageNumber(0)),
        })
    }

    /// A page holds a flag-deleted node that nobody can see: left by a crash, or by an undone insert.
    pub(super) fn note_dead_node(
        &mut self,
        slot: DatabaseSlot,
        tree: &TreeRoot,
        page: PageNumber,
        key: &[u8],
        data: &[u8],
    ) {
        if self.dead_page == Some((slot, page)) || self.cleanup.len() > MOST_NOTED {
            return;
        }
        self.dead_page = Some((slot, page));
        let node = Cleanup::Node { slot, tree: *tree, key: key.to_vec(), data: data.to_vec() };
        self.cleanup.push_back((self.newest, node));
    }

    fn oldest_needed(&mut self) -> Option<LogPosition> {
        let begun = self.sessions.iter().flatten().map(|s| s.position).filter(|p| !p.is_none()).min();
        self.cache.oldest_change().into_iter().chain(begun).min()
    }

    pub(super) fn write_back(&mut self, older_than: LogPosition, budget: usize) -> Result<usize> {
        let frames = self.prepare_write_back(older_than, budget)?;
        Ok(self.cache.write_frames(&frames)?)
    }

    /// The pages that a write back is to write, with their before-images logged.
    fn prepare_write_back(&mut self, older_than: LogPosition, budget: usize) -> Result<Vec<FrameId>> {
        self.cache.begin_operation();
        let frames = self.cache.changed_before(older_than, budget);
        for &frame in &frames {
            self.log_undo_info(frame)?;
        }
        Ok(frames)
    }

    fn write_prepared(&mut self, frames: &[FrameId]) -> Result<usize> {
        for &frame in frames {
            self.log_undo_info(frame)?;
        }
        Ok(self.cache.write_frames(frames)?)
    }

    pub(super) fn clean_versions(&mut self, budget: usize) -> Result<bool> {
        let oldest = self.oldest_reader();
        self.as_system(|core, system| core.clean_with(system, oldest, budget))
    }

    /// Forgets the oldest versions that nobody can see, at most `budget`, up to the first one that leaves work on pages.
    pub(super) fn forget_versions(&mut self, budget: usize) {
        let oldest = self.oldest_reader();
        for _ in 0..budget {
            let Some((time, Cleanup::Version(index))) = self.cleanup.front() else { return };
            let (time, index) = (*time, *index);
            let change = self.versions.get(index).map(|version| version.change);
            if !time.is_before(oldest)
                || matches!(change, Some(Change::FlagDelete | Change::DeleteTree { .. }))
            {
                return;
            }
            self.versions.remove(index);
            self.cleanup.pop_front();
        }
    }

    /// Cleans up everything of a database that nobody uses any more, whoever reads others.
    fn clean_slot(&mut self, slot: DatabaseSlot) -> Result<()> {
        self.slot(slot)?;
        let all = self.take_cleanup_of(slot);
        self.as_system(|core, system| {
            let mut outcome = Ok(());
            for work in all {
                // One failure does not keep the rest in memory.
                let done = core.clean(system, work);
                outcome = outcome.and(done);
            }
            outcome
        })
    }

    /// Takes the work that waits for a database out of the list.
    fn take_cleanup_of(&mut self, slot: DatabaseSlot) -> Vec<Cleanup> {
        let mut taken = Vec::new();
        let mut rest = VecDeque::new();
        for (time, work) in std::mem::take(&mut self.cleanup) {
            let of = match &work {
                Cleanup::Version(index) => self.versions.get(*index).map(|v| v.slot),
                Cleanup::Node { slot, .. } => Some(*slot),
            };
            if of == Some(slot) {
                taken.push(work);
            } else {
                rest.push_back((time, work));
            }
        }
        self.cleanup = rest;
        taken
    }

    /// Does something in the session of the engine itself; a transaction that it begins is committed.
    pub(super) fn as_system<T>(
        &mut self,
        work: impl FnOnce(&mut Self, &mut TransactionState) -> Result<T>,
    ) -> Result<T> {
        let mut system = match self.system.take() {
            Some(system) => system,
            None => self.open_session(self.settings.system_session),
        };
        let outcome = work(self, &mut system);
        if system.level() > 0 {
            // What was cleaned stays so, even when the rest failed.
            let ended = self.commit(&mut system);
            if let Err(error) = ended {
                system.marks.clear();
                self.system = Some(system);
                return Err(error);
            }
        }
        self.system = Some(system);
        outcome
    }

    fn clean_with(
        &mut self,
        system: &mut TransactionState,
        oldest: TransactionTime,
        budget: usize,
    ) -> Result<bool> {
        for _ in 0..budget {
            match self.cleanup.front() {
                None => return Ok(false),
                Some((time, _)) if !time.is_before(oldest) => return Ok(false),
                Some(_) => {}
            }
            let Some((_, work)) = self.cleanup.pop_front() else { return Ok(false) };
            self.clean(system, work)?;
        }
        Ok(self.cleanup.front().is_some_and(|(time, _)| time.is_before(oldest)))
    }

    fn clean(&mut self, system: &mut TransactionState, work: Cleanup) -> Result<()> {
        match work {
            Cleanup::Version(index) => self.clean_version(system, index),
            Cleanup::Node { slot, tree, key, data } => self.clean_node(system, slot, &tree, &key, &data),
        }
    }

    fn clean_version(&mut self, system: &mut TransactionState, index: u32) -> Result<()> {
        let Some(version) = self.versions.get(index) else { return Ok(()) };
        let (slot, tree, change) = (version.slot, version.tree, version.change);
        match change {
            Change::DeleteTree { parent } => {
                let time = version.commit;
                self.versions.remove(index);
                if self.slot(slot).is_err() {
                    return Ok(());
                }
                // Tables hang below the database, their indexes and long values below them.
                let is_table = parent == PageNumber::DATABASE_ROOT;
                let kind = if is_table { FreedTreeKind::TABLE } else { FreedTreeKind::INDEX };
                self.system_transaction(system)?;
                self.free_tree(system, slot, &tree, kind, time)
            }
            Change::FlagDelete => {
                let (key, data) = (version.key().to_vec(), version.data().to_vec());
                self.versions.remove(index);
                self.clean_node(system, slot, &tree, &key, &data)
            }
            _ => {
                self.versions.remove(index);
                Ok(())
            }
        }
    }

    pub(super) fn system_transaction(&mut self, system: &mut TransactionState) -> Result<()> {
        if system.level() == 0 { self.begin(system, false) } else { Ok(()) }
    }

    /// Removes a deleted node of a tree without versions.
    pub(super) fn clean_at_once(&mut self, tree: &Tree, key: &[u8], data: &[u8]) -> Result<()> {
        self.as_system(|core, system| core.clean_node(system, tree.slot, &tree.root, key, data))
    }

    /// Removes a node for good if it is flag-deleted and has no versions.
    fn clean_node(
        &mut self,
        system: &mut TransactionState,
        slot: DatabaseSlot,
        tree: &TreeRoot,
        key: &[u8],
        data: &[u8],
    ) -> Result<()> {
        if self.slot(slot).map_or(true, |s| s.read_only)
            || self.versions.newest(slot, tree.root, key, data).is_some()
        {
            return Ok(());
        }
        self.cache.begin_operation();
        let leaf = self.descend_in(slot, tree, Way::Bookmark(key, data))?;
        if !leaf.exact {
            return Ok(());
        }
        let image = self.cache.page(leaf.frame);
        let edit = LiveError::edit(leaf.page);
        if !image.node(leaf.line).map_err(&edit)?.is_deleted() {
            return Ok(());
        }
        self.system_transaction(system)?;
        let mut writer = TreeWriter::new(LiveStore::new(self, system, slot));
        if writer.clean(tree, key, data)? {
            self.counters.nodes_cleaned += 1;
        }
        Ok(())
    }

    /// A state that takes no part in anything: for reading.
    pub(super) fn detached_state(&self) -> TransactionState {
        TransactionState {
            id: self.settings.system_session,
            token: super::version_store::NOBODY,
            marks: Vec::new(),
            read_only: true,
            begin: TransactionTime(0),
            logged: 0,
            position: LogPosition::NONE,
            versions: Vec::new(),
            unversioned: false,
        }
    }
}
