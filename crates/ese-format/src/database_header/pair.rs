//! The two copies of a database header: finding the page size, choosing the copy.

use crate::{DatabaseHeader, HeaderError, HeaderStructure, PageSize};

/// How the two copies of a header relate.
#[doc(alias = "ShadowedHeaderStatus")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderPairStatus {
    /// Both are valid and the same.
    #[doc(alias = "shadowedHeaderOK")]
    BothGood,
    /// Both are valid and differ: the first is used, the second is older (the writer was interrupted between the two,
    /// or the file is a backup copy, whose second header the engine leaves alone).
    SecondaryStale,
    /// Only the first is valid.
    #[doc(alias = "shadowedHeaderSecondaryBad")]
    SecondaryBad,
    /// Only the second is valid.
    #[doc(alias = "shadowedHeaderPrimaryBad")]
    PrimaryBad,
}

impl HeaderPairStatus {
    /// The status of two copies, or `None` when neither is valid. `equal` counts only when both are.
    #[must_use]
    pub const fn of(primary_valid: bool, secondary_valid: bool, equal: bool) -> Option<Self> {
        match (primary_valid, secondary_valid) {
            (true, true) if equal => Some(Self::BothGood),
            (true, true) => Some(Self::SecondaryStale),
            (true, false) => Some(Self::SecondaryBad),
            (false, true) => Some(Self::PrimaryBad),
            (false, false) => None,
        }
    }

    /// Which copy is used.
    #[must_use]
    pub const fn used_copy(self) -> HeaderCopy {
        match self {
            Self::PrimaryBad => HeaderCopy::Secondary,
            _ => HeaderCopy::Primary,
        }
    }

    /// The name in lower case with underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BothGood => "both_good",
            Self::SecondaryStale => "secondary_stale",
            Self::SecondaryBad => "secondary_bad",
            Self::PrimaryBad => "primary_bad",
        }
    }
}

/// One of the two copies of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderCopy {
    /// The one at the start of the file.
    Primary,
    /// The one behind it.
    #[doc(alias = "shadow header")]
    Secondary,
}

/// The header of a database, chosen from its two copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseHeaderPair {
    /// The header to use.
    pub header: DatabaseHeader,
    /// How the copies relate.
    pub status: HeaderPairStatus,
    /// The other copy, when it is valid and differs.
    pub stale: Option<DatabaseHeader>,
}

impl DatabaseHeaderPair {
    /// How much of the start of a file [`probe`](Self::probe) needs: both copies in the largest page size.
    pub const PROBE_LEN: usize = 2 * 32768;

    /// Finds page size and header in the first bytes of a file. `start` holds the first [`PROBE_LEN`](Self::PROBE_LEN)
    /// bytes, or the whole file when it is shorter.
    ///
    /// Each page size is tried, smallest first, for both copies; a copy is valid when its checksum over that size is
    /// right and it names that size. The largest size that fits wins for each copy, as in the engine.
    /// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/ese/_osu/fileu.cxx`,
    /// `ErrUtilReadSpecificShadowedHeader`.
    ///
    /// # Errors
    /// [`HeaderError::Truncated`] for a file shorter than any header page or than the page size that its first copy
    /// names, [`HeaderError::Checksum`] when that copy is whole, else [`HeaderError::NoValidCopy`].
    pub fn probe(start: &[u8]) -> Result<Self, HeaderError> {
        let mut primary = None;
        let mut secondary = None;
        for size in PageSize::ALL {
            primary = copy_at(start, HeaderCopy::Primary, size).ok().or(primary);
            secondary = copy_at(start, HeaderCopy::Secondary, size).ok().or(secondary);
        }
        let (header, status, stale) = match (primary, secondary) {
            (Some(first), Some(second)) if first == second => (first, HeaderPairStatus::BothGood, None),
            (Some(first), second @ Some(_)) => (first, HeaderPairStatus::SecondaryStale, second),
            (Some(first), None) => (first, HeaderPairStatus::SecondaryBad, None),
            (None, Some(second)) => (second, HeaderPairStatus::PrimaryBad, None),
            (None, None) => return Err(no_valid_copy(start)),
        };
        Ok(Self { header, status, stale })
    }

