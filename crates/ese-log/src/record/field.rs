//! How a single field is read, written and listed.

use std::borrow::Cow;

use ese_format::{BackupInfo, DbTime, LogPosition, LogTime, ObjectId, PageNumber, Signature};

/// Value of one field of a record, for listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// An unsigned number.
    Unsigned(u64),
    /// A signed number.
    Signed(i64),
    /// Yes or no.
    Flag(bool),
    /// A bit set: the bits, and the names of those that have one.
    Bits(u64, Vec<&'static str>),
    /// One of a list of numbers, with its name where it has one.
    Choice(u64, Option<&'static str>),
    /// A database time. The special values have names.
    DbTime(DbTime),
    /// A log position.
    Position(LogPosition),
    /// A wall-clock time.
    Time(LogTime),
    /// A signature.
    Signature(Signature),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// Text.
    Text(Cow<'a, str>),
}

/// Receives the fields of a record one by one.
pub type FieldVisitor<'v> = dyn FnMut(&'static str, FieldValue<'_>) + 'v;

/// A value of fixed size inside the fixed part of a record.
///
/// `get` is total: bytes that are missing read as zero. Callers have checked the length of the whole fixed part, and
/// the offsets are asserted at compile time to lie inside it.
pub(crate) trait Field: Sized {
    const SIZE: usize;
    fn get(bytes: &[u8]) -> Self;
    fn put(&self, bytes: &mut [u8]);
    fn list(&self, name: &'static str, visit: &mut FieldVisitor<'_>);
}

/// Where a field at `offset` ends.
pub(crate) const fn end_of<T: Field>(offset: usize) -> usize {
    offset + T::SIZE
}

/// Reads the field at `offset`.
#[inline]
pub(crate) fn get_at<T: Field>(bytes: &[u8], offset: usize) -> T {
    T::get(bytes.get(offset..).unwrap_or_default())
}

/// Writes the field at `offset`.
#[inline]
pub(crate) fn put_at<T: Field>(bytes: &mut [u8], offset: usize, value: &T) {
    value.put(bytes.get_mut(offset..).unwrap_or_default());
}

macro_rules! integer_field {
    ($($type:ty, $size:literal, $list:expr;)*) => {$(
        impl Field for $type {
            const SIZE: usize = $size;
            #[inline]
            fn get(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.first_chunk::<$size>().copied().unwrap_or_default())
            }
            #[inline]
            fn put(&self, bytes: &mut [u8]) {
                if let Some(target) = bytes.first_chunk_mut::<$size>() {
                    *target = self.to_le_bytes();
                }
            }
            fn list(&self, name: &'static str, visit: &mut FieldVisitor<'_>) {
                let list: fn($type) -> FieldValue<'static> = $list;
                visit(name, list(*self));
            }
        }
    )*};
}

integer_field! {
    u8, 1, |v| FieldValue::Unsigned(u64::from(v));
    u16, 2, |v| FieldValue::Unsigned(u64::from(v));
    u32, 4, |v| FieldValue::Unsigned(u64::from(v));
    u64, 8, FieldValue::Unsigned;
    i32, 4, |v| FieldValue::Signed(i64::from(v));
    i64, 8, FieldValue::Signed;
}

/// A field that is one of the above in other clothes.
macro_rules! wrapped_field {
    ($($type:ty, $inner:ty, $wrap:expr, $unwrap:expr, $list:expr;)*) => {$(
        impl $crate::record::field::Field for $type {
            const SIZE: usize = <$inner as $crate::record::field::Field>::SIZE;
            #[inline]
            fn get(bytes: &[u8]) -> Self {
                let wrap: fn($inner) -> $type = $wrap;
                wrap(<$inner as $crate::record::field::Field>::get(bytes))
            }
            #[inline]
            fn put(&self, bytes: &mut [u8]) {
                let unwrap: fn($type) -> $inner = $unwrap;
                <$inner as $crate::record::field::Field>::put(&unwrap(*self), bytes);
            }
            fn list(&self, name: &'static str, visit: &mut $crate::record::FieldVisitor<'_>) {
                let list: fn($type) -> $crate::record::FieldValue<'static> = $list;
                visit(name, list(*self));
            }
        }
    )*};
}
pub(crate) use wrapped_field;

wrapped_field! {
    PageNumber, u32, PageNumber, |v| v.0, |v| FieldValue::Unsigned(u64::from(v.0));
    ObjectId, u32, ObjectId, |v| v.0, |v| FieldValue::Unsigned(u64::from(v.0));
    DbTime, u64, DbTime, |v| v.0, FieldValue::DbTime;
    LogPosition, u64, LogPosition::from_u64, LogPosition::to_u64, FieldValue::Position;
}

impl<const N: usize> Field for [u8; N] {
    const SIZE: usize = N;
    #[inline]
    fn get(bytes: &[u8]) -> Self {
        bytes.first_chunk::<N>().copied().unwrap_or([0; N])
    }
    #[inline]
    fn put(&self, bytes: &mut [u8]) {
        if let Some(target) = bytes.first_chunk_mut::<N>() {
            *target = *self;
        }
    }
    fn list(&self, name: &'static str, visit: &mut FieldVisitor<'_>) {
        visit(name, FieldValue::Bytes(self));
    }
}

wrapped_field! {
    LogTime, [u8; 8], LogTime, |v| v.0, FieldValue::Time;
    Signature, [u8; 28], |b| Signature::from_bytes(&b), Signature::to_bytes, FieldValue::Signature;
}

impl Field for BackupInfo {
    const SIZE: usize = Self::SIZE;
    fn get(bytes: &[u8]) -> Self {
        Self::from_bytes(&<[u8; 24]>::get(bytes))
    }
    fn put(&self, bytes: &mut [u8]) {
        self.to_bytes().put(bytes);
    }
    fn list(&self, _name: &'static str, visit: &mut FieldVisitor<'_>) {
        visit("mark", FieldValue::Position(self.mark));
        visit("mark_time", FieldValue::Time(self.time));
        visit("low_generation", FieldValue::Unsigned(u64::from(self.low_generation)));
        visit("high_generation", FieldValue::Unsigned(u64::from(self.high_generation)));
    }
}

/// An open list of numbers: named constants, and whatever else a file holds.
macro_rules! open_kind {
    (
        $(#[$meta:meta])*
        pub struct $name:ident($inner:ty) {
            $( $(#[$cmeta:meta])* $constant:ident = $value:literal, $text:literal; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            $( $(#[$cmeta])* pub const $constant: Self = Self($value); )*

            /// Name of the value, or `None` for one without.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $( $value => Some($text), )*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => self.0.fmt(f),
                }
            }
        }

        $crate::record::field::wrapped_field! {
            $name, $inner, $name, |v| v.0, |v| $crate::record::FieldValue::Choice(u64::from(v.0), v.name());
        }
    };
}
pub(crate) use open_kind;

/// Makes a `bitflags` type a field; unknown bits are kept.
macro_rules! flags_field {
    ($($name:ident, $inner:ty;)*) => {$(
        $crate::record::field::wrapped_field! {
            $name, $inner, $name::from_bits_retain, |v| v.bits(),
            |v| $crate::record::FieldValue::Bits(
                u64::from(v.bits()),
                v.iter_names().map(|(name, _)| name).collect(),
            );
        }
    )*};
}
pub(crate) use flags_field;
