//! How long a record is, from as little of it as possible.
//!
//! A reader that walks a segment has to know where the next record begins before it looks into this one. Every type
//! has a fixed part; most of the rest follow from counts inside it.

use super::error::RecordError;
use super::field::{Field, get_at};
use super::kind::RecordKind;

/// Answer of [`record_size`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordSize {
    /// The fixed part is not complete: at least this many bytes are needed to tell.
    Need(usize),
    /// The record is this many bytes long, type byte included. Not bounded by the bytes at hand.
    Size(usize),
}

/// Where a count stands in the fixed part.
#[derive(Clone, Copy)]
enum Count {
    Short(usize),
    /// As `Short`; the highest bit is a flag.
    Masked(usize),
    Long(usize),
}

struct Shape {
    fixed: usize,
    counts: &'static [Count],
}

const fn fixed(fixed: usize) -> Option<Shape> {
    Some(Shape { fixed, counts: &[] })
}

const fn counted(fixed: usize, counts: &'static [Count]) -> Option<Shape> {
    Some(Shape { fixed, counts })
}

/// Bit of the flags byte of a CreateDB record: four bytes of version stand in front of the path.
const CREATE_DB_VERSION: u8 = 0x04;

/// The sizes, from the engine's two tables. `None` for types without layout.
/// Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/ese/logapi.cxx`, `CbLGSizeOfRec`, `CbLGFixedSizeOfRec`.
const fn shape(kind: RecordKind) -> Option<Shape> {
    use Count::{Long, Masked, Short};
    match kind.0 {
        0 | 4 | 17 | 23 => fixed(1),
        1 => fixed(568),
        2 | 18 => fixed(18),
        3 => fixed(9),
        5..=7 | 21 | 79 => fixed(4),
        8 | 9 | 53 => fixed(8),
        10 => fixed(7),
        11..=13 => fixed(11),
        14 => counted(43, &[Short(40)]),
        15 => counted(75, &[Short(72)]),
        16 => counted(7, &[Short(4)]),
        19 | 20 | 45 | 59 | 77 => counted(3, &[Short(1)]),
        22 | 61 => counted(5, &[Short(3)]),
        24 => fixed(56),
        25 => fixed(48),
        26 => fixed(60),
        27 => counted(102, &[Short(96), Short(98), Short(100)]),
        28 => counted(88, &[Short(86)]),
        29 => counted(50, &[Short(44), Short(46), Short(48)]),
        30 => counted(48, &[Short(44), Short(46)]),
        31 => counted(52, &[Short(44), Short(46)]),
        32 | 35 => fixed(44),
        33 | 34 => counted(50, &[Masked(44)]),
        36 => counted(56, &[Short(44), Short(46), Short(54)]),
        37 => counted(54, &[Short(44), Short(46)]),
        38 | 48 => counted(46, &[Short(44)]),
        39 => counted(51, &[Short(44), Short(46)]),
        42 => fixed(22),
        46 => counted(5, &[Short(3)]),
        49 => fixed(576),
        50 | 52 | 80 => fixed(26),
        51 => fixed(9),
        54 => counted(7, &[Long(3)]),
        55 | 57 => fixed(3),
        58 => fixed(68),
        60 => counted(35, &[Short(33)]),
        62 => counted(110, &[Short(96), Short(98), Short(100), Long(106)]),
        63 => counted(96, &[Short(86), Long(92)]),
        64 => counted(54, &[Short(52)]),
        65 => counted(96, &[Long(88), Long(92)]),
        66 => fixed(46),
        67..=75 | 82..=91 => counted(5, &[Long(1)]),
        76 => counted(7, &[Short(5)]),
        78 | 81 | 94 => fixed(10),
        92 => fixed(14),
        93 => counted(58, &[Short(44), Short(46)]),
        95 => fixed(20),
        96 => fixed(16),
        97 => fixed(2),
        98 => fixed(27),
        99 => fixed(18),
        100 => fixed(11),
        101 => fixed(19),
        _ => None,
    }
}

/// Size of the fixed part of a type, or `None` for a type without layout.
#[must_use]
#[doc(alias = "CbLGFixedSizeOfRec")]
pub const fn fixed_size(kind: RecordKind) -> Option<usize> {
    match shape(kind) {
        Some(shape) => Some(shape.fixed),
        None => None,
    }
}

/// Size of the record that begins with `bytes`, which may go on behind it.
///
/// The size is what the record claims: compare it with what the segment or the assembled fragments hold.
///
/// # Errors
/// [`RecordError::Empty`] without a byte, [`RecordError::UnknownKind`] for a type without layout.
#[inline]
#[doc(alias = "CbLGSizeOfRec")]
pub fn record_size(bytes: &[u8]) -> Result<RecordSize, RecordError> {
    let Some(&first) = bytes.first() else { return Err(RecordError::Empty) };
    let kind = RecordKind(first);
    let Some(shape) = shape(kind) else { return Err(RecordError::UnknownKind { kind }) };
    let Some(head) = bytes.get(..shape.fixed) else { return Ok(RecordSize::Need(shape.fixed)) };
    let mut total = shape.fixed;
    for count in shape.counts {
        let length = match *count {
            Count::Short(offset) => usize::from(get_at::<u16>(head, offset)),
            Count::Masked(offset) => usize::from(get_at::<u16>(head, offset) & 0x7FFF),
            Count::Long(offset) => usize::try_from(get_at::<u32>(head, offset)).unwrap_or(usize::MAX),
        };
        total = total.saturating_add(length);
    }
    if kind == RecordKind::CREATE_DB && u8::get(head.get(42..).unwrap_or_default()) & CREATE_DB_VERSION != 0 {
        total = total.saturating_add(4);
    }
    Ok(RecordSize::Size(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_type_has_a_size_and_no_other() {
        for number in 0..=255 {
            let kind = RecordKind(number);
            assert_eq!(fixed_size(kind).is_some(), kind.name().is_some(), "{kind:?}");
        }
    }

    #[test]
    fn counts_are_added() {
        let mut insert = vec![0u8; 50];
        insert[0] = RecordKind::INSERT.0;
        insert[44] = 3;
        insert[46] = 4;
        insert[49] = 1;
        assert_eq!(record_size(&insert), Ok(RecordSize::Size(50 + 3 + 4 + 256)));
        assert_eq!(record_size(&insert[..49]), Ok(RecordSize::Need(50)));
    }

    #[test]
    fn the_flag_bit_of_replace_is_no_length() {
        let mut replace = vec![0u8; 50];
        replace[0] = RecordKind::REPLACE_D.0;
        replace[44] = 2;
        replace[45] = 0x80;
        assert_eq!(record_size(&replace), Ok(RecordSize::Size(52)));
    }

    #[test]
    fn create_database_may_carry_a_version() {
        let mut create = vec![0u8; 43];
        create[0] = RecordKind::CREATE_DB.0;
        create[40] = 6;
        assert_eq!(record_size(&create), Ok(RecordSize::Size(49)));
        create[42] = 0x04;
        assert_eq!(record_size(&create), Ok(RecordSize::Size(53)));
    }

    #[test]
    fn what_has_no_layout_is_refused() {
        assert_eq!(record_size(&[]), Err(RecordError::Empty));
        for number in [40, 41, 43, 44, 47, 56, 102, 255] {
            let kind = RecordKind(number);
            assert_eq!(record_size(&[number; 64]), Err(RecordError::UnknownKind { kind }));
        }
    }
}
