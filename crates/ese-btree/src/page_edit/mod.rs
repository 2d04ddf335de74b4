//! Editing one database page in memory.
//!
//! Each change of a page is one function here, used when a log record is replayed and when the running engine makes
//! the change, so that the two cannot drift apart. Nothing here knows logs, caches or trees.

mod before_image;
mod check;
mod checksum;
mod edit;
mod error;
mod flags;
mod format;
mod image;
mod search;
#[cfg(test)]
mod tests;

pub use before_image::{dehydrate, rehydrate};
pub(crate) use checksum::logged_data_checksum;
pub use edit::{NewNode, usable_prefix};
pub use error::PageEditError;
pub use flags::{node_flags, page_flags};
pub use image::{NodeRef, PageImage};
pub(crate) use image::{TAG_LEN, decode_tag};
pub(crate) use search::{PageFacts, Share, key_word};
