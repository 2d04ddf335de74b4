//! Where the children of a branch page are, laid out for searching.
//!
//! A search on a page looks at a tag and a node for each step, here and there in memory. Branch pages that many searches
//! pass get their separators' first bytes side by side, and the buffers where the children were last seen. They are made
//! again after each change of the page, once it has been passed often enough to be worth it; they take no more memory than
//! the page itself, and only branch pages have them: a page or so in a hundred.

use ese_format::{ObjectId, PageNumber};
use ese_log::record::DatabaseSlot;

use super::{FrameId, PageCache};
use crate::page_edit::{PageEditError, PageImage, Share, key_word, page_flags};

/// How often a page is passed before that, in parts of its lines.
const PASSES: usize = 4;

/// The separators and children of a branch page.
pub(super) struct Signs {
    /// What all separators begin with.
    common: Vec<u8>,
    /// The [`key_word`] of that.
    common_word: u64,
    /// The [`key_word`] of each separator behind that, in order.
    words: Vec<u64>,
    /// Words for each step from one separator to the next.
    pace: f64,
    children: Vec<Child>,
}

#[derive(Clone, Copy)]
struct Child {
    page: PageNumber,
    /// Number of the buffer; none at all for `NOWHERE`.
    frame: u32,
}

const NOWHERE: u32 = u32::MAX;

/// What [`PageCache::pass`] comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pass {
    /// The page is a leaf.
    Leaf,
    /// Further down.
    Child(Passage),
}

/// Where a search goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    /// The child page.
    pub(crate) page: PageNumber,
    /// Where the child was last seen.
    pub(crate) frame: FrameId,
    /// The line of the branch page that names it.
    pub(crate) line: usize,
    /// How far down the child's keys the bookmark may be expected.
    pub(crate) share: Option<Share>,
}

impl Signs {
    /// `None` for a page that is not as a branch page should be: whoever searches it finds out.
    fn new(image: &PageImage<&[u8]>) -> Option<Self> {
        let count = image.line_count();
        let separators = count.checked_sub(1)?;
        let mut common = Vec::new();
        if let Some(last) = separators.checked_sub(1) {
            let (first, last) = (image.node(0).ok()?.key(), image.node(last).ok()?.key());
            let shared = first.iter().zip(&last).take_while(|(a, b)| a == b).count();
            common.extend_from_slice(first.get(..shared)?);
        }
        let mut words = Vec::with_capacity(separators);
        let mut children = Vec::with_capacity(count);
        let mut key = Vec::new();
        for line in 0..count {
            let node = image.node(line).ok()?;
            children.push(Child { page: node.child()?, frame: NOWHERE });
            if line < separators {
                key.clear();
                node.push_key(&mut key);
                let word = key_word(key.strip_prefix(&common[..])?);
                if words.last().is_some_and(|&before| before > word) {
                    return None;
                }
                words.push(word);
            }
        }
        let steps = words.len().saturating_sub(1);
        let span = words.last().copied().unwrap_or(0) - words.first().copied().unwrap_or(0);
        let pace = if span == 0 { 0.0 } else { steps as f64 / span as f64 };
        Some(Self { common_word: key_word(&common), common, words, pace, children })
    }

    /// How many separators are not above `word`. Begins where it would be if all were as far apart.
    #[inline]
    fn not_above(&self, word: u64) -> usize {
        let words = &self.words[..];
        let Some(&first) = words.first() else { return 0 };
        let Some(ahead) = word.checked_sub(first) else { return 0 };
        let guess = ((ahead as f64 * self.pace) as usize).min(words.len() - 1);
        let (mut low, mut high, mut step) = (0, words.len(), 1);
        if words.get(guess).is_some_and(|&separator| separator <= word) {
            low = guess + 1;
            // In steps that double, until it is between two that were looked at.
            while low < high {
                let at = low - 1 + step;
                match words.get(at) {
                    Some(&separator) if separator <= word => low = at + 1,
                    _ => {
                        high = high.min(at);
                        break;
                    }
                }
                step *= 2;
            }
        } else {
            high = guess;
            while low < high {
                let at = high.saturating_sub(step);
                match words.get(at) {
                    Some(&separator) if separator > word => high = at,
                    _ => {
                        low = at + 1;
                        break;
                    }
                }
                step *= 2;
            }
        }
        low + words.get(low..high).map_or(0, |rest| rest.partition_point(|&separator| separator <= word))
    }

