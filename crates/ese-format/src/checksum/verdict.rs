//! What the checksums say about a page.

use std::fmt;

use super::block::BlockChecksum;
use super::page::{
    FORMAT_FLAG_BIT, LARGE_PAGE_BLOCKS, PageChecksumForm, UPPER_CHECKSUMS, block_len, computed_checksums,
    page_number_field, size_of_page, stored_checksums,
};
use crate::{JetError, PageNumber, PageSize, UnsupportedPageSize};

/// The outcome of looking at a page: a verdict, or the statement that there is none.
///
/// "Not verified" is never a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageCheck {
    /// The page was checked.
    Verified(PageVerdict),
    /// The page was not checked.
    NotVerified(NotVerified),
}

/// Why a page was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotVerified {
    /// The bytes are not one whole page.
    #[error(transparent)]
    PageSize(#[from] UnsupportedPageSize),
}

/// The verdict on a page that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageVerdict {
    /// Every checksum is right, and so is the page number.
    Good,
    /// All bytes are zero: never written, or trimmed. Normal in free space; reading it through a tree is an error.
    Uninitialized,
    /// Right after these bits were flipped back, at most one in each checksum block.
    Corrected {
        /// The bits, as indices in the page (`8 · byte + bit`).
        bits: CorrectedBits,
    },
    /// A whole page, but of another place.
    WrongPageNumber {
        /// The number of the place where the page was found.
        expected: PageNumber,
        /// The number for which the page was written. Where only the XOR of a small page tells it, a flipped bit of
        /// that stored XOR looks the same.
        found: PageNumber,
        /// What tells it.
        evidence: PageNumberEvidence,
    },
    /// Damaged beyond correction.
    Bad {
        /// The first block that cannot be corrected; always 0 on small pages.
        block: u8,
        /// The checksum stored in the page.
        expected: BlockChecksum,
        /// The checksum of the bytes found.
        found: BlockChecksum,
    },
}

/// What tells that a page belongs elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageNumberEvidence {
    /// The checksums are those of another page number. The engine sees a checksum mismatch.
    Checksum,
    /// The checksums are right and the page number field of the large page is not.
    Field,
}

impl PageCheck {
    /// The verdict, if there is one.
    #[must_use]
    pub const fn verdict(self) -> Option<PageVerdict> {
        match self {
            Self::Verified(verdict) => Some(verdict),
            Self::NotVerified(_) => None,
        }
    }

    /// What the engine returns when it reads such a page through a tree; `None` when it uses the page, or when the
    /// page was not verified.
    #[must_use]
    pub const fn jet_error(self) -> Option<JetError> {
        match self {
            Self::Verified(verdict) => verdict.jet_error(),
            Self::NotVerified(_) => None,
        }
    }
}

impl PageVerdict {
    /// What the engine returns when it reads such a page through a tree; `None` when it uses the page.
    #[must_use]
    pub const fn jet_error(self) -> Option<JetError> {
        match self {
            Self::Good | Self::Corrected { .. } => None,
            Self::Uninitialized => Some(JetError::PAGE_NOT_INITIALIZED),
            Self::WrongPageNumber { evidence: PageNumberEvidence::Field, .. } => {
                Some(JetError::READ_PGNO_VERIFY_FAILURE)
            }
            Self::WrongPageNumber { .. } | Self::Bad { .. } => Some(JetError::READ_VERIFY_FAILURE),
        }
    }

    /// Whether the page's content can be used: good, or corrected.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Good | Self::Corrected { .. })
    }

    /// Whether the page is damaged: neither usable nor uninitialised.
    #[must_use]
    pub const fn is_damaged(self) -> bool {
        matches!(self, Self::WrongPageNumber { .. } | Self::Bad { .. })
    }
}

impl fmt::Display for PageVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::Uninitialized => f.write_str("uninitialised"),
            Self::Corrected { bits } => write!(f, "corrected at bit {bits}"),
            Self::WrongPageNumber { expected, found, .. } => {
                write!(f, "page {found} found in the place of page {expected}")
            }
            Self::Bad { block, expected, found } => {
                write!(f, "bad checksum of block {block}: stored {expected}, computed {found}")
            }
        }
    }
}

