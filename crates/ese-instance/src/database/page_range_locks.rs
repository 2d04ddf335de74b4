//! Keeps page writes out of ranges that a backup is reading.

use std::ops::Range;

use ese_btree::PageWriteGate;
use ese_format::PageNumber;
use parking_lot::{Condvar, Mutex};

/// Ranges of pages locked against writing, and the writes under way.
///
/// A reader locks a range, which waits for the writes inside to finish; from then on no page of the range is written
/// until it unlocks. A writer that finds its page locked is turned away and comes back later: transactions do not
/// wait, their changes stay in the cache.
#[derive(Debug, Default)]
pub struct PageRangeLocks {
    inner: Mutex<Inner>,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    /// Half-open page ranges; they may overlap.
    locked: Vec<Range<u32>>,
    writing: Vec<Range<u32>>,
}

/// A locked range; unlocks when dropped.
#[derive(Debug)]
pub struct PageRangeLock<'a> {
    locks: &'a PageRangeLocks,
    range: Range<u32>,
}

/// A write that is allowed to go on; ends when dropped.
#[derive(Debug)]
pub struct PageWrite<'a> {
    locks: &'a PageRangeLocks,
    range: Range<u32>,
}

fn overlap(a: &Range<u32>, b: &Range<u32>) -> bool {
    a.start < b.end && b.start < a.end
}

fn remove(ranges: &mut Vec<Range<u32>>, range: &Range<u32>) {
    if let Some(index) = ranges.iter().position(|r| r == range) {
        ranges.swap_remove(index);
    }
}

impl PageRangeLocks {
    /// Locks `pages` (half-open) against writing; returns once no page of it is being written.
    pub fn lock(&self, pages: Range<PageNumber>) -> PageRangeLock<'_> {
        let range = pages.start.0..pages.end.0;
        let mut inner = self.inner.lock();
        inner.locked.push(range.clone());
        while inner.writing.iter().any(|w| overlap(w, &range)) {
            self.written.wait(&mut inner);
        }
        PageRangeLock { locks: self, range }
    }

    /// Begins writing `pages` (half-open), or says that one of them is locked.
    pub fn try_write(&self, pages: Range<PageNumber>) -> Option<PageWrite<'_>> {
        let range = pages.start.0..pages.end.0;
        let mut inner = self.inner.lock();
        if inner.locked.iter().any(|l| overlap(l, &range)) {
            return None;
        }
        inner.writing.push(range.clone());
        Some(PageWrite { locks: self, range })
    }
}

impl PageWriteGate for PageRangeLocks {
    fn write(&self, pages: Range<PageNumber>, write: &mut dyn FnMut()) -> bool {
        match self.try_write(pages) {
            Some(_writing) => {
                write();
                true
            }
            None => false,
        }
    }
}

impl Drop for PageRangeLock<'_> {
    fn drop(&mut self) {
        remove(&mut self.locks.inner.lock().locked, &self.range);
    }
}

impl Drop for PageWrite<'_> {
    fn drop(&mut self) {
        remove(&mut self.locks.inner.lock().writing, &self.range);
        self.locks.written.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn pages(start: u32, end: u32) -> Range<PageNumber> {
        PageNumber(start)..PageNumber(end)
    }

    #[test]
    fn writers_are_turned_away_and_readers_wait_for_writes() {
        let locks = Arc::new(PageRangeLocks::default());
        let first = locks.lock(pages(1, 10));
        let second = locks.lock(pages(5, 20));
        assert!(locks.try_write(pages(9, 10)).is_none());
        drop(first);
        assert!(locks.try_write(pages(9, 10)).is_none(), "the overlapping lock still holds");
        assert!(locks.try_write(pages(1, 5)).is_some());
        drop(second);

        let write = locks.try_write(pages(9, 10)).unwrap();
        let other = Arc::clone(&locks);
        let reader = thread::spawn(move || drop(other.lock(pages(1, 100))));
        while locks.try_write(pages(50, 51)).is_some() {
            thread::yield_now();
        }
        assert!(!reader.is_finished());
        drop(write);
        reader.join().unwrap();
        assert!(locks.try_write(pages(1, 100)).is_some());
    }
}
