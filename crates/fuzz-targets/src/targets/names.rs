//! Names of log files.

use ese_log::{BaseName, LogFileName};

/// The input as a name, guessed and in a known stream.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (base, name) = text.split_once('/').unwrap_or(("edb", &text));
    if let Some(guessed) = LogFileName::guess(name) {
        assert_eq!(LogFileName::parse(&guessed.base, name).as_ref(), Some(&guessed), "{name:?}");
    }
    if let Ok(base) = BaseName::new(base) {
        let _ = (LogFileName::parse(&base, name), base.is_engine_length());
    }
}

pub(crate) fn samples() -> Vec<Vec<u8>> {
    [
        "edb/edb.log",
        "edb/edb00001.log",
        "E00/E000000001A.jtx",
        "edb/edbtmp.log",
        "edb/edbres00001.jrs",
        "V01/V01.chk",
        "j50/res1.log",
        "edb/edb0001A.jsl",
        "edb/EDBTMP.LOG",
        "svc/svc.jcp",
        "edb/\u{df}",
        "edb",
    ]
    .iter()
    .map(|name| name.as_bytes().to_vec())
    .collect()
}
