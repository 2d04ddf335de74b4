//! `cargo xtask sort-weights`: makes `crates/ese-format/src/sort_key/weights.bin` from Windows' sorting tables.
//!
//! Microsoft publishes the numbers with the open specification MS-UCODEREF ("Windows 10 Sorting Weight Table"); Windows
//! carries them as `SortDefault.nls`, and Wine builds a file of the same form from the published one. That form is read
//! here. Numbers are little-endian; offsets are from the start of the file.
//!
//! | offset | size | field |
//! |-------:|-----:|---|
//! | 0      |    4 | offset of the weights: 65,536 × 4 bytes primary weight, script member, diacritic weight, case weight |
//! | 4, 8   |  4+4 | offsets of case mappings and character types, not used |
//! | 12     |    4 | offset of the sort tables |
//!
//! The sort tables: u32 sort version; u32 number of sorts, for each 36 bytes (identifier 16, u32 flags, contractions,
//! exceptions, linguistic exceptions, case mapping); u32 number of expansions, for each two u16 code units; then what
//! only other sorts than the first need. The first sort, the default one, must have no exceptions.
//!
//! A code unit with script member 2 expands: diacritic weight and case weight are the low and high byte of the number of
//! its expansion.
//!
//! Which of them are the same in older versions of the tables is taken from a second source: the weights that Access 2010
//! has, which froze tables of the time of Windows Server 2008. Jackcess lists them as measured, in `index_codes_gen.txt`
//! and `index_codes_ext_gen.txt` of its resources, one line for each code unit: `S` and primary weights in hexadecimal;
//! `I`, primary weights, a comma and diacritic weights; `U` and the primary weight of punctuation; `P` and the diacritic
//! weight of a mark; `X` for none. What is the same in both was the same in between.
//!
//! What is written is described in `crates/ese-format/src/sort_key/table.rs`.

use std::collections::HashMap;

use crate::step::workspace_root;

/// Code units of a page of the table.
pub(crate) const PAGE: usize = 64;
pub(crate) const SORT_LEN: usize = 36;
const TARGET: &str = "crates/ese-format/src/sort_key/weights.bin";

/// Runs the task: the table, and the two lists of older weights.
pub(crate) fn run_task(source: &str, older: [&str; 2]) -> bool {
    let make = || -> Result<usize, String> {
        let read = |path: &str| std::fs::read(path).map_err(|e| format!("{path}: {e}"));
        let [first, second] = older.map(read);
        let older = [first?, second?].concat();
        let table = convert(&read(source)?, &String::from_utf8_lossy(&older));
        let table = table.ok_or("not tables of sort weights, or the default sort has exceptions")?;
        let target = workspace_root().join(TARGET);
        std::fs::write(target, &table).map_err(|e| format!("{TARGET}: {e}"))?;
        Ok(table.len())
    };
    let made = make();
    match &made {
        Ok(len) => println!("{TARGET}: {len} bytes"),
        Err(error) => eprintln!("{error}"),
    }
    made.is_ok()
}

pub(crate) fn number(bytes: &[u8], offset: usize) -> Option<usize> {
    let field = bytes.get(offset..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*field)).ok()
}

fn convert(source: &[u8], older: &str) -> Option<Vec<u8>> {
    let weights = source.get(number(source, 0)?..)?.get(..4 * 0x1_0000)?.as_chunks::<4>().0;
    let tables = number(source, 12)?;
    let version = number(source, tables)?;
    let sorts = number(source, tables + 4)?;
    if number(source, tables + 8 + 24)? != 0 {
        return None;
    }
    let expansions = (tables + 8).checked_add(sorts.checked_mul(SORT_LEN)?)?;
    let expansion_count = number(source, expansions)?;
    let expansions = source.get(expansions + 4..)?.get(..expansion_count.checked_mul(4)?)?;

    let (mut map, mut pages, mut packed) = (Vec::new(), Vec::new(), Vec::new());
    let mut numbers: HashMap<Vec<u8>, u16> = HashMap::new();
    for units in weights.chunks(PAGE) {
        let (constants, mask, varying) = pack(units);
        let key = [&constants[..], &[mask], &varying].concat();
        let next = u16::try_from(pages.len() / 8).ok()?;
        let page = *numbers.entry(key).or_insert(next);
        if page == next {
            pages.extend_from_slice(&constants);
            pages.extend_from_slice(
                &(u32::from(mask) << 24 | u32::try_from(packed.len()).ok()?).to_le_bytes(),
            );
            packed.extend_from_slice(&varying);
        }
        map.extend_from_slice(&page.to_le_bytes());
    }
    let mut table = Vec::new();
    for field in [version, pages.len() / 8, packed.len(), expansion_count] {
        table.extend_from_slice(&u32::try_from(field).ok()?.to_le_bytes());
    }
    let lasting = lasting_units(weights, expansions.as_chunks().0, older);
    for part in [&map[..], &lasting, &pages, &packed, expansions] {
        table.extend_from_slice(part);
    }
    Some(table)
}

