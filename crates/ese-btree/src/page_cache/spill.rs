//! Where pages go that must leave memory and may not be written to their database yet.
//!
//! During redo a page with an uncommitted replace or delete is such a page: its before-image is in no log, and none can be
//! written before redo is done. Where a transaction holds more of them than the cache has room for, they are kept in a
//! file of their own. It belongs to one run: a crash finds the database as it was, and replay makes the pages again.

use std::collections::HashMap;
use std::sync::Arc;

use ese_format::{LogPosition, PageNumber, PageSize};
use ese_io::{File, IoError};
use ese_log::record::DatabaseSlot;

use super::hash::PageHash;
use super::{Fetched, FrameId, PageCache, PageCacheError, key};

/// Makes the file when it is needed first.
pub type SpillFile = dyn Fn() -> Result<Arc<dyn File>, IoError> + Send + Sync;

/// Pages that leave together.
const SPILLED_TOGETHER: usize = 16;

/// What a frame was when its page left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spilled {
    place: u32,
    pub(super) pins: u32,
    pub(super) first_change: LogPosition,
    last_change: LogPosition,
}

/// The file, and which pages are in it.
pub(super) struct Spill {
    make: Arc<SpillFile>,
    file: Option<Arc<dyn File>>,
    pub(super) pages: HashMap<u64, Spilled, PageHash>,
    free: Vec<u32>,
    /// Places used so far.
    places: u32,
    /// Pages that came here, each time counted.
    spilled: u64,
}

impl Spill {
    fn file(&mut self) -> Result<Arc<dyn File>, IoError> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = (self.make)()?;
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    fn offset(place: u32, size: PageSize) -> u64 {
        u64::from(place) * u64::from(size.bytes())
    }

    fn forget(&mut self, slot: DatabaseSlot, first: PageNumber, last: PageNumber) {
        let range = key(slot, first)..=key(slot, last);
        let free = &mut self.free;
        self.pages.retain(|key, page| {
            let goes = range.contains(key);
            if goes {
                free.push(page.place);
            }
            !goes
        });
    }
}

impl PageCache {
    /// From now on pages that may not be written leave memory for the file that `make` makes, when everything else did.
    /// Without one the cache grows beyond its bound.
    pub fn set_spill(&mut self, make: Option<Arc<SpillFile>>) {
        self.spill = make.map(|make| Spill {
            make,
            file: None,
            pages: HashMap::with_hasher(PageHash),
            free: Vec::new(),
            places: 0,
            spilled: 0,
        });
    }

    /// Most buffers that were in use at a time.
    #[must_use]
    pub fn most_buffers(&self) -> usize {
        self.frames.len()
    }

    /// How often a page left memory for the spill file.
    #[must_use]
    pub fn spilled(&self) -> u64 {
        self.spill.as_ref().map_or(0, |s| s.spilled)
    }

    /// Puts pages that are pinned, and that the operation at hand does not use, into the spill file. Their buffers are
    /// free then.
    pub(super) fn spill_some(&mut self) -> Result<(), PageCacheError> {
        self.refuse_lent()?;
        let Some(mut spill) = self.spill.take() else { return Ok(()) };
        let outcome = self.spill_into(&mut spill);
        self.spill = Some(spill);
        outcome
    }

    fn spill_into(&mut self, spill: &mut Spill) -> Result<(), PageCacheError> {
        let mut moved = 0;
        for _ in 0..self.frames.len() {
            self.hand = (self.hand + 1) % self.frames.len().max(1);
            let hand = self.hand;
            let Some(frame) = self.frames.get(hand) else { continue };
            if !frame.used || frame.pins == 0 || frame.waiting.is_some() || frame.operation == self.operation
            {
                continue;
            }
            let place = spill.free.pop().unwrap_or_else(|| {
                spill.places += 1;
                spill.places - 1
            });
            let written =
                spill.file().and_then(|file| file.write_at(Spill::offset(place, self.size), &frame.bytes));
            if let Err(error) = written {
                spill.free.push(place);
                return Err(error.into());
            }
            let spilled = Spilled {
                place,
                pins: frame.pins,
                first_change: frame.first_change,
                last_change: frame.last_change,
            };
            self.changed.remove(&(frame.first_change, hand));
            spill.pages.insert(key(frame.slot, frame.page), spilled);
            let index = self.vacate(hand);
            self.free.push(index);
            moved += 1;
            spill.spilled += 1;
            if moved == SPILLED_TOGETHER {
                break;
            }
        }
        Ok(())
    }

    /// Brings a page back from the spill file; `None` when it is not there.
    pub(super) fn unspill(
        &mut self,
        slot: DatabaseSlot,
        page: PageNumber,
    ) -> Result<Option<FrameId>, PageCacheError> {
        let known = |cache: &Self| cache.spill.as_ref().and_then(|s| s.pages.get(&key(slot, page)).copied());
        if known(self).is_none() {
            return Ok(None);
        }
        let index = self.take_frame()?;
        // Making room may have moved others, not this one.
        let (Some(spilled), Some(spill), Some(frame)) =
            (known(self), self.spill.as_mut(), self.frames.get_mut(index))
        else {
            self.free.push(index);
            return Ok(None);
        };
        let read = spill
            .file()
            .and_then(|file| file.read_exact_at(Spill::offset(spilled.place, self.size), &mut frame.bytes));
        if let Err(error) = read {
            self.free.push(index);
            return Err(error.into());
        }
        spill.pages.remove(&key(slot, page));
        spill.free.push(spilled.place);
        self.place(index, slot, page);
        if let Some(frame) = self.frames.get_mut(index) {
            frame.dirty = true;
            frame.pins = spilled.pins;
            frame.first_change = spilled.first_change;
            frame.last_change = spilled.last_change;
        }
        if !spilled.first_change.is_none() {
            self.changed.insert((spilled.first_change, index));
        }
        Ok(Some(FrameId(index)))
    }

