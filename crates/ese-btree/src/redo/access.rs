//! Which records apply, and getting the pages they change.

use ese_format::{DbTime, ObjectId, PageNumber};
use ese_log::record::{DatabaseSlot, SessionId};

use super::error::{MissingPage, RedoErrorKind};
use super::group::{ChangingPages, PageStore};
use super::maps::RedoMapEntry;
use super::{Redo, RedoDatabase};
use crate::page_cache::{Fetched, FrameId, PageCacheError};
use crate::page_edit::{PageEditError, page_flags};

type Result<T> = std::result::Result<T, RedoErrorKind>;

/// Lowest of the values that are no counters.
const FIRST_SPECIAL_TIME: u64 = 0xFFFF_FFFF_FFFF_FFFB;

/// A page that a record needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) page: PageNumber,
    /// The buffer; `None` when the page is in a redo map, and records on it have no effect.
    pub(super) frame: Option<FrameId>,
    /// Whether the record's change is missing.
    pub(super) redo: bool,
}

impl Target {
    /// The buffer of a page that must change.
    pub(super) fn changing(&self) -> Option<FrameId> {
        self.frame.filter(|_| self.redo)
    }

    pub(super) const NONE: Self = Self { page: PageNumber::NONE, frame: None, redo: false };
}

impl Redo {
    /// Whether a record of a session takes part; keeps it when its macro is open.
    pub(super) fn takes_part(
        &mut self,
        session: SessionId,
        slot: DatabaseSlot,
        time: DbTime,
        object: ObjectId,
        stored: Option<&[u8]>,
    ) -> bool {
        let position = self.position;
        let session = self.sessions.get(session);
        let counters_only = !session.after_first_begin;
        let begin = session.last_begin;
        if !counters_only
            && let Some(record) = stored
            && let Some(open) = session.macros.iter_mut().find(|m| m.time == time)
        {
            open.push(record, position);
            return false;
        }
        self.cache.set_replay_start(begin);
        self.condition(slot, time, object, counters_only)
    }

    /// Whether a record on a database takes part. The database's counters follow it in any case.
    pub(super) fn condition(
        &mut self,
        slot: DatabaseSlot,
        time: DbTime,
        object: ObjectId,
        counters_only: bool,
    ) -> bool {
        let position = self.position;
        let Some(database) = self.database_mut(slot) else { return false };
        if time.0 < FIRST_SPECIAL_TIME {
            database.db_time = database.db_time.max(time);
        }
        database.last_object = database.last_object.max(object);
        !counters_only && !database.deferred && position > database.attach_position
    }

    /// An attached database.
    #[must_use]
    pub fn database(&self, slot: DatabaseSlot) -> Option<&RedoDatabase> {
        self.databases.get(usize::from(slot.0)).and_then(Option::as_ref)
    }

    /// An attached database, to be changed.
    pub fn database_mut(&mut self, slot: DatabaseSlot) -> Option<&mut RedoDatabase> {
        self.databases.get_mut(usize::from(slot.0)).and_then(Option::as_mut)
    }

    fn missing(
        &mut self,
        slot: DatabaseSlot,
        page: PageNumber,
        reason: MissingPage,
        found: DbTime,
        ignored: bool,
    ) -> Result<Option<FrameId>> {
        let position = self.position;
        let Some(database) = self.database_mut(slot) else { return Ok(None) };
        if !database.may_lack_pages() {
            return Err(RedoErrorKind::Missing { slot, page, reason });
        }
        let map = match (reason, ignored) {
            (MissingPage::Reverted, true) => &mut database.maps.reverted_ignored,
            (MissingPage::Reverted, false) => &mut database.maps.reverted,
            _ => &mut database.maps.zeroed,
        };
        let error = reason.jet_error();
        let (before, after) = (DbTime::NIL, DbTime::NIL);
        map.entry(page).or_insert(RedoMapEntry { position, error, before, found, after });
        Ok(None)
    }

