//! Values by type: JSON Lines and CSV.

use std::io::{self, Write};

use ese_format::{ColumnKind, TaggedValue};
use ese_instance::{
    ColumnContent, ColumnDefinition, DatabaseReader, TableDefinition, ValueReader, decode_windows_1252,
};

use super::error::ExportError;
use super::rows::{RowError, for_each_row};
use super::text::{write_hex, write_json_string, write_json_text};
use crate::context::Context;

/// Writes the rows as `{"table":…,"row":{column:value,…}}`, one a line. Null columns are left out; several values are a
/// list. Numbers are numbers, bits booleans, text text, binary data hexadecimal, GUIDs in their usual form, dates as
/// stored: days since 1899-12-30.
pub(crate) fn export_json_lines(
    reader: &DatabaseReader,
    table: &TableDefinition,
    context: &Context,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    for_each_row(reader, table, context, |_, record, layout, values| {
        out.write_all(b"{\"table\":")?;
        write_json_string(out, &table.name)?;
        out.write_all(b",\"row\":{")?;
        let mut first = true;
        layout.visit(record, |_, column, content| -> Result<(), RowError> {
            let separator: &[u8] = if first { b"" } else { b"," };
            out.write_all(separator)?;
            first = false;
            write_json_string(out, &column.name)?;
            out.write_all(b":")?;
            write_content(out, column, content, values, Quoting::Json)
        })?;
        out.write_all(b"}}\n")?;
        Ok(())
    })?;
    Ok(())
}

/// Writes the rows as comma-separated values (RFC 4180, lines end with CR LF) below a line with the column names. Null
/// is nothing, an empty text is `""`; several values of a column are separated by `;`.
pub(crate) fn export_csv(
    reader: &DatabaseReader,
    table: &TableDefinition,
    context: &Context,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let live: Vec<usize> =
        (0..table.columns.len()).filter(|&i| table.columns.get(i).is_some_and(|c| !c.is_deleted())).collect();
    for (place, column) in live.iter().filter_map(|&i| table.columns.get(i)).enumerate() {
        let separator: &[u8] = if place == 0 { b"" } else { b"," };
        out.write_all(separator)?;
        write_csv_text(out, &column.name)?;
    }
    out.write_all(b"\r\n")?;
    for_each_row(reader, table, context, |_, record, layout, values| {
        // Columns come in the order of the header line: commas make up for those that are null.
        let mut next = 0;
        layout.visit(record, |index, column, content| -> Result<(), RowError> {
            let place = live.partition_point(|&i| i < index);
            for _ in next..place {
                out.write_all(b",")?;
            }
            next = place;
            write_content(out, column, content, values, Quoting::Csv)
        })?;
        for _ in next + 1..live.len() {
            out.write_all(b",")?;
        }
        out.write_all(b"\r\n")?;
        Ok(())
    })?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Json,
    Csv,
}

fn write_csv_text(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(b"\"")?;
    for (place, part) in text.split('"').enumerate() {
        let quote: &[u8] = if place == 0 { b"" } else { b"\"\"" };
        out.write_all(quote)?;
        out.write_all(part.as_bytes())?;
    }
    out.write_all(b"\"")
}

fn write_content(
    out: &mut impl Write,
    column: &ColumnDefinition,
    content: ColumnContent<'_>,
    values: &mut ValueReader<'_>,
    quoting: Quoting,
) -> Result<(), RowError> {
    let tagged = match content {
        ColumnContent::Value(value) | ColumnContent::Default(value) => {
            return write_value(out, column, TaggedValue::Plain(value), values, quoting);
        }
        ColumnContent::Tagged(tagged) => tagged,
    };
    let mut instances = tagged.values();
    let first = instances.next().transpose()?;
    let second = instances.next().transpose()?;
    let several = second.is_some() && quoting == Quoting::Json;
    if several {
        out.write_all(b"[")?;
    }
    for (place, value) in first.into_iter().chain(second).map(Ok).chain(instances).enumerate() {
        if place > 0 {
            out.write_all(if quoting == Quoting::Json { b"," } else { b";" })?;
        }
        write_value(out, column, value?, values, quoting)?;
    }
    if several {
        out.write_all(b"]")?;
    }
    Ok(())
}

fn write_value(
    out: &mut impl Write,
    column: &ColumnDefinition,
    value: TaggedValue<'_>,
    values: &mut ValueReader<'_>,
    quoting: Quoting,
) -> Result<(), RowError> {
    if let (TaggedValue::Plain(bytes), Some(size)) = (value, column.kind.fixed_size()) {
        // A value of another length than its type's is shown as bytes.
        if bytes.len() == size {
            write_number(out, column.kind, bytes, quoting)?;
            return Ok(());
        }
    }
    let mut text = Text::new(column);
    let mut written = out.write_all(b"\"");
    values.read::<RowError>(column.id, value, |piece| {
        if written.is_ok() {
            written = text.write(out, piece, quoting);
        }
    })?;
    written?;
    text.finish(out, quoting)?;
    out.write_all(b"\"")?;
    Ok(())
}

