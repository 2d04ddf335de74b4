//! Our JSON values the way the original prints them.

use serde_json::Value;

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// `21 (0x15)`
pub(crate) fn both(value: &Value) -> String {
    format!("{0} (0x{0:x})", number(value))
}

/// `(0x15,B,637)`
pub(crate) fn position(value: &Value) -> String {
    let text = value.as_str().unwrap_or("0,0,0");
    let parts: Vec<_> = text.split(',').map(|part| u32::from_str_radix(part, 16).unwrap()).collect();
    format!("(0x{:X},{:X},{:X})", parts[0], parts[1], parts[2])
}

/// `11/22/2026 13:18:42.574`
fn clock(value: &Value) -> String {
    let Some(text) = value.as_str() else { return "00/00/1900 00:00:00.000".to_owned() };
    let (date, time) = text.trim_end_matches('Z').split_once('T').unwrap();
    let date: Vec<_> = date.split('-').collect();
    format!("{}/{}/{} {time}", date[1], date[2], date[0])
}

/// `11/22/2026 13:18:42.574 UTC`
pub(crate) fn time(value: &Value) -> String {
    let utc = value.as_str().is_some_and(|text| text.ends_with('Z'));
    format!("{} {}", clock(value), if utc { "UTC" } else { "LOC" })
}

/// `Create time:11/22/2026 13:18:42.268 Rand:2909542495 Computer:`
pub(crate) fn signature(value: &Value) -> String {
    let computer = value["computer_name"].as_str().unwrap_or_default();
    let random = value["random"].as_u64().unwrap_or(0);
    format!("Create time:{} Rand:{random} Computer:{computer}", clock(&value["created"]))
}

/// The line of numbers below the `Env (CircLog,…)` line.
pub(crate) fn parameters(value: &Value) -> String {
    let circular = if number(&value["fDBMSPARAMFlags"]) & 1 != 0 { "on" } else { "off" };
    let field = |name: &str| number(&value[name]);
    format!(
        "({circular:>7},{:>7},{:>7},{:>7},{:>7},{:>7},{:>7},{:>7})",
        field("lSessionsMax"),
        field("lOpenTablesMax"),
        field("lVerPagesMax"),
        field("lCursorsMax"),
        field("lLogBuffers"),
        field("lcsecLGFile"),
        field("ulCacheSizeMax"),
    )
}

/// The lines of an attached database below its path.
pub(crate) fn attachment(label: &str, entry: &Value) -> String {
    match label {
        "dbtime" => format!("{0} (0-{0})", number(&entry["dbtime"])),
        "objidLast" => number(&entry["objidLast"]).to_string(),
        "Signature" => signature(&entry["signDb"]),
        "MaxDbSize" => format!("{} pages", number(&entry["cpgDatabaseSizeMax"])),
        "Last Attach" => position(&entry["lgposAttach"]),
        "Last Consistent" => position(&entry["lgposConsistent"]),
        other => panic!("unknown line of an attachment: {other}"),
    }
}

/// A line of a dump as label and value.
pub(crate) fn split(line: &str) -> Option<(&str, &str)> {
    let (label, value) = line.split_once(':')?;
    Some((label.trim(), value.trim()))
}

/// The lines of interest: without the comment lines, the greeting, the farewell and the one heading that has no colon.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| {
        !line.trim().is_empty()
            && !line.starts_with('#')
            && !line.starts_with("Initiating")
            && !line.starts_with("Operation completed")
            && !line.trim().starts_with("Env (CircLog")
    })
}
