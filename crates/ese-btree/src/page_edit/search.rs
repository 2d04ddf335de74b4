//! Finding a key on a page.

use std::cmp::Ordering;
use std::hint::black_box;

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
    /// The [`key_word`] of the prefix.
    prefix_word: u64,
    pub(crate) object: ObjectId,
    pub(crate) flags: u32,
    /// As stored.
    tag_state: u16,
    /// Where the first line's node is, behind the header; nodes lie in order behind it, so many eighths of a byte apart.
    /// A guess, by which memory is asked for early; 0 and 0 for none.
    first_node: u16,
    node_pitch: u16,
    /// Length of the prefix: longer ones are on the page only.
    prefix_len: u8,
    /// The byte behind the first eight.
    prefix_ninth: u8,
}

impl PageFacts {
    /// Longest prefix that is known whole.
    const PREFIX_LEN: usize = 9;
    const UNKNOWN_LEN: u8 = 0xFF;
    /// Nothing is known.
    pub(crate) const UNKNOWN: Self = Self {
        time: DbTime::INVALID,
        prefix_word: 0,
        object: ObjectId(0),
        flags: 0,
        tag_state: 0,
        first_node: 0,
        node_pitch: 0,
        prefix_len: Self::UNKNOWN_LEN,
        prefix_ninth: 0,
    };

    #[inline]
    pub(crate) const fn is_unknown(&self) -> bool {
        self.prefix_len == Self::UNKNOWN_LEN
    }

    /// How many bytes a key shares with the page's prefix, and what a node that takes more of the prefix is, compared with
    /// the key.
    #[inline]
    fn share_of(&self, page: &PageImage<impl AsRef<[u8]>>, key: &[u8]) -> (usize, Ordering) {
        let len = usize::from(self.prefix_len);
        if len > Self::PREFIX_LEN {
            return share(page.key_prefix(), key);
        }
        let word = key_word(key);
        let different = self.prefix_word ^ word;
        let common = (different.leading_zeros() / 8) as usize;
        let most = len.min(key.len());
        if common < 8.min(most) {
            return (common, self.prefix_word.cmp(&word));
        }
        match key.get(8) {
            Some(ninth) if len == Self::PREFIX_LEN && *ninth != self.prefix_ninth => {
                (8, self.prefix_ninth.cmp(ninth))
            }
            // The key ends where the prefix goes on, or all of the prefix is shared.
            _ => (most, Ordering::Greater),
        }
    }

    /// Where the node at a line may be, behind the header.
    #[inline]
    fn guess(&self, line: usize) -> usize {
        usize::from(self.first_node) + (line * usize::from(self.node_pitch)) / 8
    }
}

/// As [`PageFacts::share_of`], for any prefix.
#[cold]
fn share(prefix: &[u8], key: &[u8]) -> (usize, Ordering) {
    let common = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
    match (prefix.get(common), key.get(common)) {
        (Some(a), Some(b)) => (common, a.cmp(b)),
        _ => (common, Ordering::Greater),
    }
}

/// The first eight bytes of a key as a number, zeros behind a shorter one: different numbers are in the order of their keys.
#[inline]
pub(crate) fn key_word(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(word) => u64::from_be_bytes(*word),
        None => short_word(key),
    }
}

