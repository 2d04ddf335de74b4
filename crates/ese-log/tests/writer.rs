#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]
//! What the writer writes, the reader reads back: any records, flushed and rolled at any moment, across restarts.

mod support_writer;

use ese_format::{JetError, LogGeneration, LogPosition};
use ese_io::{
    CountingStorage, Effect, FailingStorage, Fault, IoErrorKind, MemoryStorage, Operation, Storage,
};
use ese_log::{AppendOptions, LogError, LogSpace, LogWriter, RecordBatch};
use proptest::prelude::*;
use std::sync::Arc;
use support_writer::{World, filler, read_all, set};

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(usize, u8)>),
    Flush,
    Complete,
    Roll,
    NewGeneration(usize),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let record = (5usize..9000, any::<u8>())
        .prop_map(|(len, seed)| (if seed < 200 { len % 300 + 5 } else { len }, seed));
    let step = prop_oneof![
        12 => prop::collection::vec(record, 1..4).prop_map(Step::Append),
        4 => Just(Step::Flush),
        1 => Just(Step::Complete),
        1 => Just(Step::Roll),
        1 => (5usize..100).prop_map(Step::NewGeneration),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..80)
}

fn run(world: &World, steps: &[Step]) -> Vec<(LogPosition, Vec<u8>)> {
    let mut writer = world.create();
    let mut written = Vec::new();
    let mut batch = RecordBatch::new();
    for step in steps {
        match step {
            Step::Append(records) => {
                batch.clear();
                for &(len, seed) in records {
                    batch.push_bytes(&filler(len, seed));
                }
                let mut first = None;
                let done = writer
                    .append_with(&mut batch, AppendOptions::default(), |position, _| first = Some(position))
                    .unwrap();
                assert_eq!(first, Some(done.first));
                assert_eq!(done.first.generation, done.last.generation);
                written.push((done.first, batch.records().next().unwrap().to_vec()));
                for record in batch.records().skip(1) {
                    written.push((LogPosition::NONE, record.to_vec()));
                }
                written.last_mut().unwrap().0 = done.last;
            }
            Step::Flush => {
                if let Some((position, _)) = written.last() {
                    writer.flush_to(*position).unwrap();
                    assert!(writer.durable_end() > *position);
                }
            }
            Step::Complete => {
                let before = writer.tip();
                writer.flush_and_complete().unwrap();
                let after = writer.tip();
                if after != before && after.byte == 0 {
                    let len = 4096 - usize::from(before.byte);
                    let mut nop2 = vec![0; len];
                    nop2[0] = 71;
                    nop2[1..5].copy_from_slice(&(len as u32 - 5).to_le_bytes());
                    written.push((before, nop2));
                }
            }
            Step::Roll => writer.roll().unwrap(),
            Step::NewGeneration(len) => {
                batch.clear();
                batch.push_bytes(&filler(*len, 3));
                let options = AppendOptions { new_generation: true, ..AppendOptions::default() };
                let done = writer.append(&mut batch, options).unwrap();
                assert_eq!((done.first.sector, done.first.byte), (1, 0));
                written.push((done.first, batch.records().next().unwrap().to_vec()));
            }
            Step::Restart => {
                writer.flush().unwrap();
                drop(writer);
                let (_, last) = read_all(&*world.storage).unwrap();
                writer = LogWriter::resume(world.parts(), &last).unwrap();
                assert_eq!(writer.tip(), last.end.end);
            }
        }
    }
    writer.flush().unwrap();
    assert_eq!(writer.durable_end(), writer.tip());
    written
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn everything_is_read_back(
        steps in steps(),
        buffer in prop_oneof![Just(0usize), Just(10_000), Just(1 << 20)],
        write_behind in any::<bool>(),
    ) {
        let mut world = World::new(Arc::new(MemoryStorage::new()));
        world.settings.buffer_bytes = buffer;
        world.settings.write_behind = write_behind;
        let written = run(&world, &steps);
        let (read, last) = read_all(&*world.storage).unwrap();
        prop_assert_eq!(read.len(), written.len());
        for ((at, found), (position, bytes)) in read.iter().zip(&written) {
            prop_assert_eq!(found, bytes);
            // Behind a restart the reader sees a record at the fill in front of it; the writer at its segment.
            if !position.is_none() && position.byte != 0 {
                prop_assert_eq!(at, position);
            }
        }
        prop_assert!(last.end.defect.is_none());
        prop_assert_eq!(last.end.bad, 0);
        // Nothing was opened but what is there, and each generation follows the one before: `read_all` checked it.
        prop_assert!(set(&*world.storage).gaps().is_empty());
    }
}

