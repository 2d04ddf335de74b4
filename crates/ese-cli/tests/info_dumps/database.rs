//! Database headers (`/mh`).

use serde_json::Value;

use crate::render::{both, lines, number, position, signature, split, time};

pub(crate) fn compare(text: &str, report: &Value) -> usize {
    let header = &report["header"];
    let mut compared = 0;
    let mut section = "";
    let mut backup = &Value::Null;
    let mut mark_time = false;
    let mut behind_trailer = false;
    for line in lines(text) {
        if line.starts_with("WARNING: primary header and shadow header are not identical") {
            // The original reads the trailer page over its copy of the header before it compares the two; so it says
            // this of every backup copy.
            assert!(behind_trailer, "unexpected: {line}");
            continue;
        }
        let Some((label, found)) = split(line) else { panic!("no label: {line}") };
        if found.is_empty() {
            section = label;
            mark_time = false;
            backup = match label {
                "DATABASE HEADER" | "Checksum Information" | "Fields" => continue,
                "Previous Full Backup" => &header["bkinfoFullPrev"],
                "Previous Incremental Backup" => &header["bkinfoIncPrev"],
                "Previous Copy Backup" => &header["bkinfoCopyPrev"],
                "Previous Differential Backup" => &header["bkinfoDiffPrev"],
                "Current Full Backup" => &header["bkinfoFullCur"],
                "Current Shadow copy backup" => &header["bkinfoSnapshotCur"],
                "Patch Current Full Backup" => {
                    behind_trailer = true;
                    &report["trailer"]["bkinfo"]
                }
                other => panic!("unknown section: {other}"),
            };
            continue;
        }
        let expected = match label {
            "Log Gen" | "Mark" => {
                assert!(!section.is_empty());
                if label == "Log Gen" {
                    let generation = |name: &str| backup[name].as_u64().unwrap_or(0);
                    let (low, high) = (generation("low_generation"), generation("high_generation"));
                    format!("{low}-{high} (0x{low:x}-0x{high:x})")
                } else if mark_time {
                    time(&backup["time"])
                } else {
                    mark_time = true;
                    position(&backup["mark"])
                }
            }
            _ if behind_trailer => match trailer_line(label, &report["trailer"]) {
                Some(expected) => expected,
                None => continue,
            },
            _ => match header_line(label, report) {
                Some(expected) => expected,
                None => continue,
            },
        };
        assert_eq!(found, expected.trim(), "line: {line}");
        compared += 1;
    }
    // What the promised members say is what the header says.
    assert_eq!(report["log_required"]["min"], header["lGenMinRequired"]);
    assert_eq!(report["log_required"]["max"], header["lGenMaxRequired"]);
    assert_eq!(report["log_required"]["committed"], header["lGenMaxCommitted"]);
    assert_eq!(report["signature"], header["signDb"]);
    assert_eq!(report["log_signature"], header["signLog"]);
    assert_eq!(report["version"]["update_minor"], header["updateMinor"]);
    assert_eq!(report["page_size"], header["cbPage"]);
    assert_eq!(report["header_copies"], "both_good");
    assert_eq!(report["trailer"].is_object(), behind_trailer);
    compared
}

