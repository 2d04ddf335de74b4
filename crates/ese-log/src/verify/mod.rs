//! Verification of whole files.

mod copy;
mod whole;

pub use copy::{LogCopyCounts, LogCopyVerifier};
pub use whole::LogVerification;
