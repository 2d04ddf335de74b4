//! Verifying a database of 1 GiB against reading it, in turns.
//!
//! Targets: with the file in the system's cache at most 1.1 times as long as a bare read; with a cold cache at least 0.95
//! of the speed of the best sequential read. Before each timed run memory is touched and freed: pages that the system has
//! to hand out for the first time would otherwise be charged to whoever comes first.
//!
//! The cold part needs `dd` to drop the file from the cache; where that fails it says so and is left out.
#![allow(missing_docs)]

use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use benches::{Contestant, take_turns};
use ese_backup::{NoProgress, VerifyOptions, verify_database};
use ese_format::{DatabaseHeader, PageNumber, PageSize, write_page_checksum};
use ese_io::{AlignedBuffer, File, OpenOptions, OsStorage, Storage};

const LEN: u64 = 1 << 30;
const TOUCHED: usize = 2 << 30;

fn database(path: &Path) -> std::io::Result<()> {
    let Ok(size) = PageSize::new(8192) else { return Ok(()) };
    let mut file = std::io::BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
    let header = DatabaseHeader::new(size).write();
    file.write_all(&header)?;
    file.write_all(&header)?;
    let pages = u32::try_from(LEN / u64::from(size.bytes())).unwrap_or(0) - 2;
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut page = vec![0; size.len()];
    for number in 1..=pages {
        for word in page.as_chunks_mut::<8>().0 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *word = state.to_le_bytes();
        }
        if write_page_checksum(&mut page, PageNumber(number)).is_err() {
            unreachable!("a whole page");
        }
        file.write_all(&page)?;
    }
    file.into_inner()?.sync_all()
}

/// What `cat` does.
fn bare_read(path: &Path) {
    let Ok(mut file) = fs::File::open(path) else { return };
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    while let Ok(read @ 1..) = file.read(&mut buffer) {
        total += black_box(&buffer).len().min(read) as u64;
    }
    assert_eq!(total, LEN);
}

/// Reads the file in pieces on several threads, past the cache or through it.
fn read_pieces(path: &Path, threads: usize, piece: usize, direct: bool) {
    let Ok(file) = OsStorage.open(path, OpenOptions::READ.direct(direct)) else { return };
    let (file, next) = (file.as_ref(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut buffer = AlignedBuffer::new(piece);
                loop {
                    let offset = next.fetch_add(piece as u64, Ordering::Relaxed);
                    if offset >= LEN || file.read_at(offset, &mut buffer).is_err() {
                        break;
                    }
                    black_box(&buffer);
                }
            });
        }
    });
}

fn verify(path: &Path, direct: bool) {
    let Ok(file) = OsStorage.open(path, OpenOptions::READ.direct(direct)) else { return };
    let report = verify_database(file.as_ref() as &dyn File, VerifyOptions::default(), &NoProgress);
    assert!(report.is_ok_and(|report| report.is_clean()));
}

fn touch_and_free() {
    let mut memory = vec![0u8; TOUCHED];
    for page in memory.iter_mut().step_by(4096) {
        *page = 1;
    }
    black_box(memory);
}

/// Drops the file from the system's cache; `false` where that cannot be done.
fn make_cold(path: &Path) -> bool {
    let mut input = std::ffi::OsString::from("if=");
    input.push(path);
    let drop = Command::new("dd").arg(input).args(["iflag=nocache", "count=0", "status=none"]).status();
    drop.is_ok_and(|status| status.success())
}

/// Whether a part was asked for; without `warm` or `cold` among the arguments both are.
fn wanted(part: &str) -> bool {
    let named: Vec<String> = std::env::args().filter(|a| a == "warm" || a == "cold").collect();
    named.is_empty() || named.iter().any(|name| name == part)
}

fn main() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("verify-1g.edb");
    if let Err(error) = database(&path) {
        println!("the database of the bench cannot be written: {error}");
        return;
    }
    let path = path.as_path();
    let mut contestants = [
        Contestant::new("bare read", || bare_read(path)),
        Contestant::new("read by pieces, 2 threads", || read_pieces(path, 2, 1 << 20, false)),
        Contestant::new("verify", || verify(path, false)),
    ];
    if wanted("warm") {
        take_turns("1 GiB in the system's cache", LEN, 24, &mut contestants, touch_and_free);
    }
    if !wanted("cold") {
        return;
    }
    if make_cold(path) {
        let mut contestants = [
            Contestant::new("bare read", || bare_read(path)),
            Contestant::new("verify", || verify(path, false)),
        ];
        let before = || {
            touch_and_free();
            make_cold(path);
        };
        take_turns("1 GiB, cold", LEN, 24, &mut contestants, before);
        // In a table of their own: some devices tire, and slow down whoever comes after.
        let mut past_the_cache = [
            Contestant::new("direct, 1 MiB", || read_pieces(path, 1, 1 << 20, true)),
            Contestant::new("direct, 1 MiB, 2 threads", || read_pieces(path, 2, 1 << 20, true)),
            Contestant::new("verify, direct", || verify(path, true)),
        ];
        take_turns("1 GiB, past the cache", LEN, 10, &mut past_the_cache, before);
    } else {
        println!("the file cannot be dropped from the cache here: no cold runs");
    }
    let _ = fs::remove_file(path);
}
