//! Reading a file once, in large pieces, on all cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ese_io::{File, IoError, IoErrorKind, Operation};

use super::error::VerifyError;
use crate::Progress;

/// Bytes of a piece: large enough for a device and for the system's read-ahead, small enough to stay in a core's own
/// cache between reading and checking. A multiple of every page size.
pub(super) const CHUNK: u64 = 1 << 20;

/// What is known of a piece of the file.
pub(super) enum Piece<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// It could not be read.
    Unreadable(IoError),
}

/// Reads `len` bytes of a file from its start in pieces of [`CHUNK`] bytes, the last one as long as is left, and gives
/// each to `work` with its offset. Pieces go out in order, but several are under way at once: while one core reads,
/// another checks. Each worker has a state of its own, made by `state`; all of them come back.
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
    let next = AtomicU64::new(0);
    let stopped = AtomicBool::new(false);
    let states = Mutex::new(Vec::new());
    let pieces = len.div_ceil(CHUNK);
    let workers = u64::try_from(rayon::current_num_threads()).unwrap_or(1).clamp(1, pieces.max(1));
    let run = || {
        let mut buffer = vec![0; usize::try_from(CHUNK.min(len)).unwrap_or(0)];
        let mut state = state();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= pieces {
                break;
            }
            if progress.stop_requested() {
                stopped.store(true, Ordering::Relaxed);
            }
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            let offset = index * CHUNK;
            let wanted = usize::try_from((len - offset).min(CHUNK)).unwrap_or(0);
            let Some(piece) = buffer.get_mut(..wanted) else { break };
            read_piece(file, offset, piece, unit, |offset, piece| work(&mut state, offset, piece));
            progress.advance(wanted as u64);
        }
        if let Ok(mut states) = states.lock() {
            states.push(state);
        }
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
    Ok(states.into_inner().unwrap_or_default())
}

fn read_piece(
    file: &dyn File,
    offset: u64,
    buffer: &mut [u8],
    unit: usize,
    mut work: impl FnMut(u64, Piece<'_>),
) {
    match read_whole(file, offset, buffer) {
        Ok(()) => work(offset, Piece::Bytes(buffer)),
        Err(_) => {
            let mut offset = offset;
            for unit in buffer.chunks_mut(unit.max(1)) {
                match read_whole(file, offset, unit) {
                    Ok(()) => work(offset, Piece::Bytes(unit)),
                    Err(error) => work(offset, Piece::Unreadable(error)),
                }
                offset += unit.len() as u64;
            }
        }
    }
}

/// Reads the whole buffer. The length was asked before: a file that is shorter now shrank meanwhile.
fn read_whole(file: &dyn File, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
    if file.read_at(offset, buffer)? == buffer.len() {
        return Ok(());
    }
    Err(IoError::new(Operation::Read, IoErrorKind::EndOfFile, file.path()).at(offset))
}
