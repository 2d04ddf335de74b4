//! Developer tasks, run as `cargo xtask <task>`. Nothing but the Rust toolchain is needed.

mod bench;
#[cfg(test)]
mod calls_table;
mod ci;
mod fuzz;
#[cfg(test)]
mod house;
mod model;
mod readers;
mod reference;
mod report;
mod sort_tailorings;
mod sort_weights;
mod step;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <task>

  ci                                   everything that must hold: format, lints, tests, documentation, fuzz smoke
  fuzz [--seconds N] [--seed N] [--list] [TARGET…]
                                       a longer fuzz run on the stable toolchain (60 seconds a target unless told)
  model [--operations N] [--seed N]    the engine against a model in memory, with losses of power (1000000 steps unless told)
  kill [ROUNDS] [--seed N] [--keep DIR]
                                       processes that work with several threads on real files and are killed (1000 unless told)
  bench [FILTER]                       run the benches; stores: the one beside redb and SQLite
  readers                              databases of every format and page size in dissect.esedb and libesedb, which it needs:
                                       pip install dissect.esedb libesedb-python
  reference                            compare exports and deep verification with every reference case
  sort-weights NLS CODES EXT_CODES     make the table of sort weights anew, see xtask/src/sort_weights.rs
  sort-tailorings NLS                  make the table of what languages sort otherwise anew";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let succeeded = match task.as_str() {
        "ci" if rest.is_empty() => ci::run_task(),
        "fuzz" => fuzz::run_task(&rest),
        "model" => model::run_task(&rest),
        "kill" => model::kill_task(&rest),
        "bench" => bench::run_task(&rest),
        "readers" if rest.is_empty() => readers::run_task(),
        "reference" if rest.is_empty() => reference::run_task(),
        "sort-tailorings" if rest.len() == 1 => {
            rest.first().is_some_and(|source| sort_tailorings::run_task(source))
        }
        "sort-weights" => match &rest[..] {
            [source, first, second] => sort_weights::run_task(source, [first, second]),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        },
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