fn write_number(out: &mut impl Write, kind: ColumnKind, bytes: &[u8], quoting: Quoting) -> io::Result<()> {
    let raw = bytes.iter().rev().fold(0u128, |value, &b| value << 8 | u128::from(b));
    match kind {
        ColumnKind::BIT => write!(out, "{}", raw != 0),
        ColumnKind::SHORT => write!(out, "{}", raw as i16),
        ColumnKind::LONG => write!(out, "{}", raw as i32),
        ColumnKind::CURRENCY | ColumnKind::LONG_LONG => write!(out, "{}", raw as i64),
        ColumnKind::IEEE_SINGLE => write_float(out, f64::from(f32::from_bits(raw as u32)), quoting, |o| {
            write!(o, "{:?}", f32::from_bits(raw as u32))
        }),
        ColumnKind::IEEE_DOUBLE | ColumnKind::DATE_TIME => {
            let value = f64::from_bits(raw as u64);
            write_float(out, value, quoting, |o| write!(o, "{value:?}"))
        }
        ColumnKind::GUID => {
            let (a, b, c) = (raw as u32, (raw >> 32) as u16, (raw >> 48) as u16);
            write!(out, "\"{a:08x}-{b:04x}-{c:04x}-")?;
            write_hex(out, bytes.get(8..10).unwrap_or_default())?;
            out.write_all(b"-")?;
            write_hex(out, bytes.get(10..).unwrap_or_default())?;
            out.write_all(b"\"")
        }
        _ => write!(out, "{raw}"),
    }
}

/// JSON has no infinities and no NaN: they become text.
fn write_float<W: Write>(
    out: &mut W,
    value: f64,
    quoting: Quoting,
    write: impl FnOnce(&mut W) -> io::Result<()>,
) -> io::Result<()> {
    let quote: &[u8] = if value.is_finite() || quoting == Quoting::Csv { b"" } else { b"\"" };
    out.write_all(quote)?;
    write(out)?;
    out.write_all(quote)
}

/// Turns a value that arrives in pieces into text.
struct Text {
    form: TextForm,
    /// A byte or surrogate whose other half comes with the next piece.
    half_unit: Option<u8>,
    surrogate: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TextForm {
    Hex,
    Windows1252,
    Utf16,
}

impl Text {
    fn new(column: &ColumnDefinition) -> Self {
        let form = match (column.kind.is_text(), column.code_page) {
            (false, _) => TextForm::Hex,
            (true, 1200) => TextForm::Utf16,
            (true, _) => TextForm::Windows1252,
        };
        Self { form, half_unit: None, surrogate: None }
    }

    fn write(&mut self, out: &mut impl Write, piece: &[u8], quoting: Quoting) -> io::Result<()> {
        match self.form {
            TextForm::Hex => write_hex(out, piece),
            TextForm::Windows1252 => put(out, &decode_windows_1252(piece), quoting),
            TextForm::Utf16 => {
                let mut text = String::with_capacity(piece.len() / 2);
                for &byte in piece {
                    match self.half_unit.take() {
                        None => self.half_unit = Some(byte),
                        Some(low) => self.unit(u16::from_le_bytes([low, byte]), &mut text),
                    }
                }
                put(out, &text, quoting)
            }
        }
    }

    fn unit(&mut self, unit: u16, text: &mut String) {
        let pair = match (self.surrogate.take(), unit) {
            (None, 0xD800..=0xDBFF) => {
                self.surrogate = Some(unit);
                return;
            }
            (Some(high), 0xDC00..=0xDFFF) => char::decode_utf16([high, unit]).next(),
            (Some(_), _) => {
                text.push('\u{fffd}');
                return self.unit(unit, text);
            }
            (None, _) => char::decode_utf16([unit]).next(),
        };
        text.push(pair.and_then(Result::ok).unwrap_or('\u{fffd}'));
    }

    fn finish(&mut self, out: &mut impl Write, quoting: Quoting) -> io::Result<()> {
        // Half a character at the end cannot be shown as anything else.
        let lost =
            usize::from(self.surrogate.take().is_some()) + usize::from(self.half_unit.take().is_some());
        put(out, "\u{fffd}\u{fffd}".get(..3 * lost).unwrap_or_default(), quoting)
    }
}

fn put(out: &mut impl Write, text: &str, quoting: Quoting) -> io::Result<()> {
    match quoting {
        Quoting::Json => write_json_text(out, text),
        Quoting::Csv => {
            for (place, part) in text.split('"').enumerate() {
                let quote: &[u8] = if place == 0 { b"" } else { b"\"\"" };
                out.write_all(quote)?;
                out.write_all(part.as_bytes())?;
            }
            Ok(())
        }
    }
}
