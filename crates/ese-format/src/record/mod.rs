//! Records: the data of a table's leaf nodes, and the long values beside them.

mod buffer;
mod buffer_tagged;
mod column;
mod encode;
mod error;
mod long_value;
mod tagged;
mod view;

pub use buffer::{RecordBuffer, RecordColumns, RecordEditError};
pub use buffer_tagged::TaggedTarget;
pub use column::{ColumnId, ColumnKind};
pub use encode::{FixedSlot, RecordContent, RecordEncodeError, TaggedContent, largest_record};
pub use error::RecordError;
pub use long_value::{
    InvalidLongValue, LongValueFlags, LongValueId, LongValueKey, LongValueRoot, default_chunk_size,
};
pub use tagged::{TaggedColumn, TaggedFlags, TaggedValue, TaggedValues};
pub use view::{ColumnState, RecordView};
