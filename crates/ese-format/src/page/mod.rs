//! Database pages: header, flags, tags, nodes, and the structures that tag 0 and space trees hold.
//!
//! A page is a header (40 bytes on small pages, 80 on large ones), a data area that grows upwards, and an array of
//! 4-byte tags that grows downwards from the end of the page. Tag 0 is the *external header*; every other tag that is
//! not reserved is a *node*. [`PageView`] reads all of it in place and checks each bound before it is used.

mod check;
mod extent;
mod flags;
mod header;
mod key;
mod node;
mod search;
mod space_header;
mod tag;
mod view;

pub use check::PageFinding;
pub use extent::{Extent, ExtentPool, InvalidExtent, SplitBuffer};
pub use flags::{FlushKind, PageFlags};
pub use header::{PageHeader, RawLargePageHeader, RawPageHeader};
pub use key::KeyParts;
pub use node::{Node, NodeFlags};
pub use search::SearchKey;
pub use space_header::{
    InvalidRootFields, OwnedSpace, RootFieldMask, RootFields, SpaceHeader, SpaceHeaderFlags,
};
pub use tag::Tag;
pub use view::{PageError, PageView};
