//! Values back from keys, where keys keep them.

use super::search::SearchSegment;
use super::segment::{KeyRules, VALUE};
use crate::ColumnKind;

/// Order of a GUID's bytes in a key.
const GUID: [usize; 16] = [10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3];
/// The same where GUIDs sort as .NET compares them.
const DOT_NET_GUID: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/// The value of segment number `wanted` (from 0) of a whole key: `Some(None)` for null. `None` when the key does not have
/// it, or does not keep it: text has lost its case, and Unicode text before it has no end that is known.
#[doc(alias = "ErrRECIRetrieveColumnFromKey")]
#[must_use]
pub fn value_from_key(
    key: &[u8],
    segments: &[SearchSegment],
    wanted: usize,
    rules: &KeyRules,
) -> Option<Option<Vec<u8>>> {
    let mut rest = key;
    for (number, segment) in segments.iter().enumerate() {
        let (value, after) = one(rest, segment, rules)?;
        if number == wanted {
            return (!segment.kind.kind.is_text()).then_some(value);
        }
        rest = after;
    }
    None
}

/// The value of the first segment, and the key behind it.
fn one<'a>(key: &'a [u8], segment: &SearchSegment, rules: &KeyRules) -> Option<(Option<Vec<u8>>, &'a [u8])> {
    let mask = if segment.descending { 0xFF } else { 0 };
    let (&first, rest) = key.split_first()?;
    let kind = segment.kind.kind;
    let plain = |bytes: &[u8]| bytes.iter().map(|byte| byte ^ mask).collect::<Vec<_>>();
    if first ^ mask != VALUE {
        // 0x40 is a value without bytes, everything else null.
        let empty = first ^ mask == 0x40 && kind.is_text_or_binary();
        return Some((empty.then(Vec::new), rest));
    }
    match kind {
        ColumnKind::TEXT | ColumnKind::LONG_TEXT => {
            if segment.kind.is_unicode() {
                return None;
            }
            let end = rest.iter().position(|byte| byte ^ mask == 0)?;
            let (text, after) = rest.split_at_checked(end + 1)?;
            Some((Some(plain(text)), after))
        }
        ColumnKind::BINARY if segment.kind.fixed => {
            let (bytes, after) = rest.split_at_checked(segment.slot_size?)?;
            Some((Some(plain(bytes)), after))
        }
        ColumnKind::BINARY | ColumnKind::LONG_BINARY => {
            let mut value = Vec::new();
            let mut rest = rest;
            loop {
                let (chunk, after) = rest.split_first_chunk::<9>()?;
                let [bytes @ .., count] = chunk;
                let count = count ^ mask;
                value.extend(plain(bytes.get(..usize::from(count)).unwrap_or(bytes)));
                rest = after;
                if count != 9 {
                    return Some((Some(value), rest));
                }
            }
        }
        _ => {
            let (bytes, after) = rest.split_at_checked(kind.fixed_size()?)?;
            Some((Some(number(kind, &plain(bytes), rules)), after))
        }
    }
}

