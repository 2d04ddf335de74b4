//! Records that give a node new data.

use super::body::{self, Body};
use super::error::{EncodeError, RecordError};
use super::field::{Field, FieldValue, FieldVisitor, get_at, put_at};
use super::kind::RecordKind;
use super::prefix::NodePrefix;

/// Size of the fixed part of both records.
const FIXED: usize = 50;
/// Bit of the stored length: the difference has three-byte entry headers.
const LONG_ENTRIES: u16 = 0x8000;

/// A node gets new data, given in full (type 33 Replace) or as a difference (type 34 ReplaceD).
///
/// | offset | size | field |
/// |-------:|-----:|-------|
/// | 0  | 44 | `node` |
/// | 44 | 2 | length of `data` in the low 15 bits; highest bit `long_entries` |
/// | 46 | 2 | `old_size` |
/// | 48 | 2 | `new_size` |
/// | 50 |   | `data` |
#[doc(alias = "LRREPLACE")]
#[doc(alias = "LRREPLACED")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replace<'a> {
    /// Where.
    pub node: NodePrefix,
    /// Size of the node's data before, in bytes.
    #[doc(alias = "cbOldData")]
    pub old_size: u16,
    /// Size of the node's data afterwards, in bytes.
    #[doc(alias = "cbNewData")]
    pub new_size: u16,
    /// The difference uses the long entry headers of page sizes above 8 KiB.
    #[doc(alias = "FDiff2")]
    pub long_entries: bool,
    /// The new data, or the difference to it: see [`apply_diff`](super::apply_diff).
    pub data: &'a [u8],
}

impl<'a> Body<'a> for Replace<'a> {
    const FIXED: usize = FIXED;

    #[inline]
    fn read(kind: RecordKind, bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (fixed, rest) = body::split_fixed::<FIXED>(kind, bytes)?;
        let stored: u16 = get_at(fixed, 44);
        let (data, rest) = body::take(kind, bytes, rest, usize::from(stored & !LONG_ENTRIES))?;
        body::nothing_left(kind, bytes, rest)?;
        Ok(Self {
            node: get_at(fixed, 0),
            old_size: get_at(fixed, 46),
            new_size: get_at(fixed, 48),
            long_entries: stored & LONG_ENTRIES != 0,
            data,
        })
    }

    #[inline]
    fn write(&self, kind: RecordKind, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let length = u16::try_from(self.data.len())
            .ok()
            .filter(|length| length & LONG_ENTRIES == 0)
            .ok_or(EncodeError::TooLong { kind, field: "data", length: self.data.len() })?;
        let fixed = body::begin_fixed::<FIXED>(kind, out);
        put_at(fixed, 0, &self.node);
        put_at(fixed, 44, &(length | if self.long_entries { LONG_ENTRIES } else { 0 }));
        put_at(fixed, 46, &self.old_size);
        put_at(fixed, 48, &self.new_size);
        out.extend_from_slice(self.data);
        Ok(())
    }

    fn list_body(&self, visit: &mut FieldVisitor<'_>) {
        Field::list(&self.node, "node", visit);
        Field::list(&self.old_size, "old_size", visit);
        Field::list(&self.new_size, "new_size", visit);
        if self.long_entries {
            visit("long_entries", FieldValue::Flag(true));
        }
        visit("data", FieldValue::Bytes(self.data));
    }
}
