//! The difference that a ReplaceD record stores in place of a node's new data.
//!
//! A difference is a sequence of entries in the order of their offsets in the old data. An entry says how many old
//! bytes go and which new ones come in their place:
//!
//! | form | header | flags |
//! |------|--------|-------|
//! | short, pages up to 8 KiB | 2 bytes | bits 0–12 offset, 0x2000 same length, 0x4000 insert, 0x8000 wide lengths |
//! | long, larger pages | 2 bytes of offset, 1 of flags | 0x20 same length, 0x40 insert, 0x80 wide lengths |
//!
//! After the header stands the number of new bytes, in one byte, or two when wide; then, unless the entry is an insert
//! or keeps the length, the number of old bytes in the same width; then the new bytes.
//! Source: microsoft/Extensible-Storage-Engine, `dev/ese/src/inc/logapi.hxx` `DIFFHDR`, `DIFFHDR2`; `logdiff.cxx`.

use ese_format::JetError;

use super::replace::Replace;

/// Width of the entry headers of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffForm {
    /// Two bytes: pages up to 8 KiB.
    #[doc(alias = "DIFFHDR")]
    Short,
    /// Three bytes: larger pages.
    #[doc(alias = "DIFFHDR2")]
    Long,
}

impl DiffForm {
    /// The form that the engine writes for a page size.
    #[must_use]
    pub const fn of_page_size(page_size: ese_format::PageSize) -> Self {
        if page_size.bytes() > 8192 { Self::Long } else { Self::Short }
    }

    /// Highest offset that an entry can name.
    #[must_use]
    pub const fn highest_offset(self) -> usize {
        match self {
            Self::Short => 0x1FFF,
            Self::Long => 0xFFFF,
        }
    }
}

const SAME_LENGTH: u8 = 0x20;
const INSERT: u8 = 0x40;
const WIDE: u8 = 0x80;

/// One change: at `offset` of the old data, `removed` bytes go and `inserted` come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiffEntry<'a> {
    /// Offset in the old data, in bytes.
    #[doc(alias = "ib")]
    pub offset: usize,
    /// Number of old bytes that go.
    #[doc(alias = "cbDataOld")]
    pub removed: usize,
    /// New bytes.
    pub inserted: &'a [u8],
    /// Whether the lengths are stored in two bytes each.
    pub wide: bool,
}

/// A difference that does not fit its data, or is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// An entry is cut off.
    #[error("difference: entry at byte {at} runs past the end ({length} bytes)")]
    Truncated {
        /// Offset of the entry in the difference.
        at: usize,
        /// Length of the difference.
        length: usize,
    },
    /// An entry goes back behind the one before it.
    #[error("difference: entry for offset {offset}, expected {reached} or above")]
    OutOfOrder {
        /// Offset that the entry names.
        offset: usize,
        /// Old bytes used by the entries before it.
        reached: usize,
    },
    /// An entry needs more old data than there is.
    #[error("difference: needs {needed} bytes of old data, found {found}")]
    OldDataTooShort {
        /// Bytes that the entry reaches.
        needed: usize,
        /// Length of the old data.
        found: usize,
    },
    /// The result would be larger than a page.
    #[error("difference: result of {length} bytes, expected at most {limit}")]
    TooLong {
        /// Length of the result so far.
        length: usize,
        /// The page size.
        limit: usize,
    },
    /// The result has not the length that the record tells.
    #[error("replace: new data of {found} bytes, the record says {expected}")]
    NewSize {
        /// Length that the record tells.
        expected: usize,
        /// Length of the result.
        found: usize,
    },
}

impl DiffError {
    /// The engine's number: `JET_errLogCorrupted` for a wrong length, `JET_errLogFileCorrupt` for all else.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::NewSize { .. } => JetError::LOG_CORRUPTED,
            _ => JetError::LOG_FILE_CORRUPT,
        }
    }
}

/// Iterates over the entries of a difference; ends after the first error.
#[derive(Clone, Debug)]
pub struct DiffEntries<'a> {
    rest: &'a [u8],
    length: usize,
    form: DiffForm,
}

impl<'a> DiffEntries<'a> {
    /// The entries of `diff`.
    #[must_use]
    pub fn new(diff: &'a [u8], form: DiffForm) -> Self {
        Self { rest: diff, length: diff.len(), form }
    }

