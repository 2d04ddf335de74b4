//! Every fuzz target on a bounded number of seeded mutations, with each `cargo test`. Without the test harness, whose threads
//! would mix up the panic hook and the memory of different targets.

use std::process::ExitCode;

fn main() -> ExitCode {
    let wanted = std::env::args().skip(1).filter(|a| fuzz_targets::target(a).is_some());
    fuzz_targets::command_line::main(std::iter::once("--smoke".to_owned()).chain(wanted))
}
