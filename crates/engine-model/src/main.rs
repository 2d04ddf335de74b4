//! `engine-model [--operations N] [--seed S] [--keep DIR]`: the long run. `cargo xtask model` calls it. The files of a run
//! that shows a difference are put into DIR.

use std::process::ExitCode;

use engine_model::{Options, Report, run};

/// Steps of one run: short ones reach more beginnings.
const STEPS: u64 = 50_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut operations, mut seed, mut keep) = (1_000_000, 1, None);
    while let Some(name) = arguments.next() {
        let value = arguments.next();
        let number = value.as_ref().and_then(|value| value.parse().ok());
        match (name.as_str(), value, number) {
            ("--operations", _, Some(number)) => operations = number,
            ("--seed", _, Some(number)) => seed = number,
            ("--keep", Some(value), _) => keep = Some(std::path::PathBuf::from(value)),
            _ => {
                eprintln!("usage: engine-model [--operations N] [--seed S] [--keep DIR]");
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
            keys: match seed % 3 {
                0 => 60,
                1 => 400,
                _ => 3000,
            },
            crash_every: match seed / 4 % 4 {
                0 => 0,
                1 => 200,
                2 => 1000,
                _ => 5000,
            },
        };
        match run(options) {
            Ok(report) => all = all.plus(report),
            Err(difference) => {
                println!("DIFFERENCE {difference}");
                if let Some(keep) = keep {
                    for (path, bytes) in &difference.files {
                        let target = keep.join(path.file_name().unwrap_or_default());
                        if let Err(error) = std::fs::write(&target, bytes) {
                            eprintln!("{}: {error}", target.display());
                        }
                    }
                }
                return ExitCode::from(1);
            }
        }
        println!("seed {seed}: {all:?}");
        seed += 1;
    }
    ExitCode::SUCCESS
}
