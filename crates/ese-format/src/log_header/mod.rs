//! Headers of log files, of their segments and ranges, and what log headers share with checkpoints.

mod attachments;
mod checks;
mod checksum_record;
mod header;
mod parameters;
mod segment;

pub use attachments::{
    ATTACHMENT_LIST_SIZE, AttachmentEntry, AttachmentFlags, RawAttachmentEntry, parse_attachments,
    write_attachments,
};
pub use checks::LogHeaderChecks;
pub use checksum_record::{RawChecksumRecord, log_range_checksum};
pub(crate) use header::attachments_decoded;
pub use header::{LogFlags, LogHeader, RawLogHeader};
pub(crate) use parameters::narrow_text;
pub use parameters::{LogParameterFlags, RawLogParameters};
pub use segment::{LOG_SEGMENT_SIZE, RawLogSegmentHeader};
