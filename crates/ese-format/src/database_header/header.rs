//! One database header page, editable.

use std::ops::{Deref, DerefMut};

use zerocopy::{FromBytes, IntoBytes};

use crate::{
    DatabaseState, DatabaseVersion, FileType, HeaderError, HeaderStructure, PageSize, RawDatabaseHeader,
    header_checksum, write_header_checksum,
};

/// A database header page: the known fields (through `Deref`, see [`RawDatabaseHeader`]) and whatever else the page
/// holds, kept so that parsing and writing gives the same bytes.
///
/// The page begins the file and is repeated one page further; both copies are written at every change, the first one
/// first. Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/daedef.hxx`, `DBFILEHDR`.
#[doc(alias = "DBFILEHDR")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseHeader {
    raw: RawDatabaseHeader,
    page_size: PageSize,
    /// What follows the known bytes, without the zeros at the end: empty in every file seen. At most one page.
    tail: Vec<u8>,
}

impl DatabaseHeader {
    /// The magic number of a database header.
    #[doc(alias = "ulDAEMagic")]
    pub const MAGIC: u32 = 0x89AB_CDEF;
    /// The only supported format version.
    #[doc(alias = "ulDAEVersionMax")]
    pub const FORMAT_VERSION: u32 = 0x620;

    /// A header for a new file: magic number, format version 1568,20,0, page size, file type; everything else zero, the
    /// state (0) included.
    #[must_use]
    pub fn new(page_size: PageSize) -> Self {
        let mut raw = RawDatabaseHeader::default();
        raw.set_magic(Self::MAGIC);
        raw.set_format_version(Self::FORMAT_VERSION);
        raw.set_update_major(20);
        raw.set_create_version(Self::FORMAT_VERSION);
        raw.set_create_update(20);
        raw.set_page_size_field(page_size.bytes());
        raw.set_file_type(FileType::DATABASE);
        Self { raw, page_size, tail: Vec::new() }
    }

    /// Parses one header page and checks its checksum and that its page size field tells the length of `page` (the
    /// engine's test of a copy).
    ///
    /// # Errors
    /// [`HeaderError::Truncated`], [`HeaderError::UnsupportedPageSize`] (also when `page` is longer or shorter than the
    /// field tells: [`HeaderError::PageSizeMismatch`]), [`HeaderError::Checksum`].
    pub fn parse(page: &[u8]) -> Result<Self, HeaderError> {
        let header = Self::parse_unverified(page)?;
        let found = header_checksum(page);
        if header.raw.checksum() != found {
            return Err(HeaderError::Checksum {
                structure: HeaderStructure::DatabaseHeader,
                expected: header.raw.checksum(),
                found,
            });
        }
        Ok(header)
    }

    /// As [`parse`](Self::parse), without looking at the checksum: for showing a damaged header.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), except for the checksum.
    pub fn parse_unverified(page: &[u8]) -> Result<Self, HeaderError> {
        let structure = HeaderStructure::DatabaseHeader;
        let Ok((raw, tail)) = RawDatabaseHeader::read_from_prefix(page) else {
            let expected = RawDatabaseHeader::SIZE;
            return Err(HeaderError::Truncated { structure, expected, found: page.len() });
        };
        let field = raw.page_size_field();
        let Ok(page_size) = PageSize::from_header_field(field) else {
            return Err(HeaderError::UnsupportedPageSize { structure, found: field });
        };
        if page.len() < page_size.len() {
            return Err(HeaderError::Truncated { structure, expected: page_size.len(), found: page.len() });
        }
        if page.len() > page_size.len() {
            let expected = u32::try_from(page.len()).ok().and_then(|n| PageSize::new(n).ok());
            return Err(match expected {
                Some(expected) => {
                    HeaderError::PageSizeMismatch { structure, expected, found: page_size.bytes() }
                }
                None => HeaderError::UnsupportedPageSize {
                    structure,
                    found: u32::try_from(page.len()).unwrap_or(u32::MAX),
                },
            });
        }
        let used = tail.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
        let tail = tail.get(..used).unwrap_or_default().to_vec();
        Ok(Self { raw, page_size, tail })
    }

