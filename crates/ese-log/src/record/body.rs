//! What the generated readers and writers of records have in common.

use super::error::{EncodeError, RecordError};
use super::field::{Field, FieldVisitor, get_at};
use super::kind::RecordKind;

/// A record: from its bytes, type byte included, and back.
pub(crate) trait Body<'a>: Sized {
    /// Size of the fixed part in bytes, type byte included.
    const FIXED: usize;
    fn read(kind: RecordKind, bytes: &'a [u8]) -> Result<Self, RecordError>;
    fn write(&self, kind: RecordKind, out: &mut Vec<u8>) -> Result<(), EncodeError>;
    fn list_body(&self, visit: &mut FieldVisitor<'_>);
}

/// A record that has nothing but a fixed part.
impl<'a, T: Field> Body<'a> for T {
    const FIXED: usize = T::SIZE;
    #[inline]
    fn read(kind: RecordKind, bytes: &'a [u8]) -> Result<Self, RecordError> {
        if bytes.len() == T::SIZE {
            Ok(T::get(bytes))
        } else {
            Err(RecordError::size(kind, T::SIZE, bytes.len()))
        }
    }
    #[inline]
    fn write(&self, kind: RecordKind, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        out.resize(start + T::SIZE, 0);
        if let Some(fixed) = out.get_mut(start..) {
            self.put(fixed);
            if let Some(first) = fixed.first_mut() {
                *first = kind.0;
            }
        }
        Ok(())
    }
    fn list_body(&self, visit: &mut FieldVisitor<'_>) {
        Field::list(self, "", visit);
    }
}

/// The fixed part and what follows it.
#[inline]
pub(crate) fn split_fixed<const N: usize>(
    kind: RecordKind,
    bytes: &[u8],
) -> Result<(&[u8; N], &[u8]), RecordError> {
    bytes.split_first_chunk::<N>().ok_or_else(|| RecordError::size(kind, N, bytes.len()))
}

/// A stored count as a length. Saturates on platforms where it does not fit, which no slice can satisfy.
#[inline]
pub(crate) fn length(count: impl Into<u64>) -> usize {
    usize::try_from(count.into()).unwrap_or(usize::MAX)
}

/// The next `count` bytes of the payload.
#[inline]
pub(crate) fn take<'a>(
    kind: RecordKind,
    whole: &[u8],
    rest: &'a [u8],
    count: usize,
) -> Result<(&'a [u8], &'a [u8]), RecordError> {
    rest.split_at_checked(count)
        .ok_or_else(|| RecordError::size(kind, (whole.len() - rest.len()).saturating_add(count), whole.len()))
}

/// The payload must be used up.
#[inline]
pub(crate) fn nothing_left(kind: RecordKind, whole: &[u8], rest: &[u8]) -> Result<(), RecordError> {
    if rest.is_empty() { Ok(()) } else { Err(RecordError::size(kind, whole.len() - rest.len(), whole.len())) }
}

/// The length field of a skippable record must agree with its size.
#[inline]
pub(crate) fn check_skip_count(kind: RecordKind, bytes: &[u8]) -> Result<(), RecordError> {
    let count: u32 = get_at(bytes, 1);
    let total = length(count).saturating_add(5);
    if total == bytes.len() { Ok(()) } else { Err(RecordError::size(kind, total, bytes.len())) }
}

/// Appends a zeroed fixed part with the type byte set.
#[inline]
pub(crate) fn begin_fixed<const N: usize>(kind: RecordKind, out: &mut Vec<u8>) -> &mut [u8] {
    let start = out.len();
    out.resize(start + N, 0);
    let fixed = out.get_mut(start..).unwrap_or_default();
    if let Some(first) = fixed.first_mut() {
        *first = kind.0;
    }
    fixed
}

/// A length as the count field that stores it.
#[inline]
pub(crate) fn count<T: TryFrom<usize>>(
    kind: RecordKind,
    field: &'static str,
    length: usize,
) -> Result<T, EncodeError> {
    T::try_from(length).map_err(|_| EncodeError::TooLong { kind, field, length })
}
