//! A defragmentation while others are in transactions.

use std::path::Path;
use std::sync::{Arc, Mutex};

use ese_instance::{DefragmentFlags, DefragmentOptions, DefragmentReport};

use crate::engine::{DATABASE, Running};

impl Running {
    /// Goes through every tree of the database, or of the table, by a session of its own.
    pub(crate) fn tidy(&self, flags: DefragmentFlags) -> Result<(), String> {
        let broken = |error: ese_instance::InstanceError| error.to_string();
        let session = self.instance.begin_session().map_err(broken)?;
        let database = session.open_database(Path::new(DATABASE)).map_err(broken)?;
        let one = flags.contains(DefragmentFlags::ONE_TABLE);
        let told = Arc::new(Mutex::new(None));
        let to = Arc::clone(&told);
        let callback = move |report: &DefragmentReport| {
            if let Ok(mut told) = to.lock() {
                *told = report.failure;
            }
        };
        let mut options = DefragmentOptions::default();
        if !one {
            options.callback = Some(Arc::new(callback));
        }
        database.defragment(one.then_some("Rows"), flags, options).map_err(broken)?;
        let failure = told.lock().ok().and_then(|told| *told);
        failure.map_or(Ok(()), |number| Err(format!("a defragmentation ended with {}", number.0)))
    }
}
