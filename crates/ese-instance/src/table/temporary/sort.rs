//! Sorting rows: in memory as far as that goes, and by merging runs.

use std::sync::Arc;

use ese_btree::live::LiveTrees;
use ese_format::PageSize;

use super::super::error::Result;
use super::run::{Merge, Run, RunWriter};

/// Bytes of rows that are sorted in memory.
#[doc(alias = "cbSortMemNorm")]
const MOST_BYTES: usize = 1 << 20;
/// Rows that are sorted in memory.
#[doc(alias = "cspairSortMax")]
const MOST_ROWS: usize = 4088;
/// A sort that takes more than this becomes a table when it is to be searched.
#[doc(alias = "cbResidentTTMax")]
const MOST_RESIDENT: usize = 64 << 10;
/// Bytes that a row takes beside key and row, and the multiples that it is counted in.
const ROW_OVERHEAD: usize = 4;
const GRANULE: usize = 16;
/// Runs that are merged at once.
#[doc(alias = "crunFanInMax")]
const FAN_IN: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The first bytes of the key, as a number.
    prefix: u64,
    start: usize,
    key_len: usize,
    len: usize,
}

/// Rows on their way to be sorted, by key and then by their bytes.
#[derive(Debug)]
pub(in crate::table) struct Sort {
    trees: Arc<LiveTrees>,
    page_size: PageSize,
    keeps_duplicates: bool,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    measured: usize,
    runs: Vec<Run>,
}

/// Sorted rows, from the lowest on.
#[derive(Debug)]
pub(in crate::table) struct Sorted {
    source: Source,
    keeps_duplicates: bool,
    key: Vec<u8>,
    row: Vec<u8>,
    started: bool,
}

#[derive(Debug)]
enum Source {
    Memory { bytes: Vec<u8>, entries: std::vec::IntoIter<Entry> },
    Merge(Merge),
}

impl Sort {
    /// Nothing yet. Without `keeps_duplicates` one row with each key stays: that with the lowest bytes.
    pub(in crate::table) const fn new(
        trees: Arc<LiveTrees>,
        page_size: PageSize,
        keeps_duplicates: bool,
    ) -> Self {
        Self {
            trees,
            page_size,
            keeps_duplicates,
            bytes: Vec::new(),
            entries: Vec::new(),
            measured: 0,
            runs: Vec::new(),
        }
    }

    /// Whether there is more than is searched in place.
    #[doc(alias = "JET_wrnSortOverflow")]
    pub(in crate::table) const fn overflows(&self) -> bool {
        !self.runs.is_empty() || self.measured > MOST_RESIDENT
    }

    /// Adds a row.
    #[doc(alias = "ErrSORTInsert")]
    pub(in crate::table) fn insert(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        let taken = (ROW_OVERHEAD + key.len() + row.len()).next_multiple_of(GRANULE);
        if self.measured + taken > MOST_BYTES || self.entries.len() >= MOST_ROWS {
            self.write_run()?;
        }
        let mut prefix = [0; 8];
        for (to, from) in prefix.iter_mut().zip(key) {
            *to = *from;
        }
        let (start, key_len, len) = (self.bytes.len(), key.len(), key.len() + row.len());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(row);
        self.entries.push(Entry { prefix: u64::from_be_bytes(prefix), start, key_len, len });
        self.measured += taken;
        Ok(())
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.entries.sort_unstable_by(|a, b| {
            let parts = |entry: &Entry| split(bytes, *entry);
            a.prefix.cmp(&b.prefix).then_with(|| parts(a).cmp(&parts(b)))
        });
    }

    /// What is in memory becomes a run.
    #[doc(alias = "ErrSORTIOutputRun")]
    fn write_run(&mut self) -> Result<()> {
        self.sort();
        let mut writer = RunWriter::new(&self.trees, self.page_size)?;
        let mut last = None;
        for &entry in &self.entries {
            let (key, row) = split(&self.bytes, entry);
            if self.keeps_duplicates || last != Some(key) {
                writer.push(key, row)?;
            }
            last = Some(key);
        }
        self.runs.push(writer.finish()?);
        self.entries.clear();
        self.bytes.clear();
        self.measured = 0;
        Ok(())
    }

    /// The rows in order.
    #[doc(alias = "ErrSORTEndInsert")]
    pub(in crate::table) fn finish(mut self) -> Result<Sorted> {
        let keeps_duplicates = self.keeps_duplicates;
        let source = if self.runs.is_empty() {
            self.sort();
            Source::Memory { bytes: self.bytes, entries: self.entries.into_iter() }
        } else {
            if !self.entries.is_empty() {
                self.write_run()?;
            }
            self.bytes = Vec::new();
            while self.runs.len() > FAN_IN {
                let rest = self.runs.split_off(FAN_IN);
                let merge = Merge::new(std::mem::replace(&mut self.runs, rest))?;
                let mut some = Sorted::new(Source::Merge(merge), keeps_duplicates);
                let mut writer = RunWriter::new(&self.trees, self.page_size)?;
                while some.advance()? {
                    writer.push(some.key(), some.row())?;
                }
                self.runs.push(writer.finish()?);
            }
            Source::Merge(Merge::new(self.runs)?)
        };
        Ok(Sorted::new(source, keeps_duplicates))
    }
}

impl Sorted {
    const fn new(source: Source, keeps_duplicates: bool) -> Self {
        Self { source, keeps_duplicates, key: Vec::new(), row: Vec::new(), started: false }
    }

    /// Key of the current row.
    pub(in crate::table) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The current row.
    pub(in crate::table) fn row(&self) -> &[u8] {
        &self.row
    }

    /// Goes to the next row, the first one at first. False behind the last.
    pub(in crate::table) fn advance(&mut self) -> Result<bool> {
        loop {
            let found = match &mut self.source {
                Source::Memory { bytes, entries } => entries.next().map(|entry| split(bytes, entry)),
                Source::Merge(merge) => {
                    if self.started {
                        merge.advance()?;
                    }
                    merge.current()
                }
            };
            let Some((key, row)) = found else { return Ok(false) };
            let again = self.started && !self.keeps_duplicates && key == self.key;
            self.started = true;
            if again {
                continue;
            }
            self.key.clear();
            self.key.extend_from_slice(key);
            self.row.clear();
            self.row.extend_from_slice(row);
            return Ok(true);
        }
    }
}

/// Key and row of an entry.
fn split(bytes: &[u8], entry: Entry) -> (&[u8], &[u8]) {
    let both = bytes.get(entry.start..entry.start + entry.len).unwrap_or_default();
    both.split_at_checked(entry.key_len).unwrap_or((both, &[]))
}
