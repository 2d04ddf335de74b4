//! Hints of how the pages of a tree are filled and how it grows.

use ese_btree::ExtentGrowth;
use ese_format::{JetError, PageSize};

use super::CatalogRowKind;

/// Least and most density in percent.
const DENSITIES: std::ops::RangeInclusive<u32> = 20..=100;
/// Density of tables and indexes when nothing is said.
pub(crate) const DEFAULT_DENSITY: u32 = 80;
/// Extents are smaller than this.
#[doc(alias = "cbSecondaryExtentMost")]
const EXTENT_MOST: u32 = 100 << 20;
/// Growth in percent is less than this.
const GROWTH_MOST: u32 = 500 * 100;
/// First byte of the catalog's form.
#[doc(alias = "bCATExtendedSpaceHintsVersion")]
const STORED_VERSION: u8 = 1;

bitflags::bitflags! {
    /// How a tree is going to be used. Those of the engine's interface; others are refused.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SpaceHintFlags: u32 {
        /// Space is taken from the tree around this one as long as it has some.
        #[doc(alias = "JET_bitSpaceHintsUtilizeParentSpace")]
        const UTILIZE_PARENT_SPACE = 0x1;
        /// Rows come in the order of their keys.
        #[doc(alias = "JET_bitCreateHintAppendSequential")]
        const APPEND_SEQUENTIAL = 0x2;
        /// Rows come in order at several places.
        #[doc(alias = "JET_bitCreateHintHotpointSequential")]
        const HOT_POINT_SEQUENTIAL = 0x4;
        /// Without a meaning.
        #[doc(alias = "JET_bitRetrieveHintReserve1")]
        const RETRIEVE_RESERVED_1 = 0x8;
        /// The table is scanned forwards.
        #[doc(alias = "JET_bitRetrieveHintTableScanForward")]
        const SCAN_FORWARD = 0x10;
        /// The table is scanned backwards; not with [`SCAN_FORWARD`](Self::SCAN_FORWARD).
        #[doc(alias = "JET_bitRetrieveHintTableScanBackward")]
        const SCAN_BACKWARD = 0x20;
        /// Without a meaning.
        #[doc(alias = "JET_bitRetrieveHintReserve2")]
        const RETRIEVE_RESERVED_2 = 0x40;
        /// Without a meaning.
        #[doc(alias = "JET_bitRetrieveHintReserve3")]
        const RETRIEVE_RESERVED_3 = 0x80;
        /// Rows are deleted in order.
        #[doc(alias = "JET_bitDeleteHintTableSequential")]
        const DELETE_SEQUENTIAL = 0x100;
        /// Extents have exactly the sizes asked for.
        #[doc(alias = "JET_bitSpaceHintsUtilizeExactExtents")]
        const EXACT_EXTENTS = 0x200;
    }
}

/// How the pages of a tree are filled and how it grows. Zeros stand for what is usual.
///
/// In the engine's interface: 32 bytes, little-endian, eight numbers of 32 bits, the first of them the size of the structure.
#[doc(alias = "JET_SPACEHINTS")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SpaceHints {
    /// How full pages are made when rows are appended, in percent: 20 to 100.
    #[doc(alias = "ulInitialDensity")]
    pub initial_density: u32,
    /// Bytes that the tree has at first.
    #[doc(alias = "cbInitial")]
    pub initial_bytes: u32,
    /// How it is going to be used.
    #[doc(alias = "grbit")]
    pub flags: SpaceHintFlags,
    /// How full pages are kept, in percent: 20 to 100.
    #[doc(alias = "ulMaintDensity")]
    pub maintenance_density: u32,
    /// The next extent in percent of the last: 100 to 49,999.
    #[doc(alias = "ulGrowth")]
    pub growth_percent: u32,
    /// Least bytes of an extent.
    #[doc(alias = "cbMinExtent")]
    pub least_extent: u32,
    /// Most bytes of an extent.
    #[doc(alias = "cbMaxExtent")]
    pub most_extent: u32,
}

impl SpaceHints {
    /// Hints with a density and nothing else.
    #[must_use]
    pub const fn with_density(percent: u32) -> Self {
        Self {
            initial_density: percent,
            initial_bytes: 0,
            flags: SpaceHintFlags::empty(),
            maintenance_density: 0,
            growth_percent: 0,
            least_extent: 0,
            most_extent: 0,
        }
    }

