//! Every record of every log at hand: decoded, encoded again, and compared with what the original's dump tool printed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ese_log::record::Record;

/// The folder of logs that a folder of dumps describes.
fn described_folder(dumps: &str) -> Option<&'static str> {
    Some(match dumps {
        "eseutil" => "files",
        "recovered_eseutil" => "recovered",
        "eseutil_backup_0" => "backup_0",
        "eseutil_backup_1" => "backup_1",
        "eseutil_backup_2" => "backup_2",
        _ => return None,
    })
}

/// Finds a log of this name below `folder`.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
        .iter()
        .find(|path| path.is_file() && path.file_name().unwrap() == name)
        .cloned()
        .or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| find(path, name)))
}

/// What a dump says: the records, the lines under ReplaceD records, the numbers of its table at the end.
#[derive(Default)]
struct Dump {
    records: Vec<String>,
    differences: Vec<String>,
    counts: BTreeMap<String, usize>,
}

fn parse_dump(text: &str) -> Dump {
    let mut dump = Dump::default();
    let mut in_table = false;
    for line in text.lines() {
        if let Some(record) = line.strip_prefix('>') {
            dump.records.push(record.to_owned());
        } else if let Some(difference) = line.trim_start().strip_prefix("ReplDiff  ") {
            dump.differences.push(difference.to_owned());
        } else if line.starts_with("Op         # Records") {
            in_table = true;
        } else if in_table && line.starts_with("====") {
            in_table = false;
        } else if in_table && !line.starts_with("----") {
            let (name, numbers) = line.split_at(9);
            let count = numbers.split_whitespace().next().unwrap().parse().unwrap();
            dump.counts.insert(name.trim_end().to_owned(), count);
        }
    }
    dump
}

/// Every dump of a reference case: a name for it, the dump, the log it describes.
fn dumps_of(case: &str, folder: &Path) -> Vec<(String, PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let Some(logs) = described_folder(entry.file_name().to_str().unwrap()) else { continue };
        for dump in std::fs::read_dir(entry.path()).unwrap() {
            let dump = dump.unwrap().path();
            let name = dump.file_name().unwrap().to_str().unwrap();
            let Some(name) = name.strip_prefix("ml_") else { continue };
            let log_name = name.trim_end_matches(".gz").trim_end_matches(".txt");
            if let Some(log) = find(&folder.join(logs), log_name) {
                found.push((format!("{case}/{logs}/{log_name}"), dump, log));
            }
        }
    }
    found.sort();
    found
}

/// The dumps of all cases.
fn dumps() -> Vec<(String, PathBuf, PathBuf)> {
    testdata::reference_cases()
        .iter()
        .filter_map(|case| Some(dumps_of(case, &testdata::reference(case)?)))
        .flatten()
        .collect()
}

#[test]
fn every_record_of_the_reference_logs_comes_back() {
    let mut count = 0;
    for (case, path) in support::reference_logs() {
        // Damaged on purpose.
        if case.starts_with("logtails") || case.starts_with("logdamage") {
            continue;
        }
        let file = std::fs::read(&path).unwrap();
        if let Some(walked) = support::walk(&file) {
            count += support::check_round_trip(&format!("{case} {}", path.display()), &walked);
        }
    }
    eprintln!("{count} records");
}

#[test]
fn every_record_of_the_real_logs_comes_back() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for file in testdata::real_files().iter().filter(|file| file.kind.contains("log")) {
        let Some(walked) = support::walk(&testdata::real_bytes(file).unwrap()) else { continue };
        support::check_round_trip(&format!("{} {}", file.set, file.file), &walked);
        for found in &walked.records {
            *kinds.entry(Record::decode(&found.bytes).unwrap().kind().to_string()).or_default() += 1;
        }
    }
    eprintln!("{kinds:?}");
}

