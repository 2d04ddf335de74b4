//! `ese demo`: the books balance, live and restored, and after a crash and recovery too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::process::{Command, Output};

use serde_json::Value;

fn ese(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ese")).args(arguments).output().unwrap()
}

fn steps(arguments: &[&str]) -> Vec<Value> {
    let output = ese(arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn step<'a>(steps: &'a [Value], name: &str) -> &'a Value {
    steps.iter().find(|s| s["step"] == name).unwrap()
}

#[test]
fn live_and_restored_books_balance() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("shop");
    let directory = directory.to_str().unwrap();
    let steps =
        steps(&["demo", directory, "--books", "60", "--orders", "300", "--page-size", "4096", "--json"]);
    assert_eq!(step(&steps, "balance")["orders"], 300);
    assert_eq!(step(&steps, "balance")["holds"], true);
    assert_eq!(step(&steps, "restored")["proof"]["holds"], true);
    assert_eq!(step(&steps, "then")["holds"], true);
    let backed_up = step(&steps, "then")["orders"].as_u64().unwrap();
    assert!((100..=300).contains(&backed_up), "{backed_up} orders were in the backup");
    let database = format!("{directory}/live/store.edb");
    assert!(ese(&["verify", &database, "--deep"]).status.success());
    let rows = ese(&["export", &database, "--table", "Orders", "--format", "csv"]).stdout;
    assert_eq!(String::from_utf8(rows).unwrap().lines().count(), 301);
    // It never writes into what is there.
    assert!(!ese(&["demo", directory]).status.success());
}

#[test]
fn what_a_crash_leaves_is_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("shop");
    let directory = directory.to_str().unwrap();
    steps(&["demo", directory, "--books", "20", "--orders", "90", "--crash", "--json"]);
    let live = format!("{directory}/live");
    let database = format!("{live}/store.edb");
    assert!(!ese(&["verify", &database, "--deep"]).status.success(), "recovery is needed");
    assert!(ese(&["recover", &live, "--in-place"]).status.success());
    assert!(ese(&["verify", &database, "--deep"]).status.success());
    let rows = ese(&["export", &database, "--table", "Orders", "--format", "csv"]).stdout;
    assert_eq!(String::from_utf8(rows).unwrap().lines().count(), 91);
}

#[test]
fn files_of_an_older_format() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("shop");
    let directory = directory.to_str().unwrap();
    steps(&["demo", directory, "--books", "20", "--orders", "30", "--format-version", "8020", "--json"]);
    let database = format!("{directory}/live/store.edb");
    let info = ese(&["info", &database, "--json"]).stdout;
    let info: Value = serde_json::from_slice(&info).unwrap();
    assert_eq!(info["version"]["update_major"], 20);
    assert!(ese(&["verify", &database, "--deep"]).status.success());
    // Not a version that the engine has.
    assert_eq!(ese(&["demo", directory, "--format-version", "8021"]).status.code(), Some(2));
}
