//! Whether two pages are the same.

use std::fmt;

use ese_format::{DbTime, ObjectId, PageNumber, PageSize};

use crate::page_edit::{NodeRef, PageEditError, PageImage, node_flags, page_flags};

/// The part of a node that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodePart {
    /// The key.
    Key,
    /// How much of the key is taken from the page's prefix.
    PrefixLength,
    /// The data.
    Data,
    /// The flags but the version bit.
    Flags,
}

/// The first thing in which two pages differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageDifference {
    /// Used in B only.
    OnlyInB,
    /// Used in A only.
    OnlyInA,
    /// Update counters.
    DbTime(DbTime, DbTime),
    /// Left siblings.
    Previous(PageNumber, PageNumber),
    /// Right siblings.
    Next(PageNumber, PageNumber),
    /// Object ids.
    Object(ObjectId, ObjectId),
    /// Flags but the flush type.
    Flags(u32, u32),
    /// External headers, by their lengths.
    ExternalHeader(usize, usize),
    /// Numbers of lines.
    LineCount(usize, usize),
    /// A node.
    Node {
        /// The line.
        line: usize,
        /// What of it.
        part: NodePart,
    },
    /// A page that cannot be read as one.
    Malformed {
        /// Whether it is the one of A.
        in_a: bool,
        /// What is wrong.
        error: PageEditError,
    },
}

impl fmt::Display for PageDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnlyInA => f.write_str("used in A only"),
            Self::OnlyInB => f.write_str("used in B only"),
            Self::DbTime(a, b) => write!(f, "update counter {a} / {b}"),
            Self::Previous(a, b) => write!(f, "left sibling {a} / {b}"),
            Self::Next(a, b) => write!(f, "right sibling {a} / {b}"),
            Self::Object(a, b) => write!(f, "object id {a} / {b}"),
            Self::Flags(a, b) => write!(f, "flags {a:#x} / {b:#x}"),
            Self::ExternalHeader(a, b) => write!(f, "external header of {a} / {b} bytes"),
            Self::LineCount(a, b) => write!(f, "{a} / {b} nodes"),
            Self::Node { line, part } => {
                let part = match part {
                    NodePart::Key => "key",
                    NodePart::PrefixLength => "prefix length",
                    NodePart::Data => "data",
                    NodePart::Flags => "flags",
                };
                write!(f, "node {line}: {part}")
            }
            Self::Malformed { in_a, error } => {
                write!(f, "{} is malformed: {error}", if *in_a { "A" } else { "B" })
            }
        }
    }
}

/// The first difference between two pages; `None` when they are the same. A page that is absent counts as zeros.
#[must_use]
pub fn compare_pages(a: Option<&[u8]>, b: Option<&[u8]>, size: PageSize) -> Option<PageDifference> {
    let zero = |p: Option<&[u8]>| p.is_none_or(|p| p.iter().all(|&b| b == 0));
    let (a, b) = match (zero(a), zero(b), a, b) {
        (true, true, ..) => return None,
        (true, false, ..) => return Some(PageDifference::OnlyInB),
        (false, true, ..) => return Some(PageDifference::OnlyInA),
        (_, _, Some(a), Some(b)) => (a, b),
        _ => return None,
    };
    // Equal bytes are the same page whatever they hold.
    if a == b {
        return None;
    }
    let malformed = |in_a| move |error| PageDifference::Malformed { in_a, error };
    let open = |bytes| PageImage::new(bytes, size).and_then(|page| page.check().map(|()| page));
    let (a, b) = match (open(a).map_err(malformed(true)), open(b).map_err(malformed(false))) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(difference), _) | (_, Err(difference)) => return Some(difference),
    };
    let flags = |page: &PageImage<&[u8]>| page.flags() & !page_flags::FLUSH_TYPE;
    if a.db_time() != b.db_time() {
        return Some(PageDifference::DbTime(a.db_time(), b.db_time()));
    }
    if a.previous() != b.previous() {
        return Some(PageDifference::Previous(a.previous(), b.previous()));
    }
    if a.next() != b.next() {
        return Some(PageDifference::Next(a.next(), b.next()));
    }
    if a.object() != b.object() {
        return Some(PageDifference::Object(a.object(), b.object()));
    }
    if flags(&a) != flags(&b) {
        return Some(PageDifference::Flags(flags(&a), flags(&b)));
    }
    let (header_a, header_b) = (a.external_header(), b.external_header());
    if header_a != header_b {
        return Some(PageDifference::ExternalHeader(header_a.len(), header_b.len()));
    }
    if a.line_count() != b.line_count() {
        return Some(PageDifference::LineCount(a.line_count(), b.line_count()));
    }
    (0..a.line_count()).find_map(|line| {
        match (a.node(line).map_err(malformed(true)), b.node(line).map_err(malformed(false))) {
            (Ok(x), Ok(y)) => compare_nodes(&x, &y).map(|part| PageDifference::Node { line, part }),
            (Err(difference), _) | (_, Err(difference)) => Some(difference),
        }
    })
}

