//! `ese compact` copies a database whose canonical export and deep verification say that it is the same; it overwrites nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

fn ese(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ese")).args(arguments).output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_copy_is_the_same_database() {
    let directory = tempfile::tempdir().unwrap();
    for case in ["clean-p4k", "clean-p8k"] {
        let Some(folder) = testdata::reference(case) else { continue };
        let source = folder.join("files/db.edb");
        let copy = directory.path().join(format!("{case}.edb"));
        let output = ese(&["--json", "compact", path(&source), path(&copy)]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(object["schema"], "ese-compact-1");
        assert_eq!(object["destination_bytes"], std::fs::metadata(&copy).unwrap().len());
        let rows = |t: &serde_json::Value| t["rows"].as_u64().unwrap();
        assert!(object["tables"].as_array().unwrap().iter().map(rows).sum::<u64>() > 100);

        let export = |file: &Path| ese(&["export", "--format", "canonical", path(file)]).stdout;
        assert!(export(&source) == export(&copy), "{case}");
        assert!(!export(&copy).is_empty());
        let verify = ese(&["verify", "--deep", path(&copy)]);
        assert!(verify.status.success(), "{case}: {}", String::from_utf8_lossy(&verify.stdout));

        // A second time there is a file.
        let before = std::fs::read(&copy).unwrap();
        let output = ese(&["--json", "compact", path(&source), path(&copy)]);
        assert!(!output.status.success());
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&object["jet_error"], object["file"].as_str()), (&(-1201).into(), Some(path(&copy))));
        assert_eq!(std::fs::read(&copy).unwrap(), before);
    }
}

#[test]
fn a_dirty_source_is_refused() {
    let Some(folder) = testdata::reference("dirty-exit-p4k") else { return };
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.edb");
    let output = ese(&["--json", "compact", path(&folder.join("files/db.edb")), path(&copy)]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["jet_error"], -550);
    assert!(!copy.exists());
}
