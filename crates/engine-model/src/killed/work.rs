//! The process that is killed.

use std::io::Write;
use std::path::Path;

use ese_format::KeyFlags;
use ese_instance::{CommitMode, Instance, PrepareKind, SeekFlags, Session, TableError};

use super::backups::take_backups;
use super::schema::change_schema;
use super::store::{Failure, Result, Rows, open, start};
use super::{ACCOUNTS, KEPT, READY, ROLLED_BACK, body};
use crate::dice::Dice;

/// Works with `threads` threads on the files of `directory` until it is killed. Every line it prints but the first is a thread
/// and the number of its last transaction that is on the disk.
///
/// # Errors
/// Any answer that no sound engine gives.
pub fn work(directory: &Path, seed: u64, threads: i32) -> std::result::Result<(), Failure> {
    let instance = start(directory, seed)?;
    let opened = open(&instance, directory)?;
    say(READY)?;
    std::thread::scope(|scope| {
        let others = [
            scope.spawn(|| change_schema(&instance, directory, Dice(seed ^ u64::from(std::process::id())))),
            scope.spawn(|| take_backups(&instance, directory, seed)),
        ];
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let instance = &instance;
                scope.spawn(move || Worker::new(instance, directory, thread, seed)?.run())
            })
            .collect();
        workers
            .into_iter()
            .chain(others)
            .try_for_each(|w| w.join().map_err(|_| Failure::from("a thread died"))?)
    })?;
    drop(opened);
    Ok(())
}

fn say(line: impl std::fmt::Display) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

fn is_conflict(error: &Failure) -> bool {
    error.downcast_ref::<TableError>().is_some_and(|error| error.jet_error().0 == -1102)
}

struct Worker {
    accounts: Rows<2>,
    counters: Rows<2>,
    journal: Rows<3>,
    session: Session,
    thread: i32,
    dice: Dice,
}

impl Worker {
    fn new(instance: &Instance, directory: &Path, thread: i32, seed: u64) -> Result<Self> {
        let (session, database) = open(instance, directory)?;
        Ok(Self {
            accounts: Rows::open(&database, "Accounts", ["Number", "Balance"])?,
            counters: Rows::open(&database, "Counters", ["Thread", "Last"])?,
            journal: Rows::open(&database, "Journal", ["Thread", "Number", "Body"])?,
            session,
            thread,
            dice: Dice(seed.wrapping_mul(64).wrapping_add(u64::from(thread.cast_unsigned()))),
        })
    }

    fn run(mut self) -> Result<()> {
        let mut last = match find(&mut self.counters, &[self.thread])? {
            true => self.counters.long(1)?,
            false => 0,
        };
        // Another life, other choices.
        self.dice.0 ^= u64::from(last.cast_unsigned()) << 20;
        loop {
            let number = last + 1;
            let levels = 1 + self.dice.below(2);
            for _ in 0..levels {
                self.session.begin()?;
            }
            let given_up = self.dice.once_in(6);
            let outcome = self.transaction(number, if given_up { ROLLED_BACK } else { 0 });
            match outcome {
                Ok(()) if !given_up => {
                    let durable = !self.dice.once_in(4);
                    for _ in 0..levels {
                        self.session.commit(if durable { CommitMode::Durable } else { CommitMode::Lazy })?;
                    }
                    last = number;
                    if durable {
                        say(format_args!("{} {number}", self.thread))?;
                    }
                }
                Err(error) if !is_conflict(&error) => return Err(error),
                _ => {
                    for _ in 0..levels {
                        self.session.rollback()?;
                    }
                }
            }
        }
    }

    /// Moves money, writes the journal and the counter. `mark` is added to the number that is written.
    fn transaction(&mut self, number: i32, mark: i32) -> Result<()> {
        let accounts = u64::from(ACCOUNTS.cast_unsigned());
        let (from, step) = (self.dice.below(accounts), 1 + self.dice.below(accounts - 1));
        let to = (from + step) % accounts;
        let amount = i64::try_from(self.dice.below(50))?;
        for (account, change) in [(from, -amount), (to, amount)] {
            let account = i32::try_from(account)?;
            if !find(&mut self.accounts, &[account])? {
                return Err(format!("account {account} is gone").into());
            }
            let balance = self.accounts.long_long(1)? + change;
            self.accounts.put(PrepareKind::Replace, [&account.to_le_bytes(), &balance.to_le_bytes()])?;
        }
        let thread = self.thread.to_le_bytes();
        let written = (number + mark).to_le_bytes();
        self.journal.put(PrepareKind::Insert, [&thread, &written, &body(self.thread, number + mark)])?;
        if find(&mut self.journal, &[self.thread, number - KEPT])? {
            self.journal.table.delete()?;
        }
        let kind = match find(&mut self.counters, &[self.thread])? {
            true => PrepareKind::Replace,
            false => PrepareKind::Insert,
        };
        Ok(self.counters.put(kind, [&thread, &written])?)
    }
}

fn find<const N: usize>(rows: &mut Rows<N>, key: &[i32]) -> Result<bool> {
    let mut flags = KeyFlags::NEW_KEY;
    for part in key {
        rows.table.make_key(&part.to_le_bytes(), flags)?;
        flags = KeyFlags::empty();
    }
    match rows.table.seek(SeekFlags::EQUAL) {
        Ok(_) => Ok(true),
        Err(error) if error.jet_error().0 == -1601 => Ok(false),
        Err(error) => Err(error.into()),
    }
}
