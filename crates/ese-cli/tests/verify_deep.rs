//! `ese verify --deep`: passes clean databases, names the page of what ordinary verification cannot see.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use ese_format::{PageNumber, write_page_checksum};

fn verify(file: &Path, deep: bool) -> (Option<i32>, serde_json::Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ese"));
    command.args(["--json", "verify"]).arg(file);
    if deep {
        command.arg("--deep");
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), serde_json::from_str(text.trim()).unwrap())
}

#[test]
fn names_what_checksums_cannot_see() {
    let clean = testdata::reference("clean-p4k").unwrap().join("files/db.edb");
    let (code, report) = verify(&clean, true);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["deep"]["errors"], 0);
    assert!(report["deep"]["rows"].as_u64().unwrap() > 100);

    // The available space of the root begins one page earlier: that page is a tree's.
    let mut bytes = std::fs::read(&clean).unwrap();
    let page = &mut bytes[4 * 4096..5 * 4096];
    let nodes = ese_format::PageView::parse(page, ese_format::PageSize::DEFAULT).unwrap();
    let live = nodes.nodes().flatten().find(|n| !n.is_deleted()).unwrap();
    let at = live.data.as_ptr() as usize - page.as_ptr() as usize;
    page[at] += 1;
    write_page_checksum(page, PageNumber(3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("db.edb");
    std::fs::write(&damaged, &bytes).unwrap();
    assert_eq!(verify(&damaged, false).0, Some(0), "every checksum is right");
    let (code, report) = verify(&damaged, true);
    assert_eq!(code, Some(3));
    let findings = report["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    assert!(findings.iter().all(|f| f["severity"] == "error" && f["page"].is_u64()), "{findings:?}");
}
