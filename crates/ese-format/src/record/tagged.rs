//! Tagged columns: values with their column's number.

use super::{ColumnId, LongValueId, RecordError};

bitflags::bitflags! {
    /// The extended-info byte of a tagged column, in one form for all page sizes: small pages leave it out when it would
    /// be zero and keep `NULL` in the entry's offset word. Unknown bits are kept.
    #[doc(alias = "TAGFLD_HEADER")]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TaggedFlags: u8 {
        /// The column is long text or long binary.
        const LONG_VALUE = 0x01;
        /// The (first) value is compressed.
        const COMPRESSED = 0x02;
        /// The data is a long-value id.
        const SEPARATED = 0x04;
        /// Several values with an array of offsets.
        const MULTI_VALUES = 0x08;
        /// With `MULTI_VALUES`: exactly two values behind one length byte.
        const TWO_VALUES = 0x10;
        /// Explicitly null, in spite of a default.
        const NULL = 0x20;
        /// Encrypted by the application's key.
        const ENCRYPTED = 0x40;
    }
}

/// One tagged column of a record: all its values.
#[derive(Clone, Copy, Debug)]
pub struct TaggedColumn<'a> {
    /// Column. Template columns and a derived table's own are numbered independently.
    pub id: ColumnId,
    /// The column belongs to the template table.
    #[doc(alias = "fDerived")]
    pub from_template: bool,
    /// Flags.
    pub flags: TaggedFlags,
    /// The data behind the flags.
    pub data: &'a [u8],
}

/// One value of a tagged column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaggedValue<'a> {
    /// As it is; may be empty.
    Plain(&'a [u8]),
    /// Compressed: see [`crate::decompress_value`].
    Compressed(&'a [u8]),
    /// In the long-value tree.
    Separated(LongValueId),
}

impl<'a> TaggedColumn<'a> {
    /// Whether the column is explicitly null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        self.flags.contains(TaggedFlags::NULL)
    }

    /// The values in order; none when the column is null. An unreadable value ends the sequence with its error.
    #[must_use]
    pub fn values(&self) -> TaggedValues<'a> {
        let f = self.flags;
        // Encrypted data and combinations without a meaning are errors in place of the first value.
        let form = if f.contains(TaggedFlags::NULL) {
            Form::Done
        } else if f.contains(TaggedFlags::ENCRYPTED) {
            Form::Failed(RecordError::Encrypted { column: self.id.0 })
        } else if f.bits() & 0x80 != 0
            || f.contains(TaggedFlags::TWO_VALUES) && !f.contains(TaggedFlags::MULTI_VALUES)
        {
            Form::Failed(self.broken(1))
        } else if f.contains(TaggedFlags::TWO_VALUES) {
            Form::Two
        } else if f.contains(TaggedFlags::MULTI_VALUES) {
            Form::Many
        } else {
            Form::One
        };
        TaggedValues { column: *self, form, index: 0 }
    }

    fn broken(&self, instance: usize) -> RecordError {
        RecordError::MultiValue {
            column: self.id.0,
            instance,
            flags: self.flags.bits(),
            len: self.data.len(),
        }
    }

    fn separated(&self, data: &[u8]) -> Result<TaggedValue<'a>, RecordError> {
        LongValueId::from_record(data)
            .map(TaggedValue::Separated)
            .ok_or(RecordError::LongValueId { column: self.id.0, len: data.len() })
    }
}

enum Form {
    One,
    Two,
    Many,
    Failed(RecordError),
    Done,
}

/// The values of a [`TaggedColumn`].
pub struct TaggedValues<'a> {
    column: TaggedColumn<'a>,
    form: Form,
    index: usize,
}

