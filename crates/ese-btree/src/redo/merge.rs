//! Redo of a merge: all levels of one macro together.

use ese_format::PageNumber;
use ese_log::record::{Merge, MergeFlags};

use super::Redo;
use super::access::Target;
use super::error::RedoErrorKind;
use super::group::{ChangingPages, PageStore, Parcel};
use crate::page_operation::{is_partial, merge_pages, merge_target};

type Result<T> = std::result::Result<T, RedoErrorKind>;

/// A merge whose pages are known.
pub(super) struct PlannedMerge {
    pub(super) targets: Vec<Target>,
    /// The page that gives nodes, and the one that receives them.
    source: Target,
    receiver: Target,
    /// The giving page as it was, from the record; empty when it is not needed, or when the page itself has it.
    image: Vec<u8>,
    /// The page itself has it.
    takes_page: bool,
    /// Carries it to the thread that has the receiving page.
    parcel: Option<Parcel>,
}

impl Redo {
    /// Fetches the pages of a merge; `None` when it does not take part.
    pub(super) fn plan_merge(&mut self, records: &[Merge<'_>]) -> Result<Option<PlannedMerge>> {
        let Some((leaf, inner)) = records.split_last() else { return Err(RedoErrorKind::EmptyMacro) };
        let slot = leaf.page.database;
        let after = leaf.page.db_time;
        if !self.takes_part(leaf.page.session, slot, after, leaf.fields.object, None) {
            return Ok(None);
        }
        let mut targets = Vec::with_capacity(inner.len() + 3);
        for (record, child) in inner.iter().zip(records.iter().skip(1)) {
            // What the level below says of its parent counts.
            let before = child.fields.parent_db_time_before;
            targets.push(self.target(slot, record.page.page_number, before, after)?);
        }
        let f = &leaf.fields;
        let source = self.target(slot, leaf.page.page_number, leaf.page.db_time_before, after)?;
        targets.push(self.target(slot, f.left_page, f.left_db_time_before, after)?);
        targets.push(self.target(slot, f.right_page, f.right_db_time_before, after)?);
        let page = merge_target(leaf);
        let receiver = targets.iter().find(|t| t.redo && t.page == page).copied();
        let mut plan = PlannedMerge {
            targets,
            source,
            receiver: receiver.unwrap_or(Target::NONE),
            image: Vec::new(),
            takes_page: false,
            parcel: None,
        };
        if receiver.is_some() {
            let image = leaf.image.filter(|i| !i.bytes.is_empty());
            let Some(image) = image else {
                return Err(RedoErrorKind::ImageMissing { slot, page: source.page });
            };
            if source.redo {
                plan.takes_page = source.frame.is_some();
            } else {
                // The page itself stays as it is, as in a split.
                self.image_of(&image, leaf.page.db_time_before, &mut plan.image)?;
            }
        }
        plan.targets.push(source);
        for record in records {
            if record.fields.flags.contains(MergeFlags::EMPTY_PAGE)
                || record.page.page_number == leaf.page.page_number && !is_partial(leaf)
            {
                self.freed(slot, record.page.page_number);
            }
        }
        self.statistics.merges += 1;
        self.statistics.changes_applied +=
            plan.targets.iter().filter(|t| t.changing().is_some()).count() as u64;
        Ok(Some(plan))
    }
}

impl PlannedMerge {
    pub(super) fn prepare_parcels(&mut self, has_to_travel: impl Fn(PageNumber, PageNumber) -> bool) {
        if self.takes_page && has_to_travel(self.source.page, self.receiver.page) {
            self.parcel = Some(Parcel::new());
        }
    }

    pub(super) fn give_up_parcels(&self, store: &PageStore<'_>) {
        let is_here = self.source.frame.is_some_and(|frame| store.bytes(frame).is_some());
        if let (Some(parcel), true) = (&self.parcel, is_here) {
            parcel.get_or_init(Vec::new);
        }
    }

    /// Changes those of the pages that `pages` has; `records` are what the plan was made of.
    pub(super) fn apply(&self, records: &[Merge<'_>], pages: &mut ChangingPages<'_>) -> Result<()> {
        pages.targets.clone_from(&self.targets);
        let mut before = None;
        if self.takes_page {
            before = pages.source(&self.source, &self.receiver, self.parcel.as_ref())?;
        } else if !self.image.is_empty() {
            before = Some(self.image.as_slice().into());
        }
        let size = pages.store.size();
        merge_pages(pages, size, records, before.as_deref())
    }
}
