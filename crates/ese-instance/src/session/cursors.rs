//! What a session knows of its cursors: ends of its transactions concern them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use parking_lot::Mutex;

/// No update is being prepared.
const NO_LEVEL: u8 = u8::MAX;

/// What a cursor tells its session of itself, and hears from it.
#[derive(Debug)]
pub(crate) struct CursorLink {
    /// Level at which the cursor went where it stands.
    #[doc(alias = "levelNavigate")]
    navigated: AtomicU8,
    /// Level at which an update was prepared.
    #[doc(alias = "levelPrep")]
    prepared: AtomicU8,
    /// The cursor has to go before the first row: the transaction in which it went where it stands was rolled back.
    lost_place: AtomicBool,
    /// The update is given up: the transaction in which it was prepared was rolled back.
    lost_update: AtomicBool,
    /// Lowest level that was rolled back while an update was prepared around it.
    lost_changes: AtomicU8,
    /// One of the three has something to say.
    has_news: AtomicBool,
    closed: AtomicBool,
}

impl CursorLink {
    /// The cursor went somewhere at `level`.
    pub(crate) fn navigated(&self, level: u8) {
        self.navigated.store(level, Ordering::Relaxed);
    }

    /// An update was prepared at `level`, or (`None`) is over.
    pub(crate) fn prepared(&self, level: Option<u8>) {
        self.prepared.store(level.unwrap_or(NO_LEVEL), Ordering::Relaxed);
    }

    /// Whether there may be anything to hear; said once, and each call on the cursor asks.
    #[inline]
    pub(crate) fn take_news(&self) -> bool {
        self.has_news.load(Ordering::Relaxed) && self.has_news.swap(false, Ordering::Acquire)
    }

    /// Whether a rollback has taken the place away; said once.
    pub(crate) fn take_lost_place(&self) -> bool {
        self.lost_place.load(Ordering::Relaxed) && self.lost_place.swap(false, Ordering::Relaxed)
    }

    /// Whether a rollback has ended the update; said once.
    pub(crate) fn take_lost_update(&self) -> bool {
        self.lost_update.load(Ordering::Relaxed) && self.lost_update.swap(false, Ordering::Relaxed)
    }

    /// From which level on changes of long values for the update were rolled back, without the update; said once.
    pub(crate) fn take_lost_changes(&self) -> Option<u8> {
        if self.lost_changes.load(Ordering::Relaxed) == NO_LEVEL {
            return None;
        }
        Some(self.lost_changes.swap(NO_LEVEL, Ordering::Relaxed))
    }

    /// The cursor is gone.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}

/// The cursors of a session.
#[derive(Debug, Default)]
pub(crate) struct SessionCursors {
    links: Mutex<Vec<Arc<CursorLink>>>,
}

impl SessionCursors {
    /// A new cursor.
    pub(crate) fn add(&self) -> Arc<CursorLink> {
        let link = Arc::new(CursorLink {
            navigated: AtomicU8::new(0),
            prepared: AtomicU8::new(NO_LEVEL),
            lost_place: AtomicBool::new(false),
            lost_update: AtomicBool::new(false),
            lost_changes: AtomicU8::new(NO_LEVEL),
            has_news: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        });
        let mut links = self.links.lock();
        links.retain(|link| !link.closed.load(Ordering::Relaxed));
        links.push(Arc::clone(&link));
        link
    }

    /// A transaction of the application at `level` was committed: what was done in it belongs to the one around it.
    pub(crate) fn committed(&self, level: u8) {
        let around = level.saturating_sub(1);
        for link in &*self.links.lock() {
            for at in [&link.navigated, &link.prepared] {
                if at.load(Ordering::Relaxed) == level {
                    at.store(around, Ordering::Relaxed);
                }
            }
        }
    }

    /// A transaction of the application at `level` was rolled back.
    pub(crate) fn rolled_back(&self, level: u8) {
        for link in &*self.links.lock() {
            if link.navigated.load(Ordering::Relaxed) == level {
                link.navigated.store(level.saturating_sub(1), Ordering::Relaxed);
                link.lost_place.store(true, Ordering::Relaxed);
            }
            let prepared = link.prepared.load(Ordering::Relaxed);
            if prepared != NO_LEVEL && prepared >= level {
                link.prepared.store(NO_LEVEL, Ordering::Relaxed);
                link.lost_update.store(true, Ordering::Relaxed);
            } else if prepared != NO_LEVEL {
                link.lost_changes.fetch_min(level, Ordering::Relaxed);
            }
            link.has_news.store(true, Ordering::Release);
        }
    }
}