    /// The first and the last line that may be the one to follow.
    #[inline]
    fn lines(&self, bookmark: &[u8]) -> (usize, usize, u64) {
        let rest = match bookmark.get(self.common.len()..) {
            // Shifted by more bits than there are when nothing is common.
            Some(rest) if self.common.len() <= 8 => {
                let different = key_word(bookmark) ^ self.common_word;
                let shift = u64::BITS - 8 * self.common.len() as u32;
                (different.checked_shr(shift).unwrap_or(0) == 0).then_some(rest)
            }
            _ => bookmark.strip_prefix(&self.common[..]),
        };
        match rest {
            Some(rest) => {
                let word = key_word(rest);
                let high = self.not_above(word);
                let same = high.checked_sub(1).is_some_and(|before| self.words.get(before) == Some(&word));
                // Those with the same first bytes have to be looked at.
                let low = if same { self.words.partition_point(|&separator| separator < word) } else { high };
                (low, high, word)
            }
            None if bookmark < &self.common[..] => (0, 0, 0),
            None => (self.words.len(), self.words.len(), 0),
        }
    }

    #[inline]
    fn passage(&self, line: usize, word: u64) -> Option<Passage> {
        let child = self.children.get(line)?;
        let share = self.share(line, word);
        Some(Passage { page: child.page, frame: FrameId(child.frame as usize), line, share })
    }

    #[inline]
    fn share(&self, line: usize, word: u64) -> Option<Share> {
        let (low, high) = (*self.words.get(line.checked_sub(1)?)?, *self.words.get(line)?);
        let (before, whole) = (word.checked_sub(low)?, high.checked_sub(low)?);
        (before < whole).then_some(Share { before, whole })
    }
}

impl PageCache {
    /// The child of a branch page to follow for a bookmark. `None` when the page has no signs, or none yet.
    #[inline]
    pub(crate) fn follow(&mut self, id: FrameId, bookmark: &[u8]) -> Option<Result<Passage, PageEditError>> {
        let size = self.size;
        let frame = self.frames.get_mut(id.0)?;
        let signs = match &frame.signs {
            Some(signs) => signs,
            None => {
                frame.passes = frame.passes.saturating_add(1);
                let image = PageImage::of_frame(&frame.bytes[..], size);
                if usize::from(frame.passes) * PASSES < image.line_count() {
                    return None;
                }
                frame.passes = 0;
                frame.signs = Some(Box::new(Signs::new(&image)?));
                frame.signs.as_ref()?
            }
        };
        let (low, high, word) = signs.lines(bookmark);
        let line = if low == high {
            low
        } else {
            match PageImage::of_frame(&frame.bytes[..], size).seek_child_between(bookmark, low, high) {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            }
        };
        signs.passage(line, word).map(Ok)
    }

    /// Goes through a page that is in a known buffer, as it most often is: nothing has changed there since the last time.
    /// `None`, and nothing was done, when it is another page, or more has to be known: see [`follow`](Self::follow).
    #[inline]
    pub(crate) fn pass(
        &mut self,
        id: FrameId,
        slot: DatabaseSlot,
        page: PageNumber,
        object: ObjectId,
        bookmark: &[u8],
    ) -> Option<Pass> {
        let frame = self.frames.get_mut(id.0).filter(|f| f.used && f.page == page && f.slot == slot)?;
        let facts = &frame.facts;
        let in_vain = page_flags::EMPTY | page_flags::PRE_INIT;
        if facts.is_unknown() || facts.object != object || facts.flags & in_vain != 0 {
            return None;
        }
        let pass = if facts.flags & page_flags::LEAF != 0 {
            Pass::Leaf
        } else {
            let signs = frame.signs.as_ref()?;
            let (line, high, word) = signs.lines(bookmark);
            Pass::Child(signs.passage(line, word).filter(|_| line == high)?)
        };
        frame.operation = self.operation;
        frame.recent = true;
        self.hits += 1;
        crate::thread_counters::page_referenced();
        Some(pass)
    }

