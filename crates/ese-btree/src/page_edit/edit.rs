//! Changing the nodes of a page: insert, delete, replace, flags, external header.
//!
//! Space follows the engine's rules: a new body goes to the end of the used part; a body that shrinks, or that grows as
//! the last one, stays where it is; a body that grows elsewhere moves to the end; bodies are slid together only when
//! the contiguous free space does not suffice.

use super::error::PageEditError;
use super::flags::{node_flags, page_flags};
use super::image::{MAX_TAGS, PageImage, TAG_LEN, Tag, read_u16};

/// A node to be put on a page.
#[derive(Clone, Copy, Debug)]
pub struct NewNode<'a> {
    /// [`node_flags`]; the compressed flag follows from `prefix_len`.
    pub flags: u8,
    /// Bytes of the key that are taken from the page's prefix; 0 stores the node uncompressed.
    pub prefix_len: usize,
    /// The rest of the key, in up to two pieces.
    pub suffix: [&'a [u8]; 2],
    /// The data.
    pub data: &'a [u8],
}

impl<'a> NewNode<'a> {
    /// A node whose key is stored whole.
    #[must_use]
    pub fn plain(key: &'a [u8], data: &'a [u8], flags: u8) -> Self {
        Self { flags, prefix_len: 0, suffix: [key, &[]], data }
    }

    /// A node of which the first `prefix_len` bytes of `key` are those of the page's prefix.
    #[must_use]
    pub fn compressed(key: &'a [u8], prefix_len: usize, data: &'a [u8], flags: u8) -> Self {
        Self { flags, prefix_len, suffix: [key.get(prefix_len..).unwrap_or(&[]), &[]], data }
    }

    /// Bytes of the stored body.
    #[must_use]
    pub fn body_len(&self) -> usize {
        let words = if self.prefix_len == 0 { 2 } else { 4 };
        words + self.suffix[0].len() + self.suffix[1].len() + self.data.len()
    }
}

