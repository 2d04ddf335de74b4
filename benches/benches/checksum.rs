//! The page checksum against a plain AVX2 read loop in the same run: in L2, and over 1 GiB in memory on one and on two
//! cores.
//!
//! Targets, as a share of the read loop's speed: in L2 portable 0.2, AVX2 0.5, AVX-512 0.85; in memory the chosen
//! kernel 1.0 on one core, and 1.85 of one core's read loop on two.
#![allow(unsafe_code, missing_docs, reason = "the anchor is written with vector loads")]

use std::cell::Cell;
use std::hint::black_box;
use std::thread;

use benches::{Contestant, take_turns};
use criterion::{Criterion, Throughput};
use ese_format::{BlockChecksum, Kernel, PageNumber, header_checksum, verify_page, write_page_checksum};

const PAGE: usize = 8192;
/// Fits the second-level cache of every current processor together with what else is going on.
const IN_L2: usize = 256 << 10;
const IN_MEMORY: usize = 1 << 30;
const WINDOW: usize = 128 << 20;

/// XOR of all bytes, 32 at a time: as little work as reading can be.
fn read_loop(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 is there.
        return unsafe { read_loop_avx2(bytes) };
    }
    bytes.as_chunks::<8>().0.iter().fold(0, |x, word| x ^ u64::from_le_bytes(*word))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn read_loop_avx2(bytes: &[u8]) -> u64 {
    use std::arch::x86_64::{
        _mm256_extract_epi64, _mm256_loadu_si256, _mm256_setzero_si256, _mm256_xor_si256,
    };
    let mut sums = [_mm256_setzero_si256(); 8];
    for row in bytes.as_chunks::<256>().0 {
        for (sum, vector) in sums.iter_mut().zip(row.as_chunks::<32>().0) {
            // SAFETY: 32 readable bytes, no alignment needed.
            *sum = _mm256_xor_si256(*sum, unsafe { _mm256_loadu_si256(vector.as_ptr().cast()) });
        }
    }
    let sum = sums.into_iter().fold(_mm256_setzero_si256(), |x, sum| _mm256_xor_si256(x, sum));
    _mm256_extract_epi64::<0>(sum).cast_unsigned()
}

fn checksum_all(kernel: Kernel, bytes: &[u8]) -> u64 {
    (1..)
        .zip(bytes.chunks_exact(PAGE))
        .fold(0, |x, (number, page)| x ^ BlockChecksum::compute_with(kernel, page, number, true).to_u64())
}

fn verify_all(bytes: &[u8]) -> usize {
    (1..)
        .zip(bytes.chunks_exact(PAGE))
        .filter(|(number, page)| {
            verify_page(page, PageNumber(*number)).verdict().is_some_and(|v| v.is_usable())
        })
        .count()
}

fn pages(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut bytes = vec![0; len];
    for word in bytes.as_chunks_mut::<8>().0 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *word = state.to_le_bytes();
    }
    // Numbers begin anew in each window.
    for (number, page) in (1..=(WINDOW / PAGE) as u32).cycle().zip(bytes.chunks_exact_mut(PAGE)) {
        if write_page_checksum(page, PageNumber(number)).is_err() {
            unreachable!("whole pages");
        }
    }
    bytes
}

/// Runs `work` on equal parts of `bytes`, one thread each.
fn on_threads(threads: usize, bytes: &[u8], work: impl Fn(&[u8]) -> u64 + Sync) {
    if threads == 1 {
        black_box(work(black_box(bytes)));
        return;
    }
    let part = bytes.len() / threads;
    thread::scope(|scope| {
        for part in bytes.chunks(part) {
            scope.spawn(|| black_box(work(black_box(part))));
        }
    });
}

fn in_l2() {
    let bytes = pages(IN_L2);
    let repeats = 400;
    let bytes = bytes.as_slice();
    let repeat = |work: &dyn Fn(&[u8]) -> u64| {
        for _ in 0..repeats {
            black_box(work(black_box(bytes)));
        }
    };
    let mut contestants = vec![Contestant::new("read loop", || repeat(&read_loop))];
    for kernel in Kernel::available() {
        contestants
            .push(Contestant::new(kernel.name(), move || repeat(&move |bytes| checksum_all(kernel, bytes))));
    }
    contestants.push(Contestant::new("verify_page", || repeat(&|bytes| verify_all(bytes) as u64)));
    contestants.push(Contestant::new("header XOR", || repeat(&|bytes| u64::from(header_checksum(bytes)))));
    take_turns("256 KiB, in L2", (repeats * IN_L2) as u64, 40, &mut contestants, || ());
}

/// Every run takes the next window of the buffer, so that none finds in a cache what another has just read.
fn in_memory() {
    let bytes = pages(IN_MEMORY);
    let windows: Vec<&[u8]> = bytes.chunks_exact(WINDOW).collect();
    let turn = Cell::new(0);
    let next = || {
        turn.set((turn.get() + 1) % windows.len());
        windows.get(turn.get()).copied().unwrap_or_default()
    };
    let next = &next;
    let mut contestants = vec![Contestant::new("read loop", move || on_threads(1, next(), read_loop))];
    for kernel in Kernel::available() {
        contestants.push(Contestant::new(kernel.name(), move || {
            on_threads(1, next(), |bytes| checksum_all(kernel, bytes));
        }));
    }
    contestants.push(Contestant::new("verify_page", move || {
        on_threads(1, next(), |bytes| verify_all(bytes) as u64);
    }));
    contestants.push(Contestant::new("read loop, 2 threads", move || on_threads(2, next(), read_loop)));
    for kernel in [Kernel::PORTABLE, Kernel::best()] {
        contestants.push(Contestant::new(format!("{}, 2 threads", kernel.name()), move || {
            on_threads(2, next(), |bytes| checksum_all(kernel, bytes));
        }));
    }
    take_turns("1 GiB, in memory, by windows of 128 MiB", WINDOW as u64, 64, &mut contestants, || ());
}

fn main() {
    in_l2();
    in_memory();
    println!();
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("checksum of an 8 KiB page");
    let page = pages(PAGE);
    group.throughput(Throughput::Bytes(PAGE as u64));
    group.bench_function("read loop", |b| b.iter(|| read_loop(black_box(&page))));
    for kernel in Kernel::available() {
        group.bench_function(kernel.name(), |b| {
            b.iter(|| BlockChecksum::compute_with(kernel, black_box(&page), 1, true));
        });
    }
    group.finish();
    criterion.final_summary();
}
