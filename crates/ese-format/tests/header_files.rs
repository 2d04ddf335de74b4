//! Headers of files that real engines wrote: parsing and writing gives the same bytes, for every file of every
//! reference case and of the folder of real files.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use ese_format::{
    Checkpoint, CheckpointPair, DatabaseHeader, DatabaseHeaderPair, FLUSH_MAP_PAGE_SIZE, FileKind,
    FileKindEvidence, FlushMapHeader, FlushMapPage, HeaderPairStatus, LogHeader, LogHeaderChecks, PageCheck,
    PageVerdict, PatchFileHeader, RawCheckpoint, RawChecksumRecord, RawDatabaseHeader, RawFlushMapHeader,
    RawLogHeader, RawTrailerPage, TrailerPage,
};
use zerocopy::FromBytes;

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Calls `check` with name and content of every file whose name ends with one of `extensions`, reference and real.
fn every_file(extensions: &[&str], kinds: &[&str], mut check: impl FnMut(&str, &[u8])) -> usize {
    let mut count = 0;
    for case in testdata::reference_cases() {
        let mut found = Vec::new();
        files_below(&testdata::reference(&case).unwrap(), &mut found);
        for path in found {
            let name = path.to_string_lossy();
            if extensions.iter().any(|e| name.ends_with(e)) {
                check(&name, &fs::read(&path).unwrap());
                count += 1;
            }
        }
    }
    for file in testdata::real_files() {
        if kinds.contains(&file.kind.as_str()) {
            check(&format!("{}/{}", file.set, file.file), &testdata::real_bytes(&file).unwrap());
            count += 1;
        }
    }
    count
}

#[test]
fn database_headers() {
    let count = every_file(&[".edb"], &["database"], |name, bytes| {
        let start = &bytes[..bytes.len().min(DatabaseHeaderPair::PROBE_LEN)];
        let pair = DatabaseHeaderPair::probe(start).unwrap_or_else(|e| panic!("{name}: {e}"));
        let header = &pair.header;
        let size = header.page_size().len();
        assert!(header.write() == bytes[..size], "{name}: first copy changed");
        let second = pair.stale.as_ref().unwrap_or(header);
        assert!(second.write() == bytes[size..2 * size], "{name}: second copy changed");
        // A streaming copy carries the backup in its first header only.
        if pair.status == HeaderPairStatus::SecondaryStale {
            assert!(header.is_part_of_backup() || !name.contains("backup_"), "{name}");
        } else {
            assert_eq!(pair.status, HeaderPairStatus::BothGood, "{name}");
        }
        assert!(header.unknown_tail().is_empty(), "{name}");
        assert_eq!(header.magic(), DatabaseHeader::MAGIC, "{name}");
        header.check_database(None).unwrap_or_else(|e| panic!("{name}: {e}"));
        // Every field goes through its typed value and back.
        assert_eq!(header.fields().iter().filter(|f| f.name.starts_with("reserved")).count(), 0, "{name}");
    });
    println!("{count} databases");
}

