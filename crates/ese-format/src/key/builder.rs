//! A key from its segments.

use super::{KeyError, KeyRules, SegmentKind, encode_segment};

/// Which segments of a key were null: the index's null policy decides by this whether the row has an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NullCounts {
    /// Every segment was null.
    pub all: bool,
    /// At least one segment was null.
    pub any: bool,
    /// The first segment was null.
    pub first: bool,
}

/// Puts a key together, segment by segment.
#[derive(Debug)]
pub struct KeyBuilder<'a> {
    rules: &'a KeyRules,
    key: Vec<u8>,
    segments: usize,
    nulls: NullCounts,
    truncated: bool,
}

impl<'a> KeyBuilder<'a> {
    /// An empty key; `buffer` lends its memory.
    #[must_use]
    pub fn new(rules: &'a KeyRules, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        let nulls = NullCounts { all: true, any: false, first: false };
        Self { rules, key: buffer, segments: 0, nulls, truncated: false }
    }

    /// Appends a segment; in a full key only its nullness counts.
    ///
    /// # Errors
    /// As [`encode_segment`].
    pub fn push(
        &mut self,
        segment: SegmentKind,
        descending: bool,
        value: Option<&[u8]>,
    ) -> Result<(), KeyError> {
        let available = self.rules.key_most.saturating_sub(self.key.len());
        // A number without bytes is encoded as null is, but it is a value.
        if value.is_none() {
            self.nulls.any = true;
            self.nulls.first |= self.segments == 0;
        } else if available > 0 {
            self.nulls.all = false;
        }
        self.segments += 1;
        if available == 0 {
            self.truncated = true;
            return Ok(());
        }
        let start = self.key.len();
        let cut = encode_segment(segment, value, self.rules, available, &mut self.key)?;
        if cut || self.key.len() - start > available {
            self.truncated = true;
            self.key.truncate(start + available);
        }
        if descending {
            self.key.iter_mut().skip(start).for_each(|b| *b = !*b);
        }
        Ok(())
    }

    /// Whether a part of the values did not fit.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The key and what was null in it.
    #[must_use]
    pub fn finish(self) -> (Vec<u8>, NullCounts) {
        (self.key, self.nulls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ColumnKind;

    #[test]
    fn segments_nulls_and_truncation() {
        let rules = KeyRules { key_most: 8, ..KeyRules::DEFAULT };
        let long = SegmentKind { kind: ColumnKind::LONG, code_page: 0, fixed: true };
        let mut builder = KeyBuilder::new(&rules, vec![9]);
        builder.push(long, true, Some(&[1, 0, 0, 0])).unwrap();
        builder.push(long, false, Some(&[1, 0, 0, 0])).unwrap();
        builder.push(long, false, None).unwrap();
        assert!(builder.is_truncated());
        let (key, nulls) = builder.finish();
        assert_eq!(key, [0x80, 0x7f, 0xff, 0xff, 0xfe, 0x7f, 0x80, 0]);
        assert_eq!(nulls, NullCounts { all: false, any: true, first: false });
    }

    #[test]
    fn a_number_without_bytes_is_encoded_as_null_but_is_a_value() {
        let single = SegmentKind { kind: ColumnKind::IEEE_SINGLE, code_page: 0, fixed: false };
        let mut builder = KeyBuilder::new(&KeyRules::DEFAULT, Vec::new());
        builder.push(single, false, Some(&[])).unwrap();
        let (key, nulls) = builder.finish();
        assert_eq!(key, [0]);
        assert_eq!(nulls, NullCounts { all: false, any: false, first: false });
    }
}
