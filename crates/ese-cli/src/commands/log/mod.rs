//! `ese log`: what is in transaction logs: generations, records, transactions.

mod bounds;
mod filter;
mod generations;
mod record_fields;
mod records;
mod sources;
mod statistics;
mod timeline;
mod transactions;
mod whole;
mod writer;

use std::ops::RangeInclusive;
use std::path::PathBuf;

use ese_format::{HeaderError, LogHeader, LogPosition, LogTime};
use ese_log::record::{Record, RecordError, RecordKind};
use ese_log::{EndOfLog, LogError, OpenLog, RawRecord, ScanOptions, check_follows};

use self::bounds::{From, To};
use self::filter::Filter;
use self::sources::Stream;
use self::writer::Writer;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Show what is in transaction logs: generations, records, transactions
///
/// Without an option: one line a generation. Files are only read, no database is needed, and nothing of the contents
/// (keys, values) is printed unless --data is given. A damaged log is shown up to the damage; the exit code is 3 then.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Log files, or directories of logs
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// One line a record
    #[arg(long, group = "view")]
    records: bool,
    /// What happened when: transactions that committed, were rolled back or never ended, and the life of databases
    #[arg(long, group = "view")]
    timeline: bool,
    /// Only what touches these pages: a number or a range like 7-12
    #[arg(long, requires = "view", value_name = "PAGES", value_parser = filter::parse_pages)]
    page: Vec<RangeInclusive<u32>>,
    /// Only what this session did
    #[arg(long, requires = "view", value_name = "NUMBER")]
    session: Vec<u16>,
    /// Only what concerns the database in this slot
    #[arg(long, requires = "view", value_name = "SLOT")]
    database: Vec<u8>,
    /// Only what concerns the tree with this object id
    #[arg(long, requires = "view", value_name = "ID")]
    object: Vec<u32>,
    /// Only records of these types, by name or number
    #[arg(long = "type", requires = "view", value_name = "TYPE", value_delimiter = ',', value_parser = filter::parse_kind)]
    kind: Vec<RecordKind>,
    /// Only from here on: a position (generation,sector,byte in hexadecimal), a generation, or a time
    #[arg(long, requires = "view", value_name = "WHERE")]
    from: Option<From>,
    /// Only up to here, included
    #[arg(long, requires = "view", value_name = "WHERE")]
    to: Option<To>,
    /// Print keys, values and page images too, in hexadecimal
    #[arg(long, requires = "records")]
    data: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let filter = Filter::new(arguments);
    let mut view: Box<dyn View> = if arguments.records {
        Box::new(records::RecordList::new(&filter, arguments.data))
    } else if arguments.timeline {
        Box::new(timeline::Timeline::new(&filter))
    } else {
        Box::new(generations::GenerationList::new())
    };
    show(&arguments.paths, &filter, view.as_mut(), context)
}

/// Adds up what the logs hold, for `ese stats`.
pub(super) fn statistics(paths: &[PathBuf], context: &Context) -> Result<Exit, Failure> {
    show(paths, &Filter::default(), &mut statistics::Statistics::new(context), context)
}

fn show(paths: &[PathBuf], filter: &Filter, view: &mut dyn View, context: &Context) -> Result<Exit, Failure> {
    let mut writer = Writer::new(context.output);
    let mut exit = Exit::Clean;
    for path in paths {
        match sources::streams_of(path, context) {
            Ok(streams) => {
                for stream in &streams {
                    exit = exit.and(show_stream(stream, filter, view, &mut writer, context)?);
                }
            }
            Err(failure) => exit = exit.and(writer.failure(&failure)?),
        }
    }
    view.finish(&mut writer)?;
    writer.flush()?;
    Ok(exit)
}

/// Something that is shown of logs. Methods are called in the order of the logs.
trait View {
    /// A stream begins.
    fn stream(&mut self, _stream: &Stream, _writer: &mut Writer) -> Result<(), Failure> {
        Ok(())
    }
    /// A generation begins; `is_current` tells whether its name is that of the log being written.
    fn generation(&mut self, _log: &OpenLog, _is_current: bool, _writer: &mut Writer) -> Result<(), Failure> {
        Ok(())
    }
    /// A record. `time` is the last time known: that of its segment, of a record before it, or of its generation.
    fn record(
        &mut self,
        raw: &RawRecord<'_>,
        record: &Record<'_>,
        time: LogTime,
        writer: &mut Writer,
    ) -> Result<(), Failure>;
    /// A generation has ended. `end` is the verdict on it, where the device let it be made.
    fn generation_end(
        &mut self,
        log: &OpenLog,
        end: Option<&EndOfLog>,
        writer: &mut Writer,
    ) -> Result<(), Failure>;
    /// Records may be missing here: a gap, a foreign log, a damage.
    fn interruption(&mut self, writer: &mut Writer) -> Result<(), Failure>;
    /// What follows is not wanted.
    fn cut(&mut self) {}
    /// Whether generations outside of the bounds are of interest.
    fn wants_all_generations(&self) -> bool {
        false
    }
    /// All logs have been shown.
    fn finish(&mut self, writer: &mut Writer) -> Result<(), Failure>;
}

