//! `ese info --json` against the original engine's own header dumps, which the reference cases hold: every line that the
//! original printed of a database header, a checkpoint, a log header or a flush map is rebuilt from our JSON and must
//! come out the same, letter by letter. A line that nobody rebuilds fails the test too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod checkpoint;
mod database;
mod flush_map;
mod log;
mod render;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// One recorded dump and the file it is of.
struct Dump {
    text: String,
    file: PathBuf,
}

/// The dumps of a case whose names start with `prefix` (`mh_`, `mk_`, `ml_`, `mp_`) and whose file is there.
fn dumps(case: &Path, prefix: &str) -> Vec<Dump> {
    let mut found = Vec::new();
    for folder in fs::read_dir(case).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let files = match name.as_str() {
            "eseutil" => case.join("files"),
            "recovered_eseutil" => case.join("recovered"),
            other => match other.strip_prefix("eseutil_") {
                Some(set) if case.join(set).join("new").is_dir() => case.join(set).join("new"),
                Some(set) => case.join(set),
                None => continue,
            },
        };
        let mut entries: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if !path.file_name().unwrap().to_str().unwrap().starts_with(prefix) {
                continue;
            }
            let text = testdata::read_text(&path).unwrap();
            // "# eseutil /mh db.edb", then "# rc=0".
            let mut lines = text.lines();
            let file = files.join(lines.next().unwrap().split_whitespace().nth(3).unwrap());
            if lines.next() == Some("# rc=0") && file.is_file() {
                found.push(Dump { text, file });
            }
        }
    }
    found
}

/// The object that `ese --json info` prints for each file.
fn info(files: &[PathBuf]) -> BTreeMap<PathBuf, Value> {
    let mut reports = BTreeMap::new();
    for some in files.chunks(200) {
        let output = Command::new(env!("CARGO_BIN_EXE_ese"))
            .args([OsStr::new("--json"), OsStr::new("info")])
            .args(some)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        for line in text.lines() {
            let report: Value = serde_json::from_str(line).unwrap();
            reports.insert(PathBuf::from(report["path"].as_str().unwrap()), report);
        }
    }
    reports
}

/// Compares every dump of a kind in every case. `compare` returns the number of lines it compared.
fn compare_all(prefix: &str, kind: &str, compare: fn(&str, &Value) -> usize) -> usize {
    let (mut files, mut lines) = (0, 0);
    for name in testdata::reference_cases() {
        let dumps = dumps(&testdata::reference(&name).unwrap(), prefix);
        let paths: Vec<_> = dumps.iter().map(|dump| dump.file.clone()).collect();
        let reports = info(&paths);
        for dump in dumps {
            let report = &reports[&dump.file];
            assert_eq!(report["kind"], kind, "{}", dump.file.display());
            assert_eq!(report["problems"], Value::Array(Vec::new()), "{}", dump.file.display());
            let compared = std::panic::catch_unwind(|| compare(&dump.text, report));
            lines += compared.unwrap_or_else(|_| panic!("while comparing {}", dump.file.display()));
            files += 1;
        }
    }
    println!("{files} dumps of kind {kind}, {lines} lines the same");
    lines
}

#[test]
fn database_headers() {
    assert!(compare_all("mh_", "database", database::compare) > 0);
}

#[test]
fn checkpoints() {
    assert!(compare_all("mk_", "checkpoint", checkpoint::compare) > 0);
}

#[test]
fn log_headers() {
    assert!(compare_all("ml_", "log", log::compare) > 0);
}

#[test]
fn flush_maps() {
    assert!(compare_all("mp_", "flush_map", flush_map::compare) > 0);
}

/// The comparison can fail: a changed field is noticed.
#[test]
fn a_wrong_field_is_noticed() {
    let Some(case) = testdata::reference("clean-p4k") else { return };
    let dump = dumps(&case, "mh_").remove(0);
    let report = info(std::slice::from_ref(&dump.file)).remove(&dump.file).unwrap();
    for (field, value) in [
        ("dbtimeDirtied", 1.into()),
        ("dbstate", 2.into()),
        ("lgposAttach", Value::Null),
        ("objidLast", 9.into()),
    ] {
        let mut wrong = report.clone();
        wrong["header"][field] = value;
        let text = dump.text.clone();
        assert!(std::panic::catch_unwind(|| database::compare(&text, &wrong)).is_err(), "{field}");
    }
}
