//! Keys to search with: made segment by segment by the application, with limits that stored keys do not have.

use super::segment::whole_number;
use super::{KeyError, KeyRules, SegmentKind, encode_segment};
use crate::{ColumnKind, JetError};

bitflags::bitflags! {
    /// Options of one segment of a search key. Unknown bits are kept.
    #[doc(alias = "JET_GRBIT")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct KeyFlags: u32 {
        /// The first segment of a new key.
        #[doc(alias = "JET_bitNewKey")]
        const NEW_KEY = 0x1;
        /// Everything that begins with the key so far: what is left of the key is filled up.
        #[doc(alias = "JET_bitStrLimit")]
        const STRING_LIMIT = 0x2;
        /// All text that begins with this text.
        #[doc(alias = "JET_bitSubStrLimit")]
        const SUBSTRING_LIMIT = 0x4;
        /// The data is a whole key as the index stores it.
        #[doc(alias = "JET_bitNormalizedKey")]
        const NORMALIZED_KEY = 0x8;
        /// Data without bytes means a value without bytes, not null.
        #[doc(alias = "JET_bitKeyDataZeroLength")]
        const ZERO_LENGTH_DATA = 0x10;
        /// Begin of the range of all keys with these segments.
        #[doc(alias = "JET_bitFullColumnStartLimit")]
        const FULL_COLUMN_START_LIMIT = 0x100;
        /// End of the range of all keys with these segments.
        #[doc(alias = "JET_bitFullColumnEndLimit")]
        const FULL_COLUMN_END_LIMIT = 0x200;
        /// Begin of the range of all keys whose segment begins with this value.
        #[doc(alias = "JET_bitPartialColumnStartLimit")]
        const PARTIAL_COLUMN_START_LIMIT = 0x400;
        /// End of the range of all keys whose segment begins with this value.
        #[doc(alias = "JET_bitPartialColumnEndLimit")]
        const PARTIAL_COLUMN_END_LIMIT = 0x800;
    }
}

const COLUMN_LIMITS: KeyFlags = KeyFlags::FULL_COLUMN_START_LIMIT
    .union(KeyFlags::FULL_COLUMN_END_LIMIT)
    .union(KeyFlags::PARTIAL_COLUMN_START_LIMIT)
    .union(KeyFlags::PARTIAL_COLUMN_END_LIMIT);

/// Behind every other byte.
const SENTINEL: u8 = 0xFF;
/// Between the sections of a sort key.
const SORT_KEY_SEPARATOR: u8 = 1;

/// Why a search key cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchKeyError {
    /// The value cannot be normalised.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Every segment is there already, or a limit has ended the key.
    #[error("the search key is complete")]
    Complete,
    /// A further segment without a first.
    #[error("no search key was begun")]
    NotBegun,
    /// Options that exclude each other, or do not fit the column.
    #[error("options {flags:#x} cannot be used for this segment")]
    Flags {
        /// The bits.
        flags: u32,
    },
    /// The value has not the size of the column.
    #[error("value of {found} bytes for a column of {expected}")]
    Size {
        /// Size of the column; 0 when the column cannot be without bytes.
        expected: usize,
        /// Length of the value.
        found: usize,
    },
    /// A normalised key that is longer than any of the index.
    #[error("key of {found} bytes, at most {limit}")]
    TooLong {
        /// Most bytes.
        limit: usize,
        /// Length given.
        found: usize,
    },
    /// Shorter than the shortest substring of a substring index.
    #[error("shorter than {min} characters, the shortest substring")]
    TupleTooSmall {
        /// Characters.
        min: u32,
    },
}

impl SearchKeyError {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        match self {
            Self::Key(error) => error.jet_error(),
            Self::Complete => JetError::KEY_IS_MADE,
            Self::NotBegun => JetError::KEY_NOT_MADE,
            Self::Flags { .. } => JetError::INVALID_GRBIT,
            Self::Size { .. } => JetError::INVALID_BUFFER_SIZE,
            Self::TooLong { .. } => JetError::INVALID_PARAMETER,
            Self::TupleTooSmall { .. } => JetError::INDEX_TUPLES_KEY_TOO_SMALL,
        }
    }
}

/// One segment of the index that is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchSegment {
    /// How values are normalised.
    pub kind: SegmentKind,
    /// Sorted from high to low.
    pub descending: bool,
    /// Size of a fixed column's slot; `None` for other columns.
    pub slot_size: Option<usize>,
    /// Shortest and longest substring in characters, where the segment is that of a substring index.
    pub tuple: Option<(u32, u32)>,
}

