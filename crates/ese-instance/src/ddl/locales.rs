//! MSysLocales: which versions of the sorting tables the indexes of Unicode text were made with.

use ese_btree::live::Tree;
use ese_format::{
    ColumnId, ColumnKind, FixedSlot, KeyBuilder, KeyRules, PageSize, RecordContent, SegmentKind,
};

use crate::builder::definition::SORT_VERSION;
use crate::catalog::CatalogRow;
use crate::database::AttachedDatabase;
use crate::error::InstanceError;
use crate::session::SessionCallGuard;

/// Name of the table.
pub(crate) const LOCALES_TABLE: &str = "MSysLocales";
/// Column `Type`: a value that is a number.
const LONG_VALUE: u8 = 2;
/// Where column `iValue` begins in a record.
const COUNT_OFFSET: usize = 5;

/// The key of a name: Unicode text as bytes, terminating zero included.
pub(crate) fn key(name: &str) -> Result<Vec<u8>, InstanceError> {
    let mut builder = KeyBuilder::new(&KeyRules::DEFAULT, Vec::new());
    let kind = SegmentKind { kind: ColumnKind::BINARY, code_page: 0, fixed: false };
    builder
        .push(kind, false, Some(&stored_name(name)))
        .map_err(|_| InstanceError::Unsupported { what: "a name without a key" })?;
    Ok(builder.finish().0)
}

fn stored_name(name: &str) -> Vec<u8> {
    name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

/// The record of a name with a number.
pub(crate) fn record(
    name: &str,
    kind: u8,
    value: i32,
    page_size: PageSize,
) -> Result<Vec<u8>, InstanceError> {
    let (kind, value, name) = ([kind], value.to_le_bytes(), stored_name(name));
    let content = RecordContent {
        fixed: vec![FixedSlot { size: 1, value: Some(&kind) }, FixedSlot { size: 4, value: Some(&value) }],
        variable: vec![Some(&name)],
        tagged: Vec::new(),
    };
    content.encode(page_size).map_err(|error| InstanceError::Definition(error.into()))
}

/// Counts an index of Unicode text in.
///
/// # Errors
/// `Live`.
pub(crate) fn count_index(
    call: &mut SessionCallGuard<'_>,
    database: &AttachedDatabase,
    index: &CatalogRow,
) -> Result<(), InstanceError> {
    if index.sort_version.is_none() {
        return Ok(());
    }
    let Some(schema) = call.schema(database, LOCALES_TABLE)? else { return Ok(()) };
    let tree: Tree = schema.tree;
    let locale: String = {
        let units = index.locale_name.as_deref().unwrap_or_default().as_chunks::<2>().0;
        char::decode_utf16(units.iter().map(|u| u16::from_le_bytes(*u)))
            .map(|c| c.unwrap_or('\u{fffd}'))
            .collect()
    };
    let sort = index.sort_id.as_deref().and_then(|id| id.first_chunk()).copied().unwrap_or_default();
    let version = u64::from_le_bytes(SORT_VERSION);
    let name = format!("LocaleName={locale},SortID={},Ver={version:x}", sort_as_text(sort));
    let (key, record) = (key(&name)?, record(&name, LONG_VALUE, 1, database.page_size())?);
    call.nested(|call| {
        let (live, state) = call.parts()?;
        let mut known = Vec::new();
        if live.get(state, &tree, &key, &mut known)? {
            live.add_i32(state, &tree, &key, COUNT_OFFSET, 1)?;
        } else {
            live.insert(state, &tree, &key, &record)?;
        }
        Ok(())
    })
}

/// The identifier of the sort as text.
fn sort_as_text(id: [u8; 16]) -> String {
    let [a0, a1, a2, a3, b0, b1, c0, c1, d @ ..] = id;
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let (first, rest) = d.split_at(2);
    format!(
        "{:08x}-{:04x}-{:04x}-{}-{}",
        u32::from_le_bytes([a0, a1, a2, a3]),
        u16::from_le_bytes([b0, b1]),
        u16::from_le_bytes([c0, c1]),
        hex(first),
        hex(rest)
    )
}

/// First column of the fixed ones; here so that the offsets above are seen to follow from it.
const _: () = assert!(*ColumnId::FIXED.start() == 1);

#[cfg(test)]
mod tests {
    #[test]
    fn the_sort_as_text() {
        let id = ese_format::Locale::by_name("sv-SE").unwrap().sort_id();
        assert_eq!(super::sort_as_text(id), "0000001a-57ee-1e5c-00b4-d0000bb1e11e");
    }
}
