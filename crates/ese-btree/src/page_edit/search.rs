//! Finding a key on a page.

use std::cmp::Ordering;

use ese_format::{DbTime, ObjectId};

use super::PageEditError;
use super::flags::{node_flags, page_flags};
use super::image::{MAX_TAGS, OFFSET_TAG_STATE, PageImage, TAG_LEN, decode_tag, read_u16};

/// Where on a page a key may be expected: so many parts of the whole lie before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) before: u64,
    pub(crate) whole: u64,
}

impl Share {
    /// The line of `count` that is so far down a page.
    fn line(self, count: usize) -> usize {
        // The quotient needs no more than the upper bits of both.
        let shift = (u64::BITS - self.whole.leading_zeros()).saturating_sub(32);
        let (before, whole) = (self.before >> shift, (self.whole >> shift).max(1));
        // Both have 32 bits, and no page has 2^16 lines.
        (before * count as u64 / whole) as usize
    }
}

/// What a search needs to know of a page before it looks at nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageFacts {
    pub(crate) time: DbTime,
    pub(crate) object: ObjectId,
    pub(crate) flags: u32,
    /// As stored.
    tag_state: u16,
    /// Length of the prefix: longer ones are on the page only.
    prefix_len: u8,
    prefix: [u8; PageFacts::PREFIX_LEN],
}

impl PageFacts {
    const PREFIX_LEN: usize = 9;
    const UNKNOWN_LEN: u8 = 0xFF;
    /// Nothing is known.
    pub(crate) const UNKNOWN: Self = Self {
        time: DbTime::INVALID,
        object: ObjectId(0),
        flags: 0,
        tag_state: 0,
        prefix_len: Self::UNKNOWN_LEN,
        prefix: [0; Self::PREFIX_LEN],
    };

    #[inline]
    pub(crate) const fn is_unknown(&self) -> bool {
        self.prefix_len == Self::UNKNOWN_LEN
    }

    #[inline]
    fn prefix<'a>(&'a self, page: &'a PageImage<impl AsRef<[u8]>>) -> &'a [u8] {
        match self.prefix.get(..usize::from(self.prefix_len)) {
            Some(prefix) => prefix,
            None => page.key_prefix(),
        }
    }
}

/// The first eight bytes of a key as a number, zeros behind a shorter one: different numbers are in the order of their keys.
#[inline]
pub(crate) fn key_word(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(word) => u64::from_be_bytes(*word),
        None => key.iter().rev().fold(0, |word, &byte| word >> 8 | u64::from(byte) << 56),
    }
}

impl<B: AsRef<[u8]>> PageImage<B> {
    /// First line whose bookmark is not below the given one, and whether it is equal.
    ///
    /// # Errors
    /// As [`node`](Self::node).
    #[inline]
    pub fn seek(&self, key: &[u8], data: &[u8]) -> Result<(usize, bool), PageEditError> {
        self.seek_near(key, data, None)
    }

    /// As [`seek`](Self::seek), beginning where the key is expected: each look at another line is a look at another part of
    /// memory.
    ///
    /// # Errors
    /// As [`node`](Self::node).
    pub(crate) fn seek_near(
        &self,
        key: &[u8],
        data: &[u8],
        share: Option<Share>,
    ) -> Result<(usize, bool), PageEditError> {
        self.seek_by(&self.facts(), key, data, share)
    }

