//! Which call is to fail, and how.

use crate::error::{IoErrorKind, Operation};

/// What a failing call does before it reports the error. An error says that a call did not certainly succeed, not that
/// nothing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    #[default]
    None,
    /// The first half of a write, on the simulated disk of whole sectors; nothing of other calls.
    Half,
    /// Everything.
    Full,
}

/// A planned failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    nth: u64,
    operations: &'static [Operation],
    kind: IoErrorKind,
    effect: Effect,
    lasting: bool,
}

impl Fault {
    /// The `nth` call (the first is 1) fails with `kind`; the calls after it work again.
    #[must_use]
    pub const fn nth(nth: u64, kind: IoErrorKind) -> Self {
        Self { nth, operations: &[], kind, effect: Effect::None, lasting: false }
    }

    /// Counts and fails only these operations. An `open` with a lock counts as `Open`.
    #[must_use]
    pub const fn of(mut self, operations: &'static [Operation]) -> Self {
        self.operations = operations;
        self
    }

    /// The failing call has this effect all the same.
    #[must_use]
    pub const fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// All matching calls after it fail too, as on a full disk.
    #[must_use]
    pub const fn lasting(mut self) -> Self {
        self.lasting = true;
        self
    }
}

/// Faults with their counters.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    calls: u64,
    planned: Vec<(Fault, u64)>,
}

impl Faults {
    pub(crate) fn plan(&mut self, fault: Fault) {
        self.planned.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.planned.clear();
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// Counts a call; the error it is to give, if any.
    pub(crate) fn call(&mut self, operation: Operation) -> Option<(IoErrorKind, Effect)> {
        self.calls += 1;
        let mut hit = None;
        for (fault, seen) in &mut self.planned {
            if !fault.operations.is_empty() && !fault.operations.contains(&operation) {
                continue;
            }
            *seen += 1;
            if *seen == fault.nth || fault.lasting && *seen > fault.nth {
                hit = hit.or(Some((fault.kind, fault.effect)));
            }
        }
        hit
    }
}
