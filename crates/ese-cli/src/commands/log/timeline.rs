//! `ese log --timeline`: what happened when.

use std::fmt::Write as _;

use ese_format::{LogPosition, LogTime};
use ese_log::record::{Record, Trace};
use ese_log::{EndOfLog, OpenLog, RawRecord};
use serde_json::{Map, Value, json};

use super::View;
use super::filter::Filter;
use super::record_fields::note_text;
use super::sources::Stream;
use super::transactions::{Ending, Transaction, Transactions};
use super::writer::Writer;
use crate::failure::Failure;
use crate::fields::time_to_json;

/// Pages and trees that are named in one event; the rest is counted.
const NAMED: usize = 64;
/// The same for people.
const NAMED_IN_TEXT: usize = 8;

/// Prints events.
pub(super) struct Timeline<'f> {
    filter: &'f Filter,
    transactions: Transactions,
    /// Between RecoveryUndo and RecoveryQuit: rollbacks are recovery's.
    in_recovery: bool,
    last: (LogPosition, LogTime),
    committed: u64,
    rolled_back: u64,
    never_ended: u64,
}

impl<'f> Timeline<'f> {
    pub(super) fn new(filter: &'f Filter) -> Self {
        Self {
            filter,
            transactions: Transactions::default(),
            in_recovery: false,
            last: (LogPosition::NONE, LogTime::NONE),
            committed: 0,
            rolled_back: 0,
            never_ended: 0,
        }
    }

    /// Ends all open transactions at the place reached.
    fn lose_all(&mut self, writer: &mut Writer) -> Result<(), Failure> {
        for transaction in self.transactions.take_all() {
            self.print_ending(&transaction, Ending::NeverEnded, writer)?;
        }
        Ok(())
    }

    fn print_ending(
        &mut self,
        transaction: &Transaction,
        ending: Ending,
        writer: &mut Writer,
    ) -> Result<(), Failure> {
        let (position, time) = self.last;
        if !transaction.wanted || !self.filter.holds(position, time) {
            return Ok(());
        }
        let what = match ending {
            Ending::Committed(_) => {
                self.committed += 1;
                "commit"
            }
            Ending::RolledBack => {
                self.rolled_back += 1;
                if self.in_recovery { "recovery-rollback" } else { "rollback" }
            }
            Ending::NeverEnded => {
                self.never_ended += 1;
                "never-ended"
            }
        };
        if writer.json() {
            let mut object = self.event(what);
            add_transaction(transaction, ending, &mut object);
            return writer.object(&Value::Object(object));
        }
        writer.line(self.line(what, &transaction_text(transaction)))
    }

    fn event(&self, what: &str) -> Map<String, Value> {
        let (position, time) = self.last;
        let mut object = Map::new();
        object.insert("schema".to_owned(), "ese-log-event-1".into());
        object.insert("event".to_owned(), what.into());
        object.insert("position".to_owned(), position.to_string().into());
        object.insert("time".to_owned(), time_to_json(time));
        object
    }

    fn line(&self, what: &str, details: &str) -> String {
        let (position, time) = self.last;
        format!("{:<24}  {position}  {what:<17}  {details}", time.to_string()).trim_end().to_owned()
    }

    /// Prints what a record says about the instance or a database.
    fn print_note(&self, record: &Record<'_>, writer: &mut Writer) -> Result<(), Failure> {
        let Some(note) = Note::of(record) else { return Ok(()) };
        let (position, time) = self.last;
        if !self.filter.holds(position, time) || !self.filter.accepts(record) {
            return Ok(());
        }
        if !writer.json() {
            return writer.line(self.line(note.what, &note.text()));
        }
        let mut object = self.event(note.what);
        if let Some(session) = record.session() {
            object.insert("session".to_owned(), session.0.into());
        }
        if let Some(database) = record.database() {
            object.insert("database".to_owned(), database.0.into());
        }
        for (name, value) in note.details {
            object.insert(name.to_owned(), value);
        }
        writer.object(&Value::Object(object))
    }
}

