//! `ese recover` and `ese diff` on crash states of the original engine: the recovered content is, byte for byte, the dump
//! of what the original's own recovery left, and the input stays as it was.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use sha2::{Digest, Sha256};

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

/// 45 MB of log of which nothing is in the database: the original's content is known by its digest.
#[test]
fn a_long_log_gives_the_originals_content() {
    let Some(folder) = testdata::reference("big-dirty-p8k") else { return };
    let manifest = std::fs::read(folder.join("MANIFEST.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let work = tempfile::tempdir().unwrap();
    let target = work.path().join("copy");
    let files = folder.join("files");
    let done = ese(&["recover", files.to_str().unwrap(), "--to", target.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done.stdout));
    let database = target.join("db.edb");
    let path = database.to_str().unwrap();
    let export = ese(&["export", "--format", "canonical", "--no-index-keys", path]);
    let digest: String = Sha256::digest(&export.stdout).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(manifest["recovered_dump_sha256"], digest.as_str());
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
    // Nothing says that the current log may be missing: a database needs it.
    let before = contents(&input);
    let refused = ese(&["--json", "recover", path, "--in-place"]);
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused.stdout));
    let error: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(error["jet_error"], -528);
    assert!(contents(&input) == before);
    let refused = ese(&["recover", path, "--in-place", "--accept-missing-current-log"]);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused.stderr));
    let done = ese(&["--json", "recover", path, "--in-place", "--accept-lost-logs"]);
    assert!(done.status.success(), "{}", text(&done.stdout));
    let result: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&result["result"], &result["jet_error"]), (&"recovered_with_loss".into(), &585.into()));
}

#[test]
fn archived_logs_that_hold_everything_are_enough() {
    let Some(folder) = testdata::reference("rare-ddl-mid-crash-p8k") else { return };
    let files = folder.join("files");
    assert!(!files.join("edb.log").exists() && !files.join("edbtmp.log").exists());
    let work = tempfile::tempdir().unwrap();
    let target = work.path().join("copy");
    let done = ese(&["--json", "recover", files.to_str().unwrap(), "--to", target.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done.stdout));
    let (ours, theirs) = (target.join("db.edb"), folder.join("recovered/db.edb"));
    let diff = ese(&["diff", "--pages-only", ours.to_str().unwrap(), theirs.to_str().unwrap()]);
    assert!(diff.status.success(), "{}", text(&diff.stdout));
    let export = ese(&["export", "--format", "canonical", ours.to_str().unwrap()]);
    assert!(export.stdout == testdata::text(&folder, "recovered_dump.jsonl").unwrap());
    // The log goes on in a new current one.
    assert!(target.join("edb.log").is_file());
}

#[test]
fn databases_that_need_no_replay_are_copied_too() {
    let Some(folder) = testdata::reference("rare-mix-crash-p8k-efv8920") else { return };
    let files = folder.join("files");
    let work = tempfile::tempdir().unwrap();
    let target = work.path().join("copy");
    let plan = ese(&["--json", "recover", files.to_str().unwrap(), "--plan"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert!(plan["untouched"][0].as_str().unwrap().ends_with("db.edb"), "{plan}");
    let done = ese(&["--json", "recover", files.to_str().unwrap(), "--to", target.to_str().unwrap()]);
    assert!(done.status.success(), "{}", text(&done.stdout));
    for (name, dump) in [("db.edb", "recovered_dump.jsonl"), ("x.edb", "recovered_dump_x.jsonl")] {
        let (ours, theirs) = (target.join(name), folder.join("recovered").join(name));
        let diff = ese(&["diff", "--pages-only", ours.to_str().unwrap(), theirs.to_str().unwrap()]);
        assert!(diff.status.success(), "{name}: {}", text(&diff.stdout));
        let export = ese(&["export", "--format", "canonical", ours.to_str().unwrap()]);
        assert!(export.stdout == testdata::text(&folder, dump).unwrap(), "{name}");
    }
    // The copy of a stream that was closed in order holds its databases as well.
    let again = work.path().join("again");
    let done = ese(&["--json", "recover", target.to_str().unwrap(), "--to", again.to_str().unwrap()]);
    assert!(text(&done.stdout).contains("already_clean"), "{}", text(&done.stdout));
    assert!(again.join("db.edb").is_file() && again.join("x.edb").is_file());
}

/// Numbers only. What two independent readers find in the same database is in `docs/checks-by-hand.md`.
#[test]
fn a_database_rebuilt_from_its_log_alone_is_exported() {
    let Some(file) = testdata::real_files().into_iter().find(|f| f.set == "secedit-log-gen1-a") else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let (logs, target) = (work.path().join("logs"), work.path().join("copy"));
    std::fs::create_dir(&logs).unwrap();
    std::fs::write(logs.join("edb.log"), testdata::real_bytes(&file).unwrap()).unwrap();
    let done = ese(&["--json", "recover", logs.to_str().unwrap(), "--to", target.to_str().unwrap()]);
    assert!(done.status.success());
    let database = target.join("secedit.sdb");
    let database = database.to_str().unwrap();
    let verified = ese(&["verify", "--deep", database]);
    assert!(verified.status.success(), "findings in the rebuilt database");
    let export = ese(&["export", "--system", database]);
    let mut rows: BTreeMap<String, u32> = BTreeMap::new();
    for line in text(&export.stdout).lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        *rows.entry(row["table"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let counts: Vec<u32> = rows.into_values().collect();
    // Locales, catalog, its shadow, object map, sections, version.
    assert_eq!(counts, [7, 111, 111, 19, 15, 1]);
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