/// A line of the header's own fields. `None`: the line is about the tool, not about the file.
fn header_line(label: &str, report: &Value) -> Option<String> {
    let header = &report["header"];
    let field = |name: &str| number(&header[name]);
    let count = |name: &str| match field(name) {
        0 => "none".to_owned(),
        n => format!("found ({n})"),
    };
    let event = |place: &str, when: &str| format!("{}  {}", position(&header[place]), time(&header[when]));
    let generation = |name: &str| format!("{0} (0x{0:x})", field(name));
    Some(match label {
        "Database" | "Engine ulMagic" | "Engine ulVersion" => return None,
        "Expected Checksum" | "Actual Checksum" => format!("0x{:08x}", field("checksum")),
        "File Type" => {
            assert_eq!((field("attrib"), field("fileType")), (0, 1));
            "Database".to_owned()
        }
        "Checksum" => format!("0x{:x}", field("checksum")),
        "Format ulMagic" => format!("0x{:x}", field("magic")),
        "Format ulVersion" => format!(
            "0x{:x},{},{}  (attached by {})",
            field("version"),
            field("updateMajor"),
            field("updateMinor"),
            field("efvMaxBinAttachDiagnostic")
        ),
        "Created ulVersion" => format!("0x{:x},{}", field("createVersion"), field("createUpdate")),
        "DB Signature" => signature(&header["signDb"]),
        "cbDbPage" => field("cbPage").to_string(),
        "dbtime" => both(&header["dbtimeDirtied"]),
        "State" => {
            let (number, name) = match report["state"].as_str().unwrap() {
                "clean_shutdown" => (3, "Clean Shutdown"),
                "dirty_shutdown" => (2, "Dirty Shutdown"),
                other => panic!("state {other}"),
            };
            assert_eq!(field("dbstate"), number);
            name.to_owned()
        }
        "Log Required" => {
            let (min, max) = (field("lGenMinRequired"), field("lGenMaxRequired"));
            let before = generation("lGenPreRedoMinRequired");
            format!("{min}-{max} (0x{min:x}-0x{max:x}) [Min. Req. Pre-Redo: {before}]")
        }
        "Gen. Max. Req. Creation Time" => time(&header["logtimeGenMaxRequired"]),
        "Log Committed" => {
            let max = field("lGenMaxCommitted");
            format!("0-{max} (0x0-0x{max:x})")
        }
        "Gen. Max. Com. Creation Time" => time(&header["logtimeGenMaxCreate"]),
        "Log Consistent" => {
            let before = generation("lGenPreRedoMinConsistent");
            format!("{} [Pre-Redo: {before}]", generation("lGenMinConsistent"))
        }
        "Log Recovering" => generation("lGenRecovering"),
        "Shadowed" => if field("flags") & 1 == 0 { "Yes" } else { "No" }.to_owned(),
        "Last Objid" => field("objidLast").to_string(),
        "Scrub Dbtime" => both(&header["dbtimeLastScrub"]),
        "Scrub Date" => time(&header["logtimeScrub"]),
        "Repair Count" => field("repairCount").to_string(),
        "Repair Date" => time(&header["logtimeRepair"]),
        "Old Repair Count" => field("repairCountOld").to_string(),
        "Last Consistent" => event("lgposConsistent", "logtimeConsistent"),
        "Last Attach" => event("lgposAttach", "logtimeAttach"),
        "Last Detach" => event("lgposDetach", "logtimeDetach"),
        "Last ReAttach" => event("lgposLastReAttach", "logtimeLastReAttach"),
        "Dbid" => field("dbid").to_string(),
        "Log Signature" => signature(&header["signLog"]),
        "OS Version" => {
            let sort = field("qwSortVersion");
            format!(
                "({}.{}.{} SP {} NLS {:x}.{:x})",
                field("osMajor"),
                field("osMinor"),
                field("osBuild"),
                field("osServicePack"),
                sort >> 32,
                sort & 0xFFFF_FFFF
            )
        }
        "cpgUpgrade55Format" | "cpgUpgradeFreePages" | "cpgUpgradeSpaceMapPages" => field(label).to_string(),
        "Last Resize" => {
            let resize = &header["lgposLastResize"];
            let remark = if *resize == header["lgposAttach"] {
                "(Matches \"Last Attach\", no subsequent resize)"
            } else if *resize == header["lgposConsistent"] {
                "(Matches \"Last Consistent\", no subsequent resize)"
            } else {
                ""
            };
            format!("{}  {remark}", position(resize))
        }
        "Extend Count" => field("extendCount").to_string(),
        "Extend Date" => time(&header["logtimeLastExtend"]),
        "Shrink Count" => field("shrinkCount").to_string(),
        "Shrink Date" => time(&header["logtimeLastShrink"]),
        "Trim Count" => field("trimCount").to_string(),
        "ECC Fix Success Count" => count("eccFixSuccess"),
        "Old ECC Fix Success Count" => count("eccFixSuccessOld"),
        "ECC Fix Error Count" => count("eccFixFail"),
        "Old ECC Fix Error Count" => count("eccFixFailOld"),
        "Bad Checksum Error Count" => count("badChecksum"),
        "Old bad Checksum Error Count" => count("badChecksumOld"),
        "Last Database Maintenance Finish Date" => time(&header["logtimeDbscanPrev"]),
        "Current Database Maintenance Start Date" => time(&header["logtimeDbscanStart"]),
        "Highest Continuous Database Maintenance Page" => field("pgnoDbscanHighestContinuous").to_string(),
        "Highest Database Maintenance Page" => field("pgnoDbscanHighest").to_string(),
        "Database Header Flush Signature" => signature(&header["signDbHdrFlush"]),
        "Flush Map Header Flush Signature" => signature(&header["signFlushMapHdrFlush"]),
        "RBS Header Flush Signature" => signature(&header["signRBSHdrFlush"]),
        other => panic!("unknown line: {other}"),
    })
}

/// A line behind the trailer's backup. There the original prints the trailer page where it means the header.
fn trailer_line(label: &str, trailer: &Value) -> Option<String> {
    Some(match label {
        "Log Required" => {
            let (min, max) = (number(&trailer["lgenMinReq"]), number(&trailer["lgenMaxReq"]));
            format!("{min}-{max} (0x{min:x}-0x{max:x})")
        }
        // Two lines of the original run into one.
        "Gen. Max. Req. Creation Time" => format!(
            "{}  Log Committed: {}",
            time(&trailer["logtimeGenMaxRequired"]),
            both(&trailer["lgenMaxCommitted"])
        ),
        "Gen. Max. Com. Creation Time" => time(&trailer["logtimeGenMaxCommitted"]),
        "Database Header Flush Signature"
        | "Flush Map Header Flush Signature"
        | "RBS Header Flush Signature" => signature(&Value::Null),
        other => panic!("unknown line behind the trailer: {other}"),
    })
}
