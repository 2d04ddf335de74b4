//! The attachment list of log headers and checkpoints: which databases are attached at a position.

use zerocopy::{FromBytes, IntoBytes};

use super::narrow_text;
use crate::field::{Field, FieldValue};
use crate::stored::{Stored, stored_struct};
use crate::{DbTime, HeaderError, HeaderStructure, LogPosition, ObjectId, Signature};

/// Bytes of an attachment list.
#[doc(alias = "cbAttach")]
pub const ATTACHMENT_LIST_SIZE: usize = 2048;

bitflags::bitflags! {
    /// Flags of an attachment. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct AttachmentFlags: u8 {
        /// Set by Windows XP and 2003 with 8-bit names.
        const LEGACY_NAMES = 0x10;
        /// Names are UTF-16, little-endian.
        #[doc(alias = "fATCHINFOUnicodeNames")]
        const UNICODE_NAMES = 0x20;
        /// The file may be sparse.
        #[doc(alias = "fATCHINFOSparseEnabledFile")]
        const SPARSE_ENABLED = 0x40;
        const _ = !0;
    }
}

impl Stored for AttachmentFlags {
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
    /// Fixed part of an attachment, 64 bytes, little-endian; the name follows.
    ///
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/log.hxx`, `ATTACHINFO`.
    #[doc(alias = "ATTACHINFO")]
    pub struct RawAttachmentEntry [64] {
        /// Number of the database, 1 to 6; 0 ends the list.
        #[doc(alias = "m_dbid")]
        0 "dbid" database_id set_database_id: u8,
        /// Flags.
        #[doc(alias = "m_fATCHINFOFlags")]
        1 "flags" flags set_flags: AttachmentFlags,
        /// Bytes of the names that follow, terminators included.
        #[doc(alias = "mle_cbNames")]
        2 "cbNames" names_size set_names_size: u16,
        /// Highest update counter of the database so far.
        #[doc(alias = "mle_dbtime")]
        4 "dbtime" db_time set_db_time: DbTime,
        /// Highest object id of the database so far.
        #[doc(alias = "mle_objidLast")]
        12 "objidLast" last_object_id set_last_object_id: ObjectId,
        /// Greatest size of the database in pages; 0: no limit.
        #[doc(alias = "mle_cpgDatabaseSizeMax")]
        16 "cpgDatabaseSizeMax" max_pages set_max_pages: u32,
        /// Position of the record that attached or created the database.
        #[doc(alias = "le_lgposAttach")]
        20 "lgposAttach" attach_position set_attach_position: LogPosition,
        /// Up to where the database was complete before that; not set when it was just created or came from another
        /// log stream.
        #[doc(alias = "le_lgposConsistent")]
        28 "lgposConsistent" consistent_position set_consistent_position: LogPosition,
        /// Identity of the database.
        #[doc(alias = "signDb")]
        36 "signDb" signature set_signature: Signature,
    }
}

/// One attached database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentEntry {
    /// The fixed part; its size of names is set anew when the entry is written.
    pub fixed: RawAttachmentEntry,
    /// The names as stored, terminators included. The first one is the path; engines before 2007 may store the names
    /// of streaming files behind it.
    pub names: Vec<u8>,
}

impl AttachmentEntry {
    /// An entry with a path, stored as UTF-16 with its terminator. Everything else is to be set in `fixed`.
    #[must_use]
    pub fn new(database_id: u8, path: &str) -> Self {
        let mut fixed = RawAttachmentEntry::default();
        fixed.set_database_id(database_id);
        fixed.set_flags(AttachmentFlags::UNICODE_NAMES);
        let names = path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        Self { fixed, names }
    }

    /// The path of the database, characters that cannot be decoded replaced.
    #[must_use]
    pub fn path(&self) -> String {
        if self.fixed.flags().contains(AttachmentFlags::UNICODE_NAMES) {
            let units = self.names.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
            char::decode_utf16(units.take_while(|&u| u != 0))
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        } else {
            narrow_text(&self.names)
        }
    }

    /// Every field with its documented name.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = self.fixed.fields();
        fields.push(Field { name: "szNames", value: FieldValue::Text(self.path()) });
        fields
    }
}

/// Decodes an attachment list. An entry with number 0, or the end of the bytes, ends it.
///
/// # Errors
/// [`HeaderError::Truncated`] for an entry cut by the end, [`HeaderError::Field`] for names that do not fit.
pub fn parse_attachments(mut list: &[u8]) -> Result<Vec<AttachmentEntry>, HeaderError> {
    let structure = HeaderStructure::AttachmentList;
    let mut entries = Vec::new();
    // Each turn consumes at least 64 bytes.
    while list.first().is_some_and(|&id| id != 0) {
        let Ok((fixed, rest)) = RawAttachmentEntry::read_from_prefix(list) else {
            let expected = RawAttachmentEntry::SIZE;
            return Err(HeaderError::Truncated { structure, expected, found: list.len() });
        };
        let Some((names, rest)) = rest.split_at_checked(usize::from(fixed.names_size())) else {
            return Err(HeaderError::Field {
                structure,
                field: "cbNames",
                expected: format!("at most {}", rest.len()),
                found: fixed.names_size().to_string(),
            });
        };
        entries.push(AttachmentEntry { fixed, names: names.to_vec() });
        list = rest;
    }
    Ok(entries)
}

/// Encodes an attachment list, filled up with zeros. Entries should ascend by number.
///
/// # Errors
/// [`HeaderError::Field`] when the entries and the byte that ends them do not fit.
pub fn write_attachments(entries: &[AttachmentEntry]) -> Result<[u8; ATTACHMENT_LIST_SIZE], HeaderError> {
    let mut bytes = Vec::with_capacity(ATTACHMENT_LIST_SIZE);
    let too_long = |found: usize| HeaderError::Field {
        structure: HeaderStructure::AttachmentList,
        field: "rgbAttach",
        expected: format!("at most {} bytes", ATTACHMENT_LIST_SIZE - 1),
        found: found.to_string(),
    };
    for entry in entries {
        let mut fixed = entry.fixed;
        fixed.set_names_size(u16::try_from(entry.names.len()).map_err(|_| too_long(entry.names.len()))?);
        bytes.extend_from_slice(fixed.as_bytes());
        bytes.extend_from_slice(&entry.names);
    }
    if bytes.len() >= ATTACHMENT_LIST_SIZE {
        return Err(too_long(bytes.len()));
    }
    let mut list = [0; ATTACHMENT_LIST_SIZE];
    for (to, from) in list.iter_mut().zip(bytes) {
        *to = from;
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u8, path: &str) -> AttachmentEntry {
        let mut entry = AttachmentEntry::new(id, path);
        entry.fixed.set_attach_position(LogPosition::new(1, 1, 0x268));
        entry
    }

    #[test]
    fn written_lists_parse_back() {
        let written: Vec<_> = [entry(1, "E:\\a.edb"), entry(6, "E:\\\u{1F980}.edb")]
            .map(|mut e| {
                e.fixed.set_names_size(e.names.len() as u16);
                e
            })
            .into();
        let list = write_attachments(&written).unwrap();
        let parsed = parse_attachments(&list).unwrap();
        assert_eq!(parsed, written);
        assert_eq!(parsed[1].path(), "E:\\\u{1F980}.edb");
        assert_eq!(parsed[0].names.len(), 18);
        assert!(parse_attachments(&[0; 10]).unwrap().is_empty());
        assert!(parse_attachments(&[]).unwrap().is_empty());
    }

    #[test]
    fn narrow_names() {
        let mut narrow = entry(1, "");
        narrow.fixed.set_flags(AttachmentFlags::LEGACY_NAMES);
        narrow.names = b"C:\\x\\catdb\0\0".to_vec();
        assert_eq!(narrow.path(), "C:\\x\\catdb");
    }

    #[test]
    fn overlong_lists_are_refused() {
        let list = write_attachments(&[entry(1, "E:\\a.edb")]).unwrap();
        assert!(matches!(parse_attachments(&list[..63]), Err(HeaderError::Truncated { found: 63, .. })));
        assert!(matches!(parse_attachments(&list[..70]), Err(HeaderError::Field { field: "cbNames", .. })));
        let long = entry(1, &"x".repeat(1000));
        assert!(matches!(write_attachments(&[long]), Err(HeaderError::Field { .. })));
        let limit = entry(1, &"x".repeat((2047 - 64 - 2) / 2));
        assert!(write_attachments(&[limit]).is_ok());
    }
}