    /// As [`seek_near`](Self::seek_near), for a page of which these are the facts.
    pub(crate) fn seek_by(
        &self,
        facts: &PageFacts,
        key: &[u8],
        data: &[u8],
        share: Option<Share>,
    ) -> Result<(usize, bool), PageEditError> {
        let unique = facts.flags & page_flags::NON_UNIQUE_KEYS == 0;
        let search = self.search(facts, key);
        let compare = |line: usize| {
            let (order, node_data) = search.compare(line)?;
            Ok(if order.is_eq() && !unique { node_data.cmp(data) } else { order })
        };
        let (mut low, mut high) = (0, search.line_count());
        if let Some(share) = share
            && high > 0
        {
            // In steps that double, until the line is between two that were looked at.
            let mut line = share.line(high).min(high - 1);
            let mut step = 1;
            match compare(line)? {
                Ordering::Equal => return Ok((line, true)),
                Ordering::Less => {
                    low = line + 1;
                    while low < high {
                        line = (line + step).min(high - 1);
                        step *= 2;
                        match compare(line)? {
                            Ordering::Equal => return Ok((line, true)),
                            Ordering::Less => low = line + 1,
                            Ordering::Greater => {
                                high = line;
                                break;
                            }
                        }
                    }
                }
                Ordering::Greater => {
                    high = line;
                    while low < high {
                        line = line.saturating_sub(step);
                        step *= 2;
                        match compare(line)? {
                            Ordering::Equal => return Ok((line, true)),
                            Ordering::Greater => high = line,
                            Ordering::Less => {
                                low = line + 1;
                                break;
                            }
                        }
                    }
                }
            }
        }
        while low < high {
            let middle = low.midpoint(high);
            match compare(middle)? {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Ok((middle, true)),
                Ordering::Greater => high = middle,
            }
        }
        Ok((low, false))
    }

    /// On a branch page: the line in front of which a new separator belongs. The last line's key counts as greater
    /// than everything.
    ///
    /// # Errors
    /// As [`node`](Self::node).
    pub fn seek_separator(&self, key: &[u8]) -> Result<usize, PageEditError> {
        let (mut low, mut high) = (0, self.line_count().saturating_sub(1));
        while low < high {
            let middle = low.midpoint(high);
            if self.node(middle)?.compare_key(key).is_lt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// On a branch page: the line to follow for a bookmark, the first one whose key is greater. The empty key of the
    /// last line is greater than everything.
    ///
    /// # Errors
    /// As [`node`](Self::node).
    #[inline]
    pub fn seek_child(&self, key: &[u8], data: &[u8]) -> Result<usize, PageEditError> {
        // A separator of a tree with non-unique keys may reach into the data part.
        let bookmark;
        let key = if data.is_empty() {
            key
        } else {
            bookmark = [key, data].concat();
            &bookmark[..]
        };
        self.seek_child_between(key, 0, self.line_count().saturating_sub(1))
    }

    /// As [`seek_child`](Self::seek_child), for a whole bookmark, when it is known to be line `low`, `high` or one between.
    pub(crate) fn seek_child_between(
        &self,
        bookmark: &[u8],
        mut low: usize,
        mut high: usize,
    ) -> Result<usize, PageEditError> {
        let facts = self.facts();
        let search = self.search(&facts, bookmark);
        while low < high {
            let middle = low.midpoint(high);
            if search.compare(middle)?.0.is_gt() {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    /// What searches need to know of the page.
    pub(crate) fn facts(&self) -> PageFacts {
        let page_prefix = self.key_prefix();
        let mut prefix = [0; PageFacts::PREFIX_LEN];
        if let Some(start) = prefix.get_mut(..page_prefix.len()) {
            start.copy_from_slice(page_prefix);
        }
        PageFacts {
            time: self.db_time(),
            object: self.object(),
            flags: self.flags(),
            tag_state: read_u16(self.bytes(), OFFSET_TAG_STATE),
            prefix_len: page_prefix.len().min(usize::from(PageFacts::UNKNOWN_LEN) - 1) as u8,
            prefix,
        }
    }

    /// Flags and data of the node at a line, for a page of which these are the facts.
    #[inline]
    pub(crate) fn data_by<'s>(
        &'s self,
        facts: &'s PageFacts,
        line: usize,
    ) -> Result<(u8, &'s [u8]), PageEditError> {
        let search = self.search(facts, &[]);
        search
            .node(line)
            .map(|node| (node.flags, node.data))
            .ok_or(PageEditError::BadNode { line, length: 0 })
    }

    /// Prepares for comparing the nodes of this page with a key.
    #[inline]
    fn search<'s>(&'s self, facts: &'s PageFacts, key: &'s [u8]) -> Search<'s> {
        let prefix = facts.prefix(self);
        let (mut common, mut beyond) = (prefix.len(), Ordering::Greater);
        if !key.starts_with(prefix) {
            common = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
            if let (Some(a), Some(b)) = (prefix.get(common), key.get(common)) {
                beyond = a.cmp(b);
            }
        }
        let bytes = self.bytes();
        let header_len = self.header_len();
        let state = usize::from(facts.tag_state);
        let tags = (state & MAX_TAGS).min((bytes.len().saturating_sub(header_len)) / TAG_LEN);
        let lines = tags.saturating_sub((state >> 12 & 7).max(1));
        let area = bytes.get(header_len..).unwrap_or_default();
        // Backwards from the end of the page: the last line's tag comes first.
        let tags = area.get(area.len().saturating_sub(tags * TAG_LEN)..).unwrap_or_default();
        let tags = tags.as_chunks::<TAG_LEN>().0.get(..lines).unwrap_or_default();
        let word = key.get(common..).map_or(0, key_word);
        Search { area, tags, large: self.is_large(), key, common, beyond, word }
    }
}

/// Comparing the nodes of one page with one key: what is the same for all of them is found out once.
struct Search<'a> {
    /// The page behind its header.
    area: &'a [u8],
    /// The lines' tags, the last one first.
    tags: &'a [[u8; TAG_LEN]],
    large: bool,
    key: &'a [u8],
    /// Bytes that the key shares with the page's prefix.
    common: usize,
    /// What a node that takes more of the prefix than the key shares is, compared with the key.
    beyond: Ordering,
    /// The [`key_word`] of what is behind the shared bytes.
    word: u64,
}

/// A node as it is on its page.
struct StoredNode<'a> {
    flags: u8,
    /// Bytes of the key that are in the page's prefix.
    prefix_len: usize,
    /// Where the suffix is, behind the page's header.
    suffix_at: usize,
    suffix: &'a [u8],
    data: &'a [u8],
}

