//! Checkpoints (`/mk`).

use serde_json::Value;

use crate::render::{attachment, lines, parameters, position, signature, split, time};

pub(crate) fn compare(text: &str, report: &Value) -> usize {
    let header = &report["header"];
    let mut attachments = report["attachments"].as_array().into_iter().flatten();
    let mut attached: Option<&Value> = None;
    let mut compared = 0;
    for line in lines(text) {
        let trimmed = line.trim();
        if trimmed.starts_with('(') {
            assert_eq!(
                trimmed.replace(' ', ""),
                parameters(&header["dbms_param"]).replace(' ', ""),
                "{line}"
            );
            compared += 1;
            continue;
        }
        if let Some((id, rest)) = trimmed.split_once(' ')
            && let Ok(id) = id.parse::<u64>()
        {
            let entry = attachments.next().expect("one more attachment");
            assert_eq!(entry["dbid"], id, "{line}");
            let path = rest.split(" LogO").next().unwrap();
            assert_eq!(entry["szNames"], path, "{line}");
            attached = Some(entry);
            compared += 1;
            continue;
        }
        let Some((label, found)) = split(line) else { panic!("no label: {line}") };
        let expected = match (label, attached) {
            (_, Some(entry)) => attachment(label, entry),
            ("Checkpoint file", _) => continue,
            ("LastFullBackupCheckpoint", _) => position(&header["lgposLastFullBackupCheckpoint"]),
            ("Checkpoint", _) => {
                assert_eq!(report["checkpoint"], header["lgposCheckpoint"]);
                position(&header["lgposCheckpoint"])
            }
            ("DbConsistency", _) => position(&header["lgposDbConsistency"]),
            ("FullBackup", _) => position(&header["lgposFullBackup"]),
            ("FullBackup time", _) => time(&header["logtimeFullBackup"]),
            ("IncBackup", _) => position(&header["lgposIncBackup"]),
            ("IncBackup time", _) => time(&header["logtimeIncBackup"]),
            ("Signature", _) => signature(&report["log_signature"]),
            _ => panic!("unknown line: {line}"),
        };
        assert_eq!(found, expected, "line: {line}");
        compared += 1;
    }
    assert!(attachments.next().is_none(), "more attachments than the original shows");
    compared
}
