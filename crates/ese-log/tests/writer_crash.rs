#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used, clippy::panic)]
//! Power cuts and failing calls under the writer: what was acknowledged as durable is there afterwards, nothing else than
//! what was appended is, and the stream can be continued.
//!
//! Fault model: a device writes units of 4 KiB whole, and works through one write request in order. Where it reorders inside a
//! request, the writer has to be told ([`WriteOrder::OneByOne`]).

mod support_writer;

use std::cell::RefCell;
use std::sync::Arc;

use ese_format::{LogGeneration, LogPosition};
use ese_io::{Effect, IoErrorKind, SimulatedDisk, Survival, crash_everywhere, fail_everywhere};
use ese_log::{AppendOptions, LogError, LogWriter, RecordBatch, WriteOrder};
use support_writer::{World, filler, read_all};

/// What a run appended, and up to which record it was told that it is durable.
#[derive(Clone, Default)]
struct Told {
    appended: Vec<Vec<u8>>,
    durable: usize,
}

/// Appends, flushes, completes and rolls in a mix that meets every kind of write.
fn work(world: &World, told: &RefCell<Told>) -> Result<(), LogError> {
    *told.borrow_mut() = Told::default();
    let (_, last) = read_all(&*world.storage)?;
    let writer = LogWriter::resume(world.parts(), &last)?;
    let mut batch = RecordBatch::new();
    for i in 0..40usize {
        batch.clear();
        batch.push_bytes(&filler([30, 700, 5000, 12, 4056, 90][i % 6] + i, i as u8));
        let options = AppendOptions { new_generation: i == 25, ..AppendOptions::default() };
        let done = writer.append(&mut batch, options)?;
        told.borrow_mut().appended.push(batch.records().next().unwrap().to_vec());
        let count = told.borrow().appended.len();
        match i % 5 {
            0 | 2 => {
                writer.flush_to(done.last)?;
                told.borrow_mut().durable = count;
            }
            3 if i > 12 => {
                writer.flush_and_complete()?;
                told.borrow_mut().durable = count;
            }
            _ => {}
        }
        if i % 7 == 6 {
            // Does the same as a full buffer elsewhere.
            writer.write_behind()?;
        }
        if i == 18 {
            writer.roll()?;
            told.borrow_mut().durable = count;
        }
    }
    Ok(())
}

/// A disk with a stream of one record.
fn prepared() -> SimulatedDisk {
    let disk = SimulatedDisk::with_sector_size(4096);
    let world = World::new(Arc::new(disk.clone()));
    let writer = world.create();
    let mut batch = RecordBatch::new();
    batch.push_bytes(&filler(99, 200));
    writer.append(&mut batch, AppendOptions::default()).unwrap();
    writer.flush().unwrap();
    disk
}

/// A world whose writer closes generations in memory.
fn behind(disk: &SimulatedDisk) -> World {
    let mut world = world(disk, WriteOrder::OnePiece);
    world.settings.write_behind = true;
    world.settings.file_segments = 5;
    world.settings.buffer_bytes = 4096;
    world
}

fn world(disk: &SimulatedDisk, order: WriteOrder) -> World {
    let mut world = World::of(Arc::new(disk.clone()));
    world.settings.write_order = order;
    world.settings.circular = true;
    world.engine.set_checkpoint(LogPosition::new(3, 1, 0));
    world
}

