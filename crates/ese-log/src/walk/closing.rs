//! Whether a stream ends in order.

use crate::record::{RecordKind, RecordSize, record_size};
use crate::segment::SEGMENT_HEADER_SIZE;

/// Whether a record of this type closes the stream.
pub(crate) fn is_closing(kind: RecordKind) -> bool {
    matches!(
        kind,
        RecordKind::TERM
            | RecordKind::TERM2
            | RecordKind::RECOVERY_QUIT
            | RecordKind::RECOVERY_QUIT2
            | RecordKind::RECOVERY_QUIT_KEEP_ATTACHMENTS
    )
}

/// The offset of the record that closes the stream in the last data segment, or `None` when the last record is none.
/// Closing records are too short to be cut, so this one segment tells.
pub(crate) fn closing_record(segment: &[u8]) -> Option<usize> {
    let mut offset = SEGMENT_HEADER_SIZE;
    let mut closing = None;
    while let Some((&kind, rest)) = segment.get(offset..).and_then(|r| Some((r.first()?, r))) {
        let kind = RecordKind(kind);
        if kind == RecordKind::NOP {
            let Some(fill) = rest.iter().position(|&b| b != RecordKind::NOP.0) else { break };
            offset += fill;
            continue;
        }
        let Ok(RecordSize::Size(len)) = record_size(rest) else { return None };
        if len > rest.len() {
            return None;
        }
        if is_closing(kind) {
            closing = Some(offset);
        } else if kind != RecordKind::NOP2 {
            // Only fill may stand behind it.
            closing = None;
        }
        offset += len;
    }
    closing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fill_may_follow() {
        let mut segment = vec![0; 4096];
        assert_eq!(closing_record(&segment), None);
        segment[40] = 23;
        segment[41] = 50;
        assert_eq!(closing_record(&segment), Some(41));
        segment[41 + 26] = 71;
        segment[41 + 27..41 + 31].copy_from_slice(&100u32.to_le_bytes());
        assert_eq!(closing_record(&segment), Some(41));
        segment[41 + 26] = 5;
        assert_eq!(closing_record(&segment), None);
        segment[41 + 26] = 103;
        assert_eq!(closing_record(&segment), None);
    }
}
