//! The folder `fuzz/` has a libFuzzer wrapper for every target, and no other.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;

use fuzz_targets::TARGETS;

#[test]
fn every_target_has_a_wrapper() {
    let folder = testdata::workspace_root().join("fuzz");
    let expected: BTreeSet<String> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
    assert_eq!(expected.len(), TARGETS.len(), "a name twice");
    let files: BTreeSet<String> = fs::read_dir(folder.join("fuzz_targets"))
        .unwrap()
        .map(|e| e.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, expected, "fuzz/fuzz_targets");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let bins: BTreeSet<String> = manifest
        .lines()
        .filter_map(|l| Some(l.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\"")?.to_owned()))
        .collect();
    assert_eq!(bins, expected, "fuzz/Cargo.toml");
    for name in &expected {
        let wrapper = fs::read_to_string(folder.join("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(wrapper.contains(&format!("run(\"{name}\", data)")), "{name}");
    }
}
