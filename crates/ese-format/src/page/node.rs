//! Nodes: key and data behind a tag.

use super::KeyParts;

bitflags::bitflags! {
    /// Flags of a node, three bits; in the tag on small pages, in the body on large ones.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct NodeFlags: u8 {
        /// A version existed at some time. Never cleared on disk: carries no information.
        #[doc(alias = "fNDVersion")]
        const VERSIONED = 1;
        /// Logically absent; still takes space and still delimits the key range.
        #[doc(alias = "fNDDeleted")]
        const DELETED = 2;
        /// The key begins with a part of the page prefix.
        #[doc(alias = "fNDCompressed")]
        const COMPRESSED = 4;
    }
}

/// One node, borrowed from its page.
///
/// Stored as `u16 suffix length, suffix, data`, or with [`NodeFlags::COMPRESSED`] as
/// `u16 prefix length, u16 suffix length, suffix, data`; both lengths in their low 13 bits.
#[doc(alias = "KEYDATAFLAGS")]
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// Flags.
    pub flags: NodeFlags,
    /// Leading part of the key, shared with the page prefix; empty unless the node is compressed.
    pub prefix: &'a [u8],
    /// Own part of the key.
    pub suffix: &'a [u8],
    /// Data: a record, a bookmark, a child page number, …
    pub data: &'a [u8],
}

impl<'a> Node<'a> {
    /// The key in its two parts.
    #[must_use]
    #[inline]
    pub const fn key(&self) -> KeyParts<'a> {
        KeyParts { prefix: self.prefix, suffix: self.suffix }
    }

    /// Whether the node is flag-deleted, that is, logically absent.
    #[must_use]
    pub const fn is_deleted(&self) -> bool {
        self.flags.contains(NodeFlags::DELETED)
    }

    /// The data as a page number, when it is exactly four bytes long: the child of a branch node.
    #[must_use]
    pub fn child(&self) -> Option<crate::PageNumber> {
        let bytes: [u8; 4] = self.data.try_into().ok()?;
        Some(crate::PageNumber(u32::from_le_bytes(bytes)))
    }
}
