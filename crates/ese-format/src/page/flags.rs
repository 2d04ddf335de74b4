//! The flag word of a page header.

use std::fmt;

bitflags::bitflags! {
    /// Flags of a page, the u32 at offset 36 of its header. Unknown bits are kept.
    ///
    /// The two flush bits (0x18000) are a number, not flags: see [`PageFlags::flush_kind`].
    #[doc(alias = "fFlags")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct PageFlags: u32 {
        /// Root of a tree (data tree or space tree).
        #[doc(alias = "fPageRoot")]
        const ROOT = 0x0_0001;
        /// Leaf level.
        #[doc(alias = "fPageLeaf")]
        const LEAF = 0x0_0002;
        /// Branch page whose children are leaves.
        #[doc(alias = "fPageParentOfLeaf")]
        const PARENT_OF_LEAF = 0x0_0004;
        /// Emptied by a merge; the content is meaningless.
        #[doc(alias = "fPageEmpty")]
        const EMPTY = 0x0_0008;
        /// Written by repair; corruption to a running engine.
        #[doc(alias = "fPageRepair")]
        const REPAIR = 0x0_0010;
        /// Page of an owned- or available-extent tree.
        #[doc(alias = "fPageSpaceTree")]
        const SPACE_TREE = 0x0_0020;
        /// Secondary index.
        #[doc(alias = "fPageIndex")]
        const INDEX = 0x0_0040;
        /// Long-value tree.
        #[doc(alias = "fPageLongValue")]
        const LONG_VALUE = 0x0_0080;
        /// Obsolete tree of streaming-file space.
        const SLV_AVAILABLE = 0x0_0100;
        /// Obsolete tree of streaming-file owners.
        const SLV_OWNER = 0x0_0200;
        /// Ordered by key *and* data: a secondary index without uniqueness.
        #[doc(alias = "fPageNonUniqueKeys")]
        const NON_UNIQUE_KEYS = 0x0_0400;
        /// Always set by engines of the last twenty years.
        #[doc(alias = "fPageNewRecordFormat")]
        const NEW_RECORD_FORMAT = 0x0_0800;
        /// The page carries the ECC checksum.
        #[doc(alias = "fPageNewChecksumFormat")]
        const NEW_CHECKSUM_FORMAT = 0x0_2000;
        /// Unused space was overwritten.
        #[doc(alias = "fPageScrubbed")]
        const SCRUBBED = 0x0_4000;
        /// The two flush bits.
        #[doc(alias = "maskFlushType")]
        const FLUSH_MASK = 0x1_8000;
        /// Allocated, not yet filled: no tags, only the header counts.
        #[doc(alias = "fPagePreInit")]
        const PRE_INIT = 0x2_0000;
        /// Marker of revert snapshots.
        #[doc(alias = "fPageFDPDelete")]
        const FDP_DELETE = 0x4_0000;

        /// The bits that are the same on every page of a tree.
        const TREE_MASK = Self::SPACE_TREE.bits() | Self::TYPE_MASK.bits();
        /// The bits that tell tables, indexes and long values apart.
        const TYPE_MASK = Self::INDEX.bits()
            | Self::LONG_VALUE.bits()
            | Self::SLV_AVAILABLE.bits()
            | Self::SLV_OWNER.bits()
            | Self::NON_UNIQUE_KEYS.bits();
    }
}

/// Lost-write detection: advanced 1 → 2 → 3 → 1 on each write of a page, and remembered in the flush map.
#[doc(alias = "CPAGE::PageFlushType")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FlushKind {
    /// No information; never conflicts.
    #[default]
    Unknown = 0,
    /// First.
    One = 1,
    /// Second.
    Two = 2,
    /// Third.
    Three = 3,
}

impl FlushKind {
    /// The value that follows on the next write.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Unknown | Self::Three => Self::One,
            Self::One => Self::Two,
            Self::Two => Self::Three,
        }
    }
}

impl PageFlags {
    /// The two flush bits as a value.
    #[must_use]
    pub const fn flush_kind(self) -> FlushKind {
        match (self.bits() & Self::FLUSH_MASK.bits()) >> 15 {
            1 => FlushKind::One,
            2 => FlushKind::Two,
            3 => FlushKind::Three,
            _ => FlushKind::Unknown,
        }
    }

    /// The same flags with other flush bits.
    #[must_use]
    pub const fn with_flush_kind(self, kind: FlushKind) -> Self {
        Self::from_bits_retain((self.bits() & !Self::FLUSH_MASK.bits()) | ((kind as u32) << 15))
    }

    /// Bits without a meaning known to us.
    #[must_use]
    pub const fn unknown_bits(self) -> u32 {
        self.bits() & !Self::all().bits()
    }
}

impl fmt::Display for PageFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.bits())
    }
}