    /// From the structure of the engine's interface.
    ///
    /// # Errors
    /// `JET_errInvalidParameter` for another size.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, JetError> {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let [size, rest @ ..] = words;
        if size == 32 { Ok(Self::from_words(rest)) } else { Err(JetError::INVALID_PARAMETER) }
    }

    /// The structure of the engine's interface.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let words = std::iter::once(32).chain(self.words());
        for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }

    const fn from_words(words: [u32; 7]) -> Self {
        let [density, initial, flags, maintenance, growth, least, most] = words;
        Self {
            initial_density: density,
            initial_bytes: initial,
            flags: SpaceHintFlags::from_bits_retain(flags),
            maintenance_density: maintenance,
            growth_percent: growth,
            least_extent: least,
            most_extent: most,
        }
    }

    const fn words(&self) -> [u32; 7] {
        [
            self.initial_density,
            self.initial_bytes,
            self.flags.bits(),
            self.maintenance_density,
            self.growth_percent,
            self.least_extent,
            self.most_extent,
        ]
    }

    /// Pages that the tree has at first.
    #[must_use]
    #[doc(alias = "CpgInitial")]
    pub fn initial_pages(&self, page_size: PageSize) -> u32 {
        (self.initial_bytes / page_size.bytes()).max(1)
    }

    /// The hints as they are kept: sizes in whole pages, one page and no density as what is usual.
    ///
    /// # Errors
    /// `JET_errDensityInvalid`, `JET_errInvalidGrbit`, `JET_errSpaceHintsInvalid`.
    #[doc(alias = "ErrCATCheckJetSpaceHints")]
    pub fn checked(mut self, page_size: PageSize) -> Result<Self, JetError> {
        let page = page_size.bytes();
        for bytes in [&mut self.initial_bytes, &mut self.least_extent, &mut self.most_extent] {
            *bytes = bytes.div_ceil(page).checked_mul(page).ok_or(JetError::SPACE_HINTS_INVALID)?;
        }
        if self.initial_bytes == page {
            self.initial_bytes = 0;
        }
        if self.initial_density == 0 {
            self.initial_density = DEFAULT_DENSITY;
        }
        let maintenance = self.maintenance_density;
        if !DENSITIES.contains(&self.initial_density) || maintenance != 0 && !DENSITIES.contains(&maintenance)
        {
            return Err(JetError::DENSITY_INVALID);
        }
        if SpaceHintFlags::from_bits(self.flags.bits()).is_none() {
            return Err(JetError::INVALID_GRBIT);
        }
        let both_ways = SpaceHintFlags::SCAN_FORWARD | SpaceHintFlags::SCAN_BACKWARD;
        let grows = self.growth_percent == 0 || (100..GROWTH_MOST).contains(&self.growth_percent);
        if self.flags.contains(both_ways)
            || !grows
            || self.least_extent >= EXTENT_MOST
            || self.most_extent >= EXTENT_MOST
            || self.least_extent > self.most_extent
        {
            return Err(JetError::SPACE_HINTS_INVALID);
        }
        // From the least extent to the most there must be a way.
        let (least, most) = (self.least_extent / page, self.most_extent / page);
        let next = |pages| self.next_pages(page_size, pages);
        if least != most && next(self.initial_pages(page_size)) != most && next(least) == least {
            return Err(JetError::SPACE_HINTS_INVALID);
        }
        Ok(self)
    }

    /// Pages of the extent after one of `last` pages.
    #[must_use]
    #[doc(alias = "CpgSPIGetNextAlloc")]
    pub fn next_pages(&self, page_size: PageSize, last: u32) -> u32 {
        self.growth().next_pages(page_size, last)
    }

    /// How the extents of the tree grow.
    pub(crate) const fn growth(&self) -> ExtentGrowth {
        let (percent, least_bytes, most_bytes) = (self.growth_percent, self.least_extent, self.most_extent);
        ExtentGrowth { percent, least_bytes, most_bytes }
    }

    /// Which numbers a catalog row of a kind has no other place for: those from here on.
    const fn first_stored(kind: CatalogRowKind) -> usize {
        if matches!(kind, CatalogRowKind::TABLE) { 2 } else { 1 }
    }

    /// What a row of the catalog keeps beside density, and for a table the pages; `None` when that is all zeros.
    #[doc(alias = "ErrCATIMarshallExtendedSpaceHints")]
    pub(crate) fn to_stored(self, kind: CatalogRowKind) -> Option<Vec<u8>> {
        Self::store(self.words().get(Self::first_stored(kind)..)?)
    }

    /// What the row of a table keeps of its long values' hints until they have a tree.
    pub(crate) fn to_deferred(self) -> Option<Vec<u8>> {
        Self::store(&self.words())
    }

    fn store(words: &[u32]) -> Option<Vec<u8>> {
        let count = words.iter().rposition(|word| *word != 0)? + 1;
        let mut stored = vec![STORED_VERSION];
        stored.extend(words.iter().take(count).flat_map(|word| word.to_le_bytes()));
        Some(stored)
    }

    /// The hints of a catalog row: its density, for a table its pages, and what it keeps beside. `None` for bytes that make no
    /// sense.
    #[doc(alias = "ErrCATIRetrieveSpaceHints")]
    pub(crate) fn from_stored(
        kind: CatalogRowKind,
        density: u32,
        initial_bytes: u32,
        stored: Option<&[u8]>,
    ) -> Option<Self> {
        let mut words = Self { initial_bytes, ..Self::with_density(density) }.words();
        Self::fill(words.get_mut(Self::first_stored(kind)..)?, stored)?;
        Some(Self::from_words(words))
    }

    /// The hints of long values that have no tree yet.
    pub(crate) fn from_deferred(stored: Option<&[u8]>) -> Option<Self> {
        let mut words = Self::with_density(100).words();
        Self::fill(&mut words, stored)?;
        Some(Self::from_words(words))
    }

    fn fill(words: &mut [u32], stored: Option<&[u8]>) -> Option<()> {
        let Some(stored) = stored else { return Some(()) };
        let (&STORED_VERSION, numbers) = stored.split_first()? else { return None };
        let (numbers, []) = numbers.as_chunks::<4>() else { return None };
        if numbers.len() > words.len() {
            return None;
        }
        for (word, number) in words.iter_mut().zip(numbers) {
            *word = u32::from_le_bytes(*number);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: PageSize = PageSize::ALL[2];

    #[test]
    fn refused_hints() {
        let number = |hints: SpaceHints| hints.checked(PAGE).err().map_or(0, |error| error.0);
        let plain = SpaceHints::default();
        assert_eq!(plain.checked(PAGE).unwrap(), SpaceHints::with_density(80));
        assert_eq!(number(SpaceHints::with_density(19)), -1307);
        assert_eq!(number(SpaceHints::with_density(101)), -1307);
        assert_eq!(number(SpaceHints { maintenance_density: 10, ..plain }), -1307);
        assert_eq!(number(SpaceHints { flags: SpaceHintFlags::from_bits_retain(0x400), ..plain }), -900);
        assert_eq!(number(SpaceHints { flags: SpaceHintFlags::from_bits_retain(0x30), ..plain }), -2103);
        assert_eq!(number(SpaceHints { growth_percent: 99, ..plain }), -2103);
        assert_eq!(number(SpaceHints { growth_percent: 50_000, ..plain }), -2103);
        assert_eq!(number(SpaceHints { least_extent: 8192, ..plain }), -2103);
        assert_eq!(number(SpaceHints { most_extent: 100 << 20, ..plain }), -2103);
        let grows = SpaceHints { least_extent: 8192, most_extent: 65536, ..plain };
        assert_eq!(number(grows), -2103, "no growth from the least to the most");
        assert_eq!(number(SpaceHints { growth_percent: 150, ..grows }), 0);
        assert_eq!(SpaceHints { initial_bytes: 9000, ..plain }.checked(PAGE).unwrap().initial_bytes, 16384);
        assert_eq!(SpaceHints { initial_bytes: 100, ..plain }.checked(PAGE).unwrap().initial_bytes, 0);
    }

    #[test]
    fn extents() {
        let hints = SpaceHints {
            growth_percent: 150,
            least_extent: 16384,
            most_extent: 65536,
            ..SpaceHints::with_density(80)
        };
        let sizes: Vec<u32> =
            std::iter::successors(Some(1), |&n| Some(hints.next_pages(PAGE, n))).take(7).collect();
        assert_eq!(sizes, [1, 2, 3, 4, 6, 8, 8]);
    }

    #[test]
    fn stored_forms() {
        let hints = SpaceHints {
            initial_density: 70,
            initial_bytes: 16384,
            flags: SpaceHintFlags::APPEND_SEQUENTIAL,
            maintenance_density: 0,
            growth_percent: 200,
            least_extent: 0,
            most_extent: 0,
        };
        assert_eq!(
            hints.to_stored(CatalogRowKind::TABLE).unwrap(),
            [1, 2, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0]
        );
        for kind in [CatalogRowKind::TABLE, CatalogRowKind::INDEX] {
            let stored = hints.to_stored(kind);
            let bytes = if kind == CatalogRowKind::TABLE { 16384 } else { 0 };
            assert_eq!(SpaceHints::from_stored(kind, 70, bytes, stored.as_deref()), Some(hints));
        }
        assert_eq!(SpaceHints::from_deferred(hints.to_deferred().as_deref()), Some(hints));
        assert_eq!(SpaceHints::with_density(70).to_stored(CatalogRowKind::INDEX), None);
        for broken in [&[][..], &[2], &[1, 0], &[1; 33]] {
            assert_eq!(SpaceHints::from_stored(CatalogRowKind::INDEX, 80, 0, Some(broken)), None);
        }
        assert_eq!(SpaceHints::from_bytes(&hints.to_bytes()), Ok(hints));
        assert_eq!(SpaceHints::from_bytes(&[0; 32]), Err(JetError::INVALID_PARAMETER));
    }
}
