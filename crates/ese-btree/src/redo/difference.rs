//! The differences that ReplaceD records hold instead of whole data.

use super::RedoErrorKind;

/// Offset and flags share the two bytes of the short form.
const SHORT_OFFSET: u16 = 0x1FFF;
const SHORT_SAME_LENGTH: u16 = 0x2000;
const SHORT_INSERT: u16 = 0x4000;
const SHORT_TWO_BYTE_LENGTHS: u16 = 0x8000;
const LONG_SAME_LENGTH: u8 = 0x20;
const LONG_INSERT: u8 = 0x40;
const LONG_TWO_BYTE_LENGTHS: u8 = 0x80;

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], RedoErrorKind> {
    let (taken, tail) =
        rest.split_at_checked(count).ok_or(RedoErrorKind::BadDifference("an entry is cut off"))?;
    *rest = tail;
    Ok(taken)
}

/// Applies `difference` to `old`; the new data is left in `out`, which never grows beyond `limit`.
///
/// `long` selects the three-byte entry headers of databases with pages above 8 KiB.
///
/// # Errors
/// [`RedoErrorKind::BadDifference`] when an entry leaves the difference, goes backwards in the old data or beyond its
/// end, or the result exceeds `limit`.
#[doc(alias = "ErrLGGetAfterImage")]
pub(crate) fn apply_difference(
    difference: &[u8],
    long: bool,
    old: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), RedoErrorKind> {
    out.clear();
    let mut rest = difference;
    let mut at = 0;
    let bad = RedoErrorKind::BadDifference;
    while !rest.is_empty() {
        let word = take(&mut rest, 2)?.first_chunk().map_or(0, |w| u16::from_le_bytes(*w));
        let (offset, same_length, insert, two_bytes) = if long {
            let flags = take(&mut rest, 1)?.first().copied().unwrap_or(0);
            let two_bytes = flags & LONG_TWO_BYTE_LENGTHS != 0;
            (word, flags & LONG_SAME_LENGTH != 0, flags & LONG_INSERT != 0, two_bytes)
        } else {
            let two_bytes = word & SHORT_TWO_BYTE_LENGTHS != 0;
            (word & SHORT_OFFSET, word & SHORT_SAME_LENGTH != 0, word & SHORT_INSERT != 0, two_bytes)
        };
        let length = |rest: &mut &[u8]| -> Result<usize, RedoErrorKind> {
            let bytes = take(rest, if two_bytes { 2 } else { 1 })?;
            Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
        };
        let new_len = length(&mut rest)?;
        let old_len = match (insert, same_length) {
            (true, _) => 0,
            (false, true) => new_len,
            (false, false) => length(&mut rest)?,
        };
        let offset = usize::from(offset);
        let unchanged = old.get(at..offset).ok_or(bad("an entry lies outside the old data"))?;
        let new = take(&mut rest, new_len)?;
        if out.len() + unchanged.len() + new.len() > limit {
            return Err(bad("the result is longer than a page"));
        }
        out.extend_from_slice(unchanged);
        out.extend_from_slice(new);
        at = offset + old_len;
        if at > old.len() {
            return Err(bad("an entry goes beyond the old data"));
        }
    }
    let unchanged = old.get(at..).unwrap_or(&[]);
    if out.len() + unchanged.len() > limit {
        return Err(bad("the result is longer than a page"));
    }
    out.extend_from_slice(unchanged);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_format() {
        let mut out = Vec::new();
        let difference = [0x02, 0x20, 0x02, 0x78, 0x79, 0x08, 0x40, 0x01, 0x5A];
        apply_difference(&difference, false, b"ABCDEFGH", 100, &mut out).unwrap();
        assert_eq!(out, b"ABxyEFGHZ");
        assert!(apply_difference(&difference, false, b"ABCDEFG", 100, &mut out).is_err());
        assert!(apply_difference(&difference, false, b"ABCDEFGH", 8, &mut out).is_err());
        for cut in 1..difference.len() {
            let whole_entry = cut == 5;
            let result = apply_difference(&difference[..cut], false, b"ABCDEFGH", 100, &mut out);
            assert_eq!(result.is_ok(), whole_entry, "cut at {cut}");
        }
    }

    #[test]
    fn long_entries_and_deletions() {
        let mut out = Vec::new();
        // Offset 1, other length, one-byte lengths: nothing for two bytes.
        apply_difference(&[1, 0, 0, 0, 2], true, b"ABCD", 100, &mut out).unwrap();
        assert_eq!(out, b"AD");
        // Two-byte lengths: three new bytes for one.
        apply_difference(&[0, 0, 0x80, 3, 0, 1, 0, 7, 8, 9], true, b"AB", 100, &mut out).unwrap();
        assert_eq!(out, b"\x07\x08\x09B");
        let backwards = [2, 0, 0x40, 1, 9, 1, 0, 0x40, 1, 9];
        assert!(apply_difference(&backwards, true, b"ABCD", 100, &mut out).is_err());
    }
}
