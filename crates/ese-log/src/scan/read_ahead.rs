//! Reading the next piece of a log while the last one is worked on.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use ese_io::{File, Result};

/// A piece to be read.
struct Request {
    file: Arc<dyn File>,
    offset: u64,
    buffer: Vec<u8>,
    reply: SyncSender<Piece>,
}

/// A piece that was read: the buffer, and how much of it.
pub(crate) struct Piece {
    pub buffer: Vec<u8>,
    pub read: Result<usize>,
}

/// A thread that reads pieces in the order they are asked for. It ends when the last owner goes.
pub(crate) struct ReadAhead {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    /// Starts the thread; `None` when the system has none to give, which only makes reading slower.
    pub(crate) fn start() -> Option<Arc<Self>> {
        let (requests, incoming) = channel::<Request>();
        let work = move || {
            for Request { file, offset, mut buffer, reply } in incoming {
                let read = file.read_at(offset, &mut buffer);
                // Nobody waits any more when the log was left early.
                let _ = reply.send(Piece { buffer, read });
            }
        };
        let thread = Builder::new().name("ese-log read-ahead".to_owned()).spawn(work).ok()?;
        Some(Arc::new(Self { requests: Some(requests), thread: Some(thread) }))
    }

    /// Asks for all of `buffer` at `offset`; the piece comes through the receiver.
    pub(crate) fn request(&self, file: Arc<dyn File>, offset: u64, buffer: Vec<u8>) -> Receiver<Piece> {
        let (reply, receiver) = sync_channel(1);
        if let Some(requests) = &self.requests {
            // A thread that died leaves the receiver without a sender: the caller reads by himself then.
            let _ = requests.send(Request { file, offset, buffer, reply });
        }
        receiver
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
