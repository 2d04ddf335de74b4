//! A section of diacritic or case weights.

/// The weight that says nothing, dropped at the end of a section.
pub(super) const DEFAULT_WEIGHT: u8 = 2;

/// Weights of one section, one for each character; default ones at the end are only counted, so that plain text needs no
/// memory.
#[derive(Debug, Default)]
pub(super) struct Section {
    weights: Vec<u8>,
    defaults_behind: usize,
}

impl Section {
    pub(super) fn push(&mut self, weight: u8) {
        if weight == DEFAULT_WEIGHT {
            self.defaults_behind += 1;
        } else {
            self.weights.extend(std::iter::repeat_n(DEFAULT_WEIGHT, self.defaults_behind));
            self.defaults_behind = 0;
            self.weights.push(weight);
        }
    }

    /// Adds to the last weight, or begins with this one. `None` when the sum does not fit.
    pub(super) fn add_to_last(&mut self, weight: u8) -> Option<()> {
        let last = if self.defaults_behind > 0 {
            self.defaults_behind -= 1;
            Some(DEFAULT_WEIGHT)
        } else {
            self.weights.pop()
        };
        self.push(last.unwrap_or_default().checked_add(weight)?);
        Some(())
    }

    /// Appends the section from its end to its beginning, without what says nothing at its beginning.
    pub(super) fn append_reversed_to(mut self, out: &mut Vec<u8>) {
        self.weights.extend(std::iter::repeat_n(DEFAULT_WEIGHT, self.defaults_behind));
        let first = self.weights.iter().position(|&weight| weight > DEFAULT_WEIGHT);
        out.extend(self.weights.iter().skip(first.unwrap_or(self.weights.len())).rev());
    }

    /// Appends the section without what says nothing at its end.
    pub(super) fn append_to(mut self, out: &mut Vec<u8>) {
        while self.weights.last().is_some_and(|&weight| weight <= DEFAULT_WEIGHT) {
            self.weights.pop();
        }
        out.append(&mut self.weights);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(section: Section) -> Vec<u8> {
        let mut out = Vec::new();
        section.append_to(&mut out);
        out
    }

    #[test]
    fn defaults_are_kept_only_in_front_of_others() {
        let mut section = Section::default();
        [2, 14, 2, 2, 15, 2].into_iter().for_each(|w| section.push(w));
        assert_eq!(finished(section), [2, 14, 2, 2, 15]);
        let mut plain = Section::default();
        plain.push(2);
        plain.push(1);
        assert_eq!(finished(plain), [0; 0]);
    }

    #[test]
    fn reversed_the_default_weights_behind_count() {
        let reversed = |weights: &[u8]| {
            let (mut section, mut out) = (Section::default(), Vec::new());
            weights.iter().for_each(|w| section.push(*w));
            section.append_reversed_to(&mut out);
            out
        };
        assert_eq!(reversed(&[2, 14, 2, 15, 2]), [2, 15, 2, 14]);
        assert_eq!(reversed(&[2, 2]), [0; 0]);
    }

    #[test]
    fn marks_add_to_what_is_before_them() {
        let mut section = Section::default();
        assert_eq!(section.add_to_last(12), Some(()));
        section.push(2);
        assert_eq!(section.add_to_last(12), Some(()));
        assert_eq!(section.add_to_last(3), Some(()));
        assert_eq!(section.add_to_last(250), None);
        let mut fresh = Section::default();
        fresh.push(2);
        fresh.push(2);
        fresh.add_to_last(12).unwrap();
        assert_eq!(finished(fresh), [2, 14]);
    }
}
