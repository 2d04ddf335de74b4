//! Pages read and verified before they are needed, by threads of their own.
//!
//! Whoever reads the log ahead of redo says which pages its records name ([`PagePrefetch::want`]). A page that is not in the
//! cache is read into a buffer beside it; a fetch that misses takes the buffer. The cache does what it would do without:
//! which pages are in it, and what is written when, does not depend on when a read ends.
//!
//! A buffer must not outlive a change of its page in the file. Pages change there by the cache alone, and the cache says so
//! when the change is done ([`PagePrefetch::forget`]): what was read before then is dropped, what is read later is new.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

use ese_format::{PageCheck, PageNumber, PageSize, PageVerdict, correct_page};
use ese_io::File;
use ese_log::record::DatabaseSlot;
use parking_lot::{Condvar, Mutex};

use super::hash::PageHash;
use super::key;
use crate::page_edit::PageImage;

/// Threads that read.
const READERS: usize = 2;
/// Most pages read ahead.
const MOST_AHEAD: usize = 512;

/// Pages on their way into a cache. See the module's description.
pub struct PagePrefetch {
    shared: Arc<Shared>,
    readers: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    size: PageSize,
    most: usize,
    /// Pages that need not be read: those in memory, those under way, and those that could not be read. One place for
    /// several pages: the last one counts, a lost one is read for nothing.
    known: Box<[AtomicU64]>,
    state: Mutex<State>,
    wanted: Condvar,
}

#[derive(Default)]
struct State {
    /// The file of each slot, and its last page.
    files: Vec<Option<(Arc<dyn File>, u32)>>,
    entries: HashMap<u64, Entry, PageHash>,
    /// Keys of entries, the oldest first; some are gone.
    order: VecDeque<u64>,
    jobs: VecDeque<(u64, u64)>,
    last_ticket: u64,
    spare: Vec<Box<[u8]>>,
    stopped: bool,
}

enum Entry {
    /// Asked for; the number tells one request for a page from a later one.
    Pending(u64),
    /// Read and verified.
    Ready(Box<[u8]>),
}

impl Shared {
    fn place(&self, key: u64) -> Option<&AtomicU64> {
        let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.known.get((mixed >> 20) as usize & (self.known.len() - 1))
    }

    fn is_known(&self, key: u64) -> bool {
        self.place(key).is_some_and(|p| p.load(Ordering::Relaxed) == key)
    }

    fn know(&self, key: u64) {
        if let Some(place) = self.place(key) {
            place.store(key, Ordering::Relaxed);
        }
    }

    fn unknow(&self, key: u64) {
        if let Some(place) = self.place(key) {
            let _ = place.compare_exchange(key, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Reads what is asked for until told to stop.
    fn run(&self) {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return;
            }
            let Some((key, ticket)) = state.jobs.pop_front() else {
                self.wanted.wait(&mut state);
                continue;
            };
            let is_wanted = matches!(state.entries.get(&key), Some(Entry::Pending(t)) if *t == ticket);
            let file =
                state.files.get((key >> 32) as usize).and_then(Option::as_ref).map(|f| Arc::clone(&f.0));
            let (true, Some(file)) = (is_wanted, file) else { continue };
            let mut buffer = state.spare.pop().unwrap_or_else(|| vec![0; self.size.len()].into_boxed_slice());
            drop(state);
            let good = self.read(&*file, PageNumber(key as u32), &mut buffer);
            state = self.state.lock();
            let is_wanted = matches!(state.entries.get(&key), Some(Entry::Pending(t)) if *t == ticket);
            if is_wanted && good {
                state.entries.insert(key, Entry::Ready(buffer));
                continue;
            }
            if is_wanted {
                state.entries.remove(&key);
            }
            state.spare.push(buffer);
        }
    }

    /// Whether the page could be read, and is one that the cache would accept. What is wrong otherwise is found again by
    /// whoever needs the page.
    fn read(&self, file: &dyn File, page: PageNumber, buffer: &mut [u8]) -> bool {
        if file.read_exact_at(page.file_offset(self.size), buffer).is_err() {
            return false;
        }
        let PageCheck::Verified(verdict) = correct_page(buffer, page) else { return false };
        verdict != PageVerdict::Uninitialized
            && verdict.is_usable()
            && PageImage::new(&*buffer, self.size).is_ok_and(|image| image.check().is_ok())
    }
}

impl PagePrefetch {
    /// Starts the threads. `None` when the system has none to give.
    pub(super) fn start(size: PageSize, frames: usize) -> Option<Arc<Self>> {
        let places = (frames * 8).next_power_of_two().clamp(1 << 10, 1 << 22);
        let shared = Arc::new(Shared {
            size,
            most: (frames / 4).clamp(16, MOST_AHEAD),
            known: (0..places).map(|_| AtomicU64::new(0)).collect(),
            state: Mutex::default(),
            wanted: Condvar::new(),
        });
        let prefetch = Arc::new(Self { shared, readers: Mutex::default() });
        for _ in 0..READERS {
            let shared = Arc::clone(&prefetch.shared);
            let reader =
                Builder::new().name("ese page reader".to_owned()).spawn(move || shared.run()).ok()?;
            prefetch.readers.lock().push(reader);
        }
        Some(prefetch)
    }