    /// As [`probe`](Self::probe) for a known page size.
    ///
    /// # Errors
    /// As [`probe`](Self::probe).
    pub fn probe_with_page_size(start: &[u8], size: PageSize) -> Result<Self, HeaderError> {
        let first = copy_at(start, HeaderCopy::Primary, size);
        let second = copy_at(start, HeaderCopy::Secondary, size).ok();
        let (header, status, stale) = match (first, second) {
            (Ok(first), Some(second)) if first == second => (first, HeaderPairStatus::BothGood, None),
            (Ok(first), second @ Some(_)) => (first, HeaderPairStatus::SecondaryStale, second),
            (Ok(first), None) => (first, HeaderPairStatus::SecondaryBad, None),
            (Err(_), Some(second)) => (second, HeaderPairStatus::PrimaryBad, None),
            (Err(error), None) => return Err(error),
        };
        Ok(Self { header, status, stale })
    }
}

/// One copy in one page size.
fn copy_at(start: &[u8], copy: HeaderCopy, size: PageSize) -> Result<DatabaseHeader, HeaderError> {
    let offset = match copy {
        HeaderCopy::Primary => 0,
        HeaderCopy::Secondary => size.len(),
    };
    let page = start.get(offset..).unwrap_or_default();
    DatabaseHeader::parse(page.get(..size.len()).unwrap_or(page))
}

/// The error that says most about a start of file without a valid header.
fn no_valid_copy(start: &[u8]) -> HeaderError {
    let structure = HeaderStructure::DatabaseHeader;
    let smallest = PageSize::ALL.first().map_or(0, |s| s.len());
    if start.len() < smallest {
        return HeaderError::Truncated { structure, expected: smallest, found: start.len() };
    }
    // The size that the first copy names, if it names one: then its own complaint is better than a general one.
    let guess = start
        .get(236..240)
        .and_then(|b| b.first_chunk::<4>())
        .and_then(|b| PageSize::new(u32::from_le_bytes(*b)).ok());
    match guess.map(|size| copy_at(start, HeaderCopy::Primary, size)) {
        Some(Err(error @ (HeaderError::Checksum { .. } | HeaderError::Truncated { .. }))) => error,
        _ => HeaderError::NoValidCopy { structure },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogGeneration, PageSize};

    fn file(size: PageSize) -> Vec<u8> {
        let page = DatabaseHeader::new(size).write();
        let mut file = [page.clone(), page].concat();
        file.resize(file.len() + 3 * size.len(), 0);
        file
    }

    #[test]
    fn every_page_size_is_found() {
        for size in PageSize::ALL {
            let pair = DatabaseHeaderPair::probe(&file(size)).unwrap();
            assert_eq!(pair.header.page_size(), size);
            assert_eq!(pair.status, HeaderPairStatus::BothGood);
            assert_eq!(DatabaseHeaderPair::probe_with_page_size(&file(size), size).unwrap(), pair);
        }
    }

    #[test]
    fn either_copy_saves_the_file() {
        for size in PageSize::ALL {
            let mut first = file(size);
            first[300] ^= 1;
            let pair = DatabaseHeaderPair::probe(&first).unwrap();
            assert_eq!(pair.status, HeaderPairStatus::PrimaryBad);
            assert_eq!(pair.status.used_copy(), HeaderCopy::Secondary);
            let mut second = file(size);
            second[size.len() + 300] ^= 1;
            assert_eq!(DatabaseHeaderPair::probe(&second).unwrap().status, HeaderPairStatus::SecondaryBad);
            first[size.len() + 300] ^= 1;
            let error = DatabaseHeaderPair::probe(&first).unwrap_err();
            assert!(matches!(error, HeaderError::Checksum { .. }), "{error}");
        }
    }

    #[test]
    fn the_first_of_two_valid_copies_wins() {
        let size = PageSize::DEFAULT;
        let mut newer = DatabaseHeader::new(size);
        newer.set_max_required(LogGeneration(9));
        let older = DatabaseHeader::new(size);
        let pair = DatabaseHeaderPair::probe(&[newer.write(), older.write()].concat()).unwrap();
        assert_eq!(pair.status, HeaderPairStatus::SecondaryStale);
        assert_eq!(pair.header.max_required(), LogGeneration(9));
        assert_eq!(pair.stale.map(|h| h.write()), Some(older.write()));
    }

    #[test]
    fn short_files_have_their_own_error() {
        assert!(matches!(DatabaseHeaderPair::probe(&[]), Err(HeaderError::Truncated { found: 0, .. })));
        assert!(matches!(DatabaseHeaderPair::probe(&[0; 70000]), Err(HeaderError::NoValidCopy { .. })));
        let whole = file(PageSize::DEFAULT);
        assert_eq!(DatabaseHeaderPair::probe(&whole[..4096]).unwrap().status, HeaderPairStatus::SecondaryBad);
    }
}
