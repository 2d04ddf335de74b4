//! Redo on several threads.
//!
//! One thread takes the records in their order and decides: which of them take part, which pages they change, what they
//! mean to sessions, versions and redo maps. For that it needs of a page nothing but its update counter, and knows that
//! also of a page whose changes are still to be made: each change says which counter it leaves. The changes of pages
//! themselves are made by workers. A page belongs to one worker, by its number, so that its changes are made in their
//! order; a macro is applied by each worker that has some of its pages, and nodes that go from a page of one worker to a
//! page of another are carried over ([`Parcel`](super::group::Parcel)).
//!
//! Work is handed over in rounds, one for each [`PositionedRecords`] at most, to all workers at the same time: no worker ever
//! waits for something that was not handed out yet.
//!
//! Everything else happens on the first thread and with all pages back ([`Redo::recall`]): records about databases, files
//! and whole trees, and each write. A change that fails is thus known before anything is written that lies behind it in
//! the log, and files come out as with one thread, write by write. The failure that is reported is the first in the log.

mod worker;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use ese_format::{DbTime, LogPosition, PageNumber, PageSize};

use super::change::TakenBack;
use super::error::{RedoError, RedoErrorKind};
use super::group::{GroupPlan, GroupRecords};
use super::kept::KeptBytes;
use super::positioned::PositionedRecords;
use super::session::Macro;
use super::{Redo, session};
use crate::page_cache::FrameId;
use worker::{Round, run};

/// Rounds that may be under way.
const ROUNDS_AHEAD: usize = 4;
/// Most workers: the thread that hands out work cannot feed more.
const MOST_WORKERS: usize = 8;

/// Changes that must have been handed over between two recalls for it to be worth it.
const WORTH_A_RECALL: u64 = 1000;
/// Fewest and most records that are replayed on the first thread alone after recalls that were not.
const REST: (u32, u32) = (64, 1 << 15);

/// What a worker is to do.
pub(super) enum Task {
    /// Change one node as the record says; `keep` what it overwrites.
    Node { frame: FrameId, record: u32, keep: bool },
    /// Make a page new.
    NewPage { frame: FrameId, record: u32 },
    /// Take back what a roll back took back.
    Undo { frame: FrameId, record: u32, taken: Option<Box<TakenBack>> },
    /// Do one's part of a macro.
    Group(Arc<GroupTask>),
}

/// A macro that is applied by several workers.
pub(super) struct GroupTask {
    position: LogPosition,
    slot: ese_log::record::DatabaseSlot,
    group: Macro,
    plan: GroupPlan,
}

/// The first change of a worker that failed.
#[derive(Debug)]
struct Failure {
    position: LogPosition,
    /// Which change of a macro it was.
    step: u32,
    kind: RedoErrorKind,
}

/// What a worker gives back when a round is done.
#[derive(Default)]
struct Done {
    /// Empty, for the next round.
    tasks: Vec<Task>,
    kept: KeptBytes,
    pages: Vec<(FrameId, Box<[u8]>)>,
    failure: Option<Failure>,
}

struct Worker {
    rounds: Option<Sender<Round>>,
    thread: Option<JoinHandle<()>>,
    /// The round that is being made up.
    tasks: Vec<Task>,
    pages: Vec<(FrameId, Box<[u8]>)>,
    /// It has pages.
    has_pages: bool,
}

/// The threads that change pages, and what is under way.
pub(super) struct Workers {
    workers: Vec<Worker>,
    done: Receiver<Done>,
    in_flight: usize,
    /// The records at hand, and which of them is.
    batch: Option<Arc<PositionedRecords>>,
    record: u32,
    /// Batches that may be in use, the oldest first.
    used: VecDeque<Arc<PositionedRecords>>,
    spare: Vec<(Vec<Task>, KeptBytes)>,
    failure: Option<Failure>,
    lost: bool,
    /// Changes handed over since the last recall.
    handed: u64,
    /// Records during which nothing is handed over; how many there are after the next recall that was not worth it.
    rest: u32,
    next_rest: u32,
}

