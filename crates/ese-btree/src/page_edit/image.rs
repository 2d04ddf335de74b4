//! One page in memory: where its parts are, and reading them.

use std::cmp::Ordering;
use std::ops::Range;

use ese_format::{DbTime, ObjectId, PageNumber, PageSize};

use super::error::PageEditError;
use super::flags::{node_flags, page_flags};

/// Bytes of one tag.
pub(crate) const TAG_LEN: usize = 4;
/// Most tags that the count field can hold.
pub(crate) const MAX_TAGS: usize = 0xFFF;

pub(crate) const OFFSET_DB_TIME: usize = 8;
pub(crate) const OFFSET_PREVIOUS: usize = 16;
pub(crate) const OFFSET_NEXT: usize = 20;
pub(crate) const OFFSET_OBJECT: usize = 24;
pub(crate) const OFFSET_FREE: usize = 28;
pub(crate) const OFFSET_UNCOMMITTED_FREE: usize = 30;
pub(crate) const OFFSET_USED_END: usize = 32;
pub(crate) const OFFSET_TAG_STATE: usize = 34;
pub(crate) const OFFSET_FLAGS: usize = 36;
pub(crate) const OFFSET_PAGE_NUMBER: usize = 64;

/// One database page in a buffer, to be read and, where the buffer is writable, changed.
///
/// Reading and changing never look beyond the buffer; a page whose header or tags make no sense yields
/// [`PageEditError`]. Offsets of the header fields (`database-file` format, both page forms):
///
/// | offset | size | field |
/// |-------:|-----:|-------|
/// | 8  | 8 | update counter ([`DbTime`]) |
/// | 16 | 4 | left sibling |
/// | 20 | 4 | right sibling |
/// | 24 | 4 | object id |
/// | 28 | 2 | free bytes |
/// | 30 | 2 | free bytes that a rollback could claim back |
/// | 32 | 2 | end of the used part of the data area |
/// | 34 | 2 | tags in use (bits 0–11), reserved tags (bits 12–14) |
/// | 36 | 4 | flags |
/// | 64 | 4 | page number, large pages only |
#[doc(alias = "CPAGE")]
#[derive(Clone, Copy, Debug)]
pub struct PageImage<B> {
    bytes: B,
    header_len: usize,
    large: bool,
}

/// A node as stored, its parts borrowed from the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeRef<'a> {
    /// [`node_flags`].
    pub flags: u8,
    /// The part of the key that is taken from the page's prefix; empty when the node is not compressed.
    pub prefix: &'a [u8],
    /// The rest of the key.
    pub suffix: &'a [u8],
    /// The data.
    pub data: &'a [u8],
}

impl NodeRef<'_> {
    /// Length of the whole key.
    #[must_use]
    pub fn key_len(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }

    /// Appends the whole key to `out`.
    pub fn push_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix);
        out.extend_from_slice(self.suffix);
    }

    /// The whole key.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.key_len());
        self.push_key(&mut key);
        key
    }

    /// Compares the node's key with `key`.
    #[must_use]
    pub fn compare_key(&self, key: &[u8]) -> Ordering {
        let head = key.get(..self.prefix.len().min(key.len())).unwrap_or(key);
        self.prefix.cmp(head).then_with(|| self.suffix.cmp(key.get(self.prefix.len()..).unwrap_or(&[])))
    }

    /// Compares the node's bookmark with `bookmark`: the key in trees with unique keys, else key and data together.
    #[must_use]
    pub fn compare_bookmark(&self, key: &[u8], data: &[u8], unique: bool) -> Ordering {
        let by_key = self.compare_key(key);
        if unique { by_key } else { by_key.then_with(|| self.data.cmp(data)) }
    }

    /// Whether the node is flag-deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.flags & node_flags::DELETED != 0
    }

    /// The child page of a branch node, or `None` when the data has another length.
    #[must_use]
    pub fn child(&self) -> Option<PageNumber> {
        Some(PageNumber(u32::from_le_bytes(self.data.try_into().ok()?)))
    }
}

/// One entry of the tag array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// Offset of the body in the data area.
    pub(crate) offset: usize,
    /// Length of the body.
    pub(crate) len: usize,
    /// Node flags as stored in the tag; small pages only.
    pub(crate) flags: u8,
}

