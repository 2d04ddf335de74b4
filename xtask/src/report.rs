//! Counting what passed and what failed.

/// Totals over tests and steps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// What failed, for the end of the output.
    pub(crate) failures: Vec<String>,
}

impl Totals {
    /// Counts a step that is one check.
    pub(crate) fn check(&mut self, name: &str, succeeded: bool) {
        if succeeded {
            self.passed += 1;
        } else {
            self.fail(name);
        }
    }

    /// Counts one failure.
    pub(crate) fn fail(&mut self, name: &str) {
        self.failed += 1;
        self.failures.push(name.to_owned());
    }

    /// Looks at a line of the test harness' or the fuzz runner's output: `test result: ok. 3 passed; 1 failed; …` and
    /// `test name ... FAILED`.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.passed += count_before(rest, " passed");
            self.failed += count_before(rest, " failed");
        } else if let Some(name) = line.strip_prefix("test ").and_then(|l| l.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        }
    }
}

fn count_before(text: &str, word: &str) -> u64 {
    text.split(word)
        .next()
        .filter(|before| before.len() < text.len())
        .and_then(|before| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_harness_lines() {
        let mut totals = Totals::default();
        totals.line("running 3 tests");
        totals.line("test a::b ... ok");
        totals.line("test a::c ... FAILED");
        totals.line(
            "test result: FAILED. 12 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished",
        );
        totals.line(
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        totals.line("3 passed in a text that is no result");
        assert_eq!(totals, Totals { passed: 15, failed: 1, failures: vec!["a::c".to_owned()] });
    }

    #[test]
    fn a_result_line_without_numbers_counts_nothing() {
        let mut totals = Totals::default();
        totals.line("test result: ok.");
        assert_eq!(totals, Totals::default());
    }
}
