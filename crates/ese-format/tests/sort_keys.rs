//! Sort keys of neutral texts, as they follow from the published algorithm and weights, and index keys made of them.
//! The same code remakes the keys of real databases in `ese-instance/tests/sort_keys.rs`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use ese_format::{
    Collation, CollationError, CollationFlags, ColumnKind, JetError, KeyBuilder, KeyError, KeyRules,
    SegmentKind, StoredCollation, encode_segment,
};
use proptest::prelude::*;

const WINDOWS_7: u32 = 0x0006_0101;
const WINDOWS_8: u32 = 0x0006_020F;
const WINDOWS_10: u32 = 0x0006_0305;

fn collation(version: u32, flags: CollationFlags) -> Collation {
    let version = [version.to_le_bytes(); 2].concat();
    let stored = StoredCollation {
        locale_name: Some("en-US"),
        version: Some(&version),
        flags: flags.bits(),
        ..StoredCollation::default()
    };
    Collation::new(&stored).unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The key in hexadecimal, `-` for a text without one.
fn key_with(version: u32, flags: CollationFlags, text: &str) -> String {
    let mut out = vec![0xEE];
    if collation(version, flags).append_sort_key(&utf16(text), &mut out).is_err() {
        assert_eq!(out, [0xEE], "what was there stays");
        return "-".into();
    }
    assert_eq!(out.remove(0), 0xEE);
    out.iter().map(|b| format!("{b:02x}")).collect()
}

fn key(text: &str) -> String {
    key_with(WINDOWS_10, CollationFlags::DEFAULT, text)
}

#[test]
fn plain_text() {
    for (text, expected) in [
        ("", "0101010100"),
        ("\0", "0101010100"),
        ("Ab 1", "0e020e0907020d1a0101010100"),
        ("aB 1", "0e020e0907020d1a0101010100"),
        ("zZ_~", "0ea90ea9074407500101010100"),
        ("a\0b", "0e020e090101010100"),
    ] {
        assert_eq!(key(text), expected, "{text:?}");
    }
}

#[test]
fn diacritics_and_marks() {
    assert_eq!(key("é"), "0e21010e01010100");
    assert_eq!(key("e\u{301}"), "0e21010e01010100", "a letter and a mark are what the two are in one");
    assert_eq!(key("eée"), "0e210e210e2101020e01010100");
    assert_eq!(key("\u{301}"), "01 0c 01 01 01 00".replace(' ', ""), "a mark without anything before it");
    // Sums that do not fit are not known.
    assert_eq!(key(&format!("e{}", "\u{301}".repeat(22))), "-");
}

#[test]
fn hyphens_and_apostrophes_are_in_the_last_section() {
    assert_eq!(key("co-op"), "0e0a0e7c0e7c0e7e01010101fffd821200");
    assert_eq!(key("'a'"), "0e0201010101ffff8012fffe801200");
    assert_eq!(key("\u{2013}"), "01010101ffff891200");
    let letters = "a".repeat(300);
    assert!(key(&format!("{letters}-")).ends_with("01010101fed3821200"), "300 is 0x12c");
}

#[test]
fn letters_that_are_two() {
    assert_eq!(key("Æ"), key("ae"));
    assert_eq!(key("ß"), key("ss"));
    // U+FB03 is U+0066 and U+FB01, which is U+0066 and U+0069 again.
    assert_eq!(key("\u{FB03}"), key("ffi"));
    // A mark in an expansion: sources differ.
    assert_eq!(key("\u{385}"), "-");
}

#[test]
fn east_asia() {
    assert_eq!(key("\u{3400}"), "fdff8f020101010100", "extension A");
    assert_eq!(key("\u{AC00}").len(), 2 * 7, "a syllable of Hangul");
    assert_eq!(key("\u{1100}"), "-", "conjoining Jamo");
    let plain = "22020101 01ff02c4ffc4ff0100".replace(' ', "");
    for same in ["\u{3042}", "\u{30A2}", "\u{FF71}"] {
        assert_eq!(key(same), plain);
    }
    assert_eq!(key("\u{3041}"), "2202010101c4ff02c4ffc4ff0100", "small kana");
    // Repeated: kind 4; prolonged: kind 5 and the vowel's weight.
    let repeated = key("\u{3042}\u{309D}");
    assert_eq!(repeated, "22022202010101ff030402c4c4ffc4c4ff0100");
    let prolonged = key("\u{30AB}\u{30FC}");
    assert_eq!(prolonged, "220a2202010101ff030502c4c4ffc4c4ff0100");
    assert_eq!(key("a\u{30FC}"), "-", "a mark that refers to no kana");
    assert_eq!(key("\u{309D}"), "-");
}

#[test]
fn outside_of_the_first_plane_and_private_use() {
    assert_eq!(key("\u{1F98A}"), "b040b686013f3f01010100");
    assert_eq!(key("\u{E000}"), "a902020101010100");
    assert_eq!(key("\u{E000}-"), "-", "how a place behind three bytes counts is not known");
}

#[test]
fn flags() {
    use CollationFlags as F;
    let with = |flags, text| key_with(WINDOWS_10, F::SORT_KEY | flags, text);
    assert_eq!(with(F::empty(), "aBc"), "0e020e090e0a0101021201 0100".replace(' ', ""));
    assert_eq!(with(F::IGNORE_CASE, "aBc"), "0e020e090e0a0101010100");
    assert_eq!(with(F::IGNORE_CASE, "\u{FF22}"), "0e0901010301 0100".replace(' ', ""), "full width");
    assert_eq!(with(F::IGNORE_CASE | F::IGNORE_WIDTH, "\u{FF22}"), "0e090101010100");
    assert_eq!(with(F::DEFAULT | F::IGNORE_NONSPACE, "é"), "0e210101010100");
    assert_eq!(with(F::DEFAULT | F::IGNORE_SYMBOLS, "a-b _c"), "0e020e090e0a0101010100");
    assert_eq!(with(F::DEFAULT | F::STRING_SORT, "a-b"), "0e0206820e090101010100");
    let katakana = with(F::IGNORE_CASE | F::IGNORE_WIDTH, "\u{30A2}\u{3042}");
    assert_eq!(katakana, "22022202010101ff02c4ffc4c4ff0100", "hiragana at the end says nothing");
    assert_eq!(with(F::IGNORE_CASE, "\u{30A2}"), "-");
}

#[test]
fn older_versions() {
    let default = CollationFlags::DEFAULT;
    assert_eq!(key_with(WINDOWS_8, default, "a0129-é"), key("a0129-é"));
    assert_eq!(key_with(WINDOWS_7, default, "a0129"), "0e020d030d190d1a0d210101010100");
    assert_eq!(key_with(WINDOWS_7, default, "\u{1F98A}"), key("\u{1F98A}"));
    for version in [WINDOWS_7, WINDOWS_8] {
        for unknown in ["½", "Ü", "\u{3042}", "\u{E000}", "\u{FF21}", "\u{20000}", "\u{FFFF}"] {
            assert_eq!(key_with(version, default, unknown), "-", "{unknown:?} in {version:#x}");
        }
    }
}

const TEXT: SegmentKind = SegmentKind { kind: ColumnKind::LONG_TEXT, code_page: 1200, fixed: false };

fn rules(key_most: usize, segment_most: Option<usize>) -> KeyRules {
    let collation = Ok(collation(WINDOWS_10, CollationFlags::DEFAULT));
    KeyRules { key_most, segment_most, collation, ..KeyRules::DEFAULT }
}

#[test]
fn segments_of_keys() {
    let rules = rules(12, None);
    let mut out = Vec::new();
    assert_eq!(encode_segment(TEXT, Some(&utf16("ab")), &rules, 10, &mut out), Ok(false));
    assert_eq!(out, [0x7F, 14, 2, 14, 9, 1, 1, 1, 1, 0], "it fits to the byte");
    out.clear();
    assert_eq!(encode_segment(TEXT, Some(&utf16("ab")), &rules, 9, &mut out), Ok(true));
    assert_eq!(out, [0x7F, 14, 2, 14, 9, 1, 1, 1, 1]);
    out.clear();
    assert_eq!(encode_segment(TEXT, Some(&[]), &rules, 9, &mut out), Ok(false));
    assert_eq!(encode_segment(TEXT, None, &rules, 9, &mut out), Ok(false));
    assert_eq!(out, [0x40, 0]);
    let mut builder = KeyBuilder::new(&rules, Vec::new());
    builder.push(TEXT, true, Some(&utf16("ab"))).unwrap();
    builder.push(TEXT, false, Some(&utf16("ab"))).unwrap();
    assert!(builder.is_truncated());
    assert_eq!(builder.finish().0, [0x80, !14, !2, !14, !9, !1, !1, !1, !1, !0, 0x7F, 14]);
}

#[test]
fn a_limit_of_the_segment_cuts_silently() {
    let rules = rules(20, Some(6));
    let mut out = Vec::new();
    for available in [6, 20] {
        out.clear();
        assert_eq!(encode_segment(TEXT, Some(&utf16("abc")), &rules, available, &mut out), Ok(false));
        assert_eq!(out, [0x7F, 14, 2, 14, 9, 14]);
    }
}

#[test]
fn how_much_of_a_long_text_counts() {
    let weightless = format!("{}a", "\0".repeat(400));
    let of = |key_most| {
        let mut out = Vec::new();
        let rules = rules(key_most, None);
        encode_segment(TEXT, Some(&utf16(&weightless)), &rules, key_most, &mut out).map(|cut| (out, cut))
    };
    // By default the first 254 bytes count, whatever they are.
    assert_eq!(of(255), Ok((vec![0x7F, 1, 1, 1, 1, 0], false)));
    // Otherwise as much as fills the key.
    assert_eq!(of(300), Ok((vec![0x7F, 14, 2, 1, 1, 1, 1, 0], false)));
    let mut out = Vec::new();
    let endless = vec![0; KeyRules::MAX_TEXT_LEN];
    let refused = encode_segment(TEXT, Some(&endless), &rules(300, None), 300, &mut out);
    assert_eq!(refused, Err(KeyError::TextCut { given: KeyRules::MAX_TEXT_LEN }));
    assert!(out.is_empty());
    let long = utf16(&"b".repeat(100_000));
    let cut = encode_segment(TEXT, Some(&long[..KeyRules::MAX_TEXT_LEN]), &rules(2000, None), 2000, &mut out);
    assert_eq!((cut, out.len()), (Ok(true), 2000));
}

#[test]
fn refusals_are_typed() {
    let mut out = vec![1];
    let unknown = encode_segment(TEXT, Some(&utf16("a\u{1100}")), &rules(255, None), 200, &mut out);
    let Err(KeyError::SortKey(error)) = unknown else { panic!("{unknown:?}") };
    assert_eq!((error.position, error.unit), (1, 0x1100));
    assert_eq!(error.jet_error(), JetError::UNICODE_NORMALIZATION_NOT_SUPPORTED);
    assert_eq!(out, [1]);
    let missing = encode_segment(TEXT, Some(&utf16("a")), &KeyRules::DEFAULT, 200, &mut out);
    assert_eq!(missing, Err(KeyError::Collation(CollationError::Missing)));
}

proptest! {
    #[test]
    fn a_text_sorts_behind_what_it_begins_with(
        units in prop::collection::vec(any::<u16>(), 0..60),
        at in 0usize..60,
        version in prop::sample::select(vec![WINDOWS_7, WINDOWS_8, WINDOWS_10]),
    ) {
        let bytes: Vec<u8> = units.iter().flat_map(|u| u.to_le_bytes()).collect();
        let collation = collation(version, CollationFlags::DEFAULT);
        let (mut whole, mut part) = (Vec::new(), Vec::new());
        let made = collation.append_sort_key(&bytes, &mut whole).is_ok();
        if made {
            let begin = &bytes[..2 * at.min(units.len())];
            prop_assert!(collation.append_sort_key(begin, &mut part).is_ok());
            prop_assert!(part <= whole);
            prop_assert_eq!(whole.last(), Some(&0));
        } else {
            prop_assert!(whole.is_empty());
        }
    }

    #[test]
    fn case_of_letters_does_not_count(text in "[ -~À-ÖØ-Ûà-öø-û]{0,40}") {
        prop_assert_eq!(key(&text.to_uppercase()), key(&text.to_lowercase()));
    }

    #[test]
    fn flags_make_no_panic(text in any::<String>(), bits in any::<u32>()) {
        let known = CollationFlags::DEFAULT
            | CollationFlags::IGNORE_NONSPACE | CollationFlags::IGNORE_SYMBOLS | CollationFlags::STRING_SORT;
        let flags = CollationFlags::from_bits_retain(bits) & known | CollationFlags::SORT_KEY;
        key_with(WINDOWS_10, flags, &text);
    }

    #[test]
    fn a_cut_key_is_the_beginning_of_the_whole(text in "[a-zA-Z0-9 _é-]{0,200}", room in 1usize..255) {
        let (mut whole, mut cut) = (Vec::new(), Vec::new());
        let rules = rules(2000, None);
        encode_segment(TEXT, Some(&utf16(&text)), &rules, 2000, &mut whole).unwrap();
        let was_cut = encode_segment(TEXT, Some(&utf16(&text)), &rules, room, &mut cut).unwrap();
        prop_assert!(whole.starts_with(&cut) && was_cut == (whole.len() > room));
    }
}
