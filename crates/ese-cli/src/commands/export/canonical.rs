//! The canonical form: schema, stored bytes, index entries. Two databases with the same content give the same text.

use std::io::Write;

use ese_format::{ColumnId, KeyParts, TaggedColumn, TaggedValue};
use ese_instance::{ColumnContent, DatabaseReader, IndexDefinition, TableDefinition, ValueReader};
use sha2::{Digest, Sha256};

use super::error::ExportError;
use super::rows::{RowError, for_each_row};
use super::text::{write_hex, write_json_string};
use crate::commands::tables::key_text;
use crate::context::Context;

/// Longest value that is printed in full.
const MAX_PRINTED: u64 = 256;

/// Writes a table: schema, rows, indexes.
pub(crate) fn export(
    reader: &DatabaseReader,
    table: &TableDefinition,
    index_keys: bool,
    context: &Context,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let mut indexes: Vec<&IndexDefinition> = table.indexes.iter().collect();
    indexes.sort_by(|a, b| a.name.cmp(&b.name));
    schema(table, &indexes, out)?;
    let rows = for_each_row(reader, table, context, |key, record, layout, values| {
        out.write_all(b"{\"row\":\"")?;
        write_key(out, key)?;
        out.write_all(b"\",\"v\":{")?;
        let mut first = true;
        layout.visit(record, |_, column, content| -> Result<(), RowError> {
            let separator: &[u8] = if first { b"" } else { b"," };
            out.write_all(separator)?;
            first = false;
            write_json_string(out, &column.name)?;
            out.write_all(b":")?;
            match content {
                ColumnContent::Value(value) | ColumnContent::Default(value) => {
                    write_value(out, column.id, TaggedValue::Plain(value), values)
                }
                ColumnContent::Tagged(tagged) => write_tagged(out, &tagged, values),
            }
        })?;
        out.write_all(b"}}\n")?;
        Ok(())
    })?;
    writeln!(out, "{{\"rows\":{rows}}}")?;
    for index in indexes {
        scan_index(reader, index, index_keys, context, out)?;
    }
    Ok(())
}

fn schema(
    table: &TableDefinition,
    indexes: &[&IndexDefinition],
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let live = table.columns.iter().filter(|c| !c.is_deleted());
    out.write_all(b"{\"table\":")?;
    write_json_string(out, &table.name)?;
    writeln!(out, ",\"columns\":{},\"indexes\":{}}}", live.clone().count(), indexes.len())?;
    for column in live {
        out.write_all(b"{\"column\":")?;
        write_json_string(out, &column.name)?;
        writeln!(
            out,
            ",\"id\":{},\"type\":\"{}\",\"cp\":{},\"max\":{},\"grbit\":{}}}",
            column.api_id(),
            column.kind,
            column.code_page,
            column.max_size,
            column.api_flags()
        )?;
    }
    for index in indexes {
        out.write_all(b"{\"index\":")?;
        write_json_string(out, &index.name)?;
        out.write_all(b",\"key\":")?;
        write_json_string(out, &key_text(table, index))?;
        writeln!(out, ",\"grbit\":{}}}", index.api_flags())?;
    }
    Ok(())
}

fn write_key(out: &mut impl Write, key: KeyParts<'_>) -> std::io::Result<()> {
    write_hex(out, key.prefix)?;
    write_hex(out, key.suffix)
}

fn write_tagged(
    out: &mut impl Write,
    tagged: &TaggedColumn<'_>,
    values: &mut ValueReader<'_>,
) -> Result<(), RowError> {
    let mut instances = tagged.values();
    let Some(first) = instances.next().transpose()? else {
        out.write_all(b"[]")?;
        return Ok(());
    };
    let Some(second) = instances.next().transpose()? else {
        return write_value(out, tagged.id, first, values);
    };
    out.write_all(b"[")?;
    write_value(out, tagged.id, first, values)?;
    out.write_all(b",")?;
    write_value(out, tagged.id, second, values)?;
    for value in instances {
        out.write_all(b",")?;
        write_value(out, tagged.id, value?, values)?;
    }
    out.write_all(b"]")?;
    Ok(())
}

fn write_value(
    out: &mut impl Write,
    column: ColumnId,
    value: TaggedValue<'_>,
    values: &mut ValueReader<'_>,
) -> Result<(), RowError> {
    let len = values.len::<RowError>(column, value)?;
    if len <= MAX_PRINTED {
        out.write_all(b"\"")?;
        let mut written = Ok(());
        values.read::<RowError>(column, value, |piece| {
            if written.is_ok() {
                written = write_hex(out, piece);
            }
        })?;
        written?;
        out.write_all(b"\"")?;
    } else {
        let mut digest = Sha256::new();
        values.read::<RowError>(column, value, |piece| digest.update(piece))?;
        write!(out, "{{\"len\":{len},\"sha256\":\"")?;
        write_hex(out, &digest.finalize())?;
        out.write_all(b"\"}")?;
    }
    Ok(())
}

fn scan_index(
    reader: &DatabaseReader,
    index: &IndexDefinition,
    keys: bool,
    context: &Context,
    out: &mut impl Write,
) -> Result<(), ExportError> {
    let tree = reader.tree(index.root, index.object_id)?;
    let mut cursor = tree.cursor();
    let mut digest = Sha256::new();
    let mut entries = 0u64;
    while cursor.move_next()? {
        if entries.is_multiple_of(4096) && context.check_interrupt().is_err() {
            return Err(ExportError::Interrupted);
        }
        let Some(node) = cursor.node()? else { break };
        let key = node.key();
        // In the primary index the key is the bookmark; elsewhere the data is.
        let bookmark = if index.is_primary() { key } else { KeyParts::whole(node.data) };
        entries += 1;
        // Both fit a page.
        digest.update((key.len() as u16).to_le_bytes());
        digest.update((bookmark.len() as u16).to_le_bytes());
        for part in [key.prefix, key.suffix, bookmark.prefix, bookmark.suffix] {
            digest.update(part);
        }
        if keys {
            out.write_all(b"{\"k\":\"")?;
            write_key(out, key)?;
            out.write_all(b"\",\"b\":\"")?;
            write_key(out, bookmark)?;
            out.write_all(b"\"}\n")?;
        }
    }
    out.write_all(b"{\"index_scan\":")?;
    write_json_string(out, &index.name)?;
    write!(out, ",\"entries\":{entries},\"sha256\":\"")?;
    write_hex(out, &digest.finalize())?;
    out.write_all(b"\"}\n")?;
    Ok(())
}
