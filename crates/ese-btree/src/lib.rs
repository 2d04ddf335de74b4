//! Page cache, page editing, redo and B-tree navigation.
