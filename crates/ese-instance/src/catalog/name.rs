//! Names are text of code page 1252.

/// What the bytes 0x80 to 0x9F mean in code page 1252; the five unassigned ones stand for themselves.
const HIGH: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}',
    '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}',
    '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}',
    '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];

/// Text of code page 1252.
#[must_use]
pub fn decode_windows_1252(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&b| match b {
            0x80..=0x9F => HIGH.get(usize::from(b - 0x80)).copied().unwrap_or(char::from(b)),
            _ => char::from(b),
        })
        .collect()
}

/// Text as bytes of code page 1252; `None` when it has a character that the code page does not.
#[must_use]
pub fn encode_windows_1252(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|c| match HIGH.iter().position(|&high| high == c) {
            Some(place) => u8::try_from(place + 0x80).ok(),
            None => u8::try_from(c).ok().filter(|b| !(0x80..=0x9F).contains(b)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(super::encode_windows_1252(&super::decode_windows_1252(&all)), Some(all));
        assert_eq!(super::encode_windows_1252("\u{4e00}"), None);
        assert_eq!(super::encode_windows_1252("\u{80}"), None);
    }

    #[test]
    fn quotes_and_umlauts() {
        assert_eq!(super::decode_windows_1252(b"\x93\xe4\x94 \x80"), "\u{201c}\u{e4}\u{201d} \u{20ac}");
    }
}