fn add_transaction(transaction: &Transaction, ending: Ending, object: &mut Map<String, Value>) {
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("session", transaction.session.0.into());
    put("begin_position", transaction.begin.map_or(Value::Null, |(at, _)| at.to_string().into()));
    put("begin_time", transaction.begin.map_or(Value::Null, |(_, time)| time_to_json(time)));
    put("transaction", transaction.stamp.map_or(Value::Null, |stamp| stamp.0.into()));
    if let Ending::Committed(stamp) = ending {
        put("commit_stamp", stamp.0.into());
    }
    put("changes", transaction.changes.into());
    put("undone", transaction.undone.into());
    put("page_count", transaction.pages.len().into());
    put("page_count_is_exact", (!transaction.more_pages).into());
    let pages = transaction.pages.iter().take(NAMED);
    put("pages", pages.map(|(database, page)| json!([database, page])).collect());
    let objects = transaction.objects.iter().take(NAMED);
    put("objects", objects.map(|(database, object)| json!([database, object])).collect());
}

fn transaction_text(transaction: &Transaction) -> String {
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let (changes, pages) = (transaction.changes, transaction.pages.len() as u64);
    let mut text = format!("session {}: {changes} change{}", transaction.session, plural(changes));
    if transaction.undone > 0 {
        let _ = write!(text, ", {} undone", transaction.undone);
    }
    let more = if transaction.more_pages { "more than " } else { "" };
    let _ = write!(text, ", {more}{pages} page{}", plural(pages));
    let mut slot = None;
    for (database, page) in transaction.pages.iter().take(NAMED_IN_TEXT) {
        if slot != Some(database) {
            let _ = write!(text, "{}db {database}:", if slot.is_none() { " (" } else { "; " });
            slot = Some(database);
        }
        let _ = write!(text, " {page}");
    }
    if transaction.pages.len() > NAMED_IN_TEXT {
        text += " …";
    }
    if slot.is_some() {
        text += ")";
    }
    let _ = match transaction.begin {
        Some((position, time)) => write!(text, ", began {position} {time}"),
        None => write!(text, ", began before these logs"),
    };
    text
}

/// Something that a record says about the instance or a database.
struct Note {
    what: &'static str,
    details: Vec<(&'static str, Value)>,
}

impl Note {
    fn of(record: &Record<'_>) -> Option<Self> {
        let note = |what, details| Some(Self { what, details });
        let path = |path: ese_log::record::LoggedPath<'_>| ("path", Value::from(path.to_text()));
        match record {
            Record::Init(_) => note("start", vec![]),
            Record::Term(_) | Record::Term2(_) => note("end", vec![]),
            Record::ShutDownMark => note("shutdown", vec![]),
            Record::RecoveryUndo | Record::RecoveryUndo2(_) => note("recovery-undo", vec![]),
            Record::RecoveryQuit(_) => note("recovered", vec![]),
            Record::RecoveryQuit2(quit) => {
                note("recovered", vec![("redo_from", quit.quit.redo_from.to_string().into())])
            }
            Record::RecoveryQuitKeepAttachments(quit) => note(
                "recovered",
                vec![("redo_from", quit.quit.redo_from.to_string().into()), ("kept_attached", true.into())],
            ),
            Record::CreateDatabase(r) => note("create-database", vec![path(r.logged_path())]),
            Record::AttachDatabase(r) => note("attach-database", vec![path(r.logged_path())]),
            Record::DetachDatabase(r) => note("detach-database", vec![path(r.logged_path())]),
            Record::ReAttach(r) => {
                note("reattach-database", vec![("attached_at", r.attach.to_string().into())])
            }
            Record::SetDatabaseVersion(r) => {
                let version = format!("{}.{}.{}", r.major, r.update_major, r.update_minor);
                note("format-version", vec![("version", version.into())])
            }
            Record::ExtendDatabase(r) => note("extend-database", vec![("last_page", r.last_page.0.into())]),
            Record::ShrinkDatabase(r) | Record::ShrinkDatabase2(r) => {
                note("shrink-database", vec![("last_page", r.last_page.0.into())])
            }
            Record::ShrinkDatabase3(r) => {
                note("shrink-database", vec![("last_page", r.shrink.last_page.0.into())])
            }
            Record::TrimDatabase(r) => note(
                "trim-database",
                vec![("first_page", r.first_page.0.into()), ("page_count", r.page_count.into())],
            ),
            Record::Backup2(r) => note(
                "backup",
                vec![
                    ("phase", r.phase.name().map_or(r.phase.0.into(), Value::from)),
                    ("scope", r.scope.name().map_or(r.scope.0.into(), Value::from)),
                    ("method", r.method.name().map_or(r.method.0.into(), Value::from)),
                ],
            ),
            Record::Backup(r) => {
                note("backup", vec![("phase", r.step.name().map_or(r.step.0.into(), Value::from))])
            }
            Record::FullBackup(_) => note("backup", vec![("scope", "full".into())]),
            Record::IncrementalBackup(_) => note("backup", vec![("scope", "incremental".into())]),
            Record::ExternalRestore(_) | Record::ExternalRestore2(_) => note("restore", vec![]),
            Record::PagePatchRequest(r) => note("page-patch", vec![("page", r.page_number.0.into())]),
            Record::Trace(Trace { text, .. }) => note("trace", vec![("text", note_text(text).into())]),
            Record::ForceLogRollover(Trace { text, .. }) => {
                note("log-rollover", vec![("text", note_text(text).into())])
            }
            _ => None,
        }
    }

