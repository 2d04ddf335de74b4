//! Reading one page in place.

use super::{Node, NodeFlags, PageFlags, PageHeader, Tag};
use crate::{JetError, PageSize};

/// Why a page, or a part of it, cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageError {
    /// The buffer is not one page.
    #[error("buffer of {found} bytes instead of one page of {expected}")]
    Length {
        /// Page size.
        expected: usize,
        /// Length of the buffer.
        found: usize,
    },
    /// The tag array is longer than the data area, or holds fewer tags than are reserved.
    #[error("{found} tags, of which {reserved} are reserved; the page has room for {limit}")]
    TagCount {
        /// Tags according to the header.
        found: u16,
        /// Reserved tags according to the header.
        reserved: u16,
        /// Tags that fit.
        limit: usize,
    },
    /// A body lies outside the data area.
    #[error("tag {tag}: body at {offset} of {len} bytes ends beyond the data area of {limit} bytes")]
    TagBounds {
        /// Index in the tag array.
        tag: usize,
        /// Offset of the body.
        offset: u16,
        /// Length of the body.
        len: u16,
        /// Bytes of the data area that are not tags.
        limit: usize,
    },
    /// No such tag or line.
    #[error("line {line} of a page with {count} nodes")]
    NoSuchLine {
        /// The line asked for.
        line: usize,
        /// Nodes on the page.
        count: usize,
    },
    /// A node's lengths do not fit its body.
    #[error(
        "line {line}: key lengths {prefix_len} + {suffix_len} do not fit a body of {len} bytes with a page prefix of {page_prefix_len}"
    )]
    NodeBounds {
        /// Line of the node.
        line: usize,
        /// Stored prefix length.
        prefix_len: u16,
        /// Stored suffix length.
        suffix_len: u16,
        /// Length of the body.
        len: usize,
        /// Length of the page's prefix.
        page_prefix_len: usize,
    },
}

impl PageError {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        match self {
            Self::Length { .. } => JetError::READ_VERIFY_FAILURE,
            Self::TagCount { .. } | Self::TagBounds { .. } => JetError::PAGE_TAG_CORRUPTED,
            Self::NoSuchLine { .. } => JetError::BAD_LINE_COUNT,
            Self::NodeBounds { .. } => JetError::NODE_CORRUPTED,
        }
    }
}

/// A page, read in place. Cheap to make and to copy: it decodes the header and the external header's bounds, nothing
/// else. Every access is checked against the page.
#[doc(alias = "CPAGE")]
#[derive(Clone, Copy, Debug)]
pub struct PageView<'a> {
    bytes: &'a [u8],
    /// The data area: everything behind the header, tags included.
    area: &'a [u8],
    header: PageHeader,
    page_size: PageSize,
    external_header: &'a [u8],
}

impl<'a> PageView<'a> {
    /// Looks at one page. No checksum is computed here.
    ///
    /// # Errors
    /// [`PageError::Length`] when `bytes` is not one page, [`PageError::TagCount`] when the tag array cannot fit,
    /// [`PageError::TagBounds`] when tag 0 points outside the data area.
    pub fn parse(bytes: &'a [u8], page_size: PageSize) -> Result<Self, PageError> {
        let length_error = PageError::Length { expected: page_size.len(), found: bytes.len() };
        if bytes.len() != page_size.len() {
            return Err(length_error);
        }
        let header = PageHeader::decode(bytes, page_size).ok_or(length_error)?;
        let area = bytes.get(page_size.page_header_len()..).ok_or(length_error)?;
        // Below, `area.len() - 4 * tag_count` cannot wrap: this check bounds the count.
        if usize::from(header.tag_count) > area.len() / Tag::SIZE
            || (header.tag_count != 0 && header.tag_count < header.reserved_tag_count)
        {
            return Err(PageError::TagCount {
                found: header.tag_count,
                reserved: header.reserved_tag_count,
                limit: area.len() / Tag::SIZE,
            });
        }
        let mut view = Self { bytes, area, header, page_size, external_header: &[] };
        if header.tag_count != 0 {
            view.external_header = view.body(0)?;
        }
        Ok(view)
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &PageHeader {
        &self.header
    }

    /// The flags.
    #[must_use]
    pub const fn flags(&self) -> PageFlags {
        self.header.flags
    }

    /// All bytes of the page.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The page size.
    #[must_use]
    pub const fn page_size(&self) -> PageSize {
        self.page_size
    }

    /// Whether every byte of the page is zero: never written, or trimmed.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        crate::page::view::is_zero(self.bytes)
    }

    /// Whether this is a leaf page.
    #[must_use]
    pub const fn is_leaf(&self) -> bool {
        self.header.flags.contains(PageFlags::LEAF)
    }

