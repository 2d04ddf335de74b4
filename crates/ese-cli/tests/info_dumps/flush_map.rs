//! Flush maps (`/mp`).

use serde_json::Value;

use crate::render::{lines, number, signature, split, time};

pub(crate) fn compare(text: &str, report: &Value) -> usize {
    let header = &report["header"];
    let mut compared = 0;
    for line in lines(text) {
        let Some((label, found)) = split(line) else { panic!("no label: {line}") };
        let generation = |name: &str| match number(&header[name]) {
            0 => "0 (0)".to_owned(),
            n => format!("{n} ({n:#x})"),
        };
        let yes = |bit: u64| if number(&header["fFlags"]) & bit != 0 { "Yes" } else { "No" };
        let expected = match label {
            "Flush map file" | "Checksum Information" | "Fields" => continue,
            "Persisted Checksum" | "Calculated Checksum" => {
                format!("0x{:016x}", number(&header["checksum"]))
            }
            "Version" => format!(
                "{}.{}.{}",
                header["ulFmVersionMajor"],
                header["ulFmVersionUpdateMajor"],
                header["ulFmVersionUpdateMinor"]
            ),
            "Flags" => {
                assert_eq!(report["state"], if yes(1) == "Yes" { "clean" } else { "dirty" });
                let flags = number(&header["fFlags"]);
                format!("0x{flags:08x} (Clean:{}, NewChecksumFormat:{})", yes(1), yes(0x2000))
            }
            "File Type" => header["filetype"].to_string(),
            "Flush Map Creation" => time(&header["logtimeCreate"]),
            "Last Flush Map Attach" => time(&header["logtimeAttach"]),
            "Last Flush Map Detach" => time(&header["logtimeDetach"]),
            "Log Required Min." => generation("lGenMinRequired"),
            "Log Required Min. (Next)" => generation("lGenMinRequiredTarget"),
            "Last Flush Map Full Flush Started" => time(&header["logtimeFlushLastStarted"]),
            "Last Flush Map Full Flush Completed" => time(&header["logtimeFlushLastCompleted"]),
            "DB Header Flush Signature" => signature(&header["signDbHdrFlush"]),
            "Flush Map Header Flush Signature" => signature(&header["signFlushMapHdrFlush"]),
            other => panic!("unknown line: {other}"),
        };
        assert_eq!(found, expected.trim(), "line: {line}");
        compared += 1;
    }
    compared
}