    /// Brings back and writes what may be written by now.
    pub(super) fn flush_spilled(&mut self, slot: DatabaseSlot) -> Result<(), PageCacheError> {
        let Some(spill) = &self.spill else { return Ok(()) };
        let of_slot = key(slot, PageNumber(0))..=key(slot, PageNumber(u32::MAX));
        let mut ready: Vec<u64> = spill
            .pages
            .iter()
            .filter(|(key, page)| page.pins == 0 && of_slot.contains(key))
            .map(|(key, _)| *key)
            .collect();
        ready.sort_unstable();
        for page in ready {
            self.begin_operation();
            if let Fetched::Page(frame) = self.fetch(slot, PageNumber(page as u32))? {
                self.write_frames(&[frame])?;
            }
        }
        Ok(())
    }

    /// The oldest change of a page in the spill file.
    pub(super) fn oldest_spilled(&self) -> Option<LogPosition> {
        let pages = self.spill.iter().flat_map(|s| s.pages.values());
        pages.map(|p| p.first_change).filter(|p| !p.is_none()).min()
    }

    pub(super) fn forget_spilled(&mut self, slot: DatabaseSlot, first: PageNumber, last: PageNumber) {
        if let Some(spill) = &mut self.spill {
            spill.forget(slot, first, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use ese_format::{DbTime, ObjectId};
    use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};

    const SLOT: DatabaseSlot = DatabaseSlot(1);
    const PAGES: u32 = 1000;

    fn cache(storage: &MemoryStorage) -> PageCache {
        let size = PageSize::new(4096).unwrap();
        let file = storage.open(Path::new("/db"), OpenOptions::new(OpenMode::CreateOrTruncate)).unwrap();
        file.set_len((u64::from(PAGES) + 2) * 4096).unwrap();
        let mut cache = PageCache::new(size, 0);
        cache.attach(SLOT, file).unwrap();
        cache
    }

    /// Pins every page, then changes and releases every second one.
    fn run(cache: &mut PageCache) {
        for number in 1..=PAGES {
            cache.begin_operation();
            let frame = cache.create(SLOT, PageNumber(number)).unwrap();
            let mut page = cache.page_mut(frame, LogPosition::new(1, 1, 1 + number as u16));
            page.initialize(PageNumber(number), ObjectId(number), DbTime(u64::from(number)));
            page.consume(0);
            cache.pin(frame);
        }
        for number in (1..=PAGES).step_by(2) {
            cache.begin_operation();
            let Fetched::Page(frame) = cache.fetch(SLOT, PageNumber(number)).unwrap() else { panic!() };
            assert_eq!(cache.page(frame).object(), ObjectId(number));
            cache.page_mut(frame, LogPosition::new(1, 2, number as u16)).set_db_time(DbTime(5000));
            cache.unpin(frame, SLOT, PageNumber(number));
        }
    }

    #[test]
    fn pinned_pages_leave_memory_and_come_back() {
        let storage = MemoryStorage::new();
        let mut cache = cache(&storage);
        let scratch = storage.clone();
        cache.set_spill(Some(Arc::new(move || {
            scratch.open(Path::new("/spill"), OpenOptions::new(OpenMode::CreateOrTruncate))
        })));
        run(&mut cache);
        assert!(cache.most_buffers() <= 64, "{}", cache.most_buffers());
        // Nothing that is pinned reached the database, everything else does at a flush.
        cache.flush(SLOT).unwrap();
        let bytes = storage.get("/db").unwrap();
        for number in 1..=PAGES as usize {
            let page = &bytes[(number + 1) * 4096..][..4096];
            let time = u64::from_le_bytes(page[8..16].try_into().unwrap());
            assert_eq!(time, if number % 2 == 1 { 5000 } else { 0 }, "page {number}");
        }
        assert_eq!(cache.oldest_change(), Some(LogPosition::new(1, 1, 3)));
        // Released while it is away.
        for number in (2..=PAGES).step_by(2) {
            cache.unpin(FrameId(0), SLOT, PageNumber(number));
        }
        cache.detach(SLOT).unwrap();
        assert_eq!(cache.oldest_change(), None);
        let bytes = storage.get("/db").unwrap();
        let last = &bytes[(PAGES as usize + 1) * 4096..][..4096];
        assert_eq!(u64::from_le_bytes(last[8..16].try_into().unwrap()), u64::from(PAGES));
    }

    /// The canary: without the file the bound gives way.
    #[test]
    fn without_a_file_the_cache_grows() {
        let storage = MemoryStorage::new();
        let mut cache = cache(&storage);
        run(&mut cache);
        assert!(cache.most_buffers() >= PAGES as usize);
    }

    #[test]
    fn pages_that_are_gone_do_not_come_back() {
        let storage = MemoryStorage::new();
        let mut cache = cache(&storage);
        let scratch = storage.clone();
        cache.set_spill(Some(Arc::new(move || {
            scratch.open(Path::new("/spill"), OpenOptions::new(OpenMode::CreateOrTruncate))
        })));
        run(&mut cache);
        cache.resize(SLOT, PageNumber(100)).unwrap();
        cache.zero(SLOT, PageNumber(1), PageNumber(50)).unwrap();
        cache.begin_operation();
        assert_eq!(cache.fetch(SLOT, PageNumber(101)).unwrap(), Fetched::BeyondEnd);
        assert_eq!(cache.fetch(SLOT, PageNumber(50)).unwrap(), Fetched::Uninitialized);
        assert!(matches!(cache.fetch(SLOT, PageNumber(52)).unwrap(), Fetched::Page(_)));
    }
}
