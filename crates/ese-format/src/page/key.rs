//! A key in the two parts it is stored in.

use std::cmp::Ordering;
use std::fmt;

/// A key as a page holds it: a leading part shared with the page prefix, and the node's own suffix. Compares as the
/// concatenation of both.
#[doc(alias = "KEY")]
#[derive(Clone, Copy, Default)]
pub struct KeyParts<'a> {
    /// Shared part; empty when the node is not compressed.
    pub prefix: &'a [u8],
    /// Own part.
    pub suffix: &'a [u8],
}

impl<'a> KeyParts<'a> {
    /// A key in one piece.
    #[must_use]
    pub const fn whole(key: &'a [u8]) -> Self {
        Self { prefix: &[], suffix: key }
    }

    /// Length of the whole key.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.prefix.len() + self.suffix.len()
    }

    /// Whether the key has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.prefix.is_empty() && self.suffix.is_empty()
    }

    /// The bytes in order.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + 'a {
        self.prefix.iter().chain(self.suffix).copied()
    }

    /// The whole key in a vector of its own.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut key = Vec::new();
        self.copy_to(&mut key);
        key
    }

    /// Replaces the content of `target` by the whole key; reuses its memory.
    pub fn copy_to(&self, target: &mut Vec<u8>) {
        target.clear();
        target.extend_from_slice(self.prefix);
        target.extend_from_slice(self.suffix);
    }

    /// Appends the whole key to `target`.
    pub fn append_to(&self, target: &mut Vec<u8>) {
        target.extend_from_slice(self.prefix);
        target.extend_from_slice(self.suffix);
    }

    /// Compares with a key in one piece.
    #[must_use]
    pub fn compare(&self, other: &[u8]) -> Ordering {
        match other.get(..self.prefix.len()) {
            Some(head) => self.prefix.cmp(head).then_with(|| {
                // `get` above proves that the rest begins inside `other`.
                self.suffix.cmp(other.get(self.prefix.len()..).unwrap_or_default())
            }),
            // `other` is shorter than the prefix: it can only be equal to a part of it.
            None => self.prefix.cmp(other),
        }
    }
}

impl Ord for KeyParts<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // Keys of one page share the prefix slice, so the common case compares suffixes only.
        if self.prefix == other.prefix {
            return self.suffix.cmp(other.suffix);
        }
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for KeyParts<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for KeyParts<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for KeyParts<'_> {}

impl PartialEq<[u8]> for KeyParts<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

impl fmt::Debug for KeyParts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn compares_like_the_concatenation(a in prop::collection::vec(0u8..3, 0..5), b in prop::collection::vec(0u8..3, 0..5),
                                           c in prop::collection::vec(0u8..3, 0..5), d in prop::collection::vec(0u8..3, 0..5)) {
            let x = KeyParts { prefix: &a, suffix: &b };
            let y = KeyParts { prefix: &c, suffix: &d };
            prop_assert_eq!(x.cmp(&y), x.to_vec().cmp(&y.to_vec()));
            prop_assert_eq!(x.compare(&d), x.to_vec().cmp(&d));
        }
    }
}
