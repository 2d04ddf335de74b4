//! Putting a record together: the inverse of [`RecordView`](super::RecordView).

use super::{ColumnId, TaggedFlags, TaggedValue};
use crate::{JetError, PageSize};

/// What the engine puts into the slot of a fixed column that is null.
const NULL_SLOT: u8 = b'*';
/// Most bytes of one value in the form for two values.
const MAX_OF_TWO: usize = 255;

/// The slot of one fixed column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedSlot<'a> {
    /// Bytes of the slot: the size of the column's type, or its largest size.
    pub size: usize,
    /// The value, exactly `size` bytes; `None` for null.
    pub value: Option<&'a [u8]>,
}

/// One tagged column with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedContent<'a> {
    /// Column.
    pub id: ColumnId,
    /// The column belongs to the template table.
    pub from_template: bool,
    /// The column is long text or long binary.
    pub long_value: bool,
    /// The values in order; none makes the column explicitly null.
    pub values: Vec<TaggedValue<'a>>,
}

/// A record taken apart. Encoding and reading with [`RecordView`](super::RecordView) gives the same values back.
///
/// Columns behind the last fixed and the last variable one are absent: they have their default value, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordContent<'a> {
    /// Fixed columns 1, 2, 3 … without a gap: each has its slot, deleted ones too. At most 127.
    pub fixed: Vec<FixedSlot<'a>>,
    /// Variable columns 128, 129 … without a gap; `None` for null. At most 128.
    pub variable: Vec<Option<&'a [u8]>>,
    /// Tagged columns: those of the template first, then by id, strictly ascending.
    pub tagged: Vec<TaggedContent<'a>>,
}

/// Why values do not make a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordEncodeError {
    /// More fixed or variable columns than there are numbers for.
    #[error("{found} columns, at most {limit}")]
    TooManyColumns {
        /// How many.
        found: usize,
        /// Most that can be.
        limit: usize,
    },
    /// A fixed column's value has another size than its slot.
    #[error("fixed column {column}: value of {found} bytes for a slot of {expected}")]
    SlotSize {
        /// Column.
        column: ColumnId,
        /// Size of the slot.
        expected: usize,
        /// Length of the value.
        found: usize,
    },
    /// Tagged columns out of order, or one with a number of another kind.
    #[error("tagged column {column} is out of order")]
    TaggedOrder {
        /// Column.
        column: ColumnId,
    },
    /// A value in a form that its place cannot have: a separated or compressed value of a column that is no long value,
    /// or a compressed one behind the first.
    #[error("tagged column {column}: value {instance} cannot be stored in this form")]
    ValueForm {
        /// Column.
        column: ColumnId,
        /// Number of the value, from 1.
        instance: usize,
    },
    /// An offset would not fit its field.
    #[error("record of more than {limit} bytes")]
    TooLong {
        /// What the offset fields can hold.
        limit: usize,
    },
}

impl RecordEncodeError {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        match self {
            Self::TooManyColumns { .. } | Self::TooLong { .. } => JetError::RECORD_TOO_BIG,
            Self::SlotSize { .. } => JetError::INVALID_BUFFER_SIZE,
            Self::TaggedOrder { .. } => JetError::BAD_COLUMN_ID,
            Self::ValueForm { .. } => JetError::INVALID_COLUMN_TYPE,
        }
    }
}

/// Longest record of a table whose primary keys have at most `key_most` bytes (4 for a table without primary index).
#[doc(alias = "REC::CbRecordMost")]
#[must_use]
pub fn largest_record(page_size: PageSize, key_most: usize) -> usize {
    // A page without its header, its own first tag and the node's.
    let body = page_size.len().saturating_sub(page_size.page_header_len() + 8);
    if page_size.is_large() {
        body.saturating_sub(4 + key_most)
    } else {
        body.saturating_sub(2 + (key_most + 2).max(255))
    }
}

