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
        let last = first.0.saturating_add(count.saturating_sub(1)).min(file.last_page);
        if first.is_none() || last <= first.0 {
            return;
        }
        let file = std::sync::Arc::clone(&file.file);
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let pages = (last - first.0 + 1) as usize;
        buffer.resize(pages * self.size.len(), 0);
        if file.read_exact_at(first.file_offset(self.size), &mut buffer).is_ok() {
            for (number, bytes) in (first.0..).zip(buffer.chunks_exact_mut(self.size.len())) {
                self.keep(slot, PageNumber(number), bytes);
            }
        }
        self.read_buffer = buffer;
    }

    fn keep(&mut self, slot: DatabaseSlot, page: PageNumber, bytes: &mut [u8]) {
        if self.holds(slot, page) || self.is_spilled(slot, page) {
            return;
        }
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
    }

    fn is_spilled(&self, slot: DatabaseSlot, page: PageNumber) -> bool {
        self.spill.as_ref().is_some_and(|spill| spill.pages.contains_key(&key(slot, page)))
    }
}
