//! Backups of every form are cut at every write and sync, and each call of theirs fails once. Afterwards there is the old set
//! or the new one, whole, and the source can be recovered with the logs that are left: never was a log deleted that is still
//! needed.
//!
//! What is run is a whole session: start of the instance, attach, backup, detach, end. The source is a database of the original
//! engine with its sixteen logs, so that a full backup has logs to delete.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

mod forgetful;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ese_backup::{
    BackupFlags, MANIFEST_NAME, Manifest, NoProgress, ReadOptions, ReadRetries, RestoreOptions,
    backup_instance, restore,
};
use ese_instance::recovery::{
    MissingCurrentLog, NoRecoveryProgress, RecoveryEnvironment, RecoveryRequest, recover,
};
use ese_instance::{Engine, Environment, InitOptions, ParameterId, TermMode};
use ese_io::{
    Effect, EntryKind, IoErrorKind, SimulatedDisk, Storage, Survival, crash_everywhere, fail_everywhere,
};
use ese_log::record::{Record, SessionId, Trace};
use ese_log::{BaseName, LogNames};

use forgetful::forgetful;

const PAGE: usize = 4096;
const SURVIVALS: [Survival; 4] =
    [Survival::Nothing, Survival::Everything, Survival::Prefix(1), Survival::Torn(1)];

type Outcome = Result<(), String>;

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The source, closed in order, and an empty directory for sets. Sectors are as large as pages and log segments: the engine
/// has no remedy for parts of them.
fn source() -> SimulatedDisk {
    let disk = SimulatedDisk::with_sector_size(PAGE as u32);
    let folder = testdata::reference("clean-p4k").expect("a fixture").join("files");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        disk.put(Path::new("/db").join(path.file_name().unwrap()), std::fs::read(&path).unwrap());
    }
    disk.create_directory(Path::new("/set")).unwrap();
    // Everything so far is durable.
    disk.reboot()
}

/// A session with an instance on the source.
fn session(storage: Arc<dyn Storage>, work: impl FnOnce(&ese_instance::Instance) -> Outcome) -> Outcome {
    let engine = Engine::new(Environment::repeatable(storage, 1_795_353_522_574, 7));
    let instance = engine.create_instance("test").map_err(text)?;
    for (id, value) in [(ParameterId::LOG_FILE_SIZE, 128_u32), (ParameterId::DATABASE_PAGE_SIZE, PAGE as u32)]
    {
        instance.set_parameter(id, value).map_err(text)?;
    }
    for id in [ParameterId::LOG_FILE_PATH, ParameterId::SYSTEM_PATH] {
        instance.set_parameter(id, "/db").map_err(text)?;
    }
    instance.initialize(InitOptions::default()).map_err(text)?;
    instance.attach(Path::new("/db/db.edb")).map_err(text)?;
    let result = work(&instance);
    instance.terminate(TermMode::Complete).map_err(text)?;
    result
}

fn backup(disk: &SimulatedDisk, flags: BackupFlags) -> Outcome {
    backup_on(Arc::new(disk.clone()), flags).1
}

/// What the backup itself answered, when it was begun, and how the session went.
fn backup_on(storage: Arc<dyn Storage>, flags: BackupFlags) -> (Option<Outcome>, Outcome) {
    let mut answer = None;
    let session = session(storage, |instance| {
        let options = ReadOptions { retries: ReadRetries::NONE, ..ReadOptions::default() };
        let result = backup_instance(instance, Some(Path::new("/set")), flags, options, &NoProgress);
        answer = Some(result.map(drop).map_err(text));
        Ok(())
    });
    (answer, session)
}

/// Begins a few generations, so that an incremental backup has something to do.
fn grow_logs(disk: &SimulatedDisk) -> Outcome {
    session(Arc::new(disk.clone()), |instance| {
        for _ in 0..3 {
            let record = Record::Trace(Trace { session: SessionId(0), text: b"more\0" });
            instance.append_to_new_generation(&record).map_err(text)?;
        }
        instance.flush_log().map_err(text)
    })
}