    /// Reads one entry; `None` when it is cut off.
    fn read(&mut self) -> Option<DiffEntry<'a>> {
        let (&[low, high], rest) = self.rest.split_first_chunk::<2>()?;
        let (offset, flags, rest) = match self.form {
            DiffForm::Short => (u16::from_le_bytes([low, high & 0x1F]), high & !0x1F, rest),
            DiffForm::Long => {
                let (&flags, rest) = rest.split_first()?;
                (u16::from_le_bytes([low, high]), flags, rest)
            }
        };
        let wide = flags & WIDE != 0;
        let (inserted_length, rest) = read_length(rest, wide)?;
        let (removed, rest) = if flags & INSERT != 0 {
            (0, rest)
        } else if flags & SAME_LENGTH != 0 {
            (inserted_length, rest)
        } else {
            read_length(rest, wide)?
        };
        let (inserted, rest) = rest.split_at_checked(inserted_length)?;
        self.rest = rest;
        Some(DiffEntry { offset: usize::from(offset), removed, inserted, wide })
    }
}

fn read_length(bytes: &[u8], wide: bool) -> Option<(usize, &[u8])> {
    if wide {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        Some((usize::from(u16::from_le_bytes(*length)), rest))
    } else {
        let (&length, rest) = bytes.split_first()?;
        Some((usize::from(length), rest))
    }
}

impl<'a> Iterator for DiffEntries<'a> {
    type Item = Result<DiffEntry<'a>, DiffError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.length - self.rest.len();
        Some(self.read().ok_or_else(|| {
            self.rest = &[];
            DiffError::Truncated { at, length: self.length }
        }))
    }
}

/// Writes into `out`, which is emptied first, the new data that `diff` makes of `old`.
///
/// # Errors
/// Every variant of [`DiffError`] but [`DiffError::NewSize`]. `limit` is the page size: the result is never longer.
#[doc(alias = "ErrLGGetAfterImage")]
pub fn apply_diff(
    old: &[u8],
    diff: &[u8],
    form: DiffForm,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), DiffError> {
    out.clear();
    let mut reached = 0;
    let too_short = |needed| DiffError::OldDataTooShort { needed, found: old.len() };
    for entry in DiffEntries::new(diff, form) {
        let entry = entry?;
        if entry.offset < reached {
            return Err(DiffError::OutOfOrder { offset: entry.offset, reached });
        }
        let kept = old.get(reached..entry.offset).ok_or_else(|| too_short(entry.offset))?;
        // Both are at most 64 KiB: no overflow.
        reached = entry.offset + entry.removed;
        if reached > old.len() {
            return Err(too_short(reached));
        }
        append_bounded(out, kept, limit)?;
        append_bounded(out, entry.inserted, limit)?;
    }
    append_bounded(out, old.get(reached..).unwrap_or_default(), limit)
}

