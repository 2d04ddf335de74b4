//! The macro that turns a table of offsets into a struct with its reader, writer and listing.

/// Declares the struct of a record, or of a part of one.
///
/// `struct Name [size] { offset => field: Type, }` declares a part of fixed size.
///
/// `struct Name<'a> [size] { … } payload { offset, CountType => field, }` declares a record whose fixed part of `size`
/// bytes holds counts for byte strings that follow it. The strings follow in the order of the list. Counts are not
/// fields: they are the lengths of the strings.
///
/// `struct Name<'a> [size] { … } rest field` declares a skippable record: its four-byte length at offset 1 counts what
/// follows offset 5, and whatever is beyond the known fields is kept in `field`.
macro_rules! layout {
    (
        $(#[$meta:meta])*
        pub struct $name:ident [$size:literal] {
            $( $(#[$fmeta:meta])* $offset:literal => $field:ident : $type:ty ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $( $(#[$fmeta])* pub $field: $type, )*
        }

        impl $crate::record::field::Field for $name {
            const SIZE: usize = {
                $( assert!($crate::record::field::end_of::<$type>($offset) <= $size); )*
                $size
            };
            #[inline]
            fn get(bytes: &[u8]) -> Self {
                let bytes = bytes.get(..$size).unwrap_or(bytes);
                Self { $( $field: $crate::record::field::get_at(bytes, $offset), )* }
            }
            #[inline]
            fn put(&self, bytes: &mut [u8]) {
                $( $crate::record::field::put_at(bytes, $offset, &self.$field); )*
            }
            fn list(&self, _name: &'static str, visit: &mut $crate::record::FieldVisitor<'_>) {
                $( $crate::record::field::Field::list(&self.$field, stringify!($field), visit); )*
            }
        }
    };

    (
        $(#[$meta:meta])*
        pub struct $name:ident<'a> [$size:literal] {
            $( $(#[$fmeta:meta])* $offset:literal => $field:ident : $type:ty ),* $(,)?
        }
        payload {
            $( $(#[$pmeta:meta])* $count_offset:literal, $count_type:ty => $payload:ident ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            $( $(#[$fmeta])* pub $field: $type, )*
            $( $(#[$pmeta])* pub $payload: &'a [u8], )*
        }

        impl<'a> $crate::record::body::Body<'a> for $name<'a> {
            const FIXED: usize = {
                $( assert!($crate::record::field::end_of::<$type>($offset) <= $size); )*
                $( assert!($crate::record::field::end_of::<$count_type>($count_offset) <= $size); )*
                $size
            };
            #[inline]
            fn read(kind: $crate::record::RecordKind, bytes: &'a [u8])
                -> Result<Self, $crate::record::RecordError>
            {
                let (fixed, rest) = $crate::record::body::split_fixed::<$size>(kind, bytes)?;
                let mut record = Self {
                    $( $field: $crate::record::field::get_at(fixed, $offset), )*
                    $( $payload: &[], )*
                };
                $(
                    let count: $count_type = $crate::record::field::get_at(fixed, $count_offset);
                    let (taken, rest) =
                        $crate::record::body::take(kind, bytes, rest, $crate::record::body::length(count))?;
                    record.$payload = taken;
                )*
                $crate::record::body::nothing_left(kind, bytes, rest)?;
                Ok(record)
            }
            #[inline]
            fn write(&self, kind: $crate::record::RecordKind, out: &mut Vec<u8>)
                -> Result<(), $crate::record::EncodeError>
            {
                $(
                    let $payload: $count_type = $crate::record::body::count(
                        kind, stringify!($payload), self.$payload.len())?;
                )*
                let fixed = $crate::record::body::begin_fixed::<$size>(kind, out);
                $( $crate::record::field::put_at(fixed, $offset, &self.$field); )*
                $( $crate::record::field::put_at(fixed, $count_offset, &$payload); )*
                $( out.extend_from_slice(self.$payload); )*
                Ok(())
            }
            fn list_body(&self, visit: &mut $crate::record::FieldVisitor<'_>) {
                $( $crate::record::field::Field::list(&self.$field, stringify!($field), visit); )*
                $( visit(stringify!($payload), $crate::record::FieldValue::Bytes(self.$payload)); )*
            }
        }
    };

    (
        $(#[$meta:meta])*
        pub struct $name:ident<'a> [$size:literal] {
            $( $(#[$fmeta:meta])* $offset:literal => $field:ident : $type:ty ),* $(,)?
        }
        rest $(#[$rmeta:meta])* $rest:ident
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            $( $(#[$fmeta])* pub $field: $type, )*
            $(#[$rmeta])*
            pub $rest: &'a [u8],
        }

        impl<'a> $crate::record::body::Body<'a> for $name<'a> {
            const FIXED: usize = {
                $( assert!($crate::record::field::end_of::<$type>($offset) <= $size); )*
                $size
            };
            #[inline]
            fn read(kind: $crate::record::RecordKind, bytes: &'a [u8])
                -> Result<Self, $crate::record::RecordError>
            {
                let (fixed, rest) = $crate::record::body::split_fixed::<$size>(kind, bytes)?;
                let _ = fixed;
                $crate::record::body::check_skip_count(kind, bytes)?;
                Ok(Self {
                    $( $field: $crate::record::field::get_at(fixed, $offset), )*
                    $rest: rest,
                })
            }
            #[inline]
            fn write(&self, kind: $crate::record::RecordKind, out: &mut Vec<u8>)
                -> Result<(), $crate::record::EncodeError>
            {
                let count: u32 =
                    $crate::record::body::count(kind, stringify!($rest), $size - 5 + self.$rest.len())?;
                let fixed = $crate::record::body::begin_fixed::<$size>(kind, out);
                $crate::record::field::put_at(fixed, 1, &count);
                $( $crate::record::field::put_at(fixed, $offset, &self.$field); )*
                out.extend_from_slice(self.$rest);
                Ok(())
            }
            fn list_body(&self, visit: &mut $crate::record::FieldVisitor<'_>) {
                $( $crate::record::field::Field::list(&self.$field, stringify!($field), visit); )*
                if !self.$rest.is_empty() {
                    visit(stringify!($rest), $crate::record::FieldValue::Bytes(self.$rest));
                }
            }
        }
    };
}
pub(crate) use layout;
