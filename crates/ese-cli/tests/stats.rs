//! `ese stats`: what it adds up is what `ese log` lists.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

fn json_lines(arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_ese")).args(arguments).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn sums_are_those_of_the_records() {
    let mut compared = 0;
    for case in ["dirty-exit-p8k", "dirty-exit-p4k"] {
        let Some(folder) = testdata::reference(case) else { continue };
        let logs = folder.join("files");
        let logs = logs.to_str().unwrap();
        let stats = json_lines(&["stats", logs]);
        assert_eq!(stats.len(), 1, "one stream");
        let mut types: BTreeMap<u64, u64> = BTreeMap::new();
        for record in json_lines(&["log", logs, "--records"]) {
            *types.entry(record["type_number"].as_u64().unwrap()).or_default() += 1;
        }
        let mut counted: BTreeMap<u64, u64> = BTreeMap::new();
        for kind in stats[0]["records"].as_array().unwrap() {
            counted.insert(kind["type"].as_u64().unwrap(), kind["number"].as_u64().unwrap());
        }
        assert_eq!(counted, types, "{case}");
        let summary = json_lines(&["log", logs, "--timeline"]).pop().unwrap();
        assert_eq!(stats[0]["transactions"]["committed"], summary["committed"], "{case}");
        assert_eq!(stats[0]["transactions"]["open"], summary["never_ended"], "{case}");
        compared += 1;
    }
    if compared == 0 {
        eprintln!("NOTHING COMPARED: the reference data are not here");
    }
}

#[test]
fn a_place_without_logs_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let answer = json_lines(&["stats", folder.path().to_str().unwrap()]);
    assert_eq!(answer[0]["error"], "no log files here");
}
