//! The header of a log file.

use zerocopy::IntoBytes;

use super::attachments::{ATTACHMENT_LIST_SIZE, AttachmentEntry, parse_attachments, write_attachments};
use super::parameters::RawLogParameters;
use crate::field::{Field, FieldValue};
use crate::stored::{Stored, stored_struct};
use crate::{
    EngineFormatVersion, FileType, HeaderError, HeaderStructure, JetError, LogGeneration, LogPosition,
    LogTime, LogVersion, PageSize, Signature, UnsupportedPageSize, header_checksum, write_header_checksum,
};

bitflags::bitflags! {
    /// Flags of a log header. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct LogFlags: u8 {
        /// The file came from the reserve pool.
        #[doc(alias = "fLGReservedLog")]
        const RESERVED_LOG = 0x01;
        /// Circular logging is on.
        #[doc(alias = "fLGCircularLoggingCurrent")]
        const CIRCULAR_LOGGING_CURRENT = 0x02;
        /// Circular logging was on at some earlier time of this stream.
        #[doc(alias = "fLGCircularLoggingHistory")]
        const CIRCULAR_LOGGING_HISTORY = 0x04;
        const _ = !0;
    }
}

impl Stored for LogFlags {
    type Raw = u8;
    fn load(raw: u8) -> Self {
        Self::from_bits_retain(raw)
    }
    fn store(self) -> u8 {
        self.bits()
    }
    fn field(self) -> FieldValue {
        FieldValue::flags(self)
    }
}

