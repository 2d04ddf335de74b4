//! The structural checks that the engine makes on every page it reads or writes.

use std::cmp::Ordering;

use super::{Node, NodeFlags, PageError, PageFlags, PageView, Tag};
use crate::JetError;

/// One thing wrong with the structure of a page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PageFinding {
    /// A part of the page cannot be read.
    #[error(transparent)]
    Unreadable(#[from] PageError),
    /// A counter of the header is larger than what it counts within.
    #[error("{field} is {found}, more than {limit}")]
    Counter {
        /// Which counter.
        field: &'static str,
        /// Its value.
        found: u16,
        /// The largest legal value.
        limit: usize,
    },
    /// Bodies, tags and free bytes do not add up to the data area.
    #[error("{bodies} bytes of bodies, {tags} of tags and {free} free do not fill a data area of {area}")]
    SpaceEquation {
        /// Sum of the body lengths.
        bodies: usize,
        /// Bytes of tags.
        tags: usize,
        /// Free bytes according to the header.
        free: u16,
        /// Size of the data area.
        area: usize,
    },
    /// A page without tags that is neither empty nor pre-initialised.
    #[error("no tags, but flags {flags}")]
    NoTags {
        /// The page's flags.
        flags: PageFlags,
    },
    /// Flags that exclude each other, or that no running engine leaves on a page.
    #[error("flags {flags} cannot stand together")]
    FlagCombination {
        /// The page's flags.
        flags: PageFlags,
    },
    /// Flag bits without a meaning.
    #[error("unknown flag bits {bits:#x}")]
    UnknownFlags {
        /// The bits.
        bits: u32,
    },
    /// A node's tag has no body.
    #[error("tag {tag} is empty")]
    EmptyTag {
        /// Index in the tag array.
        tag: usize,
    },
    /// A body reaches beyond the end of the used data area.
    #[error("tag {tag} ends at {end}, beyond the used {limit} bytes")]
    BeyondUsed {
        /// Index in the tag array.
        tag: usize,
        /// Where the body ends.
        end: usize,
        /// End of the used data area.
        limit: u16,
    },
    /// Two bodies share bytes.
    #[error("tags {first} and {second} overlap")]
    Overlap {
        /// Index of the one that begins first.
        first: usize,
        /// Index of the other.
        second: usize,
    },
    /// A key without bytes where none may stand.
    #[error("line {line} has an empty key")]
    EmptyKey {
        /// Line of the node.
        line: usize,
    },
    /// A node without data.
    #[error("line {line} has no data")]
    NoData {
        /// Line of the node.
        line: usize,
    },
    /// A compressed node on a page that has no prefix.
    #[error("line {line} is compressed on a root page")]
    CompressedOnRoot {
        /// Line of the node.
        line: usize,
    },
    /// A node below its predecessor.
    #[error("line {line} sorts before its predecessor")]
    Order {
        /// Line of the node.
        line: usize,
    },
    /// A node equal to its predecessor.
    #[error("line {line} repeats the key of its predecessor")]
    Duplicate {
        /// Line of the node.
        line: usize,
    },
}

impl PageFinding {
    /// The engine's number for it.
    #[must_use]
    pub const fn jet_error(&self) -> JetError {
        match self {
            Self::Unreadable(error) => error.jet_error(),
            Self::EmptyKey { .. }
            | Self::NoData { .. }
            | Self::CompressedOnRoot { .. }
            | Self::Order { .. }
            | Self::Duplicate { .. } => JetError::NODE_CORRUPTED,
            Self::FlagCombination { .. } | Self::UnknownFlags { .. } => JetError::DATABASE_CORRUPTED,
            _ => JetError::PAGE_TAG_CORRUPTED,
        }
    }

    /// Whether the engine tolerates it.
    #[must_use]
    pub const fn is_tolerated(&self) -> bool {
        matches!(self, Self::UnknownFlags { .. })
    }
}