fn number(kind: ColumnKind, bytes: &[u8], rules: &KeyRules) -> Vec<u8> {
    if kind == ColumnKind::GUID {
        let mut value = vec![0; 16];
        let order = if rules.dot_net_guid { DOT_NET_GUID } else { GUID };
        for (&place, &byte) in order.iter().zip(bytes) {
            if let Some(target) = value.get_mut(place) {
                *target = byte;
            }
        }
        return value;
    }
    if kind == ColumnKind::BIT {
        return vec![if bytes == [0] { 0 } else { 0xFF }];
    }
    let mut value = bytes.to_vec();
    if let Some(first) = value.first_mut() {
        match kind {
            ColumnKind::SHORT | ColumnKind::LONG | ColumnKind::CURRENCY | ColumnKind::LONG_LONG => {
                *first ^= 0x80;
            }
            ColumnKind::IEEE_SINGLE | ColumnKind::IEEE_DOUBLE | ColumnKind::DATE_TIME => {
                if *first & 0x80 == 0 {
                    value.iter_mut().for_each(|byte| *byte = !*byte);
                } else {
                    *first ^= 0x80;
                }
            }
            _ => {}
        }
    }
    value.reverse();
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{SegmentKind, encode_segment};
    use super::*;

    fn segment(kind: ColumnKind, descending: bool, slot_size: Option<usize>) -> SearchSegment {
        let kind = SegmentKind { kind, code_page: 1252, fixed: slot_size.is_some() };
        SearchSegment { kind, descending, slot_size, tuple: None }
    }

    fn key_of(values: &[(SearchSegment, Option<Vec<u8>>)]) -> Vec<u8> {
        let mut key = Vec::new();
        for (segment, value) in values {
            let mut part = Vec::new();
            encode_segment(segment.kind, value.as_deref(), &KeyRules::DEFAULT, 2000, &mut part).unwrap();
            key.extend(part.iter().map(|byte| if segment.descending { !byte } else { *byte }));
        }
        key
    }

    fn any_value() -> impl Strategy<Value = (SearchSegment, Option<Vec<u8>>)> {
        use ColumnKind as K;
        let fixed =
            [K::LONG, K::UNSIGNED_LONG, K::SHORT, K::CURRENCY, K::IEEE_SINGLE, K::IEEE_DOUBLE, K::GUID];
        let number = (0..fixed.len(), any::<bool>()).prop_flat_map(move |(place, descending)| {
            let size = fixed[place].fixed_size().unwrap();
            let segment = segment(fixed[place], descending, None);
            prop::option::of(prop::collection::vec(any::<u8>(), size)).prop_map(move |value| (segment, value))
        });
        let binary = (any::<bool>(), prop::option::of(prop::collection::vec(any::<u8>(), 0..30)))
            .prop_map(|(descending, value)| (segment(K::LONG_BINARY, descending, None), value));
        let slot = (any::<bool>(), prop::option::of(prop::collection::vec(any::<u8>(), 6)))
            .prop_map(|(descending, value)| (segment(K::BINARY, descending, Some(6)), value));
        prop_oneof![number, binary, slot]
    }

    proptest! {
        #[test]
        fn values_come_back(values in prop::collection::vec(any_value(), 1..4)) {
            let key = key_of(&values);
            let segments: Vec<_> = values.iter().map(|(segment, _)| *segment).collect();
            for (number, (_, value)) in values.iter().enumerate() {
                let found = value_from_key(&key, &segments, number, &KeyRules::DEFAULT);
                prop_assert_eq!(found.as_ref(), Some(value));
            }
            prop_assert_eq!(value_from_key(&key, &segments, values.len(), &KeyRules::DEFAULT), None);
        }

        #[test]
        fn any_bytes_are_a_value_or_none(
            key in prop::collection::vec(any::<u8>(), 0..40),
            values in prop::collection::vec(any_value(), 1..4),
        ) {
            let segments: Vec<_> = values.iter().map(|(segment, _)| *segment).collect();
            let _ = value_from_key(&key, &segments, segments.len() - 1, &KeyRules::DEFAULT);
        }
    }

    #[test]
    fn text_is_passed_over_and_not_given() {
        let segments = [segment(ColumnKind::TEXT, false, None), segment(ColumnKind::LONG, false, None)];
        let key = key_of(&[(segments[0], Some(b"ab".to_vec())), (segments[1], Some(vec![5, 0, 0, 0]))]);
        assert_eq!(value_from_key(&key, &segments, 0, &KeyRules::DEFAULT), None);
        assert_eq!(value_from_key(&key, &segments, 1, &KeyRules::DEFAULT), Some(Some(vec![5, 0, 0, 0])));
        let cut = &key[..key.len() - 1];
        assert_eq!(value_from_key(cut, &segments, 1, &KeyRules::DEFAULT), None);
    }
}
