//! The table of sort weights.
//!
//! `weights.bin` holds the weights of the default sort of Windows 10 (sort version 0x00060305), as Microsoft publishes
//! them with MS-UCODEREF; `cargo xtask sort-weights` makes it. All numbers are little-endian.
//!
//! | offset | size | field |
//! |-------:|-----:|---|
//! | 0      |    4 | sort version |
//! | 4      |    4 | number of pages, P |
//! | 8      |    4 | bytes of packed weights, B |
//! | 12     |    4 | number of expansions, X |
//! | 16     | 2048 | for each 64 code units the number of their page |
//! | 2064   | 8192 | one bit for each code unit, lowest first: its weights are the same since Windows Server 2008 |
//! | 10256  |  8 P | pages |
//! | …      |    B | packed weights |
//! | …      |  4 X | expansions: two code units each |
//!
//! A page is 4 bytes of constant weights and a word: in its low 24 bits where the page's packed weights begin, above them
//! one bit for each of the four weights that varies. For each of its 64 code units in turn only the varying weights are
//! packed. The four weights are in the order of [`Weights`].

use std::sync::LazyLock;

static FILE: &[u8] = include_bytes!("weights.bin");
static TABLE: LazyLock<SortTable> = LazyLock::new(|| SortTable::parse(FILE).unwrap_or_default());

/// Version of the sort that the weights are of.
pub(super) const VERSION: u32 = 0x0006_0305;
pub(super) const PAGE_UNITS: usize = 64;

/// Weights of a code unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weights {
    /// Second byte of the primary weight.
    #[doc(alias = "AW")]
    pub(super) primary: u8,
    /// First byte of the primary weight, or a number below 14 for what is treated specially.
    #[doc(alias = "SM")]
    pub(super) script: u8,
    #[doc(alias = "DW")]
    pub(super) diacritic: u8,
    #[doc(alias = "CW")]
    pub(super) case: u8,
}

impl Weights {
    pub(super) const fn new([primary, script, diacritic, case]: [u8; 4]) -> Self {
        Self { primary, script, diacritic, case }
    }
}

/// Weights of 64 code units each, with what is constant taken out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pages {
    pages: &'static [[u8; 8]],
    packed: &'static [u8],
}

impl Pages {
    pub(super) fn new(pages: &'static [u8], packed: &'static [u8]) -> Self {
        Self { pages: pages.as_chunks().0, packed }
    }

    /// The weights of a unit of a page, `unit` counted from the page's first.
    pub(super) fn weights(&self, page: u16, unit: usize) -> Option<Weights> {
        let &[a, b, c, d, start @ .., mask] = self.pages.get(usize::from(page))?;
        let mut weights = [a, b, c, d];
        let start = start.iter().rev().fold(0, |start, &byte| start << 8 | usize::from(byte));
        let stride = mask.count_ones() as usize;
        let mut varying = self.packed.get(start + unit * stride..)?.iter();
        for (place, weight) in weights.iter_mut().enumerate() {
            if mask >> place & 1 != 0 {
                *weight = *varying.next()?;
            }
        }
        Some(Weights::new(weights))
    }
}

/// The table, taken apart.
#[derive(Debug, Default)]
pub(super) struct SortTable {
    map: &'static [[u8; 2]],
    lasting: &'static [u8],
    pages: Pages,
    expansions: &'static [[u8; 4]],
}

impl SortTable {
    /// The one table there is.
    pub(super) fn get() -> &'static Self {
        &TABLE
    }

    fn parse(file: &'static [u8]) -> Option<Self> {
        let (head, rest) = file.split_at_checked(16)?;
        let field = |place: usize| head.as_chunks::<4>().0.get(place).map(|f| u32::from_le_bytes(*f));
        let count = |place: usize| field(place).and_then(|n| usize::try_from(n).ok());
        let (map, rest) = rest.split_at_checked(2 * (0x1_0000 / PAGE_UNITS))?;
        let (lasting, rest) = rest.split_at_checked(0x1_0000 / 8)?;
        let (pages, rest) = rest.split_at_checked(count(1)?.checked_mul(8)?)?;
        let (packed, expansions) = rest.split_at_checked(count(2)?)?;
        let expansions = expansions.as_chunks().0;
        (field(0)? == VERSION && expansions.len() == count(3)?).then_some(())?;
        Some(Self { map: map.as_chunks().0, lasting, pages: Pages::new(pages, packed), expansions })
    }

    /// Whether the code unit has the same weights in all versions since Windows Server 2008.
    pub(super) fn is_lasting(&self, unit: u16) -> bool {
        self.lasting.get(usize::from(unit / 8)).is_some_and(|bits| bits >> (unit % 8) & 1 != 0)
    }

    /// The weights of a code unit; one without any is [`super::script::UNSORTABLE`].
    pub(super) fn weights(&self, unit: u16) -> Weights {
        self.packed_weights(usize::from(unit)).unwrap_or(Weights::new([0; 4]))
    }

    fn packed_weights(&self, unit: usize) -> Option<Weights> {
        let page = u16::from_le_bytes(*self.map.get(unit / PAGE_UNITS)?);
        self.pages.weights(page, unit % PAGE_UNITS)
    }

    /// The two code units that another stands for; `weights` are its own.
    pub(super) fn expansion(&self, weights: Weights) -> Option<[u16; 2]> {
        let number = u16::from_le_bytes([weights.diacritic, weights.case]);
        let [a, b, c, d] = *self.expansions.get(usize::from(number))?;
        Some([u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sort_key::script;

    #[test]
    fn the_table_is_whole() {
        let table = SortTable::get();
        for unit in 0..0x1_0000 {
            assert!(table.packed_weights(unit).is_some(), "{unit:#x}");
            let weights = table.weights(unit as u16);
            if weights.script == script::EXPANSION {
                assert!(table.expansion(weights).is_some(), "{unit:#x}");
            }
        }
        assert!(FILE.len() < 150_000);
    }

    #[test]
    fn weights_of_some_characters() {
        let weights = |c: char| {
            let w = SortTable::get().weights(c as u16);
            (w.script, w.primary, w.diacritic, w.case)
        };
        assert_eq!(weights('a'), (14, 2, 2, 2));
        assert_eq!(weights('Z'), (14, 0xa9, 2, 0x12));
        assert_eq!(weights('0'), (13, 3, 2, 2));
        assert_eq!(weights('-'), (6, 0x82, 2, 2));
        assert_eq!(weights('é'), (14, 0x21, 14, 2));
        assert_eq!(weights('\u{0}'), (0, 0, 0, 0));
        let table = SortTable::get();
        assert_eq!(table.expansion(table.weights('Æ' as u16)), Some([u16::from(b'A'), u16::from(b'E')]));
    }

    #[test]
    fn digits_have_changed_but_letters_have_not() {
        let is_lasting = |c: char| SortTable::get().is_lasting(c as u16);
        assert!(('!'..='~').all(|c| is_lasting(c) != c.is_ascii_digit()));
        assert!("\0 é\u{301}\u{2013}ж가中".chars().all(is_lasting));
        assert!(!"½Üかア\u{e000}\u{1100}".chars().any(is_lasting));
    }

    #[test]
    fn what_is_not_a_table_is_refused() {
        assert!(SortTable::parse(&[]).is_none());
        assert!(SortTable::parse(&FILE[..FILE.len() - 4]).is_none());
        assert!(SortTable::parse(&[0xff; 4000]).is_none());
    }
}
