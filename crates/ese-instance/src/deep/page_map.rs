//! What each page is used for.

use ese_format::PageNumber;

/// Use of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum PageUse {
    None = 0,
    Tree = 1,
    SplitBuffer = 2,
    Available = 3,
}

impl PageUse {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Tree => "page of a tree",
            Self::SplitBuffer => "reserve of a space tree",
            Self::Available => "available space",
        }
    }
}

/// One byte for each page of the database.
pub(super) struct PageMap {
    uses: Vec<PageUse>,
}

impl PageMap {
    /// `last` is bounded by the length of the file.
    pub(super) fn new(last: PageNumber) -> Self {
        Self { uses: vec![PageUse::None; last.0 as usize] }
    }

    /// Notes a use; returns the earlier one, or `None` for a page that had none. Pages beyond the last are not kept.
    pub(super) fn mark(&mut self, page: PageNumber, new: PageUse) -> Option<PageUse> {
        let slot = self.uses.get_mut((page.0 as usize).checked_sub(1)?)?;
        if *slot != PageUse::None {
            return Some(*slot);
        }
        *slot = new;
        None
    }

    /// Runs of pages without a use: first page and length.
    pub(super) fn unused_runs(&self) -> Vec<(PageNumber, u32)> {
        let mut runs: Vec<(PageNumber, u32)> = Vec::new();
        for (index, used) in self.uses.iter().enumerate() {
            if *used != PageUse::None {
                continue;
            }
            let page = index as u32 + 1;
            match runs.last_mut() {
                Some((first, len)) if first.0 + *len == page => *len += 1,
                _ => runs.push((PageNumber(page), 1)),
            }
        }
        runs
    }
}
