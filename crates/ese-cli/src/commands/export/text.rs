//! Hexadecimal and JSON strings, written without detours.

use std::io::{self, Write};

/// Both digits of each byte.
const DIGITS: [[u8; 2]; 256] = {
    let hex = *b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut i = 0;
    while i < 256 {
        #[expect(clippy::indexing_slicing, reason = "constant evaluation, in bounds by construction")]
        {
            table[i] = [hex[i >> 4], hex[i & 15]];
        }
        i += 1;
    }
    table
};

/// Writes bytes in lower-case hexadecimal.
pub(crate) fn write_hex(out: &mut (impl Write + ?Sized), bytes: &[u8]) -> io::Result<()> {
    let mut buffer = [[0u8; 2]; 256];
    for chunk in bytes.chunks(256) {
        for (slot, byte) in buffer.iter_mut().zip(chunk) {
            *slot = DIGITS.get(usize::from(*byte)).copied().unwrap_or_default();
        }
        out.write_all(buffer.get(..chunk.len()).unwrap_or_default().as_flattened())?;
    }
    Ok(())
}

/// Writes the inside of a JSON string.
pub(crate) fn write_json_text(out: &mut (impl Write + ?Sized), text: &str) -> io::Result<()> {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (plain, special) = rest.split_at(at);
        out.write_all(plain.as_bytes())?;
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => out.write_all(b"\\\"")?,
            Some('\\') => out.write_all(b"\\\\")?,
            Some('\n') => out.write_all(b"\\n")?,
            Some('\r') => out.write_all(b"\\r")?,
            Some('\t') => out.write_all(b"\\t")?,
            Some(c) => write!(out, "\\u{:04x}", u32::from(c))?,
            None => {}
        }
        rest = characters.as_str();
    }
    out.write_all(rest.as_bytes())
}

/// Writes a JSON string.
pub(crate) fn write_json_string(out: &mut (impl Write + ?Sized), text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    write_json_text(out, text)?;
    out.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let mut out = Vec::new();
        write_json_string(&mut out, "a\"b\\c\n\u{1}\u{e4}").unwrap();
        assert_eq!(out, "\"a\\\"b\\\\c\\n\\u0001\u{e4}\"".as_bytes());
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), "a\"b\\c\n\u{1}\u{e4}");
        out.clear();
        write_hex(&mut out, &[0, 0x7f, 0xff]).unwrap();
        assert_eq!(out, b"007fff");
    }
}
