//! Checksums of headers, pages and log segments: compute, store, verify, correct.
//!
//! Three forms exist.
//!
//! | form | where | stored |
//! |------|-------|--------|
//! | XOR | database, log, checkpoint, flush-map headers, backup trailer: [`header_checksum`] | `u32` at 0 |
//! | legacy page | pages of at most 8 KiB with flag 0x2000 clear: the same sum | `u32` at 0, page number at 4 |
//! | XOR+ECC | all other pages, log segments: [`BlockChecksum`] | `u64` at 0, on large pages three more at 40 |

mod block;
mod kernel;
mod page;
#[cfg(test)]
mod test_patterns;
mod verdict;
#[cfg(test)]
mod verdict_tests;
mod xor;

pub use block::BlockChecksum;
pub use kernel::Kernel;
pub use page::{PageChecksumForm, write_legacy_page_checksum, write_page_checksum};
pub use verdict::{
    CorrectedBits, DifferingBlock, NotVerified, PageCheck, PageNumberEvidence, PageVerdict, correct_page,
    first_differing_block, verify_page,
};
pub use xor::{HEADER_CHECKSUM_SEED, header_checksum, header_checksum_matches, write_header_checksum};
