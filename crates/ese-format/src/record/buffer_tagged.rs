//! Setting tagged columns of a record in memory.

use super::buffer::{RecordBuffer, RecordEditError};
use super::{ColumnId, RecordError, TaggedColumn, TaggedFlags, TaggedValue};

/// The tagged column that is to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaggedTarget {
    /// Column.
    pub column: ColumnId,
    /// The column belongs to the template of the record's table.
    pub from_template: bool,
    /// The column is long text or long binary.
    pub long_value: bool,
    /// Null has to be said, because without an entry the column has its default value.
    pub explicit_null: bool,
}

/// Bits of an entry's offset word that are no offset.
const FROM_TEMPLATE: u16 = 0x8000;
const SMALL_EXTENDED: u16 = 0x4000;
const SMALL_NULL: u16 = 0x2000;
/// Most bytes of one value in the form for two values.
const MOST_OF_TWO: usize = 255;

/// What becomes of a column's entry.
enum Entry {
    Keep,
    Remove,
    /// The new flags; the new data lies in the buffer for it.
    Write(TaggedFlags),
}

impl RecordBuffer {
    /// Sets one value of a tagged column, or takes it away.
    ///
    /// Values are numbered from 1; a number behind the last, or 0, adds a value. Taking a value away moves the ones behind it
    /// forward; taking away one that is not there does nothing, except that the only value of a column without an entry
    /// becomes explicitly null where [`TaggedTarget::explicit_null`] says so. The forms are those the engine chooses: on small
    /// pages two values of a column that is no long value share one length byte, until a third comes; what once was an array
    /// of offsets stays one until a single value is left.
    ///
    /// # Errors
    /// [`RecordEditError`]; the record is as it was.
    #[doc(alias = "TAGFIELDS::ErrSetColumn")]
    pub fn set_tagged(
        &mut self,
        target: &TaggedTarget,
        instance: u32,
        value: Option<TaggedValue<'_>>,
    ) -> Result<(), RecordEditError> {
        if !target.column.is_tagged() {
            return Err(RecordEditError::NoSuchColumn { column: target.column });
        }
        let view = self.view()?;
        let found = view.tagged(target.column, target.from_template)?;
        let mut data = Vec::new();
        let large = self.page_size.is_large();
        let entry = change(target, found.as_ref(), instance, value, large, &mut data)?;
        match entry {
            Entry::Keep => Ok(()),
            Entry::Remove => self.rewrite_tagged(target, None),
            Entry::Write(flags) => self.rewrite_tagged(target, Some((flags, &data))),
        }
    }

    /// Takes a column's entry away, whatever it holds: the column has its default value then.
    ///
    /// # Errors
    /// When the record is broken.
    #[doc(alias = "JET_bitSetRevertToDefaultValue")]
    pub fn remove_tagged(&mut self, target: &TaggedTarget) -> Result<(), RecordEditError> {
        match self.view()?.tagged(target.column, target.from_template)? {
            None => Ok(()),
            Some(_) => self.rewrite_tagged(target, None),
        }
    }

    /// Writes the tagged part anew with another entry in the target's place.
    fn rewrite_tagged(
        &mut self,
        target: &TaggedTarget,
        new: Option<(TaggedFlags, &[u8])>,
    ) -> Result<(), RecordEditError> {
        let large = self.page_size.is_large();
        let mask: u16 = if large { 0x7FFF } else { 0x1FFF };
        let start = self.parts()?.tagged;
        let area = self.bytes.get(start..).unwrap_or_default();
        let count = self.view()?.tagged_count()?;
        let (array, _) = area.split_at_checked(4 * count).unwrap_or_default();
        let entries = array.as_chunks::<4>().0;
        let word = |entry: &[u8; 4]| u16::from_le_bytes([entry[2], entry[3]]);
        let rank = (!target.from_template, target.column.0);
        let rank_of =
            |entry: &[u8; 4]| (word(entry) & FROM_TEMPLATE == 0, u16::from_le_bytes([entry[0], entry[1]]));
        let place = entries.partition_point(|entry| rank_of(entry) < rank);
        let present = entries.get(place).is_some_and(|entry| rank_of(entry) == rank);
        let info = new.map(|(flags, _)| stored_flags(flags, large));
        let old_len = data_range(entries, place, mask, area.len()).filter(|_| present).map_or(0, |r| r.len());
        let new_len = match (info, new) {
            (Some((_, byte)), Some((_, data))) => usize::from(byte.is_some()) + data.len(),
            _ => 0,
        };
        let new_count = count - usize::from(present) + usize::from(new.is_some());
        let length = start + area.len() - old_len + new_len + 4 * new_count - 4 * count;
        if new.is_some() {
            self.check_length(length)?;
        }
        if length - start > usize::from(mask) {
            return Err(RecordEditError::TooBig { length, limit: start + usize::from(mask) });
        }
        let mut out = TaggedWriter { bytes: std::mem::take(&mut self.scratch), written: 0 };
        out.bytes.clear();
        out.bytes.resize(4 * new_count, 0);
        let add_new = |out: &mut TaggedWriter| {
            if let (Some((bits, byte)), Some((_, data))) = (info, new) {
                let template = if target.from_template { FROM_TEMPLATE } else { 0 };
                out.push(target.column.0.to_le_bytes(), bits | template, byte, data);
            }
        };
        for (index, entry) in entries.iter().enumerate() {
            if index == place {
                add_new(&mut out);
                if present {
                    continue;
                }
            }
            let data = data_range(entries, index, mask, area.len()).and_then(|r| area.get(r));
            let Some(data) = data else {
                let (start, limit) = (usize::from(word(entry) & mask), area.len());
                self.scratch = out.bytes;
                return Err(RecordError::TaggedBounds { entry: index, start, end: start, limit }.into());
            };
            out.push([entry[0], entry[1]], word(entry) & !mask, None, data);
        }
        if place >= count {
            add_new(&mut out);
        }
        self.bytes.truncate(start);
        self.bytes.extend_from_slice(&out.bytes);
        self.scratch = out.bytes;
        Ok(())
    }
}

