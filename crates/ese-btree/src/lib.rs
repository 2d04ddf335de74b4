//! Page cache, page editing, redo and B-tree navigation.

mod page_edit;

pub use page_edit::{
    NewNode, NodeRef, PageEditError, PageImage, dehydrate, node_flags, page_flags, rehydrate, usable_prefix,
};