/// Reads the stream and goes on in it, as a new start would.
fn check(disk: &SimulatedDisk, told: &Told, what: &str) {
    let world = world(disk, WriteOrder::OnePiece);
    let set = support_writer::set(&*world.storage);
    let (records, last) = read_all(&*world.storage).unwrap_or_else(|e| panic!("{what}: {e}"));
    // Circular logging may have recycled what lies below the checkpoint.
    let all: Vec<Vec<u8>> = std::iter::once(filler(99, 200)).chain(told.appended.iter().cloned()).collect();
    let ours: Vec<_> = records.iter().map(|r| &r.1).filter(|r| r[0] != 71).collect();
    let from = ours.first().map_or(0, |first| all.iter().position(|r| r == *first).expect("appended"));
    assert!(from == 0 || !set.archived.contains_key(&LogGeneration(1)), "{what}");
    for (found, appended) in ours.iter().zip(&all[from..]) {
        assert_eq!(*found, appended, "{what}");
    }
    assert!(from + ours.len() > told.durable, "{what}: {} of {}", from + ours.len(), told.durable);
    let writer = match set.current {
        Some(_) => LogWriter::resume(world.parts(), &last),
        None => LogWriter::begin_after(world.parts(), &last),
    };
    let writer = writer.unwrap_or_else(|e| panic!("{what}: {e}"));
    // A record may have been cut; only the one that recovery begins with may follow it.
    let mut batch = RecordBatch::new();
    batch.push_bytes(&[51, 1, 2, 3, 4, 5, 6, 7, 8]);
    batch.push_bytes(&filler(50, 111));
    let done = writer.append(&mut batch, AppendOptions::default()).unwrap();
    writer.flush_to(done.last).unwrap();
    let (after, _) = read_all(&*world.storage).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(after.last().unwrap().1, filler(50, 111), "{what}");
}

fn crash(order: WriteOrder, survivals: &[Survival]) -> u64 {
    let told = RefCell::new(Told::default());
    crash_everywhere(
        &prepared(),
        survivals,
        |disk| drop(work(&world(disk, order), &told)),
        |point, disk| check(disk, &told.borrow(), &format!("{order:?} {point:?}")),
    )
}

#[test]
fn the_power_is_cut_at_every_step() {
    let points = crash(
        WriteOrder::OnePiece,
        &[Survival::Nothing, Survival::Everything, Survival::Prefix(1), Survival::Prefix(2)],
    );
    assert!(points > 200, "{points}");
}

#[test]
fn the_power_is_cut_while_generations_wait_in_memory() {
    let told = RefCell::new(Told::default());
    let points = crash_everywhere(
        &prepared(),
        &[Survival::Nothing, Survival::Everything, Survival::Prefix(1)],
        |disk| drop(work(&behind(disk), &told)),
        |point, disk| check(disk, &told.borrow(), &format!("{point:?}")),
    );
    assert!(points > 200, "{points}");
}

#[test]
fn every_call_fails_once_while_generations_wait_in_memory() {
    let told = RefCell::new(Told::default());
    let calls = fail_everywhere(
        &prepared(),
        IoErrorKind::Device,
        Effect::None,
        |disk| work(&behind(disk), &told),
        |nth, result, disk| check(disk, &told.borrow(), &format!("call {nth} {result:?}")),
    );
    assert!(calls > 50, "{calls}");
}

#[test]
fn a_device_that_reorders_needs_one_by_one() {
    let survivals =
        [Survival::Nothing, Survival::Everything, Survival::Torn(1), Survival::Torn(2), Survival::Torn(3)];
    assert!(crash(WriteOrder::OneByOne, &survivals) > 200);
}

/// The canary of the test above: the same device under the usual order leaves logs that cannot be read.
#[test]
fn a_device_that_reorders_breaks_one_piece() {
    let told = RefCell::new(Told::default());
    let broken = RefCell::new(0);
    crash_everywhere(
        &prepared(),
        &[Survival::Torn(1), Survival::Torn(2), Survival::Torn(3)],
        |disk| drop(work(&world(disk, WriteOrder::OnePiece), &told)),
        |_, disk| *broken.borrow_mut() += u32::from(read_all(disk).is_err()),
    );
    assert!(broken.into_inner() > 0);
}

#[test]
fn every_call_fails_once() {
    for effect in [Effect::None, Effect::Full] {
        let told = RefCell::new(Told::default());
        let calls = fail_everywhere(
            &prepared(),
            IoErrorKind::Device,
            effect,
            |disk| work(&world(disk, WriteOrder::OnePiece), &told),
            |nth, result, disk| check(disk, &told.borrow(), &format!("call {nth} {effect:?} {result:?}")),
        );
        assert!(calls > 50, "{calls}");
    }
}