/// The tagged part while it is written: its array has its final size from the beginning.
struct TaggedWriter {
    bytes: Vec<u8>,
    /// Entries written.
    written: usize,
}

impl TaggedWriter {
    fn push(&mut self, id: [u8; 2], bits: u16, info: Option<u8>, data: &[u8]) {
        let [low, high] = (self.bytes.len() as u16 | bits).to_le_bytes();
        if let Some(slot) = self.bytes.get_mut(4 * self.written..4 * self.written + 4) {
            slot.copy_from_slice(&[id[0], id[1], low, high]);
        }
        self.written += 1;
        self.bytes.extend(info);
        self.bytes.extend_from_slice(data);
    }
}

/// Where the data of an entry lies within the tagged part.
fn data_range(entries: &[[u8; 4]], index: usize, mask: u16, len: usize) -> Option<std::ops::Range<usize>> {
    let offset = |entry: &[u8; 4]| usize::from(u16::from_le_bytes([entry[2], entry[3]]) & mask);
    let start = offset(entries.get(index)?);
    let end = entries.get(index + 1).map_or(len, offset);
    (start <= end && end <= len).then_some(start..end)
}

/// Bits of the offset word, and the extended-info byte if there is one.
fn stored_flags(flags: TaggedFlags, large: bool) -> (u16, Option<u8>) {
    if large {
        (0, Some(flags.bits()))
    } else if flags.contains(TaggedFlags::NULL) {
        (SMALL_NULL, None)
    } else if flags.is_empty() {
        (0, None)
    } else {
        (SMALL_EXTENDED, Some(flags.bits()))
    }
}

/// What the column's entry becomes; new data goes to `data`.
fn change(
    target: &TaggedTarget,
    found: Option<&TaggedColumn<'_>>,
    instance: u32,
    value: Option<TaggedValue<'_>>,
    large: bool,
    data: &mut Vec<u8>,
) -> Result<Entry, RecordEditError> {
    let mut base = TaggedFlags::empty();
    base.set(TaggedFlags::LONG_VALUE, target.long_value);
    let null = if large { base | TaggedFlags::NULL } else { TaggedFlags::NULL };
    let column = found.filter(|column| !column.is_null());
    let Some(column) = column else {
        // Nothing, or an explicit null.
        return Ok(match value {
            Some(value) => Entry::Write(single(base, value, data)),
            None if found.is_none() && target.explicit_null && instance == 1 => Entry::Write(null),
            None => Entry::Keep,
        });
    };
    let multi = column.flags.contains(TaggedFlags::MULTI_VALUES);
    if !multi {
        return match value {
            Some(value) if instance == 1 => Ok(Entry::Write(single(base, value, data))),
            Some(value) => {
                let values = [first_value(column)?, value];
                several(target, &values, false, large, data)
            }
            None if instance != 1 => Ok(Entry::Keep),
            None if target.explicit_null => Ok(Entry::Write(null)),
            None => Ok(Entry::Remove),
        };
    }
    let array = !column.flags.contains(TaggedFlags::TWO_VALUES);
    let mut values = Vec::with_capacity(4);
    for value in column.values() {
        values.push(value?);
    }
    let place = (instance as usize).checked_sub(1).filter(|&place| place < values.len());
    match (value, place) {
        (Some(value), Some(place)) => {
            if let Some(slot) = values.get_mut(place) {
                *slot = value;
            }
        }
        (Some(value), None) => values.push(value),
        (None, Some(place)) => {
            values.remove(place);
        }
        (None, None) => return Ok(Entry::Keep),
    }
    match values.as_slice() {
        [] => Ok(Entry::Remove),
        [value] => Ok(Entry::Write(single(base, *value, data))),
        values => several(target, values, array, large, data),
    }
}