    /// Fetches a page. Where room must be made for it, other threads are waited for first.
    pub(super) fn fetch(&mut self, slot: DatabaseSlot, page: PageNumber) -> Result<Fetched> {
        match self.cache.fetch(slot, page) {
            Err(PageCacheError::Lent) => {
                self.recall()?;
                Ok(self.cache.fetch(slot, page)?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Update counter of a page, as it is when everything up to here is done.
    fn time_of(&self, frame: FrameId) -> DbTime {
        self.cache.lent_time(frame).unwrap_or_else(|| self.cache.page(frame).db_time())
    }

    /// Fetches a page that exists. `None` when it may be missing and is.
    pub(super) fn access(&mut self, slot: DatabaseSlot, page: PageNumber) -> Result<Option<FrameId>> {
        if self.database(slot).is_some_and(|d| d.maps.skips(page)) {
            return Ok(None);
        }
        match self.fetch(slot, page)? {
            // Being changed: it is none of those below.
            Fetched::Page(frame) if self.cache.lent_time(frame).is_some() => Ok(Some(frame)),
            Fetched::Page(frame) => {
                let image = self.cache.page(frame);
                let (found, ignored) = (image.db_time(), image.has(page_flags::FDP_DELETE));
                match found {
                    DbTime::SHRUNK => self.missing(slot, page, MissingPage::Shrunk, found, false),
                    DbTime::REVERTED => self.missing(slot, page, MissingPage::Reverted, found, ignored),
                    _ => Ok(Some(frame)),
                }
            }
            Fetched::Uninitialized => self.missing(slot, page, MissingPage::Uninitialized, DbTime(0), false),
            Fetched::BeyondEnd => self.missing(slot, page, MissingPage::BeyondEnd, DbTime(0), false),
        }
    }

    /// Whether the page lacks a change that makes its counter `after` and found it `before`.
    pub(super) fn lacks(
        &mut self,
        slot: DatabaseSlot,
        page: PageNumber,
        frame: Option<FrameId>,
        before: DbTime,
        after: DbTime,
    ) -> Result<bool> {
        let Some(frame) = frame else { return Ok(false) };
        let found = self.time_of(frame);
        let position = self.position;
        let Some(database) = self.database_mut(slot) else { return Ok(false) };
        if found >= after {
            return if database.future_data {
                Ok(false)
            } else {
                Err(RedoErrorKind::TimeBeyondRequired { slot, page, found, after })
            };
        }
        if found == before {
            return Ok(true);
        }
        if found < before {
            if !database.may_lack_pages() {
                return Err(RedoErrorKind::TimeTooOld { slot, page, expected: before, found, after });
            }
            let error = ese_format::JetError::DB_TIME_TOO_OLD;
            let entry = RedoMapEntry { position, error, before, found, after };
            database.maps.bad_time.entry(page).or_insert(entry);
            return Ok(false);
        }
        Err(RedoErrorKind::TimeTooNew { slot, page, expected: before, found, after })
    }

    /// Fetches a page and compares its counter. Page 0 is none.
    pub(super) fn target(
        &mut self,
        slot: DatabaseSlot,
        page: PageNumber,
        before: DbTime,
        after: DbTime,
    ) -> Result<Target> {
        if page.is_none() {
            return Ok(Target::NONE);
        }
        let frame = self.access(slot, page)?;
        let redo = self.lacks(slot, page, frame, before, after)?;
        Ok(Target { page, frame, redo })
    }

    /// A page that the record creates. Its buffer has undefined content when it is to be redone.
    pub(super) fn new_target(
        &mut self,
        slot: DatabaseSlot,
        page: PageNumber,
        after: DbTime,
    ) -> Result<Target> {
        let (skipped, future_data, may_lack) = self
            .database(slot)
            .map_or((true, false, false), |d| (d.maps.skips(page), d.future_data, d.may_lack_pages()));
        if skipped {
            return Ok(Target { page, frame: None, redo: false });
        }
        if future_data {
            match self.fetch(slot, page) {
                Err(RedoErrorKind::Stopped) => return Err(RedoErrorKind::Stopped),
                Ok(Fetched::Page(frame)) if self.time_of(frame) >= after => {
                    return Ok(Target { page, frame: Some(frame), redo: false });
                }
                Ok(Fetched::BeyondEnd) if may_lack && !self.demand_extends => {
                    self.missing(slot, page, MissingPage::BeyondEnd, DbTime(0), false)?;
                    return Ok(Target { page, frame: None, redo: false });
                }
                // What cannot be read is about to be overwritten.
                _ => {}
            }
        }
        let frame = match self.cache.create(slot, page) {
            Err(PageCacheError::Lent) => {
                self.recall()?;
                self.cache.create(slot, page)?
            }
            outcome => outcome?,
        };
        Ok(Target { page, frame: Some(frame), redo: true })
    }

    /// The pages of one change, of which those change that lack it.
    pub(super) fn changed_pages(&mut self, slot: DatabaseSlot, targets: &[Target]) -> ChangingPages<'_> {
        self.statistics.changes_applied += targets.iter().filter(|t| t.changing().is_some()).count() as u64;
        let mut pages = self.changing_pages(slot);
        pages.targets.extend_from_slice(targets);
        pages
    }

    /// The pages of a change in the cache.
    pub(super) fn changing_pages(&mut self, slot: DatabaseSlot) -> ChangingPages<'_> {
        let store = PageStore::Cache { position: self.position, cache: &mut self.cache };
        ChangingPages { store, slot, targets: Vec::new(), step: 0 }
    }

    pub(super) fn edit_error(
        slot: DatabaseSlot,
        page: PageNumber,
    ) -> impl Fn(PageEditError) -> RedoErrorKind {
        move |error| RedoErrorKind::Edit { slot, page, error }
    }
}