/// [`key_word`] of fewer bytes, without a loop.
#[inline]
fn short_word(key: &[u8]) -> u64 {
    if let Some(four) = key.first_chunk::<4>() {
        let tail = key.last_chunk::<4>().map_or(0, |tail| u64::from(u32::from_be_bytes(*tail)));
        // Both overlap where the key has less than eight bytes.
        return u64::from(u32::from_be_bytes(*four)) << 32 | tail << (64 - 8 * key.len());
    }
    match *key {
        [] => 0,
        [a] => u64::from(a) << 56,
        [a, b] => u64::from(a) << 56 | u64::from(b) << 48,
        [a, b, c, ..] => u64::from(a) << 56 | u64::from(b) << 48 | u64::from(c) << 40,
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
    #[inline]
    pub(crate) fn seek_by(
        &self,
        facts: &PageFacts,
        key: &[u8],
        data: &[u8],
        share: Option<Share>,
    ) -> Result<(usize, bool), PageEditError> {
        let (line, node) = self.locate(facts, key, data, share)?;
        Ok((line, node.is_some()))
    }

    /// As [`seek_by`](Self::seek_by), with flags and data of the node that is equal.
    pub(crate) fn locate<'s>(
        &'s self,
        facts: &'s PageFacts,
        key: &'s [u8],
        data: &[u8],
        share: Option<Share>,
    ) -> Result<Located<'s>, PageEditError> {
        let unique = facts.flags & page_flags::NON_UNIQUE_KEYS == 0;
        let search = self.search(facts, key);
        let compare = |line: usize| {
            let (order, node) = search.compare(line)?;
            let order = if order.is_eq() && !unique { node.data.cmp(data) } else { order };
            Ok((order, node))
        };
        let (mut low, mut high) = (0, search.line_count());
        if let Some(share) = share
            && high > 0
        {
            // In steps that double, until the line is between two that were looked at.
            let mut line = share.line(high).min(high - 1);
            search.ask_for(facts, line);
            let mut step = 1;
            match compare(line)? {
                (Ordering::Equal, node) => return Ok((line, Some(node))),
                (Ordering::Less, _) => {
                    low = line + 1;
                    while low < high {
                        line = (line + step).min(high - 1);
                        step *= 2;
                        match compare(line)? {
                            (Ordering::Equal, node) => return Ok((line, Some(node))),
                            (Ordering::Less, _) => low = line + 1,
                            (Ordering::Greater, _) => {
                                high = line;
                                break;
                            }
                        }
                    }
                }
                (Ordering::Greater, _) => {
                    high = line;
                    while low < high {
                        line = line.saturating_sub(step);
                        step *= 2;
                        match compare(line)? {
                            (Ordering::Equal, node) => return Ok((line, Some(node))),
                            (Ordering::Greater, _) => high = line,
                            (Ordering::Less, _) => {
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
                (Ordering::Less, _) => low = middle + 1,
                (Ordering::Equal, node) => return Ok((middle, Some(node))),
                (Ordering::Greater, _) => high = middle,
            }
        }
        Ok((low, None))
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
        let prefix = self.key_prefix();
        let (first_node, node_pitch) = self.node_places();
        PageFacts {
            time: self.db_time(),
            prefix_word: key_word(prefix),
            object: self.object(),
            flags: self.flags(),
            tag_state: read_u16(self.bytes(), OFFSET_TAG_STATE),
            first_node,
            node_pitch,
            prefix_len: prefix.len().min(usize::from(PageFacts::UNKNOWN_LEN) - 1) as u8,
            prefix_ninth: prefix.get(8).copied().unwrap_or_default(),
        }
    }

    /// Where nodes are, if they lie in order and about as far apart as the first and the last of them say.
    fn node_places(&self) -> (u16, u16) {
        let (count, reserved) = (self.line_count(), self.reserved_tags());
        let place = |line: usize| self.raw_tag(reserved + line).map_or(0, |tag| tag.offset);
        let Some(last) = count.checked_sub(1).filter(|&last| last > 0) else { return (0, 0) };
        let first = place(0);
        let pitch = 8 * place(last).saturating_sub(first) / last;
        let middle = place(last / 2).abs_diff(first + pitch * (last / 2) / 8);
        match (u16::try_from(first), u16::try_from(pitch)) {
            (Ok(first), Ok(pitch)) if middle < 64 => (first, pitch),
            _ => (0, 0),
        }
    }

    /// Prepares for comparing the nodes of this page with a key.
    #[inline]
    fn search<'s>(&'s self, facts: &PageFacts, key: &'s [u8]) -> Search<'s> {
        let (common, beyond) = facts.share_of(self, key);
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

/// A line, and flags and data of the node there when it is the one that was sought.
pub(crate) type Located<'a> = (usize, Option<LocatedNode<'a>>);

/// What is known of a node that was compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocatedNode<'a> {
    pub(crate) flags: u8,
    pub(crate) data: &'a [u8],
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

impl<'a> Search<'a> {
    const fn line_count(&self) -> usize {
        self.tags.len()
    }

    /// Asks memory for the node that a line may have, beside the tag that says where it is: a page that was not looked at
    /// for a while takes one wait instead of two.
    #[inline]
    fn ask_for(&self, facts: &PageFacts, line: usize) {
        if facts.node_pitch == 0 {
            return;
        }
        let at = facts.guess(line);
        let line_of_memory = |at: usize| self.area.get(at).copied();
        black_box((line_of_memory(at), line_of_memory(at + 64)));
    }

    /// Compares the key of the node at `line`, which the page has, with the key.
    #[inline]
    fn compare(&self, line: usize) -> Result<(Ordering, LocatedNode<'a>), PageEditError> {
        self.parts(line).ok_or(PageEditError::BadNode { line, length: 0 })
    }

    #[inline]
    fn parts(&self, line: usize) -> Option<(Ordering, LocatedNode<'a>)> {
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
        let node = LocatedNode { flags, data };
        if prefix_len > self.common {
            return Some((self.beyond, node));
        }
        let key = self.key.get(prefix_len..)?;
        let word = if prefix_len == self.common { self.word } else { key_word(key) };
        // What is behind the suffix on the page is shifted out.
        let found = match rest.first_chunk::<8>() {
            Some(_) if suffix_len == 0 => 0,
            Some(found) => u64::from_be_bytes(*found) & u64::MAX << (64 - 8 * suffix_len.min(8)),
            None => key_word(suffix),
        };
        if found != word {
            return Some((found.cmp(&word), node));
        }
        if suffix_len <= 8 && key.len() <= 8 {
            // One goes on with zeros where the other ends, or they are equal.
            return Some((suffix_len.cmp(&key.len()), node));
        }
        Some((suffix.cmp(key), node))
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

    proptest! {
        #[test]
        fn a_word_is_the_key_with_zeros_behind(key in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut padded = key.clone();
            padded.resize(8.max(key.len()), 0);
            prop_assert_eq!(key_word(&key), u64::from_be_bytes(*padded.first_chunk().unwrap()));
        }

        #[test]
        fn keys_share_with_the_prefix_what_they_share(prefix in keys(), wanted in keys()) {
            for prefix in &prefix {
                let page = page(4096, page_flags::LEAF, prefix);
                for key in wanted.iter().chain([&prefix[..prefix.len() - 1].to_vec(), &vec![]]) {
                    let (common, beyond) = page.facts().share_of(&page, key);
                    let (expected, order) = share(prefix, key);
                    prop_assert_eq!(common, expected, "{:?} {:?}", prefix, key);
                    // Nobody asks for the order where all of the prefix is shared.
                    prop_assert!(beyond == order || common == prefix.len());
                }
            }
        }
    }

    /// Nodes are asked for early where they lie in order; wherever they lie, the right one is found.
    #[test]
    fn nodes_are_guessed_where_they_are_in_order() {
        let mut page = page(8192, page_flags::LEAF, b"");
        let key = |line: usize| (line as u32).to_be_bytes();
        for line in 0..60 {
            page.insert(line, &NewNode::plain(&key(line), &[7; 100], 0)).unwrap();
        }
        let facts = page.facts();
        for line in 0..60 {
            let place = page.raw_tag(1 + line).unwrap().offset;
            assert!(facts.guess(line).abs_diff(place) < 8, "line {line}");
        }
        let found = |page: &PageImage<Vec<u8>>| {
            let share = |line: usize| Some(Share { before: line as u64, whole: 60 });
            (0..60).all(|line| page.seek_near(&key(line), b"", share(line)) == Ok((line, true)))
        };
        assert!(found(&page));
        // The other way round there is no order to go by.
        let mut page = self::page(8192, page_flags::LEAF, b"");
        for line in (0..60).rev() {
            page.insert(0, &NewNode::plain(&key(line), &[7; 100], 0)).unwrap();
        }
        assert_eq!((page.facts().first_node, page.facts().node_pitch), (0, 0));
        assert!(found(&page));
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
