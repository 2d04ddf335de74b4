//! `cargo xtask sort-tailorings`: makes `crates/ese-format/src/sort_key/tailorings.bin` from Windows' sorting tables.
//!
//! The source is that of [`crate::sort_weights`]. What is read here beside the default weights:
//!
//! * A sort's flags, the number of its list of contractions (all ones for none), and where its own weights begin, counted
//!   in weights from the default ones' start: 256 u32, for each 256 code units where their weights are, counted so, too.
//! * Behind the expansions: u32 number of lists of contractions, for each 24 bytes: u32 start counted in code units from
//!   the end of these entries, u16 lowest and u16 highest unit in it, u16 number of contractions of 2, 3 … 9 units.
//! * A contraction is its units, one more when their number is odd, and four bytes of weights.
//!
//! Contractions of surrogates are left out: they are most of the source, for the rarest ideographs.
//!
//! What is written is described in `crates/ese-format/src/sort_key/tailoring.rs`.

use std::collections::HashMap;

use crate::sort_weights::{PAGE, SORT_LEN, number, pack};
use crate::step::workspace_root;

const TARGET: &str = "crates/ese-format/src/sort_key/tailorings.bin";
/// Units of the longest contraction.
const LONGEST: usize = 8;
/// A sort's flag that is not the source's: contractions of surrogates were left out.
const LEFT_OUT: usize = 0x8000_0000;

/// Runs the task.
pub(crate) fn run_task(source: &str) -> bool {
    let make = || -> Result<usize, String> {
        let source = std::fs::read(source).map_err(|e| format!("{source}: {e}"))?;
        let table = convert(&source).ok_or("not tables of sort weights")?;
        std::fs::write(workspace_root().join(TARGET), &table).map_err(|e| format!("{TARGET}: {e}"))?;
        Ok(table.len())
    };
    let made = make();
    match &made {
        Ok(len) => println!("{TARGET}: {len} bytes"),
        Err(error) => eprintln!("{error}"),
    }
    made.is_ok()
}

/// What all sorts share, growing.
#[derive(Default)]
struct Shared {
    numbers: HashMap<Vec<u8>, u16>,
    pages: Vec<u8>,
    packed: Vec<u8>,
    overrides: Vec<u8>,
    contractions: Vec<u8>,
}

fn convert(source: &[u8]) -> Option<Vec<u8>> {
    let all = source.get(number(source, 0)?..)?.as_chunks::<4>().0;
    let default = all.get(..0x1_0000)?;
    let tables = number(source, 12)?;
    let count = number(source, tables + 4)?;
    let first = tables + 8;
    let expansions = first.checked_add(count.checked_mul(SORT_LEN)?)?;
    let lists = expansions + 4 + number(source, expansions)?.checked_mul(4)?;
    let mut shared = Shared::default();
    let mut sorts = Vec::new();
    for sort in 0..count {
        let at = first + sort * SORT_LEN;
        // Sorts are in the order of their numbers, the first part of their identifiers.
        (number(source, at)? == sort + 1).then_some(())?;
        let (overrides, contractions) = (shared.overrides.len() / 4, shared.contractions.len() / 20);
        let own = number(source, at + 24)?;
        if own != 0 {
            shared.add_weights(all, default, own)?;
        }
        let list = number(source, at + 20)?;
        let whole = list == 0xFFFF_FFFF || shared.add_contractions(source, lists, list)?;
        let flags = number(source, at + 16)? | if whole { 0 } else { LEFT_OUT };
        for field in [flags, overrides, contractions] {
            sorts.extend_from_slice(&u32::try_from(field).ok()?.to_le_bytes());
        }
        for count in [shared.overrides.len() / 4 - overrides, shared.contractions.len() / 20 - contractions] {
            sorts.extend_from_slice(&u16::try_from(count).ok()?.to_le_bytes());
        }
    }
    let mut table = Vec::new();
    for field in [
        number(source, tables)?,
        count,
        shared.overrides.len() / 4,
        shared.pages.len() / 8,
        shared.packed.len(),
        shared.contractions.len() / 20,
    ] {
        table.extend_from_slice(&u32::try_from(field).ok()?.to_le_bytes());
    }
    for part in [&sorts, &shared.overrides, &shared.pages, &shared.packed, &shared.contractions] {
        table.extend_from_slice(part);
    }
    Some(table)
}

