//! Why a page could not be read or changed.

use ese_format::JetError;

/// A page operation that cannot be carried out.
///
/// Pages come from files, and the operations on them from logs, so each of these is the answer to bad input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageEditError {
    /// The buffer is not one page long.
    #[error("page buffer of {found} bytes, expected {expected}")]
    Length {
        /// The page size.
        expected: usize,
        /// The buffer's length.
        found: usize,
    },
    /// The page has no such line.
    #[error("line {line} of a page with {count} lines")]
    LineOutOfRange {
        /// The line asked for.
        line: usize,
        /// Lines on the page.
        count: usize,
    },
    /// The page has not enough free bytes.
    #[error("{needed} bytes needed, {free} free")]
    NoSpace {
        /// Bytes needed, a new tag included.
        needed: usize,
        /// Free bytes.
        free: usize,
    },
    /// A tag points outside the page's data area.
    #[error("tag {tag}: offset {offset}, length {length} do not fit the page")]
    TagOutOfRange {
        /// The tag's number.
        tag: usize,
        /// Its offset in the data area.
        offset: usize,
        /// Its length.
        length: usize,
    },
    /// A node's own lengths exceed its body, or its key prefix exceeds the page's.
    #[error("line {line}: node of {length} bytes is malformed")]
    BadNode {
        /// The line.
        line: usize,
        /// Length of the body.
        length: usize,
    },
    /// A header field is outside its legal range.
    #[error("page header field {field} is {found}, limit {limit}")]
    HeaderField {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        found: usize,
        /// Largest legal (or only expected) value.
        limit: usize,
    },
    /// A new external header is too short for the nodes that use it as key prefix.
    #[error("external header of {length} bytes is shorter than the prefix in use, {in_use}")]
    PrefixInUse {
        /// Length of the new external header.
        length: usize,
        /// Longest prefix that a node uses.
        in_use: usize,
    },
    /// A before-image cannot be brought back to a page.
    #[error("before-image of {length} bytes is malformed: {what}")]
    BadBeforeImage {
        /// Stored length.
        length: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A node or header longer than the page can address.
    #[error("body of {length} bytes exceeds the largest, {limit}")]
    TooLong {
        /// Length asked for.
        length: usize,
        /// Largest length.
        limit: usize,
    },
}

impl PageEditError {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::LineOutOfRange { .. } => JetError::BAD_LINE_COUNT,
            Self::BadNode { .. } => JetError::NODE_CORRUPTED,
            Self::PrefixInUse { .. } | Self::BadBeforeImage { .. } => JetError::LOG_CORRUPTED,
            _ => JetError::PAGE_TAG_CORRUPTED,
        }
    }
}
