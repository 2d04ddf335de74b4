//! One tree: every page, every separator, every link.

use std::cmp::Ordering;
use std::sync::Arc;

use ese_btree::PageSource;
use ese_format::{Node, NodeFlags, ObjectId, PageFlags, PageNumber, PageView};

use super::finding::{DeepProblem, FindingSeverity};
use super::page_map::PageUse;
use super::space_check::OwnedRanges;
use super::verifier::{Checker, Place};

/// A tree to be walked.
#[derive(Clone, Copy)]
pub(super) struct TreeSpec<'o> {
    pub(super) root: PageNumber,
    pub(super) object: ObjectId,
    /// Type flags that every page must have.
    pub(super) kind: PageFlags,
    /// The pages that the tree owns, where they are known.
    pub(super) owned: Option<&'o OwnedRanges>,
}

/// What is called with each leaf, in order.
pub(super) type OnLeaf<'f> = dyn FnMut(&mut Checker<'_>, PageNumber, &PageView<'_>) + 'f;

/// A page to be visited, with what its parent says about it.
struct Visit {
    page: PageNumber,
    depth: u32,
    /// Every bookmark is at or above this.
    lower: Vec<u8>,
    /// Every bookmark is below this; `None` for the right edge.
    upper: Option<Vec<u8>>,
    /// Whether the parent says that its children are leaves.
    leaf: Option<bool>,
}

struct Frame {
    visit: Visit,
    bytes: Arc<[u8]>,
    line: usize,
    parent_of_leaf: bool,
}

/// The chain of leaves so far.
#[derive(Default)]
struct Chain {
    last: Option<(PageNumber, PageNumber)>,
    /// A page could not be read: its neighbours' links cannot be judged.
    broken: bool,
    depth: Option<u32>,
}