fn append_bounded(out: &mut Vec<u8>, bytes: &[u8], limit: usize) -> Result<(), DiffError> {
    let length = out.len() + bytes.len();
    if length > limit {
        return Err(DiffError::TooLong { length, limit });
    }
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends one entry to a difference, in the narrowest form, as the engine writes it. Returns whether it could: the
/// offset and both lengths must fit. `out` is as it was when not.
#[doc(alias = "FLGAppendDiff")]
#[must_use]
pub fn append_diff_entry(
    out: &mut Vec<u8>,
    form: DiffForm,
    offset: usize,
    removed: usize,
    inserted: &[u8],
) -> bool {
    let (Ok(stored_offset), Ok(new_length), Ok(old_length)) =
        (u16::try_from(offset), u16::try_from(inserted.len()), u16::try_from(removed))
    else {
        return false;
    };
    if offset > form.highest_offset() {
        return false;
    }
    let wide = new_length > 255 || old_length > 255;
    let insert = old_length == 0;
    let same = !insert && old_length == new_length;
    let flags = (if wide { WIDE } else { 0 })
        | (if insert { INSERT } else { 0 })
        | (if same { SAME_LENGTH } else { 0 });
    let [low, high] = stored_offset.to_le_bytes();
    match form {
        DiffForm::Short => out.extend_from_slice(&[low, high | flags]),
        DiffForm::Long => out.extend_from_slice(&[low, high, flags]),
    }
    let mut push_length = |length: u16| {
        let bytes = length.to_le_bytes();
        out.extend_from_slice(bytes.get(..if wide { 2 } else { 1 }).unwrap_or_default());
    };
    push_length(new_length);
    if !insert && !same {
        push_length(old_length);
    }
    out.extend_from_slice(inserted);
    true
}

/// Fewest equal bytes between two changes that make two entries smaller than one.
const WORTH_AN_ENTRY: usize = 6;

/// Writes into `out`, which is emptied first, a difference that makes `new` of `old`. Returns whether it is smaller
/// than `new`, which is when the engine logs a difference; an empty difference means that nothing changed.
///
/// Data of equal length is compared byte by byte; of data whose length changes, what lies between the common beginning
/// and the common end is one entry.
#[must_use]
pub fn make_diff(old: &[u8], new: &[u8], form: DiffForm, out: &mut Vec<u8>) -> bool {
    out.clear();
    let common = |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| pairs.take_while(|(a, b)| a == b).count();
    if old.len() != new.len() {
        let shorter = old.len().min(new.len());
        let start = common(&mut old.iter().zip(new));
        let end = common(&mut old.iter().rev().zip(new.iter().rev())).min(shorter - start);
        let inserted = new.get(start..new.len() - end).unwrap_or_default();
        return append_diff_entry(out, form, start, old.len() - end - start, inserted)
            && out.len() < new.len();
    }
    let differs = |at: usize| old.get(at) != new.get(at);
    let mut at = 0;
    while at < new.len() {
        if !differs(at) {
            at += 1;
            continue;
        }
        let start = at;
        let mut end = at + 1;
        // A change close behind this one goes into the same entry.
        while let Some(next) = (end..new.len().min(end + WORTH_AN_ENTRY)).find(|&next| differs(next)) {
            end = next + 1;
        }
        at = end;
        let inserted = new.get(start..end).unwrap_or_default();
        if !append_diff_entry(out, form, start, end - start, inserted) {
            return false;
        }
    }
    out.len() < new.len()
}

impl<'a> Replace<'a> {
    /// Form of the difference in a ReplaceD record.
    #[must_use]
    pub const fn diff_form(&self) -> DiffForm {
        if self.long_entries { DiffForm::Long } else { DiffForm::Short }
    }

    /// New data of a Replace record.
    ///
    /// # Errors
    /// [`DiffError::NewSize`] when it has not the length that the record tells.
    pub fn new_data(&self) -> Result<&'a [u8], DiffError> {
        check_size(self.new_size, self.data.len())?;
        Ok(self.data)
    }

    /// Writes into `out`, which is emptied first, the new data of a ReplaceD record, given the data that the node has.
    ///
    /// # Errors
    /// Those of [`apply_diff`], and [`DiffError::NewSize`] when the result has not the length that the record tells.
    pub fn new_data_from_diff(
        &self,
        old: &[u8],
        page_size: ese_format::PageSize,
        out: &mut Vec<u8>,
    ) -> Result<(), DiffError> {
        apply_diff(old, self.data, self.diff_form(), page_size.len(), out)?;
        check_size(self.new_size, out.len())
    }
}