/// A search key, and how far it is made.
///
/// It can be one byte longer than the longest key of its index: a limit is filled up with `FF` to beyond all of them.
#[derive(Clone, Debug, Default)]
pub struct SearchKeyBuffer {
    key: Vec<u8>,
    segments: usize,
    is_prepared: bool,
    is_limit: bool,
    is_cut: bool,
    padded: Vec<u8>,
}

impl SearchKeyBuffer {
    /// The key so far.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Number of segments it has.
    #[must_use]
    pub const fn segments(&self) -> usize {
        self.segments
    }

    /// Whether there is a key to search with.
    #[doc(alias = "FKSPrepared")]
    #[must_use]
    pub const fn is_prepared(&self) -> bool {
        self.is_prepared
    }

    /// Whether the key ends in a limit.
    #[doc(alias = "FKSLimit")]
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        self.is_limit
    }

    /// Says that the key was used. Its bytes can still be read.
    #[doc(alias = "KSReset")]
    pub const fn reset(&mut self) {
        self.is_prepared = false;
        self.is_limit = false;
        self.is_cut = false;
    }

    /// Makes the key one whose first segment is made, by these bytes.
    pub fn set_first(&mut self, segment: &[u8]) {
        self.clear();
        self.key.extend_from_slice(segment);
        self.segments = 1;
        self.is_prepared = true;
    }

    /// Becomes these bytes of a key that was used. They can be read, and searched with only when a new key is made.
    pub fn leave(&mut self, bytes: &[u8]) {
        self.clear();
        self.key.extend_from_slice(bytes);
    }

    /// Forgets the key altogether.
    pub fn clear(&mut self) {
        self.reset();
        self.key.clear();
        self.segments = 0;
    }

    /// Appends a segment, or takes a whole key with [`KeyFlags::NORMALIZED_KEY`]. `index` are the segments of the index and
    /// `rules` its limits.
    ///
    /// # Errors
    /// [`SearchKeyError`]; the key is as it was, except that [`KeyFlags::NEW_KEY`] has emptied it.
    #[doc(alias = "JetMakeKey")]
    pub fn push(
        &mut self,
        index: &[SearchSegment],
        rules: &KeyRules,
        data: &[u8],
        flags: KeyFlags,
    ) -> Result<(), SearchKeyError> {
        let longest = rules.key_most + 1;
        if flags.contains(KeyFlags::NORMALIZED_KEY) {
            if data.len() > longest && data.len() > KeyRules::DEFAULT_KEY_MOST {
                return Err(SearchKeyError::TooLong { limit: longest, found: data.len() });
            }
            let data = data.get(..longest).unwrap_or(data);
            self.reset();
            self.segments = 1;
            self.key.clear();
            self.key.extend_from_slice(data);
            self.is_prepared = true;
            self.is_limit = data.len() > rules.key_most;
            return Ok(());
        }
        if flags.contains(KeyFlags::NEW_KEY) {
            self.clear();
        } else if self.is_limit {
            return Err(SearchKeyError::Complete);
        } else if !self.is_prepared {
            return Err(SearchKeyError::NotBegun);
        }
        let segment = index.get(self.segments).ok_or(SearchKeyError::Complete)?;
        if self.push_number(segment, rules, data, flags) {
            self.segments += 1;
            self.is_prepared = true;
            return Ok(());
        }
        let mut padded = std::mem::take(&mut self.padded);
        let made = self.push_segment(segment, rules, data, flags, &mut padded);
        self.padded = padded;
        made?;
        self.segments += 1;
        self.key.truncate(longest);
        self.is_prepared = true;
        Ok(())
    }

    /// Appends a whole number without options, the most frequent of all segments. False, and nothing was done, for
    /// everything else.
    #[inline]
    fn push_number(
        &mut self,
        segment: &SearchSegment,
        rules: &KeyRules,
        data: &[u8],
        flags: KeyFlags,
    ) -> bool {
        let SearchSegment { kind: SegmentKind { kind, .. }, slot_size, .. } = *segment;
        if slot_size != Some(data.len()) || !KeyFlags::NEW_KEY.contains(flags) || self.is_cut {
            return false;
        }
        let Some((number, len)) = whole_number(kind, data) else { return false };
        if self.key.len() + len > rules.key_most {
            return false;
        }
        let flip = if segment.descending { 0xFF } else { 0 };
        self.key.extend_from_slice(number.map(|byte| byte ^ flip).get(..len).unwrap_or_default());
        true
    }

    fn push_segment(
        &mut self,
        segment: &SearchSegment,
        rules: &KeyRules,
        data: &[u8],
        flags: KeyFlags,
        padded: &mut Vec<u8>,
    ) -> Result<(), SearchKeyError> {
        let kind = segment.kind.kind;
        let mut value =
            if rules.key_most == KeyRules::DEFAULT_KEY_MOST { data.get(..255).unwrap_or(data) } else { data };
        if let Some(size) = segment.slot_size
            && !data.is_empty()
            && data.len() != size
        {
            if kind != ColumnKind::TEXT || data.len() > size {
                return Err(SearchKeyError::Size { expected: size, found: data.len() });
            }
            padded.clear();
            padded.extend_from_slice(value);
            pad_text(padded, segment.kind.code_page, size);
            value = padded;
        }
        check_limits(segment, flags)?;
        if self.is_cut || self.key.len() >= rules.key_most {
            return Ok(());
        }
        let available = rules.key_most - self.key.len();
        let start = self.key.len();
        match self.push_value(segment, rules, value, flags, available) {
            Ok(cut) => self.is_cut |= cut,
            Err(error) => {
                self.key.truncate(start);
                return Err(error);
            }
        }
        if self.key.len() - start > available {
            self.is_cut = true;
            self.key.truncate(start + available);
        }
        // Found in the ascending form, because the descending one is its complement.
        let delimiter = self.key.get(start..).and_then(|s| binary_delimiter(segment, value, s.len()));
        if segment.descending {
            self.key.iter_mut().skip(start).for_each(|b| *b = !*b);
        }
        self.limit(segment, start, start + available + 1, delimiter, flags);
        Ok(())
    }

    /// Appends the ascending form of the value; returns whether it was cut for lack of room.
    fn push_value(
        &mut self,
        segment: &SearchSegment,
        rules: &KeyRules,
        mut value: &[u8],
        flags: KeyFlags,
        available: usize,
    ) -> Result<bool, SearchKeyError> {
        let kind = segment.kind.kind;
        if value.is_empty() {
            if let Some((min, _)) = segment.tuple {
                return Err(SearchKeyError::TupleTooSmall { min });
            }
            let zero_length = flags.contains(KeyFlags::ZERO_LENGTH_DATA);
            if zero_length && (segment.slot_size.is_some() || !kind.is_text_or_binary()) {
                return Err(SearchKeyError::Size { expected: segment.slot_size.unwrap_or(0), found: 0 });
            }
            let value = zero_length.then_some(value);
            return Ok(encode_segment(segment.kind, value, rules, available, &mut self.key)?);
        }
        if let Some(expected) = kind.fixed_size()
            && value.len() < expected
        {
            return Err(SearchKeyError::Size { expected, found: value.len() });
        }
        if let Some((min, max)) = segment.tuple
            && kind.is_text()
        {
            let width = if segment.kind.is_unicode() { 2 } else { 1 };
            if value.len() / width < min as usize {
                return Err(SearchKeyError::TupleTooSmall { min });
            }
            value = value.get(..(max as usize).saturating_mul(width)).unwrap_or(value);
        }
        Ok(encode_segment(segment.kind, Some(value), rules, available, &mut self.key)?)
    }

    /// Applies the options that make the segment, which begins at `start`, a limit; `end` lies one behind the longest key.
    fn limit(
        &mut self,
        segment: &SearchSegment,
        start: usize,
        end: usize,
        delimiter: Option<usize>,
        flags: KeyFlags,
    ) {
        let is_text = segment.kind.kind.is_text();
        let wanted = flags.intersection(COLUMN_LIMITS);
        if wanted == KeyFlags::FULL_COLUMN_START_LIMIT {
        } else if wanted == KeyFlags::FULL_COLUMN_END_LIMIT {
            self.key.resize(end, SENTINEL);
        } else if !wanted.is_empty() {
            let fill = wanted == KeyFlags::PARTIAL_COLUMN_END_LIMIT;
            if is_text {
                self.text_limit(segment, start, end, fill);
            } else {
                self.binary_limit(start, end, delimiter, fill);
            }
        } else if flags.contains(KeyFlags::SUBSTRING_LIMIT) && is_text {
            self.text_limit(segment, start, end, true);
        } else if flags.contains(KeyFlags::STRING_LIMIT) {
            self.binary_limit(start, end, delimiter, true);
        } else {
            return;
        }
        self.is_limit = true;
    }

    fn text_limit(&mut self, segment: &SearchSegment, start: usize, end: usize, fill: bool) {
        if self.key.len() - start < 2 {
            if fill {
                self.key.resize(end, SENTINEL);
            }
            return;
        }
        let flip = if segment.descending { 0xFF } else { 0 };
        let text = self.key.get(start + 1..).unwrap_or_default();
        let kept = if segment.kind.is_unicode() {
            // The characters' own weights; where these fill the key, all of them.
            start + 1 + text.iter().take_while(|&&b| b != SORT_KEY_SEPARATOR ^ flip).count()
        } else {
            self.key.len() - usize::from(text.last() == Some(&flip))
        };
        self.key.truncate(kept.min(end - 1));
        if fill {
            self.key.resize(end, SENTINEL);
        }
    }

    fn binary_limit(&mut self, start: usize, end: usize, delimiter: Option<usize>, fill: bool) {
        let Some(delimiter) = delimiter else {
            if fill {
                self.key.resize(end, SENTINEL);
            }
            return;
        };
        let whole = self.key.len();
        self.key.truncate(start + delimiter);
        if fill {
            // To the end of the chunk and one further.
            self.key.resize(whole + 1, SENTINEL);
        }
    }
}