/// Several threads append through many generations while one writes behind them and one waits for what it appended.
#[test]
fn a_thread_writes_behind_those_that_append() {
    let mut world = World::new(Arc::new(MemoryStorage::new()));
    world.settings.write_behind = true;
    world.settings.buffer_bytes = 4096;
    let writer = world.create();
    let done = std::sync::atomic::AtomicBool::new(false);
    let appended: Vec<Vec<(LogPosition, Vec<u8>)>> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                writer.write_behind().unwrap();
                std::thread::yield_now();
            }
        });
        let threads: Vec<_> = (0..3u8)
            .map(|thread| {
                let writer = &writer;
                scope.spawn(move || {
                    let mut batch = RecordBatch::new();
                    let mut appended = Vec::new();
                    for i in 0..1500usize {
                        let record = filler(20 + i * 7 % 900, thread.wrapping_mul(77).wrapping_add(i as u8));
                        batch.clear();
                        batch.push_bytes(&record);
                        let done = writer.append(&mut batch, AppendOptions::default()).unwrap();
                        appended.push((done.first, record));
                        if thread == 0 && i % 50 == 0 {
                            writer.flush_to(done.last).unwrap();
                            assert!(writer.durable_end() > done.last);
                        }
                    }
                    appended
                })
            })
            .collect();
        let appended = threads.into_iter().map(|t| t.join().unwrap()).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        appended
    });
    writer.flush().unwrap();
    let mut written: Vec<_> = appended.concat();
    written.sort_by_key(|(position, _)| *position);
    let (read, last) = read_all(&*world.storage).unwrap();
    assert!(last.header.generation() > LogGeneration(10), "{}", last.header.generation());
    assert_eq!(read, written);
}

