//! What was found wrong in a database file.

use ese_format::{
    BlockChecksum, CorrectedBits, HeaderCopy, HeaderError, JetError, PageNumber, PageNumberEvidence,
};
use ese_io::IoError;
use ese_log::storage_jet_error;

/// Where something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingPlace {
    /// The first header page.
    PrimaryHeader,
    /// The second header page.
    SecondaryHeader,
    /// A page.
    Page(PageNumber),
}

impl FindingPlace {
    /// The number by which the engine's tools call the place: -1 and 0 for the header pages, else the page number.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::PrimaryHeader => -1,
            Self::SecondaryHeader => 0,
            Self::Page(number) => i64::from(number.0),
        }
    }
}

impl From<HeaderCopy> for FindingPlace {
    fn from(copy: HeaderCopy) -> Self {
        match copy {
            HeaderCopy::Primary => Self::PrimaryHeader,
            HeaderCopy::Secondary => Self::SecondaryHeader,
        }
    }
}

/// One thing that is wrong with a database file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DatabaseFinding {
    /// A header copy is damaged.
    BadHeader {
        /// Which one.
        copy: HeaderCopy,
        /// What is wrong with it.
        error: HeaderError,
        /// Whether the other copy is good, so that the engine goes on with that.
        other_is_good: bool,
    },
    /// One bit, or one in each of several blocks, is flipped. The engine corrects it whenever it reads the page.
    Corrected {
        /// The page.
        page: PageNumber,
        /// The bits.
        bits: CorrectedBits,
        /// Stored checksum of the first block that differs.
        expected: BlockChecksum,
        /// Checksum of that block's bytes.
        found: BlockChecksum,
    },
    /// The page belongs elsewhere.
    WrongPageNumber {
        /// The place.
        expected: PageNumber,
        /// The number for which it was written.
        found: PageNumber,
        /// What tells it.
        evidence: PageNumberEvidence,
    },
    /// The page is damaged beyond correction.
    BadChecksum {
        /// The page.
        page: PageNumber,
        /// The checksum block of the page.
        block: u8,
        /// Its stored checksum.
        expected: BlockChecksum,
        /// The checksum of its bytes.
        found: BlockChecksum,
    },
    /// The page could not be read. It is not verified.
    Unreadable {
        /// The page.
        page: PageNumber,
        /// Why.
        error: IoError,
    },
    /// The file ends inside a page. That page is not verified.
    PartialPage {
        /// The page, or page 0 when the file ends inside its second header.
        page: PageNumber,
        /// Bytes of a page.
        expected: u32,
        /// Bytes that are there.
        found: u32,
    },
    /// The file ends before the last page that the database owns.
    Truncated {
        /// The last page that the database owns.
        expected: PageNumber,
        /// The last page in the file; 0 when there is none.
        found: PageNumber,
    },
}

impl DatabaseFinding {
    /// Where it was found.
    #[must_use]
    pub fn place(&self) -> FindingPlace {
        match self {
            Self::BadHeader { copy, .. } => (*copy).into(),
            Self::WrongPageNumber { expected, .. } => FindingPlace::Page(*expected),
            Self::PartialPage { page: PageNumber::NONE, .. } => FindingPlace::SecondaryHeader,
            Self::Corrected { page, .. }
            | Self::BadChecksum { page, .. }
            | Self::Unreadable { page, .. }
            | Self::PartialPage { page, .. } => FindingPlace::Page(*page),
            Self::Truncated { found, .. } => FindingPlace::Page(PageNumber(found.0.saturating_add(1))),
        }
    }

    /// What kind of finding, in lower case with underscores.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BadHeader { .. } => "bad_header",
            Self::Corrected { .. } => "corrected",
            Self::WrongPageNumber { .. } => "wrong_page_number",
            Self::BadChecksum { .. } => "bad_checksum",
            Self::Unreadable { .. } => "unreadable",
            Self::PartialPage { .. } => "partial_page",
            Self::Truncated { .. } => "truncated",
        }
    }

    /// What the engine returns when it comes upon it; `None` where it goes on in silence.
    #[must_use]
    pub fn jet_error(&self) -> Option<JetError> {
        match self {
            Self::BadHeader { other_is_good: true, .. } => Some(JetError::READ_VERIFY_FAILURE),
            Self::BadHeader { error, .. } => Some(error.jet_error()),
            Self::Corrected { .. } => None,
            Self::WrongPageNumber { evidence: PageNumberEvidence::Field, .. } => {
                Some(JetError::READ_PGNO_VERIFY_FAILURE)
            }
            Self::WrongPageNumber { .. } | Self::BadChecksum { .. } => Some(JetError::READ_VERIFY_FAILURE),
            Self::Unreadable { error, .. } => Some(storage_jet_error(error)),
            Self::PartialPage { .. } | Self::Truncated { .. } => Some(JetError::FILE_IO_BEYOND_EOF),
        }
    }
}
