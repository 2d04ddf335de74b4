//! `ese log --records`: one line a record.

use std::fmt::Write as _;

use ese_format::LogTime;
use ese_log::record::Record;
use ese_log::{EndOfLog, OpenLog, RawRecord};
use serde_json::{Map, Value, json};

use super::View;
use super::filter::Filter;
use super::record_fields::{add_json, add_text, note_text};
use super::writer::Writer;
use crate::failure::Failure;
use crate::fields::time_to_json;

/// Prints records.
pub(super) struct RecordList<'f> {
    filter: &'f Filter,
    data: bool,
    line: String,
}

impl<'f> RecordList<'f> {
    pub(super) fn new(filter: &'f Filter, data: bool) -> Self {
        Self { filter, data, line: String::new() }
    }

    fn to_json(&self, raw: &RawRecord<'_>, record: &Record<'_>, time: LogTime) -> Value {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        let (position, kind) = (raw.position, record.kind());
        put("schema", "ese-log-record-1".into());
        put("position", position.to_string().into());
        put("generation", position.generation.into());
        put("sector", position.sector.into());
        put("byte", position.byte.into());
        put("type", kind.to_string().into());
        put("type_number", kind.0.into());
        put("size", raw.bytes.len().into());
        put("time", time_to_json(time));
        // Some records are about a database or a session that is not among their fields.
        if let Some(database) = record.database() {
            put("database", database.0.into());
        }
        add_json(record, self.data, &mut object);
        match record {
            Record::Trace(r) | Record::ForceLogRollover(r) => {
                object.insert("text".to_owned(), note_text(r.text).into());
            }
            Record::MacroInfo(r) => {
                object.insert("pages".to_owned(), r.pages().map(|page| page.0).collect());
            }
            Record::MacroInfo2(r) => {
                object.insert("pages".to_owned(), r.pages().map(|page| page.0).collect());
            }
            Record::EmptyTree(r) => {
                let pages = r.pages().map(
                    |page| json!({ "page": page.page_number.0, "dbtime_before": page.db_time_before.0 }),
                );
                object.insert("pages".to_owned(), pages.collect());
            }
            Record::AttachDatabase(r) => {
                object.insert("path".to_owned(), r.logged_path().to_text().into());
            }
            Record::DetachDatabase(r) => {
                object.insert("path".to_owned(), r.logged_path().to_text().into());
            }
            _ => {}
        }
        Value::Object(object)
    }

    fn write_text(&mut self, raw: &RawRecord<'_>, record: &Record<'_>) {
        let line = &mut self.line;
        line.clear();
        let _ = write!(line, "{}  {:<13}", raw.position, record.kind());
        add_text(record, self.data, line);
        let path = match record {
            Record::AttachDatabase(r) => r.logged_path(),
            Record::DetachDatabase(r) => r.logged_path(),
            Record::Trace(r) | Record::ForceLogRollover(r) => {
                let _ = write!(line, " {}", note_text(r.text));
                return;
            }
            Record::MacroInfo(r) => {
                r.pages().for_each(|page| line.push_str(&format!(" {page}")));
                return;
            }
            Record::MacroInfo2(r) => {
                r.pages().for_each(|page| line.push_str(&format!(" {page}")));
                return;
            }
            _ => return,
        };
        let _ = write!(line, " {:?}", path.to_text());
    }
}

impl View for RecordList<'_> {
    fn record(
        &mut self,
        raw: &RawRecord<'_>,
        record: &Record<'_>,
        time: LogTime,
        writer: &mut Writer,
    ) -> Result<(), Failure> {
        if !self.filter.holds(raw.position, time) || !self.filter.accepts(record) {
            return Ok(());
        }
        if writer.json() {
            return writer.object(&self.to_json(raw, record, time));
        }
        self.write_text(raw, record);
        writer.line(&self.line)
    }

    fn generation_end(
        &mut self,
        _log: &OpenLog,
        _end: Option<&EndOfLog>,
        _writer: &mut Writer,
    ) -> Result<(), Failure> {
        Ok(())
    }

    fn interruption(&mut self, _writer: &mut Writer) -> Result<(), Failure> {
        Ok(())
    }

    fn finish(&mut self, _writer: &mut Writer) -> Result<(), Failure> {
        Ok(())
    }
}
