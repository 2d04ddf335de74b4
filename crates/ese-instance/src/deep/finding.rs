//! What deep verification finds.

use ese_btree::TreeError;
use ese_format::{
    InvalidExtent, InvalidLongValue, JetError, LongValueId, ObjectId, PageFinding, PageFlags, PageNumber,
    RecordError,
};

use crate::catalog::CatalogError;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingSeverity {
    /// Worth knowing.
    Information,
    /// The engine tolerates it.
    Warning,
    /// The database is unusable, or its data is wrong.
    Error,
}

impl FindingSeverity {
    /// The name in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding: where, and what.
#[derive(Clone, Debug)]
pub struct DeepFinding {
    /// How bad it is.
    pub severity: FindingSeverity,
    /// The page, when it is about one.
    pub page: Option<PageNumber>,
    /// The line on the page, when it is about one.
    pub line: Option<usize>,
    /// The tree, when it is about one.
    pub object_id: Option<ObjectId>,
    /// What is wrong.
    pub problem: DeepProblem,
}

/// What is wrong.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeepProblem {
    /// A page or tree cannot be read.
    #[error("{}", .0.problem)]
    Tree(#[from] TreeError),
    /// The structure of a page.
    #[error(transparent)]
    Page(#[from] PageFinding),
    /// The flags of a page do not fit its place.
    #[error("flags {found}, expected {expected}")]
    Flags {
        /// Expected flags, flush bits and marks aside.
        expected: PageFlags,
        /// The page's flags.
        found: PageFlags,
    },
    /// A page of another tree.
    #[error("belongs to object {found}")]
    ObjectId {
        /// The page's object id.
        found: ObjectId,
    },
    /// A page's update counter is ahead of the header's.
    #[error("update counter {found} is ahead of the header's {limit}")]
    DbTime {
        /// The page's counter.
        found: u64,
        /// The header's counter.
        limit: u64,
    },
    /// An object id is above the header's highest.
    #[error("object id {found} is above the header's highest {limit}")]
    ObjectIdBeyondLast {
        /// The id.
        found: ObjectId,
        /// The header's highest.
        limit: ObjectId,
    },
    /// Leaves at different depths, or a branch page without children.
    #[error("the tree has leaves at depth {found} and {expected}")]
    Depth {
        /// Depth of the first leaf.
        expected: u32,
        /// Depth of this one.
        found: u32,
    },
    /// A branch node that names no child.
    #[error("the node names no child page")]
    NoChild,
    /// A branch node with flags that only leaves have.
    #[error("node flags {flags:#x} on a branch page")]
    BranchNodeFlags {
        /// The flags.
        flags: u8,
    },
    /// The last key of a branch page is not the one its parent has for the page.
    #[error("the last separator is not the parent's for this page")]
    LastSeparator,
    /// A node outside the bounds that the separators above it set.
    #[error("the node is outside the separators of its path")]
    Separator,
    /// Sibling links that do not follow the order of the leaves.
    #[error("{which} page is {found}, expected {expected}")]
    Sibling {
        /// "previous" or "next".
        which: &'static str,
        /// By the order of the tree.
        expected: PageNumber,
        /// The page's link.
        found: PageNumber,
    },
    /// A leaf without nodes.
    #[error("a leaf without nodes")]
    EmptyLeaf,
    /// A root without a space header.
    #[error(transparent)]
    RootFields(#[from] ese_format::InvalidRootFields),
    /// The space header contradicts the page's flags or the tree's place.
    #[error("space header: {what}")]
    SpaceHeader {
        /// What is wrong, in words.
        what: &'static str,
    },
    /// A node of a space tree that is no extent.
    #[error(transparent)]
    Extent(#[from] InvalidExtent),
    /// Extents of one tree that overlap, or an available extent outside the owned ones.
    #[error("extent of pages {first} to {last}: {what}")]
    ExtentPlace {
        /// First page.
        first: PageNumber,
        /// Last page.
        last: PageNumber,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// A page with two uses.
    #[error("the page is used as {found}, and as {first} before")]
    TwoUses {
        /// The first use.
        first: &'static str,
        /// The second use.
        found: &'static str,
    },
    /// A page of a tree outside its owned space.
    #[error("the tree uses the page but does not own it")]
    NotOwned,
    /// Pages that the database owns and nothing uses.
    #[error("{count} pages from here on are owned, used by no tree and not available")]
    Leaked {
        /// Number of pages.
        count: u32,
    },
    /// The file is shorter than what the database owns.
    #[error("the database owns {owned} pages, the file holds {file}")]
    FileTooShort {
        /// Last owned page.
        owned: PageNumber,
        /// Last page in the file.
        file: PageNumber,
    },
    /// The rows of the catalog contradict each other.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A catalog row whose key is not its columns'.
    #[error("the catalog row's key is not that of its columns")]
    CatalogKey,
    /// The shadow catalog differs.
    #[error("the shadow catalog differs: {catalog} rows against {shadow}")]
    Shadow {
        /// Rows of the catalog.
        catalog: u64,
        /// Rows of the shadow.
        shadow: u64,
    },
    /// Two trees with one root page.
    #[error("the tree's root page {root} is another tree's as well")]
    SharedRoot {
        /// The page.
        root: PageNumber,
    },
    /// Columns that do not lie behind each other.
    #[error("fixed column {column} lies at {found}, expected {expected}")]
    RecordOffset {
        /// The column.
        column: u16,
        /// Where the column before ends.
        expected: usize,
        /// Its record offset.
        found: usize,
    },
    /// An index over a column that is not there.
    #[error("index {index} names a column that is not there")]
    IndexColumn {
        /// Name of the index.
        index: String,
    },
    /// A record that cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A record that contradicts its table.
    #[error("column {column}: {what}")]
    Column {
        /// The column.
        column: u32,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// A row whose key is not that of its columns.
    #[error("the row's key is not that of its columns")]
    PrimaryKey,
    /// A node that has no place in a long-value tree.
    #[error(transparent)]
    LongValueForm(#[from] InvalidLongValue),
    /// A long value whose chunks are not complete.
    #[error("long value {id}: {what}")]
    LongValue {
        /// The id.
        id: LongValueId,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// A long value with another number of references than it says.
    #[error("long value {id} counts {expected} references, rows hold {found}")]
    References {
        /// The id.
        id: LongValueId,
        /// Its own count.
        expected: u32,
        /// References found.
        found: u64,
    },
    /// An index that does not hold what its table's rows give.
    #[error("index {index}: {found} entries that are not those of the rows ({expected})")]
    IndexEntries {
        /// Name of the index.
        index: String,
        /// Entries of the rows.
        expected: u64,
        /// Entries of the index.
        found: u64,
    },
    /// An entry that no row gives.
    #[error("index {index}: an entry that no row gives")]
    StaleEntry {
        /// Name of the index.
        index: String,
    },
    /// An entry that is not there.
    #[error("index {index}: the row's entry is missing")]
    MissingEntry {
        /// Name of the index.
        index: String,
    },
    /// The database is not complete by itself.
    #[error("the database is not complete by itself: findings may be what its logs would repair")]
    NotClean,
    /// A page's single flipped bit was corrected for reading.
    #[error("{count} pages were corrected for reading")]
    Corrected {
        /// How many.
        count: u64,
    },
}

impl DeepProblem {
    /// The engine's number for it.
    #[must_use]
    pub fn jet_error(&self) -> JetError {
        match self {
            Self::Tree(error) => error.jet_error(),
            Self::Page(finding) => finding.jet_error(),
            Self::Record(error) => error.jet_error(),
            Self::Catalog(_) | Self::CatalogKey | Self::Shadow { .. } => JetError::CATALOG_CORRUPTED,
            Self::DbTime { .. } => JetError::DB_TIME_CORRUPTED,
            Self::Sibling { .. } => JetError::BAD_PAGE_LINK,
            Self::NoChild | Self::LastSeparator | Self::Separator | Self::Depth { .. } => {
                JetError::BAD_PARENT_PAGE_LINK
            }
            Self::Leaked { .. } => JetError::DATABASE_LEAK_IN_SPACE,
            Self::LongValueForm(_) | Self::LongValue { .. } | Self::References { .. } => {
                JetError::LV_CORRUPTED
            }
            Self::IndexEntries { .. } | Self::StaleEntry { .. } | Self::MissingEntry { .. } => {
                JetError::SECONDARY_INDEX_CORRUPTED
            }
            Self::NotClean => JetError::DATABASE_DIRTY_SHUTDOWN,
            _ => JetError::DATABASE_CORRUPTED,
        }
    }

    /// What kind of problem, in lower case with underscores.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tree(_) => "tree",
            Self::Page(_) => "page_structure",
            Self::Flags { .. } => "page_flags",
            Self::ObjectId { .. } => "page_object",
            Self::DbTime { .. } => "db_time",
            Self::ObjectIdBeyondLast { .. } => "object_id",
            Self::Depth { .. } => "depth",
            Self::NoChild => "no_child",
            Self::BranchNodeFlags { .. } => "branch_node_flags",
            Self::LastSeparator => "last_separator",
            Self::Separator => "separator",
            Self::Sibling { .. } => "sibling",
            Self::EmptyLeaf => "empty_leaf",
            Self::RootFields(_) => "root_fields",
            Self::SpaceHeader { .. } => "space_header",
            Self::Extent(_) => "extent",
            Self::ExtentPlace { .. } => "extent_place",
            Self::TwoUses { .. } => "two_uses",
            Self::NotOwned => "not_owned",
            Self::Leaked { .. } => "leaked",
            Self::FileTooShort { .. } => "file_too_short",
            Self::Catalog(_) => "catalog",
            Self::CatalogKey => "catalog_key",
            Self::Shadow { .. } => "shadow",
            Self::SharedRoot { .. } => "shared_root",
            Self::RecordOffset { .. } => "record_offset",
            Self::IndexColumn { .. } => "index_column",
            Self::Record(_) => "record",
            Self::Column { .. } => "column",
            Self::PrimaryKey => "primary_key",
            Self::LongValueForm(_) => "long_value_form",
            Self::LongValue { .. } => "long_value",
            Self::References { .. } => "references",
            Self::IndexEntries { .. } => "index_entries",
            Self::StaleEntry { .. } => "stale_entry",
            Self::MissingEntry { .. } => "missing_entry",
            Self::NotClean => "not_clean",
            Self::Corrected { .. } => "corrected",
        }
    }
}
