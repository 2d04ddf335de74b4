#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]
//! Damaged logs of major version 7: what the engine itself accepted and refused of the same damages.
//!
//! The logs are those of a real Windows XP catalog service, 512-byte sectors: one being written with a shadow behind its
//! last sector, archived ones full to the end.

use std::path::Path;

use ese_format::{JetError, LogHeaderChecks, LogPosition};
use ese_io::MemoryStorage;
use ese_log::{LogError, OpenLog, RepairAction, ReplayContext, ScanOptions};

const SECTOR: usize = 512;

fn real(name: &str) -> Option<Vec<u8>> {
    let files = testdata::real_files();
    let file = files.iter().find(|f| f.set == "catroot2-xp-x64" && f.file == name)?;
    Some(testdata::real_bytes(file).unwrap())
}

fn open(bytes: Vec<u8>) -> OpenLog {
    let storage = MemoryStorage::new();
    storage.put("/edb.log", bytes);
    OpenLog::open(&storage, Path::new("/edb.log"), &LogHeaderChecks::default()).unwrap()
}

const RECOVERY: ScanOptions = ScanOptions {
    context: ReplayContext::Soft,
    is_current: true,
    accepts_repair: true,
    count_all: false,
    threads: 1,
};

/// Records up to the end, the end, and the verdict.
fn read(bytes: &[u8], options: ScanOptions) -> (u64, LogPosition, Result<(), LogError>) {
    let log = open(bytes.to_vec());
    let mut reader = log.records(LogPosition::NONE, options);
    let result = loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    let records = reader.record_count();
    let end = reader.finish().map_or(LogPosition::NONE, |end| end.end);
    (records, end, result)
}

fn error(result: &Result<(), LogError>) -> i32 {
    result.as_ref().map_or_else(|e| e.jet_error().0, |()| 0)
}

/// The pattern of sectors never written.
fn pattern(sector: &mut [u8]) {
    for (i, byte) in sector.iter_mut().enumerate() {
        *byte = if i % 16 == 0 { 0xDA_u8.wrapping_add((i % 512) as u8) } else { 0xDA };
    }
}

/// Offsets, sizes in sectors and lengths of the flush ranges of an undamaged log.
fn ranges(bytes: &[u8]) -> Vec<(usize, usize)> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, mut found) = (8 * SECTOR, Vec::new());
    loop {
        assert_eq!(bytes[at], 42);
        let (forward, next) = (word(at + 5), word(at + 9));
        found.push((at, (at + 22 + forward).div_ceil(SECTOR) - at / SECTOR));
        if next == 0 {
            return found;
        }
        at += 22 + next;
    }
}

#[test]
fn the_last_sector_and_its_shadow() {
    let Some(log) = real("edb.log") else { return };
    let (records, end, whole) = read(&log, RECOVERY);
    assert!(whole.is_ok());
    // The last range is one sector; its shadow stands behind it.
    let &(last, sectors) = ranges(&log).last().unwrap();
    assert_eq!(sectors, 1);
    let primary = last / SECTOR * SECTOR;
    let shadow = primary + SECTOR;
    let damaged = |places: &[usize]| {
        let mut bytes = log.clone();
        for &place in places {
            bytes[place + 60] ^= 0xFF;
        }
        bytes
    };
    // Last sector damaged, shadow good: taken from it.
    let bytes = damaged(&[primary]);
    let (found, at, result) = read(&bytes, RECOVERY);
    assert_eq!((found, at, error(&result)), (records, end, 0));
    let opened = open(bytes.clone());
    let verdict = opened.scan(RECOVERY).unwrap();
    let writes = opened.plan_repairs(&verdict).unwrap();
    assert_eq!((writes.len(), writes[0].offset), (1, primary as u64));
    assert_eq!(writes[0].action, RepairAction::CopyLegacyShadow);
    assert_eq!(writes[0].bytes, log[primary..shadow]);
    // A reader that must not write, and an archived log: the same is damage.
    let reporting = ScanOptions { accepts_repair: false, ..RECOVERY };
    let archived = ScanOptions { is_current: false, ..RECOVERY };
    for options in [reporting, archived] {
        assert_eq!(error(&read(&bytes, options).2), -501);
    }
    // Both damaged.
    assert_eq!(error(&read(&damaged(&[primary, shadow]), RECOVERY).2), -501);
    // Only the shadow damaged, or gone: accepted.
    assert_eq!(read(&damaged(&[shadow]), RECOVERY).0, records);
    let mut gone = log.clone();
    pattern(&mut gone[shadow..shadow + SECTOR]);
    let (found, at, result) = read(&gone, RECOVERY);
    assert_eq!((found, at, error(&result)), (records, end, 0));
}