impl<'a> Search<'a> {
    const fn line_count(&self) -> usize {
        self.tags.len()
    }

    /// Compares the key of the node at `line`, which the page has, with the key; the node's data.
    #[inline]
    fn compare(&self, line: usize) -> Result<(Ordering, &'a [u8]), PageEditError> {
        self.parts(line).ok_or(PageEditError::BadNode { line, length: 0 })
    }

    /// The node at a line, with the suffix of its key.
    #[inline]
    fn node(&self, line: usize) -> Option<StoredNode<'a>> {
        let tag = decode_tag(*self.tags.get(self.tags.len().wrapping_sub(line + 1))?, self.large);
        let end = tag.offset + tag.len;
        let body = self.area.get(tag.offset..end)?;
        let (&[first, second], mut rest) = body.split_first_chunk::<2>()?;
        let flags = if self.large { second >> 5 } else { tag.flags };
        let mut suffix_len = usize::from(u16::from_le_bytes([first, second]) & 0x1FFF);
        let mut prefix_len = 0;
        if flags & node_flags::COMPRESSED != 0 {
            prefix_len = suffix_len;
            let (len, tail) = rest.split_first_chunk::<2>()?;
            suffix_len = usize::from(u16::from_le_bytes(*len) & 0x1FFF);
            rest = tail;
        }
        let (suffix, data) = rest.split_at_checked(suffix_len)?;
        Some(StoredNode { flags, prefix_len, suffix_at: end - rest.len(), suffix, data })
    }

    #[inline]
    fn parts(&self, line: usize) -> Option<(Ordering, &'a [u8])> {
        let StoredNode { prefix_len, suffix_at, suffix, data, .. } = self.node(line)?;
        let suffix_len = suffix.len();
        if prefix_len > self.common {
            return Some((self.beyond, data));
        }
        let key = self.key.get(prefix_len..)?;
        let word = if prefix_len == self.common { self.word } else { key_word(key) };
        // What is behind the suffix on the page is shifted out.
        let found = match self.area.get(suffix_at..).and_then(|bytes| bytes.first_chunk::<8>()) {
            Some(_) if suffix_len == 0 => 0,
            Some(found) => u64::from_be_bytes(*found) & u64::MAX << (64 - 8 * suffix_len.min(8)),
            None => key_word(suffix),
        };
        if found != word {
            return Some((found.cmp(&word), data));
        }
        Some((suffix.cmp(key), data))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ese_format::{DbTime, ObjectId, PageNumber, PageSize};
    use proptest::prelude::*;

    use super::*;
    use crate::page_edit::{NewNode, page_flags, usable_prefix};

    /// Few different bytes, so that keys share beginnings, are beginnings of others, and end in zeros.
    fn keys() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
        let byte = prop::sample::select(vec![0_u8, 1, 0x7F, 0xFF]);
        prop::collection::btree_set(prop::collection::vec(byte, 1..14), 1..40)
    }

    fn page(size: u32, flags: u32, prefix: &[u8]) -> PageImage<Vec<u8>> {
        let size = PageSize::new(size).unwrap();
        let mut page = PageImage::new(vec![0x55; size.len()], size).unwrap();
        page.initialize(PageNumber(7), ObjectId(9), DbTime(100));
        page.consume(flags);
        page.set_external_header(prefix).unwrap();
        page
    }

    proptest! {
        #[test]
        fn searches_find_what_looking_at_every_line_finds(
            size in prop::sample::select(vec![4096_u32, 32768]),
            keys in keys(),
            wanted in keys(),
            prefix in 0..40_usize,
            share in (0..100_u64, 1..100_u64),
            wide in any::<bool>(),
        ) {
            let prefix = keys.iter().nth(prefix % keys.len()).unwrap();
            let mut page = page(size, page_flags::LEAF, prefix);
            for (line, key) in keys.iter().enumerate() {
                let shared = usable_prefix(prefix, key);
                page.insert(line, &NewNode::compressed(key, shared, b"d", 0)).unwrap();
            }
            let scale = if wide { u64::MAX / 100 } else { 1 };
            let share = Share { before: share.0.min(share.1 - 1) * scale, whole: share.1 * scale };
            for key in wanted.iter().chain(&keys) {
                let line = keys.iter().position(|k| k >= key).unwrap_or(keys.len());
                let expected = (line, keys.contains(key));
                prop_assert_eq!(page.seek(key, b"").unwrap(), expected);
                prop_assert_eq!(page.seek_near(key, b"", Some(share)).unwrap(), expected);
            }
        }

        #[test]
        fn equal_keys_are_told_apart_by_data(data in keys(), wanted in keys(), before in 0..50_u64) {
            let mut page = page(4096, page_flags::LEAF | page_flags::NON_UNIQUE_KEYS, b"ke");
            for (line, data) in data.iter().enumerate() {
                page.insert(line, &NewNode::compressed(b"key", 2, data, 0)).unwrap();
            }
            for wanted in wanted.iter().chain(&data) {
                let line = data.iter().position(|d| d >= wanted).unwrap_or(data.len());
                let expected = (line, data.contains(wanted));
                prop_assert_eq!(page.seek(b"key", wanted).unwrap(), expected);
                let share = Some(Share { before, whole: 50 });
                prop_assert_eq!(page.seek_near(b"key", wanted, share).unwrap(), expected);
            }
        }
    }

    #[test]
    fn words_are_in_the_order_of_keys() {
        assert_eq!(key_word(b"\x01\x02"), 0x0102_0000_0000_0000);
        assert_eq!(key_word(b"12345678"), key_word(b"123456789"));
        assert!(key_word(b"a") < key_word(b"a\x01"));
        assert_eq!(key_word(b"a"), key_word(b"a\0"));
    }

    #[test]
    fn a_key_is_expected_where_its_share_is() {
        let whole = u64::MAX / 3;
        assert_eq!(Share { before: 0, whole }.line(65), 0);
        assert_eq!(Share { before: whole / 2, whole }.line(65), 32);
        assert_eq!(Share { before: 64, whole: 65 }.line(65), 64);
    }

    #[test]
    fn a_damaged_node_is_refused() {
        let mut page = page(4096, page_flags::LEAF, b"");
        page.insert(0, &NewNode::plain(b"key", b"data", 0)).unwrap();
        // A body that reaches beyond the page.
        page.bytes_mut()[4096 - 8..4096 - 4].copy_from_slice(&[0xFF, 0x1F, 0, 0]);
        assert_eq!(page.seek(b"k", b"").unwrap_err(), PageEditError::BadNode { line: 0, length: 0 });
    }
}
