//! Index keys: values normalised so that keys compare as bytes.
//!
//! A key is the concatenation of segments, one per indexed column, each self-terminating. Unicode text becomes a sort key
//! as Windows makes it, where the index's collation is known; otherwise the segment is refused with a typed error.

mod builder;
mod decode;
mod search;
mod segment;
mod unicode;

pub use builder::{KeyBuilder, NullCounts};
pub use decode::value_from_key;
pub use search::{KeyFlags, SearchKeyBuffer, SearchKeyError, SearchSegment};
pub use segment::{KeyError, KeyRules, KeySegment, SegmentKind, encode_segment};
