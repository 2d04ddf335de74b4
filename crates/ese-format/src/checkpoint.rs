//! The checkpoint file: from where redo starts.

use std::ops::{Deref, DerefMut};

use zerocopy::IntoBytes;

use crate::field::{Field, FieldValue};
use crate::log_header::{
    ATTACHMENT_LIST_SIZE, AttachmentEntry, RawLogParameters, attachments_decoded, parse_attachments,
    write_attachments,
};
use crate::stored::{Stored, stored_struct};
use crate::{
    FileType, HeaderCopy, HeaderError, HeaderPairStatus, HeaderStructure, LogPosition, LogTime, Signature,
    header_checksum, write_header_checksum,
};

bitflags::bitflags! {
    /// Flags of a checkpoint. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CheckpointFlags: u8 {
        /// The attachment list is there and may be used.
        #[doc(alias = "fCheckpointAttachInfoPresent")]
        const ATTACHMENTS_PRESENT = 0x01;
        const _ = !0;
    }
}

impl Stored for CheckpointFlags {
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
    /// One copy of a checkpoint, 4096 bytes, little-endian: at 0 and again at 4096 of the file.
    ///
    /// Written when the checkpoint moves to another sector, and at a clean end. The header checksum covers each copy.
    ///
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/log.hxx`, `CHECKPOINT_FIXED`, `CHECKPOINT`.
    #[doc(alias = "CHECKPOINT_FIXED")]
    pub struct RawCheckpoint [4096] {
        /// XOR checksum; [`Checkpoint::write`] computes it.
        #[doc(alias = "le_ulChecksum")]
        0 "checksum" checksum set_checksum: u32 as hexadecimal,
        /// Checkpoint of the last full backup.
        #[doc(alias = "le_lgposLastFullBackupCheckpoint")]
        4 "lgposLastFullBackupCheckpoint" last_full_backup_checkpoint set_last_full_backup_checkpoint: LogPosition,
        /// Where redo starts.
        #[doc(alias = "le_lgposCheckpoint")]
        12 "lgposCheckpoint" position set_position: LogPosition,
        /// Identity of the log stream.
        #[doc(alias = "signLog")]
        20 "signLog" signature set_signature: Signature,
        /// Parameters of the engine.
        #[doc(alias = "dbms_param")]
        48 "dbms_param" parameters set_parameters: RawLogParameters,
        /// Position of the record of the last full backup; informational.
        #[doc(alias = "le_lgposFullBackup")]
        615 "lgposFullBackup" full_backup_position set_full_backup_position: LogPosition,
        /// Time of the last full backup.
        #[doc(alias = "logtimeFullBackup")]
        623 "logtimeFullBackup" full_backup_time set_full_backup_time: LogTime,
        /// Position of the record of the last incremental backup.
        #[doc(alias = "le_lgposIncBackup")]
        631 "lgposIncBackup" incremental_backup_position set_incremental_backup_position: LogPosition,
        /// Time of the last incremental backup.
        #[doc(alias = "logtimeIncBackup")]
        639 "logtimeIncBackup" incremental_backup_time set_incremental_backup_time: LogTime,
        /// Flags.
        #[doc(alias = "fVersion")]
        647 "fVersion" flags set_flags: CheckpointFlags,
        /// The checkpoint without what flush maps hold back, at or behind it; unset in old files, which means the same
        /// position.
        #[doc(alias = "le_lgposDbConsistency")]
        648 "lgposDbConsistency" stored_consistency_position set_stored_consistency_position: LogPosition,
        /// Zero.
        #[doc(alias = "rgbReserved1")]
        656 "reserved656" reserved_656 set_reserved_656: [u8; 11],
        /// File type: checkpoint, 0 in old files.
        #[doc(alias = "le_filetype")]
        667 "filetype" file_type set_file_type: FileType,
        /// Zero.
        #[doc(alias = "rgbReserved2")]
        671 "reserved671" reserved_671 set_reserved_671: [u8; 8],
        /// Attachment list at the checkpoint.
        #[doc(alias = "rgbAttach")]
        679 "rgbAttach" attachment_bytes set_attachment_bytes: [u8; ATTACHMENT_LIST_SIZE],
        /// Zero.
        #[doc(alias = "rgbPadding")]
        2727 "reserved2727" reserved_2727 set_reserved_2727: [u8; 1369],
    }
}

/// A checkpoint, editable: the fields through `Deref` (see [`RawCheckpoint`]), the attachment list decoded on demand.
/// Nothing of the 4096 bytes is lost.
#[doc(alias = "CHECKPOINT")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    raw: Box<RawCheckpoint>,
}

/// An empty checkpoint: file type set, everything else zero.
impl Default for Checkpoint {
    fn default() -> Self {
        let mut checkpoint = Self { raw: Box::default() };
        checkpoint.set_file_type(FileType::CHECKPOINT);
        checkpoint
    }
}

impl Checkpoint {
    /// Bytes of one copy.
    #[doc(alias = "cbCheckpoint")]
    pub const SIZE: usize = RawCheckpoint::SIZE;
    /// Bytes of the file: two copies.
    pub const FILE_SIZE: usize = 2 * Self::SIZE;

    /// Parses one copy and checks its checksum.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`], [`HeaderError::Checksum`].
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let checkpoint = Self::parse_unverified(bytes)?;
        let found = header_checksum(checkpoint.raw.as_bytes());
        if checkpoint.raw.checksum() != found {
            let structure = HeaderStructure::Checkpoint;
            return Err(HeaderError::Checksum { structure, expected: checkpoint.raw.checksum(), found });
        }
        Ok(checkpoint)
    }

    /// As [`parse`](Self::parse), without looking at the checksum: for showing a damaged copy.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`].
    pub fn parse_unverified(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some(stored) = bytes.get(..Self::SIZE) else {
            let structure = HeaderStructure::Checkpoint;
            return Err(HeaderError::Truncated { structure, expected: Self::SIZE, found: bytes.len() });
        };
        let mut raw = Box::<RawCheckpoint>::default();
        raw.as_mut_bytes().copy_from_slice(stored);
        Ok(Self { raw })
    }

    /// One copy with its checksum computed: write it at 0, then at 4096, then sync once.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = self.raw.as_bytes().to_vec();
        write_header_checksum(&mut bytes);
        bytes
    }

    /// The checkpoint without what flush maps hold back: the stored one, or the checkpoint itself where old engines
    /// stored nothing.
    #[must_use]
    pub fn consistency_position(&self) -> LogPosition {
        let stored = self.raw.stored_consistency_position();
        if stored.is_none() { self.raw.position() } else { stored }
    }

    /// The databases attached at the checkpoint; `None` when the file does not tell.
    ///
    /// # Errors
    /// As [`parse_attachments`].
    pub fn attachments(&self) -> Result<Option<Vec<AttachmentEntry>>, HeaderError> {
        if self.raw.flags().contains(CheckpointFlags::ATTACHMENTS_PRESENT) {
            parse_attachments(&self.raw.attachment_bytes()).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Replaces the attachment list; `None` says that the file does not tell.
    ///
    /// # Errors
    /// As [`write_attachments`].
    pub fn set_attachments(&mut self, entries: Option<&[AttachmentEntry]>) -> Result<(), HeaderError> {
        let list = write_attachments(entries.unwrap_or_default())?;
        self.raw.set_attachment_bytes(list);
        let mut flags = self.raw.flags();
        flags.set(CheckpointFlags::ATTACHMENTS_PRESENT, entries.is_some());
        self.raw.set_flags(flags);
        Ok(())
    }

    /// The checks after the checksum: file type, then the signature where it is known.
    ///
    /// # Errors
    /// [`HeaderError::FileType`] (JET_errFileInvalidType), [`HeaderError::Signature`]
    /// (JET_errBadCheckpointSignature). Neither stops soft recovery: it then starts at the lowest log.
    pub fn check(&self, signature: Option<&Signature>) -> Result<(), HeaderError> {
        let structure = HeaderStructure::Checkpoint;
        let found = self.raw.file_type();
        if found != FileType::CHECKPOINT && found != FileType::UNKNOWN {
            return Err(HeaderError::FileType { structure, expected: FileType::CHECKPOINT, found });
        }
        match signature {
            Some(&expected) if expected != self.raw.signature() => {
                Err(HeaderError::Signature { structure, expected, found: self.raw.signature() })
            }
            _ => Ok(()),
        }
    }

    /// Every field with its documented name; the attachment list decoded where it can be.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        attachments_decoded(self.raw.fields(), parse_attachments(&self.raw.attachment_bytes()))
    }
}

