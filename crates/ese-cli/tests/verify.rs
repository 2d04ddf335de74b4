//! `ese verify` as a user meets it: output, exit codes, and the contract of its JSON.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn ese(arguments: &[&OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ese")).args(arguments).output().unwrap()
}

/// The objects that `ese --json verify` prints, and its exit code.
fn verify_json(paths: &[&Path]) -> (Vec<Value>, i32) {
    let mut arguments = vec![OsStr::new("--json"), OsStr::new("verify")];
    arguments.extend(paths.iter().map(|p| p.as_os_str()));
    let output = ese(&arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

fn one(path: &Path) -> (Value, i32) {
    let (mut objects, exit) = verify_json(&[path]);
    assert_eq!(objects.len(), 1, "{objects:?}");
    (objects.remove(0), exit)
}

fn copy_of(case: &str, file: &str, folder: &Path) -> Option<PathBuf> {
    let target = folder.join("copy.edb");
    fs::copy(testdata::reference(case)?.join(file), &target).unwrap();
    Some(target)
}

#[test]
fn a_clean_database() {
    let Some(case) = testdata::reference("clean-p4k") else { return };
    let path = case.join("files/db.edb");
    let (report, exit) = one(&path);
    assert_eq!(exit, 0);
    let members: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    for member in ["schema", "path", "kind", "verdict", "page_size", "pages", "findings"] {
        assert!(members.contains(&member), "{member} is missing from {members:?}");
    }
    assert_eq!(report["kind"], "database");
    assert_eq!(report["verdict"], "clean");
    assert_eq!(report["page_size"], 4096);
    assert_eq!(report["path"], path.to_str().unwrap());
    assert_eq!(report["header_copies"], "both_good");
    let pages = &report["pages"];
    let count = |name: &str| pages[name].as_u64().unwrap();
    assert_eq!(count("total"), 766);
    assert_eq!(count("uninitialized"), 408);
    assert_eq!(count("good"), 766 - 408);
    assert_eq!(count("corrected") + count("bad") + count("not_verified") + count("backup_trailer"), 0);
    assert_eq!(report["findings"], Value::Array(vec![]));
    // For people.
    let output = ese(&[OsStr::new("verify"), path.as_os_str()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(": clean\n  766 pages: 358 good, 408 uninitialized, 0 bad"), "{text}");
    assert!(output.stderr.is_empty());
}

#[test]
fn damage_is_told_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = copy_of("clean-p4k", "files/db.edb", folder.path()) else { return };
    let mut bytes = fs::read(&path).unwrap();
    // The header, one bit of page 1, two bits of page 4, page 5 in the place of page 6, and a cut inside the last page.
    bytes[300] ^= 1;
    bytes[2 * 4096 + 1000] ^= 4;
    bytes[5 * 4096 + 1000] ^= 4;
    bytes[5 * 4096 + 3000] ^= 4;
    bytes.copy_within(6 * 4096..7 * 4096, 7 * 4096);
    bytes.truncate(bytes.len() - 96);
    fs::write(&path, &bytes).unwrap();
    let (report, exit) = one(&path);
    assert_eq!(exit, 3);
    assert_eq!(report["verdict"], "findings");
    assert_eq!(report["header_copies"], "primary_bad");
    let found: Vec<(i64, &str, Option<i64>)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["page"].as_i64().unwrap(), f["kind"].as_str().unwrap(), f["jet_error"].as_i64()))
        .collect();
    let expected = [
        (-1, "bad_header", Some(-1018)),
        (1, "corrected", None),
        (4, "bad_checksum", Some(-1018)),
        (6, "wrong_page_number", Some(-1018)),
        (766, "partial_page", Some(-4001)),
    ];
    assert_eq!(found[..5], expected);
    let misplaced = &report["findings"][3];
    assert_eq!((misplaced["expected"].as_u64(), misplaced["found"].as_u64()), (Some(6), Some(5)));
    let bad = &report["findings"][2];
    for member in ["expected", "found"] {
        assert_eq!(bad[member].as_str().unwrap().len(), 16);
    }
    assert_ne!(bad["expected"], bad["found"]);
    assert_eq!(report["findings"][1]["bits"], serde_json::json!([8 * 1000 + 2]));
    // Verification reads only.
    assert_eq!(fs::read(&path).unwrap(), bytes);
    let output = ese(&[OsStr::new("verify"), path.as_os_str()]);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("page 4: bad checksum") && text.contains("JET_errReadVerifyFailure (-1018)"),
        "{text}"
    );
}

