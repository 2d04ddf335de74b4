//! The database header: 748 known bytes, two copies, which one wins.

mod attach;
mod flags;
mod header;
mod pair;
mod raw;

pub use flags::DatabaseFlags;
pub use header::DatabaseHeader;
pub use pair::{DatabaseHeaderPair, HeaderCopy, HeaderPairStatus};
pub use raw::RawDatabaseHeader;
