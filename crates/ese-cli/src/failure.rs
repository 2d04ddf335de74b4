//! A failed command: what a person and a program are told about it.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use ese_format::{HeaderError, JetError};
use ese_io::{IoError, IoErrorKind};
use serde_json::{Map, Value};

use crate::exit::Exit;

/// Why a command failed, with everything that is known of the place and what to do next.
///
/// Under `--json` it is one object: `error`, `jet_error`, `jet_error_name`, `file`, the position (`offset`, `page`,
/// `segment`, `generation`, `log_position`, … whichever are known), `expected`, `found`, `advice`, `exit_code`.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The program's exit code.
    pub(crate) exit: Exit,
    /// Boxed, because every result of every command carries this type.
    details: Box<Details>,
}

#[derive(Clone, Debug, Default)]
struct Details {
    message: String,
    jet_error: Option<JetError>,
    file: Option<PathBuf>,
    position: Vec<(&'static str, Value)>,
    expected: Option<Value>,
    found: Option<Value>,
    advice: Option<String>,
}

impl Failure {
    /// A failure that has no engine error.
    pub(crate) fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, details: Box::new(Details { message: message.to_string(), ..Details::default() }) }
    }

    /// A failure with an engine error, which also chooses the exit code and a general advice.
    pub(crate) fn jet(error: JetError, message: impl Display) -> Self {
        let mut failure = Self::new(Exit::for_jet_error(error), message);
        failure.details.jet_error = Some(error);
        failure.details.advice = advice_for(error).map(str::to_owned);
        failure
    }

    /// A header that cannot be used.
    pub(crate) fn header(error: &HeaderError, path: impl AsRef<Path>) -> Self {
        let failure = Self::jet(error.jet_error(), error).file(path);
        match error {
            HeaderError::Truncated { expected, found, .. } => failure.expected(*expected).found(*found),
            HeaderError::Checksum { expected, found, .. } => {
                failure.expected(format!("{expected:08x}")).found(format!("{found:08x}"))
            }
            HeaderError::Magic { expected, found, .. } => {
                failure.expected(format!("{expected:08x}")).found(format!("{found:08x}"))
            }
            HeaderError::FileType { expected, found, .. } => failure.expected(expected.0).found(found.0),
            HeaderError::Version { expected, found, .. } | HeaderError::Field { expected, found, .. } => {
                failure.expected(expected.clone()).found(found.clone())
            }
            HeaderError::UnsupportedPageSize { found, .. } => failure.found(*found),
            HeaderError::PageSizeMismatch { expected, found, .. } => {
                failure.expected(expected.bytes()).found(*found)
            }
            HeaderError::Signature { expected, found, .. } => {
                failure.expected(expected.to_string()).found(found.to_string())
            }
            HeaderError::FileSize { expected, found, .. } => failure.expected(*expected).found(*found),
            HeaderError::State { found, .. } => failure.expected("clean_shutdown").found(found.to_string()),
            _ => failure,
        }
    }

    /// The user's interruption.
    pub(crate) fn interrupted() -> Self {
        Self::new(Exit::Interrupted, "interrupted")
    }

    /// The same with another exit code.
    #[must_use]
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same in a file.
    #[must_use]
    pub(crate) fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.details.file = Some(path.as_ref().to_path_buf());
        self
    }

    /// The same at a position: `name` is `offset`, `page`, `segment`, `generation`, `log_position`, …
    #[must_use]
    pub(crate) fn at(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.details.position.push((name, value.into()));
        self
    }

    /// What should have been there.
    #[must_use]
    pub(crate) fn expected(mut self, value: impl Into<Value>) -> Self {
        self.details.expected = Some(value.into());
        self
    }

    /// What was there.
    #[must_use]
    pub(crate) fn found(mut self, value: impl Into<Value>) -> Self {
        self.details.found = Some(value.into());
        self
    }

    /// What to do next.
    #[must_use]
    pub(crate) fn advice(mut self, text: impl Into<String>) -> Self {
        self.details.advice = Some(text.into());
        self
    }

    /// The object that programs get.
    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        put("schema", "ese-error-1".into());
        put("error", self.details.message.clone().into());
        put("jet_error", self.details.jet_error.map_or(Value::Null, |e| e.0.into()));
        put(
            "jet_error_name",
            self.details.jet_error.and_then(JetError::name).map_or(Value::Null, Into::into),
        );
        put(
            "file",
            self.details.file.as_ref().map_or(Value::Null, |p| p.to_string_lossy().into_owned().into()),
        );
        for (name, value) in &self.details.position {
            put(name, value.clone());
        }
        put("expected", self.details.expected.clone().unwrap_or(Value::Null));
        put("found", self.details.found.clone().unwrap_or(Value::Null));
        put("advice", self.details.advice.clone().map_or(Value::Null, Value::String));
        put("exit_code", self.exit.code().into());
        Value::Object(object)
    }

    /// The lines that people get.
    pub(crate) fn to_text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("error: {}", self.details.message);
        if let Some(error) = self.details.jet_error {
            let _ = write!(text, " [{error}]");
        }
        if let Some(file) = &self.details.file {
            let _ = write!(text, "\n  file:     {}", file.display());
        }
        for (name, value) in &self.details.position {
            let _ = write!(text, "\n  {:9} {}", format!("{name}:"), plain(value));
        }
        if let Some(expected) = &self.details.expected {
            let _ = write!(text, "\n  expected: {}", plain(expected));
        }
        if let Some(found) = &self.details.found {
            let _ = write!(text, "\n  found:    {}", plain(found));
        }
        if let Some(advice) = &self.details.advice {
            let _ = write!(text, "\n  next:     {advice}");
        }
        text
    }
}

