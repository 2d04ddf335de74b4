//! Full backup of a 1 GiB database with every page verified and the set synced, against `cp` and a sync of the file.
//!
//! The source is read through the cache of the system, as `cp` does; the set is written past it. Targets: at most 1.0 of the time of `cp`, which is a speed of at least 1.0 ×; verification on or off differs by at
//! most 4 %. A plain `cp` swings tenfold with the cost of memory that is touched for the first time: before every run
//! two gigabytes are touched and given back.
#![allow(missing_docs, reason = "a program")]

use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use benches::{Contestant, take_turns};
use ese_backup::{BackupFlags, NoProgress, ReadOnlyOptions, ReadOptions, backup_instance, backup_read_only};
use ese_format::{PageNumber, write_page_checksum};
use ese_instance::{Engine, Environment, InitOptions, Instance, ParameterId, TermMode};

const PAGE: usize = 8192;
const BYTES: usize = 1 << 30;
const ROUNDS: usize = 5;

/// Writes a database of 1 GiB: a small one of the original engine, whose last extent is made to reach to the end.
fn make_database(folder: &Path) -> Option<PathBuf> {
    let files = testdata::reference("clean-p8k")?.join("files");
    for entry in fs::read_dir(&files).ok()?.flatten() {
        fs::copy(entry.path(), folder.join(entry.file_name())).ok()?;
    }
    let path = folder.join("db.edb");
    let mut start = fs::read(&path).ok()?;
    let owned = ese_instance::last_owned_page(
        &*ese_io::Storage::open(&ese_io::OsStorage, &path, ese_io::OpenOptions::READ).ok()?,
        ese_format::PageSize::new(PAGE as u32).ok()?,
    )
    .ok()?;
    let last = (BYTES / PAGE - 2) as u32;
    let page = start.get_mut(3 * PAGE..4 * PAGE)?;
    let at = page.windows(4).rposition(|w| w == owned.0.to_be_bytes())?;
    let count = u32::from_le_bytes(*page.get(at + 4..)?.first_chunk()?) + last - owned.0;
    page.get_mut(at..at + 4)?.copy_from_slice(&last.to_be_bytes());
    page.get_mut(at + 4..at + 8)?.copy_from_slice(&count.to_le_bytes());
    write_page_checksum(page, PageNumber(2)).ok()?;
    start.truncate((owned.0 as usize + 2) * PAGE);
    let mut file = fs::File::create(&path).ok()?;
    file.write_all(&start).ok()?;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut block = Vec::with_capacity(1 << 20);
    for number in owned.0 + 1..=last {
        let mut bytes = [0; PAGE];
        for word in bytes.as_chunks_mut::<8>().0 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *word = state.to_le_bytes();
        }
        write_page_checksum(&mut bytes, PageNumber(number)).ok()?;
        block.extend_from_slice(&bytes);
        if block.len() >= 1 << 20 || number == last {
            file.write_all(&block).ok()?;
            block.clear();
        }
    }
    file.sync_all().ok()?;
    Some(path)
}

fn start(folder: &Path, database: &Path) -> Option<Instance> {
    let instance = Engine::new(Environment::system()).create_instance("bench").ok()?;
    let text = folder.to_str()?;
    instance.set_parameter(ParameterId::LOG_FILE_PATH, text).ok()?;
    instance.set_parameter(ParameterId::SYSTEM_PATH, text).ok()?;
    instance.set_parameter(ParameterId::DATABASE_PAGE_SIZE, PAGE as u32).ok()?;
    instance.initialize(InitOptions::default()).ok()?;
    instance.attach(database).ok()?;
    Some(instance)
}

fn copy_and_sync(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("--reflink=never").arg(from).arg(to).status();
    assert!(done.is_ok_and(|s| s.success()));
    let synced = fs::File::open(to).and_then(|f| f.sync_all());
    assert!(synced.is_ok());
}

fn main() {
    let Ok(folder) = tempfile::tempdir() else { return };
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    if fs::create_dir(&source).is_err() {
        return;
    }
    let Some(database) = make_database(&source) else { return };
    let Some(instance) = start(&source, &database) else { return };
    let full = |verify| {
        let options = ReadOptions { verify, ..ReadOptions::default() };
        let done = backup_instance(&instance, Some(&target), BackupFlags::empty(), options, &NoProgress);
        assert!(done.is_ok(), "{done:?}");
    };
    let mut contestants = vec![
        Contestant::new("cp, sync", || copy_and_sync(&database, &target.join("db.edb"))),
        Contestant::new("full backup", || full(true)),
        Contestant::new("full backup, not verified", || full(false)),
    ];
    take_turns("1 GiB database", BYTES as u64, ROUNDS, &mut contestants, || {
        let _ = fs::remove_dir_all(&target);
        let _ = fs::create_dir(&target);
        let _ = Command::new("sync").status();
        black_box(vec![1_u8; 2 << 30]);
    });
    drop(contestants);
    let _ = instance.terminate(TermMode::Complete);
    let mut contestants = vec![
        Contestant::new("cp, sync", || copy_and_sync(&database, &target.join("db.edb"))),
        Contestant::new("read-only backup", || {
            let options = ReadOnlyOptions::default();
            let done = backup_read_only(&Environment::system(), &database, &target, &options, &NoProgress);
            assert!(done.is_ok(), "{done:?}");
        }),
    ];
    take_turns("1 GiB database, not attached", BYTES as u64, ROUNDS, &mut contestants, || {
        let _ = fs::remove_dir_all(&target);
        let _ = fs::create_dir(&target);
        let _ = Command::new("sync").status();
        black_box(vec![1_u8; 2 << 30]);
    });
}
