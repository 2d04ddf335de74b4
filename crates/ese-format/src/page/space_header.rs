//! What the external header of a tree's root holds.

use crate::PageNumber;

bitflags::bitflags! {
    /// Flags of a [`SpaceHeader`].
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SpaceHeaderFlags: u32 {
        /// The tree has space trees of its own.
        #[doc(alias = "fMultipleExtent")]
        const MULTIPLE_EXTENTS = 1;
        /// Ordered by key and data.
        #[doc(alias = "fNonUnique")]
        const NON_UNIQUE = 2;
        /// `page_count` holds the size of the last secondary extent instead of the primary extent's.
        const GROWTH_MEMORY = 4;
    }
}

/// Where a tree's pages come from. 16 bytes, little-endian, in tag 0 of every root page that is not a space tree's.
///
/// Source: microsoft/Extensible-Storage-Engine, `SPACE_HEADER`.
///
/// | off | size | field |
/// |---:|---:|---|
/// | 0  | 4 | `page_count`: size of the primary extent, or of the last secondary one |
/// | 4  | 4 | `parent`: root page of the tree that this one takes space from; 0 for the database root |
/// | 8  | 4 | `flags` |
/// | 12 | 4 | `space`: root of the owned-extent tree, or bitmap of available pages |
#[doc(alias = "SPACE_HEADER")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceHeader {
    /// Size of the primary extent in pages; with [`SpaceHeaderFlags::GROWTH_MEMORY`] of the last secondary one.
    #[doc(alias = "cpgPrimary")]
    #[doc(alias = "cpgLastAlloc")]
    pub page_count: u32,
    /// Root page of the tree that this one takes space from; 1 for tables, the table's for indexes and long values.
    #[doc(alias = "pgnoParent")]
    pub parent: PageNumber,
    /// Flags; unknown ones are kept. [`OwnedSpace`] decides over `MULTIPLE_EXTENTS` when encoding.
    pub flags: SpaceHeaderFlags,
    /// The owned space.
    pub space: OwnedSpace,
}

/// How a tree knows its space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedSpace {
    /// One extent that begins with the root page; bit *i* set means that page root+1+*i* is available.
    #[doc(alias = "rgbitAvail")]
    SingleExtent {
        /// Availability of the 32 pages behind the root.
        available: u32,
    },
    /// Space trees: owned extents here, available extents on the next page.
    #[doc(alias = "pgnoOE")]
    MultipleExtents {
        /// Root of the owned-extent tree.
        owned: PageNumber,
    },
}

impl SpaceHeader {
    /// Stored size in bytes.
    pub const SIZE: usize = 16;

    /// Decodes the stored form.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 16]) -> Self {
        let word = |i: usize| bytes.as_chunks::<4>().0.get(i).map_or(0, |b| u32::from_le_bytes(*b));
        let flags = SpaceHeaderFlags::from_bits_retain(word(2));
        let space = if flags.contains(SpaceHeaderFlags::MULTIPLE_EXTENTS) {
            OwnedSpace::MultipleExtents { owned: PageNumber(word(3)) }
        } else {
            OwnedSpace::SingleExtent { available: word(3) }
        };
        Self { page_count: word(0), parent: PageNumber(word(1)), flags, space }
    }

    /// The stored form.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let mut flags = self.flags;
        let last = match self.space {
            OwnedSpace::SingleExtent { available } => {
                flags.remove(SpaceHeaderFlags::MULTIPLE_EXTENTS);
                available
            }
            OwnedSpace::MultipleExtents { owned } => {
                flags.insert(SpaceHeaderFlags::MULTIPLE_EXTENTS);
                owned.0
            }
        };
        let mut out = [0; 16];
        let words = [self.page_count, self.parent.0, flags.bits(), last];
        for (chunk, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *chunk = word.to_le_bytes();
        }
        out
    }

    /// Roots of the owned- and available-extent trees, when the tree has them.
    #[must_use]
    pub fn space_trees(&self) -> Option<(PageNumber, PageNumber)> {
        match self.space {
            OwnedSpace::MultipleExtents { owned } => Some((owned, PageNumber(owned.0.checked_add(1)?))),
            OwnedSpace::SingleExtent { .. } => None,
        }
    }
}

