//! Pages that are written while others use the cache: their bytes are copied, go to the file without the cache, and the
//! outcome is taken over when somebody who has the cache asks for it.
//!
//! While a page is on its way it stays in memory, and is not written a second time; it may be changed, and is changed again
//! then. Whatever needs to know what is in the files, or takes pages away, [waits](PageCache::settle_writes) first.

use std::sync::Arc;

use ese_format::{LogPosition, PageNumber};
use ese_io::{AlignedBuffer, File};
use ese_log::record::DatabaseSlot;
use parking_lot::{Condvar, Mutex};

use super::{FrameId, PageCache, PageCacheError, PageWriteGate};

/// What became of the runs: `None` while they are written. One that is missing was not written.
#[derive(Default)]
struct Outcome {
    written: Mutex<Option<Vec<bool>>>,
    known: Condvar,
}

/// Writes that begun and are not taken over.
pub(super) struct InFlight {
    outcome: Arc<Outcome>,
    runs: Vec<RunInFlight>,
    /// Where replay has to begin as long as they are not in their files.
    first_change: Option<LogPosition>,
}

struct RunInFlight {
    slot: DatabaseSlot,
    first: PageNumber,
    frames: Vec<FrameInFlight>,
}

struct FrameInFlight {
    index: usize,
    first_change: LogPosition,
    last_change: LogPosition,
}

/// Neighbouring pages, copied.
struct Run {
    pages: std::ops::Range<PageNumber>,
    offset: u64,
    bytes: AlignedBuffer,
    file: Arc<dyn File>,
    gate: Option<Arc<dyn PageWriteGate>>,
}

/// Pages that are to be written without the cache.
pub(crate) struct PendingWrites {
    runs: Vec<Run>,
    outcome: Arc<Outcome>,
    written: Vec<bool>,
}

impl PendingWrites {
    /// Writes them. Returns how many; those that the file's [gate](PageWriteGate) keeps back stay changed.
    ///
    /// # Errors
    /// What the file system answers: what was not written stays changed.
    pub(crate) fn write(mut self) -> Result<usize, PageCacheError> {
        let mut pages = 0;
        for run in std::mem::take(&mut self.runs) {
            let mut outcome = Ok(());
            let mut write = || outcome = run.file.write_at(run.offset, &run.bytes);
            let allowed = match &run.gate {
                Some(gate) => gate.write(run.pages.clone(), &mut write),
                None => {
                    write();
                    true
                }
            };
            self.written.push(allowed && outcome.is_ok());
            outcome?;
            if allowed {
                pages += (run.pages.end.0 - run.pages.start.0) as usize;
            }
        }
        Ok(pages)
    }
}

impl Drop for PendingWrites {
    fn drop(&mut self) {
        *self.outcome.written.lock() = Some(std::mem::take(&mut self.written));
        self.outcome.known.notify_all();
    }
}

impl PageCache {
    /// Copies those of `frames` that are changed and may be written; whoever has the copies writes them. Writes that begun
    /// before are waited for.
    ///
    /// # Errors
    /// What the log answers: nothing was begun then.
    pub(crate) fn begin_writes(&mut self, frames: &[FrameId]) -> Result<PendingWrites, PageCacheError> {
        self.refuse_lent()?;
        self.settle_writes();
        let mut runs = Vec::new();
        for (slot, first, indexes) in self.writable_runs(frames) {
            let (bytes, position) = self.image_of_run(first, &indexes);
            if let Some(log) = &self.write_ahead {
                log.before_write(slot, position)?;
            }
            let file = self.file(slot)?;
            let run = Run {
                pages: first..PageNumber(first.0 + indexes.len() as u32),
                offset: first.file_offset(self.size),
                bytes,
                file: Arc::clone(&file.file),
                gate: file.gate.clone(),
            };
            runs.push((run, RunInFlight { slot, first, frames: Vec::new() }, indexes));
        }
        let outcome = Arc::<Outcome>::default();
        let mut in_flight = InFlight { outcome: Arc::clone(&outcome), runs: Vec::new(), first_change: None };
        let mut pending = PendingWrites { runs: Vec::new(), outcome, written: Vec::new() };
        for (run, mut part, indexes) in runs {
            for index in indexes {
                let Some(frame) = self.frames.get_mut(index) else { continue };
                let (first_change, last_change) = (frame.first_change, frame.last_change);
                self.changed.remove(&(first_change, index));
                frame.writing = true;
                frame.dirty = false;
                frame.first_change = LogPosition::NONE;
                frame.last_change = LogPosition::NONE;
                if !first_change.is_none() {
                    let first = in_flight.first_change.unwrap_or(first_change);
                    in_flight.first_change = Some(first.min(first_change));
                }
                part.frames.push(FrameInFlight { index, first_change, last_change });
            }
            pending.runs.push(run);
            in_flight.runs.push(part);
        }
        if !in_flight.runs.is_empty() {
            self.in_flight = Some(in_flight);
        }
        Ok(pending)
    }

    /// Waits for the pages that are on their way, and takes over what became of them.
    pub(crate) fn settle_writes(&mut self) {
        let Some(in_flight) = self.in_flight.take() else { return };
        let written = {
            let mut written = in_flight.outcome.written.lock();
            while written.is_none() {
                in_flight.outcome.known.wait(&mut written);
            }
            written.take().unwrap_or_default()
        };
        for (place, run) in in_flight.runs.into_iter().enumerate() {
            if written.get(place).copied().unwrap_or(false) {
                self.run_was_written(&run);
            } else {
                self.run_stays_changed(&run);
            }
        }
    }

