//! What languages sort otherwise than the default sort.
//!
//! `tailorings.bin` holds it for each sort of Windows 10 (sort version 0x00060305); `cargo xtask sort-tailorings` makes
//! it. All numbers are little-endian.
//!
//! | offset | size | field |
//! |-------:|-----:|---|
//! | 0      |    4 | sort version |
//! | 4      |    4 | number of sorts, S |
//! | 8      |    4 | number of overrides, O |
//! | 12     |    4 | number of pages, P |
//! | 16     |    4 | bytes of packed weights, B |
//! | 20     |    4 | number of contractions, C |
//! | 24     | 16 S | sorts: flags, first override, first contraction (4 each), number of either (2 each) |
//! | …      |  4 O | overrides: which 64 code units, counted in 64; their page |
//! | …      |  8 P | pages, as in [`super::table`] |
//! | …      |    B | packed weights |
//! | …      | 20 C | contractions in the order of their units: 8 code units, 0 behind the last; their weights together |
//!
//! Contractions of surrogates are not here; sorts with such say so in a flag.

use std::sync::LazyLock;

use super::table::{PAGE_UNITS, Pages, VERSION, Weights};

static FILE: &[u8] = include_bytes!("tailorings.bin");
static TABLE: LazyLock<TailoringTable> = LazyLock::new(|| TailoringTable::parse(FILE).unwrap_or_default());

bitflags::bitflags! {
    /// How a sort differs beside weights. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) struct SortFlags: u32 {
        /// Ideographs have three bytes of primary weight.
        const THREE_BYTES = 0x1;
        /// Diacritics count from the end of the text.
        const REVERSE_DIACRITICS = 0x10;
        /// A doubled contraction is written by doubling its first unit.
        const DOUBLED_CONTRACTIONS = 0x20;
        /// Upper case comes first.
        const INVERSE_CASING = 0x40;
        /// Contractions of surrogates are not in the table.
        const SURROGATES_LEFT_OUT = 0x8000_0000;
    }
}

/// The tailorings, taken apart.
#[derive(Debug, Default)]
struct TailoringTable {
    sorts: &'static [[u8; 16]],
    overrides: &'static [[u8; 4]],
    pages: Pages,
    contractions: &'static [[u8; 20]],
}

/// A sort that is not the default one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tailoring {
    pub(super) flags: SortFlags,
    overrides: &'static [[u8; 4]],
    contractions: &'static [[u8; 20]],
    pages: &'static Pages,
}

impl TailoringTable {
    fn parse(file: &'static [u8]) -> Option<Self> {
        let (head, rest) = file.split_at_checked(24)?;
        let field = |place: usize| head.as_chunks::<4>().0.get(place).map(|f| u32::from_le_bytes(*f));
        let bytes = |place: usize, size| usize::try_from(field(place)?).ok()?.checked_mul(size);
        let (sorts, rest) = rest.split_at_checked(bytes(1, 16)?)?;
        let (overrides, rest) = rest.split_at_checked(bytes(2, 4)?)?;
        let (pages, rest) = rest.split_at_checked(bytes(3, 8)?)?;
        let (packed, contractions) = rest.split_at_checked(bytes(4, 1)?)?;
        (field(0)? == VERSION && Some(contractions.len()) == bytes(5, 20)).then_some(())?;
        Some(Self {
            sorts: sorts.as_chunks().0,
            overrides: overrides.as_chunks().0,
            pages: Pages::new(pages, packed),
            contractions: contractions.as_chunks().0,
        })
    }
}

impl Tailoring {
    /// The sort of a number counted from 1, the first part of its identifier.
    pub(super) fn of_sort(number: u8) -> Option<Self> {
        let table: &'static TailoringTable = &TABLE;
        let sort = table.sorts.get(usize::from(number).checked_sub(1)?)?;
        let (starts, counts) = sort.split_at_checked(12)?;
        let &[flags, overrides, contractions] = starts.as_chunks::<4>().0 else { return None };
        let &[override_count, contraction_count] = counts.as_chunks::<2>().0 else { return None };
        let part = |start, count| {
            let start = usize::try_from(u32::from_le_bytes(start)).ok()?;
            Some(start..start.checked_add(usize::from(u16::from_le_bytes(count)))?)
        };
        Some(Self {
            flags: SortFlags::from_bits_retain(u32::from_le_bytes(flags)),
            overrides: table.overrides.get(part(overrides, override_count)?)?,
            contractions: table.contractions.get(part(contractions, contraction_count)?)?,
            pages: &table.pages,
        })
    }

