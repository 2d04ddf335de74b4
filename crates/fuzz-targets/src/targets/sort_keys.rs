//! Sort keys of any text, in every collation that is known.

use ese_format::{Collation, ColumnKind, KeyRules, SegmentKind, StoredCollation, encode_segment};

/// The first byte chooses the version and the flags, the second where the text is cut; the rest is the text.
pub(crate) fn run(data: &[u8]) {
    let [choice, at, text @ ..] = data else { return };
    let version: u32 = match choice >> 6 {
        0 => 0x0006_0101,
        1 => 0x0006_020F,
        _ => 0x0006_0305,
    };
    let bits = u32::from(*choice);
    let version = [version.to_le_bytes(); 2].concat();
    let stored = StoredCollation {
        version: Some(&version),
        flags: 0x400 | bits & 7 | (bits & 8) << 9 | (bits & 0x30) << 12,
        ..StoredCollation::default()
    };
    let Ok(collation) = Collation::new(&stored) else { unreachable!("all flags are known") };
    let mut whole = vec![0xEE];
    if collation.append_sort_key(text, &mut whole).is_err() {
        assert!(whole == [0xEE], "something was left behind");
        return;
    }
    assert!(whole.first() == Some(&0xEE) && whole.last() == Some(&0));
    // What a text begins with sorts before it. A mark that follows adds to a weight, so this holds for marks, too.
    let begin = text.get(..2 * usize::from(*at)).unwrap_or(text);
    let mut part = vec![0xEE];
    assert!(collation.append_sort_key(begin, &mut part).is_ok(), "more is known of more");
    assert!(part <= whole, "out of order");
    // A key of an index is the beginning of it, when it is made of the whole text.
    let segment = SegmentKind { kind: ColumnKind::LONG_TEXT, code_page: 1200, fixed: false };
    let rules = KeyRules { key_most: 2000, collation: Ok(collation), ..KeyRules::DEFAULT };
    let mut key = Vec::new();
    let room = 1 + usize::from(*at);
    if (1..2000).contains(&text.len()) && encode_segment(segment, Some(text), &rules, room, &mut key).is_ok()
    {
        assert!(key.len() <= room && key.iter().skip(1).eq(whole.iter().skip(1).take(key.len() - 1)));
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let texts = [
        "a plain text, with: punctuation!",
        "co-op's e\u{301}t\u{e9}",
        "\u{c6}\u{df}\u{fb03}\u{3400}\u{ac00}\u{4e2d}",
        "\u{3042}\u{309d}\u{30ab}\u{30fc}\u{3041}",
        "\u{1f98a}\u{e000}1234567890",
    ];
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let choices = [0b1011_0001, 0b0011_0001, 0b0111_0001, 0b1000_0000, 0b1000_1111];
    texts.iter().flat_map(|text| choices.map(|choice| [vec![choice, 5], utf16(text)].concat())).collect()
}
