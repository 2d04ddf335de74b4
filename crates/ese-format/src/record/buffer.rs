//! A record that is being changed: columns set one after the other, in the stored form all the time.

use super::{ColumnId, RecordError, RecordView};
use crate::{JetError, PageSize};

/// What the engine puts into bytes of a record that nothing has been written to.
const FILLER: u8 = b'*';
/// Header of a record without columns.
const MINIMUM: [u8; 4] = [0, 127, 4, 0];

/// What a record has to know of its table to get a column that lies behind its last one: the columns that come in between
/// get their default values.
pub trait RecordColumns {
    /// Offset and size of a fixed column's slot; `None` for a column that the table does not have.
    fn fixed_slot(&self, column: ColumnId) -> Option<(usize, usize)>;

    /// The default value that is stored for a fixed or variable column which is passed over.
    fn default_value(&self, column: ColumnId) -> Option<&[u8]>;
}

/// Why a record cannot be changed. It is as it was then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordEditError {
    /// The record itself is broken.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The table has no such column, or it is one of another kind.
    #[error("no column {column} of this kind")]
    NoSuchColumn {
        /// Column.
        column: ColumnId,
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
    /// The record would become longer than it may be.
    #[error("record of {length} bytes, at most {limit}")]
    TooBig {
        /// Length that it would have.
        length: usize,
        /// Longest record.
        limit: usize,
    },
    /// Only the first value of a column can be a compressed one.
    #[error("column {column}: value {instance} cannot be compressed")]
    CompressedInstance {
        /// Column.
        column: ColumnId,
        /// Number of the value, from 1; 0 for a new one.
        instance: u32,
    },
}

impl RecordEditError {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        match self {
            Self::Record(error) => error.jet_error(),
            Self::NoSuchColumn { .. } => JetError::COLUMN_NOT_FOUND,
            Self::SlotSize { .. } => JetError::INVALID_BUFFER_SIZE,
            Self::TooBig { .. } => JetError::RECORD_TOO_BIG,
            Self::CompressedInstance { .. } => JetError::INTERNAL_ERROR,
        }
    }
}

/// A record in memory whose columns can be set. Its bytes are a record at any time.
///
/// Columns that lie between the last one of the record and one that is set come in with their default values, because the
/// record's own null bits count for them from then on.
#[doc(alias = "dataWorkBuf")]
#[derive(Clone, Debug)]
pub struct RecordBuffer {
    pub(super) bytes: Vec<u8>,
    pub(super) page_size: PageSize,
    pub(super) limit: usize,
    /// Memory for the tagged part while it is written anew.
    pub(super) scratch: Vec<u8>,
}

/// Where the parts of a record are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    last_fixed: usize,
    last_variable: usize,
    /// Where the fixed values end and the null bits begin.
    bitmap: usize,
    /// Where the null bits end and the offset table begins.
    fixed_end: usize,
    /// Where the offset table ends and the variable data begins.
    table_end: usize,
    /// Where the tagged part begins.
    pub(super) tagged: usize,
}

impl RecordBuffer {
    /// A record without columns, of at most `limit` bytes (see [`largest_record`](super::largest_record)).
    #[must_use]
    pub fn new(page_size: PageSize, limit: usize) -> Self {
        Self { bytes: MINIMUM.to_vec(), page_size, limit, scratch: Vec::new() }
    }

    /// Makes it a record without columns again.
    pub fn clear(&mut self) {
        self.load(&MINIMUM);
    }

    /// Takes another record's bytes.
    pub fn load(&mut self, record: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(record);
    }

