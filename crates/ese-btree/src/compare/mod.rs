//! Whether two database files hold the same pages.
//!
//! *The same* is meant as replay makes it: page number, update counter, links, flags, object id, external header and
//! nodes in order. Not compared are what the engine itself changes without logging, or leaves undefined: checksums, the
//! flush type, the version bit of nodes, uncommitted free bytes, where bodies lie on a page and what is between them.

mod page;

use std::fmt;
use std::sync::Arc;

use ese_format::{DatabaseHeader, DatabaseHeaderPair, HeaderError, JetError, PageNumber, PageSize};
use ese_io::{File, IoError};

pub use page::{NodePart, PageDifference, compare_pages};

/// Pages read in one call from each file.
const CHUNK_BYTES: usize = 1 << 20;
/// Bytes that hold both headers of any page size.
const HEADER_BYTES: usize = 2 * 32768;

/// One difference between two databases, A and B.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A header field.
    HeaderField {
        /// The engine's name of the field.
        field: &'static str,
        /// Its value in A.
        a: String,
        /// Its value in B.
        b: String,
    },
    /// A page.
    Page {
        /// The page.
        page: PageNumber,
        /// What differs first.
        difference: PageDifference,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderField { field, a, b } => write!(f, "header: {field}: {a} / {b}"),
            Self::Page { page, difference } => write!(f, "page {page}: {difference}"),
        }
    }
}

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Pages that hold something in at least one of the files.
    pub pages: u64,
    /// Pages that are zero, or beyond the end, in both.
    pub unused: u64,
    /// Pages that differ.
    pub different_pages: u64,
    /// Header fields that differ.
    pub different_fields: u64,
}

/// A comparison that could not be made.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A file has no usable header.
    #[error("{file}: {error}")]
    Header {
        /// The file.
        file: String,
        /// Why.
        error: HeaderError,
    },
    /// The page sizes differ: nothing can be compared.
    #[error("page sizes differ: {a} and {b}")]
    PageSize {
        /// Page size of A.
        a: PageSize,
        /// Page size of B.
        b: PageSize,
    },
}

impl CompareError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Io(error) => crate::PageCacheError::Io(error.clone()).jet_error(),
            Self::Header { error, .. } => error.jet_error(),
            Self::PageSize { .. } => JetError::PAGE_SIZE_MISMATCH,
        }
    }
}

fn header(file: &dyn File) -> Result<DatabaseHeader, CompareError> {
    let mut bytes = vec![0; HEADER_BYTES];
    let read = read_fully(file, 0, &mut bytes)?;
    bytes.truncate(read);
    match DatabaseHeaderPair::probe(&bytes) {
        Ok(pair) => Ok(pair.header),
        Err(error) => Err(CompareError::Header { file: file.path().display().to_string(), error }),
    }
}

fn read_fully(file: &dyn File, offset: u64, buffer: &mut [u8]) -> Result<usize, IoError> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|r| !r.is_empty()) {
        let read = file.read_at(offset + filled as u64, rest)?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    Ok(filled)
}

/// Compares two database files; `each` is told every difference in the order of the file. Memory does not grow with the
/// files. The checksums of the pages are not looked at: damaged pages are a matter of verification.
///
/// # Errors
/// [`CompareError`] when a file cannot be read or has no header, or the page sizes differ.
pub fn compare_databases(
    a: &Arc<dyn File>,
    b: &Arc<dyn File>,
    mut each: impl FnMut(&Difference),
) -> Result<Comparison, CompareError> {
    let (header_a, header_b) = (header(&**a)?, header(&**b)?);
    let size = header_a.page_size();
    if size != header_b.page_size() {
        return Err(CompareError::PageSize { a: size, b: header_b.page_size() });
    }
    let mut comparison = Comparison::default();
    for (field_a, field_b) in header_a.fields().iter().zip(&header_b.fields()) {
        // The checksum follows from the rest.
        if field_a.name == "checksum" || field_a.value == field_b.value {
            continue;
        }
        comparison.different_fields += 1;
        each(&Difference::HeaderField {
            field: field_a.name,
            a: field_a.value.to_string(),
            b: field_b.value.to_string(),
        });
    }
    let per_chunk = (CHUNK_BYTES / size.len()).max(1);
    let mut buffers = [vec![0; per_chunk * size.len()], vec![0; per_chunk * size.len()]];
    let mut first = PageNumber(1);
    loop {
        let offset = first.file_offset(size);
        let [buffer_a, buffer_b] = &mut buffers;
        let read_a = read_fully(&**a, offset, buffer_a)?;
        let read_b = read_fully(&**b, offset, buffer_b)?;
        let pages = read_a.max(read_b).div_ceil(size.len());
        if pages == 0 {
            return Ok(comparison);
        }
        let used_a = buffer_a.get(..read_a).unwrap_or_default();
        let used_b = buffer_b.get(..read_b).unwrap_or_default();
        for index in 0..pages {
            let range = index * size.len()..(index + 1) * size.len();
            let (page_a, page_b) = (used_a.get(range.clone()), used_b.get(range));
            let page = PageNumber(first.0 + index as u32);
            let zero = |p: Option<&[u8]>| p.is_none_or(|p| p.iter().all(|&b| b == 0));
            if zero(page_a) && zero(page_b) {
                comparison.unused += 1;
                continue;
            }
            comparison.pages += 1;
            if let Some(difference) = compare_pages(page_a, page_b, size) {
                comparison.different_pages += 1;
                each(&Difference::Page { page, difference });
            }
        }
        first = PageNumber(first.0.saturating_add(per_chunk as u32));
    }
}
