//! What splits, merges and undo do to pages: each one function, for replay and for the running engine.

mod create;
mod merge;
mod node;
mod pages;
mod rebuild;
mod split;

pub(crate) use create::{convert_root, create_multiple_extent, create_single_extent};
pub(crate) use merge::{empty_tree_page, empty_tree_root, is_partial, merge_pages, merge_target};
pub(crate) use node::{UndoneOperation, undo_node};
pub(crate) use pages::ChangedPages;
pub(crate) use rebuild::{Line, Lines, append_lines};
pub(crate) use split::{SplitNode, SplitStep, insert_separator, moves_nodes, split_page};
