//! The system catalog: which tables, columns, indexes and long-value trees a database has.
//!
//! One table, MSysObjects (object 2, root page 4), describes everything. Its own layout is hard-wired here, as it is in
//! the engine.

mod definition;
mod encode;
mod flags;
mod name;
mod row;
mod space_hints;
mod table;

pub use definition::{ColumnDefinition, IndexDefinition, LongValueTree, TableDefinition, TupleLimits};
pub use flags::{ColumnFlags, IndexFlags, TableFlags};
pub use name::{decode_windows_1252, encode_windows_1252};
pub use row::{CatalogRow, CatalogRowKind};
pub(crate) use space_hints::DEFAULT_DENSITY;
pub use space_hints::{SpaceHintFlags, SpaceHints};
pub use table::{CatalogError, TableBuilder};

use ese_format::{ObjectId, PageNumber};

/// Root page of MSysObjects.
#[doc(alias = "pgnoFDPMSO")]
pub const CATALOG_ROOT: PageNumber = PageNumber(4);
/// Object id of MSysObjects.
#[doc(alias = "objidFDPMSO")]
pub const CATALOG_OBJECT: ObjectId = ObjectId(2);
/// Root page of MSysObjectsShadow.
#[doc(alias = "pgnoFDPMSOShadow")]
pub const CATALOG_SHADOW_ROOT: PageNumber = PageNumber(24);
/// Object id of MSysObjectsShadow.
#[doc(alias = "objidFDPMSOShadow")]
pub const CATALOG_SHADOW_OBJECT: ObjectId = ObjectId(3);
