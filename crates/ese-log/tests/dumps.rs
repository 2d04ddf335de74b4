#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]
//! Every log of the reference cases, held against the dump that the engine's own tool made of it: version, end of the
//! data, accumulated checksum, number of records, position and type of each.

use std::collections::BTreeMap;
use std::path::Path;

use ese_format::{LogHeaderChecks, LogPosition};
use ese_io::OsStorage;
use ese_log::record::RecordKind;
use ese_log::{OpenLog, ScanOptions};

/// What a dump says.
#[derive(Default)]
struct Dump {
    last: Option<LogPosition>,
    accumulated: Option<u64>,
    records: Vec<(LogPosition, String)>,
    total: Option<u64>,
    passed: bool,
}

fn parse(text: &str) -> Dump {
    let mut dump = Dump::default();
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(rest) = trimmed.strip_prefix("Last Lgpos: (0x") {
            let parts: Vec<u32> =
                rest.trim_end_matches(')').split(',').map(|p| u32::from_str_radix(p, 16).unwrap()).collect();
            dump.last = Some(LogPosition::new(parts[0], parts[1] as u16, parts[2] as u16));
        } else if let Some(rest) = trimmed.strip_prefix("Accumulated segment checksum: 0x") {
            dump.accumulated = Some(u64::from_str_radix(rest, 16).unwrap());
        } else if let Some(rest) = trimmed.strip_prefix("clrTotal") {
            dump.total = Some(rest.trim_start_matches([' ', '=']).trim().parse().unwrap());
        } else if trimmed.starts_with("Integrity check passed") {
            dump.passed = true;
        } else if let Some(rest) = line.strip_prefix('>') {
            let Some(stamp) = rest.get(..18).filter(|s| s.as_bytes()[8] == b',' && s.as_bytes()[13] == b',')
            else {
                continue;
            };
            let part = |range: std::ops::Range<usize>| u32::from_str_radix(&stamp[range], 16).unwrap();
            let position = LogPosition::new(part(0..8), part(9..13) as u16, part(14..18) as u16);
            dump.records.push((position, rest[19..].chars().take(10).collect::<String>().trim().to_owned()));
        }
    }
    dump
}

/// Checks the logs of `files` against the dumps in `dumps`; the number of logs and of records compared.
fn check(files: &Path, dumps: &Path, names: &mut BTreeMap<String, RecordKind>) -> (usize, usize) {
    let (mut count, mut records) = (0, 0);
    let Ok(entries) = std::fs::read_dir(files) else { return (0, 0) };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Ok(text) = testdata::read_text(&dumps.join(format!("ml_{name}.txt"))) else { continue };
        let dump = parse(&text);
        // The tool was called with another base name there and said nothing.
        if dump.last.is_none() {
            continue;
        }
        let log = OpenLog::open(&OsStorage, &path, &LogHeaderChecks::default()).unwrap();
        let options = ScanOptions { accepts_repair: true, count_all: true, ..ScanOptions::default() };
        let mut reader = log.records(LogPosition::NONE, options);
        let mut found = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            found.push((record.position, RecordKind(record.bytes[0])));
        }
        let end = reader.finish().unwrap();
        assert_eq!(end, log.scan(options).unwrap(), "{}", path.display());
        assert!(dump.passed && end.is_usable(), "{}", path.display());
        assert_eq!(Some(end.end), dump.last, "{}", path.display());
        assert_eq!(Some(end.accumulated_checksum), dump.accumulated, "{}", path.display());
        assert_eq!(
            end.data + end.shadows + end.unused + end.stale + end.bad,
            end.sectors,
            "{}",
            path.display()
        );
        if !dump.records.is_empty() {
            for (i, ((position, kind), (expected, name))) in found.iter().zip(&dump.records).enumerate() {
                assert_eq!(position, expected, "{} record {i} {kind:?} {name}", path.display());
                let known = *names.entry(name.clone()).or_insert(*kind);
                assert_eq!(known, *kind, "{} record {i} at {position}", path.display());
            }
            assert_eq!(found.len(), dump.records.len(), "{}", path.display());
        }
        if let Some(total) = dump.total {
            assert_eq!(found.len() as u64, total, "{}", path.display());
        }
        records += dump.records.len();
        count += 1;
    }
    (count, records)
}

#[test]
fn every_reference_log_agrees_with_its_dump() {
    let mut names = BTreeMap::new();
    let (mut logs, mut records) = (0, 0);
    for case in testdata::reference_cases() {
        let Some(folder) = testdata::reference(&case) else { continue };
        for (files, dumps) in [("files", "eseutil"), ("recovered", "recovered_eseutil")] {
            let (found, compared) = check(&folder.join(files), &folder.join(dumps), &mut names);
            logs += found;
            records += compared;
        }
    }
    println!("{logs} logs, {records} records of {} names", names.len());
    assert!(logs >= 20 && records >= 10_000, "only {logs} logs, {records} records were compared");
}
