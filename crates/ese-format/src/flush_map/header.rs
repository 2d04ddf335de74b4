//! Header page of a flush map.

use std::ops::{Deref, DerefMut};

use zerocopy::{FromBytes, IntoBytes};

use crate::field::FieldValue;
use crate::stored::{Stored, stored_struct};
use crate::{
    DatabaseHeader, FileType, FlushMapVersion, HeaderError, HeaderStructure, LogGeneration, LogTime,
    Signature, header_checksum, write_header_checksum,
};

/// Bytes of a flush-map page, header page included, whatever the page size of the database.
#[doc(alias = "s_cbFlushMapPageOnDisk")]
pub const FLUSH_MAP_PAGE_SIZE: usize = 8192;

bitflags::bitflags! {
    /// Flags of a flush-map header. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct FlushMapFlags: u32 {
        /// The map is complete on disk.
        #[doc(alias = "fClean")]
        const CLEAN = 0x0001;
        /// Where pages keep their checksum format; never set in a header.
        #[doc(alias = "fPageNewChecksumFormat")]
        const NEW_CHECKSUM_FORMAT = 0x2000;
        const _ = !0;
    }
}

impl Stored for FlushMapFlags {
    type Raw = zerocopy::little_endian::U32;
    fn load(raw: Self::Raw) -> Self {
        Self::from_bits_retain(raw.get())
    }
    fn store(self) -> Self::Raw {
        self.bits().into()
    }
    fn field(self) -> FieldValue {
        FieldValue::flags(self)
    }
}

stored_struct! {
    /// Header of a flush map, 671 bytes, little-endian, at the start of the file, filled up with zeros to 8192 bytes.
    ///
    /// Written when the map is attached, detached, and at the start and end of every full write of the map. The header
    /// checksum covers the whole page. There is no second copy.
    ///
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/flushmap.hxx`, `FMFILEHDR`.
    #[doc(alias = "FMFILEHDR")]
    pub struct RawFlushMapHeader [671] {
        /// XOR checksum; [`FlushMapHeader::write`] computes it.
        #[doc(alias = "checksum")]
        0 "checksum" stored_checksum set_stored_checksum: u32 as hexadecimal,
        /// Version, first part.
        #[doc(alias = "le_ulFmVersionMajor")]
        4 "ulFmVersionMajor" version_major set_version_major: u32,
        /// Version, second part.
        #[doc(alias = "le_ulFmVersionUpdateMajor")]
        8 "ulFmVersionUpdateMajor" version_update_major set_version_update_major: u32,
        /// Version, third part.
        #[doc(alias = "le_ulFmVersionUpdateMinor")]
        12 "ulFmVersionUpdateMinor" version_update_minor set_version_update_minor: u32,
        /// Zero.
        #[doc(alias = "rgbFlagsAlignmentPadding")]
        16 "reserved16" reserved_16 set_reserved_16: [u8; 20],
        /// Flags.
        #[doc(alias = "fFlags")]
        36 "fFlags" flags set_flags: FlushMapFlags,
        /// When the map was created.
        #[doc(alias = "logtimeCreate")]
        40 "logtimeCreate" create_time set_create_time: LogTime,
        /// When it was last attached.
        #[doc(alias = "logtimeAttach")]
        48 "logtimeAttach" attach_time set_attach_time: LogTime,
        /// When it was last detached.
        #[doc(alias = "logtimeDetach")]
        56 "logtimeDetach" detach_time set_detach_time: LogTime,
        /// First log generation from which the map can be rebuilt after a crash.
        #[doc(alias = "lGenMinRequired")]
        64 "lGenMinRequired" min_required set_min_required: LogGeneration,
        /// The same after the full write that is under way; 0 when none is.
        #[doc(alias = "lGenMinRequiredTarget")]
        68 "lGenMinRequiredTarget" min_required_target set_min_required_target: LogGeneration,
        /// When the last full write of the map began.
        #[doc(alias = "logtimeFlushLastStarted")]
        72 "logtimeFlushLastStarted" flush_start_time set_flush_start_time: LogTime,
        /// When the last full write of the map ended.
        #[doc(alias = "logtimeFlushLastCompleted")]
        80 "logtimeFlushLastCompleted" flush_end_time set_flush_end_time: LogTime,
        /// The database header's flush signature when this header was written.
        #[doc(alias = "signDbHdrFlush")]
        88 "signDbHdrFlush" database_flush_signature set_database_flush_signature: Signature,
        /// Fresh at every write of this header.
        #[doc(alias = "signFlushMapHdrFlush")]
        116 "signFlushMapHdrFlush" flush_signature set_flush_signature: Signature,
        /// Zero.
        #[doc(alias = "rgbFileTypeAlignmentPadding")]
        144 "reserved144" reserved_144 set_reserved_144: [u8; 523],
        /// File type: flush map.
        #[doc(alias = "filetype")]
        667 "filetype" file_type set_file_type: FileType,
    }
}

/// A flush-map header page, editable: the fields through `Deref` (see [`RawFlushMapHeader`]) and whatever else the page
/// holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlushMapHeader {
    raw: RawFlushMapHeader,
    /// What follows the known bytes, without the zeros at the end.
    tail: Vec<u8>,
}

/// An empty header of the current version: file type set, everything else zero.
impl Default for FlushMapHeader {
    fn default() -> Self {
        let mut raw = RawFlushMapHeader::default();
        raw.set_version_major(FlushMapVersion::CURRENT.major);
        raw.set_file_type(FileType::FLUSH_MAP);
        Self { raw, tail: Vec::new() }
    }
}

impl FlushMapHeader {
    /// Parses the header page (the first 8192 bytes of `bytes`) and checks its checksum.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`], [`HeaderError::Checksum`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let header = Self::parse_unverified(bytes)?;
        let found = header_checksum(bytes.get(..FLUSH_MAP_PAGE_SIZE).unwrap_or_default());
        if header.raw.stored_checksum() != found {
            let structure = HeaderStructure::FlushMapHeader;
            return Err(HeaderError::Checksum { structure, expected: header.raw.stored_checksum(), found });
        }
        Ok(header)
    }

    /// As [`parse`](Self::parse), without looking at the checksum: for showing a damaged header.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`].
    pub fn parse_unverified(bytes: &[u8]) -> Result<Self, HeaderError> {
        let page = bytes.get(..FLUSH_MAP_PAGE_SIZE);
        let Some(Ok((raw, tail))) = page.map(RawFlushMapHeader::read_from_prefix) else {
            let structure = HeaderStructure::FlushMapHeader;
            return Err(HeaderError::Truncated {
                structure,
                expected: FLUSH_MAP_PAGE_SIZE,
                found: bytes.len(),
            });
        };
        let used = tail.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
        Ok(Self { raw, tail: tail.get(..used).unwrap_or_default().to_vec() })
    }

    /// The page with its checksum computed.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut page = Vec::with_capacity(FLUSH_MAP_PAGE_SIZE);
        page.extend_from_slice(self.raw.as_bytes());
        page.extend_from_slice(&self.tail);
        page.resize(FLUSH_MAP_PAGE_SIZE, 0);
        write_header_checksum(&mut page);
        page
    }

    /// The version as a whole.
    #[must_use]
    pub fn version(&self) -> FlushMapVersion {
        FlushMapVersion {
            major: self.raw.version_major(),
            update_major: self.raw.version_update_major(),
            update_minor: self.raw.version_update_minor(),
        }
    }

    /// The checks after the checksum: file type, then version.
    ///
    /// # Errors
    /// JET_errFileInvalidType, JET_errFlushMapVersionUnsupported.
    pub fn check(&self) -> Result<(), HeaderError> {
        let found = self.raw.file_type();
        if found != FileType::FLUSH_MAP {
            let structure = HeaderStructure::FlushMapHeader;
            return Err(HeaderError::FileType { structure, expected: FileType::FLUSH_MAP, found });
        }
        self.version().check()
    }

    /// Whether this map goes with a database header: one of the two flush signatures is set and the same in both.
    ///
    /// # Errors
    /// [`HeaderError::Signature`] (JET_errFlushMapDatabaseMismatch): the engine then starts a new map.
    pub fn check_database(&self, database: &DatabaseHeader) -> Result<(), HeaderError> {
        let same = |a: Signature, b: Signature| a == b && !a.is_none();
        if same(self.raw.database_flush_signature(), database.header_flush_signature())
            || same(self.raw.flush_signature(), database.flush_map_flush_signature())
        {
            return Ok(());
        }
        Err(HeaderError::Signature {
            structure: HeaderStructure::FlushMapHeader,
            expected: database.flush_map_flush_signature(),
            found: self.raw.flush_signature(),
        })
    }
}

