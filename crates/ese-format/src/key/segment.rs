//! One segment of a key.

use super::unicode::unicode;
use crate::{Collation, CollationError, ColumnId, ColumnKind, JetError, SortKeyError};

/// First byte of a null segment.
const NULL: u8 = 0x00;
/// First byte of a null segment when nulls sort high.
const NULL_HIGH: u8 = 0xC0;
/// First byte of a present but empty segment.
const EMPTY: u8 = 0x40;
/// First byte of a segment with a value.
pub(super) const VALUE: u8 = 0x7F;

/// Why a key cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key does not fit and the index does not allow to cut it.
    #[error("key is longer than {limit} bytes and may not be truncated")]
    Truncated {
        /// Longest key of the index.
        limit: usize,
    },
    /// The segment is Unicode text whose collation is not known.
    #[error("Unicode text cannot be normalised: {0}")]
    Collation(#[from] CollationError),
    /// The sort key of a Unicode text is not known.
    #[error("Unicode text cannot be normalised: {0}")]
    SortKey(#[from] SortKeyError),
    /// More of a Unicode text is needed than was given: too much of what was given has no weight.
    #[error("Unicode text cannot be normalised: its first {given} bytes do not fill the key")]
    TextCut {
        /// Bytes given.
        given: usize,
    },
    /// The column's type has no normalisation.
    #[error("columns of type {0} cannot be indexed")]
    Kind(ColumnKind),
}

impl KeyError {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        match self {
            Self::Truncated { .. } => JetError::KEY_TRUNCATED,
            Self::Collation(error) => error.jet_error(),
            Self::SortKey(error) => error.jet_error(),
            Self::TextCut { .. } => JetError::UNICODE_NORMALIZATION_NOT_SUPPORTED,
            Self::Kind(_) => JetError::INVALID_COLUMN_TYPE,
        }
    }
}

/// One column of an index, as stored: 4 bytes `u8 flags, u8 0, u16 column` little-endian.
#[doc(alias = "IDXSEG")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySegment {
    /// Column.
    pub column: ColumnId,
    /// The column belongs to the template table.
    pub from_template: bool,
    /// Sorted from high to low.
    pub descending: bool,
    /// In a list of conditions: the column must be null (otherwise: must not be null).
    pub must_be_null: bool,
}

impl KeySegment {
    /// Decodes a list of segments in the extended form (4 bytes each) or, with `extended` false, the old form of signed
    /// 16-bit column ids whose sign means descending or "must be null". `None` when the length is no multiple.
    #[must_use]
    pub fn decode_list(bytes: &[u8], extended: bool) -> Option<Vec<Self>> {
        if extended {
            let (entries, rest) = bytes.as_chunks::<4>();
            return rest.is_empty().then(|| {
                let decode = |&[flags, _, low, high]: &[u8; 4]| Self {
                    column: ColumnId(u16::from_le_bytes([low, high])),
                    from_template: flags & 0x80 != 0,
                    descending: flags & 0x40 != 0,
                    must_be_null: flags & 0x20 != 0,
                };
                entries.iter().map(decode).collect()
            });
        }
        let (entries, rest) = bytes.as_chunks::<2>();
        rest.is_empty().then(|| {
            let decode = |&entry: &[u8; 2]| {
                let id = i16::from_le_bytes(entry);
                Self {
                    column: ColumnId(id.unsigned_abs()),
                    from_template: false,
                    descending: id < 0,
                    must_be_null: id < 0,
                }
            };
            entries.iter().map(decode).collect()
        })
    }

    /// The extended form of a list.
    #[must_use]
    pub fn encode_list(segments: &[Self]) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 * segments.len());
        for s in segments {
            let flags =
                u8::from(s.from_template) << 7 | u8::from(s.descending) << 6 | u8::from(s.must_be_null) << 5;
            out.extend_from_slice(&[flags, 0]);
            out.extend_from_slice(&s.column.0.to_le_bytes());
        }
        out
    }
}

/// What the encoding of a segment depends on besides its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentKind {
    /// Type of the column.
    pub kind: ColumnKind,
    /// Code page of text; 1200 is UTF-16.
    pub code_page: u16,
    /// Whether the column is a fixed one: fixed binary is not chunked.
    pub fixed: bool,
}

impl SegmentKind {
    /// Whether it is Unicode text.
    #[must_use]
    pub const fn is_unicode(&self) -> bool {
        self.kind.is_text() && self.code_page == 1200
    }
}

