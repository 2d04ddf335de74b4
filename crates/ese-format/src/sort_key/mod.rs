//! Sort keys of Unicode text, as Windows makes them.
//!
//! An index over text of code page 1200 holds, for each value, what Windows' string mapping makes of it: a byte string
//! that compares as the text sorts in a language. Which one depends on a locale, on flags and on the version of the
//! sorting tables, all three stored with the index; together they are a [`Collation`].
//!
//! A sort key is five sections: primary weights `01` diacritic weights `01` case weights `01` extra weights `01` special
//! weights `00`. Microsoft publishes the algorithm (MS-UCODEREF 3.1.5.2, "GetWindowsSortKey") and the weights.
//!
//! A character has a primary weight of two bytes, script member and primary weight proper, and one byte each of diacritic
//! and case weight. What stands out:
//!
//! * Marks add their diacritic weight to that of the character before. Default weights (2) at the end of a section go.
//! * Some characters expand to two others, ideographs of extension A have four bytes of primary weight, private characters
//!   three.
//! * Hyphens, apostrophes and control characters have no primary weight, unless symbols are to sort as strings. Each puts
//!   four bytes into the last section: the complement of the number of primary weights before it, big-endian; its
//!   primary weight; eight times its diacritic weight plus its case weight.
//! * Kana put a weight into each of four groups of the fourth section (size, kind, script, width); the groups end with
//!   `FF`, `02`, `FF`, `FF`.
//!
//! The sections, the default weights, marks, expansions, hyphens and characters of plane 1 are proven on databases that
//! Windows made. **Unverified** on databases: extension A, private characters, kana, other flags than the default ones, and
//! what languages have of their own: weights, contractions (several characters that weigh as one), diacritics that count
//! from the end, ideographs of three bytes. For those, the keys were compared with those of a second implementation.
//!
//! What is not here, or what published sources disagree on, is refused: a wrong key would make a wrong index. Refused are
//! conjoining Jamo, marks within expansions, repetition marks behind anything but kana, sums of diacritic weights beyond
//! a byte, hyphens behind private characters, hyphens with a diacritic or case weight of their own, doubled contractions
//! of Hungarian, ideographs of planes above 0 in sorts of their own, and the casing of Latvian.

mod builder;
mod collation;
mod locale;
mod section;
mod table;
mod tailoring;

pub use builder::SortKeyError;
pub use collation::{Collation, CollationError, CollationFlags, StoredCollation};
pub use locale::Locale;

/// Script members: the first byte of a primary weight. The low ones stand for a treatment of their own.
mod script {
    /// No weight at all.
    pub(super) const UNSORTABLE: u8 = 0;
    /// Adds its diacritic weight to the character before.
    pub(super) const NONSPACE_MARK: u8 = 1;
    /// Stands for two others.
    pub(super) const EXPANSION: u8 = 2;
    /// Kana, and marks that repeat or prolong it.
    pub(super) const EAST_ASIA: u8 = 3;
    /// Conjoining Jamo.
    pub(super) const JAMO: u8 = 4;
    /// Ideographs of extension A: four bytes of primary weight.
    pub(super) const EXTENSION_A: u8 = 5;
    /// Hyphens, apostrophes, control characters.
    pub(super) const PUNCTUATION: u8 = 6;
    /// First of the symbols.
    pub(super) const SYMBOL_FIRST: u8 = 7;
    /// Last of the symbols.
    pub(super) const SYMBOL_LAST: u8 = 12;
    /// What kana have in the key.
    pub(super) const KANA: u8 = 34;
    /// First of those with three bytes of primary weight.
    pub(super) const PRIVATE_FIRST: u8 = 169;
    /// Last of those with three bytes of primary weight.
    pub(super) const PRIVATE_LAST: u8 = 175;
    /// First of the ideographs that have three bytes of primary weight in some sorts.
    pub(super) const IDEOGRAPH_FIRST: u8 = 0xC0;
    /// Last of them.
    pub(super) const IDEOGRAPH_LAST: u8 = 0xF9;
}
