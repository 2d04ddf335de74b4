//! `ese stats`: what the records of a stream add up to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ese_format::{LogPosition, LogTime};
use ese_log::record::{Record, RecordKind};
use ese_log::{BaseName, EndOfLog, LogNames, OpenLog, RawRecord, read_checkpoint};
use serde_json::json;

use super::View;
use super::sources::Stream;
use super::writer::Writer;
use crate::context::Context;
use crate::failure::Failure;

/// Sessions whose open transactions are counted apart; there are no more numbers.
type OpenTransactions = BTreeMap<u16, u64>;

/// Adds up what the logs of a stream hold, and prints it when the stream ends.
pub(super) struct Statistics<'c> {
    context: &'c Context,
    sums: Option<Sums>,
}

#[derive(Default)]
struct Sums {
    base: Option<BaseName>,
    place: PathBuf,
    generations: u64,
    /// Bytes of the files up to the end of their data.
    log_bytes: u64,
    record_bytes: u64,
    kinds: BTreeMap<u8, (u64, u64)>,
    /// Rows and index entries as the application changed them: keys and data of inserts and replaces, deltas.
    payload: u64,
    page_changes: u64,
    open: OpenTransactions,
    committed: u64,
    committed_bytes: u64,
    largest: u64,
    rolled_back: u64,
    first: LogTime,
    last: LogTime,
    end: LogPosition,
    sector_size: u64,
    file_len: u64,
}

impl<'c> Statistics<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self { context, sums: None }
    }

    fn print(&mut self, writer: &mut Writer) -> Result<(), Failure> {
        let Some(sums) = self.sums.take().filter(|sums| sums.generations > 0) else { return Ok(()) };
        let checkpoint = sums.base.clone().and_then(|base| self.checkpoint(&sums.place, base));
        let lag = checkpoint.map(|from| sums.lag(from));
        if writer.json() {
            writer.object(&sums.to_json(checkpoint, lag))
        } else {
            sums.lines(checkpoint, lag).into_iter().try_for_each(|line| writer.line(line))
        }
    }

    /// The position of the checkpoint, when there is one to be read.
    fn checkpoint(&self, directory: &Path, base: BaseName) -> Option<LogPosition> {
        [
            LogNames::legacy(base.clone()),
            LogNames { extension: ese_log::LogExtension::Current, ..LogNames::legacy(base) },
        ]
        .iter()
        .find_map(|names| {
            read_checkpoint(&self.context.storage, &directory.join(names.checkpoint()), None).ok()
        })
        .map(|pair| pair.checkpoint.position())
    }
}

impl Sums {
    fn add(&mut self, record: &Record<'_>, bytes: u64) {
        let kind = self.kinds.entry(record.kind().0).or_default();
        kind.0 += 1;
        kind.1 += bytes;
        self.record_bytes += bytes;
        self.payload += payload(record);
        self.page_changes += u64::from(record.page_prefix().is_some());
        let Some(session) = record.session().map(|session| session.0) else { return };
        match record {
            Record::Begin0(_) => {
                self.open.insert(session, bytes);
            }
            Record::Commit0(_) => {
                let all = self.open.remove(&session).unwrap_or(0) + bytes;
                self.committed += 1;
                self.committed_bytes += all;
                self.largest = self.largest.max(all);
            }
            Record::Rollback(rollback) => {
                if rollback.level_count > 0 && self.open.remove(&session).is_some() {
                    self.rolled_back += 1;
                }
            }
            _ => {
                if let Some(open) = self.open.get_mut(&session) {
                    *open += bytes;
                }
            }
        }
    }

    /// Bytes between the checkpoint and the end of the logs, and generations it would take to read them.
    fn lag(&self, from: LogPosition) -> (u64, u32) {
        let at = |p: LogPosition| {
            u64::from(p.generation) * self.file_len
                + u64::from(p.sector) * self.sector_size
                + u64::from(p.byte)
        };
        (at(self.end).saturating_sub(at(from)), self.end.generation.saturating_sub(from.generation))
    }

    fn largest_kinds(&self) -> Vec<(RecordKind, u64, u64)> {
        let mut kinds: Vec<_> = self.kinds.iter().map(|(&kind, &(n, b))| (RecordKind(kind), n, b)).collect();
        kinds.sort_by_key(|&(kind, _, bytes)| (std::cmp::Reverse(bytes), kind.0));
        kinds
    }

