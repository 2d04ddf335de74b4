//! Index keys: values normalised so that keys compare as bytes.
//!
//! A key is the concatenation of segments, one per indexed column, each self-terminating. Text of a Unicode code page is
//! normalised by Windows' sorting tables, which are not here: such a segment is refused with a typed error.

mod builder;
mod segment;

pub use builder::{KeyBuilder, NullCounts};
pub use segment::{KeyError, KeyRules, KeySegment, SegmentKind, encode_segment};