impl RecordContent<'_> {
    /// The record as stored; `page_size` selects the form of tagged columns.
    ///
    /// # Errors
    /// [`RecordEncodeError`], in none of whose cases a record exists.
    pub fn encode(&self, page_size: PageSize) -> Result<Vec<u8>, RecordEncodeError> {
        let mut out = self.fixed_part()?;
        self.variable_part(&mut out)?;
        self.tagged_part(page_size, &mut out)?;
        Ok(out)
    }

    fn fixed_part(&self) -> Result<Vec<u8>, RecordEncodeError> {
        let count = self.fixed.len();
        let last_fixed = u8::try_from(count).ok().filter(|&n| n <= 127);
        let last_fixed = last_fixed.ok_or(RecordEncodeError::TooManyColumns { found: count, limit: 127 })?;
        let variable = self.variable.len();
        let last_variable = u8::try_from(variable + 127)
            .map_err(|_| RecordEncodeError::TooManyColumns { found: variable, limit: 128 })?;
        let mut out = vec![last_fixed, last_variable, 0, 0];
        // Bits behind the last column are 1.
        let mut nulls = vec![0xFF_u8; count.div_ceil(8)];
        for (index, slot) in self.fixed.iter().enumerate() {
            let Some(value) = slot.value else {
                out.resize(out.len() + slot.size, NULL_SLOT);
                continue;
            };
            if value.len() != slot.size {
                let column = ColumnId(index as u16 + 1);
                return Err(RecordEncodeError::SlotSize { column, expected: slot.size, found: value.len() });
            }
            out.extend_from_slice(value);
            if let Some(byte) = nulls.get_mut(index / 8) {
                *byte &= !(1 << (index % 8));
            }
        }
        out.extend_from_slice(&nulls);
        let end = offset(out.len(), 0xFFFF)?;
        if let Some(field) = out.get_mut(2..4) {
            field.copy_from_slice(&end.to_le_bytes());
        }
        Ok(out)
    }

    fn variable_part(&self, out: &mut Vec<u8>) -> Result<(), RecordEncodeError> {
        let mut end = 0;
        for value in &self.variable {
            end += value.map_or(0, <[u8]>::len);
            let null = if value.is_none() { 0x8000 } else { 0 };
            out.extend_from_slice(&(offset(end, 0x7FFF)? | null).to_le_bytes());
        }
        self.variable.iter().flatten().for_each(|value| out.extend_from_slice(value));
        Ok(())
    }

    fn tagged_part(&self, page_size: PageSize, out: &mut Vec<u8>) -> Result<(), RecordEncodeError> {
        let large = page_size.is_large();
        let most = if large { 0x7FFF } else { 0x1FFF };
        let mut data = Vec::new();
        let mut before = None;
        for column in &self.tagged {
            let rank = (!column.from_template, column.id);
            if !column.id.is_tagged() || before.is_some_and(|before| before >= rank) {
                return Err(RecordEncodeError::TaggedOrder { column: column.id });
            }
            before = Some(rank);
            let mut word = offset(4 * self.tagged.len() + data.len(), most)?;
            if column.from_template {
                word |= 0x8000;
            }
            let flags = column.flags(large)?;
            if large {
                data.push(flags.bits());
            } else if flags.contains(TaggedFlags::NULL) {
                word |= 0x2000;
            } else if !flags.is_empty() {
                word |= 0x4000;
                data.push(flags.bits());
            }
            column.encode_values(flags, &mut data)?;
            out.extend_from_slice(&column.id.0.to_le_bytes());
            out.extend_from_slice(&word.to_le_bytes());
        }
        // The last column ends with the record.
        offset(4 * self.tagged.len() + data.len(), most)?;
        out.extend_from_slice(&data);
        Ok(())
    }
}

