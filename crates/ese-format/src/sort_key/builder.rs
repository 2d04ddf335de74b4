//! The sort key of a text.

use super::collation::{Collation, CollationFlags};
use super::script;
use super::section::{DEFAULT_WEIGHT, Section};
use super::table::{SortTable, Weights};
use super::tailoring::{SortFlags, Tailoring};
use crate::JetError;

const SEPARATOR: u8 = 1;
const TERMINATOR: u8 = 0;

/// Bits of case weights.
const CASE_FULL_WIDTH: u8 = 0x01;
const CASE_FULL_KANA: u8 = 0x02;
const CASE_UPPER: u8 = 0x18;
const CASE_HIRAGANA: u8 = 0x20;
/// Says that contractions begin with the character; no weight.
const CASE_CONTRACTION: u8 = 0xC0;

/// Primary weights of East Asian characters up to this one are marks: 0 repeats the kana before, 1 prolongs it.
const LAST_KANA_MARK: u8 = 1;
const PROLONG: u8 = 1;
/// What a prolonging mark keeps of the primary weight of its kana: the vowel.
const VOWEL_MASK: u8 = 0x87;
/// Bits that every extra weight but the kind has, so that it is never a separator.
const EXTRA_BASE: u8 = 0xC4;
/// Kinds of extra weights: kana itself, or this plus the mark's primary weight.
const EXTRA_KANA: u8 = 3;
const EXTRA_MARK: u8 = 4;
/// The extra weights that are dropped at the end of their groups, and what ends each group.
const EXTRA_DEFAULTS: [u8; 4] =
    [EXTRA_BASE | CASE_FULL_KANA, EXTRA_KANA, EXTRA_BASE | CASE_HIRAGANA, EXTRA_BASE | CASE_FULL_WIDTH];
const EXTRA_ENDS: [u8; 4] = [0xFF, 0x02, 0xFF, 0xFF];

/// A text has no sort key that is known for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {position}, U+{unit:04X}: its weight in this collation is not known for certain")]
pub struct SortKeyError {
    /// Which UTF-16 unit of the text, counted from 0.
    pub position: usize,
    /// The unit.
    pub unit: u16,
}

impl SortKeyError {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        JetError::UNICODE_NORMALIZATION_NOT_SUPPORTED
    }
}

/// The sections of a key while it is made; the primary one goes to the output at once.
struct Sections<'o> {
    collation: Collation,
    flags: CollationFlags,
    table: &'static SortTable,
    tailoring: Option<Tailoring>,
    out: &'o mut Vec<u8>,
    start: usize,
    diacritics: Section,
    cases: Section,
    extra: [Vec<u8>; 4],
    special: Vec<u8>,
    /// Kana before the current character: its primary and case weight; marks refer to it.
    kana: Option<(u8, u8)>,
    /// A primary weight of three bytes was written.
    three_bytes: bool,
}

impl Collation {
    /// Appends the sort key of a text, UTF-16 little-endian; an odd byte at the end does not count.
    ///
    /// # Errors
    /// [`SortKeyError`] when a character's part in the key is not known for certain; then `out` is as it was.
    pub fn append_sort_key(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), SortKeyError> {
        let start = out.len();
        let mut sections = Sections {
            collation: *self,
            flags: self.flags(),
            table: SortTable::get(),
            tailoring: self.tailoring(),
            out,
            start,
            diacritics: Section::default(),
            cases: Section::default(),
            extra: [const { Vec::new() }; 4],
            special: Vec::new(),
            kana: None,
            three_bytes: false,
        };
        let mut rest = text.as_chunks::<2>().0;
        let mut position = 0;
        while let Some((&unit, behind)) = rest.split_first() {
            let contraction = sections.tailoring.and_then(|tailoring| tailoring.contraction(rest));
            let pushed = match contraction {
                Some((_, weights)) => sections.push_contraction(weights),
                None => sections.push_single(unit, behind),
            };
            if pushed.is_none() {
                sections.out.truncate(start);
                return Err(SortKeyError { position, unit: u16::from_le_bytes(unit) });
            }
            let units = contraction.map_or(1, |(units, _)| units);
            position += units;
            rest = rest.get(units..).unwrap_or_default();
        }
        sections.finish();
        Ok(())
    }
}