/// A tag as stored, on a large page or a small one.
#[inline]
pub(crate) const fn decode_tag([len_low, len_high, low, high]: [u8; TAG_LEN], large: bool) -> Tag {
    let (len, offset) = (u16::from_le_bytes([len_low, len_high]), u16::from_le_bytes([low, high]));
    if large {
        Tag { offset: (offset & 0x7FFF) as usize, len: (len & 0x7FFF) as usize, flags: 0 }
    } else {
        Tag { offset: (offset & 0x1FFF) as usize, len: (len & 0x1FFF) as usize, flags: (offset >> 13) as u8 }
    }
}

pub(crate) fn read_u16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_le_bytes(*b))
}

pub(crate) fn read_u32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

pub(crate) fn read_u64(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
}

pub(crate) fn write_at<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(target) = bytes.get_mut(at..).and_then(|b| b.first_chunk_mut::<N>()) {
        *target = value;
    }
}

impl<B: AsRef<[u8]>> PageImage<B> {
    /// Looks at `bytes` as a page of `size`.
    ///
    /// # Errors
    /// [`PageEditError::Length`] when the buffer has another length.
    pub fn new(bytes: B, size: PageSize) -> Result<Self, PageEditError> {
        let found = bytes.as_ref().len();
        if found != size.len() {
            return Err(PageEditError::Length { expected: size.len(), found });
        }
        Ok(Self { bytes, header_len: size.page_header_len(), large: size.is_large() })
    }

    /// A buffer of the page cache, whose length is right by construction.
    pub(crate) fn of_frame(bytes: B, size: PageSize) -> Self {
        Self { bytes, header_len: size.page_header_len(), large: size.is_large() }
    }

    /// The whole page.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Length of the page header: 40 or 80.
    #[must_use]
    pub fn header_len(&self) -> usize {
        self.header_len
    }

