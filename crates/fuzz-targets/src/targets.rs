//! The targets, one file an area.

mod values;

use crate::Target;

/// All targets.
pub const TARGETS: &[Target] = &[Target { name: "values", run: values::run, samples: values::samples }];

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|t| t.name == name).copied()
}

/// Runs a target by name; an unknown name is a mistake of the wrapper.
pub fn run(name: &str, data: &[u8]) {
    match target(name) {
        Some(target) => (target.run)(data),
        None => std::process::abort(),
    }
}