impl Deref for Checkpoint {
    type Target = RawCheckpoint;
    fn deref(&self) -> &RawCheckpoint {
        &self.raw
    }
}

impl DerefMut for Checkpoint {
    fn deref_mut(&mut self) -> &mut RawCheckpoint {
        &mut self.raw
    }
}

/// The checkpoint of a file, chosen from its two copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointPair {
    /// The checkpoint to use.
    pub checkpoint: Checkpoint,
    /// How the copies relate. Unless both are good, an opener that may write copies the good one over the other.
    pub status: HeaderPairStatus,
    /// The second copy, when both are valid and it differs.
    pub stale: Option<Checkpoint>,
}

impl CheckpointPair {
    /// Chooses between the copies. `file` holds the first 8192 bytes of the file, or the whole file when it is shorter.
    ///
    /// # Errors
    /// The first copy's error when it could not be saved by the second; as an engine error JET_errCheckpointCorrupt.
    pub fn parse(file: &[u8]) -> Result<Self, HeaderError> {
        let first = Checkpoint::parse(file);
        let second = Checkpoint::parse(file.get(Checkpoint::SIZE..).unwrap_or_default()).ok();
        Ok(match (first, second) {
            (Ok(first), Some(second)) if first == second => {
                Self { checkpoint: first, status: HeaderPairStatus::BothGood, stale: None }
            }
            (Ok(first), stale @ Some(_)) => {
                Self { checkpoint: first, status: HeaderPairStatus::SecondaryStale, stale }
            }
            (Ok(first), None) => {
                Self { checkpoint: first, status: HeaderPairStatus::SecondaryBad, stale: None }
            }
            (Err(_), Some(second)) => {
                Self { checkpoint: second, status: HeaderPairStatus::PrimaryBad, stale: None }
            }
            (Err(error), None) => return Err(error),
        })
    }

