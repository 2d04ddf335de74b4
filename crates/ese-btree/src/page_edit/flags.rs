//! Flag words of pages and nodes.

/// Page flags, the `u32` at offset 36 of a page. Unknown bits are kept.
#[doc(alias = "fFlags")]
pub mod page_flags {
    /// Root of a tree, space trees included.
    #[doc(alias = "fPageRoot")]
    pub const ROOT: u32 = 0x1;
    /// Leaf.
    #[doc(alias = "fPageLeaf")]
    pub const LEAF: u32 = 0x2;
    /// Branch page over leaves.
    #[doc(alias = "fPageParentOfLeaf")]
    pub const PARENT_OF_LEAF: u32 = 0x4;
    /// Emptied by a merge: the content is meaningless.
    #[doc(alias = "fPageEmpty")]
    pub const EMPTY: u32 = 0x8;
    /// Owned- or available-extent tree.
    #[doc(alias = "fPageSpaceTree")]
    pub const SPACE_TREE: u32 = 0x20;
    /// Secondary index whose order is by key, then data.
    #[doc(alias = "fPageNonUniqueKeys")]
    pub const NON_UNIQUE_KEYS: u32 = 0x400;
    /// Set on every page today.
    #[doc(alias = "fPageNewRecordFormat")]
    pub const NEW_RECORD_FORMAT: u32 = 0x800;
    /// The page has the ECC checksum.
    #[doc(alias = "fPageNewChecksumFormat")]
    pub const NEW_CHECKSUM_FORMAT: u32 = 0x2000;
    /// Deleted data was overwritten.
    #[doc(alias = "fPageScrubbed")]
    pub const SCRUBBED: u32 = 0x4000;
    /// The two bits of the flush type.
    #[doc(alias = "maskFlushType")]
    pub const FLUSH_TYPE: u32 = 0x18000;
    /// Allocated and not yet filled: no tags.
    #[doc(alias = "fPagePreInit")]
    pub const PRE_INIT: u32 = 0x20000;
    /// Marker of revert snapshots: the tree is being deleted.
    #[doc(alias = "fPageFDPDelete")]
    pub const FDP_DELETE: u32 = 0x40000;
}

/// Node flags, three bits.
pub mod node_flags {
    /// A version existed at some time. Engines clear it without logging: it has no meaning in a file.
    #[doc(alias = "fNDVersion")]
    pub const VERSIONED: u8 = 1;
    /// Logically absent.
    #[doc(alias = "fNDDeleted")]
    pub const DELETED: u8 = 2;
    /// The key begins with a part of the page's prefix.
    #[doc(alias = "fNDCompressed")]
    pub const COMPRESSED: u8 = 4;
}