/// Limits and variants of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRules {
    /// Longest key in bytes.
    #[doc(alias = "cbKeyMost")]
    pub key_most: usize,
    /// Longest segment of text or binary, its first byte included, when below `key_most`.
    #[doc(alias = "cbVarSegMac")]
    pub segment_most: Option<usize>,
    /// Nulls sort behind values.
    pub nulls_high: bool,
    /// GUIDs sort as .NET compares them.
    pub dot_net_guid: bool,
    /// How Unicode text sorts.
    pub collation: Result<Collation, CollationError>,
}

impl KeyRules {
    /// The rules of an index that says nothing special.
    pub const DEFAULT: Self = Self {
        key_most: Self::DEFAULT_KEY_MOST,
        segment_most: None,
        nulls_high: false,
        dot_net_guid: false,
        collation: Err(CollationError::Missing),
    };

    /// The longest key of an index that says nothing special, and of all indexes of old engines.
    #[doc(alias = "JET_cbKeyMost_OLD")]
    pub const DEFAULT_KEY_MOST: usize = 255;

    /// Bytes of a Unicode text beyond which it is not asked for more, however little of it has a weight.
    pub const MAX_TEXT_LEN: usize = 1 << 16;

    /// How many bytes of a column's value a key can depend on; one more tells that there is more.
    #[must_use]
    pub fn value_len(&self, segment: SegmentKind) -> usize {
        if segment.is_unicode() && self.key_most != Self::DEFAULT_KEY_MOST {
            Self::MAX_TEXT_LEN
        } else {
            self.key_most + 1
        }
    }

    pub(super) fn limit(&self) -> Option<usize> {
        self.segment_most.filter(|&m| m < self.key_most)
    }
}

/// Appends one segment, ascending, to `out`; `available` bytes are left in the key. Returns whether the value was cut
/// for lack of room (a cut by [`KeyRules::segment_most`] is silent).
///
/// # Errors
/// [`KeyError::Collation`] and [`KeyError::SortKey`] for Unicode text whose sort key is not known, [`KeyError::Kind`] for
/// types without keys.
pub fn encode_segment(
    segment: SegmentKind,
    value: Option<&[u8]>,
    rules: &KeyRules,
    available: usize,
    out: &mut Vec<u8>,
) -> Result<bool, KeyError> {
    let kind = segment.kind;
    let null = if rules.nulls_high { NULL_HIGH } else { NULL };
    let Some(value) = value else {
        out.push(null);
        return Ok(false);
    };
    if value.is_empty() {
        out.push(if kind.is_text_or_binary() { EMPTY } else { null });
        return Ok(false);
    }
    match kind {
        ColumnKind::TEXT | ColumnKind::LONG_TEXT if segment.is_unicode() => {
            unicode(value, rules, available, out)
        }
        ColumnKind::TEXT | ColumnKind::LONG_TEXT => Ok(ascii(value, rules, available, out)),
        ColumnKind::BINARY if segment.fixed => Ok(fixed_binary(value, rules, available, out)),
        ColumnKind::BINARY | ColumnKind::LONG_BINARY => Ok(binary(value, rules, available, out)),
        _ => number(kind, value, rules, null, out).map(|()| false),
    }
}

/// The segment, ascending, of a whole number, and its length: [`encode_segment`] without limits. `None` for other types,
/// and for fewer or more bytes than the type has.
#[inline]
pub(super) fn whole_number(kind: ColumnKind, value: &[u8]) -> Option<([u8; 9], usize)> {
    let (number, sign) = match (kind, value) {
        (ColumnKind::UNSIGNED_BYTE, &[a]) => (u64::from(a) << 56, 0),
        (ColumnKind::SHORT, &[a, b]) => (u64::from(u16::from_le_bytes([a, b])) << 48, 1),
        (ColumnKind::UNSIGNED_SHORT, &[a, b]) => (u64::from(u16::from_le_bytes([a, b])) << 48, 0),
        (ColumnKind::LONG, &[a, b, c, d]) => (u64::from(u32::from_le_bytes([a, b, c, d])) << 32, 1),
        (ColumnKind::UNSIGNED_LONG, &[a, b, c, d]) => (u64::from(u32::from_le_bytes([a, b, c, d])) << 32, 0),
        (ColumnKind::CURRENCY | ColumnKind::LONG_LONG, bytes) => {
            (u64::from_le_bytes(bytes.try_into().ok()?), 1)
        }
        (ColumnKind::UNSIGNED_LONG_LONG, bytes) => (u64::from_le_bytes(bytes.try_into().ok()?), 0),
        _ => return None,
    };
    let [a, b, c, d, e, f, g, h] = (number ^ sign << 63).to_be_bytes();
    Some(([VALUE, a, b, c, d, e, f, g, h], 1 + value.len()))
}