    /// Says that a page will be needed.
    pub fn want(&self, slot: DatabaseSlot, page: PageNumber) {
        let key = key(slot, page);
        if page.is_none() || self.shared.is_known(key) {
            return;
        }
        let mut state = self.shared.state.lock();
        let last = state.files.get(usize::from(slot.0)).and_then(Option::as_ref).map(|f| f.1);
        if last.is_none_or(|last| page.0 > last) || state.entries.contains_key(&key) {
            return;
        }
        while state.entries.len() >= self.shared.most {
            let Some(oldest) = state.order.pop_front() else { return };
            if let Some(entry) = state.entries.remove(&oldest) {
                self.shared.unknow(oldest);
                if let Entry::Ready(buffer) = entry {
                    state.spare.push(buffer);
                }
            }
        }
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        state.entries.insert(key, Entry::Pending(ticket));
        state.order.push_back(key);
        state.jobs.push_back((key, ticket));
        drop(state);
        self.shared.know(key);
        self.shared.wanted.notify_one();
    }

    /// Takes a page, when it is there; `used` is a buffer that is not needed any more.
    pub(super) fn take(&self, key: u64, used: &mut Box<[u8]>) -> bool {
        let mut state = self.shared.state.lock();
        // What is still under way is given up: reading it now is not slower.
        let Some(Entry::Ready(buffer)) = state.entries.remove(&key) else { return false };
        let used = std::mem::replace(used, buffer);
        state.spare.push(used);
        true
    }

    /// The page came into memory.
    pub(super) fn arrived(&self, key: u64) {
        self.shared.know(key);
    }

    /// The page left memory.
    pub(super) fn left(&self, key: u64) {
        self.shared.unknow(key);
    }

    /// Pages `first..=last` were changed in the file.
    pub(super) fn forget(&self, slot: DatabaseSlot, first: PageNumber, last: PageNumber) {
        let range = key(slot, first)..=key(slot, last);
        let mut state = self.shared.state.lock();
        if range.end() - range.start() < 64 {
            for key in range {
                state.entries.remove(&key);
            }
        } else {
            state.entries.retain(|key, _| !range.contains(key));
        }
    }

    /// A slot has another file, or another length of it, or none.
    pub(super) fn set_file(&self, slot: DatabaseSlot, file: Option<(Arc<dyn File>, u32)>) {
        let mut state = self.shared.state.lock();
        let index = usize::from(slot.0);
        if state.files.len() <= index {
            state.files.resize_with(index + 1, || None);
        }
        let is_same = match (state.files.get(index), &file) {
            (Some(Some(old)), Some(new)) => Arc::ptr_eq(&old.0, &new.0),
            _ => false,
        };
        if let Some(place) = state.files.get_mut(index) {
            *place = file;
        }
        if !is_same {
            state.entries.retain(|key, _| key >> 32 != u64::from(slot.0));
        }
    }
}

impl Drop for PagePrefetch {
    fn drop(&mut self) {
        self.shared.state.lock().stopped = true;
        self.shared.wanted.notify_all();
        for reader in self.readers.get_mut().drain(..) {
            let _ = reader.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::page_cache::{Fetched, PageCache};
    use ese_format::{DbTime, LogPosition, ObjectId};
    use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};

    const SLOT: DatabaseSlot = DatabaseSlot(1);
    const PAGES: u32 = 400;

    /// Pages that come and go, and change, while a thread asks for all of them all the time: each fetch finds what was last
    /// put into the page.
    #[test]
    fn a_page_is_never_older_than_its_last_change() {
        let storage = MemoryStorage::new();
        let size = PageSize::new(4096).unwrap();
        let file = storage.open(Path::new("/db"), OpenOptions::new(OpenMode::CreateOrTruncate)).unwrap();
        file.set_len((u64::from(PAGES) + 2) * 4096).unwrap();
        let mut cache = PageCache::new(size, 0);
        cache.attach(SLOT, file).unwrap();
        let prefetch = cache.start_prefetch().unwrap();
        let mut expected = vec![0_u64; PAGES as usize + 1];
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut page = 0_u32;
                while !done.load(Ordering::Relaxed) {
                    page = page.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    prefetch.want(SLOT, PageNumber(page % (PAGES + 3)));
                }
            });
            let mut seed = 7_u32;
            for round in 1..60_000_u64 {
                seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12345);
                let number = seed / 7 % PAGES + 1;
                cache.begin_operation();
                let (known, page) = (&mut expected[number as usize], PageNumber(number));
                match cache.fetch(SLOT, page).unwrap() {
                    Fetched::Page(frame) => {
                        assert_eq!(
                            cache.page(frame).db_time(),
                            DbTime(*known),
                            "page {number}, round {round}"
                        );
                        if seed & 0x100 != 0 {
                            cache.page_mut(frame, LogPosition::NONE).set_db_time(DbTime(round));
                            *known = round;
                        }
                    }
                    _ => {
                        assert_eq!(*known, 0, "page {number}, round {round}");
                        let frame = cache.create(SLOT, page).unwrap();
                        let mut image = cache.page_mut(frame, LogPosition::NONE);
                        image.initialize(page, ObjectId(number), DbTime(round));
                        image.consume(0);
                        *known = round;
                    }
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        cache.detach(SLOT).unwrap();
    }

