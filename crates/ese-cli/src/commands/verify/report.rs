//! What `ese verify` tells of a file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ese_format::{HeaderCopy, JetError, PageSize};
use serde_json::{Map, Value, json};

use crate::file_kind::kind_description;

/// The outcome for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything was verified, nothing found.
    Clean,
    /// Something was found.
    Findings,
    /// The file, or a part of it, could not be verified, and nothing else was found. Never a pass.
    NotVerified,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Findings => "findings",
            Self::NotVerified => "not_verified",
        }
    }
}

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A copy of a header; for programs pages -1 and 0, as the engine's tools number them.
    Header(HeaderCopy),
    /// A page.
    Page(u32),
    /// No single page: a tree, or the database as a whole.
    Whole,
    /// A segment of a log; 0 is its header. Sectors of older logs are counted the same way.
    Segment(u16),
    /// A file of a set.
    File(String),
}

/// One finding.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    /// Where.
    pub(super) place: Place,
    /// What kind, in lower case with underscores.
    pub(super) kind: &'static str,
    /// What should be there.
    pub(super) expected: Value,
    /// What is there.
    pub(super) found: Value,
    /// What the engine says to it.
    pub(super) jet_error: Option<JetError>,
    /// One line for people.
    pub(super) text: String,
    /// More members for programs.
    pub(super) more: Vec<(&'static str, Value)>,
}

/// Findings that are printed for people; programs get all.
const PRINTED_FINDINGS: usize = 100;

/// Everything that is told of a file.
#[derive(Clone, Debug)]
pub(super) struct FileReport {
    path: PathBuf,
    /// What the file is.
    pub(super) kind: &'static str,
    /// The outcome.
    pub(super) verdict: Verdict,
    /// Page size, where known.
    pub(super) page_size: Option<PageSize>,
    /// Counts: the name of what is counted (`pages`, `segments`), and name and number of each count.
    pub(super) counts: Option<(&'static str, Vec<(&'static str, u64)>)>,
    /// More members for programs, between the counts and the findings.
    pub(super) more: Vec<(&'static str, Value)>,
    /// Remarks for people.
    pub(super) remarks: Vec<String>,
    /// Findings.
    pub(super) findings: Vec<Finding>,
    /// Findings that were counted but not kept.
    pub(super) findings_omitted: u64,
}

impl FileReport {
    /// A report of which nothing is known but that nothing was found.
    pub(super) fn new(path: &Path, kind: &'static str) -> Self {
        Self {
            path: path.to_path_buf(),
            kind,
            verdict: Verdict::Clean,
            page_size: None,
            counts: None,
            more: Vec::new(),
            remarks: Vec::new(),
            findings: Vec::new(),
            findings_omitted: 0,
        }
    }

    /// Adds a finding; the verdict follows.
    pub(super) fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
        self.verdict = Verdict::Findings;
    }

    pub(super) fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        put("schema", "ese-verify-1".into());
        put("path", self.path.to_string_lossy().into_owned().into());
        put("kind", self.kind.into());
        put("verdict", self.verdict.name().into());
        put("page_size", self.page_size.map_or(Value::Null, |size| size.bytes().into()));
        if let Some((unit, counts)) = &self.counts {
            let counts: Map<String, Value> =
                counts.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect();
            put(unit, counts.into());
        }
        for (name, value) in &self.more {
            put(name, value.clone());
        }
        put("findings", self.findings.iter().map(Finding::to_json).collect());
        put("findings_omitted", self.findings_omitted.into());
        Value::Object(object)
    }

    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{}: {}", self.path.display(), kind_description(self.kind));
        if let Some(size) = self.page_size {
            let _ = write!(text, ", pages of {size} bytes");
        }
        let verdict = match self.verdict {
            Verdict::Clean => "clean",
            Verdict::Findings => "FINDINGS",
            Verdict::NotVerified => "NOT VERIFIED",
        };
        let _ = write!(text, ": {verdict}");
        if let Some((unit, counts)) = &self.counts {
            let mut parts = Vec::new();
            for (name, count) in counts {
                match *name {
                    "total" if *count == 1 => parts.insert(0, format!("1 {}", unit.trim_end_matches('s'))),
                    "total" => parts.insert(0, format!("{count} {unit}")),
                    // The usual three are told even when there are none of them.
                    "good" | "uninitialized" | "bad" => {
                        parts.push(format!("{count} {}", name.replace('_', " ")))
                    }
                    _ if *count > 0 => parts.push(format!("{count} {}", name.replace('_', " "))),
                    _ => {}
                }
            }
            let _ = write!(text, "\n  {}", parts.join(", ").replacen(", ", ": ", 1));
        }
        for remark in &self.remarks {
            let _ = write!(text, "\n  {remark}");
        }
        for finding in self.findings.iter().take(PRINTED_FINDINGS) {
            let place = match &finding.place {
                Place::Header(HeaderCopy::Primary) => "header".to_owned(),
                Place::Header(HeaderCopy::Secondary) => "second header".to_owned(),
                Place::Page(page) => format!("page {page}"),
                Place::Whole => "database".to_owned(),
                Place::Segment(segment) => format!("segment {segment}"),
                Place::File(name) => name.clone(),
            };
            let _ = write!(text, "\n  {place}: {}", finding.text);
            if let Some(error) = finding.jet_error {
                let _ = write!(text, " [{error}]");
            }
        }
        let hidden = self.findings.len().saturating_sub(PRINTED_FINDINGS) as u64 + self.findings_omitted;
        if hidden > 0 {
            let _ = write!(text, "\n  and {hidden} more findings (--json lists them)");
        }
        text
    }
}

impl Finding {
    fn to_json(&self) -> Value {
        let (unit, number): (_, Value) = match &self.place {
            Place::Header(HeaderCopy::Primary) => ("page", (-1).into()),
            Place::Header(HeaderCopy::Secondary) => ("page", 0.into()),
            Place::Page(page) => ("page", (*page).into()),
            Place::Whole => ("page", Value::Null),
            Place::Segment(segment) => ("segment", (*segment).into()),
            Place::File(name) => ("file", name.clone().into()),
        };
        let mut object = json!({
            unit: number,
            "kind": self.kind,
            "text": self.text,
            "expected": self.expected,
            "found": self.found,
            "jet_error": self.jet_error.map(|error| error.0),
            "jet_error_name": self.jet_error.and_then(JetError::name),
        });
        if let Value::Object(map) = &mut object {
            map.extend(self.more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        }
        object
    }
}
