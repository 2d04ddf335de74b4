//! Every call of the engine's interface is in `docs/jet-calls.md`, and is found by its name in the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::step::workspace_root;

/// What a row says of a call that has no counterpart.
const MISSING: &str = "missing";

/// The calls of the table, and whether each has a counterpart.
fn rows(table: &str) -> Vec<(&str, bool)> {
    let cells = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `Jet")?.split('|');
        let name = cells.next()?.trim().trim_end_matches('`');
        Some((name, cells.next()?.trim() != MISSING))
    });
    cells.collect()
}

/// The calls that a source names as aliases, without their `Jet`.
fn aliases(source: &str) -> impl Iterator<Item = &str> {
    source.split("doc(alias = \"Jet").skip(1).filter_map(|rest| rest.split('"').next())
}

fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// What the table and the code do not agree about.
fn disagreements(table: &str, source: &str) -> Vec<String> {
    let found: BTreeSet<&str> = aliases(source).collect();
    let rows = rows(table);
    let listed: BTreeSet<&str> = rows.iter().map(|(name, _)| *name).collect();
    let lost = rows.iter().filter(|(name, there)| *there && !found.contains(name));
    let lost = lost.map(|(name, _)| format!("Jet{name} has no alias"));
    let unlisted = found.difference(&listed).map(|name| format!("Jet{name} is not in the table"));
    lost.chain(unlisted).collect()
}

#[test]
fn every_call_is_found_by_its_name() {
    let root = workspace_root();
    let table = fs::read_to_string(root.join("docs/jet-calls.md")).unwrap();
    let mut source = String::new();
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        let folder = entry.unwrap().path().join("src");
        if folder.is_dir() {
            sources(&folder, &mut source);
        }
    }
    assert!(rows(&table).len() >= 197, "{}", rows(&table).len());
    assert_eq!(disagreements(&table, &source), [""; 0]);
}

#[test]
fn canary_a_call_without_a_name_is_found() {
    let table = "| `JetOne` | `Session::one` |\n| `JetTwo` | `Session::two` |\n| `JetThree` | missing |\n";
    let source = "#[doc(alias = \"JetOne\")]\n#[doc(alias = \"JetFour\")]\n";
    assert_eq!(disagreements(table, source), ["JetTwo has no alias", "JetFour is not in the table"]);
}
