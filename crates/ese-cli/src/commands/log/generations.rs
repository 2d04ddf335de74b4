//! `ese log`: one line a generation.

use ese_format::{LogHeader, LogTime};
use ese_log::record::{Record, RecordKind};
use ese_log::{EndOfLog, OpenLog, RawRecord};
use serde_json::{Map, Value, json};

use super::View;
use super::sources::Stream;
use super::writer::Writer;
use crate::failure::Failure;
use crate::fields::{position_to_json, signature_to_json, time_to_json};

/// Prints generations.
pub(super) struct GenerationList {
    base: Option<String>,
    place: String,
    /// Header of the generation before, of the same stream.
    previous: Option<LogHeader>,
    is_current: bool,
    last_time: LogTime,
    records: u64,
    kinds: Box<[u64; 256]>,
}

impl GenerationList {
    pub(super) fn new() -> Self {
        Self {
            base: None,
            place: String::new(),
            previous: None,
            is_current: false,
            last_time: LogTime::NONE,
            records: 0,
            kinds: Box::new([0; 256]),
        }
    }

    /// The lines above the generations of a stream.
    fn heading(&self, header: &LogHeader) -> String {
        let base = self.base.as_ref().map_or_else(String::new, |base| format!(" \"{base}\""));
        let version = header.version();
        let attached = header.attachments().unwrap_or_default();
        let mut text = format!(
            "Log stream{base}: {}\n  signature {}, version {}.{}.{}.{}, pages of {} bytes, sectors of {}",
            self.place,
            header.signature(),
            version.major,
            version.minor,
            version.update_major,
            version.update_minor,
            header.page_size().map_or_else(|e| e.0.to_string(), |size| size.to_string()),
            header.sector_size(),
        );
        for entry in &attached {
            text += &format!("\n  database {}: {}", entry.fixed.database_id(), entry.path());
        }
        text + "\n  generation  created                   last written              sectors      records  end                 state"
    }

    fn line(&self, header: &LogHeader, end: Option<&EndOfLog>, state: &str) -> String {
        let (used, total, position) =
            end.map_or((0, 0, String::new()), |end| (end.data, end.sectors, end.end.to_string()));
        let generation = header.generation().0;
        format!(
            "  {:<10}  {:<24}  {:<24}  {:>5}/{:<5}  {:>7}  {position:<18}  {state}",
            format!("{generation:#x}"),
            header.create_time().to_string(),
            self.last_time.to_string(),
            used,
            total,
            self.records,
        )
    }

    fn to_json(&self, log: &OpenLog, end: Option<&EndOfLog>, state: &str) -> Value {
        let header = log.header();
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        let version = header.version();
        put("schema", "ese-log-generation-1".into());
        put("path", log.path().to_string_lossy().into_owned().into());
        put("base_name", self.base.clone().map_or(Value::Null, Value::String));
        put("generation", header.generation().0.into());
        put("state", state.into());
        put("signature", signature_to_json(&header.signature()));
        put(
            "version",
            json!({
                "format": version.major,
                "minor": version.minor,
                "update_major": version.update_major,
                "update_minor": version.update_minor,
            }),
        );
        put("created", time_to_json(header.create_time()));
        put("previous_created", time_to_json(header.previous_create_time()));
        put("last_written", time_to_json(self.last_time));
        put("page_size", header.page_size().map_or(Value::Null, |size| size.bytes().into()));
        put("sector_size", header.sector_size().into());
        put("checkpoint_at_creation", position_to_json(header.checkpoint()));
        if let Some(end) = end {
            put("end", end.end.to_string().into());
            put("closed_at", end.closed_at.map_or(Value::Null, position_to_json));
            put(
                "sectors",
                json!({
                    "total": end.sectors, "data": end.data, "shadow": end.shadows, "unused": end.unused,
                    "stale": end.stale, "corrected": end.corrected, "from_shadow": end.from_shadow, "bad": end.bad,
                }),
            );
            put("accumulated_checksum", format!("{:#018x}", end.accumulated_checksum).into());
        }
        put("records", self.records.into());
        let kinds: Map<String, Value> = (self.kinds.iter().zip(0u8..=255))
            .filter(|(count, _)| **count != 0)
            .map(|(count, number)| (RecordKind(number).to_string(), (*count).into()))
            .collect();
        put("types", kinds.into());
        let attached = header.attachments().unwrap_or_default();
        let attached = attached.iter().map(|entry| {
            json!({
                "database": entry.fixed.database_id(),
                "path": entry.path(),
                "signature": signature_to_json(&entry.fixed.signature()),
                "dbtime": entry.fixed.db_time().0,
                "attached_at": position_to_json(entry.fixed.attach_position()),
                "consistent_at": position_to_json(entry.fixed.consistent_position()),
            })
        });
        put("attached", attached.collect());
        Value::Object(object)
    }
}

/// One word for how a generation ends.
fn state(is_current: bool, end: Option<&EndOfLog>) -> &'static str {
    match end {
        None => "unreadable",
        Some(end) if end.defect.is_some() => "damaged",
        // Its last record ends a run of the instance in order.
        Some(end) if end.closed_at.is_some() => "closed",
        Some(end) if end.data == 0 => "empty",
        // What was written last; more may have been on its way.
        Some(_) if is_current => "open",
        // Another generation follows.
        Some(_) => "complete",
    }
}

impl View for GenerationList {
    fn stream(&mut self, stream: &Stream, _writer: &mut Writer) -> Result<(), Failure> {
        self.base = stream.base.as_ref().map(|base| base.as_str().to_owned());
        self.place = stream.path.display().to_string();
        self.previous = None;
        Ok(())
    }

    fn generation(&mut self, log: &OpenLog, is_current: bool, _writer: &mut Writer) -> Result<(), Failure> {
        self.is_current = is_current;
        self.last_time = log.header().create_time();
        self.records = 0;
        self.kinds.fill(0);
        Ok(())
    }

    fn record(
        &mut self,
        _raw: &RawRecord<'_>,
        record: &Record<'_>,
        time: LogTime,
        _writer: &mut Writer,
    ) -> Result<(), Failure> {
        self.last_time = time;
        self.records += 1;
        if let Some(count) = self.kinds.get_mut(usize::from(record.kind().0)) {
            *count += 1;
        }
        Ok(())
    }

    fn generation_end(
        &mut self,
        log: &OpenLog,
        end: Option<&EndOfLog>,
        writer: &mut Writer,
    ) -> Result<(), Failure> {
        let header = log.header();
        let state = state(self.is_current, end);
        if writer.json() {
            return writer.object(&self.to_json(log, end, state));
        }
        let before = self.previous.as_ref();
        if before.is_none_or(|b| b.signature() != header.signature() || b.version() != header.version()) {
            writer.line(self.heading(header))?;
        }
        writer.line(self.line(header, end, state))?;
        self.previous = Some(header.clone());
        Ok(())
    }

    fn interruption(&mut self, _writer: &mut Writer) -> Result<(), Failure> {
        Ok(())
    }

    fn wants_all_generations(&self) -> bool {
        true
    }

    fn finish(&mut self, _writer: &mut Writer) -> Result<(), Failure> {
        Ok(())
    }
}