/// A JSON value without the quotes of a string.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The engine's number for a failed storage call.
pub(crate) fn jet_error_of_io(kind: IoErrorKind) -> JetError {
    match kind {
        IoErrorKind::NotFound => JetError::FILE_NOT_FOUND,
        IoErrorKind::InvalidPath => JetError::INVALID_PATH,
        IoErrorKind::AccessDenied | IoErrorKind::InUse | IoErrorKind::ReadOnly => {
            JetError::FILE_ACCESS_DENIED
        }
        IoErrorKind::AlreadyExists => JetError::FILE_ALREADY_EXISTS,
        IoErrorKind::DiskFull => JetError::DISK_FULL,
        IoErrorKind::TooManyOpenFiles => JetError::OUT_OF_FILE_HANDLES,
        IoErrorKind::OutOfMemory => JetError::OUT_OF_MEMORY,
        IoErrorKind::EndOfFile => JetError::FILE_IO_BEYOND_EOF,
        _ => JetError::DISK_IO,
    }
}

impl From<IoError> for Failure {
    fn from(error: IoError) -> Self {
        let mut failure = Self::jet(jet_error_of_io(error.kind), &error).file(&error.path);
        if error.kind == IoErrorKind::InUse {
            failure = failure
                .exit(Exit::InUse)
                .advice("close the program that holds the file, or work on a copy or a shadow copy of it");
        }
        if let Some(offset) = error.offset {
            failure = failure.at("offset", offset);
        }
        failure
    }
}

/// General advice for an engine error; commands give better advice where they know more.
fn advice_for(error: JetError) -> Option<&'static str> {
    Some(match error {
        JetError::DATABASE_DIRTY_SHUTDOWN => {
            "replay its logs with `ese recover`; the log files must be at hand"
        }
        JetError::SOFT_RECOVERY_ON_BACKUP_DATABASE => {
            "this file belongs to a backup set: bring it up with `ese restore`"
        }
        JetError::REQUIRED_LOG_FILES_MISSING | JetError::MISSING_LOG_FILE => {
            "find the missing log generations (backup, original log folder) and put them beside the others"
        }
        JetError::COMMITTED_LOG_FILES_MISSING | JetError::COMMITTED_LOG_FILE_CORRUPT => {
            "find the missing logs; going on without them loses committed transactions"
        }
        JetError::READ_VERIFY_FAILURE
        | JetError::DATABASE_CORRUPTED
        | JetError::PAGE_NOT_INITIALIZED
        | JetError::READ_PGNO_VERIFY_FAILURE => {
            "run `ese verify` to learn the extent of the damage; restore from a backup if one exists"
        }
        JetError::LOG_FILE_CORRUPT | JetError::LOG_READ_VERIFY_FAILURE => {
            "run `ese verify` on the logs; use an intact copy of the damaged generation if one exists"
        }
        JetError::CHECKPOINT_CORRUPT => {
            "a checkpoint can be done without: recovery then starts at the lowest log"
        }
        JetError::INVALID_DATABASE_VERSION | JetError::BAD_LOG_VERSION => {
            "the file was written by an engine whose format is not supported"
        }
        JetError::FILE_NOT_FOUND | JetError::INVALID_PATH => "check the path",
        JetError::FILE_ACCESS_DENIED => "check the permissions of the file",
        JetError::DISK_FULL => "free some space and try again",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_every_promised_member() {
        let failure = Failure::jet(JetError::READ_VERIFY_FAILURE, "bad page")
            .file("a.edb")
            .at("page", 7)
            .expected("0x1")
            .found("0x2");
        let json = failure.to_json();
        assert_eq!(json["error"], "bad page");
        assert_eq!(json["jet_error"], -1018);
        assert_eq!(json["file"], "a.edb");
        assert_eq!(json["page"], 7);
        assert_eq!(json["expected"], "0x1");
        assert_eq!(json["found"], "0x2");
        assert!(json["advice"].is_string());
        assert!(failure.to_text().contains("page:"));
    }

    #[test]
    fn a_locked_file_exits_with_in_use() {
        let error = IoError::new(ese_io::Operation::Open, IoErrorKind::InUse, "x.edb");
        assert_eq!(Failure::from(error).exit, Exit::InUse);
    }
}
