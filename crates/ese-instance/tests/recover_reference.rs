//! Crash states of the original engine, recovered, and compared with what its own recovery left: every page, the length
//! of the file, the fields of the header, and the records that undo wrote into the log.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use ese_btree::{Difference, compare_databases};
use ese_format::{LogHeaderChecks, LogPosition};
use ese_instance::recovery::{
    MissingCurrentLog, NoRecoveryProgress, RecoveryEnvironment, RecoveryReport, RecoveryRequest, recover,
};
use ese_io::{MemoryStorage, OpenOptions, Storage};
use ese_log::{LogNames, OpenLog, ScanOptions, find_streams};

/// Header fields that cannot be equal: they hold the time or a random number of the recovery.
const OWN_FIELDS: [&str; 9] = [
    "logtimeConsistent",
    "logtimeDetach",
    "logtimeAttach",
    "logtimeLastExtend",
    "logtimeLastShrink",
    "logtimeLastReAttach",
    "signDbHdrFlush",
    "signFlushMapHdrFlush",
    // The version of the engine that made the recovery: the last one to attach.
    "efvMaxBinAttachDiagnostic",
];
/// Fields that hold the position of the end of undo.
const POSITION_FIELDS: [&str; 3] = ["lgposConsistent", "lgposDetach", "lgposLastResize"];

fn load(folder: &Path, target: &str, storage: &MemoryStorage) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        storage.put(Path::new(target).join(path.file_name().unwrap()), std::fs::read(&path).unwrap());
    }
}

type Records = Vec<(LogPosition, Vec<u8>)>;

fn records(log: &OpenLog) -> Records {
    let mut reader = log.records(LogPosition::NONE, ScanOptions::default());
    let mut records = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        records.push((record.position, record.bytes.to_vec()));
    }
    records
}

const UNDO_INFO: u8 = 36;
const RECOVERY_UNDO2: u8 = 51;
const RECOVERY_QUIT2: u8 = 52;
const NOP2: u8 = 71;
const RECOVERY_QUIT_KEEP_ATTACHMENTS: u8 = 80;

/// Compares the records that undo wrote; says why when they cannot be compared.
fn compare_logs(ours: &OpenLog, theirs: &OpenLog) -> Result<&'static str, String> {
    if ours.header().version() != theirs.header().version() {
        return Ok("the original began a log of a newer version");
    }
    let (mut found, mut expected) = (records(ours), records(theirs));
    let is_quit =
        |r: &(LogPosition, Vec<u8>)| matches!(r.1[0], RECOVERY_QUIT2 | RECOVERY_QUIT_KEEP_ATTACHMENTS);
    // The original's instance started and ended afterwards.
    let Some(quit) = expected.iter().rposition(is_quit) else {
        return Ok("the original ended recovery one generation earlier");
    };
    expected.truncate(quit + 1);
    if ours.generation() != theirs.generation() {
        return Err(format!("the log ends in {}, expected {}", ours.generation(), theirs.generation()));
    }
    let images = |records: &Records| -> Vec<LogPosition> {
        records.iter().filter(|r| r.1[0] == UNDO_INFO).map(|r| r.0).collect()
    };
    let mut note = "";
    if images(&expected) != images(&found) {
        // Where the original's cache wrote pages during undo, it logged their before-images earlier.
        note = "before-images were logged at other moments";
        for records in [&mut expected, &mut found] {
            records.retain(|(_, r)| !matches!(r[0], UNDO_INFO | NOP2));
            for (position, record) in records.iter_mut() {
                *position = LogPosition::NONE;
                if record[0] == RECOVERY_QUIT2 {
                    record[1..9].fill(0);
                }
            }
        }
    }
    for (index, (position, bytes)) in expected.iter().enumerate() {
        let Some((at, ours)) = found.get(index) else {
            return Err(format!("record {index} at {position} is missing"));
        };
        // Times differ, and what stands in fill.
        let same = match bytes[0] {
            RECOVERY_UNDO2 => ours[0] == RECOVERY_UNDO2,
            RECOVERY_QUIT2 | RECOVERY_QUIT_KEEP_ATTACHMENTS => ours[..18] == bytes[..18],
            NOP2 => ours.len() == bytes.len(),
            _ => ours == bytes,
        };
        if at != position || !same {
            return Err(format!(
                "record {index} at {at}: type {}, expected {} at {position}",
                ours[0], bytes[0]
            ));
        }
    }
    Ok(note)
}

/// Recovers the crash state below `/r` with so many threads.
fn recovered(
    folder: &Path,
    threads: usize,
    cache_bytes: usize,
) -> Result<(MemoryStorage, RecoveryRequest, RecoveryReport), Vec<String>> {
    let storage = MemoryStorage::new();
    load(&folder.join("files"), "/r", &storage);
    let (base, extension) = find_streams(&storage, Path::new("/r")).unwrap()[0].clone();
    let names = LogNames { base, extension, short_generations: false };
    let mut request = RecoveryRequest::soft(Path::new("/r"), names);
    // The program that recovered these states allowed a stream whose current log is missing.
    request.missing_current_log = MissingCurrentLog::Accept;
    let environment = RecoveryEnvironment::repeatable(Arc::new(storage.clone()), 1_700_000_000_000, 1);
    request.threads = threads;
    request.cache_bytes = cache_bytes;
    let report = recover(&request, &environment, &NoRecoveryProgress)
        .map_err(|e| vec![format!("{e} ({})", e.jet_error())])?;
    Ok((storage, request, report))
}

