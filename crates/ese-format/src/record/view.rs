//! Reading one record in place.

use super::{ColumnId, RecordError, TaggedColumn, TaggedFlags};
use crate::PageSize;

/// What a record says about a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnState<T> {
    /// Nothing: the default value applies, if the column has one; otherwise it is null.
    Absent,
    /// Null.
    Null,
    /// A value, possibly empty.
    Value(T),
}

/// A record, read in place. Parsing checks the header only; each access checks what it touches.
///
/// | off | size | field |
/// |---:|---:|---|
/// | 0 | 1 | highest fixed column present, 0 for none |
/// | 1 | 1 | highest variable column present, 127 for none |
/// | 2 | 2 | end of the fixed columns' null bitmap |
/// | 4 | – | fixed values, then the null bitmap (bit 1 = null) |
/// | – | 2 each | end offsets of the variable columns (bit 15 = null), then their data |
/// | – | – | tagged columns: 4-byte entries, then their data |
#[doc(alias = "REC")]
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    last_fixed: u8,
    last_variable: u8,
    /// Header and fixed values, without the bitmap.
    fixed: &'a [u8],
    null_bitmap: &'a [u8],
    offsets: &'a [[u8; 2]],
    variable: &'a [u8],
    tagged: &'a [u8],
    page_size: PageSize,
}

impl<'a> RecordView<'a> {
    /// Looks at the data of a table's leaf node. `page_size` selects the form of tagged columns.
    ///
    /// # Errors
    /// [`RecordError::TooShort`], [`RecordError::Header`], or [`RecordError::VariableBounds`] when the variable
    /// columns end outside the record.
    #[inline]
    pub fn parse(record: &'a [u8], page_size: PageSize) -> Result<Self, RecordError> {
        let Some(&[last_fixed, last_variable, end_low, end_high]) = record.first_chunk::<4>() else {
            return Err(RecordError::TooShort { len: record.len() });
        };
        let fixed_end = u16::from_le_bytes([end_low, end_high]);
        let header = RecordError::Header { last_fixed, last_variable, fixed_end, len: record.len() };
        let bitmap_len = usize::from(last_fixed).div_ceil(8);
        let (head, rest) = record.split_at_checked(usize::from(fixed_end)).ok_or(header)?;
        let values_end = head.len().checked_sub(bitmap_len).filter(|&end| end >= 4).ok_or(header)?;
        if last_fixed > 127 || last_variable < 127 {
            return Err(header);
        }
        let (fixed, null_bitmap) = head.split_at_checked(values_end).ok_or(header)?;
        let table_len = 2 * (usize::from(last_variable) - 127);
        let (table, rest) = rest.split_at_checked(table_len).ok_or(header)?;
        let offsets = table.as_chunks::<2>().0;
        let variable_end = offsets.last().map_or(0, |&e| usize::from(u16::from_le_bytes(e) & 0x7FFF));
        let (variable, tagged) = rest.split_at_checked(variable_end).ok_or(RecordError::VariableBounds {
            column: u16::from(last_variable),
            start: 0,
            end: variable_end,
            limit: rest.len(),
        })?;
        Ok(Self { last_fixed, last_variable, fixed, null_bitmap, offsets, variable, tagged, page_size })
    }

    /// Highest fixed column present, 0 for none.
    #[doc(alias = "fidFixedLastInRec")]
    #[must_use]
    pub const fn last_fixed(&self) -> u8 {
        self.last_fixed
    }

    /// Highest variable column present, 127 for none.
    #[doc(alias = "fidVarLastInRec")]
    #[must_use]
    pub const fn last_variable(&self) -> u8 {
        self.last_variable
    }

    /// Where the fixed values end and the null bitmap begins.
    #[must_use]
    pub const fn fixed_values_end(&self) -> usize {
        self.fixed.len()
    }

