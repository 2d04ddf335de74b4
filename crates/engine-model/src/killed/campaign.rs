//! Processes that work and are killed, one after the other, on the same files.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::READY;
use super::check::check;
use super::store::{Failure, Result};
use crate::dice::Dice;

/// What a campaign did.
#[derive(Debug, Default, Clone, Copy)]
pub struct KillReport {
    /// Processes that were killed.
    pub kills: u32,
    /// Transactions that were acknowledged.
    pub acknowledged: u64,
    /// Transactions the database holds at the end.
    pub transactions: u64,
}

/// Kills `rounds` processes of `program` that work on `directory`, and checks what each left. The moment is drawn from
/// `seed`: after so many acknowledgements.
///
/// # Errors
/// The first thing that is not as it must be, with the round.
pub fn kill_rounds(
    program: &Path,
    directory: &Path,
    seed: u64,
    rounds: u32,
    most: u64,
) -> std::result::Result<KillReport, Failure> {
    let mut dice = Dice(seed);
    let mut report = KillReport::default();
    let mut acknowledged = BTreeMap::new();
    for round in 0..rounds {
        let mut command = Command::new(program);
        command.arg("--work").arg(directory).args(["--seed", &seed.to_string()]);
        command.args(["--threads", &(1 + dice.below(6)).to_string()]);
        let end = if round > 0 && dice.once_in(5) {
            // While it recovers, perhaps.
            End::After(Duration::from_micros(dice.below(30_000)))
        } else {
            End::Said(dice.below(most), Duration::from_micros(dice.below(3_000)))
        };
        let said = one_life(&mut command, end, &mut acknowledged)
            .map_err(|error| format!("round {round} of seed {seed}: {error}"))?;
        report.kills += 1;
        report.acknowledged += said;
        // Most of the time the next process recovers; then it finds what this one left after two deaths.
        if round + 1 == rounds || dice.once_in(2) {
            report.transactions = check(directory, seed, &acknowledged)
                .map_err(|error| format!("after round {round} of seed {seed}: {error}"))?;
        }
    }
    Ok(report)
}

/// When a process is killed.
enum End {
    After(Duration),
    /// After so many acknowledgements, and a while.
    Said(u64, Duration),
}

/// Starts a process and kills it. Answers how many acknowledgements there were.
fn one_life(command: &mut Command, end: End, acknowledged: &mut BTreeMap<i32, i32>) -> Result<u64> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let mut killed = false;
    if let End::After(time) = end {
        sleep(time);
        child.kill()?;
        killed = true;
    }
    let mut count = 0;
    let mut begun = false;
    // What was said before the death is read to its end: all of it was acknowledged.
    for line in BufReader::new(output).lines() {
        let line = line?;
        if line == READY {
            begun = true;
        } else if let Some((thread, number)) = line.split_once(' ') {
            acknowledged.insert(thread.parse()?, number.parse()?);
            count += 1;
        }
        if let End::Said(until, time) = end
            && begun
            && !killed
            && count >= until
        {
            sleep(time);
            child.kill()?;
            killed = true;
        }
    }
    let status = child.wait()?;
    // Where there are signals one tells who was killed.
    let by_us = killed && (!cfg!(unix) || status.code().is_none());
    if by_us { Ok(count) } else { Err(format!("it ended by itself: {status}").into()) }
}