    fn lines(&self, checkpoint: Option<LogPosition>, lag: Option<(u64, u32)>) -> Vec<String> {
        let base = self.base.as_ref().map_or_else(String::new, |base| format!(" \"{}\"", base.as_str()));
        let mut lines = vec![
            format!("Log stream{base}: {}", self.place.display()),
            format!("  from {} to {}, end at {}", self.first, self.last, self.end),
            format!(
                "  log             {} generations, {} bytes, {} of records",
                self.generations, self.log_bytes, self.record_bytes
            ),
            format!(
                "  transactions    {} committed, {} rolled back, {} open at the end",
                self.committed,
                self.rolled_back,
                self.open.len()
            ),
            format!(
                "  a transaction   {:.0} bytes of records, {:.0} of log; the largest {} of records",
                ratio(self.committed_bytes, self.committed),
                ratio(self.log_bytes, self.committed),
                self.largest
            ),
            format!(
                "  amplification   {:.2} bytes of log for each byte of keys and data changed ({} bytes)",
                ratio(self.log_bytes, self.payload),
                self.payload
            ),
            format!(
                "  page changes    {}, {:.1} a transaction",
                self.page_changes,
                ratio(self.page_changes, self.committed)
            ),
        ];
        lines.push(match (checkpoint, lag) {
            (Some(position), Some((bytes, generations))) => format!(
                "  checkpoint      {position}, {bytes} bytes and {generations} generations behind the end"
            ),
            _ => "  checkpoint      none is here".to_owned(),
        });
        lines.push("  records              number          bytes   share".to_owned());
        for (kind, number, bytes) in self.largest_kinds() {
            let name = kind.name().map_or_else(|| kind.0.to_string(), str::to_owned);
            let share = 100.0 * ratio(bytes, self.record_bytes);
            lines.push(format!("    {name:<18} {number:>10} {bytes:>14} {share:>6.1}%"));
        }
        lines
    }

    fn to_json(&self, checkpoint: Option<LogPosition>, lag: Option<(u64, u32)>) -> serde_json::Value {
        json!({
            "schema": "ese-stats-1",
            "path": self.place.to_string_lossy(),
            "base": self.base.as_ref().map(BaseName::as_str),
            "generations": self.generations,
            "end": self.end.to_string(),
            "log_bytes": self.log_bytes,
            "record_bytes": self.record_bytes,
            "payload_bytes": self.payload,
            "transactions": {
                "committed": self.committed,
                "rolled_back": self.rolled_back,
                "open": self.open.len(),
                "record_bytes": self.committed_bytes,
                "largest": self.largest,
            },
            "page_changes": self.page_changes,
            "checkpoint": checkpoint.map(|position| position.to_string()),
            "checkpoint_lag": lag.map(|(bytes, generations)| json!({"bytes": bytes, "generations": generations})),
            "records": self.largest_kinds().iter().map(|(kind, number, bytes)| json!({
                "type": kind.0, "name": kind.name(), "number": number, "bytes": bytes,
            })).collect::<Vec<_>>(),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Bytes of keys and data that a record of a node brings.
fn payload(record: &Record<'_>) -> u64 {
    let len = match record {
        Record::Insert(r) => r.key_prefix.len() + r.key_suffix.len() + r.data.len(),
        Record::FlagInsert(r) => r.key.len() + r.data.len(),
        Record::FlagInsertAndReplaceData(r) => r.key.len() + r.data.len(),
        Record::Replace(r) | Record::ReplaceDiff(r) => r.data.len(),
        Record::Delta(_) => 4,
        Record::Delta64(_) => 8,
        _ => 0,
    };
    len as u64
}

impl View for Statistics<'_> {
    fn stream(&mut self, stream: &Stream, writer: &mut Writer) -> Result<(), Failure> {
        self.print(writer)?;
        self.sums = Some(Sums { base: stream.base.clone(), place: stream.path.clone(), ..Sums::default() });
        Ok(())
    }

    fn generation(&mut self, log: &OpenLog, _: bool, _: &mut Writer) -> Result<(), Failure> {
        if let Some(sums) = &mut self.sums {
            let header = log.header();
            sums.generations += 1;
            sums.sector_size = u64::from(header.sector_size());
            sums.file_len = sums.sector_size * u64::from(header.file_sectors());
            if sums.first.is_none() {
                sums.first = header.create_time();
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        raw: &RawRecord<'_>,
        record: &Record<'_>,
        time: LogTime,
        _: &mut Writer,
    ) -> Result<(), Failure> {
        if let Some(sums) = &mut self.sums {
            sums.add(record, raw.bytes.len() as u64);
            sums.last = time;
            sums.end = raw.position;
        }
        Ok(())
    }

    fn generation_end(&mut self, _: &OpenLog, end: Option<&EndOfLog>, _: &mut Writer) -> Result<(), Failure> {
        if let (Some(sums), Some(end)) = (&mut self.sums, end) {
            sums.log_bytes += u64::from(end.data) * sums.sector_size;
            sums.end = end.end;
        }
        Ok(())
    }

    fn interruption(&mut self, _: &mut Writer) -> Result<(), Failure> {
        Ok(())
    }

    fn wants_all_generations(&self) -> bool {
        true
    }

    fn finish(&mut self, writer: &mut Writer) -> Result<(), Failure> {
        self.print(writer)
    }
}