/// Fills text up to the size of a fixed column with spaces.
fn pad_text(text: &mut Vec<u8>, code_page: u16, size: usize) {
    if code_page == 1200 {
        while text.len() + 1 < size {
            text.extend_from_slice(&[b' ', 0]);
        }
        text.resize(size, b' ');
    } else {
        text.resize(size, b' ');
    }
}

fn check_limits(segment: &SearchSegment, flags: KeyFlags) -> Result<(), SearchKeyError> {
    let kind = segment.kind.kind;
    let wanted = flags.intersection(COLUMN_LIMITS);
    let partial = KeyFlags::PARTIAL_COLUMN_START_LIMIT | KeyFlags::PARTIAL_COLUMN_END_LIMIT;
    let chunked = segment.slot_size.is_none() && kind.is_text_or_binary();
    let wrong = wanted.bits().count_ones() > 1 || wanted.intersects(partial) && !kind.is_text() && !chunked;
    if wrong { Err(SearchKeyError::Flags { flags: flags.bits() }) } else { Ok(()) }
}

/// Where the value's own bytes end within a segment of chunked binary of `len` bytes; `None` when they were cut or the
/// segment is of another kind.
fn binary_delimiter(segment: &SearchSegment, value: &[u8], len: usize) -> Option<usize> {
    let chunked = matches!(segment.kind.kind, ColumnKind::BINARY | ColumnKind::LONG_BINARY);
    if !chunked || segment.slot_size.is_some() || value.is_empty() {
        return None;
    }
    let before = (value.len() - 1) / 8;
    let (start, last) = (1 + 9 * before, value.len() - 8 * before);
    (len > start + last).then_some(start + last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Collation, StoredCollation};

    fn segment(kind: ColumnKind) -> SearchSegment {
        let slot_size = kind.fixed_size();
        let kind = SegmentKind { kind, code_page: 1252, fixed: slot_size.is_some() };
        SearchSegment { kind, descending: false, slot_size, tuple: None }
    }

    fn made(index: &[SearchSegment], rules: &KeyRules, parts: &[(&[u8], KeyFlags)]) -> Vec<u8> {
        let mut key = SearchKeyBuffer::default();
        for (number, (data, flags)) in parts.iter().enumerate() {
            let new = if number == 0 { KeyFlags::NEW_KEY } else { KeyFlags::empty() };
            key.push(index, rules, data, *flags | new).unwrap();
        }
        key.key().to_vec()
    }

    #[test]
    fn whole_numbers_are_made_at_once_as_other_segments_are() {
        let signed = [ColumnKind::SHORT, ColumnKind::LONG, ColumnKind::LONG_LONG, ColumnKind::CURRENCY];
        let unsigned = [
            ColumnKind::UNSIGNED_BYTE,
            ColumnKind::UNSIGNED_SHORT,
            ColumnKind::UNSIGNED_LONG,
            ColumnKind::UNSIGNED_LONG_LONG,
        ];
        for kind in signed.into_iter().chain(unsigned) {
            let size = kind.fixed_size().unwrap();
            let data: Vec<u8> = (1..=size as u8).collect();
            let mut expected = vec![0x7F];
            expected.extend(data.iter().rev());
            expected[1] ^= if signed.contains(&kind) { 0x80 } else { 0 };
            let mut index = [segment(kind), segment(kind)];
            let none = KeyFlags::empty();
            assert_eq!(made(&index, &KeyRules::DEFAULT, &[(&data, none)]), expected);
            let through = |key: &[u8], flags| {
                // Where options are, nothing is taken a short way.
                let mut long = SearchKeyBuffer::default();
                long.push(&index, &KeyRules::DEFAULT, &data, KeyFlags::NEW_KEY | flags).unwrap();
                assert_eq!(long.key(), key);
            };
            through(&expected, KeyFlags::FULL_COLUMN_START_LIMIT);
            index[0].descending = true;
            let both = made(&index, &KeyRules::DEFAULT, &[(&data, none), (&data, none)]);
            let turned: Vec<u8> = expected.iter().map(|b| !b).collect();
            assert_eq!(both, [&turned[..], &expected[..]].concat());
            // Cut, as any other segment, where the key is full.
            let rules = KeyRules { key_most: 2 * size + 1, ..KeyRules::DEFAULT };
            let cut = made(&index, &rules, &[(&data, none), (&data, none)]);
            assert_eq!(cut, both[..2 * size + 1]);
        }
    }

    const SHORT: KeyRules = KeyRules { key_most: 12, ..KeyRules::DEFAULT };

    #[test]
    fn order_of_calls() {
        let index = [segment(ColumnKind::LONG), segment(ColumnKind::TEXT)];
        let mut key = SearchKeyBuffer::default();
        let rules = KeyRules::DEFAULT;
        let none = KeyFlags::empty();
        assert_eq!(key.push(&index, &rules, &[1, 0, 0, 0], none), Err(SearchKeyError::NotBegun));
        key.push(&index, &rules, &[1, 0, 0, 0], KeyFlags::NEW_KEY).unwrap();
        key.push(&index, &rules, b"ab", none).unwrap();
        assert_eq!(key.key(), b"\x7f\x80\0\0\x01\x7fAB\0");
        assert_eq!(key.push(&index, &rules, b"ab", none), Err(SearchKeyError::Complete));
        let size = key.push(&index, &rules, &[1], KeyFlags::NEW_KEY);
        assert_eq!(size, Err(SearchKeyError::Size { expected: 4, found: 1 }));
        assert!(!key.is_prepared());
        key.push(&index, &rules, &[2, 0, 0, 0], KeyFlags::NEW_KEY | KeyFlags::STRING_LIMIT).unwrap();
        assert_eq!(key.push(&index, &rules, b"a", none), Err(SearchKeyError::Complete));
        assert_eq!(key.key().len(), 256);
        key.reset();
        assert_eq!(key.push(&index, &rules, b"a", none), Err(SearchKeyError::NotBegun));
        let whole = key.push(&index, &rules, &[3; 257], KeyFlags::NORMALIZED_KEY);
        assert_eq!(whole, Err(SearchKeyError::TooLong { limit: 256, found: 257 }));
        key.push(&index, &rules, &[3; 256], KeyFlags::NORMALIZED_KEY).unwrap();
        assert!(key.is_limit() && key.is_prepared());
        for (error, number) in [
            (SearchKeyError::Complete, -1516),
            (SearchKeyError::NotBegun, -1608),
            (SearchKeyError::Flags { flags: 0 }, -900),
            (SearchKeyError::Size { expected: 1, found: 2 }, -1047),
            (SearchKeyError::TupleTooSmall { min: 3 }, -1437),
        ] {
            assert_eq!(error.jet_error().0, number);
        }
    }

    #[test]
    fn limits_of_text() {
        let index = [segment(ColumnKind::LONG_TEXT)];
        let none = KeyFlags::empty();
        assert_eq!(made(&index, &SHORT, &[(b"ab", none)]), b"\x7fAB\0");
        let end = b"\x7fAB\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
        assert_eq!(made(&index, &SHORT, &[(b"ab", KeyFlags::SUBSTRING_LIMIT)]), end);
        assert_eq!(made(&index, &SHORT, &[(b"ab", KeyFlags::PARTIAL_COLUMN_END_LIMIT)]), end);
        assert_eq!(made(&index, &SHORT, &[(b"ab", KeyFlags::PARTIAL_COLUMN_START_LIMIT)]), b"\x7fAB");
        assert_eq!(made(&index, &SHORT, &[(b"ab", KeyFlags::FULL_COLUMN_START_LIMIT)]), b"\x7fAB\0");
        let full = b"\x7fAB\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
        assert_eq!(made(&index, &SHORT, &[(b"ab", KeyFlags::FULL_COLUMN_END_LIMIT)]), full);
        assert_eq!(made(&index, &SHORT, &[(b"ab", KeyFlags::STRING_LIMIT)]), full);
        let down = [SearchSegment { descending: true, ..index[0] }];
        let end = b"\x80\xBE\xBD\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
        assert_eq!(made(&down, &SHORT, &[(b"ab", KeyFlags::SUBSTRING_LIMIT)]), end);
        assert_eq!(made(&index, &SHORT, &[(b"", KeyFlags::SUBSTRING_LIMIT)])[..3], [0, 0xFF, 0xFF]);
        assert_eq!(made(&index, &SHORT, &[(b"", KeyFlags::ZERO_LENGTH_DATA)]), [0x40]);
        let cut = made(&index, &SHORT, &[(b"0123456789abcdef", KeyFlags::PARTIAL_COLUMN_END_LIMIT)]);
        assert_eq!(cut.len(), 13);
    }

    #[test]
    fn limits_of_binary_and_numbers() {
        let index = [segment(ColumnKind::LONG_BINARY)];
        let end = made(&index, &SHORT, &[(b"ab", KeyFlags::PARTIAL_COLUMN_END_LIMIT)]);
        assert_eq!(end, b"\x7fab\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
        let start = made(&index, &SHORT, &[(b"ab", KeyFlags::PARTIAL_COLUMN_START_LIMIT)]);
        assert_eq!(start, b"\x7fab");
        let cut = made(&index, &SHORT, &[(b"0123456789abcdef", KeyFlags::PARTIAL_COLUMN_END_LIMIT)]);
        assert_eq!(
            cut, b"\x7f01234567\x0989\xFF",
            "nothing of the value is left out, so the key is filled up"
        );
        let number = [segment(ColumnKind::SHORT)];
        let mut key = SearchKeyBuffer::default();
        let flags = KeyFlags::NEW_KEY | KeyFlags::PARTIAL_COLUMN_END_LIMIT;
        assert!(matches!(key.push(&number, &SHORT, &[1, 0], flags), Err(SearchKeyError::Flags { .. })));
        let both = KeyFlags::NEW_KEY | KeyFlags::FULL_COLUMN_START_LIMIT | KeyFlags::FULL_COLUMN_END_LIMIT;
        assert!(matches!(key.push(&number, &SHORT, &[1, 0], both), Err(SearchKeyError::Flags { .. })));
        let zero = KeyFlags::NEW_KEY | KeyFlags::ZERO_LENGTH_DATA;
        assert!(matches!(key.push(&number, &SHORT, &[], zero), Err(SearchKeyError::Size { .. })));
        assert_eq!(
            made(&number, &SHORT, &[(&[1, 0], KeyFlags::FULL_COLUMN_END_LIMIT)])[..4],
            [0x7f, 0x80, 1, 0xFF]
        );
    }

    #[test]
    fn unicode_padding_and_substrings() {
        let stored = StoredCollation {
            locale_name: Some("en-US"),
            version: Some(&[5, 3, 6, 0, 5, 3, 6, 0]),
            flags: 0x3_0401,
            ..StoredCollation::default()
        };
        let rules = KeyRules { collation: Collation::new(&stored), ..KeyRules::DEFAULT };
        let mut wide = segment(ColumnKind::TEXT);
        wide.kind.code_page = 1200;
        let start = made(&[wide], &rules, &[(b"a\0b\0", KeyFlags::PARTIAL_COLUMN_START_LIMIT)]);
        assert_eq!(start, [0x7f, 0x0e, 0x02, 0x0e, 0x09]);
        let tuple = SearchSegment { tuple: Some((3, 4)), ..segment(ColumnKind::TEXT) };
        assert_eq!(made(&[tuple], &rules, &[(b"abcdef", KeyFlags::empty())]), b"\x7fABCD\0");
        let mut key = SearchKeyBuffer::default();
        let short = key.push(&[tuple], &rules, b"ab", KeyFlags::NEW_KEY);
        assert_eq!(short, Err(SearchKeyError::TupleTooSmall { min: 3 }));
        let fixed = SearchSegment { slot_size: Some(4), ..segment(ColumnKind::TEXT) };
        assert_eq!(made(&[fixed], &rules, &[(b"ab", KeyFlags::empty())]), b"\x7fAB  \0");
    }
}
