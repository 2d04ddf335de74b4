//! Long runs. `cargo xtask model` and `cargo xtask kill` call them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use engine_model::{Options, Report, killed, run};

const USAGE: &str = "\
usage: engine-model [--operations N] [--seed S] [--keep DIR]
           random work against a model, with losses of power; the files of a run that shows a difference are put into DIR
       engine-model --kill ROUNDS [--seed S] [--keep DIR]
           processes that work on real files and are killed, in DIR or in a directory that is made and removed
       engine-model --work DIR [--seed S] [--threads N]
           such a process";

/// Steps of one run: short ones reach more beginnings.
const STEPS: u64 = 50_000;
/// Processes that are killed on the same files: then a new database.
const LIVES: u32 = 25;

struct Arguments {
    operations: u64,
    kill: Option<u32>,
    seed: u64,
    threads: i32,
    keep: Option<PathBuf>,
    work: Option<PathBuf>,
}

fn arguments() -> Option<Arguments> {
    let mut found =
        Arguments { operations: 1_000_000, kill: None, seed: 1, threads: 4, keep: None, work: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.as_str() {
            "--operations" => found.operations = value.parse().ok()?,
            "--kill" => found.kill = Some(value.parse().ok()?),
            "--seed" => found.seed = value.parse().ok()?,
            "--threads" => found.threads = value.parse().ok()?,
            "--keep" => found.keep = Some(value.into()),
            "--work" => found.work = Some(value.into()),
            _ => return None,
        }
    }
    Some(found)
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let outcome = if let Some(directory) = &arguments.work {
        killed::work(directory, arguments.seed, arguments.threads).map_err(|error| error.to_string())
    } else if let Some(rounds) = arguments.kill {
        kill(rounds, &arguments).map_err(|error| error.to_string())
    } else {
        model(&arguments)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn model(arguments: &Arguments) -> Result<(), String> {
    let mut seed = arguments.seed;
    let mut all = Report::default();
    while all.operations < arguments.operations {
        let page_size = 4096 << (seed % 4);
        let options = Options {
            seed,
            operations: STEPS.min(arguments.operations - all.operations),
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
                for (path, bytes) in arguments.keep.iter().flat_map(|_| &difference.files) {
                    let target = arguments
                        .keep
                        .as_deref()
                        .unwrap_or(Path::new(""))
                        .join(path.file_name().unwrap_or_default());
                    if let Err(error) = std::fs::write(&target, bytes) {
                        eprintln!("{}: {error}", target.display());
                    }
                }
                return Err(format!("DIFFERENCE {difference}"));
            }
        }
        println!("seed {seed}: {all:?}");
        seed += 1;
    }
    Ok(())
}

fn kill(rounds: u32, arguments: &Arguments) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let program = std::env::current_exe()?;
    let top = arguments.keep.clone().unwrap_or_else(std::env::temp_dir);
    let mut seed = arguments.seed;
    let mut done = 0;
    while done < rounds {
        let directory = top.join(format!("ese-killed-{}-{seed}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        let lives = LIVES.min(rounds - done);
        // The files of a difference stay.
        let report = killed::kill_rounds(&program, &directory, seed, lives, 400)
            .map_err(|error| format!("{error}; files: {}", directory.display()))?;
        std::fs::remove_dir_all(&directory)?;
        println!("seed {seed}: {report:?}");
        done += lives;
        seed += 1;
    }
    Ok(())
}