impl Sections<'_> {
    /// The weights of a unit, with the case bits that the flags ignore removed.
    fn weights(&self, unit: u16) -> Option<Weights> {
        let own = self.tailoring.and_then(|tailoring| tailoring.weights(unit));
        let mut weights = match own {
            Some(weights) => weights,
            None => self.collation.weights(self.table, unit)?,
        };
        if weights.script != script::EXPANSION {
            weights.case &= !(self.flags.ignored_case_bits() | CASE_CONTRACTION);
        }
        Some(weights)
    }

    /// A unit with which no contraction begins; `behind` is what follows.
    fn push_single(&mut self, unit: [u8; 2], behind: &[[u8; 2]]) -> Option<()> {
        if let Some(tailoring) = self.tailoring {
            let number = u16::from_le_bytes(unit);
            // Published sources disagree on what a contraction with a doubled first unit weighs.
            let doubled = tailoring.flags.contains(SortFlags::DOUBLED_CONTRACTIONS)
                && behind
                    .first()
                    .is_some_and(|next| self.weights(u16::from_le_bytes(*next)) == self.weights(number))
                && tailoring.contraction(behind).is_some();
            let left_out =
                tailoring.flags.contains(SortFlags::SURROGATES_LEFT_OUT) && matches!(number, 0xD800..=0xDFFF);
            if doubled || left_out {
                return None;
            }
        }
        self.push(u16::from_le_bytes(unit))
    }

    /// Several units that weigh as one. `None` when they are to be treated specially.
    fn push_contraction(&mut self, mut weights: Weights) -> Option<()> {
        weights.case &= !(self.flags.ignored_case_bits() | CASE_CONTRACTION);
        self.kana = None;
        self.push_expanded(weights)
    }

    /// `None` for what is not known for certain.
    fn push(&mut self, unit: u16) -> Option<()> {
        let weights = self.weights(unit)?;
        let kana = self.kana;
        if !matches!(weights.script, script::UNSORTABLE | script::NONSPACE_MARK | script::EAST_ASIA) {
            self.kana = None;
        }
        match weights.script {
            script::UNSORTABLE => Some(()),
            script::NONSPACE_MARK => self.diacritics.add_to_last(weights.diacritic),
            script::EXPANSION => self.push_expansion(weights),
            script::EAST_ASIA => self.push_kana(weights, kana),
            // Later versions of Windows weigh Jamo otherwise than published.
            script::JAMO => None,
            script::EXTENSION_A => {
                self.out.extend_from_slice(&[0xFD, 0xFF, weights.primary, weights.diacritic]);
                self.diacritics.push(DEFAULT_WEIGHT);
                self.cases.push(DEFAULT_WEIGHT);
                Some(())
            }
            script::PUNCTUATION..=script::SYMBOL_LAST
                if self.flags.contains(CollationFlags::IGNORE_SYMBOLS) =>
            {
                Some(())
            }
            script::PUNCTUATION if !self.flags.contains(CollationFlags::STRING_SORT) => {
                self.push_special(weights)
            }
            _ => {
                self.push_normal(weights);
                Some(())
            }
        }
    }

    fn push_normal(&mut self, weights: Weights) {
        self.out.extend_from_slice(&[weights.script, weights.primary]);
        let private = (script::PRIVATE_FIRST..=script::PRIVATE_LAST).contains(&weights.script);
        let ideograph = (script::IDEOGRAPH_FIRST..=script::IDEOGRAPH_LAST).contains(&weights.script)
            && self.tailoring.is_some_and(|tailoring| tailoring.flags.contains(SortFlags::THREE_BYTES));
        if private || ideograph {
            if private || weights.diacritic != 0 {
                self.out.push(weights.diacritic);
            }
            self.three_bytes = true;
        } else {
            self.diacritics.push(weights.diacritic);
        }
        self.cases.push(weights.case);
    }

    /// The second of the two characters may expand again.
    fn push_expansion(&mut self, mut weights: Weights) -> Option<()> {
        for _ in 0..4 {
            let [first, second] = self.table.expansion(weights)?;
            self.push_expanded(self.weights(first)?)?;
            weights = self.weights(second)?;
            if weights.script != script::EXPANSION {
                return self.push_expanded(weights);
            }
        }
        None
    }

    /// Only what weighs as by itself: the rest is treated differently by different sources.
    fn push_expanded(&mut self, weights: Weights) -> Option<()> {
        (weights.script >= script::SYMBOL_FIRST).then(|| self.push_normal(weights))
    }

    /// Punctuation has no primary weight in a word sort: the last section says what stands where, counted in primary
    /// weights from the front.
    fn push_special(&mut self, weights: Weights) -> Option<()> {
        // How a place behind weights of three bytes counts, and other diacritic and case weights, are not known.
        if self.three_bytes || (weights.diacritic, weights.case) != (DEFAULT_WEIGHT, DEFAULT_WEIGHT) {
            return None;
        }
        let place = (self.out.len() - self.start) / 2;
        let [high, low] = (!(place as u16)).to_be_bytes();
        let last = weights.diacritic << 3 | weights.case;
        self.special.extend_from_slice(&[high, low, weights.primary, last]);
        Some(())
    }

    fn push_kana(&mut self, weights: Weights, kana: Option<(u8, u8)>) -> Option<()> {
        // What is dropped at the end of the last group otherwise is not known.
        self.flags.contains(CollationFlags::IGNORE_WIDTH).then_some(())?;
        let (mut primary, mut case, mut kind) = (weights.primary, weights.case, EXTRA_KANA);
        if weights.primary <= LAST_KANA_MARK {
            // A mark that refers to something else than kana is treated differently by different sources.
            let of_kana = kana?;
            (primary, case) = of_kana;
            kind = EXTRA_MARK + weights.primary;
            if weights.primary == PROLONG {
                primary &= VOWEL_MASK;
                case = case & !CASE_FULL_WIDTH | weights.case & CASE_FULL_WIDTH;
            }
        } else {
            self.kana = Some((primary, case));
        }
        let values = [
            EXTRA_BASE | case & CASE_FULL_KANA,
            kind,
            EXTRA_BASE | case & CASE_HIRAGANA,
            EXTRA_BASE | case & CASE_FULL_WIDTH,
        ];
        for (group, value) in self.extra.iter_mut().zip(values) {
            group.push(value);
        }
        self.push_normal(Weights { script: script::KANA, primary, case: DEFAULT_WEIGHT, ..weights });
        Some(())
    }

    fn finish(mut self) {
        let flags = self.flags;
        let without_nonspace = flags.contains(CollationFlags::IGNORE_NONSPACE);
        self.out.push(SEPARATOR);
        if !without_nonspace {
            let reverse = self
                .tailoring
                .is_some_and(|tailoring| tailoring.flags.contains(SortFlags::REVERSE_DIACRITICS));
            if reverse {
                self.diacritics.append_reversed_to(self.out);
            } else {
                self.diacritics.append_to(self.out);
            }
        }
        self.out.push(SEPARATOR);
        if !flags.contains(CollationFlags::IGNORE_CASE | CollationFlags::IGNORE_WIDTH) {
            self.cases.append_to(self.out);
        }
        self.out.push(SEPARATOR);
        if self.extra.iter().any(|group| !group.is_empty()) {
            let ends = EXTRA_DEFAULTS.into_iter().zip(EXTRA_ENDS);
            for (number, (group, (default, end))) in self.extra.iter_mut().zip(ends).enumerate() {
                if number < 2 && without_nonspace {
                    group.clear();
                }
                while group.last() == Some(&default) {
                    group.pop();
                }
                self.out.append(group);
                self.out.push(end);
            }
        }
        self.out.push(SEPARATOR);
        self.out.append(&mut self.special);
        self.out.push(TERMINATOR);
    }
}

impl CollationFlags {
    /// The bits of case weights that do not count.
    fn ignored_case_bits(self) -> u8 {
        let bit = |flag, bits| if self.contains(flag) { bits } else { 0 };
        bit(Self::IGNORE_CASE, CASE_UPPER)
            | bit(Self::IGNORE_KANA_TYPE, CASE_HIRAGANA)
            | bit(Self::IGNORE_WIDTH, CASE_FULL_WIDTH)
    }
}
