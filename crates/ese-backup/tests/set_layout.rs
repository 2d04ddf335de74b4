//! A set that we write has the layout of a set of the original engine: files, header copy, trailer page, log range.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;

use common::{names, running};
use ese_backup::{BackupFlags, NoProgress, backup_instance};
use ese_format::{DatabaseHeader, DatabaseState, TrailerPage};
use ese_instance::last_owned_page;
use ese_io::{MemoryStorage, OpenOptions, Storage};
use ese_log::{OpenLog, ScanOptions};

/// The rules that the header and the trailer of a copy obey, checked on theirs and on ours alike.
fn check_copy(bytes: &[u8], low: u32, high: u32) -> (DatabaseHeader, TrailerPage) {
    let header = DatabaseHeader::parse(&bytes[..8192]).unwrap();
    assert_eq!(bytes[..8192], bytes[8192..2 * 8192], "the header page comes twice");
    let trailer = TrailerPage::parse(&bytes[bytes.len() - 8192..]).unwrap();
    assert!(trailer.check(&header, true).is_ok());
    assert_eq!(header.state(), DatabaseState::DIRTY_SHUTDOWN);
    let current = header.current_full_backup();
    assert_eq!((current.low_generation, current.high_generation), (low, 0));
    assert_eq!(trailer.backup().low_generation, low);
    assert_eq!((trailer.backup().mark, trailer.backup().time), (current.mark, current.time));
    assert!((low..=high).contains(&trailer.backup().high_generation));
    assert!((low..=high).contains(&current.mark.generation));
    // The range of the header is the one when the copy began, the trailer's the one when it ended.
    assert_eq!(header.min_required().0, low);
    assert!(header.min_consistent() >= header.min_required());
    assert!(header.max_required() <= trailer.max_required());
    assert_eq!(trailer.max_committed().0, trailer.backup().high_generation);
    assert_eq!(header.max_committed(), header.max_required());
    assert_eq!(header.detach_position().generation, 0);
    assert_eq!(header.last_resize_position(), header.attach_position());
    assert!(!header.max_committed_create_time().is_none() && !header.max_required_create_time().is_none());
    // Unused bytes of the trailer are zero.
    assert!(trailer.unknown_tail().is_empty());
    assert_eq!(trailer.reserved_4(), [0; 36]);
    (header, trailer)
}

/// Files of a set: database, its patch file, and logs without a gap.
fn check_files(storage: &MemoryStorage, names: &[String], low: u32, high: u32) {
    let logs: Vec<_> = (low..=high).map(|g| format!("edb{g:08X}.log")).collect();
    let mut expected = vec!["db.edb".to_owned(), "db.pat".to_owned()];
    expected.extend(logs.iter().cloned());
    let found: Vec<_> = names.iter().filter(|n| *n != "ese-manifest.json").cloned().collect();
    assert_eq!(found, expected);
    assert_eq!(storage.get("/set/db.pat").unwrap(), [0_u8; 0]);
    for (generation, name) in (low..).zip(&logs) {
        let log = OpenLog::open(storage, &Path::new("/set").join(name), &Default::default()).unwrap();
        assert_eq!(log.header().generation().0, generation);
        assert!(log.scan(ScanOptions::default()).unwrap().defect.is_none());
    }
}

#[test]
fn of_the_original_engine() {
    let Some(folder) = testdata::reference("backup-full-incr-p8k") else { return };
    let storage = MemoryStorage::new();
    for entry in std::fs::read_dir(folder.join("backup_0")).unwrap() {
        let entry = entry.unwrap();
        storage.put(Path::new("/set").join(entry.file_name()), std::fs::read(entry.path()).unwrap());
    }
    check_files(&storage, &names(&storage, "/set"), 0xD, 0x11);
    check_copy(&storage.get("/set/db.edb").unwrap(), 0xD, 0x11);
}

#[test]
fn of_ours() {
    let Some(bed) = running("clean-p8k") else { return };
    bed.make_directory("/set");
    let live = bed.instance.databases()[0].header();
    let options = bed.read_options();
    backup_instance(&bed.instance, Some(Path::new("/set")), BackupFlags::empty(), options, &NoProgress)
        .unwrap();
    check_files(&bed.storage, &bed.names("/set"), 0x15, 0x15);
    let copy = bed.storage.get("/set/db.edb").unwrap();
    let (header, _) = check_copy(&copy, 0x15, 0x15);
    // Header pages, pages up to the last owned one, trailer page.
    let file = bed.storage.open(Path::new("/set/db.edb"), OpenOptions::READ).unwrap();
    let last = last_owned_page(&*file, header.page_size()).unwrap();
    assert_eq!(copy.len(), (last.0 as usize + 3) * 8192);
    // The copy's header is the live one of that moment, but for the backup going on.
    let mut expected = live;
    expected.set_current_full_backup(header.current_full_backup());
    assert_eq!(DatabaseHeader::parse(&expected.write()).unwrap().fields(), header.fields());
    // No checkpoint, no current log, no reserve logs, no patch file beside the live database.
    assert!(bed.names("/db").iter().all(|n| !n.ends_with(".pat")));
}

/// An atomic full backup keeps nothing but the newest set.
#[test]
fn atomic() {
    let Some(bed) = running("clean-p8k") else { return };
    bed.make_directory("/set");
    for _ in 0..2 {
        let options = bed.read_options();
        let summary = backup_instance(
            &bed.instance,
            Some(Path::new("/set")),
            BackupFlags::ATOMIC,
            options,
            &NoProgress,
        )
        .unwrap();
        assert_eq!(bed.names("/set"), ["new"]);
        let (low, high) = summary.logs.unwrap();
        check_copy(&bed.storage.get("/set/new/db.edb").unwrap(), low.0, high.0);
    }
}
