//! The stable runner of the fuzz targets.

use std::process::ExitCode;

fn main() -> ExitCode {
    fuzz_targets::command_line::main(std::env::args().skip(1))
}