/// How many leading bytes of `key` are worth taking from a page's `prefix`: the common part when it is longer than the
/// two bytes that saying so costs, else 0.
#[must_use]
#[doc(alias = "CbNDCommonPrefix")]
pub fn usable_prefix(prefix: &[u8], key: &[u8]) -> usize {
    let common = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
    if common > 2 { common } else { 0 }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> PageImage<B> {
    /// Free bytes between the last body and the tag array.
    #[must_use]
    pub fn contiguous_free(&self) -> usize {
        self.data_len().saturating_sub(self.used_end() + TAG_LEN * self.tag_count())
    }

    /// Inserts `node` so that it becomes line `line`.
    ///
    /// # Errors
    /// [`PageEditError::LineOutOfRange`], [`NoSpace`](PageEditError::NoSpace), [`TooLong`](PageEditError::TooLong),
    /// and [`BadNode`](PageEditError::BadNode) when the page's prefix is shorter than `prefix_len`.
    #[doc(alias = "ErrNDInsert")]
    pub fn insert(&mut self, line: usize, node: &NewNode<'_>) -> Result<(), PageEditError> {
        let count = self.line_count();
        if line > count {
            return Err(PageEditError::LineOutOfRange { line, count });
        }
        let len = node.body_len();
        if len > self.largest_body() {
            return Err(PageEditError::TooLong { length: len, limit: self.largest_body() });
        }
        if node.prefix_len > self.key_prefix().len() {
            return Err(PageEditError::BadNode { line, length: len });
        }
        let tag = line + self.reserved_tags();
        let compressed = node.prefix_len != 0;
        let flags =
            node.flags & !node_flags::COMPRESSED | if compressed { node_flags::COMPRESSED } else { 0 };
        let start = self.insert_body(tag, len, flags)?;
        let large = self.is_large();
        let Some(mut body) = self.bytes_mut().get_mut(start..start + len) else { return Ok(()) };
        let suffix_len = node.suffix[0].len() + node.suffix[1].len();
        let mut first = if large { u16::from(flags) << 13 } else { 0 };
        let mut put = |bytes: &[u8]| {
            if let Some((target, rest)) = std::mem::take(&mut body).split_at_mut_checked(bytes.len()) {
                target.copy_from_slice(bytes);
                body = rest;
            }
        };
        if compressed {
            put(&(node.prefix_len as u16 | first).to_le_bytes());
            first = 0;
        }
        put(&(suffix_len as u16 | first).to_le_bytes());
        put(node.suffix[0]);
        put(node.suffix[1]);
        put(node.data);
        Ok(())
    }

    /// Opens a tag at position `tag` with a body of `len` bytes of undefined content; returns where in the page it is.
    fn insert_body(&mut self, tag: usize, len: usize, flags: u8) -> Result<usize, PageEditError> {
        let count = self.tag_count();
        let free = self.free();
        if tag > count || self.used_end() > self.data_len() {
            return Err(PageEditError::HeaderField { field: "itagMicFree", found: count, limit: tag });
        }
        if len + TAG_LEN > free || count >= MAX_TAGS {
            return Err(PageEditError::NoSpace { needed: len + TAG_LEN, free });
        }
        if len + TAG_LEN > self.contiguous_free() {
            self.compact()?;
            if len + TAG_LEN > self.contiguous_free() {
                return Err(PageEditError::NoSpace { needed: len + TAG_LEN, free: self.contiguous_free() });
            }
        }
        let offset = self.used_end();
        // Tags with higher numbers lie in front of this one's place: they move down by one.
        let new_end = self.tag_position(count).ok_or(PageEditError::NoSpace { needed: len, free })?;
        let moved = (count - tag) * TAG_LEN;
        let old_start = new_end + TAG_LEN;
        if let Some(area) = self.bytes_mut().get_mut(new_end..old_start + moved) {
            area.copy_within(TAG_LEN.., 0);
        }
        self.set_tag_count(count + 1);
        self.write_tag(tag, Tag { offset, len, flags });
        self.set_used_end(offset + len);
        self.set_free(free - len - TAG_LEN);
        Ok(self.header_len() + offset)
    }

    /// Removes the node at `line`.
    ///
    /// # Errors
    /// [`PageEditError::LineOutOfRange`].
    #[doc(alias = "NDDelete")]
    pub fn delete(&mut self, line: usize) -> Result<(), PageEditError> {
        let count = self.line_count();
        if line >= count {
            return Err(PageEditError::LineOutOfRange { line, count });
        }
        self.delete_tag(line + self.reserved_tags())
    }

    fn delete_tag(&mut self, tag: usize) -> Result<(), PageEditError> {
        let count = self.tag_count();
        let removed = self.checked_tag(tag)?;
        let first = self.tag_position(count.saturating_sub(1)).unwrap_or(self.header_len());
        let moved = (count - tag - 1) * TAG_LEN;
        if let Some(area) = self.bytes_mut().get_mut(first..first + moved + TAG_LEN) {
            area.copy_within(..moved, TAG_LEN);
        }
        self.set_tag_count(count - 1);
        if removed.offset + removed.len == self.used_end() {
            self.set_used_end(removed.offset);
        }
        let reserved_empty =
            |page: &Self| (0..page.reserved_tags()).all(|t| page.raw_tag(t).is_none_or(|t| t.len == 0));
        if count - 1 <= self.reserved_tags() && reserved_empty(self) {
            self.set_used_end(0);
        }
        let free = self.free() + removed.len + TAG_LEN;
        self.set_free(free.min(self.data_len()));
        Ok(())
    }

    /// Removes lines `start..end`.
    ///
    /// # Errors
    /// [`PageEditError::LineOutOfRange`].
    pub fn delete_range(&mut self, start: usize, end: usize) -> Result<(), PageEditError> {
        let count = self.line_count();
        if end > count {
            return Err(PageEditError::LineOutOfRange { line: end, count });
        }
        for line in (start..end).rev() {
            self.delete(line)?;
        }
        Ok(())
    }

    /// Replaces the data of the node at `line`; key, prefix and flags stay.
    ///
    /// # Errors
    /// [`PageEditError::LineOutOfRange`], [`BadNode`](PageEditError::BadNode), [`NoSpace`](PageEditError::NoSpace).
    #[doc(alias = "ErrNDReplace")]
    pub fn replace_data(&mut self, line: usize, data: &[u8]) -> Result<(), PageEditError> {
        let node = self.node(line)?;
        let words = if node.flags & node_flags::COMPRESSED != 0 { 4 } else { 2 };
        let keep = words + node.suffix.len();
        let tag = line + self.reserved_tags();
        let start = self.resize_body(tag, keep + data.len(), keep)?;
        if let Some(target) = self.bytes_mut().get_mut(start + keep..start + keep + data.len()) {
            target.copy_from_slice(data);
        }
        Ok(())
    }

    /// Overwrites `bytes` of the data of the node at `line` in place, from `offset` on.
    ///
    /// # Errors
    /// [`PageEditError::BadNode`] when the data is shorter than that.
    pub fn overwrite_data(&mut self, line: usize, offset: usize, bytes: &[u8]) -> Result<(), PageEditError> {
        let node = self.node(line)?;
        let bad = PageEditError::BadNode { line, length: node.data.len() };
        if offset.checked_add(bytes.len()).is_none_or(|end| end > node.data.len()) {
            return Err(bad);
        }
        let data_len = node.data.len();
        let tag = self.checked_tag(line + self.reserved_tags())?;
        let start = self.header_len() + tag.offset + tag.len - data_len + offset;
        self.bytes_mut().get_mut(start..start + bytes.len()).ok_or(bad)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Sets the node flags `set` and clears `clear` at `line`.
    ///
    /// # Errors
    /// [`PageEditError::LineOutOfRange`].
    #[doc(alias = "NDSetVersion")]
    #[doc(alias = "NDResetFlagDelete")]
    pub fn change_node_flags(&mut self, line: usize, set: u8, clear: u8) -> Result<(), PageEditError> {
        let count = self.line_count();
        if line >= count {
            return Err(PageEditError::LineOutOfRange { line, count });
        }
        let index = line + self.reserved_tags();
        let tag = self.checked_tag(index)?;
        if self.is_large() {
            let at = self.header_len() + tag.offset + 1;
            if let Some(byte) = self.bytes_mut().get_mut(at) {
                let flags = (*byte >> 5 | set) & !clear;
                *byte = *byte & 0x1F | flags << 5;
            }
        } else {
            self.write_tag(index, Tag { flags: (tag.flags | set) & !clear, ..tag });
        }
        Ok(())
    }

    /// Replaces the external header (tag 0). Nodes that take key bytes from it keep taking them.
    ///
    /// # Errors
    /// [`PageEditError::PrefixInUse`] when a node needs more of it than remains, [`NoSpace`](PageEditError::NoSpace).
    #[doc(alias = "NDSetExternalHeader")]
    pub fn set_external_header(&mut self, header: &[u8]) -> Result<(), PageEditError> {
        if self.has_prefix() && header.len() < self.external_header().len() {
            let in_use = self.longest_prefix_in_use()?;
            if in_use > header.len() {
                return Err(PageEditError::PrefixInUse { length: header.len(), in_use });
            }
        }
        if header.len() > self.data_len() {
            return Err(PageEditError::TooLong { length: header.len(), limit: self.data_len() });
        }
        let start = self.resize_body(0, header.len(), 0)?;
        if let Some(target) = self.bytes_mut().get_mut(start..start + header.len()) {
            target.copy_from_slice(header);
        }
        Ok(())
    }

    fn longest_prefix_in_use(&self) -> Result<usize, PageEditError> {
        (0..self.line_count()).try_fold(0, |longest, line| Ok(self.node(line)?.prefix.len().max(longest)))
    }

    /// A tag whose body lies in the used part of the data area.
    pub(crate) fn checked_tag(&self, index: usize) -> Result<Tag, PageEditError> {
        let tag =
            self.raw_tag(index).ok_or(PageEditError::TagOutOfRange { tag: index, offset: 0, length: 0 })?;
        // The offset of an empty body means nothing: the engine leaves it as it was.
        let end = if tag.len == 0 { 0 } else { tag.offset + tag.len };
        if index >= self.tag_count() || end > self.used_end().min(self.data_len()) {
            return Err(PageEditError::TagOutOfRange { tag: index, offset: tag.offset, length: tag.len });
        }
        Ok(tag)
    }

    /// Gives a body another length and keeps its first `keep` bytes; returns where in the page it is now.
    fn resize_body(&mut self, index: usize, new_len: usize, keep: usize) -> Result<usize, PageEditError> {
        let tag = self.checked_tag(index)?;
        let (old_len, header_len, free) = (tag.len, self.header_len(), self.free());
        let last = tag.offset + old_len == self.used_end();
        if new_len <= old_len {
            self.write_tag(index, Tag { len: new_len, ..tag });
            if last {
                self.set_used_end(tag.offset + new_len);
            }
            self.set_free((free + old_len - new_len).min(self.data_len()));
            return Ok(header_len + tag.offset);
        }
        let growth = new_len - old_len;
        if growth > free {
            return Err(PageEditError::NoSpace { needed: growth, free });
        }
        if last && growth <= self.contiguous_free() {
            self.write_tag(index, Tag { len: new_len, ..tag });
            self.set_used_end(tag.offset + new_len);
            self.set_free(free - growth);
            return Ok(header_len + tag.offset);
        }
        let keep = keep.min(old_len);
        if new_len > self.contiguous_free() {
            // The body to be moved gives up its place first, so that compaction closes the gap.
            let kept = self
                .bytes()
                .get(header_len + tag.offset..header_len + tag.offset + keep)
                .unwrap_or(&[])
                .to_vec();
            self.write_tag(index, Tag { offset: 0, len: 0, flags: tag.flags });
            self.compact()?;
            let offset = self.used_end();
            self.write_tag(index, Tag { offset, len: new_len, flags: tag.flags });
            self.set_used_end(offset + new_len);
            self.set_free(free - growth);
            let start = header_len + offset;
            if let Some(target) = self.bytes_mut().get_mut(start..start + keep) {
                target.copy_from_slice(&kept);
            }
            return Ok(start);
        }
        let offset = self.used_end();
        let (from, to) = (header_len + tag.offset, header_len + offset);
        if keep != 0 && to + keep <= self.bytes().len() {
            self.bytes_mut().copy_within(from..from + keep, to);
        }
        self.write_tag(index, Tag { offset, len: new_len, flags: tag.flags });
        self.set_used_end(offset + new_len);
        self.set_free(free - growth);
        Ok(to)
    }

    /// Slides the bodies together, in the order in which they lie.
    #[doc(alias = "ReorganizePage")]
    pub(crate) fn compact(&mut self) -> Result<(), PageEditError> {
        let count = self.tag_count();
        let mut tags = Vec::with_capacity(count);
        for index in 0..count {
            tags.push((self.checked_tag(index)?, index));
        }
        tags.sort_unstable_by_key(|(tag, index)| (tag.offset, *index));
        let header_len = self.header_len();
        let mut end = 0;
        for (tag, index) in tags {
            // Bodies of a sound page do not overlap; of two that do, the second one starts below `end`.
            if tag.len == 0 {
                self.write_tag(index, Tag { offset: 0, ..tag });
                continue;
            }
            if tag.offset < end {
                return Err(PageEditError::TagOutOfRange { tag: index, offset: tag.offset, length: tag.len });
            }
            let from = header_len + tag.offset;
            self.bytes_mut().copy_within(from..from + tag.len, header_len + end);
            self.write_tag(index, Tag { offset: end, ..tag });
            end += tag.len;
        }
        self.set_used_end(end);
        Ok(())
    }

    /// Makes the page an emptied one, as a merge leaves it: no prefix, no nodes, the empty flag.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    #[doc(alias = "NDEmptyPage")]
    pub fn empty(&mut self) -> Result<(), PageEditError> {
        self.remove_all_nodes()?;
        // A root's external header is no prefix: it stays.
        if self.has_prefix() {
            self.set_external_header(&[])?;
            self.set_used_end(0);
        }
        let flags = self.flags() | page_flags::EMPTY;
        self.set_flags(flags);
        Ok(())
    }

    /// Removes every node.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    pub fn remove_all_nodes(&mut self) -> Result<(), PageEditError> {
        let reserved = self.reserved_tags();
        let mut removed = 0;
        let count = self.tag_count();
        let mut used_end = 0;
        for tag in 0..reserved.min(count) {
            let tag = self.checked_tag(tag)?;
            if tag.len != 0 {
                used_end = used_end.max(tag.offset + tag.len);
            }
        }
        for tag in reserved..count {
            removed += self.checked_tag(tag)?.len + TAG_LEN;
        }
        self.set_tag_count(count.min(reserved));
        self.set_used_end(used_end);
        let free = (self.free() + removed).min(self.data_len());
        self.set_free(free);
        Ok(())
    }

    /// Rewrites the page's nodes: `header` becomes the external header, `nodes` the lines, laid out in this order.
    /// The number of reserved tags, flags and links stay.
    ///
    /// # Errors
    /// [`PageEditError::NoSpace`] and others, as [`insert`](Self::insert); the page's content is undefined then.
    pub fn rebuild<'n>(
        &mut self,
        header: &[u8],
        nodes: impl IntoIterator<Item = NewNode<'n>>,
    ) -> Result<(), PageEditError> {
        self.remove_all_nodes()?;
        self.set_external_header(&[])?;
        if self.reserved_tags() == 1 {
            self.set_used_end(0);
        }
        self.set_external_header(header)?;
        for (line, node) in nodes.into_iter().enumerate() {
            self.insert(line, &node)?;
        }
        Ok(())
    }

    /// Overwrites the data of the node at `line` from `offset` on with one byte.
    ///
    /// # Errors
    /// As [`overwrite_data`](Self::overwrite_data).
    pub fn fill_data(&mut self, line: usize, offset: usize, fill: u8) -> Result<(), PageEditError> {
        let len = self.node(line)?.data.len().saturating_sub(offset);
        self.overwrite_data(line, offset, &vec![fill; len])
    }

    /// Slides the bodies together and overwrites the free space with one byte.
    ///
    /// # Errors
    /// [`PageEditError::TagOutOfRange`] when bodies overlap.
    #[doc(alias = "OverwriteUnusedSpace")]
    pub fn fill_free_space(&mut self, fill: u8) -> Result<(), PageEditError> {
        if self.contiguous_free() != self.free() {
            self.compact()?;
        }
        let start = self.header_len() + self.used_end();
        let end = start + self.contiguous_free();
        if let Some(gap) = self.bytes_mut().get_mut(start..end) {
            gap.fill(fill);
        }
        Ok(())
    }

    /// Number of reserved tags as stored; 0 is the old form that means 1.
    #[must_use]
    pub fn stored_reserved_tags(&self) -> u16 {
        read_u16(self.bytes(), super::image::OFFSET_TAG_STATE) >> 12 & 7
    }
}
