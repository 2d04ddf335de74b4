//! The differences that replacing records hold. The first byte splits the rest into old data and the other half, which
//! is taken as a difference, and as new data.

use ese_log::record::{DiffEntries, DiffForm, apply_diff, make_diff};

const PAGE: usize = 8192;

/// Applies anything; and what is made of two byte strings leads from one to the other.
pub(crate) fn run(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (old, new) = rest.split_at(rest.len() * usize::from(*first) / 256);
    let mut out = Vec::new();
    for form in [DiffForm::Short, DiffForm::Long] {
        let entries = DiffEntries::new(new, form).count();
        assert!(entries <= new.len() + 1);
        match apply_diff(old, new, form, PAGE, &mut out) {
            Ok(()) => assert!(out.len() <= PAGE),
            Err(error) => drop((error.to_string(), error.jet_error())),
        }
        let mut diff = Vec::new();
        if old.len() <= PAGE && new.len() <= PAGE && make_diff(old, new, form, &mut diff) {
            assert_eq!(apply_diff(old, &diff, form, PAGE, &mut out), Ok(()));
            assert!(out == new, "does not lead to the new data");
        }
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let text = b"one row of a table, with a name, a number and a longer text at its end";
    let mut changed = text.to_vec();
    changed.splice(10..15, *b"another");
    let mut diff = Vec::new();
    let mut found = vec![[&[128][..], text, &changed].concat()];
    for form in [DiffForm::Short, DiffForm::Long] {
        diff.clear();
        if make_diff(text, &changed, form, &mut diff) {
            let share = text.len() * 256 / (text.len() + diff.len());
            found.push([&[u8::try_from(share).unwrap_or(128)][..], text, &diff].concat());
        }
    }
    found
}
