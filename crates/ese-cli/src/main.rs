//! The `ese` program.

fn main() {}