/// The weights of a page: the constant ones, which ones vary, and those for each code unit in turn.
pub(crate) fn pack(units: &[[u8; 4]]) -> ([u8; 4], u8, Vec<u8>) {
    let mut constants = units.first().copied().unwrap_or_default();
    let mut mask = 0;
    for (place, constant) in constants.iter_mut().enumerate() {
        if units.iter().any(|unit| unit.get(place) != Some(constant)) {
            mask |= 1 << place;
            *constant = 0;
        }
    }
    let of_unit = |unit: &[u8; 4]| -> Vec<u8> {
        unit.iter()
            .enumerate()
            .filter(|(place, _)| mask >> place & 1 != 0)
            .map(|(_, &weight)| weight)
            .collect()
    };
    let varying = units.iter().flat_map(of_unit).collect();
    (constants, mask, varying)
}

/// One bit for each code unit: its weights are those of the older list.
fn lasting_units(weights: &[[u8; 4]], expansions: &[[u8; 4]], older: &str) -> Vec<u8> {
    let mut bits = vec![0; 0x1_0000 / 8];
    for (unit, (line, weights_of_unit)) in older.lines().zip(weights).enumerate() {
        let same = as_listed(*weights_of_unit, weights, expansions).is_some_and(|ours| ours == normal(line));
        if let (true, Some(byte)) = (same, bits.get_mut(unit / 8)) {
            *byte |= 1 << (unit % 8);
        }
    }
    bits
}

/// The weights in the form of a line of the older list; `None` for those that it lists otherwise.
fn as_listed(
    [primary, script, diacritic, case]: [u8; 4],
    weights: &[[u8; 4]],
    expansions: &[[u8; 4]],
) -> Option<String> {
    let plain = |[primary, script, ..]: [u8; 4]| format!("{script:02X}{primary:02X}");
    Some(match script {
        0 => "X".into(),
        1 if primary == 0 => format!("P{diacritic:02X}"),
        2 => {
            let &[a, b, c, d] = expansions.get(usize::from(u16::from_le_bytes([diacritic, case])))?;
            let of = |unit| weights.get(usize::from(u16::from_le_bytes(unit))).copied();
            let (first, second) = (of([a, b])?, of([c, d])?);
            let is_plain = |&[_, script, diacritic, _]: &[u8; 4]| script > 6 && diacritic == 2;
            [first, second].iter().all(is_plain).then(|| format!("S{}{}", plain(first), plain(second)))?
        }
        5 => format!("SFDFF{primary:02X}{diacritic:02X}"),
        6 if diacritic == 2 => format!("U{primary:02X}"),
        7..=168 | 176.. => {
            let plain = plain([primary, script, 0, 0]);
            if diacritic == 2 { format!("S{plain}") } else { format!("I{plain},{diacritic:02X}") }
        }
        _ => return None,
    })
}

/// A line of the older list with each number of whole bytes.
fn normal(line: &str) -> String {
    let (kind, numbers) = line.split_at_checked(1).unwrap_or_default();
    let whole = |number: &str| format!("{}{number}", if number.len().is_multiple_of(2) { "" } else { "0" });
    format!("{kind}{}", numbers.split(',').map(whole).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_weights_are_taken_out() {
        assert_eq!(pack(&[[1, 2, 3, 4], [5, 2, 3, 6]]), ([0, 2, 3, 0], 0b1001, vec![1, 4, 5, 6]));
        assert_eq!(pack(&[[1, 2, 3, 4]; 64]), ([1, 2, 3, 4], 0, vec![]));
    }

    #[test]
    fn weights_in_the_form_of_the_older_list() {
        let listed = |weights| as_listed(weights, &[], &[]).unwrap();
        assert_eq!(listed([2, 14, 2, 2]), normal("SE02"));
        assert_eq!(listed([2, 14, 15, 2]), normal("IE02,F"));
        assert_eq!(listed([0x82, 6, 2, 2]), normal("U82"));
        assert_eq!(listed([0, 1, 12, 0]), normal("P0C"));
        assert_eq!(listed([0, 0, 0, 0]), normal("X"));
        let letters = [[9, 14, 2, 2], [33, 14, 2, 2]];
        let expands = as_listed([0, 2, 1, 0], &letters, &[[9; 4], [0, 0, 1, 0]]);
        assert_eq!(expands.unwrap(), normal("SE090E21"));
        assert_eq!(as_listed([2, 3, 2, 39], &[], &[]), None);
        assert_eq!(lasting_units(&[[2, 14, 2, 2], [3, 14, 2, 2]], &[], "X\nSE03")[0], 0b10);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert!(convert(&[], "").is_none());
        assert!(convert(&[0xFF; 300_000], "").is_none());
    }
}
