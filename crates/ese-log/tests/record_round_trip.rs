//! Every byte string either is refused or comes back from its value unchanged.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use ese_log::record::{Record, RecordError, RecordKind, RecordSize, fixed_size, record_size};
use proptest::prelude::*;

/// A byte string that is a record of `kind`: `noise` gives its content, its counts are made small so that they fit.
fn well_formed(kind: RecordKind, noise: &[u8]) -> Option<Vec<u8>> {
    let fixed = fixed_size(kind)?;
    let mut bytes: Vec<u8> = noise.iter().copied().cycle().take(fixed.max(64) + 70_000).collect();
    bytes[0] = kind.0;
    // Every count is at most one byte below: 16-bit counts lose their high byte, 32-bit ones their three.
    if kind.is_skippable() {
        bytes[2..5].fill(0);
        bytes[1] |= 0x80;
    }
    if matches!(kind, RecordKind::SPLIT2) {
        bytes[107..110].fill(0);
    }
    if matches!(kind, RecordKind::MERGE2) {
        bytes[93..96].fill(0);
    }
    if matches!(kind, RecordKind::PAGE_MOVE) {
        bytes[89..92].fill(0);
        bytes[93..96].fill(0);
    }
    if matches!(kind, RecordKind::PREP_COMMIT) {
        bytes[4..7].fill(0);
    }
    let Ok(RecordSize::Size(size)) = record_size(&bytes) else { panic!("{kind} has no size") };
    bytes.resize(size, 0);
    Some(bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_well_formed_record_of_every_type_comes_back(noise in prop::collection::vec(any::<u8>(), 1..400)) {
        for &kind in RecordKind::KNOWN {
            let bytes = well_formed(kind, &noise).unwrap();
            let record = Record::decode(&bytes).unwrap_or_else(|error| panic!("{kind}: {error}"));
            prop_assert_eq!(record.kind(), kind);
            let mut again = Vec::new();
            record.encode(&mut again).unwrap();
            prop_assert_eq!(&again, &bytes, "{}", kind);
            let mut names = Vec::new();
            record.list_fields(&mut |name, _| names.push(name));
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            prop_assert_eq!(names.len(), count, "{} lists a name twice", kind);
            // One byte less or more is refused, and said to be the size.
            let mut longer = bytes.clone();
            longer.push(0);
            let refused = matches!(Record::decode(&longer), Err(RecordError::Size { .. }));
            prop_assert!(refused, "{} with a byte more", kind);
            let shorter = Record::decode(&bytes[..bytes.len() - 1]);
            let refused = matches!(shorter, Err(RecordError::Size { .. } | RecordError::Empty));
            prop_assert!(refused, "{} with a byte less", kind);
            prop_assert_eq!(Record::decode_first(&longer).map(|(_, size)| size), Ok(bytes.len()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn arbitrary_bytes_are_refused_or_come_back(
        kind in 0u8..110,
        mut bytes in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], 1..700),
    ) {
        bytes[0] = kind;
        if let Ok((record, size)) = Record::decode_first(&bytes) {
            let mut again = Vec::new();
            record.encode(&mut again).unwrap();
            prop_assert_eq!(&again[..], &bytes[..size]);
            record.list_fields(&mut |_, _| {});
        }
        let _ = Record::decode(&bytes);
    }
}

#[test]
fn types_without_layout_are_refused() {
    for number in [40, 41, 43, 44, 47, 56, 102, 200, 255] {
        let kind = RecordKind(number);
        let error = Record::decode(&[number; 80]).unwrap_err();
        assert_eq!(error, RecordError::UnknownKind { kind });
        assert_eq!(error.jet_error(), ese_format::JetError::LOG_FILE_CORRUPT);
    }
}
