//! A restore is cut at every write and sync, and each call of it fails once: the target holds what it held before or the
//! restored database, the set is untouched, and the restore can be run again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod forgetful;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_backup::{NoProgress, ReadOnlyOptions, RestoreOptions, backup_read_only, restore};
use ese_btree::{Difference, compare_databases};
use ese_format::DatabaseState;
use ese_instance::{Environment, read_database_header};
use ese_io::{
    Effect, EntryKind, File, IoErrorKind, OpenOptions, SimulatedDisk, Storage, Survival, crash_everywhere,
    fail_everywhere,
};

use forgetful::forgetful;

const PAGE: usize = 4096;
const TARGET: &str = "/new/db.edb";

fn environment(storage: Arc<dyn Storage>) -> Environment {
    Environment::repeatable(storage, 1_795_353_522_574, 7)
}

fn put(disk: &SimulatedDisk, folder: &Path, target: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let target = target.join(path.file_name().unwrap());
        if path.is_dir() {
            put(disk, &path, &target);
        } else {
            disk.put(target, std::fs::read(&path).unwrap());
        }
    }
}

/// A set without logs to replay, made by ourselves of a closed database.
fn closed_set() -> SimulatedDisk {
    let disk = SimulatedDisk::with_sector_size(PAGE as u32);
    let folder = testdata::reference("clean-p4k").expect("a fixture").join("files");
    disk.put("/db/db.edb", std::fs::read(folder.join("db.edb")).unwrap());
    let options = ReadOnlyOptions { create_path: true, ..ReadOnlyOptions::default() };
    let (from, to) = (Path::new("/db/db.edb"), Path::new("/set"));
    backup_read_only(&environment(Arc::new(disk.clone())), from, to, &options, &NoProgress).unwrap();
    disk.reboot()
}

/// A set of the original engine, whose logs must be replayed.
fn set_of_the_original() -> SimulatedDisk {
    let disk = SimulatedDisk::with_sector_size(PAGE as u32);
    let folder = testdata::reference("backup-atomic-p4k").expect("a fixture");
    put(&disk, &folder.join("backup_0"), Path::new("/set"));
    disk
}

fn run(disk: &SimulatedDisk) -> Result<(), String> {
    run_on(Arc::new(disk.clone()))
}

fn run_on(storage: Arc<dyn Storage>) -> Result<(), String> {
    let options =
        RestoreOptions { destination: "/new".into(), create_path: true, ..RestoreOptions::default() };
    restore(&environment(storage), Path::new("/set"), &options, &NoProgress)
        .map(drop)
        .map_err(|e| e.to_string())
}

/// Every file with its content.
fn snapshot(disk: &SimulatedDisk, folder: &str) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::from(folder)]);
    while let Some(directory) = open.pop() {
        for entry in disk.list(&directory).unwrap_or_default() {
            if entry.kind == EntryKind::Directory {
                open.push(entry.path.clone());
            }
            found.push((entry.path.clone(), disk.get(&entry.path)));
        }
    }
    found.sort();
    found
}

/// What stood at the target before, and what it must be afterwards.
struct Proof {
    disk: SimulatedDisk,
    set: Vec<(PathBuf, Option<Vec<u8>>)>,
    old: Option<Vec<u8>>,
    new: Arc<dyn File>,
}

impl Proof {
    fn new(disk: SimulatedDisk) -> Self {
        let done = disk.reboot();
        run(&done).unwrap();
        let new = done.open(Path::new(TARGET), OpenOptions::READ).unwrap();
        Self { set: snapshot(&disk, "/set"), old: disk.get(TARGET), disk, new }
    }

    /// Whether the target is the restored database, clean and with the expected pages.
    fn restored(&self, disk: &SimulatedDisk) -> bool {
        let Ok(file) = disk.open(Path::new(TARGET), OpenOptions::READ) else { return false };
        if read_database_header(&*file).is_ok_and(|h| h.header.state() != DatabaseState::CLEAN_SHUTDOWN) {
            return false;
        }
        // Not byte for byte: how often a page was written stands in it.
        let mut same = true;
        let compared =
            compare_databases(&file, &self.new, |d| same &= matches!(d, Difference::HeaderField { .. }));
        same && compared.is_ok()
    }