impl PageView<'_> {
    /// Checks everything that can be known from the page alone and returns what is wrong, in page order: header
    /// counters, flags, tag bounds, overlaps, the space equation, node lengths and key order. A page flagged empty
    /// holds nothing meaningful: only its header is checked.
    #[must_use]
    pub fn check(&self) -> Vec<PageFinding> {
        let mut findings = Vec::new();
        self.check_header(&mut findings);
        if self.flags().contains(PageFlags::EMPTY) {
            return findings;
        }
        let bounded = self.check_tags(&mut findings);
        if bounded {
            self.check_nodes(&mut findings);
        }
        findings
    }

    fn check_header(&self, findings: &mut Vec<PageFinding>) {
        let header = self.header();
        let flags = header.flags;
        let area = self.area_len();
        for (field, found, limit) in [
            ("free byte count", header.free_bytes, area),
            ("uncommitted free byte count", header.uncommitted_free_bytes, usize::from(header.free_bytes)),
            ("end of data", header.end_of_data, area),
            ("tag count", header.tag_count, area / Tag::SIZE),
        ] {
            if usize::from(found) > limit {
                findings.push(PageFinding::Counter { field, found, limit });
            }
        }
        if header.tag_count == 0 && !flags.intersects(PageFlags::EMPTY | PageFlags::PRE_INIT) {
            findings.push(PageFinding::NoTags { flags });
        }
        if flags.contains(PageFlags::EMPTY | PageFlags::PRE_INIT)
            || flags.contains(PageFlags::LONG_VALUE | PageFlags::INDEX)
            || flags.contains(PageFlags::LEAF | PageFlags::PARENT_OF_LEAF)
            || flags.contains(PageFlags::REPAIR)
        {
            findings.push(PageFinding::FlagCombination { flags });
        }
        if flags.unknown_bits() != 0 {
            findings.push(PageFinding::UnknownFlags { bits: flags.unknown_bits() });
        }
    }

    /// Whether every body lies inside the data area.
    fn check_tags(&self, findings: &mut Vec<PageFinding>) -> bool {
        let header = self.header();
        let count = usize::from(header.tag_count);
        let before = findings.len();
        let mut bodies = 0;
        let mut ordered = Vec::with_capacity(count);
        for index in 0..count {
            let Some(tag) = self.tag(index) else { break };
            bodies += usize::from(tag.len);
            if tag.len == 0 {
                if index >= usize::from(header.reserved_tag_count) {
                    findings.push(PageFinding::EmptyTag { tag: index });
                }
            } else if tag.end() > usize::from(header.end_of_data) {
                findings.push(PageFinding::BeyondUsed {
                    tag: index,
                    end: tag.end(),
                    limit: header.end_of_data,
                });
            } else {
                ordered.push((tag.offset, tag.end(), index));
            }
            if let Err(error) = self.body(index) {
                findings.push(error.into());
            }
        }
        let sound = findings.len() == before;
        ordered.sort_unstable();
        for ((_, end, first), (start, _, second)) in ordered.iter().zip(ordered.iter().skip(1)) {
            if *end > usize::from(*start) {
                findings.push(PageFinding::Overlap { first: *first, second: *second });
            }
        }
        let tags = count * Tag::SIZE;
        if bodies + tags + usize::from(header.free_bytes) != self.area_len() {
            findings.push(PageFinding::SpaceEquation {
                bodies,
                tags,
                free: header.free_bytes,
                area: self.area_len(),
            });
        }
        sound
    }

    fn check_nodes(&self, findings: &mut Vec<PageFinding>) {
        let last = self.node_count().checked_sub(1);
        let mut previous: Option<Node<'_>> = None;
        for line in 0..self.node_count() {
            let node = match self.node(line) {
                Ok(node) => node,
                Err(error) => {
                    findings.push(error.into());
                    previous = None;
                    continue;
                }
            };
            if node.data.is_empty() {
                findings.push(PageFinding::NoData { line });
            }
            if self.is_root() && node.flags.contains(NodeFlags::COMPRESSED) {
                findings.push(PageFinding::CompressedOnRoot { line });
            }
            if node.key().is_empty() {
                // The last separator of the rightmost branch page stands for "above everything".
                if self.is_leaf() || Some(line) != last {
                    findings.push(PageFinding::EmptyKey { line });
                }
                previous = None;
                continue;
            }
            if let Some(before) = previous {
                match before.key().cmp(&node.key()) {
                    Ordering::Less => {}
                    Ordering::Greater => findings.push(PageFinding::Order { line }),
                    Ordering::Equal if !(self.is_non_unique() && self.is_leaf()) => {
                        findings.push(PageFinding::Duplicate { line });
                    }
                    Ordering::Equal => match before.data.cmp(node.data) {
                        Ordering::Less => {}
                        Ordering::Greater => findings.push(PageFinding::Order { line }),
                        Ordering::Equal => findings.push(PageFinding::Duplicate { line }),
                    },
                }
            }
            previous = Some(node);
        }
    }
}
