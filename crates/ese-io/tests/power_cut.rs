//! The simulated disk must catch clients that forget something: each canary here leaves out one step of a durable change, and
//! must be found out at some crash point. The right ways must pass at all of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]

use std::path::Path;

use ese_io::{
    Effect, Fault, IoErrorKind, OpenMode, OpenOptions, Operation, Result, SimulatedDisk, Storage, Survival,
    crash_everywhere, create_directories, fail_everywhere, remove_durably, remove_tree, rename_durably,
    replace_durably,
};

const ALL: [Survival; 8] = [
    Survival::Nothing,
    Survival::Everything,
    Survival::Prefix(1),
    Survival::Prefix(2),
    Survival::Torn(1),
    Survival::Torn(2),
    Survival::Torn(3),
    Survival::Torn(4),
];

const SIZE: usize = 3000;

fn old() -> Vec<u8> {
    vec![b'o'; SIZE]
}

fn new() -> Vec<u8> {
    vec![b'n'; SIZE]
}

fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    disk.put("/d/f", old());
    disk
}

/// Runs an update of `/d/f` at every crash point: how often the file was neither old nor new, and how often it was not new
/// although the update had returned.
fn judge(update: impl Fn(&dyn Storage) -> Result<()>) -> (u64, u64) {
    let (mut broken, mut lost) = (0, 0);
    crash_everywhere(
        &disk(),
        &ALL,
        |disk| drop(update(disk)),
        |point, disk| match disk.get("/d/f") {
            Some(found) if found == new() => {}
            Some(found) if found == old() => lost += u64::from(point.finished),
            _ => broken += 1,
        },
    );
    (broken, lost)
}

fn write_temporary(storage: &dyn Storage, sync: bool) -> Result<()> {
    let file = storage.open(Path::new("/d/t"), OpenOptions::new(OpenMode::CreateOrTruncate))?;
    file.write_at(0, &new())?;
    if sync { file.sync() } else { Ok(()) }
}

#[test]
fn the_right_way_passes() {
    assert_eq!(judge(|s| replace_durably(s, Path::new("/d/f"), &new())), (0, 0));
}

#[test]
fn canary_forgets_to_sync_the_file() {
    let (broken, _) = judge(|s| {
        write_temporary(s, false)?;
        s.rename(Path::new("/d/t"), Path::new("/d/f"))?;
        s.sync_directory(Path::new("/d"))
    });
    assert!(broken > 0);
}

#[test]
fn canary_renames_before_syncing() {
    let (broken, _) = judge(|s| {
        let file = s.open(Path::new("/d/t"), OpenOptions::new(OpenMode::CreateOrTruncate))?;
        file.write_at(0, &new())?;
        s.rename(Path::new("/d/t"), Path::new("/d/f"))?;
        file.sync()?;
        s.sync_directory(Path::new("/d"))
    });
    assert!(broken > 0);
}

#[test]
fn canary_forgets_the_directory() {
    let (broken, lost) = judge(|s| {
        write_temporary(s, true)?;
        s.rename(Path::new("/d/t"), Path::new("/d/f"))
    });
    assert!(broken == 0 && lost > 0);
}

#[test]
fn canary_writes_in_place() {
    let (broken, lost) = judge(|s| {
        let file = s.open(Path::new("/d/f"), OpenOptions::new(OpenMode::ReadWrite))?;
        file.write_at(0, &new())?;
        file.sync()
    });
    assert!(broken > 0 && lost == 0);
}

#[test]
fn canary_removes_the_old_file_first() {
    let (broken, _) = judge(|s| {
        write_temporary(s, true)?;
        s.remove(Path::new("/d/f"))?;
        s.sync_directory(Path::new("/d"))?;
        rename_durably(s, Path::new("/d/t"), Path::new("/d/f"))
    });
    assert!(broken > 0);
}

#[test]
fn canary_ignores_a_failed_sync() {
    // The second sync reports success, but what the first one lost does not come back.
    let disk = disk();
    disk.plan(Fault::nth(1, IoErrorKind::Device).of(&[Operation::Sync]));
    let file = disk.open(Path::new("/d/f"), OpenOptions::new(OpenMode::ReadWrite)).unwrap();
    file.write_at(0, &new()).unwrap();
    assert_eq!(file.sync().unwrap_err().kind, IoErrorKind::Device);
    assert_eq!(file.write_at(0, &new()).unwrap_err().kind, IoErrorKind::Poisoned);
    assert_eq!(file.sync().unwrap_err().kind, IoErrorKind::Poisoned);
    let again = disk.open(Path::new("/d/f"), OpenOptions::new(OpenMode::ReadWrite)).unwrap();
    again.sync().unwrap();
    assert_eq!(disk.get("/d/f"), Some(new()), "readers still see it");
    disk.cut_power(Survival::Everything);
    assert_eq!(disk.reboot().get("/d/f"), Some(old()));
}