fn names(disk: &SimulatedDisk, folder: &str) -> BTreeSet<String> {
    let entries = disk.list(Path::new(folder)).unwrap_or_default();
    entries.iter().map(|e| e.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

fn is_log(name: &str) -> bool {
    name.ends_with(".log") && name.len() > "edb.log".len()
}

/// The source must be recoverable with what is left of its logs, to the pages that it had.
fn check_source(disk: &SimulatedDisk, pages: &[u8]) -> Outcome {
    let names = LogNames::legacy(BaseName::default());
    let mut request = RecoveryRequest::soft(Path::new("/db"), names);
    request.cache_bytes = 100 * PAGE;
    request.missing_current_log = MissingCurrentLog::Accept;
    let environment = RecoveryEnvironment::repeatable(Arc::new(disk.clone()), 1_800_000_000_000, 1);
    recover(&request, &environment, &NoRecoveryProgress).map_err(|e| format!("source: {e}"))?;
    let found = disk.get("/db/db.edb").ok_or("no database")?;
    // Recovery cuts off what the database does not own: pages that were never used.
    let kept = pages.get(..found.len() - 2 * PAGE).ok_or("the source grew")?;
    if pages[kept.len()..].iter().any(|b| *b != 0) {
        return Err(format!("the source has only {} bytes left", found.len()));
    }
    match found[2 * PAGE..].chunks(PAGE).zip(kept.chunks(PAGE)).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(page) => Err(format!("page {} of the source changed", page + 1)),
    }
}

/// A set by its manifest: every file as it says. Returns the first and last generation.
fn whole(disk: &SimulatedDisk, folder: &str) -> Result<(u32, u32), String> {
    let folder = Path::new(folder);
    let manifest = Manifest::read(disk, folder).map_err(text)?.ok_or("no manifest")?;
    let mut generations = BTreeSet::new();
    for file in &manifest.files {
        let bytes = disk.get(folder.join(&file.name)).ok_or_else(|| format!("{} is missing", file.name))?;
        if bytes.len() as u64 != file.size || format!("{:08x}", crc32c::crc32c(&bytes)) != file.crc32c {
            return Err(format!("{} is not what the manifest says", file.name));
        }
        generations.extend(file.generation);
    }
    let (low, high) = (manifest.generation_low, manifest.generation_high);
    let expected: BTreeSet<u32> = (low..=high).collect();
    if generations != expected {
        return Err(format!("generations {generations:?}, not {low} to {high}"));
    }
    if !manifest.files.iter().any(|f| f.name == "db.edb")
        || !manifest.files.iter().any(|f| f.name == "db.pat")
    {
        return Err("no database".to_owned());
    }
    Ok((low, high))
}

/// What is tested: a prepared disk, the backup, and what must be true of the sets at every moment.
struct Case {
    disk: SimulatedDisk,
    flags: BackupFlags,
    /// Tells whether the new set has taken its place, or what is wrong.
    sets: fn(&SimulatedDisk) -> Result<bool, String>,
}

fn full() -> Case {
    Case {
        disk: source(),
        flags: BackupFlags::empty(),
        // In part it is no set: restore looks for the patch files, which come last.
        sets: |disk| {
            let found = names(disk, "/set");
            match whole(disk, "/set") {
                Ok(_) => Ok(true),
                Err(problem) if found.contains("db.pat") && found.contains(MANIFEST_NAME) => Err(problem),
                Err(_) => Ok(false),
            }
        },
    }
}

fn atomic() -> Case {
    let disk = source();
    backup(&disk, BackupFlags::ATOMIC).unwrap();
    grow_logs(&disk).unwrap();
    Case {
        disk: disk.reboot(),
        flags: BackupFlags::ATOMIC,
        // Restore prefers `new` when there is one.
        sets: |disk| {
            let folder = if disk.exists(Path::new("/set/new")).unwrap() { "/set/new" } else { "/set/old" };
            let (low, high) = whole(disk, folder).map_err(|e| format!("{folder}: {e}"))?;
            Ok(low == high && low > 17 || high > 18)
        },
    }
}

fn incremental() -> Case {
    let disk = source();
    backup(&disk, BackupFlags::empty()).unwrap();
    grow_logs(&disk).unwrap();
    Case {
        disk: disk.reboot(),
        flags: BackupFlags::INCREMENTAL,
        // The old set stays whole; logs that came already and are not in the manifest yet do no harm.
        sets: |disk| {
            let (_, high) = whole(disk, "/set")?;
            Ok(high > 17)
        },
    }
}

fn check(case: &Case, disk: &SimulatedDisk, pages: &[u8], logs: &BTreeSet<String>) -> Result<bool, String> {
    let new_set = (case.sets)(disk)?;
    let left = names(disk, "/db");
    let deleted: Vec<&String> = logs.iter().filter(|l| !left.contains(*l)).collect();
    if !new_set && !deleted.is_empty() {
        return Err(format!("without a new set these logs are gone: {deleted:?}"));
    }
    check_source(disk, pages)?;
    Ok(new_set)
}

/// Restores what is there. In the middle of a full backup that may be nothing, and restore must say so.
fn check_restore(case: &Case, disk: &SimulatedDisk, pages: &[u8], is_new: bool) -> Outcome {
    let environment = Environment::repeatable(Arc::new(disk.clone()), 1_800_000_000_000, 1);
    let options = RestoreOptions {
        destination: "/restored".into(),
        create_path: true,
        verify: true,
        ..Default::default()
    };
    let result = restore(&environment, Path::new("/set"), &options, &NoProgress);
    // Complete but for its manifest it restores already.
    if case.flags.is_empty() && !is_new && result.is_err() {
        return Ok(());
    }
    result.map_err(|e| format!("restore: {e}"))?;
    let found = disk.get("/restored/db.edb").ok_or("nothing restored")?;
    let same = found[2 * PAGE..].iter().zip(pages).all(|(a, b)| a == b);
    if same && found.len() > 100 * PAGE {
        Ok(())
    } else {
        Err("restored, and not the source's pages".to_owned())
    }
}

/// Cuts the power at every step of a backup on what `wrap` makes of the disk; what is wrong, and how often there was the old
/// set and the new one.
fn cut(case: &Case, wrap: impl Fn(&SimulatedDisk) -> Arc<dyn Storage>) -> (Vec<String>, u64, u64) {
    let pages = case.disk.get("/db/db.edb").unwrap()[2 * PAGE..].to_vec();
    let logs: BTreeSet<String> = names(&case.disk, "/db").into_iter().filter(|n| is_log(n)).collect();
    let (mut failures, mut old, mut new) = (Vec::new(), 0, 0);
    crash_everywhere(
        &case.disk,
        &SURVIVALS,
        |disk| drop(backup_on(wrap(disk), case.flags)),
        |point, disk| match check(case, disk, &pages, &logs).and_then(|is_new| {
            // What the manifest calls whole restores. Every fifth moment will do: neighbours are alike.
            if point.step % 5 == 0 || point.finished {
                check_restore(case, disk, &pages, is_new)?;
            }
            Ok(is_new)
        }) {
            Ok(false) if point.finished => failures.push(format!("{point:?}: the set is not durable")),
            Ok(is_new) => *(if is_new { &mut new } else { &mut old }) += 1,
            Err(problem) => failures.push(format!("{point:?}: {problem}")),
        },
    );
    (failures, old, new)
}

fn prove(case: &Case) {
    let (failures, old, new) = cut(case, |disk| Arc::new(disk.clone()));
    assert!(failures.is_empty(), "{}: {:#?}", failures.len(), &failures[..failures.len().min(12)]);
    assert!(old > 50 && new > 50, "{old} {new}");
}

#[test]
fn full_backup_cut_at_every_step() {
    prove(&full());
}

#[test]
fn atomic_backup_cut_at_every_step() {
    prove(&atomic());
}

#[test]
fn incremental_backup_cut_at_every_step() {
    prove(&incremental());
}

#[test]
fn canary_without_syncs_sets_break() {
    for case in [full(), atomic(), incremental()] {
        for (files, directories) in [(true, false), (false, true)] {
            let (failures, ..) = cut(&case, |disk| forgetful(disk, "/set", files, directories));
            assert!(!failures.is_empty(), "{:?} files {files}, directories {directories}", case.flags);
        }
    }
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

/// Fails every call in turn, once without and once with its effect.
fn fail(case: &Case) {
    for effect in [Effect::None, Effect::Full] {
        fail_with(case, effect);
    }
}

fn fail_with(case: &Case, effect: Effect) {
    let pages = case.disk.get("/db/db.edb").unwrap()[2 * PAGE..].to_vec();
    let logs: BTreeSet<String> = names(&case.disk, "/db").into_iter().filter(|n| is_log(n)).collect();
    let before = snapshot(&case.disk, "/set");
    let (mut failures, mut refused) = (Vec::new(), 0);
    let calls = fail_everywhere(
        &case.disk,
        IoErrorKind::Device,
        effect,
        |disk| backup_on(Arc::new(disk.clone()), case.flags).0,
        |nth, answer, disk| {
            let mut problem = check(case, disk, &pages, &logs).err();
            match &answer {
                Some(Ok(())) if !(case.sets)(disk).unwrap_or(false) => {
                    problem = problem.or(Some("success, and no set".to_owned()));
                }
                Some(Err(_)) => {
                    refused += 1;
                    let left = snapshot(disk, "/set");
                    if left != before {
                        let names: Vec<_> =
                            left.iter().filter(|f| !before.contains(f)).map(|f| &f.0).collect();
                        problem = problem.or(Some(format!("refused, and these remain: {names:?}")));
                    }
                }
                _ => {}
            }
            failures.extend(problem.map(|p| format!("call {nth}, {answer:?}: {p}")));
        },
    );
    assert!(refused > 20, "{refused} of {calls}");
    assert!(failures.is_empty(), "{} of {calls}: {:#?}", failures.len(), &failures[..failures.len().min(12)]);
}

#[test]
fn every_call_of_a_full_backup_fails_once() {
    fail(&full());
}

#[test]
fn every_call_of_an_atomic_backup_fails_once() {
    fail(&atomic());
}

#[test]
fn every_call_of_an_incremental_backup_fails_once() {
    fail(&incremental());
}
