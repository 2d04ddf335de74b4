//! Where databases of the original engine end: the end of their owned extents, never behind the end of the file.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use ese_instance::{last_owned_page, read_database_header};
use ese_io::{MemoryStorage, OpenOptions, OsStorage, Storage};

#[test]
fn owned_extents_end_inside_the_file() {
    for case in ["clean-p4k", "clean-p8k", "clean-p16k", "clean-p32k"] {
        let Some(folder) = testdata::reference(case) else { continue };
        let file = OsStorage.open(&folder.join("files/db.edb"), OpenOptions::READ).unwrap();
        let header = read_database_header(&*file).unwrap().header;
        let last = last_owned_page(&*file, header.page_size()).unwrap();
        let end = last.file_offset(header.page_size()) + u64::from(header.page_size().bytes());
        assert!(end <= file.len().unwrap(), "{case}: the file may be longer, never shorter");
    }
}

#[test]
fn a_copy_in_a_backup_set_has_one_page_more() {
    let Some(folder) = testdata::reference("backup-full-incr-p8k") else { return };
    let file = OsStorage.open(&folder.join("backup_0/db.edb"), OpenOptions::READ).unwrap();
    let size = read_database_header(&*file).unwrap().header.page_size();
    let last = last_owned_page(&*file, size).unwrap();
    assert_eq!(file.len().unwrap(), last.file_offset(size) + 2 * u64::from(size.bytes()));
}

#[test]
fn damage_is_named_with_its_page() {
    let Some(folder) = testdata::reference("clean-p8k") else { return };
    let storage = MemoryStorage::new();
    let mut bytes = std::fs::read(folder.join("files/db.edb")).unwrap();
    for byte in &mut bytes[3 * 8192 + 100..3 * 8192 + 110] {
        *byte ^= 0x55;
    }
    storage.put("/db.edb", bytes);
    let file = storage.open("/db.edb".as_ref(), OpenOptions::READ).unwrap();
    let size = read_database_header(&*file).unwrap().header.page_size();
    let error = last_owned_page(&*file, size).unwrap_err();
    assert_eq!(error.jet_error().0, -1018, "{error}");
    assert!(error.to_string().contains("page 2"), "{error}");
}