#[test]
fn a_log_of_sectors_never_has_a_torn_sector() {
    let disk = SimulatedDisk::new();
    disk.put("/log", vec![0; 64 * 512]);
    let mut seen_torn = 0;
    crash_everywhere(
        &disk,
        &ALL,
        |disk| {
            let Ok(file) = disk.open(Path::new("/log"), OpenOptions::new(OpenMode::ReadWrite)) else {
                return;
            };
            for round in 1..8_u8 {
                let data = vec![round; 8 * 512];
                if file.write_at(u64::from(round - 1) * 8 * 512, &data).is_err() || file.sync().is_err() {
                    return;
                }
            }
        },
        |_, disk| {
            let log = disk.get("/log").unwrap();
            let sectors: Vec<&[u8]> = log.chunks(512).collect();
            for sector in &sectors {
                assert!(sector.iter().all(|b| *b == sector[0]), "mixed sector");
            }
            let written: Vec<bool> = sectors.iter().map(|s| s[0] != 0).collect();
            seen_torn += u64::from(written.windows(2).any(|w| !w[0] && w[1]));
        },
    );
    assert!(seen_torn > 0, "no later sector survived without an earlier one: too tame");
}

#[test]
fn growth_may_survive_without_bytes_and_bytes_without_order() {
    let (mut zeros, mut short, mut full) = (0, 0, 0);
    for seed in 0..200 {
        let disk = SimulatedDisk::new();
        disk.put("/f", b"");
        let file = disk.open(Path::new("/f"), OpenOptions::new(OpenMode::ReadWrite)).unwrap();
        file.write_at(0, &[1; 4096]).unwrap();
        disk.cut_power(Survival::Torn(seed));
        let found = disk.reboot().get("/f").unwrap();
        full += u64::from(found == [1; 4096]);
        short += u64::from(found.len() < 4096);
        zeros += u64::from(found == [0; 4096]);
    }
    assert!(zeros > 0 && short > 0 && full > 0, "{zeros} {short} {full}");
}

