//! Reading trees: pages from somewhere, descent by key, walking leaves both ways, long values.
//!
//! Nothing here trusts a link: each page must belong to the tree, depth and number of pages visited are bounded, so that
//! no page content makes a walk endless.

mod error;
mod file_source;
mod long_value;
mod source;
mod tree;
mod walk;

pub use error::{LongValueProblem, TreeError, TreeProblem};
pub use file_source::FilePageSource;
pub use long_value::LongValueReader;
pub use source::PageSource;
pub use tree::Tree;
pub use walk::{Cursor, Found};
