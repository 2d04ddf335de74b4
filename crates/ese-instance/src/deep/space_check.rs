//! The space of one tree: what it owns, what of it is available.

use std::ops::Range;

use ese_btree::PageSource;
use ese_format::{
    Extent, ExtentPool, OwnedSpace, PageFlags, PageNumber, PageView, RootFields, SpaceHeaderFlags,
    SplitBuffer,
};

use super::finding::DeepProblem;
use super::page_map::PageUse;
use super::tree_check::TreeSpec;
use super::verifier::{Checker, Place};

/// The pages that a tree owns: sorted, disjoint.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnedRanges {
    ranges: Vec<Range<u32>>,
}

impl OwnedRanges {
    pub(super) fn contains(&self, page: PageNumber) -> bool {
        self.find(page.0).is_some()
    }

    /// The extent that holds the page.
    fn find(&self, page: u32) -> Option<&Range<u32>> {
        let index = self.ranges.partition_point(|r| r.end <= page);
        self.ranges.get(index).filter(|r| r.contains(&page))
    }

    /// Whether every page of `range` is owned, possibly by several extents.
    fn covers(&self, range: &Range<u32>) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.find(at) {
                Some(found) => at = found.end,
                None => return false,
            }
        }
        true
    }

    pub(super) fn last(&self) -> PageNumber {
        PageNumber(self.ranges.last().map_or(0, |r| r.end.saturating_sub(1)))
    }
}