fn show_stream(
    stream: &Stream,
    filter: &Filter,
    view: &mut dyn View,
    writer: &mut Writer,
    context: &Context,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Clean;
    let mut previous: Option<Previous> = None;
    view.stream(stream, writer)?;
    for file in &stream.files {
        context.check_interrupt()?;
        let (log, opened) = whole::open(&file.path, writer, context)?;
        exit = exit.and(opened);
        let Some(log) = log else {
            view.interruption(writer)?;
            previous = None;
            continue;
        };
        if let Some(Err(error)) = previous.take().map(|previous| previous.check(&log)) {
            exit = exit.and(writer.failure(&failure_of(&error).exit(Exit::Findings))?);
            view.interruption(writer)?;
        }
        let mut end = None;
        if view.wants_all_generations() || filter.may_hold(log.header()) {
            let shown;
            (shown, end) = show_generation(&log, file.is_current, filter, view, writer, context)?;
            exit = exit.and(shown);
        } else {
            view.cut();
        }
        previous = Some(Previous { header: log.header().clone(), end });
    }
    Ok(exit)
}

/// The generation before the one at hand.
struct Previous {
    header: LogHeader,
    end: Option<EndOfLog>,
}

impl Previous {
    /// Whether `log` follows.
    fn check(&self, log: &OpenLog) -> Result<(), LogError> {
        let expected = self.header.generation().next();
        if self.header.signature() == log.header().signature() && log.generation() > expected {
            return Err(LogError::Missing { generation: expected, file: log.path().to_path_buf() });
        }
        check_follows(&self.header, self.end.as_ref(), log.path(), log.header())
    }
}

fn show_generation(
    log: &OpenLog,
    is_current: bool,
    filter: &Filter,
    view: &mut dyn View,
    writer: &mut Writer,
    context: &Context,
) -> Result<(Exit, Option<EndOfLog>), Failure> {
    let options = ScanOptions { is_current, ..ScanOptions::default() };
    let mut reader = log.records(LogPosition::NONE, options);
    let mut time = log.header().create_time();
    let mut damage = None;
    view.generation(log, is_current, writer)?;
    loop {
        match reader.advance() {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                damage = Some(failure_of(&error));
                break;
            }
        }
        if reader.record_count().is_multiple_of(0x4000) {
            context.check_interrupt()?;
        }
        let Some(raw) = reader.current() else { break };
        let record = match Record::decode(raw.bytes) {
            Ok(record) => record,
            Err(error) => {
                damage = Some(undecodable(log, &raw, error));
                break;
            }
        };
        time = own_time(&record).or(reader.segment_time()).unwrap_or(time);
        if filter.is_behind(raw.position, time) {
            view.cut();
            return Ok((Exit::Clean, None));
        }
        view.record(&raw, &record, time, writer)?;
    }
    let end = reader.finish().ok();
    view.generation_end(log, end.as_ref(), writer)?;
    let Some(damage) = damage else { return Ok((Exit::Clean, end)) };
    let exit = writer.failure(&damage)?;
    view.interruption(writer)?;
    // A damaged generation has no accumulated checksum to hold the next one against.
    Ok((exit, None))
}

/// The time that a record itself tells, of those that do.
fn own_time(record: &Record<'_>) -> Option<LogTime> {
    let time = match record {
        Record::Init(r) => r.time?,
        Record::Term2(r) | Record::RecoveryQuit2(r) | Record::RecoveryQuitKeepAttachments(r) => r.time,
        Record::RecoveryUndo2(r) => r.time,
        _ => return None,
    };
    Some(time).filter(|time| !time.is_none())
}

/// A failed operation on logs, as the program tells it. What was damaged is a finding: the rest was shown.
fn failure_of(error: &LogError) -> Failure {
    let mut failure = Failure::jet(error.jet_error(), error);
    if let Some(file) = error.file() {
        failure = failure.file(file);
    }
    if let Some(position) = error.position() {
        failure = failure.at("log_position", position.to_string());
    }
    match error {
        LogError::Damaged { defect, .. } => {
            failure = failure.at("segment", defect.sector).at("defect", defect.kind.name());
            if let (Some(expected), Some(found)) = (defect.expected, defect.found) {
                failure = failure.expected(format!("{expected:#018x}")).found(format!("{found:#018x}"));
            }
            failure.exit(Exit::Findings)
        }
        LogError::Records { .. } => failure.exit(Exit::Findings),
        LogError::Header { error: HeaderError::Checksum { expected, found, .. }, .. } => {
            let failure = failure.expected(format!("{expected:#010x}")).found(format!("{found:#010x}"));
            failure.at("offset", 0).exit(Exit::Findings)
        }
        _ => failure,
    }
}

/// A record that the reader let pass and the codec does not.
fn undecodable(log: &OpenLog, raw: &RawRecord<'_>, error: RecordError) -> Failure {
    Failure::jet(error.jet_error(), error)
        .file(log.path())
        .at("log_position", raw.position.to_string())
        .exit(Exit::Findings)
}