impl<'a> TaggedValues<'a> {
    /// Value `index` (from 0) of `MULTI_VALUES`; `None` behind the last.
    fn nth_of_many(&self, index: usize) -> Option<Result<TaggedValue<'a>, RecordError>> {
        let column = &self.column;
        let word = |i: usize| column.data.get(2 * i..)?.first_chunk::<2>().map(|b| u16::from_le_bytes(*b));
        let broken = || Some(Err(column.broken(index + 1)));
        let Some(first) = word(0) else { return broken() };
        let first = usize::from(first & 0x7FFF);
        // The first value begins behind the array, so its offset tells the count.
        if first < 2 || !first.is_multiple_of(2) || first > column.data.len() {
            return broken();
        }
        let count = first / 2;
        if index >= count {
            return None;
        }
        let Some(entry) = word(index) else { return broken() };
        let start = usize::from(entry & 0x7FFF);
        let end = if index + 1 < count {
            match word(index + 1) {
                Some(next) => usize::from(next & 0x7FFF),
                None => return broken(),
            }
        } else {
            column.data.len()
        };
        let Some(value) = column.data.get(start..end).filter(|_| start >= first) else { return broken() };
        Some(if entry & 0x8000 != 0 {
            column.separated(value)
        } else if index == 0 && column.flags.contains(TaggedFlags::COMPRESSED) {
            Ok(TaggedValue::Compressed(value))
        } else {
            Ok(TaggedValue::Plain(value))
        })
    }

    fn nth_of_two(&self, index: usize) -> Option<Result<TaggedValue<'a>, RecordError>> {
        if index > 1 {
            return None;
        }
        let split =
            self.column.data.split_first().and_then(|(&len, rest)| rest.split_at_checked(usize::from(len)));
        let Some((first, second)) = split else { return Some(Err(self.column.broken(index + 1))) };
        Some(Ok(TaggedValue::Plain(if index == 0 { first } else { second })))
    }

    fn single(&self) -> Result<TaggedValue<'a>, RecordError> {
        let TaggedColumn { flags, data, .. } = self.column;
        if flags.contains(TaggedFlags::SEPARATED) {
            self.column.separated(data)
        } else if flags.contains(TaggedFlags::COMPRESSED) {
            Ok(TaggedValue::Compressed(data))
        } else {
            Ok(TaggedValue::Plain(data))
        }
    }
}

impl<'a> Iterator for TaggedValues<'a> {
    type Item = Result<TaggedValue<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.index;
        self.index += 1;
        let item = match &self.form {
            Form::Done => None,
            Form::Failed(error) => Some(Err(*error)),
            Form::One => {
                let value = self.single();
                self.form = Form::Done;
                return Some(value);
            }
            Form::Two => self.nth_of_two(index),
            Form::Many => self.nth_of_many(index),
        };
        if !matches!(item, Some(Ok(_))) {
            self.form = Form::Done;
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(flags: u8, data: &[u8]) -> Vec<Result<TaggedValue<'_>, RecordError>> {
        let flags = TaggedFlags::from_bits_retain(flags);
        TaggedColumn { id: ColumnId(256), from_template: false, flags, data }.values().take(9).collect()
    }

    #[test]
    fn every_form() {
        use TaggedValue::{Compressed, Plain, Separated};
        assert_eq!(values(0x00, b"abc"), [Ok(Plain(b"abc"))]);
        assert_eq!(values(0x01, b""), [Ok(Plain(b""))]);
        assert_eq!(values(0x03, b"\x0f1"), [Ok(Compressed(b"\x0f1"))]);
        assert_eq!(values(0x05, &[7, 0, 0, 0]), [Ok(Separated(LongValueId(7)))]);
        assert_eq!(
            values(0x05, &[1, 0, 0, 0x80, 0, 0, 0, 0x80]),
            [Ok(Separated(LongValueId(0x8000_0000_8000_0001)))]
        );
        assert_eq!(values(0x20, b""), []);
        assert_eq!(values(0x18, b"\x02abc"), [Ok(Plain(b"ab")), Ok(Plain(b"c"))]);
        let many = [6, 0, 8, 0x80, 12, 0, b'x', b'y', 9, 0, 0, 0, b'z'];
        assert_eq!(
            values(0x0B, &many),
            [Ok(Compressed(b"xy")), Ok(Separated(LongValueId(9))), Ok(Plain(b"z"))]
        );
    }

    #[test]
    fn broken_forms_are_errors() {
        assert!(values(0x05, &[1, 2, 3])[0].is_err());
        assert!(values(0x41, &[1, 2, 3])[0].is_err());
        assert!(values(0x80, &[1])[0].is_err());
        assert!(values(0x10, &[1])[0].is_err());
        assert!(values(0x18, &[9, 1])[0].is_err());
        for data in [&[][..], &[1, 0], &[3, 0, 0], &[8, 0, 1, 0], &[4, 0, 3, 0, 1], &[4, 0, 9, 0, 1]] {
            let found = values(0x08, data);
            assert!(found.iter().any(Result::is_err), "{data:?}: {found:?}");
        }
    }
}
