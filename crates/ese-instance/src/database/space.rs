//! Where a database ends.

use std::path::PathBuf;

use ese_format::{
    Extent, InvalidExtent, JetError, PageError, PageNumber, PageSize, PageVerdict, PageView, correct_page,
};
use ese_io::File;

use crate::error::InstanceError;

/// Root of the tree of all extents that the database owns.
const OWNED_EXTENT_ROOT: PageNumber = PageNumber(2);
/// No tree is that deep; a longer way down is a circle.
const MAX_DEPTH: usize = 32;

/// Why the end of a database cannot be found.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// A page of the owned-extent tree is damaged, or empty.
    #[error("page of the owned-extent tree is {0}")]
    Verdict(PageVerdict),
    /// A page of the tree has no nodes or wrong ones.
    #[error("page of the owned-extent tree: {0}")]
    Page(#[from] PageError),
    /// A leaf node is no extent.
    #[error("page of the owned-extent tree: {0}")]
    Extent(#[from] InvalidExtent),
    /// The tree has no node here, points outside the file, or in a circle.
    #[error("the owned-extent tree leads nowhere")]
    DeadEnd,
}

impl SpaceError {
    /// The engine's number.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Verdict(verdict) => verdict.jet_error().unwrap_or(JetError::READ_VERIFY_FAILURE),
            Self::Page(_) | Self::Extent(_) | Self::DeadEnd => JetError::SP_OWN_EXT_CORRUPTED,
        }
    }
}

/// The last page that the database owns: the end of the last extent in the tree on page 2. Pages behind it are
/// undefined.
///
/// # Errors
/// A storage error, or `Space` naming the page that cannot be used.
#[doc(alias = "pgnoLast")]
pub fn last_owned_page(file: &dyn File, page_size: PageSize) -> Result<PageNumber, InstanceError> {
    let mut page = OWNED_EXTENT_ROOT;
    let mut bytes = vec![0; page_size.len()];
    for _ in 0..MAX_DEPTH {
        let at = |error| InstanceError::Space { path: PathBuf::from(file.path()), page, error };
        file.read_exact_at(page.file_offset(page_size), &mut bytes)?;
        match correct_page(&mut bytes, page).verdict() {
            Some(verdict) if verdict.is_usable() => {}
            Some(verdict) => return Err(at(SpaceError::Verdict(verdict))),
            None => return Err(at(SpaceError::DeadEnd)),
        }
        let view = PageView::parse(&bytes, page_size).map_err(|e| at(e.into()))?;
        let last = view.nodes().next_back().ok_or_else(|| at(SpaceError::DeadEnd))?;
        let last = last.map_err(|e| at(e.into()))?;
        if view.is_leaf() {
            return Ok(Extent::decode(last.key(), last.data).map_err(|e| at(e.into()))?.last);
        }
        page = last
            .child()
            .filter(|p| !p.is_none() && *p <= PageNumber::MAX)
            .ok_or_else(|| at(SpaceError::DeadEnd))?;
    }
    Err(InstanceError::Space { path: PathBuf::from(file.path()), page, error: SpaceError::DeadEnd })
}