#[test]
fn real_databases() {
    let folder = tempfile::tempdir().unwrap();
    for file in testdata::real_files().iter().filter(|f| f.kind == "database") {
        let name = format!("{}/{}", file.set, file.file);
        let path = folder.path().join("database");
        fs::write(&path, testdata::real_bytes(file).unwrap()).unwrap();
        let (report, exit) = one(&path);
        let trailer = u64::from(file.counts.contains("trailer"));
        let pages = &report["pages"];
        let bad = pages["bad"].as_u64().unwrap();
        let counts = format!(
            "{} pages: {} good, {} zero, {} bad",
            pages["total"],
            pages["good"],
            pages["uninitialized"],
            bad + trailer
        );
        assert!(file.counts.starts_with(&counts), "{name}: {counts}");
        assert_eq!(report["backup_trailer"].is_u64(), trailer == 1, "{name}");
        assert_eq!(exit, if bad > 0 { 3 } else { 0 }, "{name}");
        assert_eq!(report["page_size"].as_u64(), file.page_size.map(u64::from), "{name}");
    }
}

#[test]
fn real_checkpoints_and_patch_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = testdata::real_files();
    for file in files.iter().filter(|f| f.kind == "checkpoint" || f.kind == "patch file") {
        let path = folder.path().join(Path::new(&file.file).file_name().unwrap());
        let bytes = testdata::real_bytes(file).unwrap();
        fs::write(&path, &bytes).unwrap();
        let (report, exit) = one(&path);
        assert_eq!((report["verdict"].as_str(), exit), (Some("clean"), 0), "{}/{}", file.set, file.file);
        assert_eq!(report["kind"], if file.kind == "checkpoint" { "checkpoint" } else { "patch" });
        let mut damaged = bytes.clone();
        damaged[60] ^= 0x40;
        fs::write(&path, &damaged).unwrap();
        let (report, exit) = one(&path);
        assert_eq!((report["header_copies"].as_str(), exit), (Some("primary_bad"), 3));
    }
}

#[test]
fn real_logs_and_flush_maps() {
    let folder = tempfile::tempdir().unwrap();
    let files = testdata::real_files();
    for file in files.iter().filter(|f| f.kind == "log" || f.kind == "flush map") {
        let name = format!("{}/{}", file.set, file.file);
        let path = folder.path().join(Path::new(&file.file).file_name().unwrap());
        let mut bytes = testdata::real_bytes(file).unwrap();
        fs::write(&path, &bytes).unwrap();
        let (report, exit) = one(&path);
        assert_eq!((report["verdict"].as_str(), exit), (Some("clean"), 0), "{name}: {report}");
        assert_eq!(report["kind"], file.kind.replace(' ', "_"), "{name}");
        let segments = &report["segments"];
        // "34 of 127 segments used, 1 shadow segment after them"
        if file.counts.contains("segments used") {
            let counts = format!("{} of {} segments used", segments["good"], segments["total"]);
            assert!(file.counts.starts_with(&counts), "{name}: {counts}");
            let shadow = u64::from(file.counts.contains("1 shadow segment"));
            assert_eq!(segments["shadow"].as_u64(), Some(shadow), "{name}");
        }
        // Damage in the first part that holds anything, and in the header.
        let place = if file.kind == "log" { 4096 + 100 } else { 8192 + 100 };
        let empty = file.kind == "flush map" && report["pages"]["good"] == 0;
        bytes[place] ^= 0x05;
        fs::write(&path, &bytes).unwrap();
        let (report, exit) = one(&path);
        assert_eq!((report["verdict"].as_str(), exit), (Some("findings"), 3), "{name}: {report}");
        assert!(empty || report["findings"][0]["jet_error"].is_i64(), "{name}: {report}");
        bytes[place] ^= 0x05;
        bytes[40] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let (report, exit) = one(&path);
        assert_eq!((report["findings"][0]["kind"].as_str(), exit), (Some("bad_header"), 3), "{name}");
    }
}

#[test]
fn files_without_content_are_clean() {
    let folder = tempfile::tempdir().unwrap();
    for (name, len, kind) in
        [("edbtmp.log", 8192, "blank_log"), ("edbres00001.jrs", 8192, "reserved_log"), ("db.pat", 0, "patch")]
    {
        let path = folder.path().join(name);
        fs::write(&path, vec![0; len]).unwrap();
        let (report, exit) = one(&path);
        assert_eq!(
            (report["kind"].as_str(), report["verdict"].as_str(), exit),
            (Some(kind), Some("clean"), 0)
        );
    }
}

