//! What a session knows of its cursors: ends of its transactions concern them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use parking_lot::Mutex;

use crate::database::AttachedDatabase;
use crate::schema::{IndexUse, OpenHold};

/// No update is being prepared; no secondary index is the current one.
const NO_LEVEL: u8 = u8::MAX;

/// What a cursor tells its session of itself, and hears from it.
#[derive(Debug)]
pub(crate) struct CursorLink {
    /// Level at which the cursor was opened.
    #[doc(alias = "levelOpen")]
    opened: AtomicU8,
    /// Level at which the secondary index that is current was chosen.
    index: AtomicU8,
    /// Level at which the cursor went where it stands.
    #[doc(alias = "levelNavigate")]
    navigated: AtomicU8,
    /// Level at which an update was prepared.
    #[doc(alias = "levelPrep")]
    prepared: AtomicU8,
    /// There is something to hear. It stays when a rollback has closed the cursor.
    has_news: AtomicBool,
    /// The cursor has to go before the first row: the transaction in which it went where it stands was rolled back.
    lost_place: AtomicBool,
    /// The update is given up: the transaction in which it was prepared was rolled back.
    lost_update: AtomicBool,
    /// The primary index is the current one again: the transaction in which the other was chosen was rolled back.
    lost_index: AtomicBool,
    /// Lowest level that was rolled back while an update was prepared around it.
    lost_changes: AtomicU8,
    /// The transaction in which the cursor was opened was rolled back, or the session has closed the database.
    closed_by_session: AtomicBool,
    closed: AtomicBool,
    /// What keeps the table open, and its current index from being deleted.
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    table: Option<Arc<OpenHold>>,
    index: Option<IndexUse>,
}

impl CursorLink {
    fn new(level: u8, table: Option<Arc<OpenHold>>) -> Self {
        Self {
            opened: AtomicU8::new(level),
            index: AtomicU8::new(NO_LEVEL),
            navigated: AtomicU8::new(0),
            prepared: AtomicU8::new(NO_LEVEL),
            has_news: AtomicBool::new(false),
            lost_place: AtomicBool::new(false),
            lost_update: AtomicBool::new(false),
            lost_index: AtomicBool::new(false),
            lost_changes: AtomicU8::new(NO_LEVEL),
            closed_by_session: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            held: Mutex::new(Held { table, index: None }),
        }
    }

    /// The cursor went somewhere at `level`.
    pub(crate) fn navigated(&self, level: u8) {
        self.navigated.store(level, Ordering::Relaxed);
    }

    /// An update was prepared at `level`, or (`None`) is over.
    pub(crate) fn prepared(&self, level: Option<u8>) {
        self.prepared.store(level.unwrap_or(NO_LEVEL), Ordering::Relaxed);
    }

    /// A secondary index is the current one since `level`, or (`None`) none is.
    pub(crate) fn goes_through(&self, index: Option<(u8, IndexUse)>) {
        let level = index.as_ref().map_or(NO_LEVEL, |(level, _)| *level);
        self.index.store(level, Ordering::Relaxed);
        self.held.lock().index = index.map(|(_, index)| index);
    }

    /// Whether there may be anything to hear: each call on the cursor asks.
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Relaxed)
    }

    /// What there was to hear is heard.
    pub(crate) fn news_are_heard(&self) {
        self.has_news.store(false, Ordering::Relaxed);
    }

    /// Whether a rollback has taken the place away; said once.
    pub(crate) fn take_lost_place(&self) -> bool {
        self.lost_place.swap(false, Ordering::Relaxed)
    }

    /// Whether a rollback has ended the update; said once.
    pub(crate) fn take_lost_update(&self) -> bool {
        self.lost_update.swap(false, Ordering::Relaxed)
    }

    /// Whether a rollback has taken the current index away; said once.
    pub(crate) fn take_lost_index(&self) -> bool {
        self.lost_index.swap(false, Ordering::Relaxed)
    }

    /// From which level on changes of long values for the update were rolled back, without the update; said once.
    pub(crate) fn take_lost_changes(&self) -> Option<u8> {
        Some(self.lost_changes.swap(NO_LEVEL, Ordering::Relaxed)).filter(|level| *level != NO_LEVEL)
    }

    /// Whether the session has closed the cursor.
    pub(crate) fn is_closed_by_session(&self) -> bool {
        self.closed_by_session.load(Ordering::Relaxed)
    }

    /// The cursor is gone.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let held = std::mem::take(&mut *self.held.lock());
        if let Some(table) = held.table {
            table.release();
        }
    }

    fn is_at_or_above(at: &AtomicU8, level: u8) -> bool {
        let at = at.load(Ordering::Relaxed);
        at != NO_LEVEL && at >= level
    }

    /// Closes the cursor behind the back of its holder.
    fn close_by_session(&self) {
        self.closed_by_session.store(true, Ordering::Relaxed);
        self.has_news.store(true, Ordering::Release);
        self.close();
    }

    /// Whether it is a cursor on a table of the database.
    fn is_of(&self, database: &AttachedDatabase) -> bool {
        self.held.lock().table.as_ref().is_some_and(|table| database.schemas().counts(table))
    }

    fn roll_back(&self, level: u8) {
        if Self::is_at_or_above(&self.opened, level) {
            self.close_by_session();
            return;
        }
        if self.navigated.load(Ordering::Relaxed) == level {
            self.navigated.store(level.saturating_sub(1), Ordering::Relaxed);
            self.lost_place.store(true, Ordering::Relaxed);
        }
        if Self::is_at_or_above(&self.index, level) {
            self.goes_through(None);
            self.lost_index.store(true, Ordering::Relaxed);
        }
        if Self::is_at_or_above(&self.prepared, level) {
            self.prepared.store(NO_LEVEL, Ordering::Relaxed);
            self.lost_update.store(true, Ordering::Relaxed);
        } else if self.prepared.load(Ordering::Relaxed) != NO_LEVEL {
            self.lost_changes.fetch_min(level, Ordering::Relaxed);
        }
        self.has_news.store(true, Ordering::Release);
    }
}

/// The cursors of a session.
#[derive(Debug, Default)]
pub(crate) struct SessionCursors {
    links: Mutex<Vec<Arc<CursorLink>>>,
}

impl SessionCursors {
    /// A new cursor, opened at `level`. `table` is what it keeps open.
    pub(crate) fn add(&self, level: u8, table: Option<Arc<OpenHold>>) -> Arc<CursorLink> {
        let link = Arc::new(CursorLink::new(level, table));
        let mut links = self.links.lock();
        links.retain(|link| !link.closed.load(Ordering::Relaxed));
        links.push(Arc::clone(&link));
        link
    }

    /// A transaction of the application at `level` was committed: what was done in it belongs to the one around it.
    pub(crate) fn committed(&self, level: u8) {
        let around = level.saturating_sub(1);
        for link in &*self.links.lock() {
            for at in [&link.opened, &link.index, &link.navigated, &link.prepared] {
                if at.load(Ordering::Relaxed) == level {
                    at.store(around, Ordering::Relaxed);
                }
            }
        }
    }

    /// The session has closed a database for the last time: its cursors there are closed.
    pub(super) fn database_closed(&self, database: &AttachedDatabase) {
        for link in self.links.lock().iter().filter(|link| link.is_of(database)) {
            link.close_by_session();
        }
    }

    /// A transaction of the application at `level` was rolled back: cursors opened in it are closed.
    pub(crate) fn rolled_back(&self, level: u8) {
        for link in &*self.links.lock() {
            link.roll_back(level);
        }
    }
}
