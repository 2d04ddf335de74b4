//! What `ese info` tells of a file.

use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};

use ese_format::{
    DatabaseVersion, EngineFormatVersion, FORMAT_VERSIONS, Field, FileKind, FileKindEvidence,
    FlushMapVersion, FormatVersions, HeaderError, HeaderPairStatus, JetError, LogGeneration, LogTime,
    LogVersion, PageSize, Signature,
};
use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::fields;
use crate::file_kind::{kind_description, kind_name};

/// Everything that is told of a file. What a kind of file does not have stays null.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) path: PathBuf,
    /// Length in bytes.
    pub(super) size: u64,
    pub(super) kind: FileKind,
    /// Whether the header's checksum was right.
    verified: bool,
    state: Value,
    page_size: Value,
    version: Value,
    log_required: Value,
    signature: Value,
    log_signature: Value,
    generation: Value,
    pub(super) backup: Value,
    header_copies: Value,
    /// More members for programs.
    more: Map<String, Value>,
    /// Fields of the header.
    header: Vec<Field>,
    /// What is wrong and leaves the file readable: the engine's error, and a text.
    problems: Vec<(Option<JetError>, String)>,
    /// Name and value for people.
    lines: Vec<(&'static str, String)>,
}

impl Report {
    pub(super) fn new(path: &Path, size: u64, kind: FileKind, evidence: FileKindEvidence) -> Self {
        Self {
            path: path.to_path_buf(),
            size,
            kind,
            verified: evidence == FileKindEvidence::Verified,
            state: Value::Null,
            page_size: Value::Null,
            version: Value::Null,
            log_required: Value::Null,
            signature: Value::Null,
            log_signature: Value::Null,
            generation: Value::Null,
            backup: Value::Null,
            header_copies: Value::Null,
            more: Map::new(),
            header: Vec::new(),
            problems: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// A line for people.
    pub(super) fn line(&mut self, name: &'static str, value: impl Display) {
        self.lines.push((name, value.to_string()));
    }

    /// A time for people, when it is set.
    pub(super) fn time_line(&mut self, name: &'static str, time: LogTime) {
        if !time.is_none() {
            self.line(name, time);
        }
    }

    /// Another member for programs.
    pub(super) fn more(&mut self, name: &str, value: impl Into<Value>) {
        self.more.insert(name.to_owned(), value.into());
    }

    pub(super) fn state(&mut self, name: String) {
        self.line("state", name.replace('_', " "));
        self.state = name.into();
    }

    pub(super) fn page_size(&mut self, size: PageSize) {
        self.line("page size", size);
        self.page_size = size.bytes().into();
    }

    pub(super) fn database_version(&mut self, version: DatabaseVersion) {
        self.line("format", with_engine(version, |row| row.database == version));
        self.version = json!({
            "format": version.format,
            "update_major": version.update_major,
            "update_minor": version.update_minor,
        });
    }

    pub(super) fn log_version(&mut self, version: LogVersion) {
        self.line("format", with_engine(version, |row| row.log == version));
        self.version = json!({
            "format": version.major,
            "minor": version.minor,
            "update_major": version.update_major,
            "update_minor": version.update_minor,
        });
    }

    pub(super) fn flush_map_version(&mut self, version: FlushMapVersion) {
        self.line("format", version);
        self.version = json!({
            "format": version.major,
            "update_major": version.update_major,
            "update_minor": version.update_minor,
        });
    }

    pub(super) fn log_required(&mut self, min: LogGeneration, max: LogGeneration, committed: LogGeneration) {
        if max.0 == 0 && committed.0 == 0 {
            self.line("logs required", "none");
        } else {
            self.line("logs required", format_args!("{min} to {max} (to {committed} to lose nothing)"));
        }
        self.log_required = json!({ "min": min.0, "max": max.0, "committed": committed.0 });
    }

    pub(super) fn signature(&mut self, signature: &Signature) {
        self.line("signature", named(signature));
        self.signature = fields::signature_to_json(signature);
    }

    pub(super) fn log_signature(&mut self, signature: &Signature) {
        self.line("log signature", named(signature));
        self.log_signature = fields::signature_to_json(signature);
    }

    /// The signature of a file that belongs to a log stream and has no other.
    pub(super) fn stream_signature(&mut self, signature: &Signature) {
        self.log_signature(signature);
        self.signature = self.log_signature.clone();
    }

    pub(super) fn generation(&mut self, generation: LogGeneration) {
        self.line("generation", format_args!("{generation} ({})", generation.0));
        self.generation = generation.0.into();
    }

    pub(super) fn engine_format(&mut self, engine: EngineFormatVersion) {
        if engine.0 != 0 {
            self.line("written by", format_args!("engine format {engine}"));
        }
    }

    pub(super) fn header_copies(&mut self, status: HeaderPairStatus) {
        self.line(
            "header copies",
            match status {
                HeaderPairStatus::BothGood => "both good",
                HeaderPairStatus::SecondaryStale => "both good, the second is older",
                HeaderPairStatus::SecondaryBad => "the second is damaged",
                HeaderPairStatus::PrimaryBad => "the first is damaged, the second is used",
            },
        );
        self.header_copies = status.name().into();
        if matches!(status, HeaderPairStatus::SecondaryBad | HeaderPairStatus::PrimaryBad) {
            self.problem(Some(JetError::READ_VERIFY_FAILURE), "one copy of the header is damaged");
        }
    }

    pub(super) fn header(&mut self, fields: Vec<Field>) {
        self.header = fields;
    }

    /// Something is wrong that leaves the file readable.
    pub(super) fn problem(&mut self, error: Option<JetError>, text: impl Display) {
        self.problems.push((error, text.to_string()));
    }

    /// The same for the outcome of a check.
    pub(super) fn check(&mut self, result: Result<(), HeaderError>) {
        if let Err(error) = result {
            self.problem(Some(error.jet_error()), &error);
        }
    }

    /// The exit code that the report deserves.
    pub(super) fn exit(&self) -> Exit {
        self.problems.iter().fold(Exit::Clean, |exit, (error, _)| {
            exit.and(match error.map(Exit::for_jet_error) {
                Some(Exit::UnsupportedFormat) => Exit::UnsupportedFormat,
                _ => Exit::Findings,
            })
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        put("schema", "ese-info-1".into());
        put("path", self.path.to_string_lossy().into_owned().into());
        put("kind", kind_name(self.kind, &self.path).into());
        put("size", self.size.into());
        put("verified", self.verified.into());
        put("state", self.state.clone());
        put("page_size", self.page_size.clone());
        put("version", self.version.clone());
        put("log_required", self.log_required.clone());
        put("signature", self.signature.clone());
        put("log_signature", self.log_signature.clone());
        put("generation", self.generation.clone());
        put("backup", self.backup.clone());
        put("header_copies", self.header_copies.clone());
        for (name, value) in &self.more {
            put(name, value.clone());
        }
        put("problems", self.problems.iter().map(|(error, text)| problem_to_json(*error, text)).collect());
        put("header", fields::to_json(&self.header));
        Value::Object(object)
    }

    pub(super) fn to_text(&self, all: bool) -> String {
        let kind = kind_description(kind_name(self.kind, &self.path));
        let mut text = format!("{}: {kind}, {} bytes", self.path.display(), self.size);
        if !self.verified && !self.header.is_empty() {
            text.push_str(", HEADER NOT VERIFIED");
        }
        let width = self.lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &self.lines {
            let _ = write!(text, "\n  {name:width$}  {value}");
        }
        for (error, problem) in &self.problems {
            let _ = write!(text, "\n  PROBLEM: {problem}");
            if let Some(error) = error {
                let _ = write!(text, " [{error}]");
            }
        }
        if all && !self.header.is_empty() {
            text.push_str("\n  header");
            fields::to_text(&self.header, 4, &mut text);
        }
        text
    }
}

fn problem_to_json(error: Option<JetError>, text: &str) -> Value {
    json!({
        "text": text,
        "jet_error": error.map(|e| e.0),
        "jet_error_name": error.and_then(JetError::name),
    })
}

/// A version with the engine formats that write it.
fn with_engine(version: impl Display, is: impl Fn(&FormatVersions) -> bool) -> String {
    let engines: Vec<u32> = FORMAT_VERSIONS.iter().filter(|row| is(row)).map(|row| row.engine.0).collect();
    match (engines.iter().min(), engines.iter().max()) {
        (Some(low), Some(high)) if low == high => format!("{version} (engine format {low})"),
        (Some(low), Some(high)) => format!("{version} (engine formats {low} to {high})"),
        _ => version.to_string(),
    }
}

fn named(signature: &Signature) -> String {
    if signature.is_none() { "none".to_owned() } else { signature.to_string() }
}
