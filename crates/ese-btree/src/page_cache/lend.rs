//! Buffers that are elsewhere for a while: redo on several threads has pages changed there.
//!
//! The cache goes on to know which pages it has, which of them are changed and since when, and what their update counter
//! will be. What needs the bytes of a lent page, or must not happen as long as a change may still fail, is refused with
//! [`PageCacheError::Lent`]; whoever lent buffers out brings them back and asks again. What is written, and in which
//! order, thus does not depend on whether buffers are lent.

use ese_format::DbTime;

use super::{FrameId, PageCache, PageCacheError};

impl FrameId {
    /// Number of the buffer.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

impl PageCache {
    /// Takes a page's bytes out, unless they are out already; `time` is the update counter that it will come back with.
    /// The page must have been marked as changed.
    pub(crate) fn lend(&mut self, frame: FrameId, time: DbTime) -> Option<Box<[u8]>> {
        let frame = self.frames.get_mut(frame.0)?;
        if frame.lent.replace(time).is_some() {
            return None;
        }
        self.lent += 1;
        frame.forget_facts();
        Some(std::mem::take(&mut frame.bytes))
    }

    /// The bytes of a page that is here.
    pub(crate) fn bytes(&self, frame: FrameId) -> &[u8] {
        self.frames.get(frame.0).map_or(&[], |f| &f.bytes)
    }

    /// Puts the bytes of a page back.
    pub(crate) fn take_back(&mut self, frame: FrameId, bytes: Box<[u8]>) {
        let Some(frame) = self.frames.get_mut(frame.0) else { return };
        if frame.lent.take().is_some() {
            self.lent -= 1;
            frame.forget_facts();
            frame.bytes = bytes;
        }
    }

    /// The update counter that a lent page will have; `None` when the page is here.
    #[inline]
    pub(crate) fn lent_time(&self, frame: FrameId) -> Option<DbTime> {
        self.frames.get(frame.0).and_then(|f| f.lent)
    }

    /// Whether any buffer is lent.
    pub(crate) fn has_lent(&self) -> bool {
        self.lent > 0
    }

    /// For what must wait until all buffers are back.
    pub(super) fn refuse_lent(&self) -> Result<(), PageCacheError> {
        if self.lent == 0 { Ok(()) } else { Err(PageCacheError::Lent) }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ese_format::{LogPosition, ObjectId, PageNumber, PageSize};
    use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};
    use ese_log::record::DatabaseSlot;

    use super::*;
    use crate::page_cache::Fetched;

    const SLOT: DatabaseSlot = DatabaseSlot(1);

    fn changed(cache: &mut PageCache, number: u32) -> FrameId {
        cache.begin_operation();
        let frame = cache.create(SLOT, PageNumber(number)).unwrap();
        let mut page = cache.page_mut(frame, LogPosition::new(1, 1, number as u16));
        page.initialize(PageNumber(number), ObjectId(2), DbTime(100));
        page.consume(0);
        frame
    }

    /// Pages that are out are known and not written, and neither is any other until they are back.
    #[test]
    fn nothing_is_written_while_buffers_are_lent() {
        let storage = MemoryStorage::new();
        let file = storage.open(Path::new("/db"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
        file.set_len(202 * 4096).unwrap();
        let mut cache = PageCache::new(PageSize::new(4096).unwrap(), 0);
        cache.attach(SLOT, file).unwrap();
        let first = changed(&mut cache, 1);
        let mut bytes = cache.lend(first, DbTime(101)).unwrap();
        assert!(cache.lend(first, DbTime(102)).is_none(), "it is out already");
        for number in 2..=64 {
            changed(&mut cache, number);
        }
        let refused = |outcome: Result<(), PageCacheError>| matches!(outcome, Err(PageCacheError::Lent));
        assert!(refused(cache.flush(SLOT)));
        assert!(refused(cache.write_back(LogPosition::new(9, 0, 0)).map(drop)));
        assert!(refused(cache.detach(SLOT)));
        assert!(refused(cache.resize(SLOT, PageNumber(100))));
        assert!(refused(cache.zero(SLOT, PageNumber(1), PageNumber(2))));
        cache.begin_operation();
        assert_eq!(cache.fetch(SLOT, PageNumber(1)).unwrap(), Fetched::Page(first));
        assert_eq!(cache.lent_time(first), Some(DbTime(102)));
        // Room can be made by writing alone.
        cache.begin_operation();
        assert!(refused(cache.create(SLOT, PageNumber(65)).map(drop)));
        assert!(refused(cache.create(SLOT, PageNumber(201)).map(drop)), "the file would grow");
        assert!(storage.get("/db").unwrap().iter().all(|&b| b == 0));
        bytes[8] = 102;
        cache.take_back(first, bytes);
        assert!(!cache.has_lent());
        cache.create(SLOT, PageNumber(65)).unwrap();
        cache.flush(SLOT).unwrap();
        assert_eq!(storage.get("/db").unwrap()[2 * 4096 + 8], 102);
    }
}