    /// The details for people.
    fn text(&self) -> String {
        let parts = self.details.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if matches!(*name, "path" | "text") {
                value
            } else {
                format!("{} {value}", name.replace('_', " "))
            }
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}

impl View for Timeline<'_> {
    fn stream(&mut self, _stream: &Stream, writer: &mut Writer) -> Result<(), Failure> {
        self.lose_all(writer)?;
        self.in_recovery = false;
        Ok(())
    }

    fn record(
        &mut self,
        raw: &RawRecord<'_>,
        record: &Record<'_>,
        time: LogTime,
        writer: &mut Writer,
    ) -> Result<(), Failure> {
        // A new instance, or the end of one: what is open now was never ended.
        if matches!(record, Record::Init(_)) || record.kind().is_quit() {
            self.lose_all(writer)?;
        }
        self.last = (raw.position, time);
        self.print_note(record, writer)?;
        match record {
            Record::RecoveryUndo | Record::RecoveryUndo2(_) => self.in_recovery = true,
            _ if record.kind().is_quit() => self.in_recovery = false,
            _ => {}
        }
        let wanted = self.filter.accepts_everything() || self.filter.accepts(record);
        match self.transactions.follow(raw.position, record, time, wanted) {
            Some((transaction, ending)) => self.print_ending(&transaction, ending, writer),
            None => Ok(()),
        }
    }

    fn generation_end(
        &mut self,
        _log: &OpenLog,
        _end: Option<&EndOfLog>,
        _writer: &mut Writer,
    ) -> Result<(), Failure> {
        Ok(())
    }

    fn interruption(&mut self, writer: &mut Writer) -> Result<(), Failure> {
        self.lose_all(writer)
    }

    fn cut(&mut self) {
        self.transactions.take_all();
    }

    fn finish(&mut self, writer: &mut Writer) -> Result<(), Failure> {
        self.lose_all(writer)?;
        if writer.json() {
            return writer.object(&json!({
                "schema": "ese-log-summary-1",
                "committed": self.committed,
                "rolled_back": self.rolled_back,
                "never_ended": self.never_ended,
            }));
        }
        writer.line(format!(
            "{} transactions committed, {} rolled back, {} never ended",
            self.committed, self.rolled_back, self.never_ended
        ))
    }
}