    /// The value of a fixed column, whose slot is `size` bytes at `offset`.
    ///
    /// # Errors
    /// [`RecordError::FixedBounds`] when the slot lies outside the fixed part of this record.
    #[inline]
    pub fn fixed(
        &self,
        column: ColumnId,
        offset: usize,
        size: usize,
    ) -> Result<ColumnState<&'a [u8]>, RecordError> {
        if column.0 > u16::from(self.last_fixed) || column.0 == 0 {
            return Ok(ColumnState::Absent);
        }
        let bit = usize::from(column.0) - 1;
        if self.null_bitmap.get(bit / 8).is_some_and(|b| b >> (bit % 8) & 1 != 0) {
            return Ok(ColumnState::Null);
        }
        let value = offset.checked_add(size).and_then(|end| self.fixed.get(offset..end));
        value.map(ColumnState::Value).ok_or(RecordError::FixedBounds {
            column: column.0,
            offset,
            size,
            limit: self.fixed.len(),
        })
    }

    /// The value of a variable column.
    ///
    /// # Errors
    /// [`RecordError::VariableBounds`] when its offsets are descending or outside the record.
    #[inline]
    pub fn variable(&self, column: ColumnId) -> Result<ColumnState<&'a [u8]>, RecordError> {
        let Some(index) = usize::from(column.0).checked_sub(128) else { return Ok(ColumnState::Absent) };
        let Some(entry) = self.offsets.get(index) else { return Ok(ColumnState::Absent) };
        let entry = u16::from_le_bytes(*entry);
        let start = match index.checked_sub(1).and_then(|before| self.offsets.get(before)) {
            Some(before) => usize::from(u16::from_le_bytes(*before) & 0x7FFF),
            None => 0,
        };
        let end = usize::from(entry & 0x7FFF);
        let value = self.variable.get(start..end).ok_or(RecordError::VariableBounds {
            column: column.0,
            start,
            end,
            limit: self.variable.len(),
        })?;
        Ok(if entry & 0x8000 != 0 { ColumnState::Null } else { ColumnState::Value(value) })
    }

    /// Number of tagged columns present.
    ///
    /// # Errors
    /// [`RecordError::TaggedBounds`] when the first entry's offset makes no sense.
    pub fn tagged_count(&self) -> Result<usize, RecordError> {
        if self.tagged.is_empty() {
            return Ok(0);
        }
        let start = self.tagged.get(2..).and_then(|b| b.first_chunk::<2>());
        let start = start.map_or(0, |&b| usize::from(u16::from_le_bytes(b) & self.offset_mask()));
        if start == 0 || !start.is_multiple_of(4) || start > self.tagged.len() {
            return Err(RecordError::TaggedBounds { entry: 0, start, end: start, limit: self.tagged.len() });
        }
        Ok(start / 4)
    }

    /// The tagged column at `entry` of the array, counted from 0.
    ///
    /// # Errors
    /// [`RecordError::TaggedBounds`] when its offsets are descending or outside the record.
    pub fn tagged_entry(&self, entry: usize) -> Result<TaggedColumn<'a>, RecordError> {
        let count = self.tagged_count()?;
        let bounds = |start, end| RecordError::TaggedBounds { entry, start, end, limit: self.tagged.len() };
        let (array, _) = self.tagged.split_at_checked(4 * count).unwrap_or_default();
        let array = array.as_chunks::<4>().0;
        let &[id_low, id_high, low, high] = array.get(entry).ok_or(bounds(0, 0))?;
        let word = u16::from_le_bytes([low, high]);
        let start = usize::from(word & self.offset_mask());
        let end = match array.get(entry + 1) {
            Some(&[_, _, low, high]) => usize::from(u16::from_le_bytes([low, high]) & self.offset_mask()),
            None => self.tagged.len(),
        };
        let mut data = self.tagged.get(start..end).ok_or(bounds(start, end))?;
        if start < 4 * count {
            return Err(bounds(start, end));
        }
        let mut flags = TaggedFlags::empty();
        if self.page_size.is_large() || word & 0x4000 != 0 {
            let (&info, rest) = data.split_first().ok_or(bounds(start, end))?;
            flags = TaggedFlags::from_bits_retain(info);
            data = rest;
        }
        if !self.page_size.is_large() && word & 0x2000 != 0 {
            flags.insert(TaggedFlags::NULL);
        }
        Ok(TaggedColumn {
            id: ColumnId(u16::from_le_bytes([id_low, id_high])),
            from_template: word & 0x8000 != 0,
            flags,
            data,
        })
    }

    /// Every tagged column in order. An unreadable one ends the sequence with its error. Order is checked: columns of
    /// the template first, then by id, strictly ascending.
    pub fn tagged_columns(&self) -> impl Iterator<Item = Result<TaggedColumn<'a>, RecordError>> + use<'a> {
        let view = *self;
        let (mut count, mut failed) = match view.tagged_count() {
            Ok(count) => (count, None),
            Err(error) => (1, Some(error)),
        };
        let mut entry = 0;
        let mut before = None;
        std::iter::from_fn(move || {
            if entry >= count {
                return None;
            }
            let item = match failed.take() {
                Some(error) => Err(error),
                None => view.tagged_entry(entry),
            };
            let item = item.and_then(|column| {
                let rank = (!column.from_template, column.id);
                if before.is_some_and(|before| before >= rank) {
                    return Err(RecordError::TaggedOrder { column: column.id.0, entry });
                }
                before = Some(rank);
                Ok(column)
            });
            entry += 1;
            if item.is_err() {
                count = 0;
            }
            Some(item)
        })
    }

    /// A tagged column, when it is present.
    ///
    /// # Errors
    /// [`RecordError::TaggedBounds`] when an entry that is looked at is broken.
    pub fn tagged(
        &self,
        column: ColumnId,
        from_template: bool,
    ) -> Result<Option<TaggedColumn<'a>>, RecordError> {
        let wanted = (!from_template, column);
        let (mut low, mut high) = (0, self.tagged_count()?);
        while low < high {
            let middle = low + (high - low) / 2;
            let found = self.tagged_entry(middle)?;
            match (!found.from_template, found.id).cmp(&wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(Some(found)),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    fn offset_mask(&self) -> u16 {
        if self.page_size.is_large() { 0x7FFF } else { 0x1FFF }
    }
}
