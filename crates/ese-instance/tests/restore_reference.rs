//! Backup sets of the original engine, recovered the way a restore does it, and compared with what its own restore left.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod thread_bed;

use std::path::{Path, PathBuf};

use ese_btree::{Difference, compare_databases};
use ese_format::LogGeneration;
use ese_instance::recovery::{DatabaseLocations, MappedDatabase, RecoveryMode, RecoveryRequest};
use ese_io::{MemoryStorage, OpenOptions, Storage};
use ese_log::{BaseName, LogNames, LogSet};
use thread_bed::recover_alike;

/// Header fields that hold the time, a random number, or the place of the log that the restore wrote.
const OWN_FIELDS: [&str; 13] = [
    "logtimeConsistent",
    "logtimeDetach",
    "logtimeAttach",
    "logtimeLastExtend",
    "logtimeLastShrink",
    "logtimeLastReAttach",
    "signDbHdrFlush",
    "signFlushMapHdrFlush",
    "efvMaxBinAttachDiagnostic",
    "lgposConsistent",
    "lgposDetach",
    "lgposLastResize",
    // Counts the file extensions that happened, not those that were logged.
    "extendCount",
];

fn load(folder: &Path, storage: &MemoryStorage) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let target = if name.ends_with(".edb") { "/restored" } else { "/set" };
        storage.put(Path::new(target).join(name), std::fs::read(&path).unwrap());
    }
}

fn restore(case: &str, folders: &[PathBuf], expected: &Path) {
    let storage = MemoryStorage::new();
    storage.create_directory(Path::new("/logs")).unwrap();
    for folder in folders {
        let folder = if folder.join("new").is_dir() { folder.join("new") } else { folder.clone() };
        load(&folder, &storage);
    }
    storage.put("/expected", std::fs::read(expected).unwrap());
    let names = LogNames { short_generations: false, ..LogNames::legacy(BaseName::default()) };
    let set = LogSet::discover(&storage, Path::new("/set"), &names).unwrap();
    let mut request = RecoveryRequest::soft(Path::new("/logs"), names);
    request.set_directory = Some("/set".into());
    request.mode = RecoveryMode::Hard { low: set.lowest().unwrap(), high: set.highest().unwrap() };
    request.locations = DatabaseLocations {
        mapped: vec![MappedDatabase {
            logged: Some("db.edb".to_owned()),
            signature: None,
            path: "/restored/db.edb".into(),
        }],
        only_mapped: true,
        ..DatabaseLocations::default()
    };
    let report =
        recover_alike(&storage, &request).unwrap_or_else(|e| panic!("{case}: {e} ({})", e.jet_error()));
    let open = |path: &str| storage.open(Path::new(path), OpenOptions::READ).unwrap();
    let (a, b) = (open("/restored/db.edb"), open("/expected"));
    let mut problems = Vec::new();
    let comparison = compare_databases(&a, &b, |difference| {
        if !matches!(difference, Difference::HeaderField { field, .. } if OWN_FIELDS.contains(field)) {
            problems.push(difference.to_string());
        }
    })
    .unwrap();
    println!("{case}: {} pages, {:?} {:?}", comparison.pages, report.redo, report.undo);
    assert!(problems.is_empty(), "{case}: {}", problems.join("\n  "));
    assert_eq!(a.len().unwrap(), b.len().unwrap(), "{case}: length");
    assert!(comparison.pages > 100);
    // The log goes on in the log directory, behind the set.
    let after = LogSet::discover(&storage, Path::new("/logs"), &request.names).unwrap();
    assert!(after.current.is_some() && storage.get("/logs/edb.chk").is_some());
    assert_eq!(set.highest().unwrap(), report.databases[0].required.1.max(set.highest().unwrap()));
    assert!(report.databases.iter().all(|d| d.required == (LogGeneration(0), LogGeneration(0))));
}

#[test]
fn every_stage_of_every_backup() {
    let mut restored = 0;
    for case in testdata::reference_cases().iter().filter(|c| c.starts_with("backup-")) {
        let Some(folder) = testdata::reference(case) else { continue };
        for stage in 0..3 {
            let expected = folder.join(format!("restored_{stage}/db.edb"));
            let set = folder.join(format!("backup_{stage}"));
            if !expected.is_file() || !set.is_dir() {
                continue;
            }
            // Streamed incrementals hold logs only: they complete the sets before them.
            let whole = set.join("db.edb").is_file() || set.join("new").is_dir();
            let first = if whole { stage } else { 0 };
            let folders: Vec<_> = (first..=stage).map(|s| folder.join(format!("backup_{s}"))).collect();
            restore(&format!("{case} stage {stage}"), &folders, &expected);
            restored += 1;
        }
    }
    println!("{restored} restored");
    assert!(restored > 0 || testdata::reference("backup-atomic-p4k").is_none());
}
