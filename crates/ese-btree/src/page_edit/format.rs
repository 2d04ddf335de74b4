//! Pages from nothing: pre-initialised, then consumed.

use ese_format::{DbTime, ObjectId, PageNumber};

use super::flags::page_flags;
use super::image::{PageImage, TAG_LEN, Tag};

impl<B: AsRef<[u8]> + AsMut<[u8]>> PageImage<B> {
    /// Makes the buffer a pre-initialised page: zeros, object id, update counter, all space free, no tags.
    #[doc(alias = "PreInitializeNewPage")]
    pub fn initialize(&mut self, page: PageNumber, object: ObjectId, time: DbTime) {
        self.bytes_mut().fill(0);
        self.set_db_time(time);
        self.set_object(object);
        let free = self.data_len();
        self.set_free(free);
        self.set_flags(
            page_flags::PRE_INIT | page_flags::NEW_RECORD_FORMAT | page_flags::NEW_CHECKSUM_FORMAT,
        );
        self.set_stored_page_number(page);
    }

    /// Turns a pre-initialised page into one with an empty external header and `flags` beside the format flags.
    #[doc(alias = "ConsumePreInitializedPage")]
    pub fn consume(&mut self, flags: u32) {
        self.set_tag_count(1);
        self.write_tag(0, Tag { offset: 0, len: 0, flags: 0 });
        let free = self.free() - TAG_LEN.min(self.free());
        self.set_free(free);
        let format = page_flags::NEW_RECORD_FORMAT | page_flags::NEW_CHECKSUM_FORMAT;
        self.set_flags((flags | format) & !page_flags::PRE_INIT);
    }

    /// Makes the buffer the image of a page that was shrunk away: no object, the counter that says so, no flags.
    pub fn initialize_shrunk(&mut self, page: PageNumber) {
        self.initialize(page, ObjectId(0), DbTime::SHRUNK);
        self.consume(0);
    }
}
