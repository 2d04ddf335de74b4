//! Copies of leaves, for moves from node to node.
//!
//! What a transaction sees does not change while it changes nothing itself: of a page as it is now, it may go by a copy from
//! now on, whatever becomes of the page, and need not ask the trees for each node. Nodes that not everybody sees alike are
//! left to the trees, as is the way to the next page.

use std::ops::Range;

use ese_format::{DbTime, PageNumber};
use ese_log::record::{DatabaseSlot, TransactionTime};

use super::spot::Hint;
use super::{TransactionState, Tree};
use crate::page_edit::{PageImage, TAG_LEN, decode_tag, node_flags};

/// A node on a copy.
#[derive(Clone, Debug)]
pub(super) struct OnCopy {
    /// Where its data is.
    pub(super) data: Range<usize>,
    /// So much of its key is from the page's prefix.
    prefix_len: usize,
}

/// A leaf as it was.
#[derive(Debug)]
pub(super) struct PageCopy {
    bytes: Vec<u8>,
    header_len: usize,
    large: bool,
    /// Tags in front of line 0.
    reserved: usize,
    lines: usize,
    /// Where the keys' prefix is.
    prefix: Range<usize>,
    slot: DatabaseSlot,
    /// Root of the tree.
    root: PageNumber,
    page: PageNumber,
    time: DbTime,
    /// Whose view it is.
    snapshot: TransactionTime,
    /// Flags of nodes that the trees have to be asked for.
    telling_flags: u8,
}

impl Default for PageCopy {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            header_len: 0,
            large: false,
            reserved: 0,
            lines: 0,
            prefix: 0..0,
            slot: DatabaseSlot(0),
            root: PageNumber::NONE,
            page: PageNumber::NONE,
            time: DbTime::INVALID,
            snapshot: TransactionTime::MAX,
            telling_flags: 0,
        }
    }
}

impl PageCopy {
    /// Becomes the copy of the page that `hint` names, for those who see what `snapshot` sees.
    pub(super) fn take(
        &mut self,
        image: &PageImage<&[u8]>,
        tree: &Tree,
        hint: &Hint,
        snapshot: TransactionTime,
        telling_flags: u8,
    ) {
        self.bytes.clear();
        self.bytes.extend_from_slice(image.bytes());
        (self.header_len, self.large) = (image.header_len(), image.is_large());
        (self.reserved, self.lines) = (image.reserved_tags(), image.line_count());
        self.prefix = image.prefix_place();
        (self.slot, self.root) = (tree.slot, tree.root.root);
        (self.page, self.time) = (hint.page, hint.time);
        (self.snapshot, self.telling_flags) = (snapshot, telling_flags);
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a transaction that stands at `hint` may go by this copy.
    #[inline]
    pub(super) fn serves(&self, t: &TransactionState, tree: &Tree, hint: &Hint) -> bool {
        self.page == hint.page
            && self.time == hint.time
            && self.root == tree.root.root
            && self.slot == tree.slot
            && t.lasting_snapshot() == Some(self.snapshot)
    }

    /// Makes `key` that of the node at a line, when it is plainly there. `known` is what this said of the node before, when
    /// `key` is still its key.
    #[inline]
    pub(super) fn stand(&self, line: usize, key: &mut Vec<u8>, known: Option<&OnCopy>) -> Option<OnCopy> {
        if line >= self.lines {
            return None;
        }
        let bytes = &self.bytes[..];
        let at = bytes.len().checked_sub(TAG_LEN * (line + self.reserved + 1))?;
        let tag = decode_tag(*bytes.get(at..)?.first_chunk::<TAG_LEN>()?, self.large);
        let start = self.header_len + tag.offset;
        let end = start + tag.len;
        let (&[first, second], mut rest) = bytes.get(start..end)?.split_first_chunk::<2>()?;
        let flags = if self.large { second >> 5 } else { tag.flags };
        if flags & self.telling_flags != 0 {
            return None;
        }
        let mut len = usize::from(u16::from_le_bytes([first, second]) & 0x1FFF);
        let mut prefix_len = 0;
        if flags & node_flags::COMPRESSED != 0 {
            prefix_len = len;
            let (suffix_len, tail) = rest.split_first_chunk::<2>()?;
            len = usize::from(u16::from_le_bytes(*suffix_len) & 0x1FFF);
            rest = tail;
        }
        let (suffix, data) = rest.split_at_checked(len)?;
        let prefix = bytes.get(self.prefix.clone())?.get(..prefix_len)?;
        let same_prefix = known.is_some_and(|known| known.prefix_len == prefix_len);
        match key.get_mut(prefix_len..) {
            Some(tail) if same_prefix && tail.len() == suffix.len() => tail.copy_from_slice(suffix),
            _ => {
                key.clear();
                key.extend_from_slice(prefix);
                key.extend_from_slice(suffix);
            }
        }
        Some(OnCopy { data: end - data.len()..end, prefix_len })
    }
}
