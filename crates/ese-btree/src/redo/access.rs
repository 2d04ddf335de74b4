//! Which records apply, and getting the pages they change.

use ese_format::{DbTime, ObjectId, PageNumber};
use ese_log::record::{DatabaseSlot, SessionId};

use super::error::{MissingPage, RedoErrorKind};
use super::maps::RedoMapEntry;
use super::{Redo, RedoDatabase};
use crate::page_cache::{Fetched, FrameId};
use crate::page_edit::{PageEditError, PageImage, page_flags};
use crate::page_operation::ChangedPages;

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

    /// Fetches a page that exists. `None` when it may be missing and is.
    pub(super) fn access(&mut self, slot: DatabaseSlot, page: PageNumber) -> Result<Option<FrameId>> {
        if self.database(slot).is_some_and(|d| d.maps.skips(page)) {
            return Ok(None);
        }
        match self.cache.fetch(slot, page)? {
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
        let found = self.cache.page(frame).db_time();
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
            match self.cache.fetch(slot, page) {
                Ok(Fetched::Page(frame)) if self.cache.page(frame).db_time() >= after => {
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
        let frame = self.cache.create(slot, page)?;
        Ok(Target { page, frame: Some(frame), redo: true })
    }

    /// The pages of one change, of which those change that lack it.
    pub(super) fn changed_pages<'r>(
        &'r mut self,
        slot: DatabaseSlot,
        targets: &'r [Target],
    ) -> LackingPages<'r> {
        self.statistics.changes_applied += targets.iter().filter(|t| t.changing().is_some()).count() as u64;
        LackingPages { redo: self, slot, targets }
    }

    pub(super) fn edit_error(
        slot: DatabaseSlot,
        page: PageNumber,
    ) -> impl Fn(PageEditError) -> RedoErrorKind {
        move |error| RedoErrorKind::Edit { slot, page, error }
    }
}

/// See [`Redo::changed_pages`].
pub(super) struct LackingPages<'r> {
    redo: &'r mut Redo,
    slot: DatabaseSlot,
    targets: &'r [Target],
}

impl ChangedPages for LackingPages<'_> {
    type Error = RedoErrorKind;

    fn change(
        &mut self,
        page: PageNumber,
        change: impl FnOnce(&mut PageImage<&mut [u8]>) -> std::result::Result<(), PageEditError>,
    ) -> Result<()> {
        let target = self.targets.iter().find(|t| t.page == page);
        let Some(frame) = target.and_then(Target::changing) else { return Ok(()) };
        let mut image = self.redo.cache.page_mut(frame, self.redo.position);
        change(&mut image).map_err(|error| self.edit_error(page, error))
    }

    fn create(
        &mut self,
        page: PageNumber,
        change: impl FnOnce(&mut PageImage<&mut [u8]>) -> std::result::Result<(), PageEditError>,
    ) -> Result<()> {
        self.change(page, change)
    }

    fn edit_error(&self, page: PageNumber, error: PageEditError) -> RedoErrorKind {
        RedoErrorKind::Edit { slot: self.slot, page, error }
    }
}
