//! Page cache, page editing, redo and B-tree navigation.

mod cursor;
mod page_edit;

pub use cursor::{
    Cursor, FilePageSource, Found, LongValueProblem, LongValueReader, PageSource, Tree, TreeError,
    TreeProblem,
};
pub use page_edit::{
    NewNode, NodeRef, PageEditError, PageImage, dehydrate, node_flags, page_flags, rehydrate, usable_prefix,
};
