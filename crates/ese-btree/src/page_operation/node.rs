//! Undoing one operation on a node.

use ese_log::record::VersionOperation;

use crate::page_edit::{PageEditError, PageImage, node_flags};

impl<B: AsRef<[u8]> + AsMut<[u8]>> PageImage<B> {
    /// Adds `delta` to the little-endian counter at `offset` of the node's data, wrapping: 32 bits, or 64 when `wide`.
    ///
    /// # Errors
    /// [`PageEditError::BadNode`] when the data is shorter than that.
    pub fn add_to_counter(
        &mut self,
        line: usize,
        offset: usize,
        delta: i64,
        wide: bool,
    ) -> Result<(), PageEditError> {
        let data = self.node(line)?.data;
        let bad = PageEditError::BadNode { line, length: data.len() };
        let old = data.get(offset..).ok_or(bad)?;
        if wide {
            let value = i64::from_le_bytes(*old.first_chunk().ok_or(bad)?).wrapping_add(delta);
            self.overwrite_data(line, offset, &value.to_le_bytes())
        } else {
            // The stored delta has 32 bits; the rest is its sign.
            let value = i32::from_le_bytes(*old.first_chunk().ok_or(bad)?).wrapping_add(delta as i32);
            self.overwrite_data(line, offset, &value.to_le_bytes())
        }
    }
}

/// An operation on a node that is taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UndoneOperation {
    pub(crate) operation: VersionOperation,
    /// Amount added, of a delta.
    pub(crate) delta: i64,
    /// Offset of the counter, of a delta.
    pub(crate) delta_offset: u16,
}

/// Takes back what `undone` did to the node at `line`; `before` is what a replace overwrote.
///
/// A node that was inserted is only marked deleted: removing it is left to cleanup.
#[doc(alias = "VERUndo")]
pub(crate) fn undo_node<B: AsRef<[u8]> + AsMut<[u8]>>(
    page: &mut PageImage<B>,
    line: usize,
    undone: &UndoneOperation,
    before: &[u8],
) -> Result<(), PageEditError> {
    match undone.operation {
        VersionOperation::INSERT => page.change_node_flags(line, node_flags::DELETED, 0),
        VersionOperation::FLAG_DELETE => page.change_node_flags(line, 0, node_flags::DELETED),
        VersionOperation::REPLACE => page.replace_data(line, before),
        VersionOperation::DELTA | VersionOperation::DELTA64 => page.add_to_counter(
            line,
            undone.delta_offset.into(),
            undone.delta.wrapping_neg(),
            undone.operation == VersionOperation::DELTA64,
        ),
        _ => Err(PageEditError::BadNode { line, length: 0 }),
    }
}
