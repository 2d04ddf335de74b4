//! What a log writer is told once.

use ese_format::{EngineFormatVersion, LogGeneration, LogVersion, PageSize, RawLogParameters};

use super::segment_file::WriteOrder;

/// Settings of a log writer, fixed for its life.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Segments of a new log file, header and shadow segment included: its length divided by 4096. At least 3.
    #[doc(alias = "JET_paramLogFileSize")]
    pub file_segments: u16,
    /// Bytes that may wait in memory before an append writes them out.
    #[doc(alias = "JET_paramLogBuffers")]
    pub buffer_bytes: usize,
    /// Whether somebody calls [`LogWriter::write_behind`](super::LogWriter::write_behind) on a thread of its own whenever
    /// [`LogEnvironment::much_waits`](super::LogEnvironment::much_waits) says that there is something to write. Appends
    /// do not wait for the disk then, as long as less than eight times `buffer_bytes` wait.
    pub write_behind: bool,
    /// Page size of the databases.
    pub page_size: PageSize,
    /// Version of new logs; a stream that is newer stays as it is, part by part.
    pub version: LogVersion,
    /// Format version of this engine, for the header.
    pub engine_format: EngineFormatVersion,
    /// Parameters for the header.
    pub parameters: RawLogParameters,
    /// Whether logs that are no longer needed are recycled.
    #[doc(alias = "JET_paramCircularLog")]
    pub circular: bool,
    /// Whether lost flushes are tracked in flush maps, which makes circular logging keep a few more logs.
    pub keeps_flush_maps: bool,
    /// Reserve logs to keep: 2, or 10 with aggressive rollover. 0 for none.
    pub reserve_logs: u32,
    /// Generations that may lie between the checkpoint and the tip before appends are refused.
    #[doc(alias = "JET_paramCheckpointTooDeep")]
    pub checkpoint_too_deep: u32,
    /// First generation of a new stream.
    pub first_generation: LogGeneration,
    /// A flush that somebody waits for completes the segment being filled when the last one was not longer ago than this
    /// many milliseconds. The segment is never rewritten then, so that one write and one sync are enough where rewriting it
    /// and its copy takes two of each; the log grows by the rest of the segment. 0 for never, as the engine does.
    pub complete_within_ms: i64,
    /// Order of writes within a flush.
    pub write_order: WriteOrder,
}

impl LogSettings {
    /// The engine's defaults: files of 5 MiB, everything else as an instance without parameters has it.
    #[must_use]
    pub fn new(page_size: PageSize, version: LogVersion, engine_format: EngineFormatVersion) -> Self {
        Self {
            file_segments: 1280,
            buffer_bytes: 512 * 1024,
            write_behind: false,
            page_size,
            version,
            engine_format,
            parameters: RawLogParameters::default(),
            circular: false,
            keeps_flush_maps: false,
            reserve_logs: 2,
            checkpoint_too_deep: 0x1_0000,
            first_generation: LogGeneration(1),
            complete_within_ms: 0,
            write_order: WriteOrder::OnePiece,
        }
    }

    /// Bytes that may wait in memory before an append has to wait.
    pub(crate) fn most_waiting(&self) -> usize {
        if self.write_behind { self.buffer_bytes.saturating_mul(8) } else { self.buffer_bytes }
    }

    /// Length of a file in bytes.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        u64::from(self.file_segments) * ese_format::LOG_SEGMENT_SIZE as u64
    }
}