    /// The page with its checksum computed: write it at offset 0, then at offset `page_size`, in this order.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut page = Vec::with_capacity(self.page_size.len());
        page.extend_from_slice(self.raw.as_bytes());
        page.extend_from_slice(&self.tail);
        page.resize(self.page_size.len(), 0);
        write_header_checksum(&mut page);
        page
    }

    /// The page size of the database.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// The format version as a whole.
    #[must_use]
    pub fn version(&self) -> DatabaseVersion {
        DatabaseVersion {
            format: self.raw.format_version(),
            update_major: self.raw.update_major(),
            update_minor: self.raw.update_minor(),
        }
    }

    /// Whether the header says that the database is complete by itself.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.raw.state() == DatabaseState::CLEAN_SHUTDOWN
    }

    /// Whether the file belongs to a backup set and has not been restored: its current full backup names a first
    /// generation.
    #[must_use]
    pub fn is_part_of_backup(&self) -> bool {
        self.raw.current_full_backup().low_generation != 0
    }

    /// Bytes behind the known fields, without the zeros at the end; written by a format that is newer than this
    /// program.
    #[must_use]
    pub fn unknown_tail(&self) -> &[u8] {
        &self.tail
    }
}

impl Deref for DatabaseHeader {
    type Target = RawDatabaseHeader;
    fn deref(&self) -> &RawDatabaseHeader {
        &self.raw
    }
}

/// Gives the setters. Changing the page size field makes the page unreadable; nothing needs to.
impl DerefMut for DatabaseHeader {
    fn deref_mut(&mut self) -> &mut RawDatabaseHeader {
        &mut self.raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogGeneration, Signature};

    #[test]
    fn a_new_header_parses_back() {
        for page_size in PageSize::ALL {
            let mut header = DatabaseHeader::new(page_size);
            header.set_state(DatabaseState::DIRTY_SHUTDOWN);
            header.set_min_required(LogGeneration(7));
            header.set_signature(Signature { random: 5, ..Signature::NONE });
            let page = header.write();
            assert_eq!(page.len(), page_size.len());
            let back = DatabaseHeader::parse(&page).unwrap();
            assert_eq!(back.page_size(), page_size);
            assert_eq!(back.state(), DatabaseState::DIRTY_SHUTDOWN);
            assert_eq!(back.min_required(), LogGeneration(7));
            assert_eq!(back.write(), page);
        }
    }

    #[test]
    fn bytes_behind_the_known_fields_are_kept() {
        let mut page = DatabaseHeader::new(PageSize::DEFAULT).write();
        page[1000] = 7;
        write_header_checksum(&mut page);
        let header = DatabaseHeader::parse(&page).unwrap();
        assert_eq!(header.unknown_tail().len(), 1000 - 748 + 1);
        assert_eq!(header.write(), page);
    }

    #[test]
    fn page_size_zero_means_4096() {
        let mut header = DatabaseHeader::new(PageSize::DEFAULT);
        header.set_page_size_field(0);
        let back = DatabaseHeader::parse(&header.write()).unwrap();
        assert_eq!(back.page_size(), PageSize::DEFAULT);
        assert_eq!(back.page_size_field(), 0);
    }

    #[test]
    fn wrong_lengths_are_named() {
        let page = DatabaseHeader::new(PageSize::new(8192).unwrap()).write();
        assert!(matches!(
            DatabaseHeader::parse(&page[..4096]),
            Err(HeaderError::Truncated { expected: 8192, found: 4096, .. })
        ));
        assert!(matches!(DatabaseHeader::parse(&page[..700]), Err(HeaderError::Truncated { .. })));
        let mut longer = page;
        longer.resize(16384, 0);
        assert!(matches!(DatabaseHeader::parse(&longer), Err(HeaderError::PageSizeMismatch { .. })));
    }
}