fn compare_nodes(a: &NodeRef<'_>, b: &NodeRef<'_>) -> Option<NodePart> {
    let flags = |node: &NodeRef<'_>| node.flags & !node_flags::VERSIONED;
    let prefix_len = a.prefix.len();
    if prefix_len == b.prefix.len() {
        if a.prefix != b.prefix || a.suffix != b.suffix {
            return Some(NodePart::Key);
        }
    } else if a.key() != b.key() {
        return Some(NodePart::Key);
    } else {
        return Some(NodePart::PrefixLength);
    }
    if a.data != b.data {
        return Some(NodePart::Data);
    }
    (flags(a) != flags(b)).then_some(NodePart::Flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_edit::NewNode;

    fn page(edit: impl FnOnce(&mut PageImage<Vec<u8>>)) -> Vec<u8> {
        let mut page = PageImage::new(vec![0; 4096], PageSize::DEFAULT).unwrap();
        page.initialize(PageNumber(5), ObjectId(9), DbTime(70));
        page.consume(page_flags::LEAF);
        page.set_external_header(b"prefix").unwrap();
        page.insert(0, &NewNode::plain(b"key1", b"data1", 0)).unwrap();
        page.insert(1, &NewNode::plain(b"key2", b"data2", 0)).unwrap();
        edit(&mut page);
        page.bytes().to_vec()
    }

    fn difference(edit: impl FnOnce(&mut PageImage<Vec<u8>>)) -> Option<PageDifference> {
        compare_pages(Some(&page(|_| {})), Some(&page(edit)), PageSize::DEFAULT)
    }

    /// Each thing that is compared is noticed when it changes.
    #[test]
    fn every_difference_is_seen() {
        use PageDifference as D;
        assert_eq!(difference(|_| {}), None);
        assert_eq!(difference(|p| p.set_db_time(DbTime(71))), Some(D::DbTime(DbTime(70), DbTime(71))));
        let pages = (PageNumber(0), PageNumber(3));
        assert_eq!(difference(|p| p.set_previous(PageNumber(3))), Some(D::Previous(pages.0, pages.1)));
        assert_eq!(difference(|p| p.set_next(PageNumber(3))), Some(D::Next(pages.0, pages.1)));
        assert_eq!(difference(|p| p.set_object(ObjectId(8))), Some(D::Object(ObjectId(9), ObjectId(8))));
        assert_eq!(difference(|p| p.set_flags(p.flags() | 1)), Some(D::Flags(0x2802, 0x2803)));
        let header = difference(|p| p.set_external_header(b"prefixes").unwrap());
        assert_eq!(header, Some(D::ExternalHeader(6, 8)));
        assert_eq!(difference(|p| p.delete(1).unwrap()), Some(D::LineCount(2, 1)));
        let node = |part| Some(D::Node { line: 1, part });
        assert_eq!(difference(|p| p.replace_data(1, b"datA2").unwrap()), node(NodePart::Data));
        assert_eq!(
            difference(|p| p.change_node_flags(1, node_flags::DELETED, 0).unwrap()),
            node(NodePart::Flags)
        );
        let other_key = difference(|p| {
            p.delete(1).unwrap();
            p.insert(1, &NewNode::plain(b"key3", b"data2", 0)).unwrap();
        });
        assert_eq!(other_key, node(NodePart::Key));
        let malformed = difference(|p| p.bytes_mut()[28] ^= 1);
        assert!(matches!(malformed, Some(D::Malformed { in_a: false, .. })));
        let whole = page(|_| {});
        assert_eq!(compare_pages(Some(&whole), None, PageSize::DEFAULT), Some(D::OnlyInA));
        assert_eq!(compare_pages(Some(&[0; 4096]), Some(&whole), PageSize::DEFAULT), Some(D::OnlyInB));
    }

    /// What the engine changes without logging is not.
    #[test]
    fn undefined_bytes_are_not_compared() {
        assert_eq!(difference(|p| p.change_node_flags(1, node_flags::VERSIONED, 0).unwrap()), None);
        assert_eq!(difference(|p| p.set_flags(p.flags() | 0x8000)), None);
        assert_eq!(difference(|p| p.set_uncommitted_free(7)), None);
        assert_eq!(difference(|p| p.bytes_mut()[3000] = 9), None);
        let moved = difference(|p| {
            p.replace_data(0, b"much longer data").unwrap();
            p.replace_data(0, b"data1").unwrap();
        });
        assert_eq!(moved, None);
        let reordered = compare_pages(Some(&[1; 4096]), Some(&[1; 4096]), PageSize::DEFAULT);
        assert_eq!(reordered, None);
    }
}
