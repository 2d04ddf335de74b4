//! Criterion benches; see the files in `benches/`. Here: timing several contestants in turns.
//!
//! A shared machine speeds up and slows down by the minute, so that numbers of two separate runs cannot be compared.
//! [`take_turns`] runs every contestant once a round, and compares within the run.

use std::time::{Duration, Instant};

/// Something to time, with its name.
pub struct Contestant<'a> {
    /// Name in the printed table.
    pub name: String,
    run: Box<dyn FnMut() + 'a>,
}

impl<'a> Contestant<'a> {
    /// A contestant that does `run` once a round.
    pub fn new(name: impl Into<String>, run: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// What a contestant reached.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Its name.
    pub name: String,
    /// The fastest round.
    pub best: Duration,
    /// The middle of all rounds.
    pub median: Duration,
}

/// Runs every contestant once a round, for `rounds` rounds, calling `before_each` untimed before every run. Prints a
/// table in which the first contestant is the anchor, and returns the timings in the same order.
pub fn take_turns(
    title: &str,
    bytes: u64,
    rounds: usize,
    contestants: &mut [Contestant<'_>],
    mut before_each: impl FnMut(),
) -> Vec<Timing> {
    let mut times = vec![Vec::with_capacity(rounds); contestants.len()];
    for round in 0..=rounds {
        // Another one begins each round: a device that tires, or a cache that fills, favours no place in the order.
        let count = contestants.len();
        for turn in 0..count {
            let index = (round + turn) % count;
            let (Some(contestant), Some(times)) = (contestants.get_mut(index), times.get_mut(index)) else {
                continue;
            };
            before_each();
            let start = Instant::now();
            (contestant.run)();
            // The first round warms up.
            if round > 0 {
                times.push(start.elapsed());
            }
        }
    }
    let timings: Vec<Timing> = contestants
        .iter()
        .zip(times)
        .map(|(contestant, mut times)| {
            times.sort_unstable();
            let at = |i: usize| times.get(i).copied().unwrap_or_default();
            Timing { name: contestant.name.clone(), best: at(0), median: at(times.len() / 2) }
        })
        .collect();
    print_table(title, bytes, &timings);
    timings
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn print_table(title: &str, bytes: u64, timings: &[Timing]) {
    println!("\n{title}");
    println!("  {:<34} {:>11} {:>11} {:>9} {:>9}", "", "best GiB/s", "med GiB/s", "best ×", "med ×");
    let rate = |time: Duration| bytes as f64 / time.as_secs_f64() / f64::from(1u32 << 30);
    let Some(anchor) = timings.first() else { return };
    for timing in timings {
        println!(
            "  {:<34} {:>11.2} {:>11.2} {:>9.3} {:>9.3}",
            timing.name,
            rate(timing.best),
            rate(timing.median),
            rate(timing.best) / rate(anchor.best),
            rate(timing.median) / rate(anchor.median),
        );
    }
}