impl Checker<'_> {
    /// Walks a tree from left to right and checks it. Each page is visited at most once, so no link makes it endless.
    pub(super) fn walk_tree(&mut self, spec: &TreeSpec<'_>, on_leaf: &mut OnLeaf<'_>) {
        let mut chain = Chain::default();
        let first = Visit { page: spec.root, depth: 0, lower: Vec::new(), upper: None, leaf: None };
        let mut stack: Vec<Frame> = Vec::new();
        stack.extend(self.enter(spec, first, &mut chain, on_leaf));
        while let Some(frame) = stack.last_mut() {
            if self.is_interrupted() {
                return;
            }
            let next = self.next_child(spec, frame);
            match next {
                None => {
                    stack.pop();
                }
                Some(visit) => stack.extend(self.enter(spec, visit, &mut chain, on_leaf)),
            }
        }
        if let (Some((page, next)), false) = (chain.last, chain.broken)
            && !next.is_none()
        {
            let problem = DeepProblem::Sibling { which: "next", expected: PageNumber::NONE, found: next };
            self.error(Place::page(spec.object, page), problem);
        }
    }

    /// Reads and checks a page; a branch page is returned for its children to be visited.
    fn enter(
        &mut self,
        spec: &TreeSpec<'_>,
        visit: Visit,
        chain: &mut Chain,
        on_leaf: &mut OnLeaf<'_>,
    ) -> Option<Frame> {
        let place = Place::page(spec.object, visit.page);
        if let Some(first) = self.map.mark(visit.page, PageUse::Tree) {
            let problem = DeepProblem::TwoUses { first: first.name(), found: PageUse::Tree.name() };
            self.error(place, problem);
            // A page of two trees is looked at in neither the second nor a third time.
            if first == PageUse::Tree {
                chain.broken = true;
                return None;
            }
        }
        self.summary.tree_pages += 1;
        if spec.owned.is_some_and(|owned| !owned.contains(visit.page)) {
            self.error(place, DeepProblem::NotOwned);
        }
        let bytes = match self.reader.source().page(visit.page) {
            Ok(bytes) => bytes,
            Err(error) => {
                chain.broken = true;
                self.error(place, error);
                return None;
            }
        };
        let view = match PageView::parse(&bytes, self.reader.source().page_size()) {
            Ok(view) => view,
            Err(error) => {
                chain.broken = true;
                self.error(place, ese_format::PageFinding::from(error));
                return None;
            }
        };
        self.check_page(spec, &visit, &view);
        if view.is_leaf() {
            self.check_leaf(spec, &visit, &view, chain);
            on_leaf(self, visit.page, &view);
            return None;
        }
        if view.node_count() == 0 {
            self.error(place, DeepProblem::NoChild);
        }
        for (which, found) in [("previous", view.header().previous), ("next", view.header().next)] {
            if !found.is_none() {
                let problem = DeepProblem::Sibling { which, expected: PageNumber::NONE, found };
                self.error(place, problem);
            }
        }
        let parent_of_leaf = view.flags().contains(PageFlags::PARENT_OF_LEAF);
        Some(Frame { visit, bytes: Arc::clone(&bytes), line: 0, parent_of_leaf })
    }

    /// Header, flags, structure.
    fn check_page(&mut self, spec: &TreeSpec<'_>, visit: &Visit, view: &PageView<'_>) {
        let place = Place::page(spec.object, visit.page);
        for finding in view.check() {
            let severity =
                if finding.is_tolerated() { FindingSeverity::Warning } else { FindingSeverity::Error };
            self.find(severity, place, finding);
        }
        let header = view.header();
        let flags = header.flags;
        let level = match (visit.leaf, view.is_leaf()) {
            (Some(true), _) | (None, true) => PageFlags::LEAF,
            // Whether a branch is a parent of leaves is seen from its children.
            _ => flags & PageFlags::PARENT_OF_LEAF,
        };
        let root = if visit.page == spec.root { PageFlags::ROOT } else { PageFlags::empty() };
        let looked_at = PageFlags::TREE_MASK
            | PageFlags::ROOT
            | PageFlags::LEAF
            | PageFlags::PARENT_OF_LEAF
            | PageFlags::EMPTY
            | PageFlags::PRE_INIT;
        let expected = spec.kind | level | root;
        if flags & looked_at != expected {
            self.error(place, DeepProblem::Flags { expected, found: flags & looked_at });
        }
        if header.object_id != spec.object {
            self.error(place, DeepProblem::ObjectId { found: header.object_id });
        }
        if header.db_time > self.db_time_limit {
            let problem = DeepProblem::DbTime { found: header.db_time.0, limit: self.db_time_limit.0 };
            let severity = self.db_time_severity;
            self.find(severity, place, problem);
        }
    }

    fn check_leaf(&mut self, spec: &TreeSpec<'_>, visit: &Visit, view: &PageView<'_>, chain: &mut Chain) {
        let place = Place::page(spec.object, visit.page);
        match chain.depth {
            Some(expected) if expected != visit.depth => {
                self.error(place, DeepProblem::Depth { expected, found: visit.depth });
            }
            _ => chain.depth = Some(visit.depth),
        }
        let (previous, next) = (view.header().previous, view.header().next);
        let before = chain.last.map_or(PageNumber::NONE, |(page, _)| page);
        if !chain.broken {
            if previous != before {
                let problem = DeepProblem::Sibling { which: "previous", expected: before, found: previous };
                self.error(place, problem);
            }
            if let Some((page, found)) = chain.last.filter(|(_, next)| *next != visit.page) {
                let problem = DeepProblem::Sibling { which: "next", expected: visit.page, found };
                self.error(Place::page(spec.object, page), problem);
            }
        }
        chain.broken = false;
        chain.last = Some((visit.page, next));
        let count = view.node_count();
        if count == 0 && visit.page != spec.root {
            self.find(FindingSeverity::Warning, place, DeepProblem::EmptyLeaf);
        }
        let unique = !view.is_non_unique();
        // The order on the page is checked with its structure: first and last node stand for all.
        for line in [0, count.saturating_sub(1)] {
            let Ok(node) = view.node(line) else { continue };
            let below = compare_bookmark(&node, &visit.lower, unique) == Ordering::Less;
            let above = visit
                .upper
                .as_ref()
                .is_some_and(|upper| compare_bookmark(&node, upper, unique) != Ordering::Less);
            if below || above {
                self.error(Place::line(spec.object, visit.page, line), DeepProblem::Separator);
            }
        }
    }

    /// The next child of a branch page, with its bounds.
    fn next_child(&mut self, spec: &TreeSpec<'_>, frame: &mut Frame) -> Option<Visit> {
        let view = PageView::parse(&frame.bytes, self.reader.source().page_size()).ok()?;
        let count = view.node_count();
        loop {
            let line = frame.line;
            if line >= count {
                return None;
            }
            frame.line += 1;
            let place = Place::line(spec.object, frame.visit.page, line);
            // An unreadable node was reported with the page's structure.
            let Ok(node) = view.node(line) else { continue };
            if node.flags.intersects(NodeFlags::VERSIONED | NodeFlags::DELETED) {
                self.error(place, DeepProblem::BranchNodeFlags { flags: node.flags.bits() });
            }
            let key = node.key();
            let upper = if line + 1 == count {
                let right = match &frame.visit.upper {
                    None => key.is_empty(),
                    Some(upper) => key.compare(upper) == Ordering::Equal,
                };
                if !right {
                    self.error(place, DeepProblem::LastSeparator);
                }
                frame.visit.upper.clone()
            } else {
                Some(key.to_vec())
            };
            let lower = match line.checked_sub(1).map(|before| view.node(before)) {
                Some(Ok(before)) => before.key().to_vec(),
                _ => frame.visit.lower.clone(),
            };
            let Some(child) = node.child() else {
                self.error(place, DeepProblem::NoChild);
                continue;
            };
            return Some(Visit {
                page: child,
                depth: frame.visit.depth + 1,
                lower,
                upper,
                leaf: Some(frame.parent_of_leaf),
            });
        }
    }
}

/// Compares a leaf node's bookmark with a separator: the key, in non-unique trees key and data in one piece.
fn compare_bookmark(node: &Node<'_>, separator: &[u8], unique: bool) -> Ordering {
    if unique {
        node.key().compare(separator)
    } else {
        node.key().bytes().chain(node.data.iter().copied()).cmp(separator.iter().copied())
    }
}
