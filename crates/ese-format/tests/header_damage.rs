//! Damaged headers: each bit flipped and each length cut gives a typed error, or the documented status where the other
//! copy saves it. Arbitrary bytes never make a parser panic, and whatever a parser accepts is written back unchanged.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use ese_format::{
    AttachmentEntry, BackupInfo, Checkpoint, CheckpointPair, DatabaseHeader, DatabaseHeaderPair,
    EngineFormatSetting, FLUSH_MAP_PAGE_SIZE, FileKind, FlushMapHeader, FlushMapPage, HeaderCopy,
    HeaderError, HeaderPairStatus, JetError, LogGeneration, LogHeader, LogHeaderChecks, LogPosition,
    LogVersion, PageNumber, PageSize, PatchFileHeader, RawCheckpoint, RawChecksumRecord, RawDatabaseHeader,
    Signature, TrailerPage, parse_attachments, write_attachments, write_header_checksum,
};
use proptest::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

fn database_header(size: PageSize) -> DatabaseHeader {
    let mut header = DatabaseHeader::new(size);
    header.set_signature(Signature { random: 0x1234_5678, ..Signature::NONE });
    header.set_consistent_position(LogPosition::new(7, 3, 99));
    header.set_max_required(LogGeneration(9));
    header
}

fn log_header() -> LogHeader {
    let mut header = LogHeader::new(LogVersion::segments(130, 280));
    header.set_file_sectors(32);
    header.set_attachments(&[AttachmentEntry::new(1, "E:\\case\\db.edb")]).unwrap();
    header
}

fn trailer(size: PageSize) -> TrailerPage {
    let mut trailer = TrailerPage::new(size);
    trailer.set_backup(BackupInfo { low_generation: 3, high_generation: 4, ..BackupInfo::NONE });
    trailer
}

/// A structure's bytes and its parser: writes back what it accepts.
type Parser = fn(&[u8]) -> Result<Vec<u8>, HeaderError>;

fn structures() -> Vec<(&'static str, Vec<u8>, Parser)> {
    let size = PageSize::DEFAULT;
    vec![
        ("database", database_header(size).write(), |b| Ok(DatabaseHeader::parse(b)?.write())),
        ("log", log_header().write(), |b| Ok(LogHeader::parse(b)?.write())),
        ("checkpoint", Checkpoint::default().write(), |b| Ok(Checkpoint::parse(b)?.write())),
        ("flush map", FlushMapHeader::default().write(), |b| Ok(FlushMapHeader::parse(b)?.write())),
        ("trailer", trailer(size).write(), |b| Ok(TrailerPage::parse(b)?.write())),
    ]
}

#[test]
fn each_bit_flipped_is_an_error() {
    for (name, good, parse) in structures() {
        assert_eq!(parse(&good).as_deref(), Ok(good.as_slice()), "{name}");
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let error = parse(&bad).err().unwrap_or_else(|| panic!("{name} bit {bit} is accepted"));
            assert!(error.jet_error() < JetError::SUCCESS, "{name} bit {bit}: {error}");
        }
    }
}

#[test]
fn each_length_cut_is_an_error() {
    for (name, good, parse) in structures() {
        for len in 0..good.len() {
            // A trailer page does not tell its length, and the zeros that are cut do not change its checksum.
            if name == "trailer" && len == 2048 {
                continue;
            }
            let error =
                parse(&good[..len]).err().unwrap_or_else(|| panic!("{name} cut to {len} is accepted"));
            assert!(error.jet_error() < JetError::SUCCESS, "{name} cut to {len}: {error}");
        }
    }
}

#[test]
fn the_other_copy_saves_a_database() {
    for size in [2048, 4096, 32768].map(|n| PageSize::new(n).unwrap()) {
        let page = database_header(size).write();
        let good = [page.clone(), page].concat();
        // Every bit of the known fields, and a sample of the rest.
        let bits = (0..748 * 8).chain((748 * 8..size.len() * 8).step_by(4099));
        for bit in bits {
            for (copy, status) in
                [(0, HeaderPairStatus::PrimaryBad), (size.len(), HeaderPairStatus::SecondaryBad)]
            {
                let mut file = good.clone();
                file[copy + bit / 8] ^= 1 << (bit % 8);
                let pair = DatabaseHeaderPair::probe(&file).unwrap();
                assert_eq!(pair.status, status, "bit {bit}");
                assert_eq!(pair.header.write(), good[..size.len()]);
                // In one file of a known page size the same.
                let known = DatabaseHeaderPair::probe_with_page_size(&file, size).unwrap();
                assert_eq!(known.status, status);
            }
            let mut file = good.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            file[size.len() + bit / 8] ^= 1 << (bit % 8);
            let error = DatabaseHeaderPair::probe(&file).unwrap_err();
            assert_eq!(error.jet_error(), JetError::DATABASE_CORRUPTED, "bit {bit}: {error}");
        }
    }
}

