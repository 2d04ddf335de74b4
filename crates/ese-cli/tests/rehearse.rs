//! `ese rehearse` on the fixture of the README: every step succeeds, and the original stays as it was.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn rehearse(database: &Path, work: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ese"))
        .args(more)
        .arg("rehearse")
        .arg(database)
        .arg("--work")
        .arg(work)
        .output()
        .unwrap()
}

fn demo() -> PathBuf {
    testdata::workspace_root().join("fixtures/demo/db.edb")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_demonstration_succeeds_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    let before = fs::read(demo()).unwrap();
    let output = rehearse(&demo(), &work, &[]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    for word in ["backed up", "clean", "restored", " 0 differ", "proven"] {
        assert!(out.contains(word), "{word}: {out}");
    }
    assert_eq!(err.lines().filter(|l| l.starts_with("$ ")).count(), 5, "{err}");
    assert!(!work.exists());
    assert!(fs::read(demo()).unwrap() == before, "the original was changed");
    assert_eq!(fs::read_dir(demo().parent().unwrap()).unwrap().count(), 1, "something beside the original");
}

#[test]
fn kept_work_and_json() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    let output = Command::new(env!("CARGO_BIN_EXE_ese"))
        .args(["--json", "rehearse", "--keep", "--work"])
        .arg(&work)
        .arg(demo())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
    let objects: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(objects.last().unwrap()["schema"], "ese-rehearse-1");
    assert_eq!(objects.last().unwrap()["proven"], true);
    assert!(work.join("restored/db.edb").is_file() && work.join("set/db.edb").is_file());
    // It is there now, and somebody's.
    let again = rehearse(&demo(), &work, &[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(work.join("set/db.edb").is_file());
}

#[test]
fn a_database_that_was_not_closed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Some(case) = testdata::reference("dirty-exit-p4k") else { return };
    let work = folder.path().join("work");
    let output = rehearse(&case.join("files/db.edb"), &work, &[]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(!work.exists());
}

#[test]
fn a_damaged_database_is_not_proven() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("db.edb");
    let mut bytes = fs::read(demo()).unwrap();
    // Both copies of the header; a damaged page would be tried again for some seconds.
    bytes[100] ^= 0xFF;
    bytes[4096 + 100] ^= 0xFF;
    fs::write(&database, bytes).unwrap();
    let output = rehearse(&database, &folder.path().join("work"), &[]);
    assert_ne!(output.status.code(), Some(0));
    assert!(!text(&output.stdout).contains("proven"));
    assert!(!folder.path().join("work").exists());
}