#[test]
fn a_file_without_a_durable_name_is_gone() {
    let disk = SimulatedDisk::new();
    let file = disk.open(Path::new("/f"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
    file.write_at(0, b"abc").unwrap();
    file.sync().unwrap();
    disk.cut_power(Survival::Nothing);
    assert_eq!(disk.get("/f").as_deref(), Some(&b"abc"[..]));
    assert_eq!(disk.reboot().get("/f"), None);

    let disk = SimulatedDisk::new();
    let file = disk.open(Path::new("/f"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
    disk.sync_directory(Path::new("/")).unwrap();
    file.write_at(0, b"abc").unwrap();
    disk.cut_power(Survival::Nothing);
    assert_eq!(disk.reboot().get("/f").as_deref(), Some(&b""[..]), "the name without the bytes");
}

#[test]
fn names_inside_a_new_directory_need_both_directories() {
    let work = |disk: &SimulatedDisk, inner: bool, outer: bool| {
        disk.create_directory(Path::new("/a")).unwrap();
        disk.open(Path::new("/a/f"), OpenOptions::new(OpenMode::CreateNew)).unwrap();
        disk.rename(Path::new("/a"), Path::new("/b")).unwrap();
        if inner {
            disk.sync_directory(Path::new("/b")).unwrap();
        }
        if outer {
            disk.sync_directory(Path::new("/")).unwrap();
        }
        disk.cut_power(Survival::Nothing);
        let after = disk.reboot();
        assert!(!after.exists(Path::new("/a")).unwrap());
        (after.exists(Path::new("/b")).unwrap(), after.exists(Path::new("/b/f")).unwrap())
    };
    assert_eq!(work(&SimulatedDisk::new(), true, true), (true, true));
    assert_eq!(work(&SimulatedDisk::new(), true, false), (false, false));
    assert_eq!(work(&SimulatedDisk::new(), false, true), (true, false));
}

#[test]
fn a_rename_between_directories_never_loses_the_file() {
    let disk = SimulatedDisk::new();
    disk.put("/a/f", b"abc");
    disk.put("/b/x", b"");
    for sync in ["/a", "/b", ""] {
        let (mut both, mut neither) = (0, 0);
        for seed in 0..100 {
            let run = disk.reboot();
            run.rename(Path::new("/a/f"), Path::new("/b/f")).unwrap();
            if !sync.is_empty() {
                run.sync_directory(Path::new(sync)).unwrap();
            }
            run.cut_power(if seed == 0 { Survival::Nothing } else { Survival::Torn(seed) });
            let after = run.reboot();
            match (after.get("/a/f"), after.get("/b/f")) {
                (None, None) => neither += 1,
                (Some(_), Some(_)) => both += 1,
                _ => {}
            }
            if sync == "/a" {
                assert!(after.get("/a/f").is_none(), "synced away");
            }
            if sync == "/b" {
                assert!(after.get("/b/f").is_some(), "synced there");
            }
        }
        assert_eq!(neither, 0);
        assert!(sync == "/a" || both > 0, "{sync}: never seen twice");
    }
}

#[test]
fn after_the_cut_nothing_works_until_reboot() {
    let disk = disk();
    let file = disk.open(Path::new("/d/f"), OpenOptions::new(OpenMode::ReadWrite)).unwrap();
    disk.cut_power_at(1, Survival::Everything);
    let lost = Some(IoErrorKind::PowerLost);
    let kind = |r: Result<()>| r.err().map(|e| e.kind);
    assert_eq!(kind(file.write_at(0, b"X")), lost);
    assert!(!disk.has_power());
    assert_eq!(kind(file.read_at(0, &mut [0]).map(drop)), lost);
    assert_eq!(kind(file.sync()), lost);
    assert_eq!(kind(file.len().map(drop)), lost);
    assert_eq!(kind(disk.open(Path::new("/d/f"), OpenOptions::READ).map(drop)), lost);
    assert_eq!(kind(disk.list(Path::new("/d")).map(drop)), lost);
    assert_eq!(kind(disk.remove(Path::new("/d/f"))), lost);
    assert_eq!(kind(disk.sync_directory(Path::new("/d"))), lost);
    let after = disk.reboot();
    assert!(after.has_power());
    // The write under way at the cut survived, too.
    assert_eq!(after.get("/d/f").unwrap()[..2], *b"Xo");
    after.remove(Path::new("/d/f")).unwrap();
}

#[test]
fn the_same_seeds_give_the_same_disks() {
    let run = || {
        let mut found = Vec::new();
        crash_everywhere(
            &disk(),
            &ALL,
            |disk| drop(replace_durably(disk, Path::new("/d/f"), &new())),
            |point, disk| found.push((point.step, disk.get("/d/f"), disk.get("/d/f.ese-new"))),
        );
        found
    };
    assert_eq!(run(), run());
}

#[test]
fn a_failing_call_leaves_the_old_or_the_new_file() {
    for effect in [Effect::None, Effect::Half, Effect::Full] {
        let calls = fail_everywhere(
            &disk(),
            IoErrorKind::DiskFull,
            effect,
            |disk| replace_durably(disk, Path::new("/d/f"), &new()),
            |nth, outcome, disk| {
                let found = disk.get("/d/f").unwrap();
                assert!(found == old() || found == new(), "call {nth}");
                if let Err(error) = &outcome {
                    assert_eq!(error.kind, IoErrorKind::DiskFull, "call {nth}");
                } else {
                    assert_eq!(found, new(), "call {nth}");
                }
                assert!(
                    disk.get("/d/f.ese-new").is_none() || effect == Effect::Full,
                    "call {nth}: left behind"
                );
            },
        );
        assert_eq!(calls, 6, "five calls, and the run without a failure");
    }
}

#[test]
fn directories_are_durable_when_created() {
    crash_everywhere(
        &SimulatedDisk::new(),
        &ALL,
        |disk| drop(create_directories(disk, Path::new("/a/b/c"))),
        |point, disk| assert!(!point.finished || disk.exists(Path::new("/a/b/c")).unwrap(), "{point:?}"),
    );
    let disk = disk();
    create_directories(&disk, Path::new("/d")).unwrap();
    let blocked = create_directories(&disk, Path::new("/d/f/g")).unwrap_err();
    assert_eq!(blocked.kind, IoErrorKind::AlreadyExists);
}

#[test]
fn removals_are_durable() {
    let disk = disk();
    disk.put("/d/e/g", b"g");
    crash_everywhere(
        &disk,
        &ALL,
        |disk| drop(remove_durably(disk, Path::new("/d/f"))),
        |point, disk| assert!(!point.finished || !disk.exists(Path::new("/d/f")).unwrap(), "{point:?}"),
    );
    crash_everywhere(
        &disk,
        &ALL,
        |disk| drop(remove_tree(disk, Path::new("/d"), 10)),
        |point, disk| assert!(!point.finished || !disk.exists(Path::new("/d")).unwrap(), "{point:?}"),
    );
    remove_durably(&disk, Path::new("/d/no")).unwrap();
    remove_tree(&disk, Path::new("/no"), 10).unwrap();
    remove_tree(&disk, Path::new("/no/no"), 10).unwrap();
}

#[test]
fn a_tree_larger_than_expected_is_not_removed() {
    let disk = SimulatedDisk::new();
    for i in 0..20 {
        disk.put(format!("/d/{i}"), b"");
    }
    let refused = remove_tree(&disk, Path::new("/d"), 19).unwrap_err();
    assert_eq!(refused.kind, IoErrorKind::DirectoryNotEmpty);
    assert_eq!(disk.list(Path::new("/d")).unwrap().len(), 20);
    let deep = format!("/x{}", "/x".repeat(40));
    disk.put(&deep, b"");
    assert!(remove_tree(&disk, Path::new("/x"), 100).is_err());
    assert!(disk.get(&deep).is_some());
}
