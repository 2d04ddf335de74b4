//! The trailer page that a streaming backup appends to its copy of a database, and the patch file that came before it.

use std::ops::{Deref, DerefMut};

use zerocopy::{FromBytes, IntoBytes};

use crate::stored::stored_struct;
use crate::{
    BackupInfo, DatabaseHeader, HeaderError, HeaderPairStatus, HeaderStructure, LogGeneration, LogTime,
    PageSize, Signature, header_checksum, write_header_checksum,
};

stored_struct! {
    /// The known part of a trailer page, 148 bytes, little-endian. The header checksum covers the whole page.
    ///
    /// Appended behind the last page of the copy when it is complete; taken away by restore. Up to Windows 7 the same
    /// page, twice, began the patch file of the set; it ended at offset 120 then.
    ///
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/cpage.hxx`, `PATCHHDR`.
    #[doc(alias = "PATCHHDR")]
    #[doc(alias = "PATCH_HEADER_PAGE")]
    pub struct RawTrailerPage [148] {
        /// XOR checksum, as in a database header; [`TrailerPage::write`] computes it.
        0 "checksum" checksum set_checksum: u32 as hexadecimal,
        /// The rest of the space of a page header; zero.
        #[doc(alias = "m_hdrNormalPage")]
        4 "reserved4" reserved_4 set_reserved_4: [u8; 36],
        /// The backup; its last generation is the one that was open when the copy ended.
        #[doc(alias = "bkinfo")]
        40 "bkinfo" backup set_backup: BackupInfo,
        /// Identity of the database.
        #[doc(alias = "signDb")]
        64 "signDb" database_signature set_database_signature: Signature,
        /// Identity of the log stream.
        #[doc(alias = "signLog")]
        92 "signLog" log_signature set_log_signature: Signature,
        /// First required generation at the end of the copy.
        #[doc(alias = "lgenMinReq")]
        120 "lgenMinReq" min_required set_min_required: LogGeneration,
        /// Last required generation at the end of the copy.
        #[doc(alias = "lgenMaxReq")]
        124 "lgenMaxReq" max_required set_max_required: LogGeneration,
        /// Last committed generation at the end of the copy.
        #[doc(alias = "lgenMaxCommitted")]
        128 "lgenMaxCommitted" max_committed set_max_committed: LogGeneration,
        /// Creation time of the last required log.
        #[doc(alias = "logtimeGenMaxRequired")]
        132 "logtimeGenMaxRequired" max_required_create_time set_max_required_create_time: LogTime,
        /// Creation time of the last committed log.
        #[doc(alias = "logtimeGenMaxCommitted")]
        140 "logtimeGenMaxCommitted" max_committed_create_time set_max_committed_create_time: LogTime,
    }
}

/// A trailer page, editable: the fields through `Deref` (see [`RawTrailerPage`]) and whatever else the page holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailerPage {
    raw: RawTrailerPage,
    page_size: PageSize,
    /// What follows the known bytes, without the zeros at the end.
    tail: Vec<u8>,
}

impl TrailerPage {
    /// An empty trailer page.
    #[must_use]
    pub fn new(page_size: PageSize) -> Self {
        Self { raw: RawTrailerPage::default(), page_size, tail: Vec::new() }
    }

    /// The trailer page of a copy: `header` is the live header when the copy ended, `backup` names the backup with the
    /// first generation copied and the open generation; its last generation is raised to the last committed one. The
    /// ranges are filled in only for databases of a format that knows them.
    #[must_use]
    pub fn for_copy(header: &DatabaseHeader, mut backup: BackupInfo) -> Self {
        let mut trailer = Self::new(header.page_size());
        backup.high_generation = backup.high_generation.max(header.max_committed().0);
        trailer.set_backup(backup);
        trailer.set_database_signature(header.signature());
        trailer.set_log_signature(header.log_signature());
        if header.version().supports_lower_min_required() {
            trailer.set_min_required(header.min_required());
            trailer.set_max_required(header.max_required());
            trailer.set_max_committed(header.max_committed());
            trailer.set_max_required_create_time(header.max_required_create_time());
            trailer.set_max_committed_create_time(header.max_committed_create_time());
        }
        trailer
    }

    /// Parses one page and checks its checksum. Nothing in the page says that it is a trailer: see
    /// [`check`](Self::check).
    ///
    /// # Errors
    /// [`HeaderError::UnsupportedPageSize`] when the length is none, [`HeaderError::Checksum`]
    /// (JET_errBadPatchPage).
    pub fn parse(page: &[u8]) -> Result<Self, HeaderError> {
        let structure = HeaderStructure::TrailerPage;
        let found = u32::try_from(page.len()).unwrap_or(u32::MAX);
        let unsupported = HeaderError::UnsupportedPageSize { structure, found };
        let (Ok(page_size), Ok((raw, tail))) = (PageSize::new(found), RawTrailerPage::read_from_prefix(page))
        else {
            return Err(unsupported);
        };
        let found = header_checksum(page);
        if raw.checksum() != found {
            return Err(HeaderError::Checksum { structure, expected: raw.checksum(), found });
        }
        let used = tail.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
        Ok(Self { raw, page_size, tail: tail.get(..used).unwrap_or_default().to_vec() })
    }

    /// The page with its checksum computed.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut page = Vec::with_capacity(self.page_size.len());
        page.extend_from_slice(self.raw.as_bytes());
        page.extend_from_slice(&self.tail);
        page.resize(self.page_size.len(), 0);
        write_header_checksum(&mut page);
        page
    }

    /// Length of the page.
    #[must_use]
    pub fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// Bytes behind the known fields, without the zeros at the end; empty in every file seen.
    #[must_use]
    pub fn unknown_tail(&self) -> &[u8] {
        &self.tail
    }

    /// Whether this trailer goes with the header of the same file: same database, same log stream, a last generation.
    /// `same_mark`: also the mark of the header's current backup, which only a file that was not restored yet has.
    ///
    /// # Errors
    /// [`HeaderError::Signature`] or [`HeaderError::Field`], both JET_errDatabasePatchFileMismatch.
    #[doc(alias = "ErrDBCheckDBHeaderAndTrailer")]
    pub fn check(&self, header: &DatabaseHeader, same_mark: bool) -> Result<(), HeaderError> {
        let structure = HeaderStructure::TrailerPage;
        for (expected, found) in [
            (header.signature(), self.raw.database_signature()),
            (header.log_signature(), self.raw.log_signature()),
        ] {
            if expected != found {
                return Err(HeaderError::Signature { structure, expected, found });
            }
        }
        let backup = self.raw.backup();
        let wrong = |field, expected: String, found: String| {
            Err(HeaderError::Field { structure, field, expected, found })
        };
        if backup.high_generation == 0 {
            return wrong("bkinfo.genHigh", "a generation".to_owned(), "0".to_owned());
        }
        let mark = header.current_full_backup().mark;
        if same_mark && backup.mark != mark {
            return wrong("bkinfo.lgposMark", mark.to_string(), backup.mark.to_string());
        }
        Ok(())
    }
}

impl Deref for TrailerPage {
    type Target = RawTrailerPage;
    fn deref(&self) -> &RawTrailerPage {
        &self.raw
    }
}

impl DerefMut for TrailerPage {
    fn deref_mut(&mut self) -> &mut RawTrailerPage {
        &mut self.raw
    }
}

/// The header of a patch file of Windows 7 and earlier: two copies of the page that later became the trailer page.
/// Patched pages of the database follow. Today's patch files are empty: only their name counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchFileHeader {
    /// The header to use.
    pub header: TrailerPage,
    /// How the copies relate.
    pub status: HeaderPairStatus,
    /// The second copy, when both are valid and it differs.
    pub stale: Option<TrailerPage>,
}

impl PatchFileHeader {
    /// Finds page size and header in the first bytes of a patch file. `start` holds the first 65 536 bytes, or the
    /// whole file when it is shorter. A page size at which the second copy is valid is preferred: the checksum of the
    /// first copy is the same for all sizes, because zeros follow it.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`], [`HeaderError::NoValidCopy`].
    pub fn probe(start: &[u8]) -> Result<Self, HeaderError> {
        let structure = HeaderStructure::PatchFileHeader;
        let mut first_alone = None;
        for size in PageSize::ALL {
            let page = |copy: usize| {
                let page = start.get(copy * size.len()..(copy + 1) * size.len())?;
                TrailerPage::parse(page).ok().filter(|page| page.backup().high_generation != 0)
            };
            match (page(0), page(1)) {
                (Some(header), Some(second)) => {
                    let equal = header == second;
                    let status =
                        if equal { HeaderPairStatus::BothGood } else { HeaderPairStatus::SecondaryStale };
                    return Ok(Self { header, status, stale: (!equal).then_some(second) });
                }
                (None, Some(header)) => {
                    return Ok(Self { header, status: HeaderPairStatus::PrimaryBad, stale: None });
                }
                (first, None) => first_alone = first.or(first_alone),
            }
        }
        match first_alone {
            Some(header) => Ok(Self { header, status: HeaderPairStatus::SecondaryBad, stale: None }),
            None if start.len() < 2048 => {
                Err(HeaderError::Truncated { structure, expected: 2048, found: start.len() })
            }
            None => Err(HeaderError::NoValidCopy { structure }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JetError, LogPosition};

    fn header() -> DatabaseHeader {
        let mut header = DatabaseHeader::new(PageSize::new(8192).unwrap());
        header.set_signature(Signature { random: 1, ..Signature::NONE });
        header.set_log_signature(Signature { random: 2, ..Signature::NONE });
        header.set_max_committed(LogGeneration(15));
        header.set_min_required(LogGeneration(13));
        header
    }

    fn backup() -> BackupInfo {
        BackupInfo {
            mark: LogPosition::new(15, 10, 1249),
            low_generation: 13,
            high_generation: 14,
            ..BackupInfo::NONE
        }
    }

    #[test]
    fn built_for_a_copy() {
        let mut header = header();
        let trailer = TrailerPage::for_copy(&header, backup());
        assert_eq!(trailer.backup().high_generation, 15);
        assert_eq!(trailer.min_required(), LogGeneration(0));
        header.set_update_major(160);
        header.set_update_minor(360);
        let trailer = TrailerPage::for_copy(&header, backup());
        assert_eq!(trailer.min_required(), LogGeneration(13));
        let page = trailer.write();
        assert_eq!(page.len(), 8192);
        assert_eq!(TrailerPage::parse(&page).unwrap().write(), page);
        let mut bad = page;
        bad[8000] ^= 1;
        assert_eq!(TrailerPage::parse(&bad).unwrap_err().jet_error(), JetError::BAD_PATCH_PAGE);
    }

    #[test]
    fn belongs_to_its_header() {
        let mut header = header();
        let trailer = TrailerPage::for_copy(&header, backup());
        assert_eq!(trailer.check(&header, false), Ok(()));
        let error = trailer.check(&header, true).unwrap_err();
        assert_eq!(error.jet_error(), JetError::DATABASE_PATCH_FILE_MISMATCH);
        header.set_current_full_backup(backup());
        assert_eq!(trailer.check(&header, true), Ok(()));
        header.set_signature(Signature::NONE);
        assert!(matches!(trailer.check(&header, true), Err(HeaderError::Signature { .. })));
        let empty = TrailerPage::new(PageSize::DEFAULT);
        assert!(empty.check(&DatabaseHeader::new(PageSize::DEFAULT), true).is_err());
    }

    #[test]
    fn patch_files() {
        for size in PageSize::ALL {
            let mut trailer = TrailerPage::new(size);
            trailer.set_backup(backup());
            let page = trailer.write();
            let both = [page.clone(), page.clone()].concat();
            let found = PatchFileHeader::probe(&both).unwrap();
            assert_eq!((found.header.page_size(), found.status), (size, HeaderPairStatus::BothGood));
            let mut first_bad = both.clone();
            first_bad[50] ^= 1;
            let found = PatchFileHeader::probe(&first_bad).unwrap();
            assert_eq!((found.header.page_size(), found.status), (size, HeaderPairStatus::PrimaryBad));
            assert_eq!(PatchFileHeader::probe(&page).unwrap().status, HeaderPairStatus::SecondaryBad);
        }
        assert!(matches!(PatchFileHeader::probe(&[]), Err(HeaderError::Truncated { .. })));
        assert!(matches!(PatchFileHeader::probe(&[0; 9000]), Err(HeaderError::NoValidCopy { .. })));
    }
}