    fn make(cache: &mut PageCache, number: u32, time: u64) {
        cache.begin_operation();
        let frame = cache.create(SLOT, PageNumber(number)).unwrap();
        let mut image = cache.page_mut(frame, LogPosition::NONE);
        image.initialize(PageNumber(number), ObjectId(number), DbTime(time));
        image.consume(0);
    }

    /// A cache, nothing of which is in memory, over a file with pages of update counter 5.
    fn cache_of(pages: u32) -> (PageCache, Arc<PagePrefetch>) {
        let storage = MemoryStorage::new();
        let size = PageSize::new(4096).unwrap();
        let file = storage.open(Path::new("/db"), OpenOptions::new(OpenMode::CreateOrTruncate)).unwrap();
        let mut cache = PageCache::new(size, 0);
        cache.attach(SLOT, Arc::clone(&file)).unwrap();
        for number in 1..=pages {
            make(&mut cache, number, 5);
        }
        cache.detach(SLOT).unwrap();
        cache.attach(SLOT, file).unwrap();
        let prefetch = cache.start_prefetch().unwrap();
        (cache, prefetch)
    }

    fn ready(prefetch: &PagePrefetch) -> usize {
        let state = prefetch.shared.state.lock();
        state.entries.values().filter(|e| matches!(e, Entry::Ready(_))).count()
    }

    #[test]
    fn what_was_read_before_a_change_is_not_taken_after_it() {
        let (mut cache, prefetch) = cache_of(200);
        prefetch.want(SLOT, PageNumber(7));
        while ready(&prefetch) == 0 {
            std::thread::yield_now();
        }
        // Made anew without a look at the old one, written, and gone from memory.
        make(&mut cache, 7, 9);
        cache.flush(SLOT).unwrap();
        for number in 20..=200 {
            cache.begin_operation();
            cache.fetch(SLOT, PageNumber(number)).unwrap();
        }
        assert!(!cache.holds(SLOT, PageNumber(7)));
        cache.begin_operation();
        let Fetched::Page(frame) = cache.fetch(SLOT, PageNumber(7)).unwrap() else { panic!() };
        assert_eq!(cache.page(frame).db_time(), DbTime(9));
        // Zeroed, cut off and back again.
        prefetch.want(SLOT, PageNumber(8));
        prefetch.want(SLOT, PageNumber(9));
        while ready(&prefetch) < 2 {
            std::thread::yield_now();
        }
        cache.zero(SLOT, PageNumber(8), PageNumber(8)).unwrap();
        cache.resize(SLOT, PageNumber(8)).unwrap();
        cache.resize(SLOT, PageNumber(20)).unwrap();
        cache.begin_operation();
        assert_eq!(cache.fetch(SLOT, PageNumber(8)).unwrap(), Fetched::Uninitialized);
        assert_eq!(cache.fetch(SLOT, PageNumber(9)).unwrap(), Fetched::Uninitialized);
    }

    #[test]
    fn what_is_wanted_is_there() {
        let (_cache, prefetch) = cache_of(20);
        // Beyond the end, and none at all: not even asked for.
        prefetch.want(SLOT, PageNumber(21));
        prefetch.want(SLOT, PageNumber::NONE);
        prefetch.want(DatabaseSlot(3), PageNumber(1));
        assert!(prefetch.shared.state.lock().entries.is_empty());
        for number in 1..=20 {
            prefetch.want(SLOT, PageNumber(number));
        }
        // At most so many are read ahead.
        while ready(&prefetch) < 16 {
            std::thread::yield_now();
        }
        let mut buffer = vec![0; 4096].into_boxed_slice();
        assert!(prefetch.take(key(SLOT, PageNumber(20)), &mut buffer));
        assert_eq!(buffer[24..28], 20_u32.to_le_bytes());
        assert!(!prefetch.take(key(SLOT, PageNumber(20)), &mut buffer));
        prefetch.forget(SLOT, PageNumber(1), PageNumber(u32::MAX));
        assert_eq!(ready(&prefetch), 0);
    }
}