#[test]
fn a_last_flush_that_did_not_reach_the_disk() {
    let Some(log) = real("edb.log") else { return };
    let (records, ..) = read(&log, RECOVERY);
    let ranges = ranges(&log);
    let &(last, _) = ranges.last().unwrap();
    // Everything from the last range on was never written.
    let mut bytes = log.clone();
    for sector in bytes[last / SECTOR * SECTOR..].chunks_mut(SECTOR) {
        pattern(sector);
    }
    let (found, end, result) = read(&bytes, RECOVERY);
    assert_eq!(error(&result), 0);
    assert!(found < records && found > records / 2);
    assert_eq!(usize::from(end.sector), last / SECTOR);
    // Read only: reported. In a restore: refused, each with its number.
    let dump = ScanOptions { accepts_repair: false, ..RECOVERY };
    assert_eq!(error(&read(&bytes, dump).2), -501);
    let restore = ScanOptions { context: ReplayContext::HardRestore, ..RECOVERY };
    assert_eq!(error(&read(&bytes, restore).2), -570);
    let forward = ScanOptions { context: ReplayContext::HardRecovery, ..RECOVERY };
    assert_eq!(error(&read(&bytes, forward).2), 0);
    let archived = ScanOptions { is_current: false, ..forward };
    assert_eq!(error(&read(&bytes, archived).2), -571);
}

#[test]
fn a_last_flush_that_reached_the_disk_in_part() {
    let Some(log) = real("edb.log") else { return };
    let ranges = ranges(&log);
    // The last range of several sectors becomes the last of the log.
    let i = ranges.iter().rposition(|&(_, sectors)| sectors >= 3).unwrap();
    let (at, sectors) = ranges[i];
    let first = at / SECTOR;
    let torn = |missing: &[usize], damaged: Option<usize>| {
        let mut bytes = log.clone();
        for sector in bytes[(first + sectors) * SECTOR..].chunks_mut(SECTOR) {
            pattern(sector);
        }
        for &sector in missing {
            pattern(&mut bytes[(first + sector) * SECTOR..][..SECTOR]);
        }
        if let Some(sector) = damaged {
            bytes[(first + sector) * SECTOR + 99] ^= 0xFF;
        }
        read(&bytes, RECOVERY)
    };
    let rest: Vec<usize> = (1..sectors).collect();
    // Only its first sector; its first two; all but the second: cut behind the first.
    for missing in [&rest[..], &rest[1..], &[1]] {
        let (_, end, result) = torn(missing, None);
        assert_eq!(error(&result), 0, "{missing:?}");
        assert_eq!(usize::from(end.sector), first + 1);
    }
    // A damaged sector and none missing: corruption.
    assert_eq!(error(&torn(&[], Some(1)).2), -501);
    assert_eq!(error(&torn(&[], Some(sectors - 1)).2), -501);
}

#[test]
fn damage_in_the_middle_and_behind_the_end() {
    let Some(log) = real("edb0007E.log") else { return };
    let ranges = ranges(&log);
    let middle = ranges[ranges.len() / 2].0;
    let mut bytes = log.clone();
    bytes[middle + 100] ^= 0x10;
    let (found, _, result) = read(&bytes, ScanOptions::default());
    assert_eq!(error(&result), -501);
    assert!(found > 0);
    let Err(LogError::Damaged { defect, .. }) = result else { panic!() };
    assert_eq!(usize::from(defect.sector), middle / SECTOR);
    for (context, number) in [
        (ReplayContext::HardRestore, JetError::LOG_CORRUPT_DURING_HARD_RESTORE),
        (ReplayContext::HardRecovery, JetError::LOG_CORRUPT_DURING_HARD_RECOVERY),
    ] {
        let options = ScanOptions { context, ..ScanOptions::default() };
        assert_eq!(error(&read(&bytes, options).2), number.0);
    }
    let Some(mut log) = real("edb.log") else { return };
    let end = log.len() - 3 * SECTOR;
    log[end + 7] ^= 1;
    assert_eq!(error(&read(&log, RECOVERY).2), -501);
}

/// Every sector changed in a few ways, every length: an answer each time, never more records than there were.
#[test]
fn every_sector_damaged_and_every_length() {
    for name in ["edb.log", "edb00080.log"] {
        let Some(log) = real(name) else { return };
        let (records, ..) = read(&log, RECOVERY);
        for sector in 8..log.len() / SECTOR {
            for change in 0..4 {
                let mut bytes = log.clone();
                let target = &mut bytes[sector * SECTOR..][..SECTOR];
                match change {
                    0 => target[sector % SECTOR] ^= 1 << (sector % 8),
                    1 => target.fill(0),
                    2 => pattern(target),
                    _ => target.iter_mut().for_each(|b| *b = b.wrapping_mul(31).wrapping_add(sector as u8)),
                }
                let (found, ..) = read(&bytes, RECOVERY);
                assert!(found <= records, "sector {sector}");
                if let Ok(v) = open(bytes).verify(RECOVERY) {
                    let e = v.end;
                    let sum = e.data + e.shadows + e.unused + e.stale + e.bad;
                    assert_eq!(sum, e.sectors, "sector {sector} change {change}");
                }
            }
        }
    }
}
