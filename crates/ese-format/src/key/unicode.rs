//! A segment of Unicode text.

use super::KeyRules;
use super::segment::{KeyError, VALUE};

/// The sort key of the text, cut to what fits. Returns whether it was cut for lack of room in the key.
///
/// The engine looks at as many bytes of the text as the key is long. Where that does not fill the segment, because not
/// every character has a weight, it takes twice as many, and so on; but not in indexes with the default longest key.
pub(super) fn unicode(
    text: &[u8],
    rules: &KeyRules,
    available: usize,
    out: &mut Vec<u8>,
) -> Result<bool, KeyError> {
    let collation = rules.collation?;
    let limit = rules.limit().unwrap_or(rules.key_most + 1);
    let room = available.min(limit);
    let start = out.len();
    let mut taken = rules.key_most.max(1);
    loop {
        out.truncate(start);
        out.push(VALUE);
        let part = text.get(..taken).unwrap_or(text);
        if let Err(error) = collation.append_sort_key(part, out) {
            out.truncate(start);
            return Err(error.into());
        }
        let made = out.len() - start;
        if part.len() == text.len() || rules.key_most == KeyRules::DEFAULT_KEY_MOST || made >= room {
            break;
        }
        taken = taken.saturating_mul(2);
    }
    let made = out.len() - start;
    if made <= room {
        // The caller gives no more than this of a longer text.
        if text.len() >= KeyRules::MAX_TEXT_LEN {
            out.truncate(start);
            return Err(KeyError::TextCut { given: text.len() });
        }
        return Ok(false);
    }
    out.truncate(start + room);
    Ok(available < limit)
}
