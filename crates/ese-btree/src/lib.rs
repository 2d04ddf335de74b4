//! Page cache, page editing, redo and B-tree navigation.

mod compare;
mod cursor;
pub mod live;
mod page_cache;
mod page_edit;
mod page_operation;
mod redo;
mod stored_image;
mod thread_counters;
mod tree_write;
mod undo;

pub use compare::{
    CompareError, Comparison, Difference, NodePart, PageDifference, compare_databases, compare_pages,
};
pub use cursor::{
    Cursor, FilePageSource, Found, LongValueProblem, LongValueReader, PageSource, Tree, TreeError,
    TreeProblem,
};
pub use page_cache::{
    Fetched, FrameId, PageCache, PageCacheError, PagePrefetch, PageWriteGate, SpillFile, WriteAhead,
};
pub use page_edit::{
    NewNode, NodeRef, PageEditError, PageImage, dehydrate, node_flags, page_flags, rehydrate, usable_prefix,
};
pub use redo::{
    Divergence, DivergenceKind, Divergences, Handled, MissingPage, PositionedRecords, Redo, RedoDatabase,
    RedoError, RedoErrorKind, RedoMapEntry, RedoMaps, RedoStatistics, Session, Version, VersionList,
    is_refused,
};
pub use stored_image::{BeforeImageError, StoredImage, make_before_image, restore_before_image};
pub use thread_counters::ThreadCounters;
pub use tree_write::{
    CachedPages, ExtentGrowth, LeafChange, LeafMark, MergeLevel, MergePlan, NodeChange, PageChange,
    PageStore, Place, RecordContext, SpaceNote, SplitLevel, SplitPlan, Step, TidyWay, TreeRoot, TreeSpace,
    TreeWriteError, TreeWriter, record_extension,
};
pub use undo::{UndoError, UndoLog, UndoStatistics};
