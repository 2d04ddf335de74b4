//! The fields of a record for programs and for people.

use std::fmt::Write as _;

use ese_format::DbTime;
use ese_log::record::{FieldValue, Record};
use serde_json::{Map, Value};

use crate::fields::{position_to_json, signature_to_json, time_to_json};

/// The name that users see: `dbtime` and `page` are words of everybody who reads about this engine.
fn public_name(name: &'static str) -> std::borrow::Cow<'static, str> {
    match name {
        "page_number" => "page".into(),
        _ if name.contains("db_time") => name.replace("db_time", "dbtime").into(),
        _ => name.into(),
    }
}

/// Adds every field of a record to an object. Byte strings are told by their size, and by their content when `data` is
/// wanted; database times that mean "none" are null.
pub(super) fn add_json(record: &Record<'_>, data: bool, object: &mut Map<String, Value>) {
    record.list_fields(&mut |name, value| {
        let name = public_name(name);
        let value = match value {
            FieldValue::Bytes(bytes) => {
                object.insert(format!("{name}_size"), bytes.len().into());
                if data {
                    object.insert(name.into_owned(), hexadecimal(bytes).into());
                }
                return;
            }
            FieldValue::Unsigned(number) => number.into(),
            FieldValue::Signed(number) => number.into(),
            FieldValue::Flag(flag) => flag.into(),
            FieldValue::Bits(bits, names) => {
                let names = names.into_iter().map(str::to_ascii_lowercase).collect();
                object.insert(name.clone().into_owned(), bits.into());
                object.insert(format!("{name}_names"), names);
                return;
            }
            FieldValue::Choice(number, text) => {
                object.insert(name.clone().into_owned(), number.into());
                object.insert(format!("{name}_name"), text.map_or(Value::Null, Into::into));
                return;
            }
            FieldValue::DbTime(time) => db_time_json(time),
            FieldValue::Position(position) => position_to_json(position),
            FieldValue::Time(time) => time_to_json(time),
            FieldValue::Signature(signature) => signature_to_json(&signature),
            FieldValue::Text(text) => text.into(),
        };
        object.insert(name.into_owned(), value);
    });
}

/// A database time; null for the two that mean "none".
fn db_time_json(time: DbTime) -> Value {
    match time {
        DbTime::NIL | DbTime::INVALID => Value::Null,
        time => time.0.into(),
    }
}

/// Appends ` name=value` for every field of a record.
pub(super) fn add_text(record: &Record<'_>, data: bool, line: &mut String) {
    record.list_fields(&mut |name, value| {
        let name = public_name(name);
        let _ = match value {
            FieldValue::Bytes(bytes) if data => write!(line, " {name}={}", hexadecimal(bytes)),
            FieldValue::Bytes(bytes) => write!(line, " {name}=[{}]", bytes.len()),
            FieldValue::Unsigned(number) => write!(line, " {name}={number}"),
            FieldValue::Signed(number) => write!(line, " {name}={number}"),
            FieldValue::Flag(flag) => write!(line, " {name}={flag}"),
            FieldValue::Bits(bits, names) if names.is_empty() => write!(line, " {name}={bits:#x}"),
            FieldValue::Bits(_, names) => {
                write!(line, " {name}={}", names.join("|").to_ascii_lowercase())
            }
            FieldValue::Choice(_, Some(text)) => write!(line, " {name}={text}"),
            FieldValue::Choice(number, None) => write!(line, " {name}={number}"),
            FieldValue::DbTime(DbTime::NIL | DbTime::INVALID) => write!(line, " {name}=-"),
            FieldValue::DbTime(time) => write!(line, " {name}={time}"),
            FieldValue::Position(position) => write!(line, " {name}={position}"),
            FieldValue::Time(time) => write!(line, " {name}={time}"),
            FieldValue::Signature(signature) => write!(line, " {name}={signature}"),
            FieldValue::Text(text) => write!(line, " {name}={text:?}"),
        };
    });
}

/// Text of a Trace or ForceLogRollover record.
pub(super) fn note_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim_end_matches('\0').chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
