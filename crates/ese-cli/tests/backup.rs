//! `ese backup` and `ese restore` as a user meets them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Runs the program; its JSON objects and exit code.
fn ese(arguments: &[&dyn AsRef<OsStr>]) -> (Vec<Value>, i32) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ese"));
    let output = command.arg("--json").args(arguments.iter().map(|a| a.as_ref())).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

/// The files of a case in a folder of their own.
fn files(case: &str, folder: &Path) -> Option<PathBuf> {
    let target = folder.join("files");
    fs::create_dir(&target).unwrap();
    for entry in fs::read_dir(testdata::reference(case)?.join("files")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
    }
    Some(target)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn back_up_verify_restore() {
    let folder = tempfile::tempdir().unwrap();
    let Some(files) = files("clean-p8k", folder.path()) else { return };
    let (database, set, new) = (files.join("db.edb"), folder.path().join("set"), folder.path().join("new"));
    let content = fs::read(&database).unwrap();

    let (objects, exit) = ese(&[&"backup", &database, &"--to", &set]);
    assert_eq!(exit, 0, "{objects:?}");
    assert_eq!(objects[0]["schema"], "ese-backup-1");
    assert_eq!(objects[0]["generations"]["low"], 0x15);
    let (objects, exit) = ese(&[&"backup", &database, &"--to", &set, &"--incremental"]);
    assert_eq!(exit, 0, "{objects:?}");

    let (objects, exit) = ese(&[&"verify", &set]);
    assert_eq!(exit, 0, "{objects:?}");
    let (objects, exit) = ese(&[&"restore", &set, &"--to", &new, &"--verify"]);
    assert_eq!(exit, 0, "{objects:?}");
    assert_eq!(objects[0]["schema"], "ese-restore-1");
    assert_eq!(names(&new), ["db.edb", "edb.chk", "edb.log"]);
    // Header pages aside, every page that the database owns is as it was.
    let restored = fs::read(new.join("db.edb")).unwrap();
    assert_eq!(restored[2 * 8192..], content[2 * 8192..restored.len()]);
    let (objects, exit) = ese(&[&"info", &new.join("db.edb")]);
    assert_eq!((exit, objects[0]["state"].as_str()), (0, Some("clean_shutdown")));
}

#[test]
fn read_only_leaves_the_source_alone() {
    let folder = tempfile::tempdir().unwrap();
    let Some(files) = files("clean-p8k", folder.path()) else { return };
    let (database, set, new) = (files.join("db.edb"), folder.path().join("set"), folder.path().join("new"));
    let (before, content) = (names(&files), fs::read(&database).unwrap());
    let (objects, exit) = ese(&[&"backup", &database, &"--to", &set, &"--read-only"]);
    assert_eq!(exit, 0, "{objects:?}");
    assert_eq!(objects[0]["read_only"], true);
    assert_eq!((names(&files), fs::read(&database).unwrap()), (before, content.clone()));
    let (objects, exit) = ese(&[&"restore", &set, &"--to", &new]);
    assert_eq!(exit, 0, "{objects:?}");
    let restored = fs::read(new.join("db.edb")).unwrap();
    assert_eq!(restored[2 * 8192..], content[2 * 8192..restored.len()]);
}

#[test]
fn refusals_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let Some(clean) = files("clean-p8k", folder.path()) else { return };
    let set = folder.path().join("set");
    let database = clean.join("db.edb");
    let (objects, exit) = ese(&[&"backup", &database, &"--to", &set, &"--incremental"]);
    assert_eq!((exit, objects[0]["jet_error"].as_i64()), (1, Some(-560)), "{objects:?}");
    assert!(objects[0]["advice"].as_str().unwrap().contains("full backup"));
    assert!(!set.exists(), "nothing is left");

    fs::create_dir(&set).unwrap();
    fs::write(set.join("x"), "x").unwrap();
    let (objects, exit) = ese(&[&"backup", &database, &"--to", &set]);
    assert_eq!((exit, objects[0]["jet_error"].as_i64()), (1, Some(-504)), "{objects:?}");
    let (objects, exit) = ese(&[&"restore", &set, &"--to", &folder.path().join("new")]);
    assert_eq!((exit, objects[0]["jet_error"].as_i64()), (1, Some(-1811)), "{objects:?}");

    let other = tempfile::tempdir().unwrap();
    let Some(dirty) = files("dirty-exit-p8k", other.path()) else { return };
    let (objects, exit) = ese(&[&"backup", &dirty.join("db.edb"), &"--to", &set, &"--atomic"]);
    assert_eq!(exit, 4, "{objects:?}");
    let (objects, exit) =
        ese(&[&"backup", &dirty.join("db.edb"), &"--to", &set, &"--atomic", &"--read-only"]);
    assert_eq!((exit, objects[0]["jet_error"].as_i64()), (4, Some(-550)), "{objects:?}");
}

#[test]
fn a_database_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let Some(files) = files("clean-p4k", folder.path()) else { return };
    let database = files.join("db.edb");
    let held = fs::OpenOptions::new().read(true).write(true).open(&database).unwrap();
    held.lock().unwrap();
    let set = folder.path().join("set");
    for extra in ["--atomic", "--read-only"] {
        let (objects, exit) = ese(&[&"backup", &database, &"--to", &set, &extra]);
        assert_eq!(exit, 8, "{objects:?}");
    }
}
