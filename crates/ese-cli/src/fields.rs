//! Header fields as JSON and as lines of text.

use std::fmt::Write as _;

use ese_format::{BackupInfo, Field, FieldValue, LogPosition, LogTime, Signature};
use serde_json::{Map, Value, json};

/// Fields as an object. Numbers, kinds and flags are plain numbers; what is not set is null.
pub(crate) fn to_json(fields: &[Field]) -> Value {
    fields
        .iter()
        .map(|field| (field.name.to_owned(), value_to_json(&field.value)))
        .collect::<Map<_, _>>()
        .into()
}

fn value_to_json(value: &FieldValue) -> Value {
    match value {
        FieldValue::Number(n) | FieldValue::Hexadecimal(n) | FieldValue::Flags { bits: n, .. } => (*n).into(),
        FieldValue::Kind { number, .. } => (*number).into(),
        FieldValue::Position(position) => position_to_json(*position),
        FieldValue::Time(time) => time_to_json(*time),
        FieldValue::Signature(signature) => signature_to_json(signature),
        FieldValue::Backup(backup) => backup_to_json(backup),
        FieldValue::Text(text) => text.clone().into(),
        FieldValue::Group(fields) => to_json(fields),
        FieldValue::List(items) => items.iter().map(|item| to_json(item)).collect(),
        other => other.to_string().into(),
    }
}

/// The engine's notation, or null when not set.
pub(crate) fn position_to_json(position: LogPosition) -> Value {
    if position.is_none() { Value::Null } else { position.to_string().into() }
}

/// ISO 8601, or null when not set.
pub(crate) fn time_to_json(time: LogTime) -> Value {
    if time.is_none() { Value::Null } else { time.to_string().into() }
}

/// Random number, creation time and computer name, or null when not set.
pub(crate) fn signature_to_json(signature: &Signature) -> Value {
    if signature.is_none() {
        return Value::Null;
    }
    let name: Vec<u8> = signature.computer_name.iter().copied().take_while(|&b| b != 0).collect();
    json!({
        "random": signature.random,
        "created": time_to_json(signature.created),
        "computer_name": String::from_utf8_lossy(&name),
    })
}

/// Mark, time and generations, or null when there was none.
pub(crate) fn backup_to_json(backup: &BackupInfo) -> Value {
    if backup.is_none() {
        return Value::Null;
    }
    json!({
        "mark": position_to_json(backup.mark),
        "time": time_to_json(backup.time),
        "low_generation": backup.low_generation,
        "high_generation": backup.high_generation,
    })
}

/// One line a field, groups and lists indented below their name.
pub(crate) fn to_text(fields: &[Field], indent: usize, text: &mut String) {
    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
    for Field { name, value } in fields {
        match value {
            FieldValue::Group(members) => {
                let _ = write!(text, "\n{:indent$}{name}", "");
                to_text(members, indent + 2, text);
            }
            FieldValue::List(items) if !items.is_empty() => {
                for (i, item) in items.iter().enumerate() {
                    let _ = write!(text, "\n{:indent$}{name}[{i}]", "");
                    to_text(item, indent + 2, text);
                }
            }
            _ => {
                let _ = write!(text, "\n{:indent$}{name:width$}  {value}", "");
            }
        }
    }
}
