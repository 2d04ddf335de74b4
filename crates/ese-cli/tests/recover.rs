//! `ese recover` and `ese diff` on crash states of the original engine: the recovered content is, byte for byte, the dump
//! of what the original's own recovery left, and the input stays as it was.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

fn ese(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ese")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries
        .map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&p).unwrap()))
        .collect()
}

fn copy(folder: &Path, target: &Path) {
    std::fs::create_dir_all(target).unwrap();
    for (name, bytes) in contents(folder) {
        std::fs::write(target.join(name), bytes).unwrap();
    }
}

#[test]
fn a_copy_is_recovered_to_the_originals_content() {
    for case in ["dirty-exit-p8k", "dirty-exit-p32k", "rare-escrow-crash-p8k", "newnames-p8k"] {
        let Some(folder) = testdata::reference(case) else { continue };
        let Some(dump) = testdata::text(&folder, "recovered_dump.jsonl") else { continue };
        let files = folder.join("files");
        let before = contents(&files);
        let work = tempfile::tempdir().unwrap();
        let target = work.path().join("copy");
        let (from, to) = (files.to_str().unwrap(), target.to_str().unwrap());
        let plan = ese(&["recover", from, "--plan"]);
        assert!(plan.status.success(), "{case}: {}", text(&plan.stderr));
        assert!(text(&plan.stdout).contains("nothing was changed"), "{case}");
        let done = ese(&["--json", "recover", from, "--to", to]);
        assert!(done.status.success(), "{case}: {}", text(&done.stdout));
        let result: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(result["result"], "recovered", "{case}");
        assert_eq!(result["databases"][0]["state"], "clean_shutdown", "{case}");
        assert!(contents(&files) == before, "{case}: the input was changed");
        let database = target.join("db.edb");
        let export = ese(&["export", "--format", "canonical", database.to_str().unwrap()]);
        assert!(export.stdout == dump, "{case}: content differs");
        let theirs = folder.join("recovered/db.edb");
        let diff = ese(&["diff", "--pages-only", database.to_str().unwrap(), theirs.to_str().unwrap()]);
        assert!(diff.status.success(), "{case}: {}", text(&diff.stdout));
        // Once more: nothing to do.
        let again = ese(&["--json", "recover", to, "--in-place"]);
        assert!(text(&again.stdout).contains("already_clean"), "{case}: {}", text(&again.stdout));
        let verify = ese(&["verify", database.to_str().unwrap()]);
        assert!(verify.status.success(), "{case}: {}", text(&verify.stdout));
    }
}

#[test]
fn missing_logs_are_told_before_anything_is_touched() {
    let Some(folder) = testdata::reference("dirty-exit-p8k") else { return };
    let work = tempfile::tempdir().unwrap();
    let input = work.path().join("input");
    copy(&folder.join("files"), &input);
    // The first generation that the database requires.
    std::fs::remove_file(input.join("edb0000000A.log")).unwrap();
    let before = contents(&input);
    let to = work.path().join("copy");
    let arguments = ["--json", "recover", input.to_str().unwrap(), "--to", to.to_str().unwrap()];
    let failed = ese(&arguments);
    assert_eq!(failed.status.code(), Some(5), "{}", text(&failed.stdout));
    let error: serde_json::Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(error["jet_error"], -528);
    assert!(error["advice"].as_str().unwrap().contains("missing logs"));
    assert!(!to.exists());
    assert!(contents(&input) == before);
}

#[test]
fn the_last_logs_may_be_given_up_explicitly() {
    let Some(folder) = testdata::reference("dirty-exit-lazy-p8k") else { return };
    let work = tempfile::tempdir().unwrap();
    let input = work.path().join("input");
    copy(&folder.join("files"), &input);
    let plan = ese(&["--json", "recover", input.to_str().unwrap(), "--plan"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let required = plan["databases"][0]["required"][1].as_u64().unwrap();
    let committed = plan["databases"][0]["committed"].as_u64().unwrap();
    println!("required up to {required}, committed up to {committed}");
    if committed <= required {
        return;
    }
    std::fs::remove_file(input.join("edb.log")).unwrap();
    let path = input.to_str().unwrap();
    let refused = ese(&["recover", path, "--in-place", "--accept-missing-current-log"]);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused.stderr));
    let done =
        ese(&["--json", "recover", path, "--in-place", "--accept-missing-current-log", "--accept-lost-logs"]);
    assert!(done.status.success(), "{}", text(&done.stdout));
    let result: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&result["result"], &result["jet_error"]), (&"recovered_with_loss".into(), &585.into()));
}

#[test]
fn a_difference_is_found() {
    let Some(folder) = testdata::reference("dirty-exit-p8k") else { return };
    let (a, b) = (folder.join("files/db.edb"), folder.join("recovered/db.edb"));
    let diff = ese(&["diff", a.to_str().unwrap(), b.to_str().unwrap()]);
    assert_eq!(diff.status.code(), Some(3));
    assert!(text(&diff.stdout).contains("page "));
}

#[test]
fn wrong_command_lines() {
    assert_eq!(ese(&["recover", "."]).status.code(), Some(2));
    assert_eq!(ese(&["recover", ".", "--plan", "--in-place"]).status.code(), Some(2));
    let empty = tempfile::tempdir().unwrap();
    let none = ese(&["recover", empty.path().to_str().unwrap(), "--plan"]);
    assert_eq!(none.status.code(), Some(5), "{}", text(&none.stderr));
}
