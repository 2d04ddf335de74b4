//! Long values from their tree.

use ese_format::{
    KeyParts, LongValueFlags, LongValueId, LongValueKey, LongValueRoot, PageNumber, SearchKey,
    decompress_value,
};

use super::error::LongValueProblem;
use super::{Cursor, Found, PageSource, Tree, TreeError, TreeProblem};

/// Puts long values together. Keeps its cursor and one chunk of memory between values.
pub struct LongValueReader<'t, S: PageSource> {
    cursor: Cursor<'t, S>,
    chunk_size: u32,
    plain: Vec<u8>,
}

impl<'t, S: PageSource> LongValueReader<'t, S> {
    /// Values of a long-value tree whose chunks stand for `chunk_size` bytes each.
    pub fn new(tree: &'t Tree<S>, chunk_size: u32) -> Self {
        Self { cursor: tree.cursor(), chunk_size: chunk_size.max(1), plain: Vec::new() }
    }

    /// The root of a long value: size and references.
    ///
    /// # Errors
    /// When it is not there, has no legal form, or a page cannot be read.
    pub fn root(&mut self, id: LongValueId) -> Result<LongValueRoot, TreeError> {
        if self.cursor.seek(SearchKey::key(&id.key()))? != Found::Equal {
            return Err(self.problem(id, LongValueProblem::Missing));
        }
        let root = match self.cursor.node()? {
            Some(node) => LongValueRoot::decode(node.data),
            None => return Err(self.problem(id, LongValueProblem::Missing)),
        };
        root.map_err(|e| self.problem(id, e.into()))
    }

    /// Hands the value's bytes to `sink`, piece by piece, and returns its size.
    ///
    /// # Errors
    /// As [`root`](Self::root); and when the value is encrypted, has a hole, or a chunk does not yield what it should.
    pub fn read(&mut self, id: LongValueId, mut sink: impl FnMut(&[u8])) -> Result<u32, TreeError> {
        let root = self.root(id)?;
        if root.flags.contains(LongValueFlags::ENCRYPTED) {
            return Err(self.problem(id, LongValueProblem::Encrypted));
        }
        let mut offset = 0;
        while offset < root.size {
            let expected = self.chunk_size.min(root.size - offset);
            let hole = LongValueProblem::Hole { expected: offset, size: root.size };
            let moved = self.cursor.move_next()?;
            let Some(node) = (if moved { self.cursor.node()? } else { None }) else {
                return Err(self.problem(id, hole));
            };
            if !is_chunk(node.key(), id, offset) {
                return Err(self.problem(id, hole));
            }
            let found = match node.data.len().cmp(&(expected as usize)) {
                std::cmp::Ordering::Equal => {
                    sink(node.data);
                    None
                }
                std::cmp::Ordering::Greater => {
                    Some(LongValueProblem::ChunkLength { offset, expected, found: node.data.len() })
                }
                std::cmp::Ordering::Less => {
                    self.plain.clear();
                    // A chunk is bounded by what a page can hold compressed; `expected` by the chunk size.
                    match decompress_value(node.data, expected as usize, &mut self.plain) {
                        Err(source) => Some(LongValueProblem::Compression { offset, source }),
                        Ok(()) if self.plain.len() != expected as usize => {
                            Some(LongValueProblem::ChunkLength { offset, expected, found: self.plain.len() })
                        }
                        Ok(()) => {
                            sink(&self.plain);
                            None
                        }
                    }
                }
            };
            if let Some(what) = found {
                return Err(self.problem(id, what));
            }
            offset += expected;
        }
        Ok(root.size)
    }

    fn problem(&self, id: LongValueId, what: LongValueProblem) -> TreeError {
        let page =
            self.cursor.position().map_or(self.cursor.tree().root(), |(page, _): (PageNumber, _)| page);
        TreeError::new(page, TreeProblem::LongValue { id, what })
    }
}

fn is_chunk(key: KeyParts<'_>, id: LongValueId, offset: u32) -> bool {
    LongValueKey::decode(key).is_ok_and(|k| k == LongValueKey { id, offset: Some(offset) })
}
