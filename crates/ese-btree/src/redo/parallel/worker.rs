//! The thread that changes pages.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use ese_format::{LogPosition, PageSize};
use ese_log::record::Record;

use super::{Done, Failure, GroupTask, Task};
use crate::page_cache::FrameId;
use crate::page_edit::PageImage;
use crate::redo::change::{ChangeTools, change_new_page, change_node, change_undo};
use crate::redo::error::RedoErrorKind;
use crate::redo::group::{ChangingPages, LentPages, PageStore};
use crate::redo::kept::KeptBytes;
use crate::redo::positioned::PositionedRecords;

/// What is handed out together.
pub(super) struct Round {
    pub(super) batch: Arc<PositionedRecords>,
    pub(super) tasks: Vec<Task>,
    /// Pages that the tasks change and the worker does not have yet.
    pub(super) pages: Vec<(FrameId, Box<[u8]>)>,
    pub(super) kept: KeptBytes,
    /// All pages are to come back when the tasks are done.
    pub(super) recall: bool,
}

struct State {
    size: PageSize,
    pages: LentPages,
    scratch: Vec<u8>,
    /// A change failed: nothing is changed any more.
    failed: bool,
}

/// Does what comes until nothing can come any more.
pub(super) fn run(size: PageSize, rounds: &Receiver<Round>, done: &Sender<Done>) {
    let mut state = State { size, pages: LentPages::default(), scratch: Vec::new(), failed: false };
    while let Ok(mut round) = rounds.recv() {
        for (frame, bytes) in round.pages.drain(..) {
            state.pages.put(frame, bytes);
        }
        let mut kept = std::mem::take(&mut round.kept);
        let mut failure = None;
        for task in &mut round.tasks {
            if !state.failed {
                let outcome = catch_unwind(AssertUnwindSafe(|| state.work(&round.batch, task, &mut kept)));
                let lost =
                    || Failure { position: LogPosition::NONE, step: 0, kind: RedoErrorKind::WorkerLost };
                if let Err(error) = outcome.unwrap_or_else(|_| Err(lost())) {
                    failure = Some(error);
                    state.failed = true;
                }
            }
            if state.failed
                && let Task::Group(task) = task
            {
                // Others must not wait for what will not come.
                let store = PageStore::Lent { pages: &mut state.pages, size };
                task.plan.give_up_parcels(&store);
            }
        }
        let Round { batch, mut tasks, recall, .. } = round;
        tasks.clear();
        drop(batch);
        let pages = if recall { state.pages.take_all() } else { Vec::new() };
        if done.send(Done { tasks, kept, pages, failure }).is_err() {
            return;
        }
    }
}

impl State {
    fn work(
        &mut self,
        batch: &PositionedRecords,
        task: &mut Task,
        kept: &mut KeptBytes,
    ) -> Result<(), Failure> {
        let (frame, index) = match task {
            Task::Node { frame, record, .. }
            | Task::NewPage { frame, record }
            | Task::Undo { frame, record, .. } => (*frame, *record),
            Task::Group(task) => return self.group(task, kept),
        };
        let (position, bytes) = batch.get(index as usize).unwrap_or((LogPosition::NONE, &[]));
        self.single(task, frame, bytes, kept).map_err(|kind| Failure { position, step: 0, kind })
    }

    fn single(
        &mut self,
        task: &Task,
        frame: FrameId,
        bytes: &[u8],
        kept: &mut KeptBytes,
    ) -> Result<(), RedoErrorKind> {
        let buffer = self.pages.get_mut(frame).ok_or(RedoErrorKind::WorkerLost)?;
        let mut page = PageImage::of_frame(buffer, self.size);
        match (task, Record::decode(bytes)?) {
            (Task::Node { keep, .. }, record) => {
                let kept = keep.then_some(kept);
                let tools = ChangeTools { size: self.size, scratch: &mut self.scratch, kept };
                change_node(&mut page, &record, tools)
            }
            (Task::NewPage { .. }, Record::NewPage(r)) => {
                change_new_page(&mut page, r.page_number, r.object, r.db_time);
                Ok(())
            }
            (Task::Undo { taken, .. }, Record::Undo(r)) => change_undo(&mut page, &r.node, taken.as_deref()),
            (_, record) => Err(RedoErrorKind::Unsupported(record.kind())),
        }
    }

    fn group(&mut self, task: &GroupTask, kept: &mut KeptBytes) -> Result<(), Failure> {
        let mut pages = ChangingPages {
            store: PageStore::Lent { pages: &mut self.pages, size: self.size },
            slot: task.slot,
            targets: Vec::new(),
            step: 0,
        };
        let outcome = task.plan.apply(&task.group, &mut pages, kept);
        outcome.map_err(|kind| Failure { position: task.position, step: pages.step, kind })
    }
}
