//! Pages read and verified before they are needed, by threads of their own.
//!
//! Whoever reads the log ahead of redo says which pages its records name ([`PagePrefetch::want`]). A page that is not in the
//! cache is read into a buffer beside it; a fetch that misses takes the buffer. The cache does what it would do without:
//! which pages are in it, and what is written when, does not depend on when a read ends.
//!
//! What a walk through leaves comes to is asked for in runs ([`PagePrefetch::want_run`]): pages that lie side by side are read
//! in one call. A fetch waits for a page that is being read; one whose turn has not come it reads itself.
//!
//! A buffer must not outlive a change of its page in the file. Pages change there by the cache alone, and the cache says so
//! when the change is done ([`PagePrefetch::forget`]): what was read before then is dropped, what is read later is new.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};

use ese_format::{PageCheck, PageNumber, PageSize, PageVerdict, correct_page};
use ese_io::{AlignedBuffer, File};
use ese_log::record::DatabaseSlot;
use parking_lot::{Condvar, Mutex};

use super::hash::PageHash;
use super::key;
use crate::page_edit::PageImage;

/// Threads that read.
const READERS: usize = 2;
/// Most pages read ahead.
const MOST_AHEAD: usize = 512;
/// Pages nobody wants that are read because they lie between others.
const MOST_BETWEEN: u64 = 2;

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
    /// Something was read.
    done: Condvar,
}

#[derive(Default)]
struct State {
    /// The file of each slot, and its last page.
    files: Vec<Option<(Arc<dyn File>, u32)>>,
    entries: HashMap<u64, Entry, PageHash>,
    /// Keys of entries, the oldest first; some are gone.
    order: VecDeque<u64>,
    jobs: VecDeque<Job>,
    last_ticket: u64,
    /// Slots from whose files something is being read.
    reading: Vec<u8>,
    spare: Vec<Box<[u8]>>,
    stopped: bool,
}

enum Entry {
    /// Asked for; the number tells one request for a page from a later one.
    Pending(u64),
    /// Being read.
    Reading(u64),
    /// Read and verified.
    Ready(Box<[u8]>),
}

/// Pages side by side that were asked for together.
#[derive(Clone, Copy)]
struct Job {
    first: u64,
    count: u32,
    ticket: u64,
}