/// Positions, types and every printed field of every record are those of the original's dump tool.
#[test]
fn records_are_printed_as_the_original_prints_them() {
    let (mut compared, mut logs) = (0, 0);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differing: BTreeMap<String, String> = BTreeMap::new();
    for (name, dump, log) in dumps() {
        let dump = parse_dump(&testdata::read_text(&dump).unwrap());
        if dump.records.is_empty() {
            continue;
        }
        let walked = support::walk(&std::fs::read(log).unwrap()).unwrap();
        let mut of_log: BTreeMap<String, usize> = BTreeMap::new();
        let (mut lines, mut differences) = (Vec::new(), Vec::new());
        for found in &walked.records {
            let record = Record::decode(&found.bytes).unwrap();
            let Some((kind, text)) = support::dump::line(&record, walked.version) else {
                panic!("{name} {}: no line for {:?}", found.position, record.kind())
            };
            *counts.entry(kind).or_default() += 1;
            *of_log.entry(kind.to_owned()).or_default() += 1;
            if let Record::ReplaceDiff(replace) = &record {
                differences.extend(support::dump::difference_lines(replace));
            }
            lines.push(format!("{} {kind:<9} {text}", found.position).replace("ShutDown  ", "ShutDown "));
        }
        for (ours, theirs) in lines.iter().zip(&dump.records).filter(|(ours, theirs)| ours != theirs) {
            let kind = ours.split_whitespace().nth(1).unwrap().to_owned();
            differing.entry(kind).or_insert_with(|| format!("{name}\n  ours   {ours}\n  theirs {theirs}"));
        }
        assert_eq!(lines.len(), dump.records.len(), "{name}");
        assert_eq!(differences, dump.differences, "{name}");
        assert_eq!(of_log, dump.counts, "{name}");
        compared += dump.records.len() + differences.len();
        logs += 1;
    }
    let differing: Vec<String> = differing.into_values().collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    eprintln!("{logs} logs, {compared} lines, {counts:?}");
}

/// The census in a manifest: how many records of each name the original's dumps of all logs have together.
fn census(manifest: &str) -> Option<BTreeMap<String, usize>> {
    let (_, census) = manifest.split_once("\"census\"")?;
    let (_, records) = census.split_once("\"records\"")?;
    let (_, records) = records.split_once('{')?;
    let (records, _) = records.split_once('}')?;
    records
        .split(',')
        .map(|entry| {
            let (name, count) = entry.split_once(':')?;
            Some((name.trim().trim_matches('"').to_owned(), count.trim().parse().ok()?))
        })
        .collect()
}

#[test]
fn types_are_as_often_as_the_census_says() {
    let mut cases = 0;
    for case in testdata::reference_cases() {
        let Some(folder) = testdata::reference(&case) else { continue };
        let manifest = testdata::read_text(&folder.join("MANIFEST.json")).unwrap();
        let Some(census) = census(&manifest) else { continue };
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let logs: Vec<PathBuf> = dumps_of(&case, &folder).into_iter().map(|(_, _, log)| log).collect();
        for log in logs.iter().filter(|log| log.starts_with(folder.join("files"))) {
            let walked = support::walk(&std::fs::read(log).unwrap()).unwrap();
            for found in &walked.records {
                let record = Record::decode(&found.bytes).unwrap();
                let (kind, _) = support::dump::line(&record, walked.version).unwrap();
                // The census has both ways to create a tree under one name.
                let kind = kind.split(' ').next().unwrap().to_owned();
                *counts.entry(kind).or_default() += 1;
            }
        }
        assert_eq!(counts, census, "{case}");
        cases += 1;
    }
    eprintln!("{cases} cases");
}

/// A codec that took any byte of a record for another would be seen: each byte of the fixed part that the dump prints
/// changes the line.
#[test]
fn a_changed_byte_changes_the_line() {
    let version = (8, 4000, 130, 280);
    let mut insert = vec![0u8; 60];
    insert[0] = ese_log::record::RecordKind::INSERT.0;
    insert[44] = 4;
    insert[48] = 6;
    let line = |bytes: &[u8]| support::dump::line(&Record::decode(bytes).unwrap(), version).unwrap().1;
    let plain = line(&insert);
    // The counts at 44..50 make it another size; the root page at 36..40 is not printed.
    for at in (1..36).chain(40..44).chain(50..60) {
        let mut changed = insert.clone();
        changed[at] ^= 1;
        assert_ne!(line(&changed), plain, "byte {at}");
    }
}
