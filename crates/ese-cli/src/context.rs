//! What every command is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ese_io::OsStorage;

use crate::failure::Failure;
use crate::output::Output;

/// What every command is given: the storage, the output, and whether the user wants to stop.
pub(crate) struct Context {
    /// The operating system's files.
    pub(crate) storage: OsStorage,
    /// Where results go.
    pub(crate) output: Output,
    /// Set by Ctrl-C or a termination request; long work looks at it, cleans up and returns
    /// [`Failure::interrupted`].
    pub(crate) interrupt: Arc<AtomicBool>,
}

impl Context {
    /// Prepares the surroundings and starts to listen for Ctrl-C. The first one asks the command to clean up and
    /// end, the second one ends the process at once.
    pub(crate) fn new(output: Output) -> Self {
        let interrupt = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&interrupt);
        let listening = ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(crate::exit::Exit::Interrupted.code()));
            }
        });
        if let Err(error) = listening {
            output.note(format_args!("note: Ctrl-C will end the program without cleaning up: {error}"));
        }
        Self { storage: OsStorage, output, interrupt }
    }

    /// Ends the command when the user asked for it.
    pub(crate) fn check_interrupt(&self) -> Result<(), Failure> {
        if self.interrupt.load(Ordering::SeqCst) { Err(Failure::interrupted()) } else { Ok(()) }
    }
}
