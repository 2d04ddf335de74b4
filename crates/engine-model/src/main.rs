//! `engine-model [--operations N] [--seed S]`: the long run. `cargo xtask model` calls it.

use std::process::ExitCode;

use engine_model::{Options, Report, run};

/// Steps of one run: short ones reach more beginnings.
const STEPS: u64 = 50_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut operations, mut seed) = (1_000_000, 1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        match (name.as_str(), value) {
            ("--operations", Some(value)) => operations = value,
            ("--seed", Some(value)) => seed = value,
            _ => {
                eprintln!("usage: engine-model [--operations N] [--seed S]");
                return ExitCode::from(2);
            }
        }
    }
    let mut all = Report::default();
    while all.operations < operations {
        let page_size = 4096 << (seed % 4);
        let options = Options {
            seed,
            operations: STEPS.min(operations - all.operations),
            page_size,
            sessions: 2 + (seed % 5) as usize,
            keys: [60, 400, 3000][(seed % 3) as usize],
            crash_every: [0, 200, 1000, 5000][(seed / 4 % 4) as usize],
        };
        match run(options) {
            Ok(report) => all = all.plus(report),
            Err(difference) => {
                println!("DIFFERENCE {difference}");
                return ExitCode::from(1);
            }
        }
        println!("seed {seed}: {all:?}");
        seed += 1;
    }
    ExitCode::SUCCESS
}