impl State {
    /// The part of a job that is still wanted, from the first page to the last one; those are being read from now on.
    fn begin(&mut self, job: Job) -> Option<Job> {
        let mut wanted: Option<(u64, u64)> = None;
        for key in job.first..job.first + u64::from(job.count) {
            if let Some(entry) = self.entries.get_mut(&key)
                && matches!(entry, Entry::Pending(ticket) if *ticket == job.ticket)
            {
                *entry = Entry::Reading(job.ticket);
                wanted = Some((wanted.map_or(key, |(first, _)| first), key));
            }
        }
        let (first, last) = wanted?;
        Some(Job { first, count: (last - first) as u32 + 1, ..job })
    }
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
        let len = self.size.len();
        let mut bytes: Option<AlignedBuffer> = None;
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return;
            }
            let Some(job) = state.jobs.pop_front() else {
                self.wanted.wait(&mut state);
                continue;
            };
            let slot = (job.first >> 32) as u8;
            let file = state.files.get(usize::from(slot)).and_then(Option::as_ref).map(|f| Arc::clone(&f.0));
            let Some(file) = file else { continue };
            let Some(job) = state.begin(job) else { continue };
            state.reading.push(slot);
            let count = job.count as usize;
            let mut pages: Vec<Box<[u8]>> = (0..count).filter_map(|_| state.spare.pop()).collect();
            drop(state);
            let needed = count * len;
            if bytes.as_ref().is_none_or(|bytes| bytes.len() < needed) {
                bytes = Some(AlignedBuffer::new(needed));
            }
            let first = PageNumber(job.first as u32);
            let mut read = bytes.as_mut().and_then(|bytes| bytes.get_mut(..needed));
            if let Some(bytes) = &mut read
                && file.read_exact_at(first.file_offset(self.size), bytes).is_err()
            {
                read = None;
            }
            // Nobody waits for the file to be closed once the slot is told to be left alone.
            drop(file);
            pages.resize_with(count, || vec![0; len].into_boxed_slice());
            let mut good = vec![false; count];
            if let Some(bytes) = read {
                let parts = bytes.chunks_exact_mut(len).zip(pages.iter_mut()).zip(good.iter_mut());
                for (key, ((bytes, page), good)) in (job.first..).zip(parts) {
                    *good = self.is_good(PageNumber(key as u32), bytes);
                    if *good && page.len() == len {
                        page.copy_from_slice(bytes);
                    }
                }
            }
            state = self.state.lock();
            for (key, (page, good)) in (job.first..).zip(pages.into_iter().zip(good)) {
                let is_wanted =
                    matches!(state.entries.get(&key), Some(Entry::Reading(t)) if *t == job.ticket);
                if is_wanted && good {
                    state.entries.insert(key, Entry::Ready(page));
                    continue;
                }
                if is_wanted {
                    state.entries.remove(&key);
                }
                state.spare.push(page);
            }
            if let Some(at) = state.reading.iter().position(|&s| s == slot) {
                state.reading.swap_remove(at);
            }
            self.done.notify_all();
        }
    }

    /// Whether the page is one that the cache would accept. What is wrong otherwise is found again by whoever needs the page.
    fn is_good(&self, page: PageNumber, buffer: &mut [u8]) -> bool {
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
            done: Condvar::new(),
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

    /// Most pages that are read ahead at a time.
    pub(crate) fn most(&self) -> usize {
        self.shared.most
    }

    /// Whether a page was asked for and not taken.
    pub(crate) fn is_coming(&self, key: u64) -> bool {
        self.shared.state.lock().entries.contains_key(&key)
    }

    /// Says that a page will be needed.
    pub fn want(&self, slot: DatabaseSlot, page: PageNumber) {
        self.want_run(slot, page, 1);
    }

    /// Says that `count` pages side by side will be needed. Returns how many are going to be read for it.
    pub(crate) fn want_run(&self, slot: DatabaseSlot, first: PageNumber, count: u32) -> u32 {
        let unknown = |page: u32| !self.shared.is_known(key(slot, PageNumber(page)));
        let end = first.0.saturating_add(count);
        let Some(begin) = (first.0..end).find(|&page| unknown(page)) else { return 0 };
        if first.is_none() {
            return 0;
        }
        let mut state = self.shared.state.lock();
        let last = state.files.get(usize::from(slot.0)).and_then(Option::as_ref).map_or(0, |f| f.1);
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        let mut wanted = 0;
        let mut run: Option<Job> = None;
        for page in (begin..end).take_while(|&page| page <= last) {
            let key = key(slot, PageNumber(page));
            if !unknown(page) || state.entries.contains_key(&key) {
                // A few pages in between are read with the others; many are not.
                if let Some(job) = run.filter(|job| key - job.first > u64::from(job.count) + MOST_BETWEEN) {
                    state.jobs.push_back(job);
                    run = None;
                }
                continue;
            }
            while state.entries.len() >= self.shared.most {
                let Some(oldest) = state.order.pop_front() else { break };
                if let Some(entry) = state.entries.remove(&oldest) {
                    self.shared.unknow(oldest);
                    if let Entry::Ready(buffer) = entry {
                        state.spare.push(buffer);
                    }
                }
            }
            state.entries.insert(key, Entry::Pending(ticket));
            state.order.push_back(key);
            self.shared.know(key);
            wanted += 1;
            let job = run.get_or_insert(Job { first: key, count: 0, ticket });
            job.count = (key - job.first) as u32 + 1;
        }
        state.jobs.extend(run);
        drop(state);
        self.shared.wanted.notify_all();
        wanted
    }

    /// Takes a page, when it is there or being read; `used` is a buffer that is not needed any more.
    pub(super) fn take(&self, key: u64, used: &mut Box<[u8]>) -> bool {
        let mut state = self.shared.state.lock();
        while matches!(state.entries.get(&key), Some(Entry::Reading(_))) {
            self.shared.done.wait(&mut state);
        }
        // What was not begun is given up: reading it now is not slower.
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
            // Whoever takes a file away may want to close it.
            while state.reading.contains(&slot.0) {
                self.shared.done.wait(&mut state);
            }
            state.entries.retain(|key, _| key >> 32 != u64::from(slot.0));
        }
    }
}

impl PagePrefetch {
    /// The file of a slot has become longer.
    pub(super) fn set_last(&self, slot: DatabaseSlot, last: u32) {
        if let Some(Some(file)) = self.shared.state.lock().files.get_mut(usize::from(slot.0)) {
            file.1 = file.1.max(last);
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