fn number(
    kind: ColumnKind,
    value: &[u8],
    rules: &KeyRules,
    null: u8,
    out: &mut Vec<u8>,
) -> Result<(), KeyError> {
    if let Some((number, len)) = whole_number(kind, value) {
        out.extend_from_slice(number.get(..len).unwrap_or_default());
        return Ok(());
    }
    let size = kind.fixed_size().ok_or(KeyError::Kind(kind))?;
    let Some(value) = value.get(..size) else {
        // Too few bytes for the type: indexed as null.
        out.push(null);
        return Ok(());
    };
    out.push(VALUE);
    let start = out.len();
    match kind {
        ColumnKind::BIT => out.push(if value == [0] { 0 } else { 0xFF }),
        ColumnKind::GUID => {
            let order: [usize; 16] = if rules.dot_net_guid {
                [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
            } else {
                [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3]
            };
            out.extend(order.iter().filter_map(|&i| value.get(i)));
        }
        _ => {
            let mut reversed = [0; 8];
            if let Some(target) = reversed.get_mut(..value.len()) {
                target.copy_from_slice(value);
                target.reverse();
                out.extend_from_slice(target);
            } else {
                out.extend(value.iter().rev());
            }
        }
    }
    let Some(first) = out.get_mut(start) else { return Ok(()) };
    match kind {
        ColumnKind::SHORT | ColumnKind::LONG | ColumnKind::CURRENCY | ColumnKind::LONG_LONG => {
            *first ^= 0x80;
        }
        ColumnKind::IEEE_SINGLE | ColumnKind::IEEE_DOUBLE | ColumnKind::DATE_TIME => {
            if *first & 0x80 == 0 {
                *first |= 0x80;
            } else {
                out.iter_mut().skip(start).for_each(|b| *b = !*b);
            }
        }
        _ => {}
    }
    Ok(())
}

fn fixed_binary(value: &[u8], rules: &KeyRules, available: usize, out: &mut Vec<u8>) -> bool {
    let limited = value.len().min(rules.limit().map_or(usize::MAX, |l| l.saturating_sub(1)));
    let taken = limited.min(available.saturating_sub(1));
    out.push(VALUE);
    out.extend(value.iter().take(taken));
    taken < limited
}

/// Chunks of eight bytes, each followed by 9 when another follows, else by the number of bytes used: no encoding is a
/// prefix of another.
fn binary(mut value: &[u8], rules: &KeyRules, available: usize, out: &mut Vec<u8>) -> bool {
    let full = 1 + 9 * value.len().div_ceil(8);
    let limited = full.min(rules.limit().unwrap_or(usize::MAX));
    let len = limited.min(available);
    let whole = len == full;
    out.push(VALUE);
    let mut room = len.saturating_sub(1);
    while room >= 9 {
        let (chunk, rest) = value.split_at_checked(8).unwrap_or((value, &[]));
        out.extend_from_slice(chunk);
        if rest.is_empty() {
            out.extend(std::iter::repeat_n(0, 8 - chunk.len()));
            out.push(if chunk.len() == 8 && !whole { 9 } else { chunk.len() as u8 });
        } else {
            out.push(9);
        }
        value = rest;
        room -= 9;
    }
    let rest = value.len().min(room);
    out.extend(value.iter().take(rest));
    out.extend(std::iter::repeat_n(0, room - rest));
    len < limited
}

/// Upper case for a–z, terminated by 0; what follows a 0 in the text does not count.
fn ascii(value: &[u8], rules: &KeyRules, available: usize, out: &mut Vec<u8>) -> bool {
    let limit = rules.limit().unwrap_or(rules.key_most + 1);
    let room = available.min(limit).saturating_sub(1);
    let text = || value.iter().take_while(|&&b| b != 0).map(u8::to_ascii_uppercase);
    out.push(VALUE);
    if room > value.len() {
        out.extend(text());
        out.push(0);
        return false;
    }
    if room == 0 {
        return false;
    }
    let head = out.len() + room - 1;
    out.extend(text().take(room - 1));
    if out.len() < head {
        // A 0 within the part that fits ends the text.
        out.push(0);
    } else {
        // The original subtracts 0x20 from the last byte that fits, letter or not; keys in files depend on it.
        let last = value.get(room - 1).copied().unwrap_or_default();
        out.push(if last == 0 { 0 } else { last.wrapping_sub(0x20) });
    }
    available < limit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(kind: ColumnKind, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let segment = SegmentKind { kind, code_page: 1252, fixed: false };
        encode_segment(segment, Some(value), &KeyRules::DEFAULT, 255, &mut out).unwrap();
        out
    }

    #[test]
    fn published_examples() {
        use ColumnKind as K;
        assert_eq!(encoded(K::LONG, &2i32.to_le_bytes()), [0x7f, 0x80, 0, 0, 2]);
        assert_eq!(encoded(K::SHORT, &1i16.to_le_bytes()), [0x7f, 0x80, 1]);
        assert_eq!(encoded(K::BIT, &[1]), [0x7f, 0xff]);
        let minus_one = encoded(K::IEEE_DOUBLE, &(-1f64).to_le_bytes());
        assert_eq!(minus_one, [0x7f, 0x40, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(encoded(K::IEEE_DOUBLE, &1f64.to_le_bytes()), [0x7f, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encoded(K::BINARY, b"test binary data"), b"\x7ftest bin\x09ary data\x08");
        assert_eq!(encoded(K::BINARY, &[1, 2, 3]), b"\x7f\x01\x02\x03\0\0\0\0\0\x03");
        assert_eq!(encoded(K::TEXT, b"MSysObjects"), b"\x7fMSYSOBJECTS\0");
        assert_eq!(encoded(K::TEXT, b""), [0x40]);
        assert_eq!(encoded(K::LONG, b""), [0x00]);
        let guid: Vec<u8> = (0..16).collect();
        assert_eq!(encoded(K::GUID, &guid)[1..], [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3]);
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let rules = KeyRules { key_most: 20, ..KeyRules::DEFAULT };
        let segment = |kind| SegmentKind { kind, code_page: 1252, fixed: false };
        let mut out = Vec::new();
        let text = segment(ColumnKind::TEXT);
        assert!(encode_segment(text, Some(b"abcdefghij"), &rules, 6, &mut out).unwrap());
        assert_eq!(out, [0x7f, b'A', b'B', b'C', b'D', b'E']);
        out.clear();
        assert!(encode_segment(text, Some(b"1234567"), &rules, 4, &mut out).unwrap());
        assert_eq!(out, [0x7f, b'1', b'2', b'3' - 0x20], "the quirk of the last byte");
        out.clear();
        let bytes = segment(ColumnKind::LONG_BINARY);
        assert!(encode_segment(bytes, Some(&[1; 16]), &rules, 14, &mut out).unwrap());
        assert_eq!(out, [0x7f, 1, 1, 1, 1, 1, 1, 1, 1, 9, 1, 1, 1, 1]);
        out.clear();
        let silent = KeyRules { segment_most: Some(4), ..rules };
        assert!(!encode_segment(bytes, Some(&[1; 16]), &silent, 20, &mut out).unwrap());
        assert_eq!(out, [0x7f, 1, 1, 1]);
        out.clear();
        assert!(
            !encode_segment(text, Some(b"1234567"), &silent, 4, &mut out).unwrap(),
            "as much room as limit"
        );
        assert_eq!(out.len(), 4);
        let wide = SegmentKind { kind: ColumnKind::TEXT, code_page: 1200, fixed: false };
        let refused = Err(KeyError::Collation(CollationError::Missing));
        assert_eq!(encode_segment(wide, Some(b"a\0"), &rules, 20, &mut out), refused);
    }

    #[test]
    fn segment_lists() {
        let stored = [0x80, 0, 0, 1, 0x40, 0, 2, 0, 0x20, 0, 128, 0];
        let list = KeySegment::decode_list(&stored, true).unwrap();
        assert_eq!((list[0].column, list[0].from_template), (ColumnId(256), true));
        assert!(list[1].descending && list[2].must_be_null);
        assert_eq!(KeySegment::encode_list(&list), stored);
        let old = KeySegment::decode_list(&[1, 0, 0xFE, 0xFF], false).unwrap();
        assert_eq!((old[1].column, old[1].descending), (ColumnId(2), true));
        assert!(KeySegment::decode_list(&[1, 2, 3], true).is_none());
    }
}
