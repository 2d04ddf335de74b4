//! Typed values of columns, and rows of them.

use ese_format::ColumnKind;

use super::BuilderError;
use crate::catalog::{ColumnDefinition, encode_windows_1252};

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// No value, in spite of a default.
    Null,
    /// [`ColumnKind::BIT`].
    Bit(bool),
    /// [`ColumnKind::UNSIGNED_BYTE`].
    UnsignedByte(u8),
    /// [`ColumnKind::SHORT`].
    Short(i16),
    /// [`ColumnKind::UNSIGNED_SHORT`].
    UnsignedShort(u16),
    /// [`ColumnKind::LONG`].
    Long(i32),
    /// [`ColumnKind::UNSIGNED_LONG`].
    UnsignedLong(u32),
    /// [`ColumnKind::LONG_LONG`] and [`ColumnKind::CURRENCY`].
    LongLong(i64),
    /// [`ColumnKind::UNSIGNED_LONG_LONG`].
    UnsignedLongLong(u64),
    /// [`ColumnKind::IEEE_SINGLE`].
    Single(f32),
    /// [`ColumnKind::IEEE_DOUBLE`], and [`ColumnKind::DATE_TIME`] as days since 1899-12-30.
    Double(f64),
    /// [`ColumnKind::GUID`], in Windows' memory layout.
    Guid([u8; 16]),
    /// [`ColumnKind::BINARY`] and [`ColumnKind::LONG_BINARY`].
    Binary(Vec<u8>),
    /// [`ColumnKind::TEXT`] and [`ColumnKind::LONG_TEXT`]; stored in the column's code page.
    Text(String),
    /// The bytes that a column of any type stores; of [`ColumnKind::BIT`] any that are not 0 are true.
    Bytes(Vec<u8>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(bytes.to_owned())
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Long(value)
    }
}

impl Value {
    /// The bytes that a column stores; `None` for null.
    pub(crate) fn encode(&self, column: &ColumnDefinition) -> Result<Option<Vec<u8>>, BuilderError> {
        use ColumnKind as K;
        let wrong = |what| BuilderError::Value { column: column.name.clone(), kind: column.kind, what };
        let bytes = match (self, column.kind) {
            (Self::Null, _) => return Ok(None),
            (Self::Bytes(value), kind) => match kind.fixed_size() {
                Some(size) if size != value.len() => return Err(wrong("the value has another size")),
                Some(_) if kind == K::BIT => vec![if value == &[0] { 0 } else { 0xFF }],
                _ => value.clone(),
            },
            (Self::Bit(value), K::BIT) => vec![if *value { 0xFF } else { 0 }],
            (Self::UnsignedByte(value), K::UNSIGNED_BYTE) => vec![*value],
            (Self::Short(value), K::SHORT) => value.to_le_bytes().to_vec(),
            (Self::UnsignedShort(value), K::UNSIGNED_SHORT) => value.to_le_bytes().to_vec(),
            (Self::Long(value), K::LONG) => value.to_le_bytes().to_vec(),
            (Self::UnsignedLong(value), K::UNSIGNED_LONG) => value.to_le_bytes().to_vec(),
            (Self::LongLong(value), K::LONG_LONG | K::CURRENCY) => value.to_le_bytes().to_vec(),
            (Self::UnsignedLongLong(value), K::UNSIGNED_LONG_LONG) => value.to_le_bytes().to_vec(),
            (Self::Single(value), K::IEEE_SINGLE) => value.to_le_bytes().to_vec(),
            (Self::Double(value), K::IEEE_DOUBLE | K::DATE_TIME) => value.to_le_bytes().to_vec(),
            (Self::Guid(value), K::GUID) => value.to_vec(),
            (Self::Binary(value), K::BINARY | K::LONG_BINARY) => value.clone(),
            (Self::Text(value), K::TEXT | K::LONG_TEXT) if column.code_page == 1200 => {
                value.encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
            (Self::Text(value), K::TEXT | K::LONG_TEXT) => encode_windows_1252(value)
                .ok_or_else(|| wrong("a character that code page 1252 does not have"))?,
            _ => return Err(wrong("the value is of another type")),
        };
        if column.max_size != 0 && bytes.len() > column.max_size as usize {
            return Err(wrong("the value is longer than the column allows"));
        }
        Ok(Some(bytes))
    }
}

/// The values of one row, by the names of its columns. Columns that are not set have their default value, or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub(super) values: Vec<(String, Value)>,
}

impl Row {
    /// A row without values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a column, or adds a further value to a multi-valued one.
    #[must_use]
    pub fn set(mut self, column: &str, value: impl Into<Value>) -> Self {
        self.values.push((column.to_owned(), value.into()));
        self
    }
}
