//! Macros: several pages that change together.
//!
//! A macro is planned first: its pages are fetched and their update counters compared, and what it makes of versions is
//! noted. Then it is applied, page by page; that needs nothing but the pages and the records, and each thread that has
//! some of the pages does its part.

use std::sync::OnceLock;

use ese_format::{LogPosition, PageNumber, PageSize};
use ese_log::record::{DatabaseSlot, Merge, Record, RootPageMove, Split, SplitOperation, VersionId};

use super::access::Target;
use super::error::RedoErrorKind;
use super::kept::KeptBytes;
use super::merge::PlannedMerge;
use super::session::Macro;
use super::split::{LeafOperation, PlannedSplit};
use crate::page_cache::{FrameId, PageCache};
use crate::page_edit::{PageEditError, PageImage};
use crate::page_operation::ChangedPages;

type Result<T> = std::result::Result<T, RedoErrorKind>;

/// The records of a macro by what they are.
pub(super) enum GroupRecords<'g> {
    Split(Vec<Split<'g>>, Option<LeafOperation<'g>>),
    Merge(Vec<Merge<'g>>),
    RootMove(RootPageMove, Vec<(Record<'g>, LogPosition)>),
}

impl<'g> GroupRecords<'g> {
    pub(super) fn of(group: &'g Macro) -> Result<Self> {
        let mut records: Vec<(Record<'_>, LogPosition)> = Vec::with_capacity(group.ends.len());
        for (bytes, position) in group.records() {
            records.push((Record::decode(bytes)?, position));
        }
        match records.first().map(|(record, _)| *record) {
            None => Err(RedoErrorKind::EmptyMacro),
            Some(Record::Split(_)) => Self::split(&records),
            Some(Record::Merge(_)) => {
                let mut merges = Vec::with_capacity(records.len());
                for (record, _) in &records {
                    let Record::Merge(merge) = record else {
                        return Err(RedoErrorKind::BadMacro("a merge with another record"));
                    };
                    merges.push(*merge);
                }
                Ok(Self::Merge(merges))
            }
            Some(Record::RootPageMove(moved)) => Ok(Self::RootMove(moved, records)),
            Some(_) => Err(RedoErrorKind::BadMacro("it begins with neither split, merge nor root move")),
        }
    }

    fn split(records: &[(Record<'g>, LogPosition)]) -> Result<Self> {
        let mut splits = Vec::with_capacity(records.len());
        let mut leaf = None;
        for (record, _) in records {
            if leaf.is_some() {
                return Err(RedoErrorKind::BadMacro("a record follows the operation of a split"));
            }
            match record {
                Record::Split(split) => splits.push(*split),
                Record::Insert(r) => {
                    leaf = Some(LeafOperation {
                        node: r.node,
                        key: [r.key_prefix, r.key_suffix],
                        data: r.data,
                        replace_version: VersionId::NONE,
                    });
                }
                Record::Replace(r) => {
                    leaf = Some(LeafOperation {
                        node: r.node,
                        key: [&[], &[]],
                        data: r.data,
                        replace_version: VersionId::NONE,
                    });
                }
                Record::FlagInsertAndReplaceData(r) => {
                    leaf = Some(LeafOperation {
                        node: r.node,
                        key: [r.key, &[]],
                        data: r.data,
                        replace_version: r.replace_version,
                    });
                }
                _ => return Err(RedoErrorKind::BadMacro("a split with a record that is no operation on it")),
            }
        }
        let needs_leaf = splits
            .last()
            .is_some_and(|s| s.fields.operation != SplitOperation::NONE && !s.fields.new_page.is_none());
        if needs_leaf && leaf.is_none() {
            return Err(RedoErrorKind::BadMacro("a split without its operation"));
        }
        Ok(Self::Split(splits, leaf))
    }
}

/// What a macro will change.
pub(super) enum GroupPlan {
    Split(PlannedSplit),
    Merge(PlannedMerge),
}

impl GroupPlan {
    /// The pages that change.
    pub(super) fn changing(&self) -> impl Iterator<Item = (FrameId, PageNumber)> {
        let (split, merge) = match self {
            Self::Split(plan) => (Some(plan.targets()), None),
            Self::Merge(plan) => (None, Some(plan.targets.iter().copied())),
        };
        let targets = split.into_iter().flatten().chain(merge.into_iter().flatten());
        targets.filter_map(|t| Some((t.changing()?, t.page)))
    }

    /// Calls `has_to_travel` with a page that gives nodes and the page that receives them, and prepares for carrying the
    /// nodes where it says so.
    pub(super) fn prepare_parcels(&mut self, has_to_travel: impl Fn(PageNumber, PageNumber) -> bool) {
        match self {
            Self::Split(plan) => plan.prepare_parcels(has_to_travel),
            Self::Merge(plan) => plan.prepare_parcels(has_to_travel),
        }
    }

    /// Makes sure that nobody waits for pages of this store: its thread has stopped.
    pub(super) fn give_up_parcels(&self, store: &PageStore<'_>) {
        match self {
            Self::Split(plan) => plan.give_up_parcels(store),
            Self::Merge(plan) => plan.give_up_parcels(store),
        }
    }

    /// Changes those of the pages that `pages` has.
    pub(super) fn apply(
        &self,
        group: &Macro,
        pages: &mut ChangingPages<'_>,
        kept: &mut KeptBytes,
    ) -> Result<()> {
        match (self, GroupRecords::of(group)?) {
            (Self::Split(plan), GroupRecords::Split(records, leaf)) => {
                plan.apply(&records, leaf, pages, kept)
            }
            (Self::Merge(plan), GroupRecords::Merge(records)) => plan.apply(&records, pages),
            _ => Err(RedoErrorKind::BadMacro("its records are not those that were planned")),
        }
    }
}

/// A page's content on its way to a thread that fills another page from it. Empty: it will not come.
pub(super) type Parcel = OnceLock<Vec<u8>>;

/// Where pages are changed.
pub(super) enum PageStore<'s> {
    /// In the cache; all of them are there.
    Cache { cache: &'s mut PageCache, position: LogPosition },
    /// On a thread, which has some of them.
    Lent { pages: &'s mut LentPages, size: PageSize },
}

/// Buffers that a thread has, by their numbers in the cache.
#[derive(Default)]
pub(super) struct LentPages {
    buffers: Vec<Option<Box<[u8]>>>,
    held: Vec<FrameId>,
}

impl LentPages {
    pub(super) fn put(&mut self, frame: FrameId, bytes: Box<[u8]>) {
        let index = frame.index();
        if self.buffers.len() <= index {
            self.buffers.resize_with(index + 1, || None);
        }
        if let Some(place) = self.buffers.get_mut(index) {
            *place = Some(bytes);
            self.held.push(frame);
        }
    }

    pub(super) fn get(&self, frame: FrameId) -> Option<&[u8]> {
        self.buffers.get(frame.index())?.as_deref()
    }

    pub(super) fn get_mut(&mut self, frame: FrameId) -> Option<&mut [u8]> {
        self.buffers.get_mut(frame.index())?.as_deref_mut()
    }

    /// Takes all of them out.
    pub(super) fn take_all(&mut self) -> Vec<(FrameId, Box<[u8]>)> {
        let buffers = &mut self.buffers;
        self.held
            .drain(..)
            .filter_map(|frame| Some((frame, buffers.get_mut(frame.index())?.take()?)))
            .collect()
    }
}

impl PageStore<'_> {
    pub(super) fn size(&self) -> PageSize {
        match self {
            Self::Cache { cache, .. } => cache.page_size(),
            Self::Lent { size, .. } => *size,
        }
    }

    /// The page, where it is here.
    pub(super) fn bytes(&self, frame: FrameId) -> Option<&[u8]> {
        match self {
            Self::Cache { cache, .. } => Some(cache.bytes(frame)),
            Self::Lent { pages, .. } => pages.get(frame),
        }
    }

    fn page_mut(&mut self, frame: FrameId) -> Option<PageImage<&mut [u8]>> {
        match self {
            Self::Cache { cache, position } => Some(cache.page_mut(frame, *position)),
            Self::Lent { pages, size } => Some(PageImage::of_frame(pages.get_mut(frame)?, *size)),
        }
    }
}

/// The pages of one change, of which those change that lack it and that are in this store.
pub(super) struct ChangingPages<'s> {
    pub(super) store: PageStore<'s>,
    pub(super) slot: DatabaseSlot,
    /// Those of the step at hand.
    pub(super) targets: Vec<Target>,
    /// Number of the step at hand. Whoever applies a part of a macro counts as if it applied the whole, so that the first
    /// of several errors is known.
    pub(super) step: u32,
}

/// Steps of one level of a macro.
pub(super) const STEPS_OF_LEVEL: u32 = 16;

impl ChangingPages<'_> {
    /// Whether the page is changed here.
    pub(super) fn has(&self, target: &Target) -> bool {
        target.changing().is_some_and(|frame| self.store.bytes(frame).is_some())
    }

    /// The bytes of `source` for changing `receiver`, when one of them is changed here. `parcel` carries them where they are
    /// on two threads.
    pub(super) fn source<'p>(
        &self,
        source: &Target,
        receiver: &Target,
        parcel: Option<&'p Parcel>,
    ) -> Result<Option<std::borrow::Cow<'p, [u8]>>> {
        if let Some(bytes) = source.frame.and_then(|frame| self.store.bytes(frame)) {
            let bytes = bytes.to_vec();
            return Ok(Some(match parcel {
                Some(parcel) => parcel.get_or_init(|| bytes).as_slice().into(),
                None => bytes.into(),
            }));
        }
        let (Some(parcel), true) = (parcel, self.has(receiver)) else { return Ok(None) };
        let bytes = parcel.wait();
        if bytes.is_empty() { Err(RedoErrorKind::Stopped) } else { Ok(Some(bytes.as_slice().into())) }
    }
}

impl ChangedPages for ChangingPages<'_> {
    type Error = RedoErrorKind;

    fn change(
        &mut self,
        page: PageNumber,
        change: impl FnOnce(&mut PageImage<&mut [u8]>) -> std::result::Result<(), PageEditError>,
    ) -> Result<()> {
        let target = self.targets.iter().find(|t| t.page == page);
        if let Some(frame) = target.and_then(Target::changing)
            && let Some(mut image) = self.store.page_mut(frame)
        {
            change(&mut image).map_err(|error| RedoErrorKind::Edit { slot: self.slot, page, error })?;
        }
        self.step += 1;
        Ok(())
    }

    fn create(
        &mut self,
        page: PageNumber,
        change: impl FnOnce(&mut PageImage<&mut [u8]>) -> std::result::Result<(), PageEditError>,
    ) -> Result<()> {
        self.change(page, change)
    }

    fn edit_error(&self, page: PageNumber, error: PageEditError) -> RedoErrorKind {
        RedoErrorKind::Edit { slot: self.slot, page, error }
    }
}
