//! Databases written here, read by two programs that know nothing of this one: dissect.esedb and libesedb.
//!
//! `xtask/scripts/compare_readers.py` compares. It needs Python and both readers: without them these tests say so and prove
//! nothing, except when `ESE_READERS` is `required` (`cargo xtask readers`), which also takes every format and every
//! page size with and without a crash.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic, missing_docs)]

mod every_kind;

use std::io::Write;
use std::path::Path;
use std::process::Command;

use every_kind::{Case, NEWEST, make};

const PAGE_SIZES: [u32; 4] = [4096, 8192, 16384, 32768];

fn is_required() -> bool {
    std::env::var_os("ESE_READERS").is_some_and(|value| value == "required")
}

/// What the comparison says, and whether the contents are equal; `None` when it could not be made.
fn compare(database: &Path, exported: &Path) -> Option<(String, bool)> {
    let script = testdata::workspace_root().join("xtask/scripts/compare_readers.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(env!("CARGO_BIN_EXE_ese")).args([database, exported]);
    let output = command.output().ok();
    let text = output.as_ref().map_or_else(
        || "NOT COMPARED: there is no python3".to_owned(),
        |o| {
            let mut text = String::from_utf8_lossy(&o.stdout).into_owned();
            text.push_str(&String::from_utf8_lossy(&o.stderr));
            text
        },
    );
    let code = output.and_then(|o| o.status.code());
    if text.contains("NOT COMPARED") {
        // Past the test harness, which swallows the lines of a test that passes.
        let _ = writeln!(
            std::io::stderr(),
            "INDEPENDENT READERS ABSENT: {}; pip install dissect.esedb libesedb-python",
            text.lines().filter(|line| line.starts_with("NOT COMPARED")).collect::<Vec<_>>().join("; ")
        );
        assert!(!is_required(), "{text}");
        if code != Some(1) {
            return None;
        }
    }
    Some((text, code == Some(0)))
}

fn check(case: Case) {
    let folder = tempfile::tempdir().unwrap();
    let database = make(folder.path(), case);
    if let Some((text, equal)) = compare(&database, &database) {
        println!("{case:?}\n{text}");
        assert!(equal, "{case:?}\n{text}");
        assert!(["of 3 levels", "of 4 levels", "of 5 levels"].iter().any(|l| text.contains(l)), "{text}");
    }
}

#[test]
fn pages_of_4_kib_after_a_crash() {
    check(Case { page_size: 4096, format: NEWEST, crash: true });
}

#[test]
fn pages_of_8_kib_in_an_old_format() {
    check(Case { page_size: 8192, format: 8020, crash: false });
}

#[test]
fn pages_of_16_kib() {
    check(Case { page_size: 16384, format: NEWEST, crash: false });
}

#[test]
fn pages_of_32_kib_in_an_old_format_after_a_crash() {
    check(Case { page_size: 32768, format: 8020, crash: true });
}

#[test]
fn every_format_and_page_size() {
    if !is_required() {
        return;
    }
    for page_size in PAGE_SIZES {
        for format in [8020, 8620, 8920, 9080, 9180, 9400, NEWEST] {
            for crash in [false, true] {
                check(Case { page_size, format, crash });
            }
        }
    }
}

/// Two databases that differ in one byte of one value: both readers notice it.
#[test]
fn canary_one_wrong_byte_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let database = make(folder.path(), Case { page_size: 4096, format: 8920, crash: false });
    let other = folder.path().join("other.edb");
    every_kind::change_one_byte(folder.path(), &database, &other);
    if let Some((text, equal)) = compare(&other, &database) {
        assert!(!equal, "{text}");
        for reader in ["dissect.esedb", "libesedb"] {
            let summary = text.lines().rfind(|line| line.starts_with(reader)).unwrap_or_default();
            assert!(!summary.ends_with(" 0 differ") && summary.ends_with(" differ"), "{text}");
        }
    }
}