#[test]
fn a_database_cut_anywhere() {
    let size = PageSize::new(8192).unwrap();
    let page = database_header(size).write();
    let file = [page.clone(), page].concat();
    for len in 0..file.len() {
        match DatabaseHeaderPair::probe(&file[..len]) {
            Ok(pair) => {
                assert!(len >= size.len());
                assert_eq!(pair.status, HeaderPairStatus::SecondaryBad, "{len}");
            }
            Err(error) => {
                assert!(len < size.len());
                assert_eq!(error.jet_error(), JetError::DATABASE_CORRUPTED, "{len}: {error}");
                let named = matches!(error, HeaderError::Truncated { .. });
                assert!(named, "{len}: {error}");
            }
        }
    }
}

#[test]
fn the_other_copy_saves_a_checkpoint() {
    let copy = Checkpoint::default().write();
    let good = [copy.clone(), copy].concat();
    for bit in 0..Checkpoint::SIZE * 8 {
        let flip = |offset: usize| {
            let mut file = good.clone();
            file[offset + bit / 8] ^= 1 << (bit % 8);
            CheckpointPair::parse(&file).unwrap()
        };
        assert_eq!(flip(0).used_copy(), HeaderCopy::Secondary);
        assert_eq!(flip(Checkpoint::SIZE).status, HeaderPairStatus::SecondaryBad);
    }
    for len in 0..good.len() {
        let cut = CheckpointPair::parse(&good[..len]);
        match cut {
            Ok(pair) => assert!(len >= Checkpoint::SIZE && pair.status == HeaderPairStatus::SecondaryBad),
            Err(error) => {
                assert!(len < Checkpoint::SIZE);
                assert_eq!(error.jet_error(), JetError::CHECKPOINT_CORRUPT);
            }
        }
    }
}

#[test]
fn the_other_copy_saves_a_patch_file() {
    let size = PageSize::new(8192).unwrap();
    let page = trailer(size).write();
    let good = [page.clone(), page].concat();
    for bit in 0..148 * 8 {
        for offset in [0, size.len()] {
            let mut file = good.clone();
            file[offset + bit / 8] ^= 1 << (bit % 8);
            let patch = PatchFileHeader::probe(&file).unwrap();
            assert_eq!(patch.header.write()[..148], good[..148], "bit {bit}");
            let mut both = file.clone();
            both[(offset + size.len()) % good.len() + bit / 8] ^= 1 << (bit % 8);
            assert!(PatchFileHeader::probe(&both).is_err(), "bit {bit}");
        }
    }
}