fn check_size(expected: u16, found: usize) -> Result<(), DiffError> {
    if usize::from(expected) == found {
        Ok(())
    } else {
        Err(DiffError::NewSize { expected: usize::from(expected), found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ese_format::PageSize;
    use proptest::prelude::*;

    const LIMIT: usize = 32768;

    #[test]
    fn the_example_of_the_format_description() {
        let diff = [0x02, 0x20, 0x02, 0x78, 0x79, 0x08, 0x40, 0x01, 0x5A];
        let mut out = Vec::new();
        apply_diff(b"ABCDEFGH", &diff, DiffForm::Short, LIMIT, &mut out).unwrap();
        assert_eq!(out, b"ABxyEFGHZ");
        let mut made = Vec::new();
        assert!(append_diff_entry(&mut made, DiffForm::Short, 2, 2, b"xy"));
        assert!(append_diff_entry(&mut made, DiffForm::Short, 8, 0, b"Z"));
        assert_eq!(made, diff);
    }

    #[test]
    fn long_headers_and_wide_lengths() {
        let inserted = [7u8; 300];
        let mut diff = Vec::new();
        assert!(append_diff_entry(&mut diff, DiffForm::Long, 0x1234, 5, &inserted));
        assert_eq!(diff[..7], [0x34, 0x12, 0x80, 0x2C, 0x01, 0x05, 0x00]);
        let entry = DiffEntries::new(&diff, DiffForm::Long).next().unwrap().unwrap();
        assert_eq!((entry.offset, entry.removed, entry.inserted), (0x1234, 5, &inserted[..]));
        assert!(!append_diff_entry(&mut diff, DiffForm::Short, 0x2000, 5, &inserted));
    }

    #[test]
    fn a_deletion_has_no_new_bytes() {
        let mut diff = Vec::new();
        assert!(append_diff_entry(&mut diff, DiffForm::Short, 1, 2, b""));
        assert_eq!(diff, [0x01, 0x00, 0x00, 0x02]);
        let mut out = Vec::new();
        apply_diff(b"abcd", &diff, DiffForm::Short, LIMIT, &mut out).unwrap();
        assert_eq!(out, b"ad");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut out = Vec::new();
        let mut apply = |old: &[u8], diff: &[u8]| apply_diff(old, diff, DiffForm::Short, 16, &mut out);
        // Second entry goes back.
        let back = [0x02, 0x20, 0x01, b'x', 0x01, 0x20, 0x01, b'y'];
        assert_eq!(apply(b"abcdef", &back), Err(DiffError::OutOfOrder { offset: 1, reached: 3 }));
        assert_eq!(apply(b"a", &back), Err(DiffError::OldDataTooShort { needed: 2, found: 1 }));
        assert_eq!(apply(b"abc", &back[..3]), Err(DiffError::Truncated { at: 0, length: 3 }));
        assert_eq!(apply(b"abc", &back[..7]), Err(DiffError::Truncated { at: 4, length: 7 }));
        let long = [&[0x00, 0x40, 0x0A][..], &[1; 10]].concat();
        assert_eq!(apply(b"abcdefg", &long), Err(DiffError::TooLong { length: 17, limit: 16 }));
        assert_eq!(DiffError::TooLong { length: 17, limit: 16 }.jet_error(), JetError::LOG_FILE_CORRUPT);
    }

    #[test]
    fn the_length_in_the_record_counts() {
        let node = crate::record::NodePrefix::default();
        let mut replace =
            Replace { node, old_size: 2, new_size: 3, long_entries: false, data: &[0x02, 0x40, 0x01, 9] };
        let (mut out, size) = (Vec::new(), PageSize::DEFAULT);
        assert_eq!(replace.new_data_from_diff(&[7, 8], size, &mut out), Ok(()));
        assert_eq!(out, [7, 8, 9]);
        replace.new_size = 4;
        let error = replace.new_data_from_diff(&[7, 8], size, &mut out).unwrap_err();
        assert_eq!(error, DiffError::NewSize { expected: 4, found: 3 });
        assert_eq!(error.jet_error(), JetError::LOG_CORRUPTED);
        assert_eq!(replace.new_data(), Ok(&[0x02, 0x40, 0x01, 9][..]));
    }

    fn forms() -> impl Strategy<Value = DiffForm> {
        prop_oneof![Just(DiffForm::Short), Just(DiffForm::Long)]
    }

    proptest! {
        #[test]
        fn a_made_difference_gives_the_new_data(
            old in prop::collection::vec(0u8..4, 0..600),
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
            cut in 0usize..40,
            more in prop::collection::vec(any::<u8>(), 0..40),
            form in forms(),
        ) {
            let mut new = old.clone();
            for (at, byte) in &edits {
                if !new.is_empty() {
                    let at = at.index(new.len());
                    new[at] = *byte;
                }
            }
            new.truncate(new.len().saturating_sub(cut));
            new.extend_from_slice(&more);
            let mut diff = Vec::new();
            let worth = make_diff(&old, &new, form, &mut diff);
            prop_assert_eq!(worth, diff.len() < new.len());
            let mut out = Vec::new();
            apply_diff(&old, &diff, form, LIMIT, &mut out).unwrap();
            prop_assert_eq!(out, new.clone());
            if old == new {
                prop_assert!(diff.is_empty());
            }
        }

        #[test]
        fn arbitrary_differences_are_bounded(
            old in prop::collection::vec(any::<u8>(), 0..100),
            diff in prop::collection::vec(prop_oneof![Just(0u8), Just(0x20), Just(0x40), any::<u8>()], 0..100),
            form in forms(),
        ) {
            let mut out = Vec::new();
            if apply_diff(&old, &diff, form, 128, &mut out).is_ok() {
                prop_assert!(out.len() <= 128);
                // Entries that are read are written the same way when they are in the narrowest form.
                let mut again = Vec::new();
                for entry in DiffEntries::new(&diff, form) {
                    let entry = entry.unwrap();
                    prop_assert!(append_diff_entry(&mut again, form, entry.offset, entry.removed, entry.inserted));
                }
                let mut same = Vec::new();
                apply_diff(&old, &again, form, 128, &mut same).unwrap();
                prop_assert_eq!(out, same);
            }
        }
    }
}
