//! Log records: a sequence of them, as it stands in a segment.

use ese_log::record::{Record, record_size};

use crate::samples;

/// Decodes records one behind the other; each accepted one must give the same bytes again.
pub(crate) fn run(data: &[u8]) {
    let mut rest = data;
    while !rest.is_empty() {
        let _ = record_size(rest);
        let Ok((record, size)) = Record::decode_first(rest) else {
            // Nothing can be known of what follows; the next byte may begin a record.
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        assert!(size > 0 && size <= rest.len());
        let mut again = Vec::new();
        assert!(record.encode(&mut again).is_ok(), "what was read can be written");
        assert_eq!(Some(&*again), rest.get(..size), "{:?}", record.kind());
        let mut fields = 0;
        record.list_fields(&mut |name, value| fields += name.len() + format!("{value:?}").len());
        let _ = format!("{record:?}");
        rest = rest.get(size..).unwrap_or_default();
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for case in ["clean-p4k", "dirty-exit-p8k"] {
        for log in samples::files(case, "files", &[".log"], 1 << 20) {
            // Behind the header of each segment, from the second on.
            let segments = log.chunks_exact(4096).skip(1).step_by(17).filter_map(|s| s.get(40..));
            found.extend(segments.filter(|s| s.iter().any(|b| *b != 0)).map(<[u8]>::to_vec));
        }
    }
    found.truncate(200);
    found
}
