//! Header fields by their documented names, for programs that show everything.

use std::fmt;

use crate::{BackupInfo, LogPosition, LogTime, Signature};

/// One field of a header: its documented name and its value, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name as in the format documents, for example `dbtimeDirtied`.
    pub name: &'static str,
    /// The value.
    pub value: FieldValue,
}

/// The value of a [`Field`]. Nothing is lost: numbers without a known name stay numbers, bytes stay bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldValue {
    /// A plain number.
    Number(u64),
    /// A number that people read in hexadecimal: a checksum, a magic number.
    Hexadecimal(u64),
    /// A number out of an open list; the name is `None` for a number that is not known.
    Kind {
        /// The number as stored.
        number: u32,
        /// Its name in lower case with underscores.
        name: Option<&'static str>,
    },
    /// A set of flags.
    Flags {
        /// The bits as stored.
        bits: u64,
        /// Names of the known bits that are set, in lower case with underscores.
        names: Vec<String>,
    },
    /// A log position; [`LogPosition::NONE`] means "not set".
    Position(LogPosition),
    /// A time; [`LogTime::NONE`] means "not set".
    Time(LogTime),
    /// A signature; [`Signature::NONE`] means "not set".
    Signature(Signature),
    /// A remembered backup; [`BackupInfo::NONE`] means "none".
    Backup(BackupInfo),
    /// Text, characters that cannot be decoded replaced.
    Text(String),
    /// Bytes without a known meaning.
    Bytes(Vec<u8>),
    /// A structure inside.
    Group(Vec<Field>),
    /// Several structures of one kind.
    List(Vec<Vec<Field>>),
}

impl FieldValue {
    /// A number as hexadecimal; anything else as it is.
    #[must_use]
    pub(crate) fn hexadecimal(self) -> Self {
        match self {
            Self::Number(n) => Self::Hexadecimal(n),
            other => other,
        }
    }

    /// Bytes up to the first zero as text; anything else as it is.
    pub(crate) fn text(self) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Text(crate::log_header::narrow_text(&bytes)),
            other => other,
        }
    }

    /// The value of a set of flags.
    pub(crate) fn flags<F: bitflags::Flags<Bits: Into<u64>>>(flags: F) -> Self {
        // Names are taken from the definition, so that a name is never written twice; the unnamed rest stays in the bits.
        let names = flags.iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect();
        Self::Flags { bits: flags.bits().into(), names }
    }

    /// Whether the value is zero, "not set", empty or all zero: what a short listing leaves out.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        match self {
            Self::Number(n) | Self::Hexadecimal(n) | Self::Flags { bits: n, .. } => *n == 0,
            Self::Kind { number, .. } => *number == 0,
            Self::Position(p) => p.is_none(),
            Self::Time(t) => t.is_none(),
            Self::Signature(s) => s.is_none(),
            Self::Backup(b) => b.is_none(),
            Self::Text(t) => t.is_empty(),
            Self::Bytes(b) => b.iter().all(|&b| b == 0),
            Self::Group(fields) => fields.iter().all(|f| f.value.is_unset()),
            Self::List(items) => items.is_empty(),
        }
    }
}

/// One line for people. Groups and lists show their members in braces and brackets.
impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Hexadecimal(n) => write!(f, "0x{n:x}"),
            Self::Kind { number, name: Some(name) } => write!(f, "{number} ({name})"),
            Self::Kind { number, name: None } => write!(f, "{number}"),
            Self::Flags { bits, names } if names.is_empty() => write!(f, "0x{bits:x}"),
            Self::Flags { bits, names } => write!(f, "0x{bits:x} ({})", names.join(", ")),
            Self::Position(p) if p.is_none() => f.write_str("-"),
            Self::Position(p) => write!(f, "{p}"),
            Self::Time(t) => write!(f, "{t}"),
            Self::Signature(s) if s.is_none() => f.write_str("-"),
            Self::Signature(s) => write!(f, "{s}"),
            Self::Backup(b) if b.is_none() => f.write_str("-"),
            Self::Backup(b) => write!(
                f,
                "{} at {}, generations 0x{:x}-0x{:x}",
                b.mark, b.time, b.low_generation, b.high_generation
            ),
            Self::Text(t) => f.write_str(t),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|b| write!(f, "{b:02x}")),
            Self::Group(fields) => write_group(f, fields),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write_group(f, item)?;
                }
                f.write_str("]")
            }
        }
    }
}

fn write_group(f: &mut fmt::Formatter<'_>, fields: &[Field]) -> fmt::Result {
    f.write_str("{")?;
    for (i, field) in fields.iter().enumerate() {
        write!(f, "{}{}: {}", if i > 0 { ", " } else { "" }, field.name, field.value)?;
    }
    f.write_str("}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_numbers_print_as_numbers() {
        assert_eq!(FieldValue::Kind { number: 77, name: None }.to_string(), "77");
        assert_eq!(FieldValue::Flags { bits: 0x82, names: vec!["two".into()] }.to_string(), "0x82 (two)");
        assert_eq!(FieldValue::Flags { bits: 0x80, names: vec![] }.to_string(), "0x80");
    }
}
