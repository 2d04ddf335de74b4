//! Verification of whole files.

mod copy;

pub use copy::{LogCopyCounts, LogCopyVerifier};