impl TaggedContent<'_> {
    fn flags(&self, large: bool) -> Result<TaggedFlags, RecordEncodeError> {
        let mut flags = TaggedFlags::empty();
        for (index, value) in self.values.iter().enumerate() {
            let allowed = match value {
                TaggedValue::Plain(_) => true,
                TaggedValue::Compressed(_) => self.long_value && index == 0,
                TaggedValue::Separated(_) => self.long_value,
            };
            if !allowed {
                return Err(RecordEncodeError::ValueForm { column: self.id, instance: index + 1 });
            }
        }
        flags.set(TaggedFlags::LONG_VALUE, self.long_value);
        match self.values.as_slice() {
            [] if large => flags.insert(TaggedFlags::NULL),
            // Small pages say it in the entry, and nothing else.
            [] => flags = TaggedFlags::NULL,
            [TaggedValue::Plain(_)] => {}
            [TaggedValue::Compressed(_)] => flags.insert(TaggedFlags::COMPRESSED),
            [TaggedValue::Separated(_)] => flags.insert(TaggedFlags::SEPARATED),
            [TaggedValue::Plain(first), TaggedValue::Plain(second)]
                if !large && !self.long_value && first.len() <= MAX_OF_TWO && second.len() <= MAX_OF_TWO =>
            {
                flags.insert(TaggedFlags::MULTI_VALUES | TaggedFlags::TWO_VALUES);
            }
            [first, ..] => {
                flags.insert(TaggedFlags::MULTI_VALUES);
                flags.set(TaggedFlags::COMPRESSED, matches!(first, TaggedValue::Compressed(_)));
            }
        }
        Ok(flags)
    }

    fn encode_values(&self, flags: TaggedFlags, out: &mut Vec<u8>) -> Result<(), RecordEncodeError> {
        if flags.contains(TaggedFlags::TWO_VALUES) {
            let first = self.values.first().map_or(0, |value| value.stored_len());
            out.push(u8::try_from(first).unwrap_or(u8::MAX));
        } else if flags.contains(TaggedFlags::MULTI_VALUES) {
            let mut start = 2 * self.values.len();
            for value in &self.values {
                let separated = matches!(value, TaggedValue::Separated(_));
                let word = offset(start, 0x7FFF)? | if separated { 0x8000 } else { 0 };
                out.extend_from_slice(&word.to_le_bytes());
                start += value.stored_len();
            }
        }
        for value in &self.values {
            match value {
                TaggedValue::Plain(bytes) | TaggedValue::Compressed(bytes) => out.extend_from_slice(bytes),
                TaggedValue::Separated(id) => out.extend_from_slice(&id.to_record()),
            }
        }
        Ok(())
    }
}

impl TaggedValue<'_> {
    /// Bytes of the value in the record.
    #[must_use]
    pub const fn stored_len(&self) -> usize {
        match self {
            Self::Plain(bytes) | Self::Compressed(bytes) => bytes.len(),
            Self::Separated(id) => {
                if id.is_64_bit() {
                    8
                } else {
                    4
                }
            }
        }
    }
}

