//! A backup is worth what its restore is worth: `--prove`, `restore --verify`, and sets that a streaming client laid down.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn ese(arguments: &[&str]) -> (Vec<Value>, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_ese")).arg("--json").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

fn copy_store(folder: &Path) -> String {
    let target = folder.join("store.edb");
    fs::copy(testdata::workspace_root().join("fixtures/store.edb"), &target).unwrap();
    target.to_str().unwrap().to_owned()
}

#[test]
fn a_read_only_backup_is_proven_and_leaves_the_source_alone() {
    let folder = tempfile::tempdir().unwrap();
    let database = copy_store(folder.path());
    let before = fs::read(&database).unwrap();
    let set = folder.path().join("set");
    let (objects, exit) =
        ese(&["backup", &database, "--to", set.to_str().unwrap(), "--read-only", "--prove"]);
    assert_eq!(exit, 0, "{objects:?}");
    assert_eq!(objects[1]["proof"]["holds"], true);
    assert_eq!(objects[1]["proof"]["rows"], 494);
    assert_eq!(objects[1]["compared"]["different"], 0);
    assert_eq!(fs::read(&database).unwrap(), before);
    // Nothing but the source and the set is left.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_damage_that_checksums_do_not_show_is_found_by_the_proof() {
    let folder = tempfile::tempdir().unwrap();
    let database = copy_store(folder.path());
    // The canary: a row of a table is gone, its index entries are not; every checksum is right.
    let mut bytes = fs::read(&database).unwrap();
    plant(&mut bytes);
    fs::write(&database, bytes).unwrap();
    let set = folder.path().join("set");
    let (objects, exit) =
        ese(&["backup", &database, "--to", set.to_str().unwrap(), "--read-only", "--prove"]);
    assert_eq!(exit, 3, "{objects:?}");
    assert_eq!(objects[1]["proof"]["holds"], false);
}

/// Marks the first node of the first leaf of a table as deleted.
fn plant(bytes: &mut [u8]) {
    let size = 4096;
    for number in 4..(bytes.len() / size - 2) as u32 {
        let start = (number as usize + 1) * size;
        let page = &mut bytes[start..start + size];
        let flags = u32::from_le_bytes(page[36..40].try_into().unwrap());
        let objid = u32::from_le_bytes(page[24..28].try_into().unwrap());
        let tags = u16::from_le_bytes(page[34..36].try_into().unwrap()) & 0xFFF;
        // A leaf of the table itself: no space tree, index or long value.
        if flags & 0x2 != 0 && flags & 0xE0 == 0 && objid == 8 && tags > 3 {
            page[size - 8 + 3] |= 2 << 5;
            ese_format::write_page_checksum(page, ese_format::PageNumber(number)).unwrap();
            return;
        }
    }
    panic!("no leaf of the table");
}

#[test]
fn a_set_without_patch_files_is_restored_by_the_headers_of_its_databases() {
    let folder = tempfile::tempdir().unwrap();
    let database = copy_store(folder.path());
    let set = folder.path().join("set");
    let (_, exit) = ese(&["backup", &database, "--to", set.to_str().unwrap(), "--read-only"]);
    assert_eq!(exit, 0);
    fs::remove_file(set.join("store.pat")).unwrap();
    fs::remove_file(set.join("ese-manifest.json")).unwrap();
    let target = folder.path().join("restored");
    let (objects, exit) =
        ese(&["restore", set.to_str().unwrap(), "--to", target.to_str().unwrap(), "--verify"]);
    assert_eq!(exit, 0, "{objects:?}");
    assert_eq!(objects[1]["proof"]["holds"], true);
}
