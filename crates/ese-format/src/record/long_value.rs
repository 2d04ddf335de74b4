//! Long values: ids, keys of their tree, root data, chunk size.

use std::fmt;

use crate::{JetError, KeyParts, PageSize};

/// Id of a separated long value: 32 bits, or (since format update 70) 64 bits with the top bit set.
///
/// Little-endian in records, big-endian in the keys of the long-value tree.
#[doc(alias = "LvId")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LongValueId(pub u64);

impl LongValueId {
    /// Whether it is stored in eight bytes.
    #[must_use]
    pub const fn is_64_bit(self) -> bool {
        self.0 >> 63 != 0
    }

    /// Decodes the form of records: 4 or 8 bytes.
    #[must_use]
    pub fn from_record(bytes: &[u8]) -> Option<Self> {
        if let Ok(bytes) = bytes.try_into() {
            return Some(Self(u64::from(u32::from_le_bytes(bytes))));
        }
        Some(Self(u64::from_le_bytes(bytes.try_into().ok()?))).filter(|id| id.is_64_bit())
    }

    /// The form of records: 4 or 8 bytes, little-endian.
    #[must_use]
    pub fn to_record(self) -> Vec<u8> {
        self.0.to_le_bytes().get(..if self.is_64_bit() { 8 } else { 4 }).unwrap_or_default().to_vec()
    }

    /// The form of keys: the key of the root node, and the beginning of every chunk's key.
    #[must_use]
    pub fn key(self) -> Vec<u8> {
        // A 32-bit id is the low half.
        let bytes = self.0.to_be_bytes();
        bytes.get(if self.is_64_bit() { 0 } else { 4 }..).unwrap_or_default().to_vec()
    }
}

impl fmt::Display for LongValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Key of a node of a long-value tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LongValueKey {
    /// Id.
    pub id: LongValueId,
    /// Logical offset of the chunk; `None` for the root node.
    pub offset: Option<u32>,
}

/// A node that has no place in a long-value tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLongValue {
    /// The key is not 4, 8 or 12 bytes, or of the wrong kind for its length.
    #[error("long-value key of {len} bytes")]
    Key {
        /// Length of the key.
        len: usize,
    },
    /// The root's data is neither 8 nor 9 bytes.
    #[error("long-value root of {len} bytes")]
    Root {
        /// Length of the data.
        len: usize,
    },
}

impl InvalidLongValue {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        JetError::LV_CORRUPTED
    }
}

impl LongValueKey {
    /// Decodes a key: 4 bytes root and 8 bytes chunk of a 32-bit id, 8 bytes root and 12 bytes chunk of a 64-bit id.
    ///
    /// # Errors
    /// [`InvalidLongValue::Key`] for anything else.
    pub fn decode(key: KeyParts<'_>) -> Result<Self, InvalidLongValue> {
        let invalid = InvalidLongValue::Key { len: key.len() };
        let mut bytes = [0; 12];
        for (slot, byte) in bytes.iter_mut().zip(key.bytes()) {
            *slot = byte;
        }
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        let short = u64::from(u32::from_be_bytes([a, b, c, d]));
        let long = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let wide = a & 0x80 != 0;
        let (id, offset) = match (key.len(), wide) {
            (4, false) => (short, None),
            (8, false) => (short, Some(u32::from_be_bytes([e, f, g, h]))),
            (8, true) => (long, None),
            (12, true) => (long, Some(u32::from_be_bytes([i, j, k, l]))),
            _ => return Err(invalid),
        };
        Ok(Self { id: LongValueId(id), offset })
    }

    /// The key as stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut key = self.id.key();
        if let Some(offset) = self.offset {
            key.extend_from_slice(&offset.to_be_bytes());
        }
        key
    }
}

bitflags::bitflags! {
    /// Flags of a long value's root. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct LongValueFlags: u8 {
        /// Each chunk is encrypted.
        const ENCRYPTED = 1;
    }
}

/// Data of a long value's root node. 8 or 9 bytes, little-endian: u32 references, u32 size, optionally u8 flags.
#[doc(alias = "LVROOT")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongValueRoot {
    /// References from records; 0 means deletable, [`LongValueRoot::PARTIALLY_DELETED`] half gone.
    #[doc(alias = "ulReference")]
    pub reference_count: u32,
    /// Logical (uncompressed) size in bytes.
    #[doc(alias = "ulSize")]
    pub size: u32,
    /// Flags.
    pub flags: LongValueFlags,
}

impl LongValueRoot {
    /// Reference count of a long value whose deletion has begun.
    #[doc(alias = "ulMax")]
    pub const PARTIALLY_DELETED: u32 = u32::MAX;

    /// Decodes the data of a root node.
    ///
    /// # Errors
    /// [`InvalidLongValue::Root`] when it is not 8 or 9 bytes.
    pub fn decode(data: &[u8]) -> Result<Self, InvalidLongValue> {
        let invalid = InvalidLongValue::Root { len: data.len() };
        let (&references, rest) = data.split_first_chunk::<4>().ok_or(invalid)?;
        let (&size, rest) = rest.split_first_chunk::<4>().ok_or(invalid)?;
        let flags = match *rest {
            [] => LongValueFlags::empty(),
            [flags] => LongValueFlags::from_bits_retain(flags),
            _ => return Err(invalid),
        };
        Ok(Self { reference_count: u32::from_le_bytes(references), size: u32::from_le_bytes(size), flags })
    }

    /// The data as stored: 8 bytes, 9 when there are flags.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = self.reference_count.to_le_bytes().to_vec();
        data.extend_from_slice(&self.size.to_le_bytes());
        if !self.flags.is_empty() {
            data.push(self.flags.bits());
        }
        data
    }
}

/// Logical size of a chunk in a table that does not set its own: what a page of 4 or 8 KiB holds, a part of it for large
/// pages.
#[doc(alias = "LvChunkMost")]
#[must_use]
pub const fn default_chunk_size(page_size: PageSize) -> u32 {
    match page_size.bytes() {
        16384 => 4050,
        32768 => 8150,
        small => small - 82,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_ids() {
        for (key, id, offset) in [
            (&[0u8, 0, 0, 5][..], 5, None),
            (&[0, 0, 0, 5, 0, 0, 0x1f, 0xae], 5, Some(8110)),
            (&[0x80, 0, 0, 0, 0x80, 0, 0, 1], 0x8000_0000_8000_0001, None),
            (&[0x80, 0, 0, 0, 0x80, 0, 0, 1, 0, 0, 0, 0], 0x8000_0000_8000_0001, Some(0)),
        ] {
            let decoded = LongValueKey::decode(KeyParts::whole(key)).unwrap();
            assert_eq!(decoded, LongValueKey { id: LongValueId(id), offset });
            assert_eq!(decoded.encode(), key);
        }
        for key in [&[0u8; 3][..], &[0x80, 0, 0, 0], &[0; 12], &[0; 13]] {
            assert!(LongValueKey::decode(KeyParts::whole(key)).is_err());
        }
        assert_eq!(LongValueId::from_record(&[0; 8]), None, "64-bit ids have the top bit");
        assert!(LongValueRoot::decode(&[0; 7]).is_err() && LongValueRoot::decode(&[0; 10]).is_err());
        assert_eq!(default_chunk_size(PageSize::new(8192).unwrap()), 8110);
    }
}