/// A header that its writer checksummed with a wrong field: every single-bit change of every field that is checked
/// gives a refusal or none, and the file can be described in any case.
#[test]
fn checksummed_nonsense_is_described() {
    for bit in 0..RawDatabaseHeader::SIZE * 8 {
        let mut page = database_header(PageSize::DEFAULT).write();
        page[bit / 8] ^= 1 << (bit % 8);
        write_header_checksum(&mut page);
        if let Ok(header) = DatabaseHeader::parse(&page) {
            let _ = header.check_attachable(Some(PageSize::DEFAULT));
            let _ = header.version().check_update(EngineFormatSetting::EngineDefault);
            assert!(!header.fields().is_empty());
            assert_eq!(header.write(), page, "bit {bit}");
        }
    }
    for bit in 0..LogHeader::SIZE * 8 {
        let mut bytes = log_header().write();
        bytes[bit / 8] ^= 1 << (bit % 8);
        write_header_checksum(&mut bytes);
        let header = LogHeader::parse(&bytes).unwrap();
        let _ = header.check(&LogHeaderChecks { file_size: Some(131_072), ..LogHeaderChecks::default() });
        let _ = header.attachments();
        assert!(!header.fields().is_empty());
        assert_eq!(header.write(), bytes, "bit {bit}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// No parser panics, and the kind of a file is always told.
    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..9000), at in 0_usize..9000) {
        let _ = DatabaseHeaderPair::probe(&bytes);
        let _ = DatabaseHeader::parse_unverified(&bytes);
        let _ = CheckpointPair::parse(&bytes);
        let _ = LogHeader::parse(&bytes);
        let _ = FlushMapHeader::parse(&bytes);
        let _ = FlushMapPage::parse(&bytes).map(|page| page.flush_type(PageNumber(at as u32)));
        let _ = TrailerPage::parse(&bytes);
        let _ = PatchFileHeader::probe(&bytes);
        let _ = FileKind::detect(&bytes);
        let _ = parse_attachments(&bytes);
        if let Ok((record, _)) = RawChecksumRecord::read_from_prefix(&bytes) {
            let _ = record.check(&bytes, at, 1, 9, LogGeneration(1));
        }
    }

    /// Unknown values and bytes survive: whatever stands in a header, only the checksum changes when it is written.
    #[test]
    fn nothing_is_lost(
        known in prop::collection::vec(any::<u8>(), 748),
        tail in prop::collection::vec(any::<u8>(), 0..100),
        size in prop::sample::select(&PageSize::ALL[..]),
    ) {
        let mut page = known;
        page.extend(tail);
        page.resize(size.len(), 0);
        page[236..240].copy_from_slice(&size.bytes().to_le_bytes());
        write_header_checksum(&mut page);
        let mut header = DatabaseHeader::parse(&page).unwrap();
        prop_assert_eq!(&header.write(), &page);
        // Through the typed values and back.
        macro_rules! rewrite {
            ($($get:ident $set:ident),*) => {$( let value = header.$get(); header.$set(value); )*};
        }
        rewrite!(
            flags set_flags, state set_state, signature set_signature, consistent_position set_consistent_position,
            attach_time set_attach_time, previous_full_backup set_previous_full_backup, file_type set_file_type,
            previous_copy_backup_kind set_previous_copy_backup_kind, max_attach_format set_max_attach_format,
            sort_version set_sort_version, scan_highest set_scan_highest, db_time set_db_time
        );
        prop_assert_eq!(&header.write(), &page);
    }

    #[test]
    fn any_log_header_and_checkpoint_round_trips(mut bytes in prop::collection::vec(any::<u8>(), 4096)) {
        write_header_checksum(&mut bytes);
        prop_assert_eq!(&LogHeader::parse_unverified(&bytes).unwrap().write(), &bytes);
        prop_assert_eq!(&Checkpoint::parse(&bytes).unwrap().write(), &bytes);
        let mut page = bytes.clone();
        page.resize(FLUSH_MAP_PAGE_SIZE, 0);
        write_header_checksum(&mut page);
        prop_assert_eq!(&FlushMapHeader::parse(&page).unwrap().write(), &page);
        prop_assert_eq!(&TrailerPage::parse(&page).unwrap().write(), &page);
        let raw = RawCheckpoint::read_from_bytes(&bytes).unwrap();
        prop_assert_eq!(raw.as_bytes(), &bytes[..]);
    }

    #[test]
    fn attachment_lists_round_trip(
        entries in prop::collection::vec((1_u8..=6, any::<[u8; 63]>(), prop::collection::vec(any::<u8>(), 0..200)), 0..8),
    ) {
        let entries: Vec<_> = entries.into_iter().map(|(id, fixed, names)| {
            let mut entry = AttachmentEntry::new(id, "");
            entry.fixed.as_mut_bytes()[1..].copy_from_slice(&fixed);
            entry.fixed.set_names_size(names.len() as u16);
            entry.names = names;
            entry
        }).collect();
        let len: usize = entries.iter().map(|e| 64 + e.names.len()).sum();
        match write_attachments(&entries) {
            Ok(list) => {
                prop_assert!(len < 2048);
                prop_assert_eq!(parse_attachments(&list).unwrap(), entries);
            }
            Err(_) => prop_assert!(len >= 2048),
        }
    }
}
