//! What a session knows of its cursors: ends of its transactions concern them, and two of them may not replace one row.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use ese_format::PageNumber;
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
    closed: AtomicBool,
    /// Tree and bookmark of the row that is being replaced.
    replaced: Mutex<Option<(u8, PageNumber, Vec<u8>)>>,
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

    /// Whether a rollback has taken the place away; said once.
    pub(crate) fn take_lost_place(&self) -> bool {
        self.lost_place.load(Ordering::Relaxed) && self.lost_place.swap(false, Ordering::Relaxed)
    }

    /// Whether a rollback has ended the update; said once.
    pub(crate) fn take_lost_update(&self) -> bool {
        self.lost_update.load(Ordering::Relaxed) && self.lost_update.swap(false, Ordering::Relaxed)
    }

    /// The row that is being replaced through the cursor; none any more.
    pub(crate) fn replaces(&self, row: Option<(u8, PageNumber, &[u8])>) {
        let mut replaced = self.replaced.lock();
        match (row, &mut *replaced) {
            (None, _) => *replaced = None,
            (Some((slot, root, bookmark)), Some(known)) => {
                (known.0, known.1) = (slot, root);
                known.2.clear();
                known.2.extend_from_slice(bookmark);
            }
            (Some((slot, root, bookmark)), none) => *none = Some((slot, root, bookmark.to_vec())),
        }
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
            closed: AtomicBool::new(false),
            replaced: Mutex::new(None),
        });
        let mut links = self.links.lock();
        links.retain(|link| !link.closed.load(Ordering::Relaxed));
        links.push(Arc::clone(&link));
        link
    }

    /// Whether another cursor of the session is replacing the row.
    #[doc(alias = "ErrRECSessionWriteConflict")]
    pub(crate) fn is_replaced_elsewhere(
        &self,
        me: &CursorLink,
        slot: u8,
        root: PageNumber,
        bookmark: &[u8],
    ) -> bool {
        let links = self.links.lock();
        if links.len() < 2 {
            return false;
        }
        links.iter().filter(|link| !std::ptr::eq(Arc::as_ptr(link), me)).any(|link| {
            !link.closed.load(Ordering::Relaxed)
                && link.prepared.load(Ordering::Relaxed) != NO_LEVEL
                && link.replaced.lock().as_ref().is_some_and(|(s, r, b)| *s == slot && *r == root && b == bookmark)
        })
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
            }
        }
    }
}
