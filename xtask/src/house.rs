//! Rules of the house that no compiler checks, as tests: who may use whom, who may touch files, what no file may name.

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::workspace_root;

/// The crates by floor, from the ground up. A crate may use those of lower floors and nothing else of the workspace.
const FLOORS: [&[&str]; 6] = [
    &["ese-format", "ese-io"],
    &["ese-log"],
    &["ese-btree"],
    &["ese-instance"],
    &["ese-backup"],
    &["ese-cli"],
];

fn manifest(name: &str) -> String {
    fs::read_to_string(workspace_root().join("crates").join(name).join("Cargo.toml")).unwrap()
}

/// The workspace's crates that a manifest names in its `[dependencies]`.
fn uses(manifest: &str) -> Vec<String> {
    let section = manifest.split("\n[").find(|s| s.starts_with("dependencies]")).unwrap_or_default();
    let names = section.lines().filter_map(|l| l.split(['.', ' ', '=']).next());
    names.filter(|n| n.starts_with("ese-")).map(str::to_owned).collect()
}

/// What a crate of this floor uses that it may not.
fn wrong_uses(floor: usize, manifest: &str) -> Vec<String> {
    let allowed: Vec<&str> = FLOORS[..floor].concat();
    uses(manifest).into_iter().filter(|used| !allowed.contains(&used.as_str())).collect()
}

#[test]
fn crates_use_lower_floors_only() {
    for (floor, names) in FLOORS.iter().enumerate() {
        for name in *names {
            assert_eq!(wrong_uses(floor, &manifest(name)), [""; 0], "{name}");
        }
    }
}

#[test]
fn canary_a_use_upwards_is_found() {
    let planted = "[package]\nname = \"x\"\n\n[dependencies]\nese-format.workspace = true\nese-btree = { path = \"..\" }\n";
    assert_eq!(wrong_uses(1, planted), ["ese-btree"]);
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
}

/// The lines of a library's source that touch files past `ese_io`.
fn direct_file_access(source: &str) -> Vec<&str> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let words = ["std::fs", "fs::File", "fs::read", "fs::write", "OpenOptions::new()"];
    code.lines()
        .filter(|l| !l.trim_start().starts_with("//") && words.iter().any(|w| l.contains(w)))
        .collect()
}

#[test]
fn libraries_do_their_io_through_ese_io() {
    for name in ["ese-format", "ese-log", "ese-btree", "ese-instance", "ese-backup"] {
        let mut sources = Vec::new();
        files(&workspace_root().join("crates").join(name).join("src"), ".rs", &mut sources);
        for path in sources.iter().filter(|p| !p.to_str().unwrap().contains("test")) {
            let source = fs::read_to_string(path).unwrap();
            assert_eq!(direct_file_access(&source), [""; 0], "{}", path.display());
        }
    }
}

#[test]
fn canary_file_access_is_found() {
    let planted =
        "// std::fs in a comment\nlet f = std::fs::File::open(path)?;\n#[cfg(test)]\nstd::fs::read(x)";
    assert_eq!(direct_file_access(planted), ["let f = std::fs::File::open(path)?;"]);
}

#[test]
fn every_crate_of_the_workspace_has_its_lints() {
    let mut manifests = Vec::new();
    files(&workspace_root().join("crates"), "Cargo.toml", &mut manifests);
    assert!(manifests.len() >= 9, "{manifests:?}");
    for path in manifests {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{}", path.display());
    }
}

/// The modules at the top of a crate that the crate's section of ARCHITECTURE.md does not name.
fn modules_left_out(architecture: &str, name: &str, modules: &[String]) -> Vec<String> {
    let section =
        architecture.split("\n### ").find(|s| s.starts_with(&format!("{name}\n"))).unwrap_or_default();
    modules.iter().filter(|m| !section.contains(&format!("`{m}`"))).cloned().collect()
}

#[test]
fn the_map_names_every_module() {
    let root = workspace_root();
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for name in ["ese-format", "ese-io", "ese-log", "ese-btree", "ese-instance", "ese-backup"] {
        let library = fs::read_to_string(root.join("crates").join(name).join("src/lib.rs")).unwrap();
        let modules: Vec<String> = library
            .lines()
            .filter_map(|l| l.strip_prefix("pub mod ").or(l.strip_prefix("mod "))?.strip_suffix(';'))
            .map(str::to_owned)
            .collect();
        assert!(!modules.is_empty(), "{name}");
        assert_eq!(modules_left_out(&architecture, name, &modules), [""; 0], "{name}");
    }
}

#[test]
fn canary_a_module_left_out_is_found() {
    let map = "# A\n\n### ese-x\n\n| `one`, `two` |\n\n### ese-y\n\n| `three` |\n";
    let modules = ["one", "three"].map(str::to_owned);
    assert_eq!(modules_left_out(map, "ese-x", &modules), ["three"]);
}