    /// What is true at any moment, and that a second restore succeeds. Says whether the new database is there.
    fn check(&self, disk: &SimulatedDisk) -> Result<bool, String> {
        if snapshot(disk, "/set") != self.set {
            return Err("the set was changed".to_owned());
        }
        let restored = self.restored(disk);
        if !restored && disk.get(TARGET) != self.old {
            return Err("the target is neither the old nor the new database".to_owned());
        }
        run(disk).map_err(|e| format!("again: {e}"))?;
        if self.restored(disk) { Ok(restored) } else { Err("restored again, and not the same".to_owned()) }
    }

    fn cut(&self) {
        let (failures, old, new) = self.cut_on(|disk| Arc::new(disk.clone()));
        assert!(failures.is_empty(), "{}: {:#?}", failures.len(), &failures[..failures.len().min(12)]);
        assert!(old > 10 && new > 3, "{old} {new}");
    }

    fn cut_on(&self, wrap: impl Fn(&SimulatedDisk) -> Arc<dyn Storage>) -> (Vec<String>, u64, u64) {
        let survivals = [Survival::Nothing, Survival::Everything, Survival::Prefix(1), Survival::Torn(1)];
        let (mut failures, mut old, mut new) = (Vec::new(), 0, 0);
        crash_everywhere(
            &self.disk,
            &survivals,
            |disk| drop(run_on(wrap(disk))),
            |point, disk| match self.check(disk) {
                Ok(false) if point.finished => failures.push(format!("{point:?}: not durable")),
                Ok(restored) => *(if restored { &mut new } else { &mut old }) += 1,
                Err(problem) => failures.push(format!("{point:?}: {problem}")),
            },
        );
        (failures, old, new)
    }

    fn fail(&self) {
        for effect in [Effect::None, Effect::Full] {
            let mut failures = Vec::new();
            let calls =
                fail_everywhere(&self.disk, IoErrorKind::Device, effect, run, |nth, outcome, disk| {
                    let before = self.restored(disk);
                    let problem = match (&outcome, self.check(disk)) {
                        (_, Err(problem)) => problem,
                        (Ok(()), _) if !before => "success, and no database".to_owned(),
                        _ => return,
                    };
                    failures.push(format!("call {nth}, {effect:?}, {outcome:?}: {problem}"));
                });
            assert!(
                failures.is_empty(),
                "{} of {calls}: {:#?}",
                failures.len(),
                &failures[..failures.len().min(12)]
            );
        }
    }
}

/// Something else at the target: it must survive until the new database takes its place.
fn over_something(disk: &SimulatedDisk) -> SimulatedDisk {
    let disk = disk.reboot();
    let folder = testdata::reference("dirty-exit-p4k").expect("a fixture").join("recovered");
    disk.put(TARGET, std::fs::read(folder.join("db.edb")).unwrap());
    disk
}

#[test]
fn to_a_new_place_cut_at_every_step() {
    Proof::new(closed_set()).cut();
}

#[test]
fn over_a_database_cut_at_every_step() {
    Proof::new(over_something(&closed_set())).cut();
}

#[test]
fn with_replay_cut_at_every_step() {
    Proof::new(over_something(&set_of_the_original())).cut();
}

#[test]
fn every_call_fails_once() {
    Proof::new(closed_set()).fail();
}

#[test]
fn every_call_with_replay_fails_once() {
    Proof::new(over_something(&set_of_the_original())).fail();
}

#[test]
fn canary_without_syncs_the_target_breaks() {
    let proof = Proof::new(over_something(&closed_set()));
    for (files, directories) in [(true, false), (false, true)] {
        let (failures, ..) = proof.cut_on(|disk| forgetful(disk, "/new", files, directories));
        assert!(!failures.is_empty(), "files {files}, directories {directories}");
    }
}
