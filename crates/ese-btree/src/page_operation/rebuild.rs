//! Lists of nodes on their way from one page to another.

use crate::page_edit::{NewNode, NodeRef, PageEditError, PageImage};

/// One line of a page that is being taken apart.
#[doc(alias = "LINEINFO")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// The key, in up to two pieces.
    pub(crate) key: [&'a [u8]; 2],
    pub(crate) data: &'a [u8],
    pub(crate) flags: u8,
}

/// Lines in order.
pub(crate) type Lines<'a> = Vec<Line<'a>>;

impl<'a> Line<'a> {
    pub(crate) fn of(node: NodeRef<'a>) -> Self {
        Self { key: [node.prefix, node.suffix], data: node.data, flags: node.flags }
    }

    /// The whole key.
    pub(crate) fn whole_key(&self) -> Vec<u8> {
        self.key.concat()
    }

    /// Bytes of the key that are worth taking from `prefix`.
    fn usable_prefix(&self, prefix: &[u8]) -> usize {
        let key = self.key[0].iter().chain(self.key[1]);
        let common = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
        if common > 2 { common } else { 0 }
    }

    /// The node as it is stored on a page with this prefix.
    pub(crate) fn node(&self, prefix: &[u8]) -> NewNode<'a> {
        let taken = self.usable_prefix(prefix);
        let [first, second] = self.key;
        let suffix = match first.get(taken..) {
            Some(rest) => [rest, second],
            None => [second.get(taken - first.len()..).unwrap_or(&[]), &[]],
        };
        NewNode { flags: self.flags, prefix_len: taken, suffix, data: self.data }
    }
}

/// Inserts lines one after the other from line `at` on, compressed against the page's prefix.
pub(crate) fn append_lines<'a, B: AsRef<[u8]> + AsMut<[u8]>>(
    page: &mut PageImage<B>,
    at: usize,
    lines: impl IntoIterator<Item = Line<'a>>,
) -> Result<(), PageEditError> {
    let prefix = page.key_prefix().to_vec();
    for (offset, line) in lines.into_iter().enumerate() {
        page.insert(at + offset, &line.node(&prefix))?;
    }
    Ok(())
}
