//! What splits, merges and undo do to pages: each one function, for replay and for the running engine.

mod create;
mod node;
mod pages;
mod rebuild;
mod split;

pub(crate) use create::{convert_root, create_multiple_extent, create_single_extent};
pub(crate) use node::{UndoneOperation, empty_tree_root, undo_node};
pub(crate) use pages::ChangedPages;
pub(crate) use rebuild::{Line, Lines, append_lines};
pub(crate) use split::{SplitNode, SplitStep, insert_separator, moves_nodes, split_page};
