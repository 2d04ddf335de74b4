//! The first part of every name of a stream.

use std::fmt;
use std::hash::{Hash, Hasher};

/// The first part of every file name of a log stream, `edb` by default. Compared without case, kept as given.
///
/// One to eight ASCII characters that are legal in file names. The engine itself takes exactly three; its parameter
/// check is [`is_engine_length`](Self::is_engine_length).
#[doc(alias = "JET_paramBaseName")]
#[derive(Clone, Debug)]
pub struct BaseName(String);

/// A text that is no base name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no base name for log files: 1 to 8 ASCII characters without \\ / : * ? \" < > | . are needed"
)]
pub struct InvalidBaseName(pub String);

impl BaseName {
    /// Most characters accepted.
    pub const MAX_LEN: usize = 8;

    /// Checks `text`.
    ///
    /// # Errors
    /// [`InvalidBaseName`] when it is empty, longer than eight characters, or holds one that file names cannot have.
    pub fn new(text: &str) -> Result<Self, InvalidBaseName> {
        let legal = |c: char| c.is_ascii_graphic() && !"\\/:*?\"<>|.".contains(c);
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.chars().all(legal) {
            return Err(InvalidBaseName(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the engine itself would take it: exactly three characters.
    #[must_use]
    pub fn is_engine_length(&self) -> bool {
        self.0.len() == 3
    }

    /// What follows this base name in `name`, or `None` when `name` does not start with it.
    pub(super) fn strip<'a>(&self, name: &'a str) -> Option<&'a str> {
        let head = name.get(..self.0.len())?;
        if head.eq_ignore_ascii_case(&self.0) { name.get(self.0.len()..) } else { None }
    }
}

/// `edb`, the engine's default.
impl Default for BaseName {
    fn default() -> Self {
        Self("edb".to_owned())
    }
}

impl PartialEq for BaseName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for BaseName {}

impl Hash for BaseName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}

impl fmt::Display for BaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_characters() {
        for good in ["e", "edb", "V01", "j50", "eightchr"] {
            assert!(BaseName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "ninechars", "a.b", "a/b", "a b", "é"] {
            assert_eq!(BaseName::new(bad), Err(InvalidBaseName(bad.to_owned())));
        }
        assert!(BaseName::default().is_engine_length());
        assert!(!BaseName::new("ab").unwrap().is_engine_length());
        assert_eq!(BaseName::new("EDB").unwrap(), BaseName::default());
    }
}