fn offset(value: usize, limit: usize) -> Result<u16, RecordEncodeError> {
    u16::try_from(value).ok().filter(|&v| usize::from(v) <= limit).ok_or(RecordEncodeError::TooLong { limit })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ColumnState, RecordView};
    use super::*;
    use crate::LongValueId;

    fn size(bytes: u32) -> PageSize {
        PageSize::new(bytes).unwrap()
    }

    #[test]
    fn rows_of_a_real_catalog() {
        // The table row of MSysObjects, and the row of its first column.
        let fixed = |list: &[(usize, Option<&'static [u8]>)]| -> Vec<FixedSlot<'static>> {
            list.iter().map(|&(size, value)| FixedSlot { size, value }).collect()
        };
        let table = RecordContent {
            fixed: fixed(&[
                (4, Some(&[2, 0, 0, 0])),
                (2, Some(&[1, 0])),
                (4, Some(&[2, 0, 0, 0])),
                (4, Some(&[4, 0, 0, 0])),
                (4, Some(&[0x50, 0, 0, 0])),
                (4, Some(&[0, 0, 0, 0xC0])),
                (4, Some(&[0x14, 0, 0, 0])),
                (1, Some(&[0xFF])),
            ]),
            variable: vec![Some(b"MSysObjects")],
            tagged: Vec::new(),
        };
        let expected = b"\x08\x80\x20\0\x02\0\0\0\x01\0\x02\0\0\0\x04\0\0\0\x50\0\0\0\0\0\0\xC0\x14\0\0\0\xFF\0\x0B\0MSysObjects";
        assert_eq!(table.encode(size(4096)).unwrap(), expected);
        let null = RecordContent {
            fixed: fixed(&[(1, None), (2, Some(&[4, 0]))]),
            variable: vec![Some(b"ab"), None],
            tagged: Vec::new(),
        };
        assert_eq!(null.encode(size(4096)).unwrap(), b"\x02\x81\x08\0*\x04\0\xFD\x02\0\x02\x80ab");
        assert_eq!(RecordContent::default().encode(size(4096)).unwrap(), [0, 0x7F, 4, 0]);
    }

    #[test]
    fn tagged_forms_of_both_page_kinds() {
        let column = |values: Vec<TaggedValue<'static>>, long_value| RecordContent {
            tagged: vec![TaggedContent { id: ColumnId(261), from_template: false, long_value, values }],
            ..RecordContent::default()
        };
        let tail = |content: RecordContent<'_>, bytes| content.encode(size(bytes)).unwrap()[4..].to_vec();
        let name = || column(vec![TaggedValue::Plain(b"en")], true);
        assert_eq!(tail(name(), 8192), b"\x05\x01\x04\x40\x01en");
        assert_eq!(tail(name(), 32768), b"\x05\x01\x04\x00\x01en");
        let plain = || column(vec![TaggedValue::Plain(b"xy")], false);
        assert_eq!(tail(plain(), 8192), b"\x05\x01\x04\x00xy");
        assert_eq!(tail(plain(), 32768), b"\x05\x01\x04\x00\x00xy");
        assert_eq!(tail(column(vec![], true), 8192), b"\x05\x01\x04\x20");
        let two = || column(vec![TaggedValue::Plain(b"ab"), TaggedValue::Plain(b"c")], false);
        assert_eq!(tail(two(), 8192), b"\x05\x01\x04\x40\x18\x02abc");
        assert_eq!(tail(two(), 16384), b"\x05\x01\x04\x00\x08\x04\0\x06\0abc");
        let separated =
            || column(vec![TaggedValue::Plain(b"a"), TaggedValue::Separated(LongValueId(9))], true);
        assert_eq!(tail(separated(), 8192), b"\x05\x01\x04\x40\x09\x04\0\x05\x80a\x09\0\0\0");
    }

    #[test]
    fn impossible_records_are_refused() {
        let slot = RecordContent {
            fixed: vec![FixedSlot { size: 4, value: Some(b"abc") }],
            ..RecordContent::default()
        };
        assert!(matches!(slot.encode(size(4096)), Err(RecordEncodeError::SlotSize { found: 3, .. })));
        let many = RecordContent { variable: vec![None; 129], ..RecordContent::default() };
        assert!(matches!(many.encode(size(4096)), Err(RecordEncodeError::TooManyColumns { .. })));
        let long = vec![0; 9000];
        let tagged = |id, values, long_value| TaggedContent {
            id: ColumnId(id),
            from_template: false,
            long_value,
            values,
        };
        let record = |tagged| RecordContent { tagged, ..RecordContent::default() };
        let too_long = record(vec![tagged(256, vec![TaggedValue::Plain(&long)], true)]);
        assert!(matches!(too_long.encode(size(8192)), Err(RecordEncodeError::TooLong { limit: 0x1FFF })));
        assert!(too_long.encode(size(16384)).is_ok());
        let twice = record(vec![tagged(256, vec![], true), tagged(256, vec![], true)]);
        assert!(matches!(twice.encode(size(8192)), Err(RecordEncodeError::TaggedOrder { .. })));
        let form = record(vec![tagged(256, vec![TaggedValue::Separated(LongValueId(1))], false)]);
        assert!(matches!(form.encode(size(8192)), Err(RecordEncodeError::ValueForm { instance: 1, .. })));
    }

    #[test]
    fn largest_records() {
        let most = |bytes| largest_record(size(bytes), 255);
        assert_eq!((most(4096), most(8192)), (3789, 7885));
        assert_eq!((largest_record(size(4096), 4), largest_record(size(32768), 255)), (3791, 32421));
    }

    type Owned =
        (Vec<(usize, Option<Vec<u8>>)>, Vec<Option<Vec<u8>>>, Vec<(u16, bool, bool, Vec<(u8, Vec<u8>)>)>);

    fn contents() -> impl Strategy<Value = Owned> {
        let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
        let fixed = (1..17_usize).prop_flat_map(|size| {
            prop::option::of(prop::collection::vec(any::<u8>(), size)).prop_map(move |v| (size, v))
        });
        let values = prop::collection::vec((0..3_u8, prop::collection::vec(any::<u8>(), 0..300)), 0..4);
        let tagged = (256..300_u16, any::<bool>(), any::<bool>(), values);
        (
            prop::collection::vec(fixed, 0..20),
            prop::collection::vec(prop::option::of(bytes(40)), 0..20),
            prop::collection::vec(tagged, 0..6),
        )
    }

    proptest! {
        #[test]
        fn values_come_back((fixed, variable, mut tagged) in contents(), page in 0..4_usize) {
            let page = size([4096, 8192, 16384, 32768][page]);
            tagged.sort_by_key(|t| (!t.1, t.0));
            tagged.dedup_by_key(|t| (!t.1, t.0));
            let content = RecordContent {
                fixed: fixed.iter().map(|(size, v)| FixedSlot { size: *size, value: v.as_deref() }).collect(),
                variable: variable.iter().map(Option::as_deref).collect(),
                tagged: tagged.iter().map(|(id, from_template, long_value, values)| TaggedContent {
                    id: ColumnId(*id),
                    from_template: *from_template,
                    long_value: *long_value,
                    values: values.iter().enumerate().map(|(i, (form, v))| match form {
                        1 if *long_value && i == 0 => TaggedValue::Compressed(v),
                        2 if *long_value => TaggedValue::Separated(LongValueId(v.len() as u64 + 1)),
                        _ => TaggedValue::Plain(v),
                    }).collect(),
                }).collect(),
            };
            let Ok(record) = content.encode(page) else {
                prop_assert!(!page.is_large(), "records of this size always fit large pages");
                return Ok(());
            };
            let view = RecordView::parse(&record, page).unwrap();
            let mut offset = 4;
            for (i, slot) in content.fixed.iter().enumerate() {
                let found = view.fixed(ColumnId(i as u16 + 1), offset, slot.size).unwrap();
                prop_assert_eq!(found, slot.value.map_or(ColumnState::Null, ColumnState::Value));
                offset += slot.size;
            }
            prop_assert_eq!(view.fixed_values_end(), offset);
            for (i, value) in content.variable.iter().enumerate() {
                let found = view.variable(ColumnId(i as u16 + 128)).unwrap();
                prop_assert_eq!(found, value.map_or(ColumnState::Null, ColumnState::Value));
            }
            let found: Vec<_> = view.tagged_columns().map(|c| {
                let c = c.unwrap();
                (c.id, c.from_template, c.values().map(Result::unwrap).collect::<Vec<_>>())
            }).collect();
            let expected: Vec<_> = content.tagged.iter()
                .map(|t| (t.id, t.from_template, t.values.clone())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