    /// Whether this is the root of a tree.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.header.flags.contains(PageFlags::ROOT)
    }

    /// Whether nodes are ordered by key and data.
    #[must_use]
    pub const fn is_non_unique(&self) -> bool {
        self.header.flags.contains(PageFlags::NON_UNIQUE_KEYS)
    }

    /// Size of the data area, tags included.
    #[must_use]
    pub const fn area_len(&self) -> usize {
        self.area.len()
    }

    /// Number of nodes: tags without the external header and the other reserved tags.
    #[must_use]
    #[inline]
    pub const fn node_count(&self) -> usize {
        self.header.tag_count.saturating_sub(self.header.reserved_tag_count) as usize
    }

    /// Content of tag 0: the page prefix, or a root's space header or split buffer. Empty on a page without tags.
    #[must_use]
    pub const fn external_header(&self) -> &'a [u8] {
        self.external_header
    }

    /// The bytes that compressed nodes of this page share: the external header, except on roots.
    #[must_use]
    #[inline]
    pub const fn prefix(&self) -> &'a [u8] {
        if self.is_root() { &[] } else { self.external_header }
    }

    /// Tag `index` of the array; 0 is the external header.
    #[must_use]
    #[inline]
    pub fn tag(&self, index: usize) -> Option<Tag> {
        if index >= usize::from(self.header.tag_count) {
            return None;
        }
        let start = self.area.len().checked_sub(Tag::SIZE * (index + 1))?;
        Some(Tag::from_bytes(*self.area.get(start..)?.first_chunk()?, self.page_size))
    }

    /// The body behind tag `index`.
    ///
    /// # Errors
    /// [`PageError::NoSuchLine`], or [`PageError::TagBounds`] when it lies outside the data area.
    #[inline]
    pub fn body(&self, index: usize) -> Result<&'a [u8], PageError> {
        let tag = self.tag(index).ok_or_else(|| self.no_such_line(index))?;
        let limit = self.area.len() - Tag::SIZE * usize::from(self.header.tag_count);
        if tag.end() > limit {
            return Err(PageError::TagBounds { tag: index, offset: tag.offset, len: tag.len, limit });
        }
        Ok(self.area.get(usize::from(tag.offset)..tag.end()).unwrap_or_default())
    }

    /// Index in the tag array of the node on `line`.
    #[must_use]
    #[inline]
    pub const fn tag_of_line(&self, line: usize) -> usize {
        line.saturating_add(self.header.reserved_tag_count as usize)
    }

    /// The node on `line`, counted from 0.
    ///
    /// # Errors
    /// [`PageError::NoSuchLine`], [`PageError::TagBounds`], or [`PageError::NodeBounds`] when its lengths do not fit.
    #[inline]
    pub fn node(&self, line: usize) -> Result<Node<'a>, PageError> {
        if line >= self.node_count() {
            return Err(self.no_such_line(line));
        }
        let index = self.tag_of_line(line);
        let body = self.body(index)?;
        let flags = self.node_flags(index, body);
        let mut lengths = (0, 0);
        let node = split_node(body, flags, self.prefix(), &mut lengths);
        node.ok_or(PageError::NodeBounds {
            line,
            prefix_len: lengths.0,
            suffix_len: lengths.1,
            len: body.len(),
            page_prefix_len: self.prefix().len(),
        })
    }

    /// Every node in order; an unreadable one is an error in its place.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Result<Node<'a>, PageError>> + use<'a> {
        let view = *self;
        (0..self.node_count()).map(move |line| view.node(line))
    }

    fn node_flags(&self, index: usize, body: &[u8]) -> NodeFlags {
        if self.page_size.is_large() {
            NodeFlags::from_bits_retain(body.get(1).map_or(0, |b| b >> 5))
        } else {
            self.tag(index).map_or(NodeFlags::empty(), |t| t.flags)
        }
    }

    fn no_such_line(&self, line: usize) -> PageError {
        PageError::NoSuchLine { line, count: self.node_count() }
    }
}

/// Splits a body into its parts; reports the stored lengths in `lengths` for an error message.
#[inline]
fn split_node<'a>(
    body: &'a [u8],
    flags: NodeFlags,
    page_prefix: &'a [u8],
    lengths: &mut (u16, u16),
) -> Option<Node<'a>> {
    let (&first, mut rest) = body.split_first_chunk::<2>()?;
    let mut suffix_len = u16::from_le_bytes(first) & 0x1FFF;
    let mut prefix: &[u8] = &[];
    if flags.contains(NodeFlags::COMPRESSED) {
        lengths.0 = suffix_len;
        let (&second, behind) = rest.split_first_chunk::<2>()?;
        suffix_len = u16::from_le_bytes(second) & 0x1FFF;
        lengths.1 = suffix_len;
        prefix = page_prefix.get(..usize::from(lengths.0))?;
        rest = behind;
    }
    lengths.1 = suffix_len;
    let (suffix, data) = rest.split_at_checked(usize::from(suffix_len))?;
    Some(Node { flags, prefix, suffix, data })
}

fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|w| u128::from_ne_bytes(*w) == 0) && rest.iter().all(|&b| b == 0)
}
