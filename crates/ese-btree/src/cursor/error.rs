//! Why a tree cannot be read.

use ese_format::{
    InvalidLongValue, JetError, LongValueId, NotVerified, ObjectId, PageError, PageFlags, PageNumber,
    PageVerdict,
};
use ese_io::{IoError, IoErrorKind};

/// Why a tree cannot be read: what is wrong, and on which page.
#[derive(Clone, Debug, thiserror::Error)]
#[error("page {page}: {problem}")]
pub struct TreeError {
    /// The page.
    pub page: PageNumber,
    /// What is wrong with it.
    #[source]
    pub problem: Box<TreeProblem>,
}

/// What is wrong with a page of a tree.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeProblem {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The page's checksum is wrong, or it was never written.
    #[error("{0}")]
    Damaged(PageVerdict),
    /// The page could not be verified.
    #[error("not verified: {0}")]
    NotVerified(NotVerified),
    /// A part of the page cannot be read.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The page number is 0 or beyond the last page.
    #[error("a link leads here, but the last page is {last}")]
    OutOfRange {
        /// Last page.
        last: PageNumber,
    },
    /// The page belongs to another tree.
    #[error("belongs to object {found}, expected {expected}")]
    ObjectId {
        /// The tree's id.
        expected: ObjectId,
        /// The page's id.
        found: ObjectId,
    },
    /// The page's flags do not fit its place in the tree.
    #[error("flags {found} do not fit: {expected}")]
    Flags {
        /// What was expected, in words.
        expected: &'static str,
        /// The page's flags.
        found: PageFlags,
    },
    /// A branch node whose data is no page number, or a branch page without nodes.
    #[error("line {line} of a branch page names no child")]
    NoChild {
        /// Line of the node.
        line: usize,
    },
    /// The siblings do not agree.
    #[error("previous page is {found}, expected {expected}")]
    SiblingLink {
        /// The page we came from.
        expected: PageNumber,
        /// The page's own link.
        found: PageNumber,
    },
    /// More pages were visited than there are, or the tree is deeper than any can be.
    #[error("the links of this tree run in a circle")]
    Endless,
    /// A long value cannot be read.
    #[error("long value {id}: {what}")]
    LongValue {
        /// Id.
        id: LongValueId,
        /// What is wrong.
        what: LongValueProblem,
    },
}

/// What is wrong with a long value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LongValueProblem {
    /// No root node with this id.
    #[error("not in the tree")]
    Missing,
    /// Encrypted; the key is not in the file.
    #[error("encrypted")]
    Encrypted,
    /// Root or key have no legal form.
    #[error(transparent)]
    Form(#[from] InvalidLongValue),
    /// A chunk is not where the one before ends.
    #[error("no chunk at offset {expected} of {size}")]
    Hole {
        /// Offset of the missing chunk.
        expected: u32,
        /// Size of the long value.
        size: u32,
    },
    /// A chunk yields another number of bytes than it stands for.
    #[error("chunk at offset {offset} yields {found} bytes instead of {expected}")]
    ChunkLength {
        /// Offset of the chunk.
        offset: u32,
        /// Bytes it stands for.
        expected: u32,
        /// Bytes it yields.
        found: usize,
    },
    /// A chunk cannot be decompressed.
    #[error("chunk at offset {offset}: {source}")]
    Compression {
        /// Offset of the chunk.
        offset: u32,
        /// Why.
        source: ese_format::CompressionError,
    },
}

impl TreeError {
    /// An error on a page.
    pub fn new(page: PageNumber, problem: impl Into<TreeProblem>) -> Self {
        Self { page, problem: Box::new(problem.into()) }
    }

    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match &*self.problem {
            TreeProblem::Io(error) => match error.kind {
                IoErrorKind::NotFound => JetError::FILE_NOT_FOUND,
                IoErrorKind::AccessDenied | IoErrorKind::InUse => JetError::FILE_ACCESS_DENIED,
                IoErrorKind::EndOfFile => JetError::FILE_IO_BEYOND_EOF,
                IoErrorKind::OutOfMemory => JetError::OUT_OF_MEMORY,
                _ => JetError::DISK_IO,
            },
            TreeProblem::Damaged(verdict) => verdict.jet_error().unwrap_or(JetError::READ_VERIFY_FAILURE),
            TreeProblem::NotVerified(_) => JetError::READ_VERIFY_FAILURE,
            TreeProblem::Page(error) => error.jet_error(),
            TreeProblem::OutOfRange { .. } => JetError::FILE_IO_BEYOND_EOF,
            TreeProblem::ObjectId { .. } | TreeProblem::NoChild { .. } | TreeProblem::Flags { .. } => {
                JetError::BAD_PARENT_PAGE_LINK
            }
            TreeProblem::SiblingLink { .. } | TreeProblem::Endless => JetError::BAD_PAGE_LINK,
            TreeProblem::LongValue { what, .. } => match what {
                LongValueProblem::Encrypted => JetError::COLUMN_NO_ENCRYPTION_KEY,
                LongValueProblem::Compression { source, .. } => source.jet_error(),
                _ => JetError::LV_CORRUPTED,
            },
        }
    }
}
