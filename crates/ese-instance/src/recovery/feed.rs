//! The records of the generations, one after the other: read, verified and put together ahead of redo.
//!
//! With more than one thread [`Feed`] does this on a thread of its own while earlier records are replayed; with one it
//! does the same steps when the next one is asked for. Redo sees the same steps in the same order either way.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::Scope;

use ese_btree::{PagePrefetch, PositionedRecords};
use ese_format::{LogGeneration, LogPosition, PageNumber};
use ese_io::Storage;
use ese_log::record::{NodePrefix, Record};
use ese_log::{EndOfLog, GenerationReader, LogError, OpenLog, ScanOptions};

use super::error::RecoveryError;
use super::source::{Generation, LogSource, check_continuity};

/// Bytes of records handed over at a time.
const BATCH_BYTES: usize = 256 << 10;
const NO_PAGE: PageNumber = PageNumber::NONE;
/// Batches that may wait for redo.
const BATCHES_AHEAD: usize = 4;

/// What comes next.
pub(super) enum Step {
    /// A generation that follows the one before; its records come next.
    Generation(Generation),
    /// Records of it.
    Records(PositionedRecords),
    /// It ended in order.
    End(Box<EndOfLog>),
    /// The next generation cannot be used. Nothing follows.
    Unusable(LogGeneration, RecoveryError),
    /// The generation that was begun is damaged behind the records delivered. Nothing follows.
    Damaged(RecoveryError),
}

/// What is asked of the logs.
#[derive(Clone, Copy)]
pub(super) struct FeedRequest {
    pub(super) generation: LogGeneration,
    /// Where redo begins in it.
    pub(super) position: LogPosition,
    /// Whether the whole body of a generation is judged before any of it is delivered.
    pub(super) judge_first: bool,
}

/// A generation that is being read.
struct Reading {
    reader: GenerationReader,
    log: OpenLog,
    options: ScanOptions,
    is_current: bool,
}

/// Makes the steps.
pub(super) struct Feeder<'a> {
    source: &'a LogSource,
    storage: &'a dyn Storage,
    request: FeedRequest,
    reading: Option<Reading>,
    previous: Option<(OpenLog, EndOfLog)>,
    /// What comes behind the records read before.
    pending: Option<Step>,
    spare: Vec<PositionedRecords>,
    done: bool,
    /// Told which pages the records name.
    prefetch: Option<Arc<PagePrefetch>>,
}

