//! What splits, merges and undo do to pages: each one function, for replay and for the running engine.

mod node;
mod rebuild;

pub(crate) use node::{empty_tree_root, undo_node};
pub(crate) use rebuild::{Line, Lines, append_lines};