    /// Whether it is a large page (16 or 32 KiB).
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.large
    }

    /// Length of the data area: the page without its header.
    #[must_use]
    pub fn data_len(&self) -> usize {
        self.bytes().len().saturating_sub(self.header_len)
    }

    /// Longest body of a node on an otherwise empty page: data area less its own tag and that of the external header.
    #[must_use]
    pub fn largest_body(&self) -> usize {
        self.data_len().saturating_sub(2 * TAG_LEN)
    }

    /// The page's update counter.
    #[must_use]
    #[doc(alias = "dbtimeDirtied")]
    pub fn db_time(&self) -> DbTime {
        DbTime(read_u64(self.bytes(), OFFSET_DB_TIME))
    }

    /// Left sibling.
    #[must_use]
    #[doc(alias = "pgnoPrev")]
    pub fn previous(&self) -> PageNumber {
        PageNumber(read_u32(self.bytes(), OFFSET_PREVIOUS))
    }

    /// Right sibling.
    #[must_use]
    #[doc(alias = "pgnoNext")]
    pub fn next(&self) -> PageNumber {
        PageNumber(read_u32(self.bytes(), OFFSET_NEXT))
    }

    /// Object id of the tree.
    #[must_use]
    #[doc(alias = "objidFDP")]
    pub fn object(&self) -> ObjectId {
        ObjectId(read_u32(self.bytes(), OFFSET_OBJECT))
    }

    /// Free bytes, contiguous or not.
    #[must_use]
    #[doc(alias = "cbFree")]
    pub fn free(&self) -> usize {
        usize::from(read_u16(self.bytes(), OFFSET_FREE))
    }

    /// Free bytes that a rollback could claim back.
    #[must_use]
    #[doc(alias = "cbUncommittedFree")]
    pub fn uncommitted_free(&self) -> usize {
        usize::from(read_u16(self.bytes(), OFFSET_UNCOMMITTED_FREE))
    }

    /// Offset in the data area just past the last used byte.
    #[must_use]
    #[doc(alias = "ibMicFree")]
    pub fn used_end(&self) -> usize {
        usize::from(read_u16(self.bytes(), OFFSET_USED_END))
    }

    /// Tags in use, the external header's and reserved ones included.
    #[must_use]
    #[doc(alias = "itagMicFree")]
    pub fn tag_count(&self) -> usize {
        usize::from(read_u16(self.bytes(), OFFSET_TAG_STATE)) & MAX_TAGS
    }

    /// Tags in front of line 0: at least 1, the external header's.
    #[must_use]
    #[doc(alias = "ctagReserved")]
    pub fn reserved_tags(&self) -> usize {
        (usize::from(read_u16(self.bytes(), OFFSET_TAG_STATE)) >> 12 & 7).max(1)
    }

    /// Number of nodes.
    #[must_use]
    #[doc(alias = "Clines")]
    pub fn line_count(&self) -> usize {
        self.tag_count().saturating_sub(self.reserved_tags())
    }

    /// [`page_flags`].
    #[must_use]
    #[doc(alias = "fFlags")]
    pub fn flags(&self) -> u32 {
        read_u32(self.bytes(), OFFSET_FLAGS)
    }

    /// Whether all bits of `flags` are set.
    #[must_use]
    pub fn has(&self, flags: u32) -> bool {
        self.flags() & flags == flags
    }

    /// Whether bookmarks of this page's tree are keys alone.
    #[must_use]
    pub fn has_unique_keys(&self) -> bool {
        !self.has(page_flags::NON_UNIQUE_KEYS)
    }

    /// Whether tag 0 is a key prefix: on every page but roots.
    #[must_use]
    pub fn has_prefix(&self) -> bool {
        !self.has(page_flags::ROOT)
    }

    /// The page number stored in the page itself; `None` on small pages.
    #[must_use]
    pub fn stored_page_number(&self) -> Option<PageNumber> {
        self.large.then(|| PageNumber(read_u32(self.bytes(), OFFSET_PAGE_NUMBER)))
    }

    /// Whether every byte is zero: a page that was never used.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.bytes().iter().all(|&b| b == 0)
    }

    pub(crate) fn tag_position(&self, tag: usize) -> Option<usize> {
        self.bytes().len().checked_sub(TAG_LEN.checked_mul(tag + 1)?).filter(|&at| at >= self.header_len)
    }

    /// Tag number `tag`, without any check of its range.
    pub(crate) fn raw_tag(&self, tag: usize) -> Option<Tag> {
        let at = self.tag_position(tag)?;
        let stored = self.bytes().get(at..)?.first_chunk::<TAG_LEN>()?;
        Some(decode_tag(*stored, self.large))
    }

    /// Body of tag number `tag`.
    pub(crate) fn body(&self, tag: usize) -> Option<&[u8]> {
        if tag >= self.tag_count() {
            return None;
        }
        let entry = self.raw_tag(tag)?;
        let start = self.header_len + entry.offset;
        self.bytes().get(start..start + entry.len)
    }

    /// The external header (tag 0): the key prefix, or the space header of a root. Empty when there is none.
    #[must_use]
    pub fn external_header(&self) -> &[u8] {
        self.body(0).unwrap_or(&[])
    }

    /// Where on the page [`key_prefix`](Self::key_prefix) is.
    pub(crate) fn prefix_place(&self) -> Range<usize> {
        let len = self.key_prefix().len();
        let offset = self.raw_tag(0).map_or(0, |tag| tag.offset);
        if len == 0 { 0..0 } else { self.header_len + offset..self.header_len + offset + len }
    }

    /// The key prefix that nodes may refer to: empty on roots.
    #[must_use]
    pub fn key_prefix(&self) -> &[u8] {
        if self.has_prefix() { self.external_header() } else { &[] }
    }

    /// The node at `line`.
    ///
    /// # Errors
    /// [`PageEditError::LineOutOfRange`], [`PageEditError::BadNode`].
    #[inline]
    pub fn node(&self, line: usize) -> Result<NodeRef<'_>, PageEditError> {
        match self.node_with_end(line) {
            Some((node, _)) => Ok(node),
            None => Err(self.no_node(line)),
        }
    }

    /// The node at `line`, and where on the page its data ends; `None` when there is none, or it makes no sense.
    #[inline]
    pub(crate) fn node_with_end(&self, line: usize) -> Option<(NodeRef<'_>, usize)> {
        let bytes = self.bytes();
        let state = usize::from(read_u16(bytes, OFFSET_TAG_STATE));
        let tag = line + (state >> 12 & 7).max(1);
        if tag >= state & MAX_TAGS {
            return None;
        }
        let at = bytes.len().checked_sub(TAG_LEN * (tag + 1)).filter(|&at| at >= self.header_len)?;
        let tag = decode_tag(*bytes.get(at..)?.first_chunk::<TAG_LEN>()?, self.large);
        let start = self.header_len + tag.offset;
        let end = start + tag.len;
        let (&[first, second], mut rest) = bytes.get(start..end)?.split_first_chunk::<2>()?;
        let flags = if self.large { second >> 5 } else { tag.flags };
        let mut len = usize::from(u16::from_le_bytes([first, second]) & 0x1FFF);
        let mut prefix: &[u8] = &[];
        if flags & node_flags::COMPRESSED != 0 {
            prefix = self.key_prefix().get(..len)?;
            let (suffix_len, tail) = rest.split_first_chunk::<2>()?;
            len = usize::from(u16::from_le_bytes(*suffix_len) & 0x1FFF);
            rest = tail;
        }
        let (suffix, data) = rest.split_at_checked(len)?;
        Some((NodeRef { flags, prefix, suffix, data }, end))
    }

    #[cold]
    fn no_node(&self, line: usize) -> PageEditError {
        let count = self.line_count();
        if line >= count {
            return PageEditError::LineOutOfRange { line, count };
        }
        let length = self.body(line + self.reserved_tags()).map_or(0, <[u8]>::len);
        PageEditError::BadNode { line, length }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> PageImage<B> {
    /// The whole page, writable.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.as_mut()
    }

    pub(crate) fn write<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        write_at(self.bytes_mut(), at, value);
    }

    pub(crate) fn write_len(&mut self, at: usize, value: usize) {
        // Callers keep lengths within the page, 32 KiB at most.
        let value = u16::try_from(value).unwrap_or(u16::MAX);
        self.write(at, value.to_le_bytes());
    }

    pub(crate) fn write_tag(&mut self, index: usize, tag: Tag) {
        let Some(at) = self.tag_position(index) else { return };
        let flags = if self.large { 0 } else { usize::from(tag.flags) << 13 };
        self.write_len(at, tag.len);
        self.write_len(at + 2, tag.offset | flags);
    }

    /// Stamps the page with its update counter.
    pub fn set_db_time(&mut self, time: DbTime) {
        self.write(OFFSET_DB_TIME, time.0.to_le_bytes());
    }

    /// Links the left sibling.
    pub fn set_previous(&mut self, page: PageNumber) {
        self.write(OFFSET_PREVIOUS, page.0.to_le_bytes());
    }

    /// Links the right sibling.
    pub fn set_next(&mut self, page: PageNumber) {
        self.write(OFFSET_NEXT, page.0.to_le_bytes());
    }

    /// Sets the object id.
    pub fn set_object(&mut self, object: ObjectId) {
        self.write(OFFSET_OBJECT, object.0.to_le_bytes());
    }

    /// Replaces the flag word.
    pub fn set_flags(&mut self, flags: u32) {
        self.write(OFFSET_FLAGS, flags.to_le_bytes());
    }

    /// Sets the free bytes that a rollback could claim back; never more than there are free bytes.
    pub fn set_uncommitted_free(&mut self, bytes: usize) {
        let bytes = bytes.min(self.free());
        self.write_len(OFFSET_UNCOMMITTED_FREE, bytes);
    }

    /// Stores the page's own number; nothing on small pages.
    pub fn set_stored_page_number(&mut self, page: PageNumber) {
        if self.large {
            self.write(OFFSET_PAGE_NUMBER, page.0.to_le_bytes());
        }
    }

    pub(crate) fn set_tag_count(&mut self, count: usize) {
        let reserved = usize::from(read_u16(self.bytes(), OFFSET_TAG_STATE)) & !MAX_TAGS;
        self.write_len(OFFSET_TAG_STATE, reserved | (count & MAX_TAGS));
    }

    pub(crate) fn set_free(&mut self, bytes: usize) {
        self.write_len(OFFSET_FREE, bytes);
        if self.uncommitted_free() > bytes {
            self.write_len(OFFSET_UNCOMMITTED_FREE, bytes);
        }
    }

    pub(crate) fn set_used_end(&mut self, offset: usize) {
        self.write_len(OFFSET_USED_END, offset);
    }
}