    /// Where replay has to begin for the pages that are on their way.
    pub(super) fn oldest_in_flight(&self) -> Option<LogPosition> {
        self.in_flight.as_ref().and_then(|in_flight| in_flight.first_change)
    }

    fn run_was_written(&mut self, run: &RunInFlight) {
        let last = run.first.0 + (run.frames.len() as u32).saturating_sub(1);
        if let Ok(file) = self.file_mut(run.slot) {
            file.unsynced = true;
            file.file_pages = file.file_pages.max(last);
        }
        if let Some(prefetch) = &self.prefetch {
            prefetch.forget(run.slot, run.first, PageNumber(last));
            prefetch.set_last(run.slot, last);
        }
        self.pages_written += run.frames.len() as u64;
        for part in &run.frames {
            if let Some(frame) = self.frames.get_mut(part.index) {
                frame.writing = false;
            }
        }
    }

    fn run_stays_changed(&mut self, run: &RunInFlight) {
        for part in &run.frames {
            let Some(frame) = self.frames.get_mut(part.index) else { continue };
            frame.writing = false;
            if frame.dirty {
                self.changed.remove(&(frame.first_change, part.index));
            }
            frame.dirty = true;
            let since = [part.first_change, frame.first_change];
            frame.first_change =
                since.into_iter().filter(|p| !p.is_none()).min().unwrap_or(LogPosition::NONE);
            frame.last_change = frame.last_change.max(part.last_change);
            if !frame.first_change.is_none() {
                self.changed.insert((frame.first_change, part.index));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ese_format::{DbTime, ObjectId, PageSize};
    use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};

    use super::*;

    const SLOT: DatabaseSlot = DatabaseSlot(1);
    const SIZE: usize = 4096;

    fn cache() -> (MemoryStorage, PageCache) {
        let storage = MemoryStorage::new();
        let file = storage.open(Path::new("/db"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
        file.set_len(402 * SIZE as u64).unwrap();
        let mut cache = PageCache::new(PageSize::new(SIZE as u32).unwrap(), 0);
        cache.attach(SLOT, file).unwrap();
        (storage, cache)
    }

    fn at(segment: u16) -> LogPosition {
        LogPosition::new(1, segment, 0)
    }

    fn changed(cache: &mut PageCache, number: u32) -> FrameId {
        cache.begin_operation();
        let frame = cache.create(SLOT, PageNumber(number)).unwrap();
        let mut page = cache.page_mut(frame, at(number as u16));
        page.initialize(PageNumber(number), ObjectId(2), DbTime(100));
        page.consume(0);
        frame
    }

    /// The update counter of a page as the file has it.
    fn stored(storage: &MemoryStorage, number: usize) -> u8 {
        storage.get("/db").unwrap()[(number + 1) * SIZE + 8]
    }

    #[test]
    fn a_page_that_is_changed_on_its_way_is_written_again() {
        let (storage, mut cache) = cache();
        let frames: Vec<_> = (1..=3).map(|number| changed(&mut cache, number)).collect();
        let pending = cache.begin_writes(&frames).unwrap();
        assert_eq!(stored(&storage, 1), 0, "nobody has written it");
        // It counts as not being in the file, and no second copy leaves.
        assert_eq!(cache.oldest_change(), Some(at(1)));
        cache.page_mut(frames[1], at(9)).set_db_time(DbTime(109));
        assert_eq!(cache.write_frames(&frames).unwrap(), 0);
        assert_eq!(pending.write().unwrap(), 3);
        assert_eq!(cache.oldest_change(), Some(at(1)), "nobody has asked what became of it");
        cache.settle_writes();
        assert_eq!([1, 2, 3].map(|number| stored(&storage, number)), [100; 3]);
        assert_eq!(cache.oldest_change(), Some(at(9)));
        cache.flush(SLOT).unwrap();
        assert_eq!(stored(&storage, 2), 109);
        assert_eq!(cache.oldest_change(), None);
    }

    #[test]
    fn what_was_not_written_stays_changed() {
        let (storage, mut cache) = cache();
        let frames = [changed(&mut cache, 4), changed(&mut cache, 5)];
        let pending = cache.begin_writes(&frames).unwrap();
        cache.page_mut(frames[0], at(9)).set_db_time(DbTime(109));
        drop(pending);
        cache.settle_writes();
        assert_eq!(cache.oldest_change(), Some(at(4)));
        cache.flush(SLOT).unwrap();
        assert_eq!((stored(&storage, 4), stored(&storage, 5)), (109, 100));
    }

    #[test]
    fn pages_on_their_way_stay_in_memory() {
        let (storage, mut cache) = cache();
        let frames: Vec<_> = (1..=20).map(|number| changed(&mut cache, number)).collect();
        let pending = cache.begin_writes(&frames).unwrap();
        // Far more than there is room for.
        for number in 21..=300 {
            changed(&mut cache, number);
        }
        for (number, frame) in (1..).zip(&frames) {
            assert!(cache.still_holds(*frame, SLOT, PageNumber(number)));
        }
        assert_eq!(pending.write().unwrap(), 20);
        cache.flush(SLOT).unwrap();
        assert!((1..=300).all(|number| stored(&storage, number) == 100));
    }

    #[test]
    fn whoever_needs_the_file_waits() {
        let (storage, mut cache) = cache();
        let frames = [changed(&mut cache, 1), changed(&mut cache, 2)];
        let pending = cache.begin_writes(&frames).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::yield_now();
                pending.write().unwrap()
            });
            cache.detach(SLOT).unwrap();
            assert_eq!((stored(&storage, 1), stored(&storage, 2)), (100, 100));
        });
    }
}