fn check(case: &str) -> Result<usize, Vec<String>> {
    let Some(folder) = testdata::reference(case) else { return Ok(0) };
    let (storage, request, report) = recovered(&folder, 1, 64 << 20)?;
    load(&folder.join("recovered"), "/x", &storage);
    let mut problems = Vec::new();
    // With threads every file comes out the same, byte for byte, also where pages come and go all the time.
    let (small, _, of_small) = recovered(&folder, 1, 0)?;
    let alone = [(&storage, &report, 64 << 20), (&small, &of_small, 0)];
    for ((alone, alone_report, cache_bytes), threads) in alone.iter().flat_map(|a| [(a, 2), (a, 4)]) {
        let (parallel, _, report) = recovered(&folder, threads, *cache_bytes)?;
        for entry in parallel.list(Path::new("/r")).unwrap() {
            if parallel.get(&entry.path) != alone.get(&entry.path) {
                problems.push(format!("{} differs with {threads} threads", entry.path.display()));
            }
        }
        // What was read and written, what was undone, and where it ended are the same, too.
        let (found, expected) = (format!("{report:?}"), format!("{alone_report:?}"));
        if found != expected {
            problems.push(format!("{threads} threads, {cache_bytes} bytes: {found}, expected {expected}"));
        }
    }
    let open_log = |folder: &str| {
        let path = Path::new(folder).join(request.names.current());
        OpenLog::open(&storage, &path, &LogHeaderChecks::default()).unwrap()
    };
    let (ours, theirs) = (open_log("/r"), open_log("/x"));
    // Where the logs of undo are packed otherwise its end lies elsewhere.
    let mut elsewhere = false;
    match compare_logs(&ours, &theirs) {
        Ok("") => {}
        Ok(note) => {
            println!("{case}: {note}");
            elsewhere = true;
        }
        Err(problem) => problems.push(problem),
    }
    let mut pages = 0;
    for entry in storage.list(Path::new("/x")).unwrap() {
        let name = entry.path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".edb") {
            continue;
        }
        let open = |folder: &str| storage.open(&Path::new(folder).join(&name), OpenOptions::READ).unwrap();
        let (a, b) = (open("/r"), open("/x"));
        if a.len().unwrap() != b.len().unwrap() {
            problems.push(format!("{name}: {} bytes, expected {}", a.len().unwrap(), b.len().unwrap()));
        }
        let comparison = compare_databases(&a, &b, |difference| {
            let own = match difference {
                Difference::HeaderField { field, .. } => {
                    OWN_FIELDS.contains(field) || elsewhere && POSITION_FIELDS.contains(field)
                }
                Difference::Page { .. } => false,
            };
            if !own {
                problems.push(format!("{name}: {difference}"));
            }
        })
        .unwrap();
        pages += comparison.pages as usize;
    }
    println!("{case}: {pages} pages, {:?} {:?}", report.redo, report.undo);
    if pages == 0 {
        problems.push("no database".to_owned());
    }
    if problems.is_empty() { Ok(pages) } else { Err(problems) }
}

/// Transactions that change more pages than the cache has room for, and do not commit: the bound holds all the same, and
/// the databases are the original's.
#[test]
fn open_transactions_do_not_exceed_the_cache() {
    let (mut fullest, mut spilled) = (0, 0);
    for case in ["rare-long-crash-p8k", "rare-escrow-crash-p8k", "rare-comp-crash-p8k", "rare-mt-crash-p8k"] {
        let Some(folder) = testdata::reference(case) else { continue };
        let (storage, _, report) = recovered(&folder, 1, 0).unwrap();
        load(&folder.join("recovered"), "/x", &storage);
        println!("{case}: {} buffers, {} pages spilled", report.most_buffers, report.spilled_pages);
        fullest = fullest.max(report.most_buffers);
        spilled += report.spilled_pages;
        assert!(report.most_buffers <= 64, "{case}: {}", report.most_buffers);
        assert!(storage.get("/r/edbredo.tmp").is_none(), "{case}");
        let open = |path: &str| storage.open(Path::new(path), OpenOptions::READ).unwrap();
        let comparison =
            compare_databases(&open("/r/db.edb"), &open("/x/db.edb"), |d| println!("{d}")).unwrap();
        assert_eq!(comparison.different_pages, 0, "{case}");
    }
    println!("{spilled} pages spilled in all");
    assert!(fullest == 64 || testdata::reference_cases().is_empty());
}

fn check_all(wanted: impl Fn(&str) -> bool) {
    let mut failed = Vec::new();
    for case in testdata::reference_cases() {
        // One case is for speed; its content is checked by digest.
        if !wanted(&case) || case.starts_with("big") {
            continue;
        }
        if testdata::reference(&case).is_none_or(|folder| !folder.join("recovered").is_dir()) {
            continue;
        }
        if let Err(problems) = check(&case) {
            failed.push(format!("{case}:\n  {}", problems.join("\n  ")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn crash_states() {
    check_all(|case| !case.starts_with("rare"));
}

#[test]
fn crash_states_with_rare_records() {
    check_all(|case| case.starts_with("rare"));
}
