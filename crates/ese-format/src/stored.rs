//! How values lie in a structure on disk, and the macro that lays out a structure once for all uses.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::field::FieldValue;
use crate::{
    BackupInfo, BackupInfoKind, DbTime, LogGeneration, LogPosition, LogTime, ObjectId, PageNumber, Signature,
};

/// A value with a stored form of fixed size: little-endian, alignment 1, every bit pattern legal.
pub trait Stored: Sized {
    /// The stored form.
    type Raw: FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned + Copy;

    /// Decodes the stored form.
    fn load(raw: Self::Raw) -> Self;

    /// The stored form.
    fn store(self) -> Self::Raw;

    /// The value for a field listing.
    fn field(self) -> FieldValue;
}

macro_rules! stored_number {
    ($($value:ty, $raw:ty;)*) => {$(
        impl Stored for $value {
            type Raw = $raw;
            fn load(raw: $raw) -> Self {
                raw.into()
            }
            fn store(self) -> $raw {
                self.into()
            }
            fn field(self) -> FieldValue {
                FieldValue::Number(self.into())
            }
        }
    )*};
}

stored_number! { u8, u8; u16, U16; u32, U32; u64, U64; }

/// Newtypes over a number.
macro_rules! stored_newtype {
    ($($value:ident($raw:ty);)*) => {$(
        impl Stored for $value {
            type Raw = $raw;
            fn load(raw: $raw) -> Self {
                Self(raw.get())
            }
            fn store(self) -> $raw {
                self.0.into()
            }
            fn field(self) -> FieldValue {
                FieldValue::Number(self.0.into())
            }
        }
    )*};
}

stored_newtype! { DbTime(U64); LogGeneration(U32); PageNumber(U32); ObjectId(U32); }

impl Stored for BackupInfoKind {
    type Raw = U32;
    fn load(raw: U32) -> Self {
        Self(raw.get())
    }
    fn store(self) -> U32 {
        self.0.into()
    }
    fn field(self) -> FieldValue {
        let name = match self {
            Self::NORMAL => Some("normal"),
            Self::OS_SNAPSHOT => Some("os_snapshot"),
            Self::SNAPSHOT => Some("snapshot"),
            Self::SURROGATE => Some("surrogate"),
            _ => None,
        };
        FieldValue::Kind { number: self.0, name }
    }
}

impl Stored for LogPosition {
    type Raw = [u8; 8];
    fn load(raw: [u8; 8]) -> Self {
        Self::from_bytes(raw)
    }
    fn store(self) -> [u8; 8] {
        self.to_bytes()
    }
    fn field(self) -> FieldValue {
        FieldValue::Position(self)
    }
}

impl Stored for LogTime {
    type Raw = [u8; 8];
    fn load(raw: [u8; 8]) -> Self {
        Self(raw)
    }
    fn store(self) -> [u8; 8] {
        self.0
    }
    fn field(self) -> FieldValue {
        FieldValue::Time(self)
    }
}

impl Stored for Signature {
    type Raw = [u8; 28];
    fn load(raw: [u8; 28]) -> Self {
        Self::from_bytes(&raw)
    }
    fn store(self) -> [u8; 28] {
        self.to_bytes()
    }
    fn field(self) -> FieldValue {
        FieldValue::Signature(self)
    }
}

impl Stored for BackupInfo {
    type Raw = [u8; 24];
    fn load(raw: [u8; 24]) -> Self {
        Self::from_bytes(&raw)
    }
    fn store(self) -> [u8; 24] {
        self.to_bytes()
    }
    fn field(self) -> FieldValue {
        FieldValue::Backup(self)
    }
}

impl<const N: usize> Stored for [u8; N] {
    type Raw = [u8; N];
    fn load(raw: [u8; N]) -> Self {
        raw
    }
    fn store(self) -> [u8; N] {
        self
    }
    fn field(self) -> FieldValue {
        FieldValue::Bytes(self.to_vec())
    }
}

/// Lays out a structure: one line a field with offset, documented name, field name, setter name and value type.
///
/// Makes the `#[repr(C)]` struct of stored forms, checks its size and every offset at compile time, and gives it a
/// typed getter and setter a field, the list `FIELDS` of (documented name, offset, size) and the method `fields`, which
/// lists all values. `as hexadecimal` (a method of [`FieldValue`]) chooses how a value is shown. Reserved fields (their
/// documented name starts with `reserved`) are listed only when they are not zero.
macro_rules! stored_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident [$size:literal] {
            $(
                $(#[$field_meta:meta])*
                $offset:literal $documented:literal $field:ident $setter:ident : $value:ty $(as $shape:ident)?
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout, zerocopy::Unaligned,
        )]
        #[repr(C)]
        pub struct $name {
            $( $field: <$value as $crate::stored::Stored>::Raw, )*
        }

        const _: () = {
            assert!(size_of::<$name>() == $size);
            $( assert!(std::mem::offset_of!($name, $field) == $offset); )*
        };

        impl $name {
            /// Stored size in bytes.
            pub const SIZE: usize = $size;

            /// Documented name, offset and size of every field, in the order of the file.
            pub const FIELDS: &'static [(&'static str, usize, usize)] = &[
                $( ($documented, $offset, size_of::<<$value as $crate::stored::Stored>::Raw>()), )*
            ];

            $(
                $(#[$field_meta])*
                #[doc = concat!("\n\nOffset ", $offset, ", documented as `", $documented, "`.")]
                #[must_use]
                pub fn $field(&self) -> $value {
                    <$value as $crate::stored::Stored>::load(self.$field)
                }

                #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
                pub fn $setter(&mut self, value: $value) {
                    self.$field = <$value as $crate::stored::Stored>::store(value);
                }
            )*

            /// Every field with its documented name, in the order of the file; reserved bytes only when not zero.
            #[must_use]
            pub fn fields(&self) -> Vec<$crate::field::Field> {
                #[allow(unused_mut, reason = "a structure may have no reserved field")]
                let mut fields: Vec<$crate::field::Field> = vec![
                    $( $crate::field::Field {
                        name: $documented,
                        value: <$value as $crate::stored::Stored>::field(self.$field())$(.$shape())?,
                    }, )*
                ];
                fields.retain(|f| !f.name.starts_with("reserved") || !f.value.is_unset());
                fields
            }
        }

        impl Default for $name {
            fn default() -> Self {
                zerocopy::FromZeros::new_zeroed()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut debug = f.debug_struct(stringify!($name));
                for field in self.fields() {
                    debug.field(field.name, &format_args!("{}", field.value));
                }
                debug.finish()
            }
        }
    };
}

pub(crate) use stored_struct;