#[test]
fn a_directory_stands_for_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_) = copy_of("clean-p4k", "files/db.edb", folder.path()) else { return };
    fs::create_dir(folder.path().join("inner")).unwrap();
    fs::write(folder.path().join("inner/notes.txt"), "not ours").unwrap();
    let (reports, exit) = verify_json(&[folder.path()]);
    assert_eq!(exit, 0);
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[1]["kind"], "unknown");
    assert_eq!(reports[1]["verdict"], "not_verified");
    // Named by itself, a foreign file is a complaint.
    let (report, exit) = one(&folder.path().join("inner/notes.txt"));
    assert_eq!((report["verdict"].as_str(), exit), (Some("not_verified"), 7));
}

#[test]
fn one_missing_path_does_not_hide_the_others() {
    let Some(case) = testdata::reference("clean-p4k") else { return };
    let path = case.join("files/db.edb");
    let (objects, exit) = verify_json(&[Path::new("/nowhere/at/all.edb"), &path]);
    assert_eq!(exit, 1);
    assert_eq!(objects.len(), 2);
    assert!(objects[0]["error"].is_string());
    assert_eq!(objects[1]["verdict"], "clean");
    let output = ese(&[OsStr::new("verify")]);
    assert_eq!(output.status.code(), Some(2));
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn of_kind<'a>(reports: &'a [Value], kind: &str) -> Vec<&'a Value> {
    reports.iter().filter(|r| r["kind"] == kind).collect()
}

#[test]
fn backup_sets_of_the_original_engine() {
    let mut sets = 0;
    for case in testdata::reference_cases().iter().filter(|c| c.starts_with("backup-")) {
        let Some(folder) = testdata::reference(case) else { continue };
        let (reports, exit) = verify_json(&[&folder]);
        assert_eq!(exit, 0, "{case}: {:?}", reports.iter().find(|r| r["verdict"] == "findings"));
        for set in of_kind(&reports, "backup_set") {
            assert_eq!(set["verdict"], "clean", "{set}");
            assert_eq!(set["manifest"], false);
            sets += 1;
        }
    }
    assert!(sets >= 1 || testdata::reference_cases().is_empty());
}

#[test]
fn a_backup_set_that_lost_something() {
    let Some(folder) = testdata::reference("clean-p4k") else { return };
    let work = tempfile::tempdir().unwrap();
    let set = work.path().join("set");
    copy_tree(&folder.join("files"), &work.path().join("source"));
    let source = work.path().join("source/db.edb");
    let arguments = ["backup", "--read-only", source.to_str().unwrap(), "--to", set.to_str().unwrap()];
    let output = ese(&arguments.map(OsStr::new));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (reports, exit) = verify_json(&[&set]);
    assert_eq!(exit, 0, "{reports:?}");
    let [whole] = of_kind(&reports, "backup_set").try_into().unwrap();
    assert_eq!((&whole["manifest"], &whole["databases"]), (&Value::Bool(true), &1.into()));
    // One bit in free space: no page checksum covers it twice, but the manifest covers every byte.
    let database = set.join("db.edb");
    let sound = fs::read(&database).unwrap();
    let mut damaged = sound.clone();
    damaged[5000] ^= 1;
    fs::write(&database, &damaged).unwrap();
    let (reports, exit) = verify_json(&[&set]);
    let [whole] = of_kind(&reports, "backup_set").try_into().unwrap();
    assert_eq!((exit, &whole["findings"][0]["kind"]), (3, &"crc32c".into()));
    assert_eq!(whole["findings"][0]["file"], "db.edb");
    fs::write(&database, &sound).unwrap();
    // Every log gone.
    let mut gone = 0;
    for entry in fs::read_dir(&set).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "log" || e == "jtx") {
            fs::remove_file(path).unwrap();
            gone += 1;
        }
    }
    let (reports, exit) = verify_json(&[&set]);
    let [whole] = of_kind(&reports, "backup_set").try_into().unwrap();
    let kinds: Vec<&str> =
        whole["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
    assert_eq!(exit, 3);
    assert_eq!(kinds.iter().filter(|kind| **kind == "missing_file").count(), gone);
    assert!(gone == 0 || kinds.contains(&"missing_log"), "{kinds:?}");
}