impl Feeder<'_> {
    fn step(&mut self) -> Option<Step> {
        if let Some(step) = self.pending.take() {
            return Some(step);
        }
        if self.done {
            return None;
        }
        let step = match self.reading.take() {
            Some(reading) => Some(self.read(reading)),
            None => self.open(),
        };
        self.done |= matches!(step, None | Some(Step::Unusable(..) | Step::Damaged(_)));
        step
    }

    fn open(&mut self) -> Option<Step> {
        let generation = self.request.generation;
        match self.open_next() {
            Ok(Some(opened)) => {
                let Generation { log, options, is_current } = &opened;
                let reader = log.records(self.request.position, *options);
                let (log, options, is_current) = (log.clone(), *options, *is_current);
                self.reading = Some(Reading { reader, log, options, is_current });
                Some(Step::Generation(opened))
            }
            Ok(None) => None,
            Err(error) => Some(Step::Unusable(generation, error)),
        }
    }

    /// Opens a generation that has to follow the last one.
    fn open_next(&self) -> Result<Option<Generation>, RecoveryError> {
        let Some(opened) = self.source.generation(self.storage, self.request.generation)? else {
            return Ok(None);
        };
        if let Some((log, end)) = &self.previous {
            check_continuity(log, end, &opened.log)?;
        }
        if self.request.judge_first {
            check_end(&opened.log, &opened.log.scan(opened.options)?, opened.options)?;
        }
        Ok(Some(opened))
    }

    fn read(&mut self, mut reading: Reading) -> Step {
        let mut batch = self.spare.pop().unwrap_or_default();
        let ended = loop {
            match reading.reader.next() {
                Ok(Some(record)) => {
                    if let Some(prefetch) = &self.prefetch {
                        want_pages(prefetch, record.bytes);
                    }
                    batch.push(record.position, record.bytes);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            if batch.byte_len() >= BATCH_BYTES {
                self.reading = Some(reading);
                return Step::Records(batch);
            }
        };
        let step = match ended.and_then(|()| self.close(reading)) {
            Ok(end) => Step::End(Box::new(end)),
            Err(error) => {
                self.done = true;
                Step::Damaged(error.into())
            }
        };
        if batch.is_empty() {
            return step;
        }
        self.pending = Some(step);
        Step::Records(batch)
    }

    /// The end of a generation; the next one is on.
    fn close(&mut self, reading: Reading) -> Result<EndOfLog, LogError> {
        let end = reading.reader.finish()?;
        check_end(&reading.log, &end, reading.options)?;
        self.previous = Some((reading.log, end.clone()));
        self.request.generation = LogGeneration(self.request.generation.0.saturating_add(1));
        self.request.position = LogPosition::new(self.request.generation.0, 0, 0);
        self.done = reading.is_current;
        Ok(end)
    }
}

/// Asks for the pages that a record reads.
fn want_pages(prefetch: &PagePrefetch, record: &[u8]) {
    let Ok(record) = Record::decode(record) else { return };
    let node =
        |prefix: &NodePrefix| (prefix.page.database, [prefix.page.page_number, NO_PAGE, NO_PAGE, NO_PAGE]);
    let (slot, pages) = match &record {
        Record::Insert(r) => node(&r.node),
        Record::FlagInsert(r) => node(&r.node),
        Record::FlagInsertAndReplaceData(r) => node(&r.node),
        Record::FlagDelete(r) | Record::Delete(r) => node(&r.node),
        Record::Replace(r) | Record::ReplaceDiff(r) => node(&r.node),
        Record::Undo(r) => node(&r.node),
        Record::Delta(r) => node(&r.node),
        Record::Delta64(r) => node(&r.node),
        Record::SetExternalHeader(r) => node(&r.node),
        Record::EmptyTree(r) => node(&r.node),
        Record::Scrub(r) => node(&r.node),
        Record::Split(r) => {
            (r.page.database, [r.page.page_number, r.fields.right_page, r.fields.parent_page, NO_PAGE])
        }
        Record::Merge(r) => {
            let fields = &r.fields;
            (r.page.database, [r.page.page_number, fields.right_page, fields.left_page, fields.parent_page])
        }
        Record::PageMove(r) => {
            (r.page.database, [r.page.page_number, r.left_page, r.right_page, r.parent_page])
        }
        Record::ConvertFdp2(r) => {
            (r.convert.page.database, [r.convert.page.page_number, NO_PAGE, NO_PAGE, NO_PAGE])
        }
        _ => return,
    };
    for page in pages {
        prefetch.want(slot, page);
    }
}

fn check_end(log: &OpenLog, end: &EndOfLog, options: ScanOptions) -> Result<(), LogError> {
    match end.defect {
        Some(defect) => Err(LogError::Damaged {
            file: log.path().to_path_buf(),
            position: end.end,
            defect,
            context: options.context,
        }),
        None => Ok(()),
    }
}

/// Where redo takes the steps from.
pub(super) enum Feed<'a> {
    /// Made when they are asked for.
    Inline(Box<Feeder<'a>>),
    /// Made ahead by a thread.
    Ahead { steps: Receiver<Step>, spare: Sender<PositionedRecords> },
}

impl<'a> Feed<'a> {
    /// Steps from `request` on; ahead on a thread of `scope` where one is given and the system has one.
    pub(super) fn start<'s>(
        source: &'a LogSource,
        storage: &'a dyn Storage,
        request: FeedRequest,
        scope: Option<&'s Scope<'s, '_>>,
        prefetch: Option<Arc<PagePrefetch>>,
    ) -> Self
    where
        'a: 's,
    {
        let feeder = |prefetch| Feeder {
            source,
            storage,
            request,
            reading: None,
            previous: None,
            pending: None,
            spare: Vec::new(),
            done: false,
            prefetch,
        };
        if let Some(scope) = scope {
            let (send, steps) = sync_channel(BATCHES_AHEAD);
            let (spare, returned) = channel();
            let mut feeder = feeder(prefetch);
            let work = move || run_ahead(&mut feeder, &send, &returned);
            if std::thread::Builder::new().name("ese log feed".to_owned()).spawn_scoped(scope, work).is_ok() {
                return Self::Ahead { steps, spare };
            }
        }
        Self::Inline(Box::new(feeder(None)))
    }

    /// The next step; `None` at the end of the logs.
    pub(super) fn next(&mut self) -> Option<Step> {
        match self {
            Self::Inline(feeder) => feeder.step(),
            Self::Ahead { steps, .. } => steps.recv().ok(),
        }
    }

    /// Gives a batch back whose records were replayed.
    pub(super) fn give_back(&mut self, mut batch: PositionedRecords) {
        batch.clear();
        match self {
            Self::Inline(feeder) => feeder.spare.push(batch),
            // A thread that is done needs no more.
            Self::Ahead { spare, .. } => drop(spare.send(batch)),
        }
    }
}

/// The thread: it waits when enough is ready, and ends when redo is not interested any more.
fn run_ahead(feeder: &mut Feeder<'_>, steps: &SyncSender<Step>, returned: &Receiver<PositionedRecords>) {
    loop {
        feeder.spare.extend(returned.try_iter());
        let Some(step) = feeder.step() else { return };
        if steps.send(step).is_err() {
            return;
        }
    }
}
