//! Records of pages that a scan read: compared with the pages that replay makes. A database rebuilt from its log must have
//! every page as the scan found it; a page that was changed behind the log's back must be found.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod thread_bed;

use std::path::Path;

use ese_btree::DivergenceKind;
use ese_format::{PageNumber, write_page_checksum};
use ese_instance::recovery::{MissingCurrentLog, RecoveryReport, RecoveryRequest};
use ese_io::MemoryStorage;
use ese_log::{LogNames, find_streams};
use thread_bed::recover_alike;

/// The logs of a case, and with `databases` all its files.
fn load(case: &str, databases: bool) -> Option<MemoryStorage> {
    let folder = testdata::reference(case)?.join("files");
    let storage = MemoryStorage::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if databases || path.extension().is_some_and(|e| e == "log") {
            storage.put(Path::new("/r").join(path.file_name().unwrap()), std::fs::read(&path).unwrap());
        }
    }
    Some(storage)
}

fn run(storage: &MemoryStorage, compare: bool) -> RecoveryReport {
    let (base, extension) = find_streams(storage, Path::new("/r")).unwrap()[0].clone();
    let names = LogNames { base, extension, short_generations: false };
    let mut request = RecoveryRequest::soft(Path::new("/r"), names);
    request.missing_current_log = MissingCurrentLog::Accept;
    request.compare_scans = compare;
    recover_alike(storage, &request).unwrap_or_else(|e| panic!("{e} ({})", e.jet_error()))
}

#[test]
fn pages_rebuilt_from_the_log_are_those_that_the_scan_read() {
    // Both forms of the record, small and large pages.
    for case in ["rare-scan-p8k-efv8920", "rare-scan-twophase-crash-p16k"] {
        let Some(storage) = load(case, false) else { continue };
        let report = run(&storage, true);
        let found = &report.divergences;
        println!("{case}: {} pages compared", found.compared);
        assert!(found.compared > 100, "{case}");
        assert_eq!(found.count, 0, "{case}: {:?}", &found.pages[..found.pages.len().min(5)]);
    }
}

/// The canary: one byte of a row in the database file of a crash state.
#[test]
fn a_changed_page_is_found() {
    let case = "rare-scan-twophase-crash-p16k";
    let Some(storage) = load(case, true) else { return };
    let clean = run(&load(case, true).unwrap(), true);
    assert_eq!(clean.divergences.count, 0);
    assert!(clean.divergences.compared > 0);
    let size = 16384;
    let mut bytes = storage.get("/r/db.edb").unwrap();
    let mut changed = 0;
    for number in 1..(bytes.len() / size - 2) as u32 {
        let page = &mut bytes[(number as usize + 1) * size..][..size];
        let flags = u32::from_le_bytes(page[36..40].try_into().unwrap());
        let tags = u16::from_le_bytes(page[34..36].try_into().unwrap()) & 0xFFF;
        // Leaves of tables with some nodes: the last byte of a node is data.
        if flags & 0x2 == 0 || flags & 0x20 != 0 || tags < 4 {
            continue;
        }
        let tag = size - 4 * 3;
        let len = u16::from_le_bytes(page[tag..tag + 2].try_into().unwrap()) & 0x7FFF;
        let offset = u16::from_le_bytes(page[tag + 2..tag + 4].try_into().unwrap()) & 0x7FFF;
        page[80 + usize::from(offset) + usize::from(len) - 1] ^= 0x40;
        write_page_checksum(page, PageNumber(number)).unwrap();
        changed += 1;
    }
    storage.put("/r/db.edb", bytes);
    let report = run(&storage, true);
    println!("{changed} changed, {:?}", report.divergences.count);
    assert!(report.divergences.pages.iter().any(|d| d.kind == DivergenceKind::Content));
    assert!(report.divergences.pages.iter().all(|d| d.jet_error().0 == -1206));
}
