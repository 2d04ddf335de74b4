//! Exporting every row of a 24 MiB database of 32 KiB pages, against two independent readers, where they are installed.
//!
//! Target: 50 times as fast as `esedbexport` and as dissect.esedb. The program itself is run, as the others are: build it
//! first (`cargo build --release -p ese-cli`). `ESE_BENCH_PYTHON` names the interpreter that has dissect.esedb.
#![allow(missing_docs, clippy::expect_used, reason = "a bench may stop")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use benches::{Contestant, take_turns};

const SET: &str = "dissect-esedb-fixtures";
const FILE: &str = "large.edb";

/// Reads every column of every row.
const DISSECT: &str = "\
import sys
from dissect.esedb import EseDB
with open(sys.argv[1], 'rb') as file:
    for table in EseDB(file).tables():
        for record in table.records():
            record.as_dict()
";

/// The program beside this bench: `target/release/ese`.
fn program() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let path = own.parent()?.parent()?.join(format!("ese{}", std::env::consts::EXE_SUFFIX));
    path.is_file().then_some(path)
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn main() {
    let Some(file) = testdata::real_files().into_iter().find(|f| f.set == SET && f.file == FILE) else {
        eprintln!("NOT RUN: {SET}/{FILE} is not here");
        return;
    };
    let Some(ese) = program() else {
        eprintln!("NOT RUN: build the program first: cargo build --release -p ese-cli");
        return;
    };
    let bytes = testdata::real_bytes(&file).expect("a real file");
    let work = tempfile::tempdir().expect("a directory");
    let database = work.path().join(FILE);
    std::fs::write(&database, &bytes).expect("written");
    let run = |format: &'static str| {
        let (ese, database) = (ese.clone(), database.clone());
        move || assert!(succeeds(Command::new(&ese).args(["export", "--format", format]).arg(&database)))
    };
    let python = std::env::var("ESE_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let target = work.path().join("x");
    let mut contestants = vec![
        Contestant::new("ese export, jsonl", run("jsonl")),
        Contestant::new("ese export, canonical", run("canonical")),
    ];
    if succeeds(Command::new(&python).args(["-c", "import dissect.esedb"])) {
        contestants.push(Contestant::new("dissect.esedb", || {
            assert!(succeeds(Command::new(&python).args(["-c", DISSECT]).arg(&database)));
        }));
    } else {
        eprintln!(
            "NOT COMPARED: {python} has no dissect.esedb (pip install dissect.esedb; ESE_BENCH_PYTHON)"
        );
    }
    if succeeds(Command::new("esedbexport").arg("-V")) {
        contestants.push(Contestant::new("esedbexport", || {
            let folder = PathBuf::from(format!("{}.export", target.display()));
            remove(&folder);
            // It says that it failed where a table is damaged or unknown to it, and exports the others.
            let _ = succeeds(Command::new("esedbexport").arg("-t").arg(&target).arg(&database));
            assert!(folder.is_dir());
        }));
    } else {
        eprintln!("NOT COMPARED: esedbexport is not installed (libesedb-utils)");
    }
    take_turns("export of a 24 MiB database", bytes.len() as u64, 1, &mut contestants, || {});
}

fn remove(folder: &Path) {
    if folder.is_dir() {
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