impl Checker<'_> {
    /// Checks the space of a tree and marks what is available; returns what it owns, or `None` when that cannot be told.
    pub(super) fn check_space(
        &mut self,
        spec: &TreeSpec<'_>,
        parent: Option<&OwnedRanges>,
        parent_root: PageNumber,
    ) -> Option<OwnedRanges> {
        let place = Place::page(spec.object, spec.root);
        self.highest_object = self.highest_object.max(spec.object);
        let page = match self.reader.source().page(spec.root) {
            Ok(page) => page,
            Err(error) => {
                self.error(place, error);
                return None;
            }
        };
        let view = PageView::parse(&page, self.reader.source().page_size()).ok()?;
        let fields = match RootFields::decode(view.external_header()) {
            Ok(fields) => fields,
            Err(error) => {
                self.error(place, error);
                return None;
            }
        };
        let header = fields.space;
        let non_unique = view.flags().contains(PageFlags::NON_UNIQUE_KEYS);
        if header.flags.contains(SpaceHeaderFlags::NON_UNIQUE) != non_unique {
            let what = "uniqueness differs from the page's flags";
            self.error(place, DeepProblem::SpaceHeader { what });
        }
        if header.parent != parent_root {
            let what = "another tree is named as the parent";
            self.error(place, DeepProblem::SpaceHeader { what });
        }
        let owned = match header.space {
            OwnedSpace::SingleExtent { available } => {
                self.check_single_extent(spec, header.page_count, available)
            }
            OwnedSpace::MultipleExtents { owned } => self.check_extent_trees(spec, owned),
        }?;
        if !owned.contains(spec.root) {
            let what = "the root page is not in the owned space";
            self.error(place, DeepProblem::SpaceHeader { what });
        }
        match parent {
            Some(parent) => {
                for range in owned.ranges.iter().filter(|r| !parent.covers(r)) {
                    self.extent_error(spec, range, "is not owned by the parent");
                }
            }
            None => {
                let whole = owned.ranges.iter().try_fold(1, |at, r| (r.start == at).then_some(r.end));
                if whole.is_none() {
                    let what = "the database's pages are not owned without a gap";
                    self.error(place, DeepProblem::SpaceHeader { what });
                }
            }
        }
        Some(owned)
    }

    fn check_single_extent(
        &mut self,
        spec: &TreeSpec<'_>,
        page_count: u32,
        available: u32,
    ) -> Option<OwnedRanges> {
        let place = Place::page(spec.object, spec.root);
        let end = spec
            .root
            .0
            .checked_add(page_count)
            .filter(|&end| page_count > 0 && end <= self.reader.source().last_page().0.saturating_add(1));
        let Some(end) = end else {
            let what = "the extent has no pages, or ends beyond the database";
            self.error(place, DeepProblem::SpaceHeader { what });
            return None;
        };
        let range = spec.root.0..end;
        for bit in (0..32).filter(|bit| available >> bit & 1 != 0) {
            let page = spec.root.0.saturating_add(1 + bit);
            if range.contains(&page) {
                self.mark(spec, PageNumber(page), PageUse::Available);
            } else if page_count <= 32 {
                let what = "a page behind the extent is marked available";
                self.error(place, DeepProblem::SpaceHeader { what });
            }
        }
        // The bitmap knows 32 pages; those behind them are available until the tree gets space trees.
        for page in spec.root.0.saturating_add(33)..end {
            self.mark(spec, PageNumber(page), PageUse::Available);
        }
        Some(OwnedRanges { ranges: vec![range] })
    }

    fn check_extent_trees(&mut self, spec: &TreeSpec<'_>, owned_root: PageNumber) -> Option<OwnedRanges> {
        let kind = spec.kind | PageFlags::SPACE_TREE;
        let owned_spec = TreeSpec { root: owned_root, kind, owned: None, ..*spec };
        let owned = self.extents(&owned_spec, true);
        let mut ranges: Vec<Range<u32>> = Vec::with_capacity(owned.len());
        for extent in owned {
            let range = extent.range();
            if extent.page_count == 0 {
                self.extent_error(spec, &range, "has no pages");
            } else if ranges.last().is_some_and(|before| before.end > range.start) {
                self.extent_error(spec, &range, "overlaps the one before");
            } else {
                ranges.push(range);
            }
        }
        let owned = OwnedRanges { ranges };
        let available_root = PageNumber(owned_root.0.checked_add(1)?);
        let available_spec = TreeSpec { root: available_root, kind, owned: Some(&owned), ..*spec };
        let last = self.reader.source().last_page().0;
        let mut before: Option<Extent> = None;
        for extent in self.extents(&available_spec, false) {
            let range = extent.range();
            if extent.page_count == 0 {
                if extent.pool == ExtentPool::GENERAL {
                    self.extent_error(spec, &range, "is available and has no pages");
                }
                continue;
            }
            // Shelved pages lie beyond the end of the file.
            if extent.pool == ExtentPool::SHELVED && range.start > last {
                continue;
            }
            if before.is_some_and(|b| b.pool == extent.pool && b.last.0 >= range.start) {
                self.extent_error(spec, &range, "overlaps the available one before");
            }
            before = Some(extent);
            let inside = owned.find(range.start).is_some_and(|o| o.end >= range.end);
            if !inside {
                self.extent_error(spec, &range, "is available but not part of one owned extent");
            }
            for page in range.start..range.end.min(last.saturating_add(1)) {
                self.mark(spec, PageNumber(page), PageUse::Available);
            }
        }
        for root in [owned_root, available_root] {
            self.check_split_buffer(spec, root, &owned);
        }
        Some(owned)
    }

    /// The live extents of a space tree.
    fn extents(&mut self, spec: &TreeSpec<'_>, owned: bool) -> Vec<Extent> {
        let mut extents = Vec::new();
        self.walk_tree(spec, &mut |checker, page, view| {
            for (line, node) in view.nodes().enumerate() {
                let Ok(node) = node else { continue };
                if node.is_deleted() {
                    continue;
                }
                match Extent::decode(node.key(), node.data) {
                    Ok(extent) if owned && extent.pool != ExtentPool::GENERAL => {
                        let range = extent.range();
                        checker.extent_error(spec, &range, "is owned and in a pool");
                    }
                    Ok(extent) => extents.push(extent),
                    Err(error) => checker.error(Place::line(spec.object, page, line), error),
                }
            }
        });
        extents
    }

    fn check_split_buffer(&mut self, spec: &TreeSpec<'_>, root: PageNumber, owned: &OwnedRanges) {
        // An unreadable root was reported when the tree was walked.
        let Ok(page) = self.reader.source().page(root) else { return };
        let Ok(view) = PageView::parse(&page, self.reader.source().page_size()) else { return };
        match SplitBuffer::decode(view.external_header()) {
            Err(error) => self.error(Place::page(spec.object, root), error),
            Ok(buffer) => {
                for extent in buffer.reserves.iter().filter(|e| e.page_count > 0) {
                    let range = extent.range();
                    if !owned.covers(&range) {
                        self.extent_error(spec, &range, "is a reserve but not owned");
                        continue;
                    }
                    for page in range {
                        self.mark(spec, PageNumber(page), PageUse::SplitBuffer);
                    }
                }
            }
        }
    }

    fn mark(&mut self, spec: &TreeSpec<'_>, page: PageNumber, new: PageUse) {
        if let Some(first) = self.map.mark(page, new) {
            let problem = DeepProblem::TwoUses { first: first.name(), found: new.name() };
            self.error(Place::page(spec.object, page), problem);
        }
    }

    fn extent_error(&mut self, spec: &TreeSpec<'_>, range: &Range<u32>, what: &'static str) {
        let (first, last) = (PageNumber(range.start), PageNumber(range.end.saturating_sub(1)));
        self.error(Place::page(spec.object, first), DeepProblem::ExtentPlace { first, last, what });
    }
}