    /// Remembers the buffer of a child that [`follow`](Self::follow) led to.
    pub(crate) fn note_child(&mut self, id: FrameId, line: usize, child: FrameId) {
        let signs = self.frames.get_mut(id.0).and_then(|frame| frame.signs.as_mut());
        if let Some(place) = signs.and_then(|signs| signs.children.get_mut(line)) {
            place.frame = u32::try_from(child.0).unwrap_or(NOWHERE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use ese_format::{DbTime, LogPosition, ObjectId, PageSize};
    use ese_io::{MemoryStorage, OpenMode, OpenOptions, Storage};
    use ese_log::record::DatabaseSlot;
    use proptest::prelude::*;

    use super::*;
    use crate::page_edit::{NewNode, page_flags, usable_prefix};

    const SLOT: DatabaseSlot = DatabaseSlot(1);

    fn cache() -> PageCache {
        let storage = MemoryStorage::new();
        let mut cache = PageCache::new(PageSize::new(4096).unwrap(), 0);
        let options = OpenOptions::new(OpenMode::CreateNew);
        cache.attach(SLOT, storage.open(Path::new("/db"), options).unwrap()).unwrap();
        cache.begin_operation();
        cache
    }

    /// A branch page with these separators; line n leads to page 100 + n.
    fn branch(cache: &mut PageCache, separators: &BTreeSet<Vec<u8>>, prefix: &[u8]) -> FrameId {
        let frame = cache.create(SLOT, PageNumber(7)).unwrap();
        let mut page = cache.page_mut(frame, LogPosition::NONE);
        page.initialize(PageNumber(7), ObjectId(9), DbTime(100));
        page.consume(page_flags::PARENT_OF_LEAF);
        page.set_external_header(prefix).unwrap();
        for (line, key) in separators.iter().map(Vec::as_slice).chain([&b""[..]]).enumerate() {
            let child = (100 + line as u32).to_le_bytes();
            page.insert(line, &NewNode::compressed(key, usable_prefix(prefix, key), &child, 0)).unwrap();
        }
        frame
    }

    fn passage(cache: &mut PageCache, frame: FrameId, key: &[u8]) -> Passage {
        for _ in 0..1000 {
            if let Some(passage) = cache.follow(frame, key) {
                return passage.unwrap();
            }
        }
        panic!("the page gets no signs");
    }

    fn keys(count: std::ops::Range<usize>) -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
        let byte = prop::sample::select(vec![0_u8, 1, 0x7F, 0xFF]);
        prop::collection::btree_set(prop::collection::vec(byte, 1..14), count)
    }

    proptest! {
        #[test]
        fn signs_lead_where_the_page_leads(
            separators in keys(0..40),
            wanted in keys(1..40),
            beginning in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let begun = |keys: BTreeSet<Vec<u8>>| -> BTreeSet<_> {
                keys.into_iter().map(|key| [&beginning[..], &key].concat()).collect()
            };
            let (separators, inside) = (begun(separators), begun(wanted.clone()));
            let mut cache = cache();
            let prefix = separators.first().cloned().unwrap_or_default();
            let frame = branch(&mut cache, &separators, &prefix);
            for key in wanted.iter().chain(&inside).chain(&separators) {
                let passage = passage(&mut cache, frame, key);
                let line = separators.iter().take_while(|separator| *separator <= key).count();
                prop_assert_eq!((passage.line, passage.page.0), (line, 100 + line as u32));
                prop_assert_eq!(cache.page(frame).seek_child(key, b"").unwrap(), line);
                if let Some(share) = passage.share {
                    prop_assert!(share.before < share.whole);
                }
            }
        }
    }

    #[test]
    fn a_page_that_changes_loses_its_signs() {
        let mut cache = cache();
        let separators = (1..=30_u8).map(|i| vec![8 * i]).collect();
        let frame = branch(&mut cache, &separators, b"");
        assert!(cache.follow(frame, &[55]).is_none(), "one search is too few");
        assert_eq!(passage(&mut cache, frame, &[55]).page, PageNumber(106));
        let share = Share { before: 7 << 56, whole: 8 << 56 };
        assert_eq!(passage(&mut cache, frame, &[55]).share, Some(share));
        // The first child is between no two separators, nor is the last.
        assert_eq!(passage(&mut cache, frame, &[5]).share, None);
        assert_eq!(passage(&mut cache, frame, &[0xFF]).page, PageNumber(130));

        cache.page_mut(frame, LogPosition::NONE).insert(6, &NewNode::plain(&[54], &[9, 0, 0, 0], 0)).unwrap();
        assert!(cache.follow(frame, &[55]).is_none());
        assert_eq!(passage(&mut cache, frame, &[53]).page, PageNumber(9));
        assert_eq!(passage(&mut cache, frame, &[55]).page, PageNumber(106));

        let child = FrameId(3);
        cache.note_child(frame, 7, child);
        assert_eq!(passage(&mut cache, frame, &[55]).frame, child);
        cache.abandon(SLOT);
        assert!(cache.follow(frame, &[55]).is_none());
    }

    #[test]
    fn a_pass_counts_only_for_the_page_as_it_is() {
        let mut cache = cache();
        let separators = (1..=30_u8).map(|i| vec![8 * i]).collect();
        let frame = branch(&mut cache, &separators, b"");
        let (page, object) = (PageNumber(7), ObjectId(9));
        assert!(cache.pass(frame, SLOT, page, object, &[55]).is_none(), "nothing is known of it yet");
        let ready = |cache: &mut PageCache| {
            passage(cache, frame, &[55]);
            cache.page_with_facts(frame);
            match cache.pass(frame, SLOT, page, object, &[55]) {
                Some(Pass::Child(passage)) => passage.page,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(ready(&mut cache), PageNumber(106));
        for (frame, slot, page, object) in [
            (FrameId::NONE, SLOT, page, object),
            (frame, DatabaseSlot(2), page, object),
            (frame, SLOT, PageNumber(8), object),
            (frame, SLOT, page, ObjectId(10)),
        ] {
            assert!(cache.pass(frame, slot, page, object, &[55]).is_none());
        }
        // Each way in which a page may change.
        cache.page_mut(frame, LogPosition::NONE).insert(6, &NewNode::plain(&[54], &[9, 0, 0, 0], 0)).unwrap();
        assert!(cache.pass(frame, SLOT, page, object, &[53]).is_none());
        ready(&mut cache);
        cache.page_mut_quietly(frame);
        assert!(cache.pass(frame, SLOT, page, object, &[55]).is_none());
        ready(&mut cache);
        let flags = cache.page(frame).flags();
        cache.page_mut(frame, LogPosition::NONE).set_flags(flags | page_flags::EMPTY);
        passage(&mut cache, frame, &[55]);
        cache.page_with_facts(frame);
        assert!(cache.pass(frame, SLOT, page, object, &[55]).is_none(), "the page is empty");
        cache.page_mut(frame, LogPosition::NONE).set_flags(flags);
        ready(&mut cache);
        cache.abandon(SLOT);
        assert!(cache.pass(frame, SLOT, page, object, &[55]).is_none());
    }

    #[test]
    fn separators_that_are_no_even_steps_are_found() {
        for steps in [&[0, 0, 1, 2][..], &[5], &[], &[7; 9], &[0, 1, u64::MAX - 1, u64::MAX]] {
            let words: Vec<u64> = (steps.iter().copied()).chain((3..40).map(|bit| 1 << bit)).collect();
            let mut words: Vec<u64> = if steps.len() > 1 { words } else { steps.to_vec() };
            words.sort_unstable();
            let span = words.last().copied().unwrap_or(0) - words.first().copied().unwrap_or(0);
            for pace in [0.0, 1e-300, words.len() as f64 / span.max(1) as f64, 1.0, f64::INFINITY] {
                let signs =
                    Signs { common: vec![], common_word: 0, words: words.clone(), pace, children: vec![] };
                for &word in &words {
                    for wanted in [word.saturating_sub(1), word, word.saturating_add(1)] {
                        let expected = words.partition_point(|&w| w <= wanted);
                        assert_eq!(signs.not_above(wanted), expected, "{words:?} {wanted} {pace}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_page_out_of_order_gets_none() {
        let mut cache = cache();
        let frame = branch(&mut cache, &(1..=30_u8).map(|i| vec![8 * i]).collect(), b"");
        let mut page = cache.page_mut(frame, LogPosition::NONE);
        page.delete(3).unwrap();
        page.insert(20, &NewNode::plain(&[1], &[9, 0, 0, 0], 0)).unwrap();
        assert!((0..100).all(|_| cache.follow(frame, &[55]).is_none()));
    }
}
