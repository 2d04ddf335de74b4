//! Reading pages before they are asked for, by whoever walks through a file in order.

use ese_format::{PageCheck, PageNumber, correct_page};
use ese_log::record::DatabaseSlot;

use super::{PageCache, key};
use crate::page_edit::PageImage;

impl PageCache {
    /// Reads up to `count` consecutive pages in one call, and keeps those that are sound and not in memory yet. What
    /// cannot be read now is reported when it is fetched.
    pub(crate) fn read_ahead(&mut self, slot: DatabaseSlot, first: PageNumber, count: u32) {
        let Ok(file) = self.file(slot) else { return };
        let last = first.0.saturating_add(count.saturating_sub(1)).min(file.last_page.min(file.file_pages));
        if first.is_none() || last < first.0 {
            return;
        }
        let file = std::sync::Arc::clone(&file.file);
        // Chosen before they are read: to make room for one, another may leave memory, and what was read of that is old.
        let absent: Vec<bool> =
            (first.0..=last).map(|number| self.is_absent(slot, PageNumber(number))).collect();
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let pages = (last - first.0 + 1) as usize;
        buffer.resize(pages * self.size.len(), 0);
        if file.read_exact_at(first.file_offset(self.size), &mut buffer).is_ok() {
            let pages = buffer.chunks_exact_mut(self.size.len()).zip(absent);
            for (number, (bytes, _)) in (first.0..).zip(pages).filter(|(_, (_, absent))| *absent) {
                self.keep(slot, PageNumber(number), bytes);
            }
        }
        self.read_buffer = buffer;
    }

    fn keep(&mut self, slot: DatabaseSlot, page: PageNumber, bytes: &mut [u8]) {
        let PageCheck::Verified(verdict) = correct_page(bytes, page) else { return };
        let sound = verdict.is_usable()
            && PageImage::new(&bytes[..], self.size).and_then(|image| image.check()).is_ok();
        if !sound {
            return;
        }
        let Ok(index) = self.take_frame() else { return };
        if let Some(frame) = self.frames.get_mut(index)
            && frame.bytes.len() == bytes.len()
        {
            frame.bytes.copy_from_slice(bytes);
        }
        self.place(index, slot, page);
        self.pages_read += 1;
        self.pages_read_ahead += 1;
        crate::thread_counters::page_read_ahead();
    }

    /// Whether the page is nowhere but in its file.
    fn is_absent(&self, slot: DatabaseSlot, page: PageNumber) -> bool {
        let spilled = self.spill.as_ref().is_some_and(|spill| spill.pages.contains_key(&key(slot, page)));
        !spilled && !self.holds(slot, page)
    }
}

impl PageCache {
    /// Has pages side by side read that will be asked for: by the threads that read ahead, or now where there are none.
    pub(crate) fn want_run(&mut self, slot: DatabaseSlot, first: PageNumber, count: u32) {
        let Some(prefetch) = &self.prefetch else {
            if (first.0..first.0.saturating_add(count)).any(|page| self.is_absent(slot, PageNumber(page))) {
                self.read_ahead(slot, first, count);
            }
            return;
        };
        for _ in 0..prefetch.want_run(slot, first, count) {
            crate::thread_counters::page_read_ahead();
        }
    }

    /// Most pages that may be wanted at a time.
    pub(crate) fn most_wanted(&self) -> usize {
        let most = (self.most_frames / 4).max(16);
        self.prefetch.as_ref().map_or(most.min(64), |prefetch| prefetch.most())
    }

    /// Whether a page that is not in memory was wanted, and nobody took it.
    pub(crate) fn is_coming(&self, slot: DatabaseSlot, page: PageNumber) -> bool {
        self.prefetch.as_ref().is_some_and(|prefetch| prefetch.is_coming(key(slot, page)))
    }

    /// Whether there are threads that read ahead.
    pub(crate) fn has_readers(&self) -> bool {
        self.prefetch.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ese_format::{DbTime, LogPosition, ObjectId, PageSize};
    use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};

    use super::*;
    use crate::page_cache::Fetched;

    /// Pages that leave memory to make room for those read with them are not brought back as they were before.
    #[test]
    fn pages_that_make_room_stay_as_they_were_changed() {
        let slot = DatabaseSlot(1);
        let size = PageSize::new(4096).unwrap();
        let storage = MemoryStorage::new();
        let options = OpenOptions::new(OpenMode::CreateNew);
        let mut cache = PageCache::new(size, 0);
        cache.attach(slot, storage.open(Path::new("/db"), options).unwrap()).unwrap();
        for number in 1..=200 {
            cache.begin_operation();
            let frame = cache.create(slot, PageNumber(number)).unwrap();
            let mut page = cache.page_mut(frame, LogPosition::NONE);
            page.initialize(PageNumber(number), ObjectId(2), DbTime(100));
            page.consume(0);
        }
        cache.flush(slot).unwrap();
        // As many as there are buffers, so that none is left that has not been changed.
        for number in 56..120 {
            cache.begin_operation();
            let Ok(Fetched::Page(frame)) = cache.fetch(slot, PageNumber(number)) else { panic!("{number}") };
            cache.page_mut(frame, LogPosition::NONE).set_db_time(DbTime(1000));
        }
        cache.begin_operation();
        cache.read_ahead(slot, PageNumber(40), 40);
        for number in 56..120 {
            cache.begin_operation();
            let Ok(Fetched::Page(frame)) = cache.fetch(slot, PageNumber(number)) else { panic!("{number}") };
            assert_eq!(cache.page(frame).db_time(), DbTime(1000), "page {number}");
        }
    }
}
