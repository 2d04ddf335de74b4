//! What the calling thread has cost so far.

use std::cell::Cell;
use std::time::Instant;

thread_local! {
    static COUNTERS: Cells = const { Cells::new() };
}

struct Cells {
    referenced: Cell<u64>,
    read: Cell<u64>,
    read_ahead: Cell<u64>,
    dirtied: Cell<u64>,
    dirtied_again: Cell<u64>,
    records: Cell<u64>,
    record_bytes: Cell<u64>,
    miss_microseconds: Cell<u64>,
}

impl Cells {
    const fn new() -> Self {
        Self {
            referenced: Cell::new(0),
            read: Cell::new(0),
            read_ahead: Cell::new(0),
            dirtied: Cell::new(0),
            dirtied_again: Cell::new(0),
            records: Cell::new(0),
            record_bytes: Cell::new(0),
            miss_microseconds: Cell::new(0),
        }
    }
}

/// What the calling thread has done since it began, in all instances. Work that the engine's own threads do for it is not
/// in it.
#[doc(alias = "JET_THREADSTATS")]
#[doc(alias = "JET_THREADSTATS2")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadCounters {
    /// Pages looked at.
    #[doc(alias = "cPageReferenced")]
    pub pages_referenced: u64,
    /// Pages read from files.
    #[doc(alias = "cPageRead")]
    #[doc(alias = "cPageCacheMiss")]
    pub pages_read: u64,
    /// Pages read from files before they were asked for.
    #[doc(alias = "cPagePreread")]
    pub pages_read_ahead: u64,
    /// Clean pages changed.
    #[doc(alias = "cPageDirtied")]
    pub pages_dirtied: u64,
    /// Changed pages changed again.
    #[doc(alias = "cPageRedirtied")]
    pub pages_dirtied_again: u64,
    /// Log records appended.
    #[doc(alias = "cLogRecord")]
    pub records: u64,
    /// Bytes of those records.
    #[doc(alias = "cbLogRecord")]
    pub record_bytes: u64,
    /// Microseconds spent waiting for pages to be read, at least one for each.
    #[doc(alias = "cusecPageCacheMiss")]
    pub miss_microseconds: u64,
}

impl ThreadCounters {
    /// Those of the calling thread.
    #[must_use]
    #[doc(alias = "JetGetThreadStats")]
    pub fn of_this_thread() -> Self {
        COUNTERS.with(|now| Self {
            pages_referenced: now.referenced.get(),
            pages_read: now.read.get(),
            pages_read_ahead: now.read_ahead.get(),
            pages_dirtied: now.dirtied.get(),
            pages_dirtied_again: now.dirtied_again.get(),
            records: now.records.get(),
            record_bytes: now.record_bytes.get(),
            miss_microseconds: now.miss_microseconds.get(),
        })
    }
}

fn add(cell: &Cell<u64>, number: u64) {
    cell.set(cell.get().wrapping_add(number));
}

#[inline]
pub(crate) fn page_referenced() {
    COUNTERS.with(|now| add(&now.referenced, 1));
}

pub(crate) fn page_read(since: Instant) {
    COUNTERS.with(|now| {
        add(&now.referenced, 1);
        add(&now.read, 1);
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        add(&now.miss_microseconds, micros.max(1));
    });
}

pub(crate) fn page_read_ahead() {
    COUNTERS.with(|now| add(&now.read_ahead, 1));
}

#[inline]
pub(crate) fn page_changed(again: bool) {
    COUNTERS.with(|now| add(if again { &now.dirtied_again } else { &now.dirtied }, 1));
}

#[inline]
pub(crate) fn records_appended(count: usize, bytes: usize) {
    COUNTERS.with(|now| {
        add(&now.records, count as u64);
        add(&now.record_bytes, bytes as u64);
    });
}
