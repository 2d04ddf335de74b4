#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]
//! Damaged logs of the reference cases, held against what the engine's own tool and its recovery said of them.
//!
//! The cases hold mutations of the files of a crash state. `ml_err` is the verdict of the tool on the damaged log alone,
//! with the position behind the last valid data; `recover` is what starting the engine gave. Mutations of the database are
//! other crates' matter.

use std::path::{Path, PathBuf};

use ese_format::{JetError, LogHeaderChecks, LogPosition};
use ese_io::MemoryStorage;
use ese_log::record::Record;
use ese_log::{
    BaseName, LogError, LogNames, LogSet, OpenLog, ScanOptions, StreamItem, StreamOptions, StreamReader,
    read_checkpoint,
};
use serde_json::Value;

const LOGS: &str = "/logs";

fn load(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".edb") {
            files.push((name, std::fs::read(path).unwrap()));
        }
    }
    files
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// Applies a mutation; `false` when it concerns no log and no checkpoint.
fn mutate(files: &mut Vec<(String, Vec<u8>)>, case: &Value) -> bool {
    let name = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = case["files"]
        .as_array()
        .map(|a| a.iter().map(|v| v.as_str().unwrap().to_owned()).collect())
        .unwrap_or_else(|| vec![name("file")]);
    if names.iter().any(|n| n.ends_with(".edb") || n.ends_with(".jfm")) {
        return false;
    }
    let kind = name("kind");
    let kind = kind.split('+').next().unwrap();
    let find = |files: &mut Vec<(String, Vec<u8>)>, name: &str| {
        files.iter().position(|f| f.0 == name).unwrap_or_else(|| panic!("{name} is not there"))
    };
    match kind {
        "none" => {}
        "delete" | "delete-many" => files.retain(|f| !names.contains(&f.0)),
        "swap" => {
            let (a, b) = (find(files, &name("a")), find(files, &name("b")));
            let bytes = std::mem::take(&mut files[a].1);
            let bytes = std::mem::replace(&mut files[b].1, bytes);
            files[a].1 = bytes;
        }
        "rename" => {
            let a = find(files, &name("a"));
            files[a].0 = name("b");
        }
        "copylog" => {
            let (a, b) = (find(files, &name("a")), find(files, &name("b")));
            let bytes = files[a].1.clone();
            files[b].1 = bytes;
        }
        _ => {
            let i = find(files, &names[0]);
            let bytes = &mut files[i].1;
            match kind {
                "truncate" => bytes.truncate(number(&case["size"])),
                "append" => bytes.resize(bytes.len() + number(&case["count"]), 0),
                "zero" => {
                    let (offset, count) = (number(&case["offset"]), number(&case["count"]));
                    let end = bytes.len().min(offset + count);
                    bytes[offset..end].fill(0);
                }
                "flip" => bytes[number(&case["offset"])] ^= 1 << number(&case["bit"]),
                "flip2" => {
                    for offset in case["offsets"].as_array().unwrap() {
                        bytes[number(offset)] ^= 1 << number(&case["bit"]);
                    }
                }
                other => panic!("unknown mutation {other}"),
            }
        }
    }
    true
}

/// What the dump tool does with one log: header, scan, records.
fn dump(storage: &MemoryStorage, path: &Path) -> Result<LogPosition, LogError> {
    let log = OpenLog::open(storage, path, &LogHeaderChecks::default())?;
    let mut reader = log.records(LogPosition::NONE, ScanOptions::default());
    while let Some(record) = reader.next()? {
        Record::decode(record.bytes).expect("a record of an intact segment decodes");
    }
    Ok(reader.finish()?.end)
}

/// What recovery does with the logs before it looks at any database.
fn recover(storage: &MemoryStorage) -> Result<u64, LogError> {
    let names = LogNames { short_generations: false, ..LogNames::legacy(BaseName::default()) };
    let set = LogSet::discover(storage, Path::new(LOGS), &names)?;
    if set.current.is_none() && set.temporary.is_none() {
        let generation = set.highest().unwrap_or_default().next();
        return Err(LogError::Missing { generation, file: set.current_path() });
    }
    // A checkpoint that cannot be used is no obstacle.
    let checkpoint = read_checkpoint(storage, &Path::new(LOGS).join(names.checkpoint()), None);
    let start = checkpoint.map_or(LogPosition::NONE, |pair| pair.checkpoint.position());
    let options = StreamOptions { start, accepts_repair: true, ..StreamOptions::default() };
    let mut stream = StreamReader::new(storage, vec![set], options);
    let mut records = 0;
    while let Some(item) = stream.next()? {
        if let StreamItem::Record(record) = item {
            Record::decode(record.bytes).expect("a record of an intact segment decodes");
            records += 1;
        }
    }
    Ok(records)
}

fn check(case_name: &str) -> Option<usize> {
    let folder = testdata::reference(case_name)?;
    let text = std::fs::read_to_string(folder.join("verdicts.json")).unwrap();
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let base = testdata::reference(manifest["base_case"].as_str().unwrap())?;
    let original = load(&base.join("files"));
    let mut checked = 0;
    for case in serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap() {
        let mut files = original.clone();
        if !mutate(&mut files, case) {
            continue;
        }
        let storage = MemoryStorage::new();
        let paths: Vec<PathBuf> = files.iter().map(|f| Path::new(LOGS).join(&f.0)).collect();
        for (path, (_, bytes)) in paths.iter().zip(files) {
            storage.put(path, bytes);
        }
        let what = serde_json::to_string(&case).unwrap();
        let what = &what[..what.len().min(300)];
        if let Some(expected) = case.get("ml_err") {
            let name = case["file"].as_str().or(case["a"].as_str()).unwrap();
            let found = dump(&storage, &Path::new(LOGS).join(name));
            let number = found.as_ref().map_or_else(LogError::jet_error, |_| JetError::SUCCESS);
            assert_eq!(number.name().filter(|_| number.0 != 0), expected.as_str(), "{what}: {found:?}");
            let line = case["ml_lines"][0].as_str().unwrap_or_default();
            if let Some((_, position)) = line.split_once("Last Lgpos: (0x") {
                let (position, _) = position.split_once(')').unwrap();
                let parts: Vec<u32> =
                    position.split(',').map(|p| u32::from_str_radix(p, 16).unwrap()).collect();
                let expected = LogPosition::new(parts[0], parts[1] as u16, parts[2] as u16);
                assert_eq!(found.unwrap_err().position(), Some(expected), "{what}");
            }
        }
        let recovered: Value = serde_json::from_str(case["recover"].as_str().unwrap()).unwrap();
        let expected = recovered["init"].as_i64().unwrap();
        let found = recover(&storage);
        let number = found.as_ref().map_or_else(LogError::jet_error, |_| JetError::SUCCESS);
        assert_eq!(i64::from(number.0), expected, "{what}: {found:?}");
        checked += 1;
    }
    println!("{case_name}: {checked} verdicts");
    Some(checked)
}

#[test]
fn damaged_ends_of_logs() {
    assert!(check("logtails-p4k").is_some_and(|n| n >= 40), "a fixture: always there");
    check("logtails-p8k");
}

#[test]
fn damage_inside_logs() {
    check("logdamage2-p8k");
    check("logdamage2-p32k");
}
