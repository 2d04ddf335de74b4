//! The damaged databases of the reference cases: recorded as changes of a sound one.

use serde_json::Value;

/// The number in front of `word` in a text such as "256 pages: 28 good, 228 zero, 0 bad".
#[must_use]
pub fn number_before(text: &str, word: &str) -> Option<u64> {
    let (before, _) = text.split_once(word)?;
    before.rsplit(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

/// Applies one change of a recorded list (`verdicts.json`) to a database of pages of `page_len` bytes. `None` when it
/// cannot be understood or leads outside.
pub fn damage(file: &mut [u8], page_len: usize, change: &Value) -> Option<()> {
    // Places are page indices in the file, the header being 0.
    let at = |place: &Value| usize::try_from(place.as_u64()?).ok()?.checked_mul(page_len);
    let place = change.get("where")?;
    match change.get("kind")?.as_str()? {
        "zero-page" => file.get_mut(at(place)?..)?.get_mut(..page_len)?.fill(0),
        "torn-half-zero" => file.get_mut(at(place)?..)?.get_mut(page_len / 2..page_len)?.fill(0),
        "copy-page" => {
            let (from, to) = (at(place.get(0)?)?, at(place.get(1)?)?);
            let page = file.get(from..from.checked_add(page_len)?)?.to_vec();
            file.get_mut(to..)?.get_mut(..page_len)?.copy_from_slice(&page);
        }
        "swap-pages" => {
            let (one, other) = (at(place.get(0)?)?, at(place.get(1)?)?);
            let (low, high) = file.split_at_mut_checked(one.max(other))?;
            let (low, high) = (low.get_mut(one.min(other)..)?, high.get_mut(..page_len)?);
            low.get_mut(..page_len)?.swap_with_slice(high);
        }
        _ => {
            for bit in place.as_array()? {
                let offset = usize::try_from(bit.get("offset")?.as_u64()?).ok()?;
                *file.get_mut(offset)? ^= 1_u8.checked_shl(u32::try_from(bit.get("bit")?.as_u64()?).ok()?)?;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_damage() {
        let damaged = |change: &str| {
            let mut file: Vec<u8> = (1..=8).collect();
            damage(&mut file, 2, &serde_json::from_str(change).unwrap()).map(|()| file)
        };
        assert_eq!(damaged(r#"{"kind":"zero-page","where":1}"#).unwrap(), [1, 2, 0, 0, 5, 6, 7, 8]);
        assert_eq!(damaged(r#"{"kind":"torn-half-zero","where":1}"#).unwrap(), [1, 2, 3, 0, 5, 6, 7, 8]);
        assert_eq!(damaged(r#"{"kind":"copy-page","where":[0,3]}"#).unwrap(), [1, 2, 3, 4, 5, 6, 1, 2]);
        assert_eq!(damaged(r#"{"kind":"swap-pages","where":[3,0]}"#).unwrap(), [7, 8, 3, 4, 5, 6, 1, 2]);
        let bit = r#"{"kind":"bits","where":[{"offset":7,"bit":4}]}"#;
        assert_eq!(damaged(bit).unwrap(), [1, 2, 3, 4, 5, 6, 7, 24]);
        assert_eq!(damaged(r#"{"kind":"zero-page","where":4}"#), None);
        assert_eq!(damaged("{}"), None);
    }

    #[test]
    fn numbers_in_texts() {
        assert_eq!(number_before("256 pages: 28 good, 0 bad", " good"), Some(28));
        assert_eq!(number_before("256 pages", " good"), None);
    }
}
