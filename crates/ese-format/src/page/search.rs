//! Binary search on one page.

use std::cmp::Ordering;

use super::{KeyParts, Node, PageError, PageView};

/// What is looked for: a key, and in trees with non-unique keys the data behind it.
#[doc(alias = "BOOKMARK")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SearchKey<'a> {
    /// Key.
    pub key: &'a [u8],
    /// Data; compared only on pages with non-unique keys. Empty means "before every node with this key".
    pub data: &'a [u8],
}

impl<'a> SearchKey<'a> {
    /// A key alone.
    #[must_use]
    pub const fn key(key: &'a [u8]) -> Self {
        Self { key, data: &[] }
    }
}

impl PageView<'_> {
    /// The first line whose node is not below `wanted`, and whether it equals it. On a page with non-unique keys
    /// equal means key and data; a node's line may be the node count, behind the last.
    ///
    /// # Errors
    /// When a node that is looked at cannot be read.
    pub fn find(&self, wanted: SearchKey<'_>) -> Result<(usize, bool), PageError> {
        let mut equal = false;
        let line = self.partition(wanted, |order| {
            equal |= order == Ordering::Equal;
            order == Ordering::Less
        })?;
        Ok((line, equal))
    }

    /// On a branch page, the line of the child that `wanted` belongs to: the first separator above it; an empty last
    /// separator is above everything. A bookmark at or above every separator belongs to the last line as well: only a
    /// broken page has no such separator, and the caller's checks of the child tell.
    ///
    /// # Errors
    /// When a node that is looked at cannot be read, or the page has no nodes.
    pub fn find_child(&self, wanted: SearchKey<'_>) -> Result<usize, PageError> {
        let count = self.node_count();
        let Some(last) = count.checked_sub(1) else {
            return Err(PageError::NoSuchLine { line: 0, count });
        };
        let line = self.partition_in(last, wanted, |order| order != Ordering::Greater)?;
        Ok(line.min(last))
    }

    fn partition(
        &self,
        wanted: SearchKey<'_>,
        go_right: impl FnMut(Ordering) -> bool,
    ) -> Result<usize, PageError> {
        self.partition_in(self.node_count(), wanted, go_right)
    }

    /// First of the lines `0..end` for which `go_right` is false.
    fn partition_in(
        &self,
        end: usize,
        wanted: SearchKey<'_>,
        mut go_right: impl FnMut(Ordering) -> bool,
    ) -> Result<usize, PageError> {
        let prefix = self.prefix();
        let common = prefix.iter().zip(wanted.key).take_while(|(a, b)| a == b).count();
        let (mut low, mut high) = (0, end);
        while low < high {
            let middle = low + (high - low) / 2;
            let node = self.node(middle)?;
            if go_right(self.compare(&node, wanted, common)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Compares a node with `wanted`, whose first `common` bytes are those of the page prefix.
    #[inline]
    fn compare(&self, node: &Node<'_>, wanted: SearchKey<'_>, common: usize) -> Ordering {
        let shared = node.prefix.len();
        // The part of the page prefix that the node shares and `wanted` begins with needs no second look.
        let by_key = || {
            if shared <= common {
                node.suffix.cmp(wanted.key.get(shared..).unwrap_or_default())
            } else {
                node.key().compare(wanted.key)
            }
        };
        if !self.is_non_unique() || wanted.data.is_empty() && !self.is_leaf() {
            by_key()
        } else if self.is_leaf() {
            by_key().then_with(|| node.data.cmp(wanted.data))
        } else {
            // Separators of non-unique trees may reach into the data: they compare with key and data in one piece.
            node.key().cmp(&KeyParts { prefix: wanted.key, suffix: wanted.data })
        }
    }
}