#[test]
fn log_headers() {
    let mut attachments = 0;
    let count = every_file(&[".log", ".jtx"], &["log"], |name, bytes| {
        let header = LogHeader::parse(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(header.write() == bytes[..LogHeader::SIZE], "{name}");
        let checks = LogHeaderChecks { file_size: Some(bytes.len() as u64), ..LogHeaderChecks::default() };
        header.check(&checks).unwrap_or_else(|e| panic!("{name}: {e}"));
        let entries = header.attachments().unwrap_or_else(|e| panic!("{name}: {e}"));
        // Behind the byte that ends the list the engine leaves what an earlier generation had there.
        let used: usize = entries.iter().map(|e| 64 + e.names.len()).sum();
        let mut again = header.clone();
        again.set_attachments(&entries).unwrap();
        assert!(again.attachment_bytes()[..=used] == header.attachment_bytes()[..=used], "{name}");
        assert!(header.fields().iter().all(|f| !f.name.starts_with("reserved")), "{name}");
        attachments += entries.len();
        if !header.version().has_segments() {
            checksum_records(name, bytes, &header);
        }
    });
    println!("{count} logs with {attachments} attachments");
}

/// Follows the chain of Checksum records of a log of major version 7.
fn checksum_records(name: &str, bytes: &[u8], header: &LogHeader) {
    let sector_size = usize::from(header.sector_size());
    let sectors = u32::from(header.file_sectors());
    let mut at = usize::from(header.header_sectors()) * sector_size;
    loop {
        let (record, _) = RawChecksumRecord::read_from_prefix(&bytes[at..]).unwrap();
        let (index, offset) = (at / sector_size, at % sector_size);
        let sector = &bytes[index * sector_size..][..sector_size];
        let checked = record.check(sector, offset, index as u32, sectors, header.generation());
        checked.unwrap_or_else(|e| panic!("{name} at {at:#x}: {e}"));
        let end = at + RawChecksumRecord::SIZE;
        let before = &bytes[at - record.backward_bytes() as usize..at];
        let after = &bytes[end..end + record.forward_bytes() as usize];
        assert_eq!(
            record.compute_range_checksum(before, after, header.generation()),
            record.range_checksum(),
            "{name} at {at:#x}"
        );
        if record.next_distance() == 0 {
            break;
        }
        at = end + record.next_distance() as usize;
    }
}

#[test]
fn checkpoints() {
    let count = every_file(&[".chk", ".jcp"], &["checkpoint"], |name, bytes| {
        let pair = CheckpointPair::parse(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let size = Checkpoint::SIZE;
        assert_eq!(bytes.len(), Checkpoint::FILE_SIZE, "{name}");
        assert!(pair.checkpoint.write() == bytes[..size], "{name}");
        assert!(pair.stale.as_ref().unwrap_or(&pair.checkpoint).write() == bytes[size..], "{name}");
        pair.checkpoint.check(None).unwrap_or_else(|e| panic!("{name}: {e}"));
        pair.checkpoint.attachments().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(pair.checkpoint.consistency_position() >= pair.checkpoint.position(), "{name}");
        assert!(pair.checkpoint.fields().iter().all(|f| !f.name.starts_with("reserved")), "{name}");
    });
    println!("{count} checkpoints");
}

#[test]
fn flush_maps() {
    let mut pages = 0;
    let count = every_file(&[".jfm"], &["flush map"], |name, bytes| {
        let header = FlushMapHeader::parse(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(header.write() == bytes[..FLUSH_MAP_PAGE_SIZE], "{name}");
        header.check().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(header.fields().iter().all(|f| !f.name.starts_with("reserved")), "{name}");
        for (number, page) in bytes[FLUSH_MAP_PAGE_SIZE..].chunks(FLUSH_MAP_PAGE_SIZE).enumerate() {
            let number = number as u32;
            let verdict = FlushMapPage::verify(page, number);
            let expected = [PageVerdict::Good, PageVerdict::Uninitialized].map(PageCheck::Verified);
            assert!(expected.contains(&verdict), "{name} page {number}: {verdict:?}");
            let page = FlushMapPage::parse(page).unwrap();
            if verdict == expected[0] {
                assert_eq!(page.header().number(), number, "{name}");
                assert!(page.header().fields().iter().all(|f| !f.name.starts_with("reserved")), "{name}");
            }
            pages += 1;
        }
    });
    println!("{count} flush maps with {pages} pages");
}

/// Copies of databases in backup sets end with a trailer page, except those that were restored.
#[test]
fn trailer_pages() {
    let mut trailers = 0;
    every_file(&[".edb"], &["database"], |name, bytes| {
        let start = &bytes[..bytes.len().min(DatabaseHeaderPair::PROBE_LEN)];
        let header = DatabaseHeaderPair::probe(start).unwrap().header;
        let last = &bytes[bytes.len() - header.page_size().len()..];
        let trailer = TrailerPage::parse(last);
        assert_eq!(trailer.is_ok(), header.is_part_of_backup(), "{name}");
        if let Ok(trailer) = trailer {
            trailer.check(&header, true).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(trailer.write() == last, "{name}");
            assert!(trailer.fields().iter().all(|f| !f.name.starts_with("reserved")), "{name}");
            // What we would have written, from the header that was copied first.
            let mut ours = TrailerPage::for_copy(&header, trailer.backup());
            if header.version().supports_lower_min_required() {
                assert_ne!(trailer.max_required().0, 0, "{name}");
                ours.set_max_required(trailer.max_required());
                ours.set_max_committed(trailer.max_committed());
                ours.set_min_required(trailer.min_required());
                ours.set_max_required_create_time(trailer.max_required_create_time());
                ours.set_max_committed_create_time(trailer.max_committed_create_time());
            }
            assert!(ours.write() == last, "{name}");
            trailers += 1;
        }
    });
    println!("{trailers} trailer pages");
}

#[test]
fn patch_files() {
    let count = every_file(&[".pat"], &["patch file"], |name, bytes| {
        if bytes.is_empty() {
            return; // Those of today.
        }
        let patch = PatchFileHeader::probe(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(patch.status, HeaderPairStatus::BothGood, "{name}");
        let size = patch.header.page_size().len();
        assert!(patch.header.write() == bytes[..size], "{name}");
        assert_eq!(size, 8192, "{name}");
    });
    println!("{count} patch files");
}

/// Detection agrees with the names in the reference cases and with the manifest of the real files; a file cut anywhere
/// is still recognised, or nothing else.
#[test]
fn kinds() {
    let names = [
        (FileKind::Database, &[".edb"][..], &["database"][..]),
        (FileKind::Log, &[".log", ".jtx"], &["log"]),
        (FileKind::Checkpoint, &[".chk", ".jcp"], &["checkpoint"]),
        (FileKind::FlushMap, &[".jfm"], &["flush map"]),
    ];
    for (kind, extensions, kinds) in names {
        every_file(extensions, kinds, |name, bytes| {
            let start = &bytes[..bytes.len().min(FileKind::DETECT_LEN)];
            assert_eq!(FileKind::detect(start), (kind, FileKindEvidence::Verified), "{name}");
            for len in [12, 100, 671, 700, 2048, 4095, 4096, 8192] {
                let found = FileKind::detect(&start[..len.min(start.len())]).0;
                assert!([kind, FileKind::Unknown].contains(&found), "{name} cut to {len}: {found}");
            }
            let mut headless = start.to_vec();
            headless[..4096].fill(0x5A);
            let found = FileKind::detect(&headless).0;
            assert!([kind, FileKind::Unknown].contains(&found), "{name} without its start: {found}");
        });
    }
    for file in testdata::real_files() {
        let expected = match file.kind.as_str() {
            "patch file" => &[FileKind::PatchFile][..],
            "reserved log" | "blank log" => &[FileKind::Blank, FileKind::BlankLogPattern],
            _ => continue,
        };
        let bytes = testdata::real_bytes(&file).unwrap();
        let start = &bytes[..bytes.len().min(FileKind::DETECT_LEN)];
        let found = FileKind::detect(start).0;
        assert!(expected.contains(&found), "{}/{}: {found}", file.set, file.file);
    }
}

#[test]
fn field_tables_cover_every_byte() {
    for (table, size) in [
        (RawDatabaseHeader::FIELDS, RawDatabaseHeader::SIZE),
        (RawLogHeader::FIELDS, RawLogHeader::SIZE),
        (RawCheckpoint::FIELDS, RawCheckpoint::SIZE),
        (RawFlushMapHeader::FIELDS, RawFlushMapHeader::SIZE),
        (RawTrailerPage::FIELDS, RawTrailerPage::SIZE),
    ] {
        let mut at = 0;
        for (name, offset, size) in table {
            assert_eq!(*offset, at, "{name}");
            at += size;
        }
        assert_eq!(at, size);
    }
}