fn first_value<'a>(column: &TaggedColumn<'a>) -> Result<TaggedValue<'a>, RecordEditError> {
    match column.values().next() {
        Some(value) => Ok(value?),
        None => Ok(TaggedValue::Plain(&[])),
    }
}

fn push_value(value: TaggedValue<'_>, data: &mut Vec<u8>) {
    match value {
        TaggedValue::Plain(bytes) | TaggedValue::Compressed(bytes) => data.extend_from_slice(bytes),
        TaggedValue::Separated(id) => data.extend_from_slice(&id.to_record()),
    }
}

fn single(base: TaggedFlags, value: TaggedValue<'_>, data: &mut Vec<u8>) -> TaggedFlags {
    push_value(value, data);
    match value {
        TaggedValue::Plain(_) => base,
        TaggedValue::Compressed(_) => base | TaggedFlags::COMPRESSED,
        TaggedValue::Separated(_) => base | TaggedFlags::SEPARATED,
    }
}

fn several(
    target: &TaggedTarget,
    values: &[TaggedValue<'_>],
    array: bool,
    large: bool,
    data: &mut Vec<u8>,
) -> Result<Entry, RecordEditError> {
    let mut flags = TaggedFlags::MULTI_VALUES;
    flags.set(TaggedFlags::LONG_VALUE, target.long_value);
    if let [TaggedValue::Plain(first), TaggedValue::Plain(second)] = values
        && !array
        && !large
        && !target.long_value
        && first.len() <= MOST_OF_TWO
        && second.len() <= MOST_OF_TWO
    {
        data.push(first.len() as u8);
        data.extend_from_slice(first);
        data.extend_from_slice(second);
        return Ok(Entry::Write(flags | TaggedFlags::TWO_VALUES));
    }
    data.resize(2 * values.len(), 0);
    for (index, value) in values.iter().enumerate() {
        let separated = match value {
            TaggedValue::Separated(_) => 0x8000,
            TaggedValue::Compressed(_) if index == 0 => {
                flags |= TaggedFlags::COMPRESSED;
                0
            }
            TaggedValue::Compressed(_) => {
                let instance = u32::try_from(index + 1).unwrap_or(u32::MAX);
                return Err(RecordEditError::CompressedInstance { column: target.column, instance });
            }
            TaggedValue::Plain(_) => 0,
        };
        let Ok(offset) = u16::try_from(data.len()) else { continue };
        if let Some(slot) = data.get_mut(2 * index..2 * index + 2) {
            slot.copy_from_slice(&((offset & 0x7FFF) | separated).to_le_bytes());
        }
        push_value(*value, data);
    }
    if data.len() > 0x7FFF {
        return Err(RecordEditError::TooBig { length: data.len(), limit: 0x7FFF });
    }
    Ok(Entry::Write(flags))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{LongValueId, PageSize};

    fn buffer(page: u32) -> RecordBuffer {
        RecordBuffer::new(PageSize::new(page).unwrap(), 3000)
    }

    const NUMBERS: TaggedTarget =
        TaggedTarget { column: ColumnId(256), from_template: false, long_value: false, explicit_null: false };
    const TEXT: TaggedTarget =
        TaggedTarget { column: ColumnId(257), from_template: false, long_value: true, explicit_null: true };

    fn plain(bytes: &[u8]) -> Option<TaggedValue<'_>> {
        Some(TaggedValue::Plain(bytes))
    }

    #[test]
    fn forms_follow_the_history() {
        let mut record = buffer(8192);
        record.set_tagged(&NUMBERS, 1, plain(b"ab")).unwrap();
        assert_eq!(record.bytes()[4..], *b"\0\x01\x04\0ab");
        record.set_tagged(&NUMBERS, 0, plain(b"c")).unwrap();
        assert_eq!(record.bytes()[4..], *b"\0\x01\x04\x40\x18\x02abc");
        record.set_tagged(&NUMBERS, 9, plain(b"d")).unwrap();
        assert_eq!(record.bytes()[4..], *b"\0\x01\x04\x40\x08\x06\0\x08\0\x09\0abcd");
        record.set_tagged(&NUMBERS, 1, None).unwrap();
        assert_eq!(record.bytes()[4..], *b"\0\x01\x04\x40\x08\x04\0\x05\0cd", "stays an array");
        record.set_tagged(&NUMBERS, 2, None).unwrap();
        assert_eq!(record.bytes()[4..], *b"\0\x01\x04\0c");
        record.set_tagged(&NUMBERS, 2, None).unwrap();
        record.set_tagged(&NUMBERS, 1, None).unwrap();
        assert_eq!(record.bytes().len(), 4);
        record.set_tagged(&NUMBERS, 1, None).unwrap();
        assert_eq!(record.bytes().len(), 4);
    }

    #[test]
    fn long_values_and_nulls() {
        let mut record = buffer(8192);
        record.set_tagged(&TEXT, 1, None).unwrap();
        assert_eq!(record.bytes()[4..], *b"\x01\x01\x04\x20");
        record.set_tagged(&TEXT, 3, Some(TaggedValue::Compressed(b"\x0F1"))).unwrap();
        record.set_tagged(&TEXT, 0, Some(TaggedValue::Separated(LongValueId(7)))).unwrap();
        record.set_tagged(&NUMBERS, 1, plain(b"x")).unwrap();
        let expected = b"\0\x01\x08\0\x01\x01\x09\x40x\x0B\x04\0\x06\x80\x0F1\x07\0\0\0";
        assert_eq!(record.bytes()[4..], *expected);
        let second = record.set_tagged(&TEXT, 2, Some(TaggedValue::Compressed(b"\x0F1")));
        assert!(matches!(second, Err(RecordEditError::CompressedInstance { instance: 2, .. })));
        record.set_tagged(&TEXT, 1, None).unwrap();
        assert_eq!(record.bytes()[4..], *b"\0\x01\x08\0\x01\x01\x09\x40x\x05\x07\0\0\0");
        record.set_tagged(&TEXT, 1, None).unwrap();
        assert_eq!(record.bytes()[4..], *b"\0\x01\x08\0\x01\x01\x09\x20x");
        record.remove_tagged(&TEXT).unwrap();
        assert_eq!(record.bytes()[4..], *b"\0\x01\x04\0x");

        let mut large = buffer(32768);
        large.set_tagged(&TEXT, 1, None).unwrap();
        assert_eq!(large.bytes()[4..], *b"\x01\x01\x04\0\x21");
        large.set_tagged(&NUMBERS, 1, plain(b"a")).unwrap();
        large.set_tagged(&NUMBERS, 2, plain(b"b")).unwrap();
        assert_eq!(large.bytes()[4..], *b"\0\x01\x08\0\x01\x01\x0F\0\x08\x04\0\x05\0ab\x21");
        let template = TaggedTarget { from_template: true, ..NUMBERS };
        large.set_tagged(&template, 1, plain(b"t")).unwrap();
        assert_eq!(large.bytes()[4..12], *b"\0\x01\x0C\x80\0\x01\x0E\0");
    }

    #[test]
    fn too_long_changes_nothing() {
        let mut record = RecordBuffer::new(PageSize::new(4096).unwrap(), 20);
        record.set_tagged(&NUMBERS, 1, plain(&[1; 12])).unwrap();
        let before = record.bytes().to_vec();
        let added = record.set_tagged(&NUMBERS, 2, plain(b""));
        assert!(matches!(added, Err(RecordEditError::TooBig { length: 22, limit: 20 })), "{added:?}");
        assert_eq!(record.bytes(), before);
    }

    type Step = (u16, u32, Option<Vec<u8>>);

    proptest! {
        #[test]
        fn behaves_as_lists_of_values(
            large: bool,
            steps in prop::collection::vec(
                (256..260_u16, 0..5_u32, prop::option::of(prop::collection::vec(any::<u8>(), 0..20))), 0..60),
        ) {
            let steps: Vec<Step> = steps;
            let mut record = buffer(if large { 16384 } else { 4096 });
            let mut model: Vec<Vec<Vec<u8>>> = vec![Vec::new(); 4];
            for (id, instance, value) in steps {
                let target = TaggedTarget { column: ColumnId(id), long_value: id % 2 == 0, ..NUMBERS };
                let list = &mut model[usize::from(id - 256)];
                let result = record.set_tagged(&target, instance, value.as_deref().map(TaggedValue::Plain));
                prop_assert!(result.is_ok());
                match (value, (instance as usize).checked_sub(1).filter(|&p| p < list.len())) {
                    (Some(value), Some(place)) => list[place] = value,
                    (Some(value), None) => list.push(value),
                    (None, Some(place)) => { list.remove(place); }
                    (None, None) => {}
                }
            }
            let view = record.view().unwrap();
            for (id, list) in (256..).zip(&model) {
                let found: Vec<Vec<u8>> = match view.tagged(ColumnId(id), false).unwrap() {
                    None => Vec::new(),
                    Some(column) => column.values().map(|v| match v.unwrap() {
                        TaggedValue::Plain(bytes) => bytes.to_vec(),
                        other => panic!("{other:?}"),
                    }).collect(),
                };
                prop_assert_eq!(&found, list);
            }
            prop_assert!(view.tagged_columns().all(|c| c.is_ok()));
        }
    }
}