stored_struct! {
    /// Header of a log file, 4096 bytes at its start whatever the sector size, little-endian, without a second copy.
    ///
    /// Written when the generation is created, before the file gets its name. The header checksum covers all of it.
    ///
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/log.hxx`, `LGFILEHDR_FIXED`, `LGFILEHDR`.
    #[doc(alias = "LGFILEHDR_FIXED")]
    pub struct RawLogHeader [4096] {
        /// XOR checksum; [`LogHeader::write`] computes it.
        #[doc(alias = "le_ulChecksum")]
        0 "checksum" checksum set_checksum: u32 as hexadecimal,
        /// Generation of this file.
        #[doc(alias = "le_lGeneration")]
        4 "lGeneration" generation set_generation: LogGeneration,
        /// Bytes of a sector: 4096 with major 8, 512 or 4096 with major 7.
        #[doc(alias = "le_cbSec")]
        8 "cbSec" sector_size set_sector_size: u16,
        /// Sectors of the header.
        #[doc(alias = "le_csecHeader")]
        10 "csecHeader" header_sectors set_header_sectors: u16,
        /// Sectors of the file, header included.
        #[doc(alias = "le_csecLGFile")]
        12 "csecLGFile" file_sectors set_file_sectors: u16,
        /// Page size of the databases; 0 means 4096.
        #[doc(alias = "le_cbPageSize")]
        14 "cbPageSize" page_size_field set_page_size_field: u16,
        /// Creation time of this generation.
        #[doc(alias = "tmCreate")]
        16 "tmCreate" create_time set_create_time: LogTime,
        /// Creation time of the previous generation; not set in the first of a stream.
        #[doc(alias = "tmPrevGen")]
        24 "tmPrevGen" previous_create_time set_previous_create_time: LogTime,
        /// 7 or 8.
        #[doc(alias = "le_ulMajor")]
        32 "ulMajor" major set_major: u32,
        /// 3704 with major 7, 4000 with major 8.
        #[doc(alias = "le_ulMinor")]
        36 "ulMinor" minor set_minor: u32,
        /// Third part of the version.
        #[doc(alias = "le_ulUpdateMajor")]
        40 "ulUpdateMajor" update_major set_update_major: u32,
        /// Identity of the stream, the same in all its generations.
        #[doc(alias = "signLog")]
        44 "signLog" signature set_signature: Signature,
        /// Parameters of the engine.
        #[doc(alias = "dbms_param")]
        72 "dbms_param" parameters set_parameters: RawLogParameters,
        /// Flags.
        #[doc(alias = "fLGFlags")]
        639 "fLGFlags" flags set_flags: LogFlags,
        /// Checkpoint when this file was created; informational.
        #[doc(alias = "le_lgposCheckpoint")]
        640 "lgposCheckpoint" checkpoint set_checkpoint: LogPosition,
        /// Fourth part of the version.
        #[doc(alias = "le_ulUpdateMinor")]
        648 "ulUpdateMinor" update_minor set_update_minor: u32,
        /// What the disk's sector size was: 0 unknown (what is written today), 1 the same, 2 to 5 512 to 4096, 255
        /// another.
        #[doc(alias = "bDiskSecSizeMismatch")]
        652 "bDiskSecSizeMismatch" disk_sector_size set_disk_sector_size: u8,
        /// Accumulated segment checksum of the previous generation.
        #[doc(alias = "checksumPrevLogAllSegments")]
        653 "checksumPrevLogAllSegments" previous_segments_checksum set_previous_segments_checksum: u64 as hexadecimal,
        /// Engine format version of the program that wrote the file; informational.
        #[doc(alias = "le_efvEngineCurrentDiagnostic")]
        661 "efvEngineCurrent" engine_format set_engine_format: EngineFormatVersion,
        /// Zero.
        665 "reserved665" reserved_665 set_reserved_665: [u8; 2],
        /// File type: log, 0 in old files.
        #[doc(alias = "le_filetype")]
        667 "filetype" file_type set_file_type: FileType,
        /// Attachment list.
        #[doc(alias = "rgbAttach")]
        671 "rgbAttach" attachment_bytes set_attachment_bytes: [u8; ATTACHMENT_LIST_SIZE],
        /// Zero.
        #[doc(alias = "rgbPadding")]
        2719 "reserved2719" reserved_2719 set_reserved_2719: [u8; 1377],
    }
}

/// The header of a log file, editable: the fields through `Deref` (see [`RawLogHeader`]), the attachment list decoded on
/// demand. Nothing of the 4096 bytes is lost.
#[doc(alias = "LGFILEHDR")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHeader {
    raw: Box<RawLogHeader>,
}

impl LogHeader {
    /// Stored size in bytes.
    #[doc(alias = "cbLogFileHeader")]
    pub const SIZE: usize = RawLogHeader::SIZE;

    /// A header for a new file of `version`: sectors of 4096 bytes, file type log; everything else zero.
    #[must_use]
    pub fn new(version: LogVersion) -> Self {
        let mut header = Self { raw: Box::default() };
        header.set_version(version);
        header.set_sector_size(4096);
        header.set_header_sectors(1);
        header.set_file_type(FileType::LOG);
        header
    }

    /// Parses a header and checks its checksum, nothing else: see [`check`](Self::check).
    ///
    /// # Errors
    /// [`HeaderError::Truncated`] (JET_errFileIOBeyondEOF); for a wrong checksum [`HeaderError::Version`] when the bytes look like a log of an
    /// ancient engine, else [`HeaderError::Checksum`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let header = Self::parse_unverified(bytes)?;
        let found = header_checksum(header.raw.as_bytes());
        if header.raw.checksum() == found {
            return Ok(header);
        }
        let structure = HeaderStructure::LogHeader;
        Err(header.ancient_format().map_or(
            HeaderError::Checksum { structure, expected: header.raw.checksum(), found },
            |(engine, jet_error)| HeaderError::Version {
                structure,
                expected: "8.4000 or 7.3704".to_owned(),
                found: engine.to_owned(),
                jet_error,
            },
        ))
    }

    /// As [`parse`](Self::parse), without looking at the checksum: for showing a damaged header.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`].
    pub fn parse_unverified(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut raw = Box::<RawLogHeader>::default();
        let Some(stored) = bytes.get(..Self::SIZE) else {
            let structure = HeaderStructure::LogHeader;
            return Err(HeaderError::Truncated { structure, expected: Self::SIZE, found: bytes.len() });
        };
        raw.as_mut_bytes().copy_from_slice(stored);
        Ok(Self { raw })
    }

    /// The 4096 bytes with their checksum computed.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = self.raw.as_bytes().to_vec();
        write_header_checksum(&mut bytes);
        bytes
    }

    /// The version as a whole.
    #[must_use]
    pub fn version(&self) -> LogVersion {
        LogVersion {
            major: self.raw.major(),
            minor: self.raw.minor(),
            update_major: self.raw.update_major(),
            update_minor: self.raw.update_minor(),
        }
    }

    /// Sets all parts of the version.
    pub fn set_version(&mut self, version: LogVersion) {
        self.raw.set_major(version.major);
        self.raw.set_minor(version.minor);
        self.raw.set_update_major(version.update_major);
        self.raw.set_update_minor(version.update_minor);
    }

    /// Page size of the databases of this stream.
    ///
    /// # Errors
    /// [`UnsupportedPageSize`] when the field holds no page size.
    pub fn page_size(&self) -> Result<PageSize, UnsupportedPageSize> {
        PageSize::from_header_field(self.raw.page_size_field().into())
    }

    /// Length of the file in bytes by this header.
    #[must_use]
    pub fn file_size(&self) -> u64 {
        u64::from(self.raw.file_sectors()) * u64::from(self.raw.sector_size())
    }

    /// The databases attached at the very start of this generation.
    ///
    /// # Errors
    /// As [`parse_attachments`].
    pub fn attachments(&self) -> Result<Vec<AttachmentEntry>, HeaderError> {
        parse_attachments(&self.raw.attachment_bytes())
    }

    /// Replaces the attachment list.
    ///
    /// # Errors
    /// As [`write_attachments`].
    pub fn set_attachments(&mut self, entries: &[AttachmentEntry]) -> Result<(), HeaderError> {
        self.raw.set_attachment_bytes(write_attachments(entries)?);
        Ok(())
    }

    /// Every field with its documented name; the attachment list decoded where it can be.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        attachments_decoded(self.raw.fields(), self.attachments())
    }

    /// Logs of engines before 1998, known by fields that no later header has there.
    fn ancient_format(&self) -> Option<(&'static str, JetError)> {
        let words = self.raw.as_bytes().as_chunks::<4>().0;
        let word = |offset: usize| words.get(offset / 4).map_or(0, |w| u32::from_le_bytes(*w));
        match (word(20), word(24), word(28), word(32), word(44), word(48)) {
            (_, 4, 909 | 995, 0, _, _) => Some(("a log of ESE 5.00", JetError::DATABASE500_FORMAT)),
            (443, 0, 0, _, _, _) => Some(("a log of JET 4.00", JetError::DATABASE400_FORMAT)),
            (_, _, _, _, 0, 0x0CA0001) => Some(("a log of JET 2.00", JetError::DATABASE200_FORMAT)),
            _ => None,
        }
    }
}

