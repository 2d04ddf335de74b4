//! The flush map (`.jfm`): which flush type each database page was last written with, to find lost writes.

mod header;
mod page;

pub use header::{FLUSH_MAP_PAGE_SIZE, FlushMapFlags, FlushMapHeader, RawFlushMapHeader};
pub use page::{FlushMapPage, RawFlushMapPageHeader};
