//! Pages of a database file, through a small cache.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ese_format::{PageCheck, PageNumber, PageSize, PageView, correct_page};
use ese_io::{File, IoError, IoErrorKind, Operation};
use parking_lot::Mutex;

use super::{PageSource, TreeError, TreeProblem};

/// Bytes read at once when pages are asked for in a row.
const READ_AHEAD: usize = 256 * 1024;

/// Read-only pages of one file. Keeps a bounded number of verified pages; reads ahead when pages are asked for in the
/// order of the file. A page with a correctable bit is corrected in memory and counted.
pub struct FilePageSource {
    file: Arc<dyn File>,
    page_size: PageSize,
    last_page: PageNumber,
    capacity: usize,
    cache: Mutex<Cache>,
    corrected: AtomicU64,
}

#[derive(Default)]
struct Cache {
    pages: HashMap<PageNumber, Arc<[u8]>>,
    /// In order of arrival: the oldest goes first.
    order: VecDeque<PageNumber>,
    /// Raw bytes read ahead, and the number of the first page in them.
    ahead: Vec<u8>,
    ahead_first: PageNumber,
    last_read: PageNumber,
}

impl FilePageSource {
    /// Default bound of the cache in bytes.
    pub const DEFAULT_CACHE_BYTES: usize = 16 * 1024 * 1024;

    /// Pages of `file` up to `last_page`, keeping about `cache_bytes` of them.
    #[must_use]
    pub fn new(file: Arc<dyn File>, page_size: PageSize, last_page: PageNumber, cache_bytes: usize) -> Self {
        let capacity = (cache_bytes / page_size.len()).max(16);
        Self { file, page_size, last_page, capacity, cache: Mutex::default(), corrected: AtomicU64::new(0) }
    }

    /// How many pages had to be corrected so far.
    #[must_use]
    pub fn corrected_pages(&self) -> u64 {
        self.corrected.load(Ordering::Relaxed)
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    fn read(&self, cache: &mut Cache, number: PageNumber) -> Result<Box<[u8]>, IoError> {
        let size = self.page_size.len();
        let start = number.0.checked_sub(cache.ahead_first.0).map(|n| n as usize * size);
        if let Some(page) = start.and_then(|s| cache.ahead.get(s..s.checked_add(size)?)) {
            cache.last_read = number;
            return Ok(page.into());
        }
        let in_a_row = number.0 == cache.last_read.0.wrapping_add(1) && number.0 != 1;
        let wanted = if in_a_row { READ_AHEAD.max(size) } else { size };
        cache.last_read = number;
        cache.ahead_first = number;
        cache.ahead.resize(wanted, 0);
        let offset = number.file_offset(self.page_size);
        let got = match self.file.read_at(offset, &mut cache.ahead) {
            Ok(got) => got,
            Err(error) => {
                cache.ahead.clear();
                return Err(error);
            }
        };
        // Only whole pages.
        cache.ahead.truncate(got / size * size);
        cache
            .ahead
            .get(..size)
            .map(Into::into)
            .ok_or_else(|| IoError::new(Operation::Read, IoErrorKind::EndOfFile, self.file.path()).at(offset))
    }

    fn verify(&self, number: PageNumber, page: &mut [u8]) -> Result<(), TreeError> {
        match correct_page(page, number) {
            PageCheck::Verified(verdict) if verdict.is_usable() => {
                if !matches!(verdict, ese_format::PageVerdict::Good) {
                    // A corrected page counts only when its structure is sound as well.
                    let sound = PageView::parse(page, self.page_size)
                        .is_ok_and(|view| view.check().iter().all(ese_format::PageFinding::is_tolerated));
                    if !sound {
                        return Err(TreeError::new(number, TreeProblem::Damaged(verdict)));
                    }
                    self.corrected.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }
            PageCheck::Verified(verdict) => Err(TreeError::new(number, TreeProblem::Damaged(verdict))),
            PageCheck::NotVerified(why) => Err(TreeError::new(number, TreeProblem::NotVerified(why))),
        }
    }
}

impl PageSource for FilePageSource {
    type Page = Arc<[u8]>;

    fn page_size(&self) -> PageSize {
        self.page_size
    }

    fn last_page(&self) -> PageNumber {
        self.last_page
    }

    fn page(&self, number: PageNumber) -> Result<Arc<[u8]>, TreeError> {
        if number.is_none() || number > self.last_page {
            return Err(TreeError::new(number, TreeProblem::OutOfRange { last: self.last_page }));
        }
        let mut cache = self.cache.lock();
        if let Some(page) = cache.pages.get(&number) {
            return Ok(Arc::clone(page));
        }
        let mut bytes = self.read(&mut cache, number).map_err(|e| TreeError::new(number, e))?;
        self.verify(number, &mut bytes)?;
        let page: Arc<[u8]> = bytes.into();
        while cache.order.len() >= self.capacity {
            let Some(oldest) = cache.order.pop_front() else { break };
            cache.pages.remove(&oldest);
        }
        cache.order.push_back(number);
        cache.pages.insert(number, Arc::clone(&page));
        Ok(page)
    }
}