    /// The weights of a code unit where they are not the default ones.
    pub(super) fn weights(&self, unit: u16) -> Option<Weights> {
        let page = unit / PAGE_UNITS as u16;
        let of = |&[a, b, ..]: &[u8; 4]| u16::from_le_bytes([a, b]);
        let place = self.overrides.binary_search_by_key(&page, of).ok()?;
        let &[_, _, a, b] = self.overrides.get(place)?;
        self.pages.weights(u16::from_le_bytes([a, b]), usize::from(unit) % PAGE_UNITS)
    }

    /// The longest contraction that a text begins with: of how many units, and its weights.
    pub(super) fn contraction(&self, text: &[[u8; 2]]) -> Option<(usize, Weights)> {
        let first = u16::from_le_bytes(*text.first()?);
        let unit_of = |entry: &[u8; 20]| entry.first_chunk::<2>().map(|unit| u16::from_le_bytes(*unit));
        let from = self.contractions.partition_point(|entry| unit_of(entry) < Some(first));
        let candidates =
            self.contractions.get(from..)?.iter().take_while(|entry| unit_of(entry) == Some(first));
        let matching = candidates.filter_map(|entry| {
            let (units, weights) = entry.split_first_chunk::<16>()?;
            let units = units.as_chunks::<2>().0;
            let len = units.iter().position(|unit| *unit == [0; 2]).unwrap_or(units.len());
            let same = text.get(..len)? == units.get(..len)?;
            same.then_some((len, Weights::new(*weights.first_chunk()?)))
        });
        matching.max_by_key(|(len, _)| *len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<[u8; 2]> {
        text.encode_utf16().map(u16::to_le_bytes).collect()
    }

    #[test]
    fn every_sort_is_whole() {
        for number in 1..=75 {
            let sort = Tailoring::of_sort(number).unwrap();
            for [a, b, ..] in sort.overrides {
                let first = u16::from_le_bytes([*a, *b]) * 64;
                for unit in first..=first + 63 {
                    assert!(sort.weights(unit).is_some(), "sort {number}, {unit:#x}");
                }
            }
            assert!(sort.overrides.is_sorted_by_key(|[a, b, ..]| u16::from_le_bytes([*a, *b])));
            for entry in sort.contractions {
                let len = entry[..16].as_chunks::<2>().0.iter().filter(|unit| **unit != [0; 2]).count();
                let found = sort.contraction(entry[..16].as_chunks().0);
                assert_eq!(found.map(|(len, _)| len), Some(len), "sort {number}, {entry:?}");
            }
        }
        assert!(Tailoring::of_sort(0).is_none() && Tailoring::of_sort(76).is_none());
        let default = Tailoring::of_sort(1).unwrap();
        assert!(default.overrides.is_empty() && default.contractions.is_empty() && default.flags.is_empty());
    }

    #[test]
    fn letters_of_languages() {
        // Spanish: ñ is a letter; in the traditional sort ch and ll are, too.
        let spanish = Tailoring::of_sort(43).unwrap();
        assert!(spanish.weights(u16::from(b'a')).is_none_or(|w| (w.script, w.primary) == (14, 2)));
        assert!(spanish.weights(0xF1).unwrap().primary > spanish.weights(0x6E).unwrap().primary);
        assert_eq!(spanish.contraction(&units("chico")), None);
        let traditional = Tailoring::of_sort(42).unwrap();
        assert_eq!(traditional.contraction(&units("chico")).map(|(len, _)| len), Some(2));
        assert_eq!(traditional.contraction(&units("c")), None);
        // Hungarian: dzs before dz.
        let hungarian = Tailoring::of_sort(4).unwrap();
        assert_eq!(hungarian.contraction(&units("dzseki")).map(|(len, _)| len), Some(3));
        assert_eq!(hungarian.contraction(&units("dz")).map(|(len, _)| len), Some(2));
    }

    #[test]
    fn what_is_not_a_table_is_refused() {
        assert!(TailoringTable::parse(&[]).is_none());
        assert!(TailoringTable::parse(&FILE[..FILE.len() - 20]).is_none());
        assert!(TailoringTable::parse(&[0xFF; 4000]).is_none());
    }
}
