//! Values in plain bytes.

use ese_btree::{FilePageSource, LongValueReader, TreeError};
use ese_format::{ColumnId, RecordError, TaggedValue, decompress_value};

/// Largest plain size of a compressed value inside a record: what a page of packed 7-bit Unicode expands to, rounded up.
const MAX_INTRINSIC_LEN: usize = 128 * 1024;

/// Yields the plain bytes of tagged values: as they are, decompressed, or from the long-value tree. Keeps its memory
/// from value to value.
pub struct ValueReader<'t> {
    long_values: Option<LongValueReader<'t, &'t FilePageSource>>,
    plain: Vec<u8>,
}

impl<'t> ValueReader<'t> {
    /// A reader for the rows of a table; without `long_values` separated values are errors.
    #[must_use]
    pub fn new(long_values: Option<LongValueReader<'t, &'t FilePageSource>>) -> Self {
        Self { long_values, plain: Vec::new() }
    }

    /// Size of the value in bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn len<E>(&mut self, column: ColumnId, value: TaggedValue<'_>) -> Result<u64, E>
    where
        E: From<RecordError> + From<TreeError>,
    {
        Ok(match value {
            TaggedValue::Plain(bytes) => bytes.len() as u64,
            TaggedValue::Compressed(bytes) => self.decompress(column, bytes)?.len() as u64,
            TaggedValue::Separated(id) => match &mut self.long_values {
                Some(reader) => u64::from(reader.root(id)?.size),
                None => return Err(RecordError::LongValueId { column: column.0, len: 0 }.into()),
            },
        })
    }

    /// Hands the bytes to `sink`, a separated value in pieces.
    ///
    /// # Errors
    /// When the value cannot be decompressed, or the long value cannot be read.
    pub fn read<E>(
        &mut self,
        column: ColumnId,
        value: TaggedValue<'_>,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(), E>
    where
        E: From<RecordError> + From<TreeError>,
    {
        match value {
            TaggedValue::Plain(bytes) => sink(bytes),
            TaggedValue::Compressed(bytes) => sink(self.decompress(column, bytes)?),
            TaggedValue::Separated(id) => match &mut self.long_values {
                Some(reader) => {
                    reader.read(id, sink)?;
                }
                None => return Err(RecordError::LongValueId { column: column.0, len: 0 }.into()),
            },
        }
        Ok(())
    }

    fn decompress(&mut self, column: ColumnId, bytes: &[u8]) -> Result<&[u8], RecordError> {
        self.plain.clear();
        decompress_value(bytes, MAX_INTRINSIC_LEN, &mut self.plain)
            .map_err(|source| RecordError::Compression { column: column.0, source })?;
        Ok(&self.plain)
    }
}

impl<E: From<RecordError> + From<TreeError>> super::PlainValues<E> for ValueReader<'_> {
    fn head(&mut self, value: TaggedValue<'_>, most: usize, out: &mut Vec<u8>) -> Result<(), E> {
        let start = out.len();
        // The column's number is known to whoever reports the error.
        self.read::<E>(ColumnId::default(), value, |piece| {
            let room = most.saturating_sub(out.len() - start).min(piece.len());
            out.extend_from_slice(piece.get(..room).unwrap_or_default());
        })
    }
}
