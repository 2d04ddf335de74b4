//! On-disk structures of the Extensible Storage Engine (ESE, JET Blue, esent): bytes in, values out.
//!
//! Nothing here opens a file, spawns a thread or allocates by a number that was not checked first. All integers
//! on disk are little-endian; B-tree keys are big-endian by construction.
//!
//! Every type carries the engine's own symbol as a `doc(alias)`, so that either vocabulary finds it.

mod backup_info;
mod checkpoint;
mod checksum;
mod compression;
mod database_header;
mod database_state;
mod db_time;
mod error_category;
mod field;
mod file_kind;
mod file_type;
mod flush_map;
mod format_version;
mod header_error;
mod jet_error;
mod key;
mod log_generation;
mod log_header;
mod log_position;
mod log_time;
mod object_id;
mod page;
mod page_number;
mod page_size;
mod record;
mod signature;
mod sort_key;
mod stored;
mod trailer_page;

pub use backup_info::{BackupInfo, BackupInfoKind};
pub use checkpoint::{Checkpoint, CheckpointFlags, CheckpointPair, RawCheckpoint};
pub use checksum::{
    BlockChecksum, CorrectedBits, DifferingBlock, HEADER_CHECKSUM_SEED, Kernel, NotVerified, PageCheck,
    PageChecksumForm, PageNumberEvidence, PageVerdict, correct_page, first_differing_block, header_checksum,
    header_checksum_matches, verify_page, write_header_checksum, write_legacy_page_checksum,
    write_page_checksum,
};
pub use compression::{
    CompressionError, CompressionScheme, MAX_COMPRESSED_VALUE_LEN, compress_value, decode_seven_bit,
    decode_xpress, decompress_value, encode_seven_bit, encode_xpress,
};
pub use database_header::{
    DatabaseFlags, DatabaseHeader, DatabaseHeaderPair, HeaderCopy, HeaderPairStatus, RawDatabaseHeader,
};
pub use database_state::DatabaseState;
pub use db_time::DbTime;
pub use error_category::{ErrorCategory, ErrorInfo};
pub use field::{Field, FieldValue};
pub use file_kind::{FileKind, FileKindEvidence};
pub use file_type::FileType;
pub use flush_map::{
    FLUSH_MAP_PAGE_SIZE, FlushMapFlags, FlushMapHeader, FlushMapPage, RawFlushMapHeader,
    RawFlushMapPageHeader,
};
pub use format_version::{
    DatabaseVersion, EngineFormatSetting, EngineFormatVersion, FORMAT_VERSIONS, FlushMapVersion,
    FormatVersions, LogVersion, UnknownEngineFormat,
};
pub use header_error::{HeaderError, HeaderStructure};
pub use jet_error::JetError;
pub use key::{
    KeyBuilder, KeyError, KeyFlags, KeyRules, KeySegment, NullCounts, SearchKeyBuffer, SearchKeyError,
    SearchSegment, SegmentKind, encode_segment, value_from_key,
};
pub use log_generation::LogGeneration;
pub use log_header::{
    ATTACHMENT_LIST_SIZE, AttachmentEntry, AttachmentFlags, LOG_SEGMENT_SIZE, LogFlags, LogHeader,
    LogHeaderChecks, LogParameterFlags, RawAttachmentEntry, RawChecksumRecord, RawLogHeader,
    RawLogParameters, RawLogSegmentHeader, log_range_checksum, parse_attachments, write_attachments,
};
pub use log_position::LogPosition;
pub use log_time::LogTime;
pub use object_id::ObjectId;
pub use page::{
    Extent, ExtentPool, FlushKind, InvalidExtent, InvalidRootFields, KeyParts, Node, NodeFlags, OwnedSpace,
    PageError, PageFinding, PageFlags, PageHeader, PageView, RawLargePageHeader, RawPageHeader,
    RootFieldMask, RootFields, SearchKey, SpaceHeader, SpaceHeaderFlags, SplitBuffer, Tag,
};
pub use page_number::PageNumber;
pub use page_size::{PageSize, UnsupportedPageSize};
pub use record::{
    ColumnId, ColumnKind, ColumnState, FixedSlot, InvalidLongValue, LongValueFlags, LongValueId,
    LongValueKey, LongValueRoot, RecordBuffer, RecordColumns, RecordContent, RecordEditError,
    RecordEncodeError, RecordError, RecordView, TaggedColumn, TaggedContent, TaggedFlags, TaggedTarget,
    TaggedValue, TaggedValues, default_chunk_size, largest_record,
};
pub use signature::Signature;
pub use sort_key::{Collation, CollationError, CollationFlags, Locale, SortKeyError, StoredCollation};
pub use stored::Stored;
pub use trailer_page::{PatchFileHeader, RawTrailerPage, TrailerPage};