/// Threads that wait for each of their records while others close generations in memory: what is taken from the buffer goes
/// into the file of its own generation.
#[test]
fn generations_closed_in_memory_between_two_flushes_keep_their_files() {
    let mut world = World::new(Arc::new(MemoryStorage::new()));
    world.settings.write_behind = true;
    world.settings.file_segments = 4;
    let writer = world.create();
    let appended: Vec<Vec<(LogPosition, Vec<u8>)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4u8)
            .map(|thread| {
                let writer = &writer;
                scope.spawn(move || {
                    let mut batch = RecordBatch::new();
                    let mut appended = Vec::new();
                    for i in 0..60_000usize {
                        let record = filler(100 + i % 500, thread.wrapping_mul(77).wrapping_add(i as u8));
                        batch.clear();
                        batch.push_bytes(&record);
                        let done = writer.append(&mut batch, AppendOptions::default()).unwrap();
                        appended.push((done.first, record));
                        if thread < 2 {
                            writer.flush_to(done.last).unwrap();
                        }
                    }
                    appended
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    writer.flush().unwrap();
    let mut written: Vec<_> = appended.concat();
    written.sort_by_key(|(position, _)| *position);
    let (read, last) = read_all(&*world.storage).unwrap();
    assert!(last.header.generation() > LogGeneration(1000), "{}", last.header.generation());
    assert!(read == written, "{} records of {}", read.len(), written.len());
}

#[test]
fn a_record_too_large_for_a_generation_is_refused() {
    let world = World::new(Arc::new(MemoryStorage::new()));
    let writer = world.create();
    let mut batch = RecordBatch::new();
    // 30 data segments, of which one byte stays free.
    let room = 30 * 4056;
    batch.push_bytes(&filler(room, 1));
    let error = writer.append(&mut batch, AppendOptions::default()).unwrap_err();
    assert_eq!(error.jet_error(), JetError::LOG_BUFFER_TOO_SMALL);
    batch.clear();
    batch.push_bytes(&filler(room - 7 - 29 * 3 - 1, 1));
    let done = writer.append(&mut batch, AppendOptions::default()).unwrap();
    assert_eq!(done.first, LogPosition::new(1, 1, 0));
    batch.clear();
    batch.push_bytes(&filler(5, 1));
    let done = writer.append(&mut batch, AppendOptions::default()).unwrap();
    assert_eq!(done.first, LogPosition::new(2, 1, 0));
    writer.flush().unwrap();
    assert_eq!(read_all(&*world.storage).unwrap().0.len(), 2);
}

#[test]
fn an_incomplete_segment_has_its_copy_behind_it() {
    let world = World::new(Arc::new(MemoryStorage::new()));
    let writer = world.create();
    let current = world.path("edb.log");
    let segment = |n: usize| {
        let storage = &world.storage;
        let mut bytes = vec![0; 4096];
        let file = storage.open(&current, ese_io::OpenOptions::READ).unwrap();
        file.read_exact_at(n as u64 * 4096, &mut bytes).unwrap();
        bytes
    };
    let append = |len: usize| {
        let mut batch = RecordBatch::new();
        batch.push_bytes(&filler(len, 9));
        let done = writer.append(&mut batch, AppendOptions::default()).unwrap();
        writer.flush_to(done.last).unwrap();
    };
    append(100);
    let first = segment(1);
    assert_eq!(first, segment(2));
    append(100);
    assert_ne!(first, segment(1));
    assert_eq!(segment(1), segment(2));
    // Everything is written: nothing to complete.
    writer.flush_and_complete().unwrap();
    assert_ne!(writer.tip().byte, 0);
    // Completed exactly: the copy is completed, too.
    let mut batch = RecordBatch::new();
    batch.push_bytes(&filler(100, 9));
    writer.append(&mut batch, AppendOptions::default()).unwrap();
    writer.flush_and_complete().unwrap();
    assert_eq!(writer.tip(), LogPosition::new(1, 2, 0));
    assert_eq!(segment(1), segment(2));
    append(4056 + 100);
    // Segment 2 full, segment 3 and its copy.
    assert_eq!(segment(3), segment(4));
    assert_ne!(segment(2), segment(3));
    assert_eq!(segment(5), vec![0; 4096]);
}

#[test]
fn a_failed_write_takes_the_log_down() {
    let storage = Arc::new(FailingStorage::new(MemoryStorage::new()));
    let world = World::new(storage.clone());
    let writer = world.create();
    let mut batch = RecordBatch::new();
    batch.push_bytes(&filler(10, 1));
    let first = writer.append(&mut batch, AppendOptions::default()).unwrap();
    writer.flush_to(first.last).unwrap();
    let second = writer.append(&mut batch, AppendOptions::default()).unwrap();
    storage.plan(Fault::nth(1, IoErrorKind::Device).of(&[Operation::Sync]).with_effect(Effect::None));
    assert_eq!(writer.flush_to(second.last).unwrap_err().jet_error(), JetError::LOG_WRITE_FAIL);
    storage.clear();
    // What is durable stays so, nothing else goes on.
    writer.flush_to(first.last).unwrap();
    assert!(matches!(writer.flush_to(second.last), Err(LogError::Down { .. })));
    assert!(matches!(writer.append(&mut batch, AppendOptions::default()), Err(LogError::Down { .. })));
    assert!(matches!(writer.roll(), Err(LogError::Down { .. })));
    assert_eq!(writer.down_cause().unwrap().jet_error(), JetError::DISK_IO);
    assert_eq!(world.events(), ["down"]);
}

#[test]
fn a_full_disk_uses_the_reserves_and_then_stops() {
    let storage = Arc::new(FailingStorage::new(MemoryStorage::new()));
    let world = World::new(storage.clone());
    let writer = world.create();
    writer.prepare_reserves();
    assert_eq!(writer.space(), LogSpace::Normal);
    assert!(storage.exists(&world.path("edbres00002.jrs")).unwrap());
    writer.check_space().unwrap();
    // Opening the temporary file finds none, creating it fails.
    let creations_fail = || {
        storage.clear();
        storage.plan(Fault::nth(2, IoErrorKind::DiskFull).of(&[Operation::Open]));
    };
    creations_fail();
    writer.roll().unwrap();
    assert_eq!(writer.space(), LogSpace::Quiesce);
    assert!(!storage.exists(&world.path("edbres00002.jrs")).unwrap());
    assert!(writer.header().flags().contains(ese_format::LogFlags::RESERVED_LOG));
    creations_fail();
    writer.roll().unwrap();
    creations_fail();
    let error = writer.roll().unwrap_err();
    assert_eq!(error.jet_error(), JetError::LOG_WRITE_FAIL);
    assert_eq!(writer.down_cause().unwrap().jet_error(), JetError::LOG_DISK_FULL);
    assert_eq!(writer.space(), LogSpace::OutOfDisk);
    assert_eq!(writer.check_space().unwrap_err().jet_error(), JetError::LOG_DISK_FULL);
    assert_eq!(world.events(), ["low", "full", "new log failed", "down"]);
    storage.clear();
    // All three generations are whole, and a new start goes on behind them.
    let (_, last) = read_all(&*world.storage).unwrap();
    assert_eq!(last.header.generation(), LogGeneration(3));
    let writer = LogWriter::resume(world.parts(), &last).unwrap();
    writer.roll().unwrap();
}

#[test]
fn circular_logging_recycles_below_the_checkpoint() {
    let mut world = World::new(Arc::new(MemoryStorage::new()));
    world.settings.circular = true;
    let writer = world.create();
    let mut batch = RecordBatch::new();
    for i in 0..12 {
        batch.clear();
        batch.push_bytes(&filler(3000, i));
        writer.append(&mut batch, AppendOptions::default()).unwrap();
        if i >= 6 {
            world.engine.set_checkpoint(LogPosition::new(u32::from(i), 1, 0));
        }
        writer.roll().unwrap();
    }
    writer.append(&mut batch, AppendOptions::default()).unwrap();
    writer.flush().unwrap();
    let set = set(&*world.storage);
    // The checkpoint is in generation 11, the log in 13: two generations of margin stay.
    assert_eq!(set.lowest(), Some(LogGeneration(9)));
    assert_eq!(set.highest(), Some(LogGeneration(12)));
    assert!(set.gaps().is_empty());
    // Recycled files hold an older generation behind their data, which is no damage.
    let (records, last) = read_all(&*world.storage).unwrap();
    assert_eq!(last.header.generation(), LogGeneration(13));
    assert_eq!(records.len(), 5);
    assert!(last.header.flags().contains(ese_format::LogFlags::CIRCULAR_LOGGING_HISTORY));
    assert!(world.events().contains(&"recycled".to_owned()));
}

#[test]
fn threads_share_a_flush() {
    let storage = Arc::new(ese_io::CountingStorage::new(MemoryStorage::new()));
    let world = World::new(storage.clone());
    let writer = world.create();
    std::thread::scope(|scope| {
        for thread in 0..4u8 {
            let writer = &writer;
            scope.spawn(move || {
                let mut batch = RecordBatch::new();
                for i in 0..100u8 {
                    batch.clear();
                    batch.push_bytes(&filler(40 + usize::from(i), thread));
                    let done = writer.append(&mut batch, AppendOptions::default()).unwrap();
                    writer.flush_to(done.last).unwrap();
                    assert!(writer.durable_end() > done.last);
                }
            });
        }
    });
    let (records, _) = read_all(&*world.storage).unwrap();
    assert_eq!(records.len(), 400);
}

#[test]
fn depth_limits() {
    let mut world = World::new(Arc::new(MemoryStorage::new()));
    world.settings.checkpoint_too_deep = 0x20;
    let writer = world.create();
    let mut batch = RecordBatch::new();
    batch.push_bytes(&filler(10, 1));
    for _ in 0..17 {
        writer.roll().unwrap();
    }
    let error = writer.append(&mut batch, AppendOptions::default()).unwrap_err();
    assert_eq!(error.jet_error(), JetError::CHECKPOINT_DEPTH_TOO_DEEP);
    world.engine.set_checkpoint(LogPosition::new(17, 1, 0));
    writer.append(&mut batch, AppendOptions::default()).unwrap();
    let options = AppendOptions { transaction_begin: Some(LogGeneration(1)), ..AppendOptions::default() };
    assert_eq!(writer.append(&mut batch, options).unwrap_err().jet_error(), JetError::TRANSACTION_TOO_LONG);
}

/// Flushes in quick succession complete their segments: one write and one sync each, over many generations, and everything
/// is read back.
#[test]
fn quick_flushes_do_not_rewrite_segments() {
    let counting = CountingStorage::new(MemoryStorage::new());
    let mut world = World::new(Arc::new(counting.clone()));
    world.settings.complete_within_ms = 100;
    let writer = world.create();
    let mut batch = RecordBatch::new();
    let mut written = Vec::new();
    let mut append = |seed: u8| {
        batch.clear();
        batch.push_bytes(&filler(50 + usize::from(seed), seed));
        let done = writer.append(&mut batch, AppendOptions::default()).unwrap();
        writer.flush_to(done.last).unwrap();
        assert!(writer.durable_end() > done.last);
        written.push((done.first, filler(50 + usize::from(seed), seed)));
    };
    // The first flush leaves its segment incomplete, the second one rewrites it.
    append(0);
    append(1);
    let before = counting.counts();
    for seed in 2..22 {
        append(seed);
    }
    let counts = counting.counts().since(&before);
    assert_eq!((counts.of(Operation::Write).calls, counts.of(Operation::Sync).calls), (20, 20));
    for seed in 22..200 {
        append(seed);
    }
    assert!(writer.generation() > LogGeneration(3));
    writer.flush().unwrap();
    let (records, _) = read_all(&*world.storage).unwrap();
    for record in &written {
        assert!(records.contains(record), "{}", record.0);
    }
    let fill = records.iter().filter(|(_, bytes)| bytes[0] == 71).count();
    assert!(fill > 150, "{fill}");
}
