//! One buffer of the cache.

use ese_format::{DbTime, LogPosition, PageNumber, PageSize};

use ese_log::record::DatabaseSlot;

use super::signs::Signs;
use crate::page_edit::PageFacts;

/// What each look at a page needs comes first: it is one line of memory, and those of all pages stay near the processor
/// when the pages themselves do not.
#[repr(C, align(64))]
pub(super) struct Frame {
    pub(super) bytes: Box<[u8]>,
    /// The operation that used the buffer last.
    pub(super) operation: u32,
    /// What searches need to know of the page; none when it may have changed since.
    pub(super) facts: PageFacts,
    pub(super) page: PageNumber,
    pub(super) slot: DatabaseSlot,
    /// Holds a page.
    pub(super) used: bool,
    /// Used since the replacement hand passed by.
    pub(super) recent: bool,
    pub(super) dirty: bool,
    /// A copy is on its way to the file: the page stays in memory meanwhile, and no other copy is written.
    pub(super) writing: bool,
    /// Position of the last record that changed the page since it was written.
    pub(super) last_change: LogPosition,
    /// From where on replay needs the log to make the changes again that are not in the file; none without a log.
    pub(super) first_change: LogPosition,
    /// Changes on the page whose before-image exists in memory only.
    pub(super) pins: u32,
    /// Operations on the page whose before-image is not in the log yet; it must be before the page is written. What the
    /// number means is the business of who set it: see [`PageCache::set_waiting`](super::PageCache::set_waiting).
    pub(super) waiting: Option<u32>,
    /// Of a branch page that many searches passed; gone whenever the page may change.
    pub(super) signs: Option<Box<Signs>>,
    /// Searches that passed without them.
    pub(super) passes: u16,
    /// The bytes are elsewhere, and will come back with this update counter.
    pub(super) lent: Option<DbTime>,
}

impl Frame {
    pub(super) fn new(size: PageSize) -> Self {
        Self {
            bytes: vec![0; size.len()].into_boxed_slice(),
            slot: DatabaseSlot(0),
            page: PageNumber::NONE,
            last_change: LogPosition::NONE,
            first_change: LogPosition::NONE,
            operation: 0,
            dirty: false,
            writing: false,
            recent: false,
            used: false,
            pins: 0,
            waiting: None,
            facts: PageFacts::UNKNOWN,
            signs: None,
            passes: 0,
            lent: None,
        }
    }

    /// The page may change.
    #[inline]
    pub(super) fn forget_facts(&mut self) {
        self.facts = PageFacts::UNKNOWN;
        self.passes = 0;
        if self.signs.is_some() {
            self.signs = None;
        }
    }

    pub(super) fn place(&mut self, slot: DatabaseSlot, page: PageNumber, operation: u32) {
        self.slot = slot;
        self.page = page;
        self.last_change = LogPosition::NONE;
        self.first_change = LogPosition::NONE;
        self.operation = operation;
        self.dirty = false;
        self.writing = false;
        self.recent = true;
        self.used = true;
        self.pins = 0;
        self.waiting = None;
        self.forget_facts();
    }

    /// Whether it may be written as far as before-images go.
    pub(super) fn is_writable(&self) -> bool {
        self.pins == 0 && self.waiting.is_none() && !self.writing
    }

    pub(super) fn clear(&mut self) {
        self.used = false;
        self.pins = 0;
        self.waiting = None;
        self.dirty = false;
        self.writing = false;
        self.recent = false;
        self.operation = 0;
        self.forget_facts();
    }
}

// The first line of memory holds everything up to the flags.
const _: () = assert!(std::mem::offset_of!(Frame, dirty) < 64);
