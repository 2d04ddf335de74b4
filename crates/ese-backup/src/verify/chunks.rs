//! Reading a file once, in large pieces, on all cores.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ese_io::{AlignedBuffer, File, IoError, IoErrorKind, Operation};
use parking_lot::Mutex;

use super::error::VerifyError;
use crate::Progress;

/// Bytes of a piece: large enough for a device and for the system's read-ahead. A multiple of every page size.
pub(super) const CHUNK: u64 = 1 << 20;

/// What is known of a piece of the file.
pub(super) enum Piece<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// It could not be read.
    Unreadable(IoError),
}

/// A piece that comes faster than this (bytes a microsecond) was in the system's cache.
const CACHED_SPEED: u128 = 10_000;
/// A piece from the system's cache is copied and checked in parts of so many bytes, which stay in a core's own cache. A
/// multiple of every page size.
const CACHED_PART: u64 = 256 << 10;
/// So many such pieces in a row, and the file is taken to be in the cache: more than the system reads ahead.
const CACHED_RUN: u32 = 32;

/// Reads `len` bytes of a file from its start in pieces of [`CHUNK`] bytes, the last one as long as is left, and gives
/// each to `work` with its offset. Several are under way at once: while one core reads, another checks, and each core
/// checks what it has read itself, while that is in its cache. Each worker has a state of its own, made by `state`; all
/// of them come back.
///
/// From a device, pieces are read one after another and in order: the system reads ahead for one reader, and two who
/// leap over each other spoil that. Pieces that come from the system's cache are copied by all cores at once.
///
/// A piece that cannot be read is read again unit by unit (`unit` bytes, a divisor of the piece), so that as little as
/// possible is lost; each unit that fails is given to `work` as such.
///
/// # Errors
/// [`VerifyError::Interrupted`] when the progress asks to stop. Failed reads are no errors here.
pub(super) fn for_each<S: Send>(
    file: &dyn File,
    len: u64,
    unit: usize,
    progress: &dyn Progress,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, u64, Piece<'_>) + Sync,
) -> Result<Vec<S>, VerifyError> {
    let pieces = Pieces { len, next: AtomicU64::new(0), cached: AtomicU32::new(0), turn: Mutex::new(()) };
    let stopped = AtomicBool::new(false);
    let states = Mutex::new(Vec::new());
    let workers = u64::try_from(rayon::current_num_threads()).unwrap_or(1).clamp(1, pieces.count().max(1));
    let run = || {
        let mut buffer = AlignedBuffer::new(usize::try_from(CHUNK.min(len)).unwrap_or(0));
        let mut state = state();
        loop {
            if progress.stop_requested() {
                stopped.store(true, Ordering::Relaxed);
            }
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            let Some(taken) = pieces.take(file, &mut buffer, unit, |offset, piece| {
                work(&mut state, offset, piece);
            }) else {
                break;
            };
            progress.advance(taken);
        }
        states.lock().push(state);
    };
    rayon::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|_| run());
        }
        run();
    });
    if stopped.into_inner() {
        return Err(VerifyError::Interrupted);
    }
    Ok(states.into_inner())
}

/// The pieces of a file that wait to be read.
struct Pieces {
    len: u64,
    next: AtomicU64,
    /// How many of the last pieces in a row came from the system's cache.
    cached: AtomicU32,
    /// Held while reading from a device.
    turn: Mutex<()>,
}

impl Pieces {
    fn count(&self) -> u64 {
        self.len.div_ceil(CHUNK)
    }

    /// Takes the next piece, reads it and gives it to `work`. Its length, or `None` when all have been taken.
    fn take(
        &self,
        file: &dyn File,
        buffer: &mut [u8],
        unit: usize,
        mut work: impl FnMut(u64, Piece<'_>),
    ) -> Option<u64> {
        let turn = (self.cached.load(Ordering::Relaxed) < CACHED_RUN).then(|| self.turn.lock());
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if index >= self.count() {
            return None;
        }
        let offset = index * CHUNK;
        let len = (self.len - offset).min(CHUNK);
        if let Some(turn) = turn {
            let piece = buffer.get_mut(..usize::try_from(len).ok()?)?;
            let (result, time) = timed(|| read_whole(file, offset, piece));
            self.remember_speed(len, time);
            drop(turn);
            give(file, offset, piece, unit, result, &mut work);
        } else {
            let (mut done, mut reading) = (0, Duration::ZERO);
            while done < len {
                let part = usize::try_from((len - done).min(CACHED_PART)).ok()?;
                let part = buffer.get_mut(..part)?;
                let (result, time) = timed(|| read_whole(file, offset + done, part));
                reading += time;
                give(file, offset + done, part, unit, result, &mut work);
                done += part.len() as u64;
            }
            self.remember_speed(len, reading);
        }
        Some(len)
    }

    fn remember_speed(&self, len: u64, time: Duration) {
        if u128::from(len) >= CACHED_SPEED * time.as_micros() {
            // Never near the end of the number's range: one a mebibyte.
            self.cached.fetch_add(1, Ordering::Relaxed);
        } else {
            self.cached.store(0, Ordering::Relaxed);
        }
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// Gives what was read to `work`, or what can be read of it unit by unit.
fn give(
    file: &dyn File,
    mut offset: u64,
    piece: &mut [u8],
    unit: usize,
    result: Result<(), IoError>,
    work: &mut impl FnMut(u64, Piece<'_>),
) {
    if result.is_ok() {
        work(offset, Piece::Bytes(piece));
        return;
    }
    for unit in piece.chunks_mut(unit.max(1)) {
        match read_whole(file, offset, unit) {
            Ok(()) => work(offset, Piece::Bytes(unit)),
            Err(error) => work(offset, Piece::Unreadable(error)),
        }
        offset += unit.len() as u64;
    }
}

/// Reads the whole buffer. The length was asked before: a file that is shorter now shrank meanwhile.
fn read_whole(file: &dyn File, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
    if file.read_at(offset, buffer)? == buffer.len() {
        return Ok(());
    }
    Err(IoError::new(Operation::Read, IoErrorKind::EndOfFile, file.path()).at(offset))
}