/// The bits that were corrected in a page, at most one in each of its four blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CorrectedBits([Option<u32>; LARGE_PAGE_BLOCKS]);

impl CorrectedBits {
    /// The bit indices in the page (`8 · byte + bit`), ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied().flatten()
    }

    /// The lowest one: what the engine reports.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        self.iter().next()
    }

    fn flip_in(self, page: &mut [u8]) {
        for bit in self.iter() {
            if let Some(byte) = page.get_mut((bit / 8) as usize) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }
}

impl fmt::Display for CorrectedBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, bit) in self.iter().enumerate() {
            write!(f, "{}{bit}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Checks one page that should be page `number`, by the rules of the engine. The bytes stay as they are; a page that
/// would be right with bits flipped back is [`PageVerdict::Corrected`].
///
/// Structure (tags, nodes) is not looked at. The engine accepts a corrected page only when its structure is sound too.
#[doc(alias = "ErrValidatePage")]
#[must_use]
pub fn verify_page(page: &[u8], number: PageNumber) -> PageCheck {
    match size_of_page(page) {
        Ok(size) => PageCheck::Verified(verdict(page, size, number)),
        Err(error) => PageCheck::NotVerified(error.into()),
    }
}

/// As [`verify_page`], and flips the bits of a [`PageVerdict::Corrected`] page back in place. Pages with any other
/// verdict stay as they are.
#[doc(alias = "ChecksumAndPossiblyFixPage")]
#[must_use]
pub fn correct_page(page: &mut [u8], number: PageNumber) -> PageCheck {
    let check = verify_page(page, number);
    if let PageCheck::Verified(PageVerdict::Corrected { bits }) = check {
        bits.flip_in(page);
    }
    check
}

/// A block of a page whose stored checksum is not that of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DifferingBlock {
    /// Number of the block; always 0 on small pages.
    pub block: u8,
    /// The stored checksum.
    pub expected: BlockChecksum,
    /// The checksum of the bytes.
    pub found: BlockChecksum,
}

/// The first block of a page whose checksum differs; `None` when all are right, or when the slice is no page. In the
/// legacy form `ecc` is the page number.
#[must_use]
pub fn first_differing_block(page: &[u8], number: PageNumber) -> Option<DifferingBlock> {
    let size = size_of_page(page).ok()?;
    let pairs = stored_checksums(page, size).into_iter().zip(computed_checksums(page, size, number));
    let (block, (expected, found)) = (0..).zip(pairs).find(|(_, (expected, found))| expected != found)?;
    Some(DifferingBlock { block, expected, found })
}

fn verdict(page: &[u8], size: PageSize, number: PageNumber) -> PageVerdict {
    // A page with a non-zero checksum is not empty; most pages cost one comparison here.
    if page.first_chunk() == Some(&[0u8; 8]) && is_zero(page) {
        return PageVerdict::Uninitialized;
    }
    let stored = stored_checksums(page, size);
    let computed = computed_checksums(page, size, number);
    if stored == computed {
        return page_number_verdict(page, size, number).unwrap_or(PageVerdict::Good);
    }
    damaged(page, size, number, stored, computed)
}

/// The verdict on a page whose checksums differ.
#[cold]
fn damaged(
    page: &[u8],
    size: PageSize,
    number: PageNumber,
    stored: [BlockChecksum; LARGE_PAGE_BLOCKS],
    computed: [BlockChecksum; LARGE_PAGE_BLOCKS],
) -> PageVerdict {
    match PageChecksumForm::of(page) {
        PageChecksumForm::Legacy => {
            if let Some(found) = legacy_number(size, stored, computed) {
                return wrong_number(number, found);
            }
        }
        PageChecksumForm::Ecc => {
            if let Some(found) = number_of_checksums(size, number, stored, computed) {
                return wrong_number(number, found);
            }
            if let Some(bits) = locate_flips(size, stored, computed) {
                let mut corrected = page.to_vec();
                bits.flip_in(&mut corrected);
                // A pattern of many flips can point to a bit that explains only half of what is seen.
                if stored_checksums(&corrected, size) == computed_checksums(&corrected, size, number) {
                    return page_number_verdict(&corrected, size, number)
                        .unwrap_or(PageVerdict::Corrected { bits });
                }
            }
        }
    }
    bad(stored, computed, size)
}

fn wrong_number(expected: PageNumber, found: PageNumber) -> PageVerdict {
    PageVerdict::WrongPageNumber { expected, found, evidence: PageNumberEvidence::Checksum }
}

/// The finding on the page number field of a large page with right checksums.
fn page_number_verdict(page: &[u8], size: PageSize, number: PageNumber) -> Option<PageVerdict> {
    let found = page_number_field(page);
    (size.is_large() && found != number).then_some(PageVerdict::WrongPageNumber {
        expected: number,
        found,
        evidence: PageNumberEvidence::Field,
    })
}

/// The number for which a legacy page was written, if that is all that is wrong with it.
fn legacy_number(
    size: PageSize,
    stored: [BlockChecksum; LARGE_PAGE_BLOCKS],
    computed: [BlockChecksum; LARGE_PAGE_BLOCKS],
) -> Option<PageNumber> {
    let [stored, ..] = stored;
    let [computed, ..] = computed;
    let found = PageNumber(stored.ecc);
    (!size.is_large() && stored.xor == computed.xor && found.is_legal()).then_some(found)
}

/// The number whose checksums these are, if the number alone makes the difference. It enters the XOR of every block
/// and nothing else.
fn number_of_checksums(
    size: PageSize,
    number: PageNumber,
    stored: [BlockChecksum; LARGE_PAGE_BLOCKS],
    computed: [BlockChecksum; LARGE_PAGE_BLOCKS],
) -> Option<PageNumber> {
    let mut pairs =
        stored.into_iter().zip(computed).take(if size.is_large() { LARGE_PAGE_BLOCKS } else { 1 });
    let difference = stored.first()?.xor ^ computed.first()?.xor;
    let found = PageNumber(number.0 ^ difference);
    let same = pairs.all(|(s, c)| s.ecc == c.ecc && s.xor ^ c.xor == difference);
    (same && difference != 0 && found.is_legal()).then_some(found)
}

/// One flipped bit for each block that differs, or `None` when a block has no such explanation.
fn locate_flips(
    size: PageSize,
    stored: [BlockChecksum; LARGE_PAGE_BLOCKS],
    computed: [BlockChecksum; LARGE_PAGE_BLOCKS],
) -> Option<CorrectedBits> {
    let len = block_len(size);
    let block_bits = u32::try_from(8 * len).ok()?;
    let upper_start = 8 * UPPER_CHECKSUMS as u32;
    let mut stored = stored;
    let mut bits = CorrectedBits::default();
    let mut base = 0;
    for block in 0..LARGE_PAGE_BLOCKS {
        let (expected, found) = (*stored.get(block)?, *computed.get(block)?);
        if expected != found {
            let bit = expected.flipped_bit(found, len)?;
            if block == 0 && bit == FORMAT_FLAG_BIT {
                return None;
            }
            *bits.0.get_mut(block)? = Some(base + bit);
            // The flipped bit may belong to a stored checksum of a later block: compare with that as it was.
            if let Some(inside) = bit.checked_sub(upper_start).filter(|_| block == 0 && size.is_large())
                && let Some(later) = stored.get_mut(1 + (inside / 64) as usize)
            {
                *later = BlockChecksum::from_u64(later.to_u64() ^ 1 << (inside % 64));
            }
        }
        base += block_bits;
    }
    Some(bits)
}

/// Names the first block without an explanation, or the first that differs.
fn bad(
    stored: [BlockChecksum; LARGE_PAGE_BLOCKS],
    computed: [BlockChecksum; LARGE_PAGE_BLOCKS],
    size: PageSize,
) -> PageVerdict {
    let differing = || (0u8..).zip(stored.into_iter().zip(computed)).filter(|(_, (s, c))| s != c);
    let (block, (expected, found)) = differing()
        .find(|(_, (s, c))| s.flipped_bit(*c, block_len(size)).is_none())
        .or_else(|| differing().next())
        .unwrap_or_default();
    PageVerdict::Bad { block, expected, found }
}

fn is_zero(page: &[u8]) -> bool {
    let (rows, rest) = page.as_chunks::<64>();
    rows.iter().all(|row| row.iter().fold(0, |or, b| or | b) == 0) && rest.iter().all(|b| *b == 0)
}
