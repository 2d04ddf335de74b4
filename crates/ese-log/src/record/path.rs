//! Paths inside records.

use std::borrow::Cow;

use super::field::{FieldValue, FieldVisitor};

/// A path as a record stores it: of the machine that wrote the log, never to be opened as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedPath<'a> {
    /// Stored bytes, terminator included.
    pub bytes: &'a [u8],
    /// Whether they are UTF-16LE; otherwise they are in the writer's 8-bit code page.
    pub wide: bool,
}

impl<'a> LoggedPath<'a> {
    /// The path up to its terminator. Bytes above 127 of an 8-bit path and broken UTF-16 come out as U+FFFD.
    #[must_use]
    pub fn to_text(self) -> Cow<'a, str> {
        if self.wide {
            let units: Vec<u16> = (self.bytes.as_chunks::<2>().0.iter())
                .map(|unit| u16::from_le_bytes(*unit))
                .take_while(|&unit| unit != 0)
                .collect();
            return String::from_utf16_lossy(&units).into();
        }
        let end = self.bytes.iter().position(|&byte| byte == 0).unwrap_or(self.bytes.len());
        String::from_utf8_lossy(self.bytes.get(..end).unwrap_or_default())
    }

    pub(crate) fn list(self, name: &'static str, visit: &mut FieldVisitor<'_>) {
        visit(name, FieldValue::Text(self.to_text()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_widths_end_at_the_terminator() {
        assert_eq!(LoggedPath { bytes: b"C:\\a.edb\0x", wide: false }.to_text(), "C:\\a.edb");
        assert_eq!(LoggedPath { bytes: b"a\0b\0\0\0c\0", wide: true }.to_text(), "ab");
        assert_eq!(LoggedPath { bytes: b"a\0b", wide: true }.to_text(), "a");
    }
}