    /// The record.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Longest record that it may become.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Reads it.
    ///
    /// # Errors
    /// As [`RecordView::parse`].
    pub fn view(&self) -> Result<RecordView<'_>, RecordError> {
        RecordView::parse(&self.bytes, self.page_size)
    }

    pub(super) fn parts(&self) -> Result<Parts, RecordError> {
        // Parsing checks that each part lies within the record.
        let view = self.view()?;
        let (last_fixed, last_variable) = (usize::from(view.last_fixed()), usize::from(view.last_variable()));
        let bitmap = 4 + view.fixed_values_end().saturating_sub(4);
        let fixed_end = bitmap + last_fixed.div_ceil(8);
        let table_end = fixed_end + 2 * (last_variable - 127);
        let variable = match self.bytes.get(table_end.saturating_sub(2)..table_end) {
            Some(&[low, high]) if last_variable > 127 => {
                usize::from(u16::from_le_bytes([low, high]) & 0x7FFF)
            }
            _ => 0,
        };
        Ok(Parts { last_fixed, last_variable, bitmap, fixed_end, table_end, tagged: table_end + variable })
    }

    pub(super) fn check_length(&self, length: usize) -> Result<(), RecordEditError> {
        if length > self.limit {
            return Err(RecordEditError::TooBig { length, limit: self.limit });
        }
        Ok(())
    }

    /// Makes room for `len` bytes at `at`; what they hold is undefined.
    fn open_gap(&mut self, at: usize, len: usize) {
        let end = self.bytes.len();
        self.bytes.reserve(len);
        self.bytes.resize(end + len, FILLER);
        if at < end && len > 0 {
            self.bytes.copy_within(at..end, at + len);
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(target) = self.bytes.get_mut(at..at + bytes.len()) {
            target.copy_from_slice(bytes);
        }
    }

    fn set_null_bit(&mut self, bitmap: usize, column: usize, null: bool) {
        let Some(bit) = column.checked_sub(1) else { return };
        if let Some(byte) = self.bytes.get_mut(bitmap + bit / 8) {
            let mask = 1 << (bit % 8);
            *byte = if null { *byte | mask } else { *byte & !mask };
        }
    }

    /// Sets a fixed column to `value`, which has the size of its slot, or to null.
    ///
    /// # Errors
    /// [`RecordEditError`]; the record is as it was.
    #[doc(alias = "ErrRECISetFixedColumn")]
    pub fn set_fixed(
        &mut self,
        columns: &impl RecordColumns,
        column: ColumnId,
        value: Option<&[u8]>,
    ) -> Result<(), RecordEditError> {
        let (offset, size) = columns.fixed_slot(column).ok_or(RecordEditError::NoSuchColumn { column })?;
        if let Some(value) = value
            && value.len() != size
        {
            return Err(RecordEditError::SlotSize { column, expected: size, found: value.len() });
        }
        let id = usize::from(column.0);
        let parts = self.parts()?;
        let mut bitmap = parts.bitmap;
        if id > parts.last_fixed {
            self.grow_fixed(columns, column, offset + size, parts)?;
            bitmap = offset + size;
        }
        if offset + size > bitmap {
            let limit = bitmap;
            return Err(RecordError::FixedBounds { column: column.0, offset, size, limit }.into());
        }
        self.set_null_bit(bitmap, id, value.is_none());
        if let Some(value) = value {
            self.put(offset, value);
        }
        Ok(())
    }

    /// Makes a fixed column one that the record says something about: its default value, or null, where it said nothing.
    ///
    /// # Errors
    /// [`RecordEditError`]; the record is as it was.
    pub fn include_fixed(
        &mut self,
        columns: &impl RecordColumns,
        column: ColumnId,
    ) -> Result<(), RecordEditError> {
        let (offset, size) = columns.fixed_slot(column).ok_or(RecordEditError::NoSuchColumn { column })?;
        let parts = self.parts()?;
        if usize::from(column.0) > parts.last_fixed {
            self.grow_fixed(columns, column, offset + size, parts)?;
        }
        Ok(())
    }

    /// Makes `column` the last fixed one of the record.
    fn grow_fixed(
        &mut self,
        columns: &impl RecordColumns,
        column: ColumnId,
        values_end: usize,
        old: Parts,
    ) -> Result<(), RecordEditError> {
        let id = usize::from(column.0);
        let end = values_end + id.div_ceil(8);
        let field =
            u16::try_from(end).map_err(|_| RecordEditError::TooBig { length: end, limit: self.limit })?;
        if values_end < old.bitmap {
            let (offset, limit) = (values_end, old.bitmap);
            return Err(RecordError::FixedBounds { column: column.0, offset, size: 0, limit }.into());
        }
        let grown = end - old.fixed_end;
        self.check_length(self.bytes.len() + grown)?;
        self.open_gap(old.fixed_end, grown);
        // The null bits move behind the new values; those of new columns, and of none, are 1.
        let bitmap = old.bitmap..old.fixed_end;
        let bits = bitmap.len();
        self.bytes.copy_within(bitmap, values_end);
        if let Some(rest) = self.bytes.get_mut(values_end + bits..end) {
            rest.fill(0xFF);
        }
        for unused in old.last_fixed + 1..=8 * bits {
            self.set_null_bit(values_end, unused, true);
        }
        if let Some(new) = self.bytes.get_mut(old.bitmap..values_end) {
            new.fill(FILLER);
        }
        self.put(0, &[id as u8]);
        self.put(2, &field.to_le_bytes());
        for passed in old.last_fixed + 1..=id {
            let passed_id = ColumnId(passed as u16);
            let Some(value) = columns.default_value(passed_id) else { continue };
            let Some((offset, size)) = columns.fixed_slot(passed_id) else { continue };
            if value.len() == size && offset + size <= values_end {
                self.put(offset, value);
                self.set_null_bit(values_end, passed, false);
            }
        }
        Ok(())
    }

    /// Sets a variable column to `value` or to null.
    ///
    /// # Errors
    /// [`RecordEditError`]; the record is as it was.
    #[doc(alias = "ErrRECISetVarColumn")]
    pub fn set_variable(
        &mut self,
        columns: &impl RecordColumns,
        column: ColumnId,
        value: Option<&[u8]>,
    ) -> Result<(), RecordEditError> {
        if !column.is_variable() {
            return Err(RecordEditError::NoSuchColumn { column });
        }
        let id = usize::from(column.0);
        let len = value.map_or(0, <[u8]>::len);
        let mut parts = self.parts()?;
        if id > parts.last_variable {
            parts = self.grow_variable(columns, column, len, parts)?;
        }
        let entry = parts.fixed_end + 2 * (id - 128);
        let start = if id == 128 { 0 } else { self.word(entry - 2) & 0x7FFF };
        let end = self.word(entry) & 0x7FFF;
        let old = end.checked_sub(start).filter(|_| parts.table_end + end <= self.bytes.len());
        let bounds = RecordError::VariableBounds { column: column.0, start, end, limit: self.bytes.len() };
        let old = old.ok_or(bounds)?;
        self.check_length(self.bytes.len() - old + len)?;
        let at = parts.table_end + start;
        if len > old {
            self.open_gap(at + old, len - old);
        } else {
            self.bytes.drain(at + len..at + old);
        }
        if let Some(value) = value {
            self.put(at, value);
        }
        for later in id..=parts.last_variable {
            let at = parts.fixed_end + 2 * (later - 128);
            let word = self.word(at);
            let null = if later != id {
                word & 0x8000
            } else if value.is_none() {
                0x8000
            } else {
                0
            };
            let end = (word & 0x7FFF) + len - old;
            self.put(at, &((end | null) as u16).to_le_bytes());
        }
        Ok(())
    }

    fn word(&self, at: usize) -> usize {
        let word = self.bytes.get(at..).and_then(|b| b.first_chunk::<2>());
        word.map_or(0, |&b| usize::from(u16::from_le_bytes(b)))
    }

    /// Makes `column` the last variable one of the record, null; `len` bytes are going to be put there. Returns where the
    /// parts are then.
    fn grow_variable(
        &mut self,
        columns: &impl RecordColumns,
        column: ColumnId,
        len: usize,
        parts: Parts,
    ) -> Result<Parts, RecordEditError> {
        let id = usize::from(column.0);
        let default = |id: usize| columns.default_value(ColumnId(id as u16));
        let passed = parts.last_variable + 1..id;
        let defaults: usize = passed.clone().filter_map(default).map(<[u8]>::len).sum();
        let table = 2 * (id - parts.last_variable);
        self.check_length(self.bytes.len() + table + defaults + len)?;
        self.open_gap(parts.tagged, defaults);
        self.open_gap(parts.table_end, table);
        let mut end = parts.tagged - parts.table_end;
        for new in parts.last_variable + 1..=id {
            let value = if new == id { None } else { default(new) };
            if let Some(value) = value {
                self.put(parts.table_end + table + end, value);
                end += value.len();
            }
            let null = if value.is_none() { 0x8000 } else { 0 };
            let at = parts.fixed_end + 2 * (new - 128);
            self.put(at, &((end | null) as u16).to_le_bytes());
        }
        self.put(1, &[id as u8]);
        let table_end = parts.table_end + table;
        Ok(Parts { last_variable: id, table_end, tagged: table_end + end, ..parts })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ColumnState;
    use super::*;

    /// Fixed columns of the sizes given, variable ones without limit, and defaults.
    struct Columns {
        sizes: Vec<usize>,
        defaults: Vec<(u16, Vec<u8>)>,
    }

    impl RecordColumns for Columns {
        fn fixed_slot(&self, column: ColumnId) -> Option<(usize, usize)> {
            let before = usize::from(column.0).checked_sub(1)?;
            let offset = 4 + self.sizes.get(..before)?.iter().sum::<usize>();
            Some((offset, *self.sizes.get(before)?))
        }

        fn default_value(&self, column: ColumnId) -> Option<&[u8]> {
            self.defaults.iter().find(|(id, _)| *id == column.0).map(|(_, v)| v.as_slice())
        }
    }

    fn page() -> PageSize {
        PageSize::new(8192).unwrap()
    }

    #[test]
    fn columns_in_between_get_their_defaults() {
        let columns = Columns {
            sizes: vec![4, 2, 1, 2],
            defaults: vec![(2, vec![7, 8]), (128, b"dd".to_vec()), (130, b"z".to_vec())],
        };
        let mut record = RecordBuffer::new(page(), 100);
        assert_eq!(record.bytes(), [0, 127, 4, 0]);
        record.set_fixed(&columns, ColumnId(3), Some(&[9])).unwrap();
        assert_eq!(record.bytes(), b"\x03\x7F\x0C\0****\x07\x08\x09\xF9");
        record.set_variable(&columns, ColumnId(129), Some(b"abc")).unwrap();
        assert_eq!(record.bytes(), b"\x03\x81\x0C\0****\x07\x08\x09\xF9\x02\0\x05\0ddabc");
        record.set_fixed(&columns, ColumnId(1), Some(&[1, 2, 3, 4])).unwrap();
        record.set_fixed(&columns, ColumnId(2), None).unwrap();
        record.set_variable(&columns, ColumnId(128), None).unwrap();
        assert_eq!(record.bytes(), b"\x03\x81\x0C\0\x01\x02\x03\x04\x07\x08\x09\xFA\0\x80\x03\0abc");
        record.set_variable(&columns, ColumnId(131), Some(b"")).unwrap();
        assert_eq!(
            record.bytes(),
            b"\x03\x83\x0C\0\x01\x02\x03\x04\x07\x08\x09\xFA\0\x80\x03\0\x04\0\x04\0abcz"
        );
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let columns = Columns { sizes: vec![4, 4], defaults: vec![(128, vec![1; 20])] };
        let mut record = RecordBuffer::new(page(), 24);
        record.set_fixed(&columns, ColumnId(1), Some(&[1; 4])).unwrap();
        let before = record.bytes().to_vec();
        let too_big = record.set_variable(&columns, ColumnId(129), Some(b"a"));
        assert_eq!(too_big, Err(RecordEditError::TooBig { length: 34, limit: 24 }));
        assert_eq!(record.bytes(), before);
        assert!(record.set_variable(&columns, ColumnId(128), Some(&[2; 13])).is_ok());
        let slot = record.set_fixed(&columns, ColumnId(2), Some(&[1; 3]));
        assert!(matches!(slot, Err(RecordEditError::SlotSize { expected: 4, found: 3, .. })));
        assert!(matches!(
            record.set_fixed(&columns, ColumnId(2), None),
            Err(RecordEditError::TooBig { length: 28, .. })
        ));
        assert!(record.set_fixed(&columns, ColumnId(3), None).is_err());
    }

    proptest! {
        #[test]
        fn reads_back_what_was_set(
            sets in prop::collection::vec((0..12_u16, prop::option::of(prop::collection::vec(any::<u8>(), 0..9))), 0..40)
        ) {
            let columns = Columns { sizes: vec![3; 6], defaults: vec![(4, vec![5; 3]), (129, b"xy".to_vec())] };
            let mut record = RecordBuffer::new(page(), 4000);
            let mut model: Vec<Option<Option<Vec<u8>>>> = vec![None; 12];
            for (which, value) in sets {
                if which < 6 {
                    let value = value.map(|mut v| { v.resize(3, 1); v });
                    record.set_fixed(&columns, ColumnId(which + 1), value.as_deref()).unwrap();
                    model[usize::from(which)] = Some(value);
                } else {
                    record.set_variable(&columns, ColumnId(which + 122), value.as_deref()).unwrap();
                    model[usize::from(which)] = Some(value);
                }
            }
            let view = record.view().unwrap();
            for which in 0..12_u16 {
                let id = ColumnId(if which < 6 { which + 1 } else { which + 122 });
                let found = if which < 6 {
                    view.fixed(id, 4 + 3 * usize::from(which), 3).unwrap()
                } else {
                    view.variable(id).unwrap()
                };
                let default = columns.default_value(id).map(<[u8]>::to_vec);
                let expected = model[usize::from(which)].clone().unwrap_or(default);
                match found {
                    ColumnState::Absent => prop_assert!(model[usize::from(which)].is_none()),
                    ColumnState::Null => prop_assert_eq!(expected, None),
                    ColumnState::Value(v) => prop_assert_eq!(expected, Some(v.to_vec())),
                }
            }
        }
    }
}
