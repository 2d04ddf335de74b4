//! Which records are wanted.

use std::ops::RangeInclusive;

use ese_format::{LogHeader, LogPosition, LogTime};
use ese_log::record::{Record, RecordKind};

use super::Arguments;
use super::bounds::Bound;

/// The filters of the command line. Those of one kind are alternatives; of different kinds all must hold. The default lets
/// everything pass.
#[derive(Default)]
pub(super) struct Filter {
    pages: Vec<RangeInclusive<u32>>,
    sessions: Vec<u16>,
    databases: Vec<u8>,
    objects: Vec<u32>,
    kinds: Vec<RecordKind>,
    from: Option<Bound>,
    to: Option<Bound>,
}

impl Filter {
    pub(super) fn new(arguments: &Arguments) -> Self {
        Self {
            pages: arguments.page.clone(),
            sessions: arguments.session.clone(),
            databases: arguments.database.clone(),
            objects: arguments.object.clone(),
            kinds: arguments.kind.clone(),
            from: arguments.from.map(|from| from.0),
            to: arguments.to.map(|to| to.0),
        }
    }

    /// Whether a generation can hold anything between the bounds.
    pub(super) fn may_hold(&self, header: &LogHeader) -> bool {
        let generation = header.generation().0;
        let end = LogPosition::new(generation, u16::MAX, u16::MAX);
        let too_early = matches!(self.from, Some(Bound::Position(from)) if end < from);
        let start = LogPosition::new(generation, 0, 0);
        !too_early && !self.is_behind(start, header.create_time())
    }

    /// Whether a place is behind everything that is wanted.
    pub(super) fn is_behind(&self, position: LogPosition, time: LogTime) -> bool {
        self.to.is_some_and(|to| to.is_before(position, time))
    }

    /// Whether a place is between the bounds.
    pub(super) fn holds(&self, position: LogPosition, time: LogTime) -> bool {
        !self.is_behind(position, time) && !self.from.is_some_and(|from| from.is_after(position, time))
    }

    /// Whether a record is one of those that are wanted, its place aside.
    pub(super) fn accepts(&self, record: &Record<'_>) -> bool {
        let any = |list: &[u32], value: Option<u32>| {
            list.is_empty() || value.is_some_and(|value| list.contains(&value))
        };
        (self.kinds.is_empty() || self.kinds.contains(&record.kind()))
            && (self.sessions.is_empty() || record.session().is_some_and(|s| self.sessions.contains(&s.0)))
            && (self.databases.is_empty() || record.database().is_some_and(|d| self.databases.contains(&d.0)))
            && any(&self.objects, record.object().map(|object| object.0))
            && self.accepts_pages(record)
    }

    fn accepts_pages(&self, record: &Record<'_>) -> bool {
        if self.pages.is_empty() {
            return true;
        }
        let mut found = false;
        record.visit_pages(&mut |_, page| {
            found = found || self.pages.iter().any(|range| range.contains(&page.0));
        });
        found
    }

    /// Whether every record is wanted.
    pub(super) fn accepts_everything(&self) -> bool {
        self.pages.is_empty()
            && self.sessions.is_empty()
            && self.databases.is_empty()
            && self.objects.is_empty()
            && self.kinds.is_empty()
    }
}

/// A page number, or a range of them.
pub(super) fn parse_pages(text: &str) -> Result<RangeInclusive<u32>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<u32>().map_err(|e| format!("`{text}`: {e}"));
    let range = number(first)?..=number(last)?;
    if range.is_empty() { Err(format!("`{text}`: the range is empty")) } else { Ok(range) }
}

/// A record type by its name or number.
pub(super) fn parse_kind(text: &str) -> Result<RecordKind, String> {
    RecordKind::from_name(text.trim()).ok_or_else(|| {
        let names: Vec<&str> = RecordKind::KNOWN.iter().filter_map(|kind| kind.name()).collect();
        format!("no record type has this name; there are {}", names.join(", "))
    })
}
