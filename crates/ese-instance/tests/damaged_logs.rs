//! Damages of a crash state: recovery ends with the error number that the original engine ended with.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod thread_bed;

use std::collections::BTreeMap;
use std::path::Path;

use ese_instance::recovery::RecoveryRequest;
use ese_io::MemoryStorage;
use ese_log::{LogNames, find_streams};
use serde_json::Value;
use thread_bed::recover_alike;

type Files = BTreeMap<String, Vec<u8>>;

fn number(value: &Value, name: &str) -> usize {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} in {value}")) as usize
}

/// Does to the files what the verdict's entry says; `false` for a kind that is not known.
fn damage(files: &mut Files, entry: &Value) -> bool {
    let file = entry["file"].as_str().unwrap_or_default().to_owned();
    let offset = entry["offset"].as_u64().unwrap_or_default() as usize;
    match entry["kind"].as_str().unwrap() {
        "none" | "none+delete-out-of-range" => {}
        "delete" | "delete+delout" => {
            files.remove(&file);
        }
        "delete-many" => {
            for name in entry["files"].as_array().unwrap() {
                files.remove(name.as_str().unwrap());
            }
        }
        "truncate" => files.get_mut(&file).unwrap().truncate(number(entry, "size")),
        "append" => {
            let bytes = files.get_mut(&file).unwrap();
            bytes.resize(bytes.len() + number(entry, "count"), 0);
        }
        "zero" => {
            let bytes = files.get_mut(&file).unwrap();
            let end = (offset + number(entry, "count")).min(bytes.len());
            bytes[offset..end].fill(0);
        }
        "flip" => files.get_mut(&file).unwrap()[offset] ^= 1 << number(entry, "bit"),
        "flip2" => {
            let bytes = files.get_mut(&file).unwrap();
            for offset in entry["offsets"].as_array().unwrap() {
                bytes[offset.as_u64().unwrap() as usize] ^= 1 << number(entry, "bit");
            }
        }
        "swap" => {
            let (a, b) = (entry["a"].as_str().unwrap(), entry["b"].as_str().unwrap());
            let (x, y) = (files[a].clone(), files[b].clone());
            files.insert(a.to_owned(), y);
            files.insert(b.to_owned(), x);
        }
        "rename" => {
            let bytes = files.remove(entry["a"].as_str().unwrap()).unwrap();
            files.insert(entry["b"].as_str().unwrap().to_owned(), bytes);
        }
        "copylog" => {
            let bytes = files[entry["a"].as_str().unwrap()].clone();
            files.insert(entry["b"].as_str().unwrap().to_owned(), bytes);
        }
        _ => return false,
    }
    true
}

fn recovered(files: &Files, delete_out_of_range: bool) -> i32 {
    let storage = MemoryStorage::new();
    for (name, bytes) in files {
        storage.put(Path::new("/r").join(name), bytes.clone());
    }
    let Some((base, extension)) = find_streams(&storage, Path::new("/r")).unwrap().into_iter().next() else {
        return -528;
    };
    let names = LogNames { base, extension, short_generations: false };
    let mut request = RecoveryRequest::soft(Path::new("/r"), names);
    request.accept_lost_logs = delete_out_of_range;
    request.delete_out_of_range_logs = delete_out_of_range;
    match recover_alike(&storage, &request) {
        Ok(report) => report.result.jet_error().0,
        Err(error) => error.jet_error().0,
    }
}

fn verdicts(case: &str) {
    let Some(folder) = testdata::reference(case) else { return };
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(folder.join("MANIFEST.json")).unwrap()).unwrap();
    let base = manifest["base_case"].as_str().unwrap();
    let Some(base) = testdata::reference(base) else { return };
    let files: Files = std::fs::read_dir(base.join("files"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
        })
        .collect();
    let verdicts: Vec<Value> =
        serde_json::from_slice(&std::fs::read(folder.join("verdicts.json")).unwrap()).unwrap();
    let (mut checked, mut wrong) = (0, Vec::new());
    for entry in &verdicts {
        let Some(result) = entry["recover"].as_str().filter(|s| !s.is_empty()) else { continue };
        let expected: Value = serde_json::from_str(result).unwrap();
        let expected = expected["init"].as_i64().unwrap() as i32;
        let mut files = files.clone();
        assert!(damage(&mut files, entry), "{case}: kind {} is not known", entry["kind"]);
        checked += 1;
        let kind = entry["kind"].as_str().unwrap();
        let found = recovered(&files, kind.ends_with("delout") || kind.ends_with("out-of-range"));
        if found != expected {
            let mut what = entry.clone();
            for name in ["recover", "events", "ml_lines", "recover_stderr", "dump_err"] {
                what.as_object_mut().unwrap().remove(name);
            }
            wrong.push(format!("expected {expected}, found {found}: {what}"));
        }
    }
    println!("{case}: {checked} damages");
    assert!(checked > 20);
    assert!(wrong.is_empty(), "{case}:\n{}", wrong.join("\n"));
}

#[test]
fn log_tails_of_small_pages() {
    verdicts("logtails-p4k");
}

#[test]
fn log_tails() {
    verdicts("logtails-p8k");
}

#[test]
fn damaged_logs_and_databases() {
    verdicts("logdamage2-p8k");
}

#[test]
fn damaged_logs_and_databases_of_large_pages() {
    verdicts("logdamage2-p32k");
}