    /// Which copy is used.
    #[must_use]
    pub fn used_copy(&self) -> HeaderCopy {
        self.status.used_copy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JetError;

    fn checkpoint() -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        checkpoint.set_position(LogPosition::new(21, 12, 0));
        checkpoint
    }

    #[test]
    fn the_pair_rules() {
        let copy = checkpoint().write();
        let mut older = checkpoint();
        older.set_position(LogPosition::new(20, 1, 0));
        let older = older.write();
        let mut bad = copy.clone();
        bad[100] ^= 1;
        let status = |a: &[u8], b: &[u8]| CheckpointPair::parse(&[a, b].concat()).map(|p| p.status);
        assert_eq!(status(&copy, &copy), Ok(HeaderPairStatus::BothGood));
        assert_eq!(status(&copy, &older), Ok(HeaderPairStatus::SecondaryStale));
        assert_eq!(status(&copy, &bad), Ok(HeaderPairStatus::SecondaryBad));
        assert_eq!(status(&copy, &[]), Ok(HeaderPairStatus::SecondaryBad));
        assert_eq!(status(&bad, &copy), Ok(HeaderPairStatus::PrimaryBad));
        assert_eq!(status(&bad, &bad).unwrap_err().jet_error(), JetError::CHECKPOINT_CORRUPT);
        assert_eq!(status(&[], &[]).unwrap_err().jet_error(), JetError::CHECKPOINT_CORRUPT);
    }

    #[test]
    fn old_files_have_no_consistency_position() {
        let mut checkpoint = checkpoint();
        assert_eq!(checkpoint.consistency_position(), LogPosition::new(21, 12, 0));
        checkpoint.set_stored_consistency_position(LogPosition::new(22, 1, 0));
        assert_eq!(checkpoint.consistency_position(), LogPosition::new(22, 1, 0));
    }

    #[test]
    fn attachments_are_there_or_not_told() {
        let mut checkpoint = checkpoint();
        assert_eq!(checkpoint.attachments(), Ok(None));
        checkpoint.set_attachments(Some(&[])).unwrap();
        assert_eq!(checkpoint.attachments(), Ok(Some(vec![])));
        checkpoint.set_attachments(Some(&[AttachmentEntry::new(1, "a")])).unwrap();
        assert_eq!(checkpoint.attachments().unwrap().unwrap().len(), 1);
        checkpoint.set_attachments(None).unwrap();
        assert_eq!(checkpoint.attachments(), Ok(None));
    }

    #[test]
    fn type_and_signature() {
        let mut checkpoint = checkpoint();
        let other = Signature { random: 1, ..Signature::NONE };
        assert_eq!(checkpoint.check(Some(&Signature::NONE)), Ok(()));
        assert_eq!(
            checkpoint.check(Some(&other)).unwrap_err().jet_error(),
            JetError::BAD_CHECKPOINT_SIGNATURE
        );
        checkpoint.set_file_type(FileType::LOG);
        assert_eq!(checkpoint.check(None).unwrap_err().jet_error(), JetError::FILE_INVALID_TYPE);
    }
}
