//! A closed database file as a source of the copy loop: for restore, and for backup without attaching.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ese_format::{DatabaseHeader, PageNumber, PageVerdict, correct_page};
use ese_io::File;

use crate::copy::{Chunk, ChunkSource};
use crate::error::BackupError;
use crate::progress::Progress;

/// Pages of a database file, verified while they are read, behind a header of the caller's and in front of the pages
/// that the caller appends. Nothing else writes to the file meanwhile.
pub(crate) struct PageSource<'a> {
    path: PathBuf,
    file: Arc<dyn File>,
    header_page: Vec<u8>,
    /// Bytes of header and data pages.
    pages_end: u64,
    /// A page behind them, or nothing.
    trailer: Vec<u8>,
    next: AtomicU64,
    progress: &'a dyn Progress,
}

impl<'a> PageSource<'a> {
    /// The file's pages up to byte `pages_end`, a multiple of the page size, then `trailer`.
    pub(crate) fn new(
        file: Arc<dyn File>,
        header: &DatabaseHeader,
        pages_end: u64,
        trailer: Vec<u8>,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            path: file.path().to_path_buf(),
            file,
            header_page: header.write(),
            pages_end,
            trailer,
            next: AtomicU64::new(0),
            progress,
        }
    }
}

impl ChunkSource for PageSource<'_> {
    fn total_bytes(&self) -> u64 {
        self.pages_end + self.trailer.len() as u64
    }

    fn is_sequential(&self) -> bool {
        false
    }

    fn next_chunk(&self, buffer: &mut [u8]) -> Result<Option<Chunk>, BackupError> {
        if self.progress.stop_requested() {
            return Err(BackupError::Stopped);
        }
        let page_bytes = self.header_page.len();
        let room = buffer.len() - buffer.len() % page_bytes;
        let offset = self.next.fetch_add(room as u64, Ordering::Relaxed);
        let part = |end: u64| usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX).min(room);
        let (pages_len, len) = (part(self.pages_end), part(self.total_bytes()));
        let data = buffer.get_mut(..len).unwrap_or_default();
        if data.is_empty() {
            return Ok(None);
        }
        let (pages, trailer) = data.split_at_mut(pages_len);
        if !pages.is_empty() {
            self.file.read_exact_at(offset, pages)?;
        }
        let first = offset / page_bytes as u64;
        for (index, page) in (first..).zip(pages.chunks_exact_mut(page_bytes)) {
            // Two header pages, then page 1.
            let Some(number) = index.checked_sub(1).filter(|n| *n > 0) else {
                page.copy_from_slice(&self.header_page);
                continue;
            };
            let number = PageNumber(u32::try_from(number).unwrap_or(u32::MAX));
            if let Some(verdict) =
                correct_page(page, number).verdict().filter(|v| PageVerdict::is_damaged(*v))
            {
                return Err(BackupError::Page { path: self.path.clone(), page: number, verdict });
            }
        }
        if trailer.len() == self.trailer.len() {
            trailer.copy_from_slice(&self.trailer);
        }
        Ok(Some(Chunk { offset, len }))
    }
}

#[cfg(test)]
mod tests {
    use ese_format::{PageSize, write_page_checksum};
    use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};

    use super::*;
    use crate::copy::copy_chunks;
    use crate::progress::NoProgress;

    fn database(page_size: PageSize, pages: u32) -> Vec<u8> {
        let mut bytes = vec![0; page_size.len() * 2];
        for number in 1..=pages {
            let mut page: Vec<u8> = (0..page_size.len()).map(|i| (i as u32 * number) as u8).collect();
            page[40] = 1;
            page[36..40].fill(0x20);
            if page_size.is_large() {
                page[64..72].fill(0);
                page[64..68].copy_from_slice(&number.to_le_bytes());
            }
            write_page_checksum(&mut page, PageNumber(number)).unwrap();
            bytes.extend(page);
        }
        bytes
    }

    #[test]
    fn header_pages_trailer() {
        for bytes in [4096, 32768] {
            let page_size = PageSize::new(bytes).unwrap();
            let storage = MemoryStorage::new();
            let pages = database(page_size, 100);
            storage.put("/db", pages.clone());
            let file = storage.open("/db".as_ref(), OpenOptions::READ).unwrap();
            let mut header = DatabaseHeader::new(page_size);
            header.set_database_id(5);
            let trailer = vec![7; page_size.len()];
            let source = PageSource::new(file, &header, pages.len() as u64, trailer.clone(), &NoProgress);
            let target = storage.open("/copy".as_ref(), OpenOptions::new(OpenMode::CreateNew)).unwrap();
            let checksum = copy_chunks(&source, &*target, &NoProgress).unwrap();
            let copy = storage.get("/copy").unwrap();
            let header = header.write();
            assert_eq!(copy, [&header[..], &header, &pages[2 * page_size.len()..], &trailer].concat());
            assert_eq!(checksum, crc32c::crc32c(&copy));
        }
    }

    #[test]
    fn a_damaged_page_stops_the_copy() {
        let page_size = PageSize::new(8192).unwrap();
        let storage = MemoryStorage::new();
        let mut pages = database(page_size, 300);
        pages[8192 * 201 + 77] ^= 0x55;
        let file = {
            storage.put("/db", pages.clone());
            storage.open("/db".as_ref(), OpenOptions::READ).unwrap()
        };
        let header = DatabaseHeader::new(page_size);
        let source = PageSource::new(file, &header, pages.len() as u64, Vec::new(), &NoProgress);
        let target = storage.open("/copy".as_ref(), OpenOptions::new(OpenMode::CreateNew)).unwrap();
        let error = copy_chunks(&source, &*target, &NoProgress).unwrap_err();
        assert!(matches!(error, BackupError::Page { page: PageNumber(200), .. }), "{error}");
        assert_eq!(error.jet_error().0, -1018);
    }
}
