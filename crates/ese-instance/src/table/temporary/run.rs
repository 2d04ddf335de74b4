//! Runs: sorted rows that did not fit into memory, in trees of the temporary database, and their merging.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use ese_btree::live::{LiveTrees, Tree};
use ese_format::{JetError, PageNumber, PageSize, largest_record};

use super::super::error::{Result, TableError};
use crate::instance::TEMPORARY_SLOT;

/// Bytes of a block's number, its key.
const NUMBER_LEN: usize = 4;
/// Bytes in front of each row: lengths of the key and of the row.
const LENGTHS_LEN: usize = 6;

/// Rows in order: a stream of bytes in blocks as large as pages hold, so that reading takes the memory of one block and
/// writing costs no more than pages do. Its space is given back when it is dropped.
///
/// | offset | size | field |
/// |-------:|-----:|-------|
/// |      0 |    2 | length of the key, little-endian |
/// |      2 |    4 | length of the row, little-endian |
/// |      6 |      | key, row |
#[derive(Debug)]
pub(super) struct Run {
    trees: Arc<LiveTrees>,
    tree: Tree,
    blocks: u32,
}

impl Drop for Run {
    fn drop(&mut self) {
        // What cannot be given back goes with the database.
        let _ = self.trees.drop_private_trees(None, &[self.tree]);
    }
}

impl Run {
    fn new(trees: &Arc<LiveTrees>) -> Result<Self> {
        let tree = trees.create_private_tree(TEMPORARY_SLOT, PageNumber::DATABASE_ROOT, 0, 16, true)?;
        Ok(Self { trees: Arc::clone(trees), tree, blocks: 0 })
    }
}

/// Writes a run.
pub(super) struct RunWriter {
    run: Run,
    block_len: usize,
    block: Vec<u8>,
}

impl RunWriter {
    pub(super) fn new(trees: &Arc<LiveTrees>, page_size: PageSize) -> Result<Self> {
        let block_len = largest_record(page_size, NUMBER_LEN);
        Ok(Self { run: Run::new(trees)?, block_len, block: Vec::with_capacity(block_len) })
    }

    /// Adds a row behind the last one.
    pub(super) fn push(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        let too_long = |_| TableError::refused("a row to be sorted is too long", JetError::RECORD_TOO_BIG);
        let key_len = u16::try_from(key.len()).map_err(too_long)?.to_le_bytes();
        let row_len = u32::try_from(row.len()).map_err(too_long)?.to_le_bytes();
        for part in [&key_len[..], &row_len, key, row] {
            self.append(part)?;
        }
        Ok(())
    }

    fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.block_len.saturating_sub(self.block.len());
            let (now, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.block.extend_from_slice(now);
            bytes = rest;
            if self.block.len() >= self.block_len {
                self.write_block()?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self) -> Result<()> {
        let number = self.run.blocks.to_be_bytes();
        self.run.trees.insert_private(&self.run.tree, &number, &self.block)?;
        self.run.blocks += 1;
        self.block.clear();
        Ok(())
    }

    /// The run, complete.
    pub(super) fn finish(mut self) -> Result<Run> {
        if !self.block.is_empty() {
            self.write_block()?;
        }
        Ok(self.run)
    }
}

/// Reads a run from the beginning.
#[derive(Debug)]
struct RunReader {
    run: Run,
    block: Vec<u8>,
    next_block: u32,
    at: usize,
    key_len: usize,
    /// Key and row of the current place.
    record: Vec<u8>,
}

impl RunReader {
    fn new(run: Run) -> Self {
        Self { run, block: Vec::new(), next_block: 0, at: 0, key_len: 0, record: Vec::new() }
    }

    fn key(&self) -> &[u8] {
        self.record.get(..self.key_len).unwrap_or_default()
    }

    fn row(&self) -> &[u8] {
        self.record.get(self.key_len..).unwrap_or_default()
    }

    /// The next row. False at the end.
    fn advance(&mut self) -> Result<bool> {
        self.record.clear();
        if !self.take(LENGTHS_LEN)? {
            return Ok(false);
        }
        let lengths = self.record.first_chunk::<LENGTHS_LEN>().copied().unwrap_or_default();
        let [k0, k1, r0, r1, r2, r3] = lengths;
        self.key_len = usize::from(u16::from_le_bytes([k0, k1]));
        let row_len = u32::from_le_bytes([r0, r1, r2, r3]) as usize;
        self.record.clear();
        if self.take(self.key_len + row_len)? {
            return Ok(true);
        }
        Err(TableError::refused("a run ends in the middle of a row", JetError::INTERNAL_ERROR))
    }

    /// Appends the next `length` bytes to the record. False at the end of the run.
    fn take(&mut self, length: usize) -> Result<bool> {
        let mut left = length;
        while left > 0 {
            if self.at == self.block.len() {
                if self.next_block == self.run.blocks {
                    return Ok(false);
                }
                let number = self.next_block.to_be_bytes();
                if !self.run.trees.get_private(&self.run.tree, &number, &mut self.block)? {
                    let what = "a block of a run is missing";
                    return Err(TableError::refused(what, JetError::INTERNAL_ERROR));
                }
                self.next_block += 1;
                self.at = 0;
            }
            let rest = self.block.get(self.at..).unwrap_or_default();
            let piece = rest.get(..left).unwrap_or(rest);
            self.record.extend_from_slice(piece);
            self.at += piece.len();
            left -= piece.len();
        }
        Ok(true)
    }
}

impl PartialEq for RunReader {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for RunReader {}

impl PartialOrd for RunReader {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RunReader {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key()).then_with(|| self.row().cmp(other.row()))
    }
}

/// Several runs as one.
#[derive(Debug, Default)]
pub(super) struct Merge {
    /// The run with the lowest row on top.
    readers: BinaryHeap<Reverse<RunReader>>,
}

impl Merge {
    pub(super) fn new(runs: Vec<Run>) -> Result<Self> {
        let mut readers = BinaryHeap::with_capacity(runs.len());
        for run in runs {
            let mut reader = RunReader::new(run);
            if reader.advance()? {
                readers.push(Reverse(reader));
            }
        }
        Ok(Self { readers })
    }

    /// Key and row that are lowest now.
    pub(super) fn current(&self) -> Option<(&[u8], &[u8])> {
        self.readers.peek().map(|Reverse(reader)| (reader.key(), reader.row()))
    }

    /// Goes to the next row.
    pub(super) fn advance(&mut self) -> Result<()> {
        if let Some(Reverse(mut reader)) = self.readers.pop()
            && reader.advance()?
        {
            self.readers.push(Reverse(reader));
        }
        Ok(())
    }
}