impl Workers {
    fn start(count: usize, size: PageSize) -> Option<Self> {
        let (send, done) = channel();
        let mut workers = Vec::new();
        for _ in 0..count.min(MOST_WORKERS) {
            let (rounds, received) = channel();
            let send = send.clone();
            let work = move || run(size, &received, &send);
            let Ok(thread) = Builder::new().name("ese redo".to_owned()).spawn(work) else { break };
            workers.push(Worker {
                rounds: Some(rounds),
                thread: Some(thread),
                tasks: Vec::new(),
                pages: Vec::new(),
                has_pages: false,
            });
        }
        (!workers.is_empty()).then_some(Self {
            workers,
            done,
            in_flight: 0,
            batch: None,
            record: 0,
            used: VecDeque::new(),
            spare: Vec::new(),
            failure: None,
            lost: false,
            handed: 0,
            rest: 0,
            next_rest: REST.0,
        })
    }

    /// The worker of a page.
    fn owner(&self, page: PageNumber) -> usize {
        page.0 as usize % self.workers.len().max(1)
    }

    fn push(&mut self, worker: usize, task: Task) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.tasks.push(task);
            self.handed += 1;
        }
    }

    /// Waiting for the workers takes a while: where that comes too often, as with a cache that writes pages all the time,
    /// the first thread is quicker alone, and tries again later.
    fn judge_recall(&mut self) {
        if std::mem::take(&mut self.handed) < WORTH_A_RECALL {
            self.rest = self.next_rest;
            self.next_rest = (self.next_rest * 2).min(REST.1);
        } else {
            self.next_rest = REST.0;
        }
    }

    /// Hands out what was made up. `recall`: pages are to come back.
    fn send(&mut self, recall: bool) {
        let Some(batch) = &self.batch else { return };
        for worker in &mut self.workers {
            if worker.tasks.is_empty() && !(recall && worker.has_pages) {
                continue;
            }
            let (tasks, kept) = self.spare.pop().unwrap_or_default();
            worker.has_pages = !recall;
            let round = Round {
                batch: Arc::clone(batch),
                tasks: std::mem::replace(&mut worker.tasks, tasks),
                pages: std::mem::take(&mut worker.pages),
                kept,
                recall,
            };
            match worker.rounds.as_ref().map(|rounds| rounds.send(round)) {
                Some(Ok(())) => self.in_flight += 1,
                _ => self.lost = true,
            }
        }
    }

    /// Hands out what was made up of the batch at hand.
    fn close_batch(&mut self) {
        self.send(false);
        self.used.extend(self.batch.take());
    }

    fn receive(&mut self, wait: bool) -> Option<Done> {
        if self.in_flight == 0 {
            return None;
        }
        let done = if wait {
            self.done.recv().ok().or_else(|| {
                (self.lost, self.in_flight) = (true, 0);
                None
            })?
        } else {
            self.done.try_recv().ok()?
        };
        self.in_flight -= 1;
        Some(done)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.rounds = None;
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

impl Redo {
    /// From now on pages are changed by so many threads beside this one; fewer when the system has no more to give. Records
    /// must come [in batches](Self::apply_in_batch) then.
    pub fn start_workers(&mut self, count: usize) {
        self.workers = Workers::start(count, self.cache.page_size());
    }

    /// Waits for everything that is under way, and changes pages on this thread alone again.
    ///
    /// # Errors
    /// A change that failed: the first in the log.
    pub fn end_workers(&mut self) -> Result<(), RedoError> {
        let outcome = self.settle();
        self.workers = None;
        outcome
    }

    /// Waits for everything that is under way: pages are as they are after the last record.
    ///
    /// # Errors
    /// A change that failed: the first in the log.
    pub fn settle(&mut self) -> Result<(), RedoError> {
        self.recall().map_err(|kind| self.first_error(RedoError { position: self.position, kind }))
    }

    /// A batch is through: what it means to pages is handed out. Batches that are not needed any more come back.
    ///
    /// # Errors
    /// A change that failed: the first in the log.
    pub fn end_batch(&mut self) -> Result<Vec<PositionedRecords>, RedoError> {
        let Some(workers) = &mut self.workers else { return Ok(Vec::new()) };
        workers.close_batch();
        let most = ROUNDS_AHEAD * workers.workers.len();
        let mut is_well = true;
        while let Some(workers) = &mut self.workers {
            let wait = workers.in_flight > most;
            let Some(done) = workers.receive(wait) else { break };
            self.take_done(done);
        }
        let mut free = Vec::new();
        if let Some(workers) = &mut self.workers {
            is_well = workers.failure.is_none() && !workers.lost;
            while let Some(batch) = workers.used.pop_front() {
                match Arc::try_unwrap(batch) {
                    Ok(batch) => free.push(batch),
                    Err(batch) => {
                        workers.used.push_front(batch);
                        break;
                    }
                }
            }
        }
        if is_well { Ok(free) } else { self.settle().map(|()| free) }
    }

    /// The record at hand is the one at `index` of `batch`.
    pub(super) fn set_batch(&mut self, batch: &Arc<PositionedRecords>, index: usize) {
        let Some(workers) = &mut self.workers else { return };
        if !workers.batch.as_ref().is_some_and(|known| Arc::ptr_eq(known, batch)) {
            workers.close_batch();
            workers.batch = Some(Arc::clone(batch));
        }
        workers.record = index as u32;
        workers.rest = workers.rest.saturating_sub(1);
    }

    /// The record at hand is in no batch.
    pub(super) fn leave_batch(&mut self) {
        if let Some(workers) = &mut self.workers {
            workers.close_batch();
        }
    }

    /// Whether changes of pages can be handed over now.
    pub(super) fn hands_over(&self) -> bool {
        self.workers.as_ref().is_some_and(|w| w.batch.is_some() && w.rest == 0)
    }

    /// Has the owner of a page change it; `time` is its update counter then.
    pub(super) fn hand_over(
        &mut self,
        frame: FrameId,
        page: PageNumber,
        time: DbTime,
        make: impl FnOnce(FrameId, u32) -> Task,
    ) {
        let Some(owner) = self.lend_out(frame, page, time) else { return };
        if let Some(workers) = &mut self.workers {
            let task = make(frame, workers.record);
            workers.push(owner, task);
        }
    }

    /// Gives a page to its owner, unless that has it.
    fn lend_out(&mut self, frame: FrameId, page: PageNumber, time: DbTime) -> Option<usize> {
        self.cache.mark_changed(frame, self.position);
        let workers = self.workers.as_mut()?;
        let owner = workers.owner(page);
        if let Some(bytes) = self.cache.lend(frame, time)
            && let Some(worker) = workers.workers.get_mut(owner)
        {
            worker.pages.push((frame, bytes));
        }
        Some(owner)
    }

    /// Has the owners of its pages apply a macro.
    pub(super) fn hand_over_group(
        &mut self,
        slot: ese_log::record::DatabaseSlot,
        time: DbTime,
        group: Macro,
        mut plan: GroupPlan,
    ) {
        let mut owners = 0_u64;
        for (frame, page) in plan.changing().collect::<Vec<_>>() {
            if let Some(owner) = self.lend_out(frame, page, time) {
                owners |= 1 << owner;
            }
        }
        let Some(workers) = &mut self.workers else { return };
        plan.prepare_parcels(|from, to| workers.owner(from) != workers.owner(to));
        let task = Arc::new(GroupTask { position: self.position, slot, group, plan });
        for owner in (0..workers.workers.len()).filter(|o| owners >> o & 1 != 0) {
            workers.push(owner, Task::Group(Arc::clone(&task)));
        }
    }

    /// Waits until everything is done that was handed over, and has all pages back.
    ///
    /// # Errors
    /// [`RedoErrorKind::Stopped`] when a change failed; [`first_error`](Self::first_error) says which.
    pub(super) fn recall(&mut self) -> Result<(), RedoErrorKind> {
        let Some(workers) = &mut self.workers else { return Ok(()) };
        if !self.cache.has_lent() && workers.in_flight == 0 {
            return if workers.failure.is_none() { Ok(()) } else { Err(RedoErrorKind::Stopped) };
        }
        workers.judge_recall();
        if workers.batch.is_none() {
            // Between two batches nothing is made up, but pages are out.
            workers.batch = Some(Arc::new(PositionedRecords::default()));
            workers.send(true);
            workers.batch = None;
        } else {
            workers.send(true);
        }
        while let Some(done) = self.workers.as_mut().and_then(|w| w.receive(true)) {
            self.take_done(done);
        }
        match &self.workers {
            Some(workers) if workers.failure.is_some() => Err(RedoErrorKind::Stopped),
            Some(workers) if workers.lost || self.cache.has_lent() => Err(RedoErrorKind::WorkerLost),
            _ => Ok(()),
        }
    }

    fn take_done(&mut self, mut done: Done) {
        for (frame, bytes) in done.pages.drain(..) {
            self.cache.take_back(frame, bytes);
        }
        self.fill_versions(&mut done.kept);
        let Some(workers) = &mut self.workers else { return };
        if let Some(failure) = done.failure {
            let order = |f: &Failure| (f.position, f.step);
            // Who was only stopped by another has nothing to say.
            let is_first = workers.failure.as_ref().is_none_or(|known| order(&failure) < order(known));
            if !matches!(failure.kind, RedoErrorKind::Stopped) && is_first {
                workers.failure = Some(failure);
            }
        }
        workers.spare.push((done.tasks, done.kept));
    }

    /// The error that comes first in the log: `error`, or that of a change that was under way when it was met.
    pub(super) fn first_error(&mut self, error: RedoError) -> RedoError {
        let _ = self.recall();
        match self.workers.as_ref().and_then(|w| w.failure.as_ref()) {
            Some(failure) => RedoError { position: failure.position, kind: failure.kind.clone() },
            None => error,
        }
    }

    /// Replays the records of a macro.
    pub(super) fn replay_macro(&mut self, group: Macro, time: DbTime) -> Result<(), RedoErrorKind> {
        let outcome = match GroupRecords::of(&group) {
            Ok(GroupRecords::Split(splits, leaf)) => {
                let slot = splits.first().map(|s| s.page.database);
                self.plan_split(&splits, leaf).map(|plan| slot.zip(plan.map(GroupPlan::Split)))
            }
            Ok(GroupRecords::Merge(merges)) => {
                let slot = merges.first().map(|s| s.page.database);
                self.plan_merge(&merges).map(|plan| slot.zip(plan.map(GroupPlan::Merge)))
            }
            Ok(GroupRecords::RootMove(moved, records)) => {
                self.recall().and_then(|()| self.root_move(&moved, &records)).map(|()| None)
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(Some((slot, plan))) if self.hands_over() => {
                self.hand_over_group(slot, time, group, plan);
                Ok(())
            }
            Ok(Some((slot, plan))) => {
                let outcome = self.apply_group(slot, &group, &plan);
                self.sessions.recycle(group);
                outcome
            }
            outcome => {
                self.sessions.recycle(group);
                outcome.map(drop)
            }
        }
    }

    /// Applies a macro on this thread.
    fn apply_group(
        &mut self,
        slot: ese_log::record::DatabaseSlot,
        group: &session::Macro,
        plan: &GroupPlan,
    ) -> Result<(), RedoErrorKind> {
        let mut kept = std::mem::take(&mut self.kept);
        let outcome = plan.apply(group, &mut self.changing_pages(slot), &mut kept);
        self.fill_versions(&mut kept);
        self.kept = kept;
        outcome
    }
}