bitflags::bitflags! {
    /// Which fields the external header of a root holds, when it is not a lone space header.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RootFieldMask: u8 {
        /// The [`SpaceHeader`], 16 bytes.
        #[doc(alias = "noderfSpaceHeader")]
        const SPACE_HEADER = 1;
        /// High-water mark of the auto-increment column, 8 bytes.
        #[doc(alias = "noderfIsamAutoInc")]
        const AUTO_INCREMENT = 2;
    }
}

/// The external header of a root that is not a space tree's: the space header, and since format update 30 optional
/// fields behind it.
///
/// A lone space header is stored as its 16 bytes. Otherwise: one byte [`RootFieldMask`], then the fields in the order of
/// their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootFields {
    /// Where the tree's pages come from.
    pub space: SpaceHeader,
    /// Auto-increment values reserved so far.
    pub auto_increment: Option<u64>,
}

/// An external header that is not a root's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("external header of {len} bytes (field mask {mask:#04x}) holds no space header in a known form")]
pub struct InvalidRootFields {
    /// Its length.
    pub len: usize,
    /// Its first byte, 0 when there is none.
    pub mask: u8,
}

impl InvalidRootFields {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> crate::JetError {
        crate::JetError::NODE_CORRUPTED
    }
}

impl RootFields {
    /// Decodes the external header of a root page.
    ///
    /// # Errors
    /// When it is neither a lone space header nor a known combination of fields that includes one.
    pub fn decode(external_header: &[u8]) -> Result<Self, InvalidRootFields> {
        let invalid = InvalidRootFields {
            len: external_header.len(),
            mask: external_header.first().copied().unwrap_or_default(),
        };
        if let Ok(bytes) = external_header.try_into() {
            return Ok(Self { space: SpaceHeader::from_bytes(bytes), auto_increment: None });
        }
        let (&mask, fields) = external_header.split_first().ok_or(invalid)?;
        let mask = RootFieldMask::from_bits(mask).ok_or(invalid)?;
        if !mask.contains(RootFieldMask::SPACE_HEADER) {
            return Err(invalid);
        }
        let (space, fields) = fields.split_first_chunk::<16>().ok_or(invalid)?;
        let (auto_increment, rest) = if mask.contains(RootFieldMask::AUTO_INCREMENT) {
            let (value, rest) = fields.split_first_chunk::<8>().ok_or(invalid)?;
            (Some(u64::from_le_bytes(*value)), rest)
        } else {
            (None, fields)
        };
        if !rest.is_empty() {
            return Err(invalid);
        }
        Ok(Self { space: SpaceHeader::from_bytes(space), auto_increment })
    }

    /// The stored form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self.auto_increment {
            None => self.space.to_bytes().to_vec(),
            Some(value) => {
                let mask = RootFieldMask::SPACE_HEADER | RootFieldMask::AUTO_INCREMENT;
                let mut out = vec![mask.bits()];
                out.extend_from_slice(&self.space.to_bytes());
                out.extend_from_slice(&value.to_le_bytes());
                out
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_root_of_a_fresh_file() {
        let stored = [0xfe, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0];
        let fields = RootFields::decode(&stored).unwrap();
        assert_eq!(fields.space.page_count, 254);
        assert!(fields.space.parent.is_none());
        assert_eq!(fields.space.space_trees(), Some((PageNumber(2), PageNumber(3))));
        assert_eq!(fields.encode(), stored);
    }

    #[test]
    fn a_table_with_auto_increment() {
        let mut stored = vec![3, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0];
        stored.extend_from_slice(&6u64.to_le_bytes());
        let fields = RootFields::decode(&stored).unwrap();
        assert_eq!(fields.auto_increment, Some(6));
        assert_eq!(fields.space.space, OwnedSpace::SingleExtent { available: 7 });
        assert_eq!(fields.encode(), stored);
        for len in 0..stored.len() {
            if len != 16 {
                assert!(RootFields::decode(&stored[..len]).is_err(), "cut to {len}");
            }
        }
        stored[0] = 7;
        assert!(RootFields::decode(&stored).is_err(), "an unknown field must stop us");
    }
}