/// Puts the decoded attachment list in the place of its bytes.
pub(crate) fn attachments_decoded(
    mut fields: Vec<Field>,
    entries: Result<Vec<AttachmentEntry>, HeaderError>,
) -> Vec<Field> {
    if let (Some(list), Ok(entries)) = (fields.iter_mut().find(|f| f.name == "rgbAttach"), entries) {
        list.value = FieldValue::List(entries.iter().map(AttachmentEntry::fields).collect());
    }
    fields
}

impl std::ops::Deref for LogHeader {
    type Target = RawLogHeader;
    fn deref(&self) -> &RawLogHeader {
        &self.raw
    }
}

impl std::ops::DerefMut for LogHeader {
    fn deref_mut(&mut self) -> &mut RawLogHeader {
        &mut self.raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_header_parses_back() {
        let mut header = LogHeader::new(LogVersion::segments(130, 280));
        header.set_generation(LogGeneration(21));
        header.set_file_sectors(32);
        header.set_attachments(&[AttachmentEntry::new(1, "E:\\db.edb")]).unwrap();
        let bytes = header.write();
        let back = LogHeader::parse(&bytes).unwrap();
        assert_eq!(back.write(), bytes);
        assert_eq!(back.generation(), LogGeneration(21));
        assert_eq!(back.file_size(), 131_072);
        assert_eq!(back.page_size(), Ok(PageSize::DEFAULT));
        assert_eq!(back.attachments().unwrap()[0].path(), "E:\\db.edb");
        assert!(matches!(
            back.fields().iter().find(|f| f.name == "rgbAttach").unwrap().value,
            FieldValue::List(_)
        ));
    }

    #[test]
    fn cut_and_flipped() {
        let bytes = LogHeader::new(LogVersion::segments(130, 280)).write();
        for len in [0, 1, 3, 670, 4095] {
            let error = LogHeader::parse(&bytes[..len]).unwrap_err();
            assert_eq!(error.jet_error(), JetError::FILE_IO_BEYOND_EOF);
        }
        let mut flipped = bytes;
        flipped[4095] ^= 1;
        assert_eq!(LogHeader::parse(&flipped).unwrap_err().jet_error(), JetError::LOG_FILE_CORRUPT);
    }

    #[test]
    fn ancient_logs_are_named() {
        let parse = |words: &[(usize, u32)]| {
            let mut bytes = vec![0; 4096];
            for (offset, word) in words {
                bytes[*offset..offset + 4].copy_from_slice(&word.to_le_bytes());
            }
            LogHeader::parse(&bytes).unwrap_err().jet_error()
        };
        assert_eq!(parse(&[(24, 4), (28, 909)]), JetError::DATABASE500_FORMAT);
        assert_eq!(parse(&[(20, 443)]), JetError::DATABASE400_FORMAT);
        assert_eq!(parse(&[(48, 0x0CA0001)]), JetError::DATABASE200_FORMAT);
        assert_eq!(parse(&[]), JetError::LOG_FILE_CORRUPT);
    }
}
