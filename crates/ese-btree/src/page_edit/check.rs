//! Whether a page's header, tags and nodes fit together.

use super::error::PageEditError;
use super::flags::page_flags;
use super::image::{PageImage, TAG_LEN};

impl<B: AsRef<[u8]>> PageImage<B> {
    /// Checks what editing relies on: header fields within the page, every body inside the used part, the space
    /// equation. Zero pages and pre-initialised ones pass.
    ///
    /// # Errors
    /// [`PageEditError::HeaderField`], [`PageEditError::TagOutOfRange`].
    pub fn check(&self) -> Result<(), PageEditError> {
        let data_len = self.data_len();
        let count = self.tag_count();
        if count == 0 && (self.has(page_flags::PRE_INIT) || self.is_zero()) {
            return Ok(());
        }
        let field = |field, found, limit| Err(PageEditError::HeaderField { field, found, limit });
        if count < self.reserved_tags() || count > data_len / TAG_LEN {
            return field("itagMicFree", count, data_len / TAG_LEN);
        }
        let used_end = self.used_end();
        if used_end + count * TAG_LEN > data_len {
            return field("ibMicFree", used_end, data_len.saturating_sub(count * TAG_LEN));
        }
        let mut total = count * TAG_LEN;
        for index in 0..count {
            let out_of_range = PageEditError::TagOutOfRange { tag: index, offset: 0, length: 0 };
            let tag = self.raw_tag(index).ok_or(out_of_range)?;
            if tag.len != 0 && tag.offset + tag.len > used_end {
                return Err(PageEditError::TagOutOfRange { tag: index, offset: tag.offset, length: tag.len });
            }
            total += tag.len;
        }
        if total + self.free() != data_len {
            return field("cbFree", self.free(), data_len.saturating_sub(total));
        }
        Ok(())
    }
}