impl Shared {
    /// The pages in which a sort's weights are not the default ones.
    fn add_weights(&mut self, all: &[[u8; 4]], default: &[[u8; 4]], own: usize) -> Option<()> {
        let starts = all.get(own..own + 256)?;
        for (high, start) in starts.iter().enumerate() {
            let start = usize::try_from(u32::from_le_bytes(*start)).ok()?;
            let units = all.get(start..start.checked_add(256)?)?;
            for (part, units) in units.chunks(PAGE).enumerate() {
                let page = high * (256 / PAGE) + part;
                if default.get(page * PAGE..(page + 1) * PAGE)? == units {
                    continue;
                }
                let number = self.page(units)?;
                self.overrides.extend_from_slice(&u16::try_from(page).ok()?.to_le_bytes());
                self.overrides.extend_from_slice(&number.to_le_bytes());
            }
        }
        Some(())
    }

    fn page(&mut self, units: &[[u8; 4]]) -> Option<u16> {
        let (constants, mask, varying) = pack(units);
        let key = [&constants[..], &[mask], &varying].concat();
        let next = u16::try_from(self.pages.len() / 8).ok()?;
        let page = *self.numbers.entry(key).or_insert(next);
        if page == next {
            let start = u32::try_from(self.packed.len()).ok().filter(|start| *start < 1 << 24)?;
            self.pages.extend_from_slice(&constants);
            self.pages.extend_from_slice(&(u32::from(mask) << 24 | start).to_le_bytes());
            self.packed.extend_from_slice(&varying);
        }
        Some(page)
    }

    /// One list of contractions, in the order of their units. Whether none was left out.
    fn add_contractions(&mut self, source: &[u8], lists: usize, list: usize) -> Option<bool> {
        let entries = lists + 4;
        let entry = entries + list.checked_mul(24)?;
        let units = entries + number(source, lists)?.checked_mul(24)?;
        let mut at = units + number(source, entry)?.checked_mul(2)?;
        let (mut found, mut whole) = (Vec::new(), true);
        for place in 0..8 {
            let counts = source.get(entry + 8..)?.as_chunks::<2>().0;
            for _ in 0..u16::from_le_bytes(*counts.get(place)?) {
                let len = place + 2;
                let padded = len.next_multiple_of(2) * 2;
                let bytes = source.get(at..at + 2 * len)?;
                let weights = source.get(at + padded..at + padded + 4)?;
                at += padded + 4;
                let surrogate = bytes.as_chunks::<2>().0.iter().any(|u| matches!(u[1], 0xD8..=0xDF));
                if surrogate {
                    whole = false;
                    continue;
                }
                let mut units = [0; 2 * LONGEST];
                units.get_mut(..bytes.len())?.copy_from_slice(bytes);
                let units =
                    units.as_chunks::<2>().0.iter().map(|u| u16::from_le_bytes(*u)).collect::<Vec<_>>();
                found.push((units, weights.to_vec()));
            }
        }
        found.sort();
        for (units, weights) in found {
            self.contractions.extend(units.into_iter().flat_map(u16::to_le_bytes));
            self.contractions.extend(weights);
        }
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_table_is_refused() {
        assert!(convert(&[]).is_none());
        assert!(convert(&[0xFF; 300_000]).is_none());
    }

    #[test]
    fn only_pages_with_other_weights_are_kept() {
        let mut all = vec![[0; 4]; 0x1_0000 + 256];
        for (high, start) in (0..256_u32).map(|high| (high as usize, high * 256)) {
            all[0x1_0000 + high] = start.to_le_bytes();
        }
        all[0x1_0001] = (0x1_0100_u32).to_le_bytes();
        all.extend((0..256).map(|unit| if unit == 70 { [1, 2, 3, 4] } else { [0; 4] }));
        let mut shared = Shared::default();
        shared.add_weights(&all, &all[..0x1_0000], 0x1_0000).unwrap();
        assert_eq!(shared.overrides, [5, 0, 0, 0], "units 0x140 to 0x17F");
    }
}
