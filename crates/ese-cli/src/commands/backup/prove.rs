//! A backup that nobody restored is a hope: the set is restored beside itself, judged, compared, and the copy deleted.

use std::path::{Path, PathBuf};

use ese_backup::{BackupSummary, RestoreOptions, restore};
use ese_btree::{CompareError, compare_databases};
use ese_instance::Environment;
use ese_io::{OpenOptions, OsStorage, Storage, create_directories, remove_tree};
use serde_json::json;

use crate::commands::restore::failure;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::BarProgress;
use crate::proof::Proof;

/// A restore holds databases, logs and a checkpoint: more entries than this were not made by it.
const MAX_ENTRIES: usize = 1 << 20;

/// A directory that goes away with the value, also when the proof fails or is interrupted.
struct Scratch<'a> {
    storage: &'a OsStorage,
    path: PathBuf,
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        // What cannot be deleted is no reason to call the backup bad.
        let _ = remove_tree(self.storage, &self.path, MAX_ENTRIES);
    }
}

/// Proves the set of `summary` against `database`.
pub(super) fn run(database: &Path, summary: &BackupSummary, context: &Context) -> Result<Exit, Failure> {
    let Some(set) = summary.directory.as_deref() else { return Ok(Exit::Clean) };
    let mut name = set.as_os_str().to_owned();
    name.push(format!(".proof-{}", std::process::id()));
    let scratch = Scratch { storage: &context.storage, path: name.into() };
    create_directories(&context.storage, &scratch.path)?;

    let options = RestoreOptions {
        destination: scratch.path.clone(),
        create_path: true,
        verify: true,
        ..RestoreOptions::default()
    };
    let progress = BarProgress::new(context, "restore");
    let restored =
        restore(&Environment::system(), set, &options, &progress).map_err(|error| failure(&error))?;
    drop(progress);

    let mut exit = Exit::Clean;
    for path in &restored.databases {
        let proof = Proof::of(path, context)?;
        // A set of several databases is compared where it holds the one that was named.
        let same = path.file_name() == database.file_name();
        let different = same.then(|| different_pages(database, path, context)).transpose()?;
        if !proof.holds() || different.is_some_and(|(different, _)| different > 0) {
            exit = Exit::Findings;
        }
        context.output.result(
            || {
                let compared = different.map_or_else(String::new, |(different, pages)| {
                    format!("\n  {pages} pages compared with {}: {different} differ", database.display())
                });
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                format!("restored {name} from the set to prove it: {}{compared}", proof.text())
            },
            || {
                json!({
                    "schema": "ese-proof-1",
                    "path": database.to_string_lossy(),
                    "proof": proof.object(),
                    "compared": different.map(|(different, pages)| json!({"pages": pages, "different": different})),
                })
            },
        )?;
    }
    Ok(exit)
}

/// How many pages differ, and how many there are.
fn different_pages(a: &Path, b: &Path, context: &Context) -> Result<(u64, u64), Failure> {
    let open = |path: &Path| -> Result<_, Failure> { Ok(context.storage.open(path, OpenOptions::READ)?) };
    let comparison = compare_databases(&open(a)?, &open(b)?, |_| ()).map_err(|error| match error {
        CompareError::Io(error) => error.into(),
        other => Failure::jet(other.jet_error(), other),
    })?;
    Ok((comparison.different_pages, comparison.pages))
}