impl Deref for FlushMapHeader {
    type Target = RawFlushMapHeader;
    fn deref(&self) -> &RawFlushMapHeader {
        &self.raw
    }
}

impl DerefMut for FlushMapHeader {
    fn deref_mut(&mut self) -> &mut RawFlushMapHeader {
        &mut self.raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JetError, PageSize};

    #[test]
    fn a_new_header_parses_back() {
        let page = FlushMapHeader::default().write();
        let header = FlushMapHeader::parse(&page).unwrap();
        assert_eq!(header.write(), page);
        assert_eq!(header.check(), Ok(()));
        assert_eq!(header.version(), FlushMapVersion::CURRENT);
    }

    #[test]
    fn refusals() {
        let mut page = FlushMapHeader::default().write();
        assert!(matches!(FlushMapHeader::parse(&page[..8191]), Err(HeaderError::Truncated { .. })));
        page[8191] ^= 1;
        assert_eq!(FlushMapHeader::parse(&page).unwrap_err().jet_error(), JetError::READ_VERIFY_FAILURE);
        let mut header = FlushMapHeader::default();
        header.set_version_major(2);
        assert_eq!(header.check().unwrap_err().jet_error(), JetError::FLUSH_MAP_VERSION_UNSUPPORTED);
        header.set_file_type(FileType::DATABASE);
        assert_eq!(header.check().unwrap_err().jet_error(), JetError::FILE_INVALID_TYPE);
    }

    #[test]
    fn one_equal_signature_is_enough() {
        let mut map = FlushMapHeader::default();
        let mut database = DatabaseHeader::new(PageSize::DEFAULT);
        // Two unset signatures are no evidence.
        assert!(map.check_database(&database).is_err());
        let signature = Signature { random: 7, ..Signature::NONE };
        map.set_flush_signature(signature);
        database.set_flush_map_flush_signature(signature);
        assert_eq!(map.check_database(&database), Ok(()));
        map.set_flush_signature(Signature::NONE);
        assert_eq!(
            map.check_database(&database).unwrap_err().jet_error(),
            JetError::FLUSH_MAP_DATABASE_MISMATCH
        );
        map.set_database_flush_signature(signature);
        database.set_header_flush_signature(signature);
        assert_eq!(map.check_database(&database), Ok(()));
    }
}
